"""A second try of the operator, with the state store that Airflow has since 3.3."""

import datetime as dt
import json
import time
from functools import partial

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_pinterest.delivery import checkpoint
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from harness.task import MemoryStateStore, RecordingTaskInstance
from tests.operators.attempts import DAY, earlier, offline
from tests.running import ids, row, rows, run

Task = partial(RecordingTaskInstance, max_tries=1)


@pytest.fixture
def store():
    return MemoryStateStore()


def attempt(store, ti, **parameters):
    operator = SendConversionsOperator(task_id="send", **parameters)
    return run(operator, ti=ti, task_state_store=store)


OFFLINE = offline(5)


class TestARunThatEndedBeforeAirflowKnew:
    def test_its_retry_sends_nothing_and_gives_the_same_account(self, pinterest, store):
        first = attempt(store, Task(), events=OFFLINE)
        again = attempt(store, Task(try_number=2), events=OFFLINE)

        assert again.error is None
        assert again.result == first.result
        assert (again["events_processed"], again["rows_read"]) == (5, 5)
        assert pinterest.copies() == ids(5)
        assert len(pinterest.calls()) == 1

    def test_its_retry_does_not_read_the_source_either(self, pinterest, store):
        attempt(store, Task(), events=OFFLINE)
        again = attempt(store, Task(try_number=2), events=OFFLINE[:2])

        assert again["rows_read"] == 5
        assert pinterest.copies() == ids(5)

    def test_its_retry_fails_as_it_had_to_fail(self, pinterest, store, tmp_path):
        bad = [*OFFLINE, row(6, action_source="nowhere")]
        options = {"events": bad, "rejects_path": str(tmp_path), "max_rejected": 0}
        first = attempt(store, Task(), **options)
        again = attempt(store, Task(try_number=2), **options)

        assert isinstance(first.error, AirflowFailException)
        assert isinstance(again.error, AirflowFailException)
        assert again.said == first.said
        assert "bad_action_source 1" in again.said
        assert again.result == first.result
        assert pinterest.copies() == ids(5)

    def test_a_clear_sends_nothing_again(self, pinterest, store):
        """It raises ``max_tries``."""
        attempt(store, Task(), events=OFFLINE)
        cleared = attempt(store, Task(try_number=2, max_tries=2), events=OFFLINE)

        assert (cleared["events_processed"], cleared["already_sent"]) == (0, 5)
        assert pinterest.copies() == ids(5)

    def test_a_clear_and_its_retry_send_nothing_again(self, pinterest, store):
        attempt(store, Task(), events=OFFLINE)
        attempt(store, Task(try_number=2, max_tries=2), events=OFFLINE)
        attempt(store, Task(try_number=3, max_tries=2), events=OFFLINE)

        assert pinterest.copies() == ids(5)

    def test_where_tries_are_not_counted_a_retry_is_taken_for_a_clear(self, pinterest, store):
        first = attempt(store, RecordingTaskInstance(), events=OFFLINE)
        again = attempt(store, RecordingTaskInstance(try_number=2), events=OFFLINE)

        assert (first["events_processed"], again["already_sent"]) == (5, 5)
        assert pinterest.copies() == ids(5)

    def test_nothing_personal_is_left_behind(self, pinterest, store):
        attempt(store, Task(), events=OFFLINE)

        assert "example.com" not in str(store.values)
        assert len(str(store.values)) < 2_000


class TestATryThatComesADayLater:
    @pytest.fixture
    def later(self, monkeypatch):
        """Let a day pass by moving back the times of what is stored."""

        def pass_by(store, seconds=DAY):
            store.set(checkpoint.KEY, earlier(store.get(checkpoint.KEY), seconds))

        return pass_by

    @pytest.fixture
    def broken_off(self, pinterest, store, tmp_path):
        """A first attempt that left the outcome of all its events unknown; they have arrived."""
        pinterest.fault("status", status=500, after_accepting=True)
        first = attempt(store, Task(), **self.options(tmp_path))
        assert first["rows_not_sent"] == 5
        assert pinterest.copies() == ids(5)
        pinterest.clear_faults()

    def options(self, folder, **changes):
        return {
            "events": rows(5, event_time=int(time.time()) - DAY - 60),
            "max_wait": dt.timedelta(),
            "rejects_path": str(folder),
            **changes,
        }

    def test_soon_web_events_with_unknown_outcome_are_sent_again(self, pinterest, store, broken_off, tmp_path):
        assert attempt(store, Task(try_number=2), **self.options(tmp_path)).error is None
        assert set(pinterest.copies().values()) == {2}

    def test_web_events_with_unknown_outcome_are_held_when_pinterest_has_forgotten_them(
        self, pinterest, store, broken_off, later, tmp_path
    ):
        later(store)
        again = attempt(store, Task(try_number=2), **self.options(tmp_path))

        assert isinstance(again.error, AirflowFailException)
        assert again["events_held"] == 5
        assert pinterest.copies() == ids(5)
        lines = [json.loads(line) for part in tmp_path.glob("*/*.ndjson") for line in part.read_text().splitlines()]
        assert {line["event_id"] for line in lines} == set(ids(5))
        assert {line["stage"] for line in lines} == {"outcome_unknown"}

    def test_whoever_accepts_second_copies_gets_them(self, pinterest, store, broken_off, later, tmp_path):
        later(store)
        again = attempt(store, Task(try_number=2), **self.options(tmp_path, on_unknown_outcome="resend"))

        assert again["events_processed"] == 5
        assert set(pinterest.copies().values()) == {2}

    def test_it_does_not_start_over_when_the_rows_are_others(self, pinterest, store, broken_off, later, tmp_path):
        later(store)
        again = attempt(store, Task(try_number=2), **self.options(tmp_path, events=rows(4)))

        assert isinstance(again.error, AirflowFailException)
        assert "cannot deduplicate" in again.said
        assert pinterest.copies() == ids(5)

    def test_it_does_not_start_over_when_the_parameters_are_others(self, pinterest, store, broken_off, later, tmp_path):
        later(store)
        again = attempt(store, Task(try_number=2), **self.options(tmp_path, timezone="Europe/Berlin"))

        assert isinstance(again.error, AirflowFailException)
        assert "cannot deduplicate" in again.said
        assert pinterest.copies() == ids(5)
