"""Statements through a DB-API connection of any driver."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import lru_cache
from typing import Any, Final

from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.sources.paramstyles import paramstyle

_TABLE: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*){0,2}", re.ASCII)

_MARKS: Final = {"format": "%s", "pyformat": "%s", "numeric": ":{0}", "named": ":p{0}", "bigquery": "%(p{0})s"}
"""Style of a driver → its placeholder for a number; other drivers take ``?``."""

_BY_NAME: Final = ("named", "bigquery")
"""Styles with a name for each value."""


def checked_table(name: str, example: str) -> str:
    """Return the name of a table.

    :raises ParameterError: it is not the name of a table, with or without a schema.
    """
    if not _TABLE.fullmatch(name):
        raise ParameterError(f"The table must have a name such as {example}, got {name[:60]!r}.")
    return name


class SqlDatabase:
    """A connection, for statements with ``{}`` for each value.

    :param connection: of any DB-API driver.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.driver = " ".join(kind.__module__ for kind in type(connection).__mro__).lower()
        """The modules of the driver."""
        style = "bigquery" if "bigquery" in self.driver else paramstyle(connection)
        self._mark = _MARKS.get(style or "", "?")
        self._by_name = style in _BY_NAME

    def fetch(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query."""
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(*self.bound(statement, values))
            return list(cursor.fetchall())

    def execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Execute a statement."""
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(*self.bound(statement, values))

    def bound(self, statement: str, values: Sequence[Any]) -> tuple[Any, ...]:
        """Return the arguments of ``execute``."""
        if not values:
            return (statement,)
        marked = _marked(statement, self._mark, len(values))
        if self._by_name:
            return marked, {f"p{number}": value for number, value in enumerate(values, 1)}
        return marked, tuple(values)

    def commit(self) -> None:
        """Commit; some drivers commit each statement by themselves."""
        try:
            self.connection.commit()
        except Exception as error:
            if "no transaction" not in str(error):
                raise

    def roll_back(self) -> None:
        """End the transaction without its changes, if there is one."""
        with suppress(Exception):
            self.connection.rollback()

    def has_table(self, table: str, column: str) -> bool:
        """Return whether a table can be read."""
        try:
            self.fetch(f"SELECT {column} FROM {table} WHERE 1 = 0")  # noqa: S608 - checked names  # nosec B608
        except Exception:  # noqa: BLE001 - each driver has exceptions of its own
            self.roll_back()
            return False
        self.roll_back()
        return True

    def create_table(self, table: str, column: str, statement: Callable[[], str]) -> None:
        """Create a table if it does not exist, or if another process has not just done so.

        :param column: one of its columns.
        :param statement: returns the statement that creates it.
        """
        if self.has_table(table, column):
            return
        try:
            self.execute(statement())
            self.commit()
        except Exception:
            self.roll_back()
            if not self.has_table(table, column):
                raise


@lru_cache(maxsize=16)
def _marked(statement: str, mark: str, count: int) -> str:
    """Return a statement with the placeholders of a driver."""
    return statement.format(*(mark.format(number) for number in range(1, count + 1)))
