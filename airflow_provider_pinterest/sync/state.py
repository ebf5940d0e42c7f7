"""State stores: they keep the checkpoint of a run, so that the next attempt continues and sends nothing twice."""

from __future__ import annotations

import fcntl
import os
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from airflow_provider_pinterest.exceptions import ParameterError, StateConflictError
from airflow_provider_pinterest.outcomes.database import SqlDatabase, checked_table
from airflow_provider_pinterest.outcomes.preparation import RIGHTS, ensure_table
from airflow_provider_pinterest.outcomes.retries import RetriedWork
from airflow_provider_pinterest.state_store import StateStore

T = TypeVar("T")

__all__ = ["FileStateStore", "SqlStateStore", "StateStore"]

LONGEST_RUN: Final = 255
"""Most characters of a run's name: every database supports keys of this length."""

_COLUMNS: Final = ("run", "revision", "state")

_REVISION: Final = "revision"
_VALUES: Final = "values"


@dataclass(frozen=True, slots=True)
class _Stored:
    """The content of a store.

    :param values: by key; ``None``: nobody can read them.
    :param revision: it changes with each write; ``None``: nothing is stored.
    """

    values: Mapping[str, Any] | None = field(default_factory=dict)
    revision: str | None = None


class _RevisionedStore(ABC):
    """A store that notices when another process has changed it since it was read.

    The process that reads last takes the run over. The next checkpoint of any other one is refused.
    """

    def __init__(self) -> None:
        self._known: _Stored | None = None

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key."""
        self._known = found = self._take_over()
        return "not JSON" if found.values is None else found.values.get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Store a JSON value under a key.

        :raises StateConflictError: another process has used the store since it was read.
        """
        known = self._take_over() if self._known is None else self._known
        new = _Stored({**(known.values or {}), key: value}, uuid.uuid4().hex)
        if not self._replace(known.revision, new):
            raise StateConflictError(
                "Another process has continued this run, so this one ends.",
                advice="Start a run in one process at a time.",
            )
        self._known = new

    @abstractmethod
    def _take_over(self) -> _Stored:
        """Return the content under a new revision."""

    @abstractmethod
    def _replace(self, expected: str | None, new: _Stored) -> bool:
        """Replace the content, if the revision is the expected one; return whether it was."""


class FileStateStore(_RevisionedStore):
    """Keeps the state of one run in a JSON file, which is replaced as a whole.

    It holds counts, hashes and row numbers, nothing personal. A second file beside it, ``….lock``, is held locked while
    the first is changed.

    :param path: the file; its folder must exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self._path = Path(path)

    def _take_over(self) -> _Stored:
        with self._locked():
            found = self._read()
            if found.revision is None:
                return found
            new = _Stored(found.values, uuid.uuid4().hex)
            self._write(new)
        return new

    def _replace(self, expected: str | None, new: _Stored) -> bool:
        with self._locked():
            same = self._read().revision == expected
            if same:
                self._write(new)
        return same

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from changing the file; the lock ends with the process at the latest."""
        with self._path.with_name(f"{self._path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> _Stored:
        try:
            found = orjson.loads(self._path.read_bytes())
            return _Stored({**found[_VALUES]}, str(found[_REVISION]))
        except FileNotFoundError:
            return _Stored()
        except (ValueError, TypeError, LookupError):
            raise ParameterError(
                f"{self._path.name} holds something else than the state of a run, so it is left as it is.",
                advice="Choose another path for the state, or restore the file.",
            ) from None

    def _write(self, new: _Stored) -> None:
        temporary = self._path.with_name(f"{self._path.name}.new")
        with temporary.open("wb") as file:
            file.write(orjson.dumps({_REVISION: new.revision, _VALUES: new.values}))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)


class SqlStateStore(_RevisionedStore):
    """Keeps the state of runs in a table of any database with a DB-API driver, one row for each run.

    The table has the columns ``run``, ``revision`` and ``state`` (JSON text). It is created if it does not exist. It
    holds counts, hashes and row numbers, nothing personal.

    :param connect: returns a new connection; each access makes one and closes it.
    :param run: names the run, such as a date; the same for each attempt.
    :param table: its name.
    :raises ParameterError: the name of the run or of the table cannot work.
    """

    def __init__(self, connect: Callable[[], Any], run: str, *, table: str = "pinterest_sync_state") -> None:
        super().__init__()
        if not run or run != run.strip() or len(run) > LONGEST_RUN:
            raise ParameterError(
                f"run must be 1 to {LONGEST_RUN} characters without spaces around them, got {run[:60]!r}."
            )
        self._connect = connect
        self._run = run
        self._table = checked_table(table, "analytics.pinterest_sync_state")
        self._retried = RetriedWork(
            f"state table {self._table}", f"Check the connection and its rights on the table: {RIGHTS}."
        )
        self._exists = False

    def _take_over(self) -> _Stored:
        def work(row: _Row) -> _Stored | None:
            found = row.read()
            if found.revision is None:
                return found
            new = _Stored(found.values, uuid.uuid4().hex)
            return new if row.replace(found.revision, new.revision, None) else None

        while (found := self._done(work)) is None:
            pass  # another process was faster, and is read now
        return found

    def _replace(self, expected: str | None, new: _Stored) -> bool:
        state = orjson.dumps(new.values).decode()
        return self._done(lambda row: row.replace(expected, new.revision, state))

    def _done(self, work: Callable[[_Row], T]) -> T:
        """Do some work with a new connection."""

        def once(connection: Any) -> T:
            with closing(connection):
                row = _Row(connection, self._table, self._run)
                if not self._exists:
                    row.create_table()
                    self._exists = True
                return work(row)

        return self._retried.result(self._connect, once)


class _Row:
    """The row of one run, by a connection."""

    def __init__(self, connection: Any, table: str, run: str) -> None:
        self._database = SqlDatabase(connection)
        self._table = table
        self._run = run

    def read(self) -> _Stored:
        """Return the content of the row."""
        rows = self._fetch("SELECT state, revision FROM {table} WHERE run = {}", self._run)
        if not rows:
            return _Stored()
        state, revision = rows[0]
        try:
            return _Stored({**orjson.loads(state.read() if hasattr(state, "read") else state)}, revision)
        except (ValueError, TypeError):
            return _Stored(None, revision)

    def replace(self, expected: str | None, revision: str | None, state: str | None) -> bool:
        """Write the row; return whether its revision was the expected one until then.

        Drivers count changed rows in different ways, or not at all, so the revision is read again.

        :param expected: ``None``: there was no row.
        :param state: ``None``: it stays as it is.
        """
        try:
            if expected is None:
                insert = "INSERT INTO {table} (run, revision, state) VALUES ({}, {}, {})"
                self._execute(insert, self._run, revision, state)
            elif state is None:
                update = "UPDATE {table} SET revision = {} WHERE run = {} AND revision = {}"
                self._execute(update, revision, self._run, expected)
            else:
                update = "UPDATE {table} SET state = {}, revision = {} WHERE run = {} AND revision = {}"
                self._execute(update, state, revision, self._run, expected)
            self._database.commit()
        except Exception:
            self._database.roll_back()
            found = self._revision()
            if found == expected:
                raise
            return found == revision
        return self._revision() == revision

    def create_table(self) -> None:
        """Create the table if it does not exist, or if another process has not just done so."""
        ensure_table(self._database, self._table, _COLUMNS, self._create_statement, kind="state table")

    def _create_statement(self) -> str:
        driver = self._database.driver
        text, exact = "TEXT", ""
        if any(name in driver for name in ("mysql", "mariadb")):
            text, exact = "LONGTEXT", " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        elif "oracle" in driver:
            text = "CLOB"
        elif "bigquery" in driver:
            return f"CREATE TABLE {self._table} (run STRING NOT NULL, revision STRING NOT NULL, state STRING NOT NULL)"
        return (
            f"CREATE TABLE {self._table} (run VARCHAR({LONGEST_RUN}){exact} NOT NULL PRIMARY KEY, "
            f"revision VARCHAR(32) NOT NULL, state {text} NOT NULL)"
        )

    def _revision(self) -> str | None:
        rows = self._fetch("SELECT revision FROM {table} WHERE run = {}", self._run)
        return str(rows[0][0]) if rows else None

    def _fetch(self, statement: str, *values: str | None) -> list[Any]:
        return self._database.fetch(self._named(statement), values)

    def _execute(self, statement: str, *values: str | None) -> None:
        self._database.execute(self._named(statement), values)

    def _named(self, statement: str) -> str:
        """Return a statement with the name of the table in place of ``{table}``."""
        return statement.replace("{table}", self._table)
