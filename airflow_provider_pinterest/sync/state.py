"""State stores: they keep the checkpoint of a run, so that the next attempt continues and sends nothing twice."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import orjson

from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.sources.paramstyles import paramstyle
from airflow_provider_pinterest.state_store import StateStore

__all__ = ["FileStateStore", "SqlStateStore", "StateStore"]

_TABLE: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*){0,2}", re.ASCII)


class FileStateStore:
    """Keeps the state of one run in a JSON file, which is replaced as a whole.

    The state has counts, hashes and row numbers, and no personal data. Only one process may use the file at a time.

    :param path: the file; its folder must exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key."""
        return self._all().get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Store a JSON value under a key."""
        new = self._path.with_name(f"{self._path.name}.new")
        with new.open("wb") as file:
            file.write(orjson.dumps({**self._all(), key: value}))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    def _all(self) -> dict[str, Any]:
        try:
            found = orjson.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError:
            return _Unreadable()
        return found if isinstance(found, dict) else _Unreadable()


class _Unreadable(dict[str, Any]):
    """Stands for a state that is not a JSON object: every key has a value that no run can read."""

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ARG002
        return "not JSON"


class SqlStateStore:
    """Keeps the state of a run in a table of any database with a DB-API driver, one row for each run.

    The table has the columns ``run`` and ``state`` (JSON text) and is created if it does not exist. The state has
    counts, hashes and row numbers, and no personal data.

    :param connect: returns a new connection; each access opens one and closes it.
    :param run: name of the run, such as a date; the same for each attempt.
    :param table: name of the table.
    :raises ParameterError: the name of the table is not an identifier.
    """

    def __init__(self, connect: Callable[[], Any], run: str, *, table: str = "pinterest_sync_state") -> None:
        if not _TABLE.fullmatch(table):
            raise ParameterError(f"table must be a name such as analytics.pinterest_sync_state, got {table[:60]!r}.")
        self._connect = connect
        self._run = run
        self._table = table
        self._created = False

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key."""
        with closing(self._connect()) as connection:
            self._create(connection)
            return self._all(connection).get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Store a JSON value under a key."""
        with closing(self._connect()) as connection:
            self._create(connection)
            state = orjson.dumps({**self._all(connection), key: value}).decode()
            update = f"UPDATE {self._table} SET state = {{}} WHERE run = {{}}"  # noqa: S608 - the name is checked
            insert = f"INSERT INTO {self._table} (state, run) VALUES ({{}}, {{}})"  # noqa: S608
            self._execute(connection, update if self._has_row(connection) else insert, state, self._run)
            connection.commit()

    def _has_row(self, connection: Any) -> bool:
        query = f"SELECT 1 FROM {self._table} WHERE run = {{}}"  # noqa: S608
        return bool(self._execute(connection, query, self._run, fetch=True))

    def _all(self, connection: Any) -> dict[str, Any]:
        query = f"SELECT state FROM {self._table} WHERE run = {{}}"  # noqa: S608
        rows = self._execute(connection, query, self._run, fetch=True)
        if not rows:
            return {}
        try:
            found = orjson.loads(rows[0][0])
        except (ValueError, TypeError):
            return _Unreadable()
        return found if isinstance(found, dict) else _Unreadable()

    def _create(self, connection: Any) -> None:
        if not self._created:
            long_text = "LONGTEXT" if "mysql" in type(connection).__module__.lower() else "TEXT"
            self._execute(
                connection,
                f"CREATE TABLE IF NOT EXISTS {self._table} "
                f"(run VARCHAR(500) NOT NULL PRIMARY KEY, state {long_text} NOT NULL)",
            )
            connection.commit()
            self._created = True

    def _execute(self, connection: Any, statement: str, *values: str, fetch: bool = False) -> list[Any]:
        """Execute a statement that has ``{}`` for each value."""
        style = paramstyle(connection) or "qmark"
        mark = {"format": "%s", "numeric": ":{0}", "named": ":p{0}", "pyformat": "%(p{0})s"}.get(style, "?")
        marks = [mark.format(number) for number in range(1, len(values) + 1)]
        by_name = {f"p{number}": value for number, value in enumerate(values, 1)}
        with closing(connection.cursor()) as cursor:
            if values:
                cursor.execute(statement.format(*marks), by_name if style in ("named", "pyformat") else values)
            else:
                cursor.execute(statement)
            return list(cursor.fetchall()) if fetch else []
