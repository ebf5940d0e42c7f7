"""The SQLite database of accepted events, with every copy, and of calls.

It has one connection, which only the server's thread uses. Each call is one transaction.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS events (
    call INTEGER NOT NULL, ad_account_id TEXT NOT NULL, test INTEGER NOT NULL,
    event_name TEXT NOT NULL, event_id TEXT NOT NULL, action_source TEXT NOT NULL,
    event_time INTEGER NOT NULL, received_at REAL NOT NULL, event TEXT
);
CREATE TABLE IF NOT EXISTS calls (
    number INTEGER PRIMARY KEY, received_at REAL NOT NULL, seconds REAL NOT NULL, method TEXT NOT NULL,
    path TEXT NOT NULL, ad_account_id TEXT, test INTEGER NOT NULL, status INTEGER NOT NULL,
    events INTEGER NOT NULL, accepted INTEGER NOT NULL, bytes INTEGER NOT NULL, in_flight INTEGER NOT NULL,
    user_agent TEXT NOT NULL, fault TEXT NOT NULL, rid TEXT NOT NULL
);
"""

_EVENT_FILTERS = ("ad_account_id", "test", "event_name", "event_id", "action_source")
_EVENTS = """
SELECT * FROM events
WHERE (:ad_account_id IS NULL OR ad_account_id = :ad_account_id) AND (:test IS NULL OR test = :test)
AND (:event_name IS NULL OR event_name = :event_name) AND (:event_id IS NULL OR event_id = :event_id)
AND (:action_source IS NULL OR action_source = :action_source)
ORDER BY rowid LIMIT :limit OFFSET :offset
"""
_COUNT = """
SELECT count(*) FROM events
WHERE (:ad_account_id IS NULL OR ad_account_id = :ad_account_id) AND (:test IS NULL OR test = :test)
AND (:event_name IS NULL OR event_name = :event_name) AND (:event_id IS NULL OR event_id = :event_id)
AND (:action_source IS NULL OR action_source = :action_source)
"""
_COPIES = """
SELECT ad_account_id, event_name, event_id, count(*) FROM events
WHERE (:ad_account_id IS NULL OR ad_account_id = :ad_account_id) AND (:test IS NULL OR test = :test)
AND (:event_name IS NULL OR event_name = :event_name) AND (:event_id IS NULL OR event_id = :event_id)
AND (:action_source IS NULL OR action_source = :action_source)
GROUP BY ad_account_id, event_name, event_id HAVING count(*) >= :at_least
ORDER BY min(rowid) LIMIT :limit OFFSET :offset
"""
_CALL_FILTERS = ("ad_account_id", "path", "method", "status")
_CALLS = """
SELECT * FROM calls
WHERE (:ad_account_id IS NULL OR ad_account_id = :ad_account_id) AND (:path IS NULL OR path = :path)
AND (:method IS NULL OR method = :method) AND (:status IS NULL OR status = :status)
ORDER BY number LIMIT :limit OFFSET :offset
"""
_TOTALS = """
SELECT (SELECT count(*) FROM calls), (SELECT count(*) FROM events WHERE NOT test),
    (SELECT count(*) FROM (SELECT DISTINCT ad_account_id, event_name, event_id FROM events WHERE NOT test)),
    (SELECT count(*) FROM events WHERE test)
"""
_BY_STATUS = "SELECT status, count(*) AS calls FROM calls GROUP BY status ORDER BY status"
_INSERT_EVENT = "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?)"
_INSERT_CALL = "INSERT INTO calls VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"


@dataclass(frozen=True, slots=True)
class Received:
    """One accepted copy of an event. ``call`` is the number of the call that sent it."""

    call: int
    ad_account_id: str
    test: bool
    event_name: str
    event_id: str
    action_source: str
    event_time: int
    received_at: float
    event: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class ReceivedCall:
    """One call to the API.

    :param status: the HTTP status of the response; 0 if the connection was cut.
    :param events: the number of its events. ``accepted``: the number of events that were processed.
    :param in_flight: the number of calls in flight when it arrived, itself included.
    :param fault: the faults that affected it, or empty.
    """

    number: int
    received_at: float
    seconds: float
    method: str
    path: str
    ad_account_id: str | None
    test: bool
    status: int
    events: int
    accepted: int
    bytes: int
    in_flight: int
    user_agent: str
    fault: str
    rid: str


@dataclass(frozen=True, slots=True)
class Copies:
    """How often one event was accepted."""

    ad_account_id: str
    event_name: str
    event_id: str
    copies: int


@dataclass(frozen=True, slots=True)
class Totals:
    """The counters: calls, accepted copies, distinct events among them, and copies accepted in test mode."""

    calls: int
    accepted: int
    distinct: int
    test: int


class Store:
    """The SQLite database of events and calls.

    :param path: the file of the database; None: in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        # The harness opens it on the caller's thread and hands it to the server's.
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def clear(self) -> None:
        """Forget everything received."""
        with self._db:
            self._db.execute("DELETE FROM events")
            self._db.execute("DELETE FROM calls")

    def last_call(self) -> int:
        """Return the number of the last call kept."""
        return int(self._db.execute("SELECT coalesce(max(number), 0) FROM calls").fetchone()[0])

    def accept(
        self,
        events: Sequence[Mapping[str, Any]],
        *,
        call: int,
        ad_account_id: str,
        test: bool,
        received_at: float,
        keep_json: bool,
    ) -> None:
        """Keep the accepted events of one call, in one transaction."""
        rows = (
            (
                call,
                ad_account_id,
                test,
                event["event_name"],
                event["event_id"],
                event["action_source"],
                event["event_time"],
                received_at,
                orjson.dumps(event).decode() if keep_json else None,
            )
            for event in events
        )
        with self._db:
            self._db.executemany(_INSERT_EVENT, rows)

    def record(self, call: ReceivedCall) -> None:
        """Store a call."""
        with self._db:
            self._db.execute(_INSERT_CALL, [getattr(call, name) for name in ReceivedCall.__slots__])

    def events(self, filters: Mapping[str, object], *, limit: int | None = None, offset: int = 0) -> list[Received]:
        """Return accepted copies, in order of arrival. ``filters``: column name → value."""
        rows = self._db.execute(_EVENTS, _asked(_EVENT_FILTERS, filters, limit=limit, offset=offset))
        return [
            Received(
                row["call"],
                row["ad_account_id"],
                bool(row["test"]),
                row["event_name"],
                row["event_id"],
                row["action_source"],
                row["event_time"],
                row["received_at"],
                orjson.loads(row["event"]) if row["event"] else None,
            )
            for row in rows
        ]

    def count(self, filters: Mapping[str, object]) -> int:
        """Return the number of accepted copies."""
        return int(self._db.execute(_COUNT, _asked(_EVENT_FILTERS, filters)).fetchone()[0])

    def copies(
        self, filters: Mapping[str, object], *, at_least: int = 1, limit: int | None = None, offset: int = 0
    ) -> list[Copies]:
        """Return how often each event was accepted, in order of the first copies."""
        asked = _asked(_EVENT_FILTERS, filters, limit=limit, offset=offset)
        return [Copies(*row) for row in self._db.execute(_COPIES, {**asked, "at_least": at_least})]

    def calls(self, filters: Mapping[str, object], *, limit: int | None = None, offset: int = 0) -> list[ReceivedCall]:
        """Return the calls, in order of arrival."""
        rows = self._db.execute(_CALLS, _asked(_CALL_FILTERS, filters, limit=limit, offset=offset))
        return [ReceivedCall(**{**dict(row), "test": bool(row["test"])}) for row in rows]

    def totals(self) -> Totals:
        """Return the counters."""
        return Totals(*self._db.execute(_TOTALS).fetchone())

    def calls_by_status(self) -> dict[int, int]:
        """Return the number of calls by status."""
        return {row["status"]: row["calls"] for row in self._db.execute(_BY_STATUS)}


def _asked(names: Sequence[str], filters: Mapping[str, object], **more: int | None) -> dict[str, object]:
    """Return the parameters of a query. A missing filter is NULL; a missing limit is -1."""
    if unknown := filters.keys() - set(names):
        raise ValueError(f"unknown filters: {', '.join(sorted(unknown))}")
    values = {name: filters.get(name) for name in names} | more
    return {name: -1 if name == "limit" and value is None else value for name, value in values.items()}
