"""A deferrable task: when it defers, for how long, and how it continues."""

import datetime as dt
import threading
import time

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred

from airflow_provider_pinterest.triggers.wait import WaitTrigger
from tests.operators.attempts import Life, copies, failing, finished, offline, small
from tests.running import Again, ids, rows

DAY = 86_400
FIVE_MINUTES = {"Retry-After": "300"}


@pytest.fixture(params=["web", "offline"])
def found(request):
    return rows(10, action_source=request.param)


def deferrable(found, **changes):
    return small(found, **{"deferrable": True, "max_wait": dt.timedelta(minutes=10), **changes})


def deferred(pinterest, found, **changes):
    """Return a task that was deferred after four of ten rows, for five minutes."""
    life = Life(**deferrable(found, **changes))
    with failing(pinterest, status=503, after=2, headers=FIVE_MINUTES):
        assert isinstance(life.attempt().error, TaskDeferred)
    return life


def seconds_of(life):
    """Return how long the deferral lasts from now on."""
    trigger = life.deferred.trigger
    assert isinstance(trigger, WaitTrigger)
    return (trigger.moment - dt.datetime.now(dt.UTC)).total_seconds()


def later(action, after=0.5):
    timer = threading.Timer(after, action)
    timer.start()
    return timer


class TestWhen:
    @pytest.mark.parametrize("status", [429, 503])
    def test_a_wait_of_five_minutes_defers_at_once(self, pinterest, found, status):
        life = Life(**deferrable(found))
        pinterest.fault("status", status=status, after=2, headers=FIVE_MINUTES)
        began = time.monotonic()

        assert isinstance(life.attempt().error, TaskDeferred)
        assert time.monotonic() - began < 10
        assert 280 < seconds_of(life) <= 300
        assert life.deferred.method_name == "resume_delivery"
        assert len(pinterest.calls()) == 3

    def test_a_short_wait_is_waited_for(self, pinterest, found):
        life = Life(**deferrable(found))
        pinterest.fault("status", status=503, times=1, headers={"Retry-After": "1"})

        assert life.attempt().error is None
        assert pinterest.copies() == ids(10)

    def test_where_pinterest_names_no_time_it_defers_after_a_while(self, pinterest, found):
        life = Life(**deferrable(found, defer_after=dt.timedelta(seconds=1)))
        pinterest.fault("status", status=503, after=2)
        began = time.monotonic()

        assert isinstance(life.attempt().error, TaskDeferred)
        assert time.monotonic() - began < 5
        assert 0 < seconds_of(life) <= 600

    def test_the_longest_wait_is_a_day(self, pinterest, found):
        life = Life(**deferrable(found))
        pinterest.fault("status", status=503, after=2, headers={"Retry-After": "999999999"})

        ran = life.attempt()

        assert DAY - 60 < seconds_of(life) <= DAY
        assert "999999999 seconds; the task then" not in ran.log

    def test_without_deferrable_it_fails(self, pinterest, found):
        life = Life(**small(found))
        pinterest.fault("status", status=503, after=2, headers=FIVE_MINUTES)

        ran = life.attempt()

        assert "continues at row 5" in ran.said

    def test_a_wrong_token_does_not_defer(self, pinterest, found):
        life = Life(**deferrable(found))
        pinterest.fault("status", status=401)

        ran = life.attempt()

        assert not isinstance(ran.error, TaskDeferred)
        assert ran.error is not None


class TestHowItContinues:
    @pytest.mark.parametrize("remembers", [True, False])
    def test_over_several_deferrals_every_event_goes_out_once(self, pinterest, found, remembers):
        life = Life(remembers=remembers, **deferrable(found))
        for go_on in (life.attempt, life.wake, life.wake, life.wake):
            with failing(pinterest, status=503, after=1, headers=FIVE_MINUTES):
                go_on()
            assert life.deferred is not None
        assert pinterest.copies() == ids(8)

        ran = life.wake()

        assert ran.error is None
        assert pinterest.copies() == ids(10)
        assert (ran["events_processed"], ran["resumed_from"]) == (10, 8)

    @pytest.mark.parametrize("remembers", [True, False])
    def test_where_airflow_loses_the_checkpoint_no_event_is_counted_twice(self, pinterest, found, remembers):
        """As ``dag.test()`` does."""
        life = Life(remembers=remembers, **deferrable(found))
        pinterest.fault("status", status=429, after=2, times=1, headers=FIVE_MINUTES)
        life.attempt()
        life.deferred.kwargs = {}

        ran = life.wake()

        offline = found[0]["action_source"] == "offline"
        if remembers or not offline:
            assert ran.error is None
            assert pinterest.copies().keys() == ids(10).keys()
        else:
            assert isinstance(ran.error, AirflowFailException)
        assert not offline or set(pinterest.copies().values()) == {1}

    def test_nothing_personal_is_carried(self, pinterest, found):
        life = deferred(pinterest, found, key_columns=["email"])

        assert "example.com" not in str(life.deferred.kwargs)
        assert "order-1" not in str(life.deferred.kwargs)

    def test_events_with_unknown_outcome_are_sent_again_after_the_deferral(self, pinterest):
        life = Life(**deferrable(rows(10), defer_after=dt.timedelta()))
        with failing(pinterest, status=500, after=2, after_accepting=True):
            assert isinstance(life.attempt().error, TaskDeferred)

        assert life.wake().error is None
        assert pinterest.copies() == copies((1, 4, 1), (5, 6, 2), (7, 10, 1))

    def test_clear_while_it_waits_continues_too(self, pinterest, found):
        life = deferred(pinterest, found)

        assert life.clear().error is None
        assert pinterest.copies() == ids(10)

    def test_other_rows_after_the_deferral_are_noticed(self, pinterest):
        life = deferred(pinterest, offline(), remembers=False)

        assert isinstance(life.wake(events=offline(9)[1:]).error, AirflowFailException)
        assert pinterest.copies() == copies((1, 4, 1))

    def test_send_everything_again_sends_all_once_over_a_deferral(self, pinterest, found):
        life = finished(found)
        with failing(pinterest, status=503, after=2, headers=FIVE_MINUTES):
            ran = life.clear(deferrable=True, send_everything_again=True)
        assert isinstance(ran.error, TaskDeferred)

        assert life.wake(deferrable=True, send_everything_again=True).error is None
        assert pinterest.copies() == copies((1, 10, 2))

    def test_send_everything_again_without_a_store_too(self, pinterest, found):
        life = deferred(pinterest, found, send_everything_again=True, remembers=False)

        assert life.wake().error is None
        assert pinterest.copies() == ids(10)


class TestKilled:
    def test_while_the_source_stalls_before_the_first_row(self, pinterest, found):
        go = threading.Event()

        def stalled():
            go.wait(30)
            yield from found

        life = Life(**deferrable(found))
        killer = later(life.kill)
        began = time.monotonic()
        ran = life.attempt(events=Again(stalled))
        took = time.monotonic() - began
        go.set()
        killer.join()

        assert isinstance(ran.error, AirflowException)
        assert took < 5
        assert pinterest.calls() == []
        assert life.attempt().error is None
        assert pinterest.copies() == ids(10)

    def test_while_it_waits_it_stops_and_does_not_defer(self, pinterest, found):
        life = Life(**deferrable(found, defer_after=dt.timedelta(seconds=30)))
        pinterest.fault("status", status=503, after=2, headers={"Retry-After": "20"})
        killer = later(life.kill, 1)
        began = time.monotonic()
        ran = life.attempt()
        killer.join()

        assert not isinstance(ran.error, TaskDeferred)
        assert isinstance(ran.error, AirflowException)
        assert time.monotonic() - began < 6
        pinterest.clear_faults()
        assert life.attempt().error is None
        assert pinterest.copies() == ids(10)

    def test_at_the_moment_it_would_defer_it_stops(self, pinterest, found, monkeypatch):
        life = Life(**deferrable(found))
        pinterest.fault("status", status=503, after=2, headers=FIVE_MINUTES)
        from airflow_provider_pinterest.operators import task_runner

        defers = task_runner.TaskRunner._defer

        def killed_meanwhile(self, *args):
            life.kill()
            defers(self, *args)

        with monkeypatch.context() as patch:
            patch.setattr(task_runner.TaskRunner, "_defer", killed_meanwhile)
            ran = life.attempt()

        assert not isinstance(ran.error, TaskDeferred)
        pinterest.clear_faults()
        assert life.attempt().error is None
        assert pinterest.copies() == ids(10)

    def test_before_it_resumes_it_sends_nothing(self, pinterest, found):
        life = deferred(pinterest, found)
        kept = life.deferred.kwargs
        calls = len(pinterest.calls())
        life.killed = True

        assert isinstance(life.wake(kept).error, AirflowException)
        assert len(pinterest.calls()) == calls
        life.killed = False
        assert life.wake(kept).error is None
        assert pinterest.copies() == ids(10)
