"""The outcome table of a run: what the run writes into it, and the ledger that it reads from it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final, NamedTuple, TypeVar

import orjson

from airflow_provider_pinterest.conversions.outcomes import Event, Rejection
from airflow_provider_pinterest.delivery.ledger import ALIVE, Entry
from airflow_provider_pinterest.delivery.outcome_log import EventOutcome, Status, of_unsent
from airflow_provider_pinterest.delivery.selection import Standing
from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.outcomes import dialects
from airflow_provider_pinterest.outcomes.database import SqlDatabase, checked_table
from airflow_provider_pinterest.outcomes.database_thread import DatabaseThread
from airflow_provider_pinterest.outcomes.preparation import prepare
from airflow_provider_pinterest.outcomes.records import (
    COLUMNS,
    Record,
    event_outcome_key,
    is_event,
    key_columns,
    record,
    row_outcome_key,
    seconds,
    timestamp,
)

TABLE: Final = "pinterest_outcomes"

LONGEST_RUN: Final = 255
"""Most characters of a run's name."""

FULL: Final = 5_000
"""Waiting outcomes that are written before more are added."""

LOOKED_UP: Final = 500
"""Most keys of a query."""

LOADED: Final = 100_000
"""Most rows without an event that are loaded at once, to find them by their key columns."""

_STATUS: Final = COLUMNS.index("status")

T = TypeVar("T")


def create_table_statement(dialect: str, table: str = TABLE) -> str:
    """Return the statement that creates the outcome table.

    :param dialect: ``postgresql``, ``mysql``, ``sqlite``, ``duckdb``, ``snowflake`` or ``bigquery``.
    :raises ParameterError: the dialect is not known, or the name of the table cannot work.
    """
    if dialect not in dialects.DIALECTS:
        raise ParameterError(f"dialect must be one of {', '.join(dialects.DIALECTS)}, got {dialect[:60]!r}.")
    return dialects.DIALECTS[dialect].create_table(checked_table(table, f"analytics.{TABLE}"))


class OutcomeTable:
    """A table with one row for each event, in a database of the user's.

    It is created if it does not exist. It holds no personal data, hashed or not.

    :param connect: returns a new connection of any DB-API driver.
    :param run: names the run, such as a date; the same for each attempt.
    :param table: its name, with or without a schema.
    :param name: names the database in the state of a run, such as a connection id.
    :raises ParameterError: the name of the run or of the table cannot work.
    """

    def __init__(self, connect: Callable[[], Any], run: str, *, table: str = TABLE, name: str = "") -> None:
        if not isinstance(run, str) or not run or run != run.strip() or len(run) > LONGEST_RUN:
            raise ParameterError(
                f"run must be 1 to {LONGEST_RUN} characters without spaces around them, got {str(run)[:60]!r}."
            )
        self.connect = connect
        self.run = run
        self.table = checked_table(table, f"analytics.{TABLE}")
        self.identity = f"{name}:{table}"
        """Names the table in the state of a run."""

    def open(self, *, test: bool, again: bool = False, stopped: Callable[[], bool] = lambda: False) -> OpenOutcomeTable:
        """Connect, and create the table if it does not exist.

        :param test: whether the events are sent in test mode.
        :param again: whether an earlier attempt may have recorded the same rows.
        :param stopped: returns whether the run was told to stop.
        :raises OutcomesError: the database cannot be used.
        """
        thread = DatabaseThread(self.connect, self.table, stopped=stopped)
        try:
            return OpenOutcomeTable(thread, self.table, self.run, test=test, again=again)
        except BaseException:
            thread.close()
            raise


class _Write(NamedTuple):
    """A write that is under way.

    :param outcomes: how many of the waiting outcomes it writes, from the first.
    :param claimed: keys of claimed events that it settles.
    :param superseding: rows whose older rows of the table it removes.
    :param older: keys of all rows of the table that it removes.
    """

    outcomes: int
    claimed: Sequence[str]
    superseding: Sequence[int]
    older: Sequence[str]
    future: Future[None]


class OpenOutcomeTable:
    """The outcome table during a run: an :class:`~.delivery.outcome_log.OutcomeLog` and a ledger.

    :param thread: runs the statements.
    :param test: whether the events are sent in test mode.
    :param again: whether an earlier attempt may have recorded the same rows.
    :param wall: Unix seconds.
    """

    def __init__(
        self,
        thread: DatabaseThread,
        table: str,
        run: str,
        *,
        test: bool,
        again: bool = False,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._thread = thread
        self._table = table
        self._run = run
        self._test = test
        self._wall = wall
        self._claim = uuid.uuid4().hex
        self._claimed: set[str] = set()
        """Keys of the events that this attempt has claimed and not settled; changed with ``_lock``."""
        self._lock = threading.Lock()
        self._waiting: list[EventOutcome] = []
        self._write: _Write | None = None
        """The write that is under way; at most one."""
        self._decided: float | None = None
        """When the user decided to send some rows again, in Unix seconds."""
        self._resends_held = False
        self._without_event = 0
        self._by_text: dict[str, list[Any]] | None = None
        """Key columns → rows without an event, once they are loaded."""
        self._superseded: dict[int, Sequence[str]] = {}
        """Row → keys of older rows of the table, which are removed with its outcome; changed with ``_lock``."""
        self._dialect = thread.call(self._prepare)
        self._rows_before: set[str] = set(thread.call(self._rows_of_run)) if again else set()
        """Keys of rows without an event that an earlier attempt recorded."""

    @property
    def waiting(self) -> bool:
        """Whether outcomes wait to be written."""
        return bool(self._waiting)

    @property
    def full(self) -> bool:
        """Whether enough outcomes wait."""
        return len(self._waiting) - (self._write.outcomes if self._write else 0) >= FULL

    def add(self, outcome: EventOutcome) -> None:
        """Add an outcome; :meth:`flush` writes it."""
        self._waiting.append(outcome)

    def start_write(self) -> None:
        """Start to write the outcomes that wait, once an earlier write is done.

        :raises OutcomesError: the outcomes of the earlier write cannot be written; they still wait.
        """
        self._finish_write()
        if not self._waiting:
            return
        waiting = self._waiting[:]
        now = timestamp(self._wall()) or ""
        records: dict[str, Record] = {}
        claimed: list[str] = []
        for outcome in waiting:
            if outcome.status is Status.PROCESSED and self._claimed:
                key = event_outcome_key(outcome.ad_account_id, outcome.name or "", outcome.id or "", test=self._test)
                if key in self._claimed:
                    claimed.append(key)
                    continue
            made = record(outcome, self._run, now, test=self._test, since=self._decided)
            before = records.get(made[0])
            if before is None or _replaces(made[_STATUS], before[_STATUS]):  # a statement may name a key only once
                records[made[0]] = made
        ordered = [records[key] for key in sorted(records)]  # two runs lock rows in the same order

        with self._lock:
            rows = [one.row for one in waiting if one.row in self._superseded] if self._superseded else []
            older = sorted({key for row in rows for key in self._superseded[row]}.difference(records))
        if self._rows_before:  # a corrected row has the key of its event now
            keys = {row_outcome_key(self._run, one.row, test=self._test) for one in waiting}
            older += sorted(keys.intersection(self._rows_before).difference(records))

        def work(database: SqlDatabase) -> None:
            if claimed:
                for some in _chunks(sorted(claimed), LOOKED_UP):
                    database.execute(dialects.settle(self._table, len(some)), [now, *some])
                if not older:
                    database.commit()
            self._upsert(database, self._dialect.write, ordered)
            self._delete(database, older)
            database.commit()

        self._write = _Write(len(waiting), claimed, rows, older, self._thread.start(work))

    def flush(self) -> None:
        """Write the outcomes that wait.

        :raises OutcomesError: they cannot be written; they still wait.
        """
        self._finish_write()
        self.start_write()
        self._finish_write()

    def _finish_write(self) -> None:
        """Wait for the write that is under way.

        :raises OutcomesError: the outcomes cannot be written; they still wait.
        """
        write = self._write
        if write is None:
            return
        try:
            self._thread.wait(write.future)
        except BaseException:
            self._write = None
            raise
        with self._lock:
            self._claimed.difference_update(write.claimed)
            self._rows_before.difference_update(write.older)
            for row in write.superseding:
                self._superseded.pop(row, None)
        self._write = None
        del self._waiting[: write.outcomes]

    def is_empty(self) -> bool:
        """Return whether the table has no rows."""

        def work(database: SqlDatabase) -> list[Any]:
            found = database.fetch(dialects.first_key(self._table))
            database.roll_back()
            return found

        [(key,)] = self._thread.call(work)
        return key is None

    def processed(self, ad_account_id: str, events: Sequence[Event]) -> Mapping[int, Entry]:
        """Return the events that were processed, by row."""
        by_key = self._keys(ad_account_id, events)
        found = self._thread.call(lambda database: self._select(database, dialects.processed, sorted(by_key)))
        return self._entries(found, by_key)

    def claim(self, ad_account_id: str, events: Sequence[Event]) -> Mapping[int, Entry]:
        """Claim events for this attempt, durably; return those that it did not get, by row."""
        by_key = self._keys(ad_account_id, events)
        now, dialect = timestamp(self._wall()), self._dialect
        records = [self._claim_record(key, ad_account_id, by_key[key], now) for key in sorted(by_key)]

        def work(database: SqlDatabase) -> list[Any]:
            self._upsert(database, dialect.claim_again if self._resends_held else dialect.claim, records)
            database.commit()
            return self._select(database, dialects.others, sorted(by_key), [self._claim])

        found = self._thread.call(work)
        with self._lock:
            self._claimed.update(by_key)
            self._claimed.difference_update(str(row[0]) for row in found)
        return self._entries(found, by_key)

    def release(self, ad_account_id: str, events: Sequence[Event]) -> None:
        """Give up claims of events that were certainly not accepted."""
        keys = sorted(self._keys(ad_account_id, events))

        def work(database: SqlDatabase) -> None:
            for some in _chunks(keys, LOOKED_UP):
                for statement in (dialects.restore, dialects.remove):
                    database.execute(statement(self._table, len(some)), [self._claim, *some])
                database.commit()

        with self._lock:
            self._claimed.difference_update(keys)
        self._thread.call(work)

    def decide(self, since: float, *, resends_held: bool) -> None:
        """Note that the user decided to send some rows again.

        :param since: when, in Unix seconds; the same for all retries.
        :param resends_held: whether held events may be claimed.
        """
        self._decided, self._resends_held = since, resends_held

    def count(self, status: Status, ad_account_id: str | None) -> tuple[int, int]:
        """Return how many rows are in a state, and how many of them only key columns can find."""
        statement = dialects.count(self._table, account=ad_account_id is not None)
        values = [str(status), int(self._test), *([] if ad_account_id is None else [ad_account_id])]

        def work(database: SqlDatabase) -> list[Any]:
            found = database.fetch(statement, values)
            database.roll_back()
            return found

        [(rows, without_event)] = self._thread.call(work)
        self._without_event = int(without_event)
        return int(rows), self._without_event

    def hold_abandoned(self, ad_account_id: str | None) -> tuple[int, int]:
        """Hold events that a run claimed a while ago without recording an outcome.

        :return: how many are held now, and how many other events are claimed.
        """
        statement = dialects.claimed(self._table, account=ad_account_id is not None)
        values = [int(self._test), *([] if ad_account_id is None else [ad_account_id])]
        before = self._wall() - ALIVE

        def work(database: SqlDatabase) -> tuple[int, int]:
            found = database.fetch(statement, values)
            database.roll_back()
            keys = sorted(str(key) for key, written in found if seconds(written) < before)
            for some in _chunks(keys, LOOKED_UP):
                database.execute(dialects.hold(self._table, len(some)), some)
                database.commit()
            return len(keys), len(found) - len(keys)

        return self._thread.call(work)

    def look_up(
        self, ad_account_id: str, rows: Sequence[Event | Rejection], status: Status, *, by_columns: bool
    ) -> Mapping[int, Standing]:
        """Return what the table says about rows.

        :param by_columns: whether to look for the key columns of rows without an event too.
        """
        keys = {row.row: key for row in rows if (key := self._key_of(ad_account_id, row)) is not None}
        texts = {row.row: text for row in rows if (text := key_columns(row.keys))} if by_columns else {}
        more = [str(status), int(self._test)]

        def work(database: SqlDatabase) -> tuple[list[Any], list[Any]]:
            by_key = self._select(database, dialects.standings, sorted(set(keys.values())))
            return by_key, self._rows_by_columns(database, sorted(set(texts.values())), more)

        known, others = self._thread.call(work)
        events: dict[str, tuple[Any, ...]] = {}
        for key, *event in known:
            if str(key) not in events or event[0] == Status.PROCESSED:  # a database without unique keys has several
                events[str(key)] = tuple(event)
        older: dict[str, list[str]] = {}
        for key, text, account in others:
            if account in (None, "", ad_account_id):
                older.setdefault(str(text), []).append(str(key))
        return {row.row: self._standing(keys.get(row.row), events, texts.get(row.row), older) for row in rows}

    def supersede(self, row: int, older: Sequence[str]) -> None:
        """Remove older rows of the table in the transaction that writes the outcome of a row."""
        with self._lock:
            self._superseded[row] = older

    def remove(self, older: Sequence[str]) -> None:
        """Remove older rows of the table now."""

        def work(database: SqlDatabase) -> None:
            self._delete(database, older)
            database.commit()

        self._thread.call(work)

    def close(self) -> None:
        """Close the connection."""
        self._thread.close()

    def _prepare(self, database: SqlDatabase) -> dialects.Dialect:
        """Create the table if it does not exist, and check that it can be used.

        :raises OutcomesError: it cannot; the message says what to do.
        """
        dialect = dialects.dialect_of(database.driver)
        prepare(database, dialect, self._table)
        return dialect

    def _rows_of_run(self, database: SqlDatabase) -> list[str]:
        found = database.fetch(dialects.rows_of_run(self._table), [self._run, int(self._test)])
        database.roll_back()
        return [str(row[0]) for row in found]

    def _keys(self, ad_account_id: str, events: Sequence[Event]) -> dict[str, Event]:
        return {event_outcome_key(ad_account_id, event.name, event.id, test=self._test): event for event in events}

    def _key_of(self, ad_account_id: str, row: Event | Rejection) -> str | None:
        """Return the key of a row's event; ``None`` if the table has such rows without an event."""
        if isinstance(row, Rejection):
            outcome = of_unsent(ad_account_id, row)
            if not is_event(outcome):
                return None
            return event_outcome_key(ad_account_id, outcome.name or "", outcome.id or "", test=self._test)
        return event_outcome_key(ad_account_id, row.name, row.id, test=self._test)

    def _standing(
        self,
        key: str | None,
        events: Mapping[str, tuple[Any, ...]],
        text: str | None,
        older: Mapping[str, Sequence[str]],
    ) -> Standing:
        others = tuple(one for one in older.get(text or "", ()) if one != key)
        event = events.get(key or "")
        if event is None:
            return Standing(key, columns=text, older=others)
        status, run, written, before = event
        own = run == self._run and self._decided is not None and seconds(written) >= self._decided
        return Standing(key, str(status), own, before == Status.HELD, text, others)

    def _rows_by_columns(self, database: SqlDatabase, texts: Sequence[str], more: Sequence[Any]) -> list[Any]:
        """Return rows without an event by their key columns, which have no index: few rows are loaded at once."""
        if not texts or self._without_event > LOADED:
            return self._select(database, dialects.by_columns, texts, more)
        if self._by_text is None:
            by_text: dict[str, list[Any]] = {}
            for row in database.fetch(dialects.without_event(self._table), more):
                by_text.setdefault(str(row[1]), []).append(row)
            database.roll_back()
            self._by_text = by_text
        return [row for text in texts for row in self._by_text.get(text, ())]

    def _delete(self, database: SqlDatabase, keys: Sequence[str]) -> None:
        for some in _chunks(keys, LOOKED_UP):
            database.execute(dialects.forget(self._table, len(some)), some)

    def _claim_record(self, key: str, account: str, event: Event, now: str | None) -> Record:
        outcome = EventOutcome(
            account, event.row, Status.SENDING, event.name, event.id, event.time, event.keys, (), event.body
        )
        made = record(outcome, self._run, now or "", test=self._test)
        return (key, *made[1:-2], self._claim, None)

    def _entries(self, found: Sequence[Any], by_key: Mapping[str, Event]) -> dict[int, Entry]:
        """Return rows of the table by the row of the event."""
        entries: dict[int, Entry] = {}
        for key, status, run, written, source in found:
            event = by_key[str(key)]
            entry = Entry(
                status == Status.PROCESSED,
                run == self._run,
                status == Status.SENDING,
                str(run),
                seconds(written),
                source == "offline",
            )
            if event.row not in entries or entry.sent:  # a database without unique keys may have several
                entries[event.row] = entry
        return entries

    def _upsert(self, database: SqlDatabase, statement: Callable[[str, int], str], records: Sequence[Record]) -> None:
        dialect = self._dialect
        for some in _chunks(records, dialect.rows):
            text = statement(self._table, len(some))
            if dialect.json is not None:
                objects = [dict(zip(COLUMNS, one, strict=True)) for one in some]
                database.execute(text, [orjson.dumps(objects).decode()])
                continue
            values = [value for one in some for value in one]
            if not dialect.binds_null:
                text = text.format(*("NULL" if value is None else "{}" for value in values))
                values = [value for value in values if value is not None]
            database.execute(text, values)

    def _select(
        self,
        database: SqlDatabase,
        statement: Callable[[str, int], str],
        keys: Sequence[str],
        more: Sequence[Any] = (),
    ) -> list[Any]:
        found: list[Any] = []
        for some in _chunks(keys, LOOKED_UP):
            found += database.fetch(statement(self._table, len(some)), [*some, *more])
        database.roll_back()  # ends the transaction, so that the next query sees later changes
        return found


def _replaces(status: str, before: str) -> bool:
    """Return whether an outcome replaces an earlier one, as the statements of the dialects do."""
    if before == Status.PROCESSED:
        return False
    return status != Status.REJECTED or before not in (Status.HELD, Status.SENDING)


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
