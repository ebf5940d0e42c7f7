"""A task that is cleared after its run came to an end, or before."""

import datetime as dt
import json
import time

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from tests.operators.attempts import DAY, Life, broken_off, copies, failing, finished, interrupted, offline, small
from tests.running import ids, row, rows, run

HOURS_23 = 23 * 3600


def held_lines(folder):
    lines = [json.loads(line) for part in folder.rglob("*.ndjson") for line in part.read_text().splitlines()]
    return sorted(line["event_id"] for line in lines if line["stage"] == "outcome_unknown")


def test_events_that_are_refused_once_more_fail_alone(pinterest, tmp_path):
    life = Life(**small(max_rejected=2, rejects_path=str(tmp_path)))
    for number in (3, 7):
        pinterest.fault("poison", event_id=f"order-{number}")
    life.attempt()

    for _ in range(2):
        ran = life.clear()

        assert ran.error is None
        assert (ran["events_failed"], ran["already_sent"]) == (2, 8)


class TestAfterSuccess:
    @pytest.mark.parametrize("source", ["web", "offline"])
    def test_nothing_is_sent_again_and_the_log_says_so(self, pinterest, source):
        life = finished(rows(10, action_source=source))

        ran = life.clear()

        assert ran.error is None
        assert (ran["rows_read"], ran["already_sent"], ran["events_sent"]) == (10, 10, 0)
        assert pinterest.copies() == ids(10)
        assert "Pinterest accepted all 10 events of this run" in ran.log
        assert "nothing was sent again" in ran.log
        assert "send_everything_again=True" in ran.log

    def test_a_clear_of_a_clear_says_the_same(self, pinterest):
        life = finished(offline())
        life.clear()

        ran = life.clear()

        assert ran["already_sent"] == 10
        assert pinterest.copies() == ids(10)
        assert "had already completed: 10 of its events were accepted" in ran.log
        assert "Pinterest accepted all 10 events of this run" in ran.log

    def test_a_month_later_nothing_is_sent_again_either(self, pinterest):
        life = finished(rows(10, event_time=int(time.time()) - 31 * DAY))
        life.let_pass(30 * DAY)

        ran = life.clear()

        assert ran["already_sent"] == 10
        assert pinterest.copies() == ids(10)

    def test_its_retry_after_the_worker_died_gives_the_same_result(self, pinterest):
        life = finished(offline())
        cleared = life.clear()

        again = life.attempt()

        assert again.error is None
        assert again.result == cleared.result
        assert pinterest.copies() == ids(10)

    def test_rejected_rows_and_duplicates_are_counted_as_before(self, pinterest, tmp_path):
        found = [*rows(4), row(99, action_source="nowhere"), row(1), *(row(number) for number in range(5, 9))]
        life = Life(**small(found, max_rejected=1, rejects_path=str(tmp_path)))
        first = life.attempt()

        ran = life.clear()

        assert ran.error is None
        for name in ("rows_read", "rows_rejected", "duplicates_dropped"):
            assert ran[name] == first[name]
        assert ran["already_sent"] == 8
        assert pinterest.copies() == ids(8)
        lines = [line for part in tmp_path.rglob("*.ndjson") for line in part.read_text().splitlines()]
        assert len(lines) == 1

    def test_an_empty_run_stays_empty(self, pinterest):
        life = finished([])

        ran = life.clear()

        assert ran.error is None
        assert ran["rows_read"] == 0


class TestAfterAHold:
    @pytest.fixture
    def life(self, pinterest, tmp_path):
        """Ten offline rows, of which the second batch is held."""
        life = Life(**small(offline(), rejects_path=str(tmp_path)))
        with failing(pinterest, status=500, times=1, after=1, after_accepting=True):
            ran = life.attempt()
        assert ran["events_held"] == 2
        return life

    @pytest.mark.parametrize("times", [1, 3])
    def test_nothing_is_sent_again_and_it_stays_red(self, pinterest, life, times, tmp_path):
        for _ in range(times):
            ran = life.clear()

        assert isinstance(ran.error, AirflowFailException)
        assert (ran["events_held"], ran["already_sent"]) == (2, 8)
        assert pinterest.copies() == ids(10)
        assert len(pinterest.calls()) == 5
        assert held_lines(tmp_path) == ["order-3", "order-4"]
        assert "8 of 10 events were accepted" in ran.said
        assert "outcome is unknown (held by an earlier attempt)" in ran.log

    def test_held_events_go_out_if_the_author_says_so(self, pinterest, life, tmp_path):
        ran = life.clear(on_unknown_outcome="resend")

        assert ran.error is None
        assert (ran["events_processed"], ran["already_sent"], ran["events_held"]) == (2, 8, 0)
        assert pinterest.copies() == copies((1, 2, 1), (3, 4, 2), (5, 10, 1))
        assert held_lines(tmp_path) == []

    def test_after_that_there_is_nothing_left_to_send(self, pinterest, life):
        life.clear(on_unknown_outcome="resend")

        ran = life.clear()

        assert ran.error is None
        assert ran["already_sent"] == 10
        assert len(pinterest.calls()) == 6


class TestAfterFailedEvents:
    @pytest.fixture
    def life(self, pinterest, tmp_path):
        life = Life(**small(offline(), rejects_path=str(tmp_path), max_rejected=0))
        pinterest.fault("fail_event", event_id="order-3")
        with failing(pinterest, "fail_event", event_id="order-8"):
            ran = life.attempt()
        assert isinstance(ran.error, AirflowFailException)
        assert ran["events_failed"] == 2
        return life

    def test_only_those_go_out(self, pinterest, life, tmp_path):
        ran = life.clear()

        assert ran.error is None
        assert (ran["events_processed"], ran["already_sent"], ran["events_failed"]) == (2, 8, 0)
        assert pinterest.copies() == ids(10)
        assert list(tmp_path.rglob("*.ndjson")) == []

    def test_a_clear_that_is_interrupted_continues(self, pinterest, life):
        broken_off(pinterest, life, after=0, clear=True)

        ran = life.attempt()

        assert ran.error is None
        assert ran["already_sent"] + ran["events_processed"] == 10
        assert pinterest.copies() == ids(10)

    def test_those_that_fail_again_fail_again(self, pinterest, life, tmp_path):
        pinterest.fault("fail_event", event_id="order-8")

        ran = life.clear()

        assert isinstance(ran.error, AirflowFailException)
        assert (ran["events_processed"], ran["already_sent"], ran["events_failed"]) == (1, 8, 1)
        pinterest.clear_faults()
        last = life.clear()
        assert last.error is None
        assert (last["events_processed"], last["already_sent"]) == (1, 9)
        assert pinterest.copies() == ids(10)

    def test_new_rows_at_the_end_go_out_beside_them(self, pinterest, life):
        ran = life.clear(events=offline(13))

        assert ran.error is None
        assert (ran["events_processed"], ran["already_sent"]) == (5, 8)
        assert pinterest.copies() == ids(13)


class TestOtherRows:
    def test_of_rows_appended_only_the_new_ones_go_out(self, pinterest):
        life = finished(offline())

        ran = life.clear(events=offline(13))

        assert ran.error is None
        assert (ran["events_processed"], ran["already_sent"]) == (3, 10)
        assert pinterest.copies() == ids(13)

    def test_that_attempt_is_remembered_too(self, pinterest):
        life = finished(offline())
        life.clear(events=offline(13))

        ran = life.clear(events=offline(14))

        assert (ran["events_processed"], ran["already_sent"]) == (1, 13)
        assert pinterest.copies() == ids(14)

    def test_interrupted_it_continues(self, pinterest):
        life = finished(offline())
        broken_off(pinterest, life, after=1, clear=True, events=offline(16))
        assert pinterest.copies() == ids(12)

        ran = life.attempt(events=offline(16))

        assert ran.error is None
        assert (ran["events_processed"], ran["already_sent"]) == (6, 10)
        assert pinterest.copies() == ids(16)

    changes = pytest.mark.parametrize(
        "change",
        [
            lambda found: {"events": [{**found[0], "event_id": "order-0"}, *found]},
            lambda found: {"events": found[:9]},
            lambda found: {"events": [*found[:9], {**found[9], "event_id": "order-11"}]},
            lambda _: {"timezone": "Europe/Berlin"},
            lambda _: {"defaults": {"currency": "EUR"}},
        ],
        ids=["one before", "one less", "another", "timezone", "defaults"],
    )

    @changes
    def test_recent_web_events_are_sent_again_with_a_warning(self, pinterest, change):
        life = finished()

        ran = life.clear(**change(rows(10)))

        assert ran.error is None
        assert "changed since the previous attempt" in ran.log
        assert ran["already_sent"] == 0
        assert ran["events_processed"] == ran["rows_read"]

    @changes
    @pytest.mark.parametrize("source", ["offline", "old web"])
    def test_others_are_refused_with_what_to_do(self, pinterest, change, source):
        found = rows(10, action_source=source.split()[-1], event_time=int(time.time()) - 2 * DAY)
        life = finished(found)
        if source == "old web":
            life.let_pass(HOURS_23 + 1)

        for _ in range(2):
            ran = life.clear(**change(found))
            assert isinstance(ran.error, AirflowFailException)
            assert "which sent 10 events" in ran.said
            assert "Restore" in ran.said
            assert "send_everything_again=True" in ran.said
        assert pinterest.copies() == ids(10)
        assert life.clear().error is None, "restoring the rows and the parameters helps, as the message says"
        assert pinterest.copies() == ids(10)

    def test_after_two_clears_the_message_still_counts_what_was_sent(self, pinterest):
        life = finished(offline())
        life.clear()

        ran = life.clear(events=offline(9))

        assert "which sent 10 events" in ran.said

    def test_one_refused_change_and_one_row_of_a_failed_event(self, pinterest):
        """An event that failed is not sent in the place of another row."""
        life = Life(**small(offline(), max_rejected=1.0))
        with failing(pinterest, "fail_event", event_id="order-3"):
            life.attempt()
        changed = offline()
        changed[2], changed[3] = changed[3], changed[2]

        assert isinstance(life.clear(events=changed).error, AirflowFailException)
        assert max(pinterest.copies().values()) == 1
        assert len(pinterest.copies()) == 9


class TestSendEverythingAgain:
    @pytest.mark.parametrize("source", ["web", "offline"])
    def test_it_sends_all_once_more(self, pinterest, source):
        life = finished(rows(10, action_source=source))

        ran = life.clear(send_everything_again=True)

        assert ran.error is None
        assert (ran["events_processed"], ran["already_sent"]) == (10, 0)
        assert pinterest.copies() == copies((1, 10, 2))

    def test_its_retry_continues(self, pinterest):
        life = finished(offline())
        broken_off(pinterest, life, after=2, clear=True, send_everything_again=True)
        assert pinterest.copies() == copies((1, 4, 2), (5, 10, 1))

        assert life.attempt(send_everything_again=True).error is None
        assert pinterest.copies() == copies((1, 10, 2))

    def test_its_retry_after_the_worker_died_at_the_end_sends_nothing(self, pinterest):
        life = finished(offline())
        life.clear(send_everything_again=True)

        assert life.attempt(send_everything_again=True).error is None
        assert pinterest.copies() == copies((1, 10, 2))

    def test_the_next_clear_without_it_sends_nothing(self, pinterest):
        life = finished(offline())
        life.clear(send_everything_again=True)

        ran = life.clear()

        assert ran["already_sent"] == 10
        assert pinterest.copies() == copies((1, 10, 2))

    def test_a_first_attempt_has_nothing_to_send_again(self, pinterest):
        life = Life(**small(offline(), send_everything_again=True))

        assert life.attempt().error is None
        assert pinterest.copies() == ids(10)

    def test_a_first_attempt_of_that_kind_is_continued_by_its_retry(self, pinterest):
        life = interrupted(pinterest, offline(), send_everything_again=True)

        assert life.attempt().error is None
        assert pinterest.copies() == ids(10)

    def test_it_sends_other_rows_than_before_too(self, pinterest):
        life = finished(offline())

        assert life.clear(events=offline(4), send_everything_again=True).error is None
        assert pinterest.copies() == copies((1, 4, 2), (5, 10, 1))


class TestWhereNothingIsRemembered:
    @pytest.mark.parametrize("how", ["no store", "resume=False", "retention passed"])
    @pytest.mark.parametrize("which", ["attempt", "clear"])
    def test_a_second_attempt_with_offline_rows_is_refused(self, pinterest, how, which):
        life = interrupted(pinterest, offline(), resume=how != "resume=False", remembers=how != "no store")
        if how == "retention passed":
            life.store.values.clear()
            life.started = dt.datetime.now(dt.UTC) - dt.timedelta(days=91)

        ran = getattr(life, which)()

        assert isinstance(ran.error, AirflowFailException)
        assert "send_everything_again=True" in ran.said
        assert pinterest.copies() == copies((1, 4, 1))

    def test_with_web_rows_it_sends_all_again(self, pinterest):
        life = interrupted(pinterest, remembers=False)

        ran = life.attempt()

        assert ran.error is None
        assert "It is not known" in ran.log
        assert pinterest.copies() == copies((1, 4, 2), (5, 10, 1))

    def test_whoever_accepts_second_copies_gets_them(self, pinterest):
        life = interrupted(pinterest, offline(), remembers=False)

        assert life.attempt(on_unknown_outcome="resend").error is None
        assert pinterest.copies() == copies((1, 4, 2), (5, 10, 1))


class TestWhileARunIsUnfinished:
    def test_clear_continues_it(self, pinterest):
        life = interrupted(pinterest, offline())

        ran = life.clear()

        assert ran.error is None
        assert (ran["events_processed"], ran["resumed_from"]) == (10, 4)
        assert pinterest.copies() == ids(10)

    def test_many_clears_continue_it(self, pinterest):
        life = interrupted(pinterest, offline(), after=1)
        for _ in range(3):
            broken_off(pinterest, life, after=1, clear=True)

        assert life.clear().error is None
        assert pinterest.copies() == ids(10)


class TestLimitsCountWhatWasAcceptedBefore:
    @pytest.mark.parametrize(("least", "succeeds"), [(10, True), (11, False)])
    def test_min_events(self, pinterest, least, succeeds):
        life = finished(offline())

        ran = life.clear(min_events=least)

        assert (ran.error is None) is succeeds
        assert pinterest.copies() == ids(10)

    @pytest.mark.parametrize(("most", "succeeds"), [(1, True), (0, False), (0.1, True), (0.05, False)])
    def test_max_rejected(self, pinterest, most, succeeds):
        found = [*offline(9), row(99, action_source="nowhere")]
        life = finished(found, max_rejected=1.0)

        ran = life.clear(max_rejected=most)

        assert (ran.error is None) is succeeds
        assert pinterest.copies() == ids(9)

    def test_raising_max_rejected_and_clear_make_a_red_task_green(self, pinterest):
        found = [*offline(9), row(99, action_source="nowhere")]
        life = Life(**small(found, max_rejected=0))
        assert isinstance(life.attempt().error, AirflowFailException)

        ran = life.clear(max_rejected=1)

        assert ran.error is None
        assert (ran["already_sent"], ran["rows_rejected"]) == (9, 1)
        assert pinterest.copies() == ids(9)


class TestRunsThatRecordNothing:
    @pytest.mark.parametrize("mode", [{"validate_only": True}, {"test": True}])
    def test_they_never_touch_the_state(self, pinterest, mode):
        life = Life(**small(offline()))

        assert life.attempt(**mode).error is None
        assert life.store.values == {}
        assert life.store.writes == 0

    @pytest.mark.parametrize("mode", [{"validate_only": True}, {"test": True}])
    def test_they_leave_the_state_of_a_run_alone(self, pinterest, mode):
        life = interrupted(pinterest, offline())
        before = dict(life.store.values)

        ran = life.clear(**mode)

        assert ran.error is None
        assert ran["rows_read"] == 10
        assert life.store.values == before
        assert pinterest.copies() == copies((1, 4, 1))
        assert life.clear().error is None
        assert pinterest.copies() == ids(10)


def test_nothing_personal_is_stored(pinterest, tmp_path):
    life = Life(**small(offline(), rejects_path=str(tmp_path), key_columns=["email"], max_rejected=1.0))
    pinterest.fault("fail_event", event_id="order-3")
    life.attempt()

    assert "example.com" not in str(life.store.values)
    assert "order-3" not in str(life.store.values)


def test_an_operator_can_be_used_without_the_state_of_an_attempt(pinterest):
    assert run(SendConversionsOperator(task_id="send", **small(offline()))).error is None
    assert pinterest.copies() == ids(10)
