"""The database of a storm's outcome table: a real PostgreSQL that breaks connections and crashes now and then."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import psycopg2

from airflow_provider_pinterest.outcomes.table import create_table_statement
from chaos.report import StormReport
from harness.postgres import PostgresServer

RECOVERY_SECONDS: Final = 20.0
"""Seconds in which the server answers again after a crash."""

HISTORY: Final = """
CREATE VIEW outcomes AS SELECT * FROM pinterest_outcomes;
CREATE TABLE history (
  step BIGSERIAL, outcome_key TEXT, event_id TEXT, before TEXT, after TEXT
);
CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO history (outcome_key, event_id, after) VALUES (NEW.outcome_key, NEW.event_id, NEW.status);
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO history (outcome_key, event_id, before) VALUES (OLD.outcome_key, OLD.event_id, OLD.status);
  ELSE
    INSERT INTO history (outcome_key, event_id, before, after)
    VALUES (NEW.outcome_key, NEW.event_id, OLD.status, NEW.status);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER remembers AFTER INSERT OR UPDATE OR DELETE ON pinterest_outcomes
FOR EACH ROW EXECUTE FUNCTION remember();
"""
"""A second table that gets a row for each change of the outcome table."""


class TableRow(NamedTuple):
    """A row of the outcome table."""

    event_id: str
    status: str
    row: int


class StormDatabase:
    """The server of the outcome table.

    :param faults: how often it breaks.
    :param rows_apart: the most rows of the source between two faults.
    """

    def __init__(
        self, server: PostgresServer, chance: random.Random, report: StormReport, faults: int, rows_apart: int
    ) -> None:
        self.server = server
        self._chance = chance
        self._report = report
        self._left = faults
        self._rows_apart = rows_apart
        self._next = chance.randrange(rows_apart)
        self._execute(create_table_statement("postgresql"))
        self._execute(HISTORY)

    def look(self, rows: int) -> None:
        """Break something if it is time.

        :param rows: how many rows of the source are accounted for.
        """
        if not self._left or rows < self._next:
            return
        self._left -= 1
        self._next = rows + self._chance.randrange(1, 2 * self._rows_apart)
        pids = [pid for (pid,) in self._query(f"SELECT pid {_OTHERS}")]
        if not pids:
            return
        if self._chance.random() < 0.6:
            self._report.note("connections terminated")
            self._query(f"SELECT pg_terminate_backend(pid) {_OTHERS}")
            return
        self._report.note("database crashes")
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._chance.choice(pids), signal.SIGKILL)  # the server then restarts, and recovers

    def rows(self) -> list[TableRow]:
        """Return the rows of the outcome table."""
        return [TableRow(*found) for found in self._query("SELECT event_id, status, source_row FROM outcomes")]

    def claimed(self) -> set[str]:
        """Return the ids of the events that are claimed and not settled."""
        return {found[0] for found in self._query("SELECT event_id FROM outcomes WHERE status = 'sending'")}

    def ever_claimed(self) -> set[str]:
        """Return the ids of all events that were claimed."""
        return {found[0] for found in self._query("SELECT DISTINCT event_id FROM history WHERE after = 'sending'")}

    def not_final(self) -> set[str]:
        """Return the ids of events that were processed, and had another status later."""
        asked = (
            "SELECT DISTINCT event_id FROM history WHERE before = 'processed' AND after IS DISTINCT FROM 'processed'"
        )
        return {found[0] for found in self._query(asked)}

    def _query(self, statement: str) -> list[Any]:
        with self._cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def _execute(self, statement: str) -> None:
        with self._cursor() as cursor:
            cursor.execute(statement)

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Any]:
        """Yield a cursor of a connection of its own: no attempt may inherit one."""
        end = time.monotonic() + RECOVERY_SECONDS
        while True:
            try:
                connection = psycopg2.connect(self.server.dsn)
                break
            except psycopg2.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()


_OTHERS: Final = (
    "FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' "
    "AND pid <> pg_backend_pid()"
)
