"""What the last line of a failure says, and whether the next attempt does so."""

from __future__ import annotations

import datetime as dt
import re
import signal
import threading
import time
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowTaskTimeout

from airflow_provider_pinterest.delivery.rejects import Rejects
from tests.operators.attempts import (
    Life,
    broken_off,
    copies,
    failing,
    interrupted,
    last_line,
    logged_ending,
    offline,
    small,
)
from tests.running import ids, row, rows

sources = pytest.mark.parametrize("source", ["web", "offline"])
nexts = pytest.mark.parametrize("then", ["attempt", "clear"])


def said(ran):
    """Return the last sentence about a failure: of the error, or of the log where the error is not ours."""
    assert ran.error is not None
    text = last_line(ran.said) if ran.said.strip() else ""
    return text if "Clear" in text else logged_ending(ran.log)


def keeps_its_word(pinterest, life, sentence, then, **changes):
    """Make the next attempt, and compare what it does with what was said."""
    before = pinterest.copies()
    ran = getattr(life, then)(**changes)
    after = pinterest.copies()
    assert ran.error is None, ran.said
    twice = sum(after[name] > count for name, count in before.items())
    found = re.search(r"continues at row ([\d,]+)", sentence)
    assert found, sentence
    assert (ran["resumed_from"] or 0) + 1 == int(found[1])
    again = re.search(r"sends ([\d,]+) events with unknown outcome again", sentence)
    assert twice == (int(again[1]) if again else 0), sentence
    assert ("nothing twice" in sentence) is not bool(again)
    delivered = re.search(r"([\d,]+) of [\d,]+ events that were read were delivered", sentence)
    assert (int(delivered[1]) if delivered else 0) == len(before) - twice
    if not delivered:
        assert "This attempt delivered no event" in sentence
    return ran


class Broken:
    """Rows that break off with an error of somebody else, after some."""

    def __init__(self, found, after, error):
        self.found, self.after, self.error = found, after, error

    def __iter__(self):
        yield from self.found[: self.after]
        raise self.error


class Stalled:
    """Rows that come to a halt after some, until they are let go. The last one before has another column."""

    def __init__(self, found, after):
        self.found, self.after, self.go = found, after, threading.Event()
        self.stalled = threading.Event()

    def __iter__(self):
        yield from self.found[: self.after - 1]
        yield {**self.found[self.after - 1], "currency": "EUR"}
        self.stalled.set()
        self.go.wait(30)
        yield from self.found[self.after :]


@pytest.fixture(params=["web", "offline"])
def found(request):
    return rows(10, action_source=request.param)


@nexts
class TestAnAttemptThatEndsEarly:
    def test_the_source_breaks(self, pinterest, found, then):
        life = Life(**small(found))
        ran = life.attempt(events=Broken(found, 7, ValueError("the disk is gone")))

        assert type(ran.error) is ValueError
        keeps_its_word(pinterest, life, said(ran), then)
        assert pinterest.copies() == ids(10)

    def test_the_source_breaks_with_our_own_error(self, pinterest, found, then):
        life = Life(**small(found))
        ran = life.attempt(events=Broken([*found[:5], "text"], 6, KeyError("never")))

        keeps_its_word(pinterest, life, last_line(ran.said), then)
        assert pinterest.copies() == ids(10)

    @pytest.mark.parametrize("status", [401, 403, 503, 429])
    @pytest.mark.parametrize("after", [0, 2])
    def test_pinterest_stops_accepting(self, pinterest, found, then, status, after):
        life = Life(**small(found))
        with failing(pinterest, status=status, after=after):
            ran = life.attempt()

        keeps_its_word(pinterest, life, last_line(ran.said), then)
        assert pinterest.copies() == ids(10)

    def test_it_waited(self, pinterest, found, then):
        life = Life(**small(found, max_wait=dt.timedelta(seconds=2.2)))
        with failing(pinterest, status=503, after=2, headers={"Retry-After": "1"}):
            ran = life.attempt()

        sentence = last_line(ran.said)
        assert re.search(r"after waiting 2 seconds for Pinterest", sentence), sentence
        keeps_its_word(pinterest, life, sentence, then)

    def test_web_events_have_unknown_outcomes(self, pinterest, then):
        life = Life(**small())
        with failing(pinterest, status=500, after=2, after_accepting=True):
            ran = life.attempt()

        sentence = last_line(ran.said)
        assert "sends 2 events with unknown outcome again" in sentence
        keeps_its_word(pinterest, life, sentence, then)

    def test_offline_events_with_unknown_outcome_are_sent_again_by_request(self, pinterest, then):
        life = Life(**small(offline(), on_unknown_outcome="resend"))
        with failing(pinterest, status=500, after=2, after_accepting=True):
            ran = life.attempt()

        sentence = last_line(ran.said)
        assert "deduplicates" not in sentence
        assert "may be counted twice" in sentence
        keeps_its_word(pinterest, life, sentence, then)

    def test_the_task_runs_out_of_time(self, pinterest, found, then):
        life = Life(**small(found))
        stalled = Stalled(found, 7)

        def ring(*_):
            raise AirflowTaskTimeout

        before = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, 1.5)
        try:
            ran = life.attempt(events=stalled)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            stalled.go.set()

        assert type(ran.error) is AirflowTaskTimeout
        keeps_its_word(pinterest, life, logged_ending(ran.log), then)
        assert pinterest.copies() == ids(10)

    def test_the_task_is_killed(self, pinterest, found, then):
        life = Life(**small(found))
        stalled = Stalled(found, 7)
        killer = threading.Thread(target=kill_when, args=(life, stalled.stalled.is_set))
        killer.start()
        began = time.monotonic()
        ran = life.attempt(events=stalled)
        took = time.monotonic() - began
        stalled.go.set()
        killer.join()

        assert isinstance(ran.error, AirflowException)
        assert took < 5
        keeps_its_word(pinterest, life, last_line(ran.said), then)
        assert pinterest.copies() == ids(10)

    def test_offline_events_are_in_the_air_when_it_is_killed(self, pinterest, then):
        life = Life(**small(offline()))
        sentence = killed_in_the_third_call(pinterest, life)

        assert "4 of 10 events that were read were delivered, 2 are held" in sentence
        following = getattr(life, then)()
        assert following["events_held"] == 2
        assert following["resumed_from"] == 4
        assert "continues at row 5 " in sentence
        assert pinterest.copies() == ids(10)

    def test_of_a_mixed_batch_only_the_offline_event_is_held(self, pinterest, then):
        found = [row(number, action_source="offline" if number % 2 else "web") for number in range(1, 11)]
        life = Life(**small(found))
        sentence = killed_in_the_third_call(pinterest, life)

        assert "1 are held" in sentence or "holds 1 event " in sentence
        assert "sends 1 event " in sentence
        following = getattr(life, then)()
        assert following["events_held"] == 1
        assert pinterest.copies() == {**ids(10), "order-6": 2}

    def test_the_rejects_cannot_be_written_in_the_middle(self, pinterest, found, then, tmp_path, monkeypatch):
        bad = [*found[:6], row(99, action_source="nowhere"), *found[6:]]
        life = Life(**small(bad, rejects_path=str(tmp_path), max_rejected=1.0))
        with monkeypatch.context() as patch:
            patch.setattr(Rejects, "flush", refuse)
            ran = life.attempt()

        assert isinstance(ran.error, OSError)
        sentence = logged_ending(ran.log)
        assert "nothing twice" not in sentence
        following = getattr(life, then)()
        assert re.search(rf"continues at row {(following['resumed_from'] or 0) + 1} ", sentence)
        assert set(pinterest.copies()) == set(ids(10))
        if found[0]["action_source"] == "offline":
            assert pinterest.copies() == ids(10)

    def test_a_later_attempt_breaks_before_it_has_read_what_is_accounted_for(self, pinterest, found, then):
        life = interrupted(pinterest, found)
        ran = life.attempt(events=Broken(found, 2, ValueError("the disk is gone")))

        sentence = logged_ending(ran.log)
        assert "0 of" not in sentence
        assert "earlier attempts delivered 4" in sentence
        following = getattr(life, then)()
        assert following["resumed_from"] == 4
        assert "continues at row 5 " in sentence
        assert pinterest.copies() == ids(10)

    def test_a_column_cannot_be_mapped(self, pinterest, found, then):
        life = Life(**small(found))
        ran = life.attempt(events=[{**one, "no_such_column": 1} for one in found], field_map={"email": "no.such"})

        assert isinstance(ran.error, AirflowFailException)
        assert "Clear" in last_line(ran.said)
        getattr(life, then)()
        assert pinterest.copies() == ids(10)


def kill_when(life, condition):
    """Kill the attempt under way half a second after a condition is met."""
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.5)
    life.kill()


def killed_in_the_third_call(pinterest, life):
    """Kill an attempt that waits for its third answer; return the last line of its error."""
    pinterest.fault("delay", seconds=3, after=2, after_accepting=True)
    killer = threading.Thread(target=kill_when, args=(life, lambda: len(pinterest.copies()) == 6))
    killer.start()
    ran = life.attempt()
    killer.join()
    pinterest.clear_faults()
    return last_line(ran.said)


def refuse(self):
    if self.waiting:
        raise PermissionError(13, "Permission denied")


def refuse_all(_):
    raise PermissionError(13, "Permission denied")


@nexts
class TestAnAttemptThatEndsBeforeItBegins:
    def test_the_rejects_folder_cannot_be_written_to(self, pinterest, found, then, tmp_path, monkeypatch):
        life = Life(**small(found, rejects_path=str(tmp_path)))
        for _ in range(2):
            calls = len(pinterest.calls())
            with monkeypatch.context() as patch:
                patch.setattr(Rejects, "probe", refuse_all)
                ran = life.attempt()
            assert isinstance(ran.error, OSError)
            assert len(pinterest.calls()) == calls
            sentence = logged_ending(ran.log)
            following = broken_off(pinterest, life, clear=then == "clear")
            assert f"continues at row {(following['resumed_from'] or 0) + 1} " in sentence
            assert "nothing twice" in sentence
        assert max(pinterest.copies().values()) == 1

    @pytest.fixture(params=["first", "second"])
    def life(self, request, pinterest, found):
        life = Life(**small(found))
        if request.param == "second":
            broken_off(pinterest, life)
        self.calls = len(pinterest.calls())
        return life

    def test_the_connection_of_the_warehouse_is_missing(self, pinterest, then):
        life = Life(
            **small(None, sql="SELECT 1", sql_conn_id="nowhere"),
        )
        life.parameters["events"] = None
        ran = life.attempt()

        assert ran.error is not None
        assert "Clear or a retry continues at row 1" in said(ran)
        assert said(getattr(life, then)()) == said(ran)

    def test_it_was_killed_before(self, pinterest, life, then):
        life.killed = True
        ran = life.attempt()
        life.killed = False

        assert isinstance(ran.error, AirflowException)
        assert "Clear" in last_line(ran.said)
        assert getattr(life, then)().error is None
        assert pinterest.copies() == ids(10)
        assert len(pinterest.calls()) > self.calls


class TestARefusal:
    """The last line may not promise what the next attempt is refused."""

    @nexts
    @pytest.mark.parametrize("why", ["unreadable", "no store", "rows", "parameters"])
    def test_it_does_not_promise_to_continue(self, pinterest, then, why):
        life = interrupted(pinterest, offline(), remembers=why != "no store")
        changes: dict[str, Any] = {}
        if why == "unreadable":
            life.state = [1]
        elif why == "rows":
            changes = {"events": rows(9, action_source="web")}
        elif why == "parameters":
            changes = {"timezone": "Europe/Berlin"}

        ran = life.attempt(**changes)

        sentence = last_line(ran.said)
        assert "continues" not in sentence
        assert "send_everything_again=True" in sentence
        assert isinstance(getattr(life, then)(**changes).error, AirflowFailException)
        assert pinterest.copies() == copies((1, 4, 1))
        assert life.clear(send_everything_again=True, **changes).error is None


class TestAfterStartingOver:
    def test_it_does_not_say_that_nothing_is_sent_twice(self, pinterest):
        life = interrupted(pinterest, after=4)
        life.state = [1]
        ran = broken_off(pinterest, life, after=1)

        sentence = last_line(ran.said)
        assert "continues at row 3 " in sentence
        assert "nothing twice" not in sentence
        assert life.attempt()["resumed_from"] == 2
        assert pinterest.copies() == copies((1, 8, 2), (9, 10, 1))

    def test_with_send_everything_again_clear_begins_anew(self, pinterest):
        life = Life(**small(offline(), send_everything_again=True))
        ran = broken_off(pinterest, life)

        sentence = last_line(ran.said)
        assert "A retry continues at row 5" in sentence
        assert "Clear sends every row again" in sentence
        life.clear()
        assert pinterest.copies() == copies((1, 4, 2), (5, 10, 1))


class TestLastLineWithoutAStateStore:
    @nexts
    def test_web_events(self, pinterest, then):
        life = Life(remembers=False, **small())
        ran = broken_off(pinterest, life)

        assert "sends every row again" in last_line(ran.said)
        assert getattr(life, then)().error is None
        assert pinterest.copies() == copies((1, 4, 2), (5, 10, 1))

    @nexts
    def test_offline_events(self, pinterest, then):
        life = Life(remembers=False, **small(offline()))
        ran = broken_off(pinterest, life)

        assert "refuses to send" in last_line(ran.said)
        assert isinstance(getattr(life, then)().error, AirflowFailException)

    @nexts
    def test_offline_events_of_which_none_was_sent(self, pinterest, then):
        found = offline()
        life = Life(remembers=False, **small(found))
        ran = life.attempt(events=Broken(found, 0, ValueError("the disk is gone")))

        sentence = logged_ending(ran.log)
        assert "refuses" in sentence
        assert isinstance(getattr(life, then)().error, AirflowFailException)
        assert pinterest.calls() == []

    @nexts
    def test_offline_events_by_request(self, pinterest, then):
        life = Life(remembers=False, **small(offline(), on_unknown_outcome="resend"))
        ran = broken_off(pinterest, life)

        sentence = last_line(ran.said)
        assert "sends every row again" in sentence
        assert "deduplicates" not in sentence
        assert getattr(life, then)().error is None
        assert pinterest.copies() == copies((1, 4, 2), (5, 10, 1))


class TestARunThatCameToItsEnd:
    @pytest.mark.parametrize("source", ["web", "offline"])
    @pytest.mark.parametrize("remembers", [True, False])
    @pytest.mark.parametrize("why", ["max_rejected", "min_events", "failed"])
    def test_what_clear_will_do(self, pinterest, source, remembers, why):
        found = rows(10, action_source=source)
        bad = [*found, row(99, action_source="nowhere")] if why == "max_rejected" else found
        limits = {"max_rejected": {"max_rejected": 0}, "min_events": {"min_events": 11}, "failed": {"max_rejected": 0}}
        life = Life(remembers=remembers, **small(bad))
        if why == "failed":
            pinterest.fault("fail_event", event_id="order-3")
        ran = life.attempt(**limits[why])
        pinterest.clear_faults()
        assert isinstance(ran.error, AirflowFailException)
        sentence = last_line(ran.said)
        before = pinterest.copies()
        assert f"{len(before)} of 10 events were accepted" in sentence

        following = life.clear(max_rejected=1.0)

        after = pinterest.copies()
        if remembers:
            assert following.error is None
            assert after == ids(10)
            assert "does not send accepted events again" in sentence or "sends only the 1 that failed" in sentence
        elif source == "web":
            assert following.error is None
            assert "Clear sends every row again" in sentence
            assert all(after[name] == 2 for name in before)
        else:
            assert isinstance(following.error, AirflowFailException)
            assert "refuse" in sentence
            assert after == before

    def test_held_events(self, pinterest, tmp_path):
        life = Life(**small(offline(), rejects_path=str(tmp_path)))
        with failing(pinterest, status=500, times=1, after=1, after_accepting=True):
            ran = life.attempt()

        sentence = last_line(ran.said)
        assert "8 of 10 events were accepted" in sentence
        assert "only with on_unknown_outcome='resend'" in sentence
        life.clear()
        assert pinterest.copies() == ids(10)
        life.clear(on_unknown_outcome="resend")
        assert pinterest.copies() == copies((1, 2, 1), (3, 4, 2), (5, 10, 1))

    @pytest.mark.parametrize("mode", [{"validate_only": True}, {"test": True}])
    def test_where_nothing_is_recorded(self, pinterest, mode):
        life = Life(**small(offline(), min_events=11, **mode))
        ran = life.attempt()

        assert "Clear" in last_line(ran.said)
        assert "refuse" not in last_line(ran.said)
        assert "accepted" not in last_line(ran.said)
        life.clear()
        assert pinterest.copies() == {}
