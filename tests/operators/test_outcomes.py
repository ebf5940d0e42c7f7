"""A task with an outcome table: before Airflow 3.3, its database also keeps the state of the task."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_pinterest.exceptions import OutcomesError, ParameterError, ResendRefusedError
from airflow_provider_pinterest.operators.task_attempt import run_name
from harness.airflow import sqlite_connection
from harness.task import RecordingTaskInstance
from tests.operators.attempts import Life, broken_off, small
from tests.outcomes.reading import query, statuses, table
from tests.running import ids, rows


@pytest.fixture
def outcomes(tmp_path, monkeypatch):
    """Let the connection ``outcomes`` lead to an empty SQLite database; return what connects to it."""
    path = tmp_path / "outcomes.db"
    monkeypatch.setenv("AIRFLOW_CONN_OUTCOMES", sqlite_connection(path))
    return partial(sqlite3.connect, path)


def offline(count=10, **changes):
    return rows(count, action_source="offline", **changes)


@pytest.mark.parametrize("remembers", [True, False], ids=["airflow-3.3", "before"])
class TestWithTheTable:
    def test_a_retry_continues(self, pinterest, outcomes, remembers):
        life = Life(remembers=remembers, **small(offline(), outcomes_conn_id="outcomes"))
        first = broken_off(pinterest, life)
        ran = life.attempt()

        assert "Clear or a retry continues at row 5 and sends nothing twice" in first.said
        assert (ran["events_processed"], ran["resumed_from"]) == (10, 4)
        assert pinterest.copies() == ids(10)
        assert statuses(outcomes) == {"processed": 10}
        assert {one["run"] for one in table(outcomes)} == {"shop/scheduled__2026-11-21T00:00:00+00:00/send"}

    def test_clear_sends_nothing_again(self, pinterest, outcomes, remembers):
        life = Life(remembers=remembers, **small(offline(), outcomes_conn_id="outcomes"))
        life.attempt()
        ran = life.clear()

        assert ran.error is None
        assert (ran["already_sent"], ran["events_sent"]) == (10, 0)
        assert pinterest.copies() == ids(10)

    def test_held_events_are_sent_by_clear_only_if_the_author_says_so(self, pinterest, outcomes, remembers, tmp_path):
        life = Life(
            remembers=remembers, **small(offline(), outcomes_conn_id="outcomes", rejects_path=str(tmp_path / "rejects"))
        )
        pinterest.fault("drop", times=1, after=1, after_accepting=True)
        first = life.attempt()
        assert first["events_held"] == 2
        assert statuses(outcomes) == {"processed": 8, "held": 2}

        again = life.clear()
        assert (again["events_held"], again["already_sent"], again["events_processed"]) == (2, 8, 0)
        assert pinterest.copies() == ids(10)

        ran = life.clear(on_unknown_outcome="resend")
        assert (ran["events_processed"], ran["already_sent"]) == (2, 8)
        assert statuses(outcomes) == {"processed": 10}

    def test_clear_with_other_rows_sends_only_the_new_ones(self, pinterest, outcomes, remembers):
        life = Life(remembers=remembers, **small(offline(), outcomes_conn_id="outcomes", skip_already_sent=True))
        life.attempt()
        ran = life.clear(events=offline(14)[2:])

        assert ran.error is None, ran.said
        assert (ran["already_sent"], ran["events_processed"]) == (8, 4)
        assert pinterest.copies() == ids(14)

    def test_a_deferral_continues(self, pinterest, outcomes, remembers):
        life = Life(remembers=remembers, **small(offline(), outcomes_conn_id="outcomes", deferrable=True))
        deferred = broken_off(pinterest, life)
        assert isinstance(deferred.error, TaskDeferred)
        ran = life.wake()

        assert ran["events_processed"] == 10
        assert pinterest.copies() == ids(10)


def test_an_attempt_before_the_table_was_set_is_not_forgotten(pinterest, outcomes):
    """The first attempt left no state, so it is not known what it sent."""
    life = Life(remembers=False, **small(offline()))
    broken_off(pinterest, life)
    ran = life.attempt(outcomes_conn_id="outcomes")

    assert isinstance(ran.error, ResendRefusedError)
    assert pinterest.copies() == ids(4)


def test_the_state_of_each_run_is_in_a_table_beside(pinterest, outcomes):
    Life(remembers=False, **small(outcomes_conn_id="outcomes", outcomes_table="mine")).attempt()

    assert query(outcomes, "SELECT run FROM mine_state") == [("shop/scheduled__2026-11-21T00:00:00+00:00/send",)]
    assert query(outcomes, "SELECT count(*) FROM mine") == [(10,)]


def test_airflows_own_store_is_used_if_there_is_one(pinterest, outcomes):
    life = Life(**small(outcomes_conn_id="outcomes"))
    life.attempt()

    assert life.state
    with closing(outcomes()) as connection:
        assert connection.execute("SELECT name FROM sqlite_master WHERE name LIKE '%state'").fetchall() == []


def test_a_connection_that_is_no_database_is_named(pinterest, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_OUTCOMES", "http://127.0.0.1")
    ran = Life(remembers=False, **small(outcomes_conn_id="outcomes")).attempt()

    assert isinstance(ran.error, ParameterError)
    assert "'outcomes' uses HttpHook, which is not a DbApiHook" in ran.said
    assert pinterest.copies() == {}


def test_skipping_without_a_table_fails_when_the_dag_is_parsed(pinterest):
    with pytest.raises(ParameterError, match="skip_already_sent=True needs outcomes_conn_id"):
        Life(**small(skip_already_sent=True)).attempt()


def test_a_database_that_cannot_be_used_stops_the_task_before_a_call(pinterest, outcomes, tmp_path):
    (tmp_path / "outcomes.db").write_bytes(b"not a database" * 100)
    ran = Life(**small(outcomes_conn_id="outcomes")).attempt()

    assert isinstance(ran.error, OutcomesError)
    assert pinterest.copies() == {}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "shop/scheduled__2026-11-21T00:00:00+00:00/send"),
        ({"map_index": 3}, "shop/scheduled__2026-11-21T00:00:00+00:00/send/3"),
        ({"run_id": "a/b"}, None),
        ({"run_id": "x" * 250}, None),
    ],
)
def test_the_name_of_a_run(changes, name):
    found = named(**changes)

    assert len(found) <= 255
    assert name is None or found == name


def test_long_names_differ():
    names = {named(run_id="x" * 250 + end) for end in "ab"}

    assert len(names) == 2


def named(**changes: Any) -> str:
    context: Any = {"ti": RecordingTaskInstance(**changes)}
    return run_name(context)


def test_sending_again_without_a_table_fails_when_the_dag_is_parsed(pinterest):
    with pytest.raises(ParameterError, match="only needs outcomes_conn_id"):
        Life(**small(only="failed")).attempt()


def test_sending_held_events_again_without_a_state_is_refused(pinterest, outcomes):
    with pytest.raises(ParameterError, match="only='held' needs resume=True"):
        Life(**small(outcomes_conn_id="outcomes", only="held", resume=False)).attempt()


@pytest.mark.parametrize("remembers", [True, False], ids=["airflow-3.3", "before"])
def test_a_run_is_cleared_to_send_again_what_was_rejected(pinterest, outcomes, remembers):
    bad = [{**one, "currency": "XX" if n in (3, 7) else "EUR"} for n, one in enumerate(offline(), 1)]
    options = {"outcomes_conn_id": "outcomes", "max_rejected": 1.0, "min_events": 8}
    life = Life(remembers=remembers, **small(bad, **options))
    life.attempt()
    assert statuses(outcomes) == {"processed": 8, "rejected": 2}
    ran = life.clear(events=offline(), only="rejected")

    assert ran.error is None, ran.said
    assert ran["selection"] == {"only": "rejected", "found": 2, "processed": 2, "still_refused": 0, "gone": 0}
    assert pinterest.copies() == ids(10)
    assert statuses(outcomes) == {"processed": 10}
