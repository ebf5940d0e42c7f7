"""A connection that is closed, and a database that restarts, do not end a run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial

import pytest

from airflow_provider_pinterest.exceptions import OutcomesError
from airflow_provider_pinterest.outcomes import retries
from airflow_provider_pinterest.sync import IterableSource, OutcomeTable, SqlStateStore
from tests.outcomes.reading import statuses
from tests.running import Again, ids, rows
from tests.sync.plain import run


def test_the_database_may_restart_for_a_minute_but_wrong_credentials_fail_soon():
    assert sum(retries.RESTARTS) > 60
    assert sum(retries.WAITS) < 5
    waits = [retries.next_wait(tries, restarts=True) for tries in range(1, 18)]
    assert waits == [*retries.RESTARTS, None]
    assert retries.next_wait(5, restarts=False) is None


def end_connections(server):
    """End all connections of the run, as a server does that restarts or closes idle ones."""
    with closing(server()) as connection:
        connection.cursor().execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        )


def test_connections_that_the_server_closes_are_made_again(postgresql, sandbox):
    def some():
        for number, one in enumerate(rows(12, action_source="offline")):
            if number in (5, 9):
                end_connections(postgresql)
            yield one

    ran = run(
        IterableSource(Again(some)),
        sandbox,
        call={"outcomes": OutcomeTable(postgresql, "monday"), "state": SqlStateStore(postgresql, "monday")},
        skip_already_sent=True,
        batch_size=2,
        max_in_flight=1,
    )

    assert ran.error is None, ran.said
    assert sandbox.copies() == ids(12)
    assert statuses(postgresql) == {"processed": 12}


class Server:
    """A SQLite database whose server stops at one statement, and then refuses some connections."""

    def __init__(self, path, *, stops_at, refuses):
        self._path = path
        self._left = stops_at
        self._refuses = refuses

    def connect(self):
        if self._left <= 0 and self._refuses:
            self._refuses -= 1
            raise sqlite3.OperationalError("the database system is starting up")
        return Connection(sqlite3.connect(self._path, check_same_thread=False), self)

    def ends(self):
        """Return whether the server stops at this statement."""
        self._left = max(self._left - 1, -1)
        return self._left == 0


class Connection:
    def __init__(self, inner, server):
        self._inner = inner
        self._server = server
        self._lost = False

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def cursor(self):
        self._lost = self._lost or self._server.ends()
        if self._lost:
            raise sqlite3.OperationalError("the database system is going away")
        return self._inner.cursor()


Connection.__module__ = "sqlite3"


@pytest.mark.parametrize("stops_at", [3, 7, 9, 12])
@pytest.mark.parametrize("what", ["outcomes", "state"])
def test_a_restart_is_waited_for(tmp_path, sandbox, monkeypatch, what, stops_at):
    monkeypatch.setattr(retries, "RESTARTS", (0.01,) * 9)
    path = tmp_path / "outcomes.db"
    server = Server(path, stops_at=stops_at, refuses=8)
    healthy = partial(sqlite3.connect, path)
    outcomes = OutcomeTable(server.connect if what == "outcomes" else healthy, "monday")
    state = SqlStateStore(server.connect if what == "state" else healthy, "monday")
    some = rows(6, action_source="offline")
    ran = run(
        some,
        sandbox,
        call={"outcomes": outcomes, "state": state},
        skip_already_sent=True,
        batch_size=2,
        max_in_flight=1,
    )

    assert ran.error is None, ran.said
    assert "could not be used" in ran.log
    assert sandbox.copies() == ids(6)
    assert statuses(healthy) == {"processed": 6}


def test_a_database_that_does_not_come_back_ends_the_run(tmp_path, sandbox, monkeypatch):
    monkeypatch.setattr(retries, "RESTARTS", (0.01,) * 3)
    server = Server(tmp_path / "state.db", stops_at=8, refuses=99)
    ran = run(rows(6), sandbox, call={"state": SqlStateStore(server.connect, "monday")}, batch_size=2)

    assert isinstance(ran.error, OutcomesError)
    assert "The state table pinterest_sync_state cannot be used (OperationalError: the database system" in ran.said
