"""Statements through a DB-API connection of any driver."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from functools import lru_cache
from typing import Any, Final

from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.sources.paramstyles import paramstyle

_PART: Final = r'(?:[^\W\d][\w$]*|"[\w $#@-]+"|`[\w $#@-]+`|\[[\w $#@-]+\])'

_TABLE: Final = re.compile(rf"(?:[A-Za-z][\w-]*\.(?={_PART}\.))?{_PART}(?:\.{_PART}){{0,2}}")
"""Up to three parts. The project of a BigQuery table may have dashes."""

_QUOTES: Final = '"`]'

_CHARSETS: Final = ("set_character_set", "set_charset", "set_charset_collation")
"""Methods of MySQL drivers that choose the character set of a connection."""

_PASSING: Final = re.compile(r"\b(dead)?lock(ed|s)?\b|\btime[d -]?out\b|\bshut(ting)? ?down\b", re.IGNORECASE).search
"""Words of errors that may not occur when the statement is tried again."""

_MARKS: Final = {"format": "%s", "pyformat": "%s", "numeric": ":{0}", "named": ":p{0}", "bigquery": "%(p{0})s"}
"""Style of a driver → its placeholder for a number; other drivers take ``?``."""

_BY_NAME: Final = ("named", "bigquery")
"""Styles with a name for each value."""


def checked_table(name: str, example: str) -> str:
    """Return the name of a table.

    :raises ParameterError: it is not the name of a table, with or without a schema.
    """
    if not _TABLE.fullmatch(name) or name.count(".") > 2:
        raise ParameterError(
            f"The table must have a name such as {example}, got {name[:60]!r}.",
            advice="Put the quotes of the database around a part with spaces, dashes or reserved words.",
        )
    return name


def beside(table: str, suffix: str) -> str:
    """Return the name of another table in the same schema."""
    return f"{table[:-1]}{suffix}{table[-1]}" if table[-1] in _QUOTES else f"{table}{suffix}"


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
        if "mysql" in self.driver or "mariadb" in self.driver:
            self._take_any_character()

    def fetch(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query as sequences; some connections are set to return mappings."""
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(*self.bound(statement, values))
            rows = list(cursor.fetchall())
        return [tuple(row.values()) for row in rows] if rows and isinstance(rows[0], Mapping) else rows

    def columns(self, table: str) -> list[str]:
        """Return the names of a table's columns in lower case."""
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(f"SELECT * FROM {table} WHERE 1 = 0")  # noqa: S608 - checked names  # nosec B608
            cursor.fetchall()
            return [str(column[0]).lower() for column in cursor.description]

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

    def refusal(self, work: Callable[[], object]) -> Exception | None:
        """Return the error if the database refuses some work; the transaction is rolled back then.

        :raises Exception: the connection is lost, or another process is in the way. It may be tried again.
        """
        try:
            work()
        except Exception as error:
            self.roll_back()
            if _PASSING(str(error)) or not self._answers():
                raise
            return error
        return None

    def _answers(self) -> bool:
        """Return whether the connection still works."""
        try:
            self.fetch("SELECT 1")
        except Exception:  # noqa: BLE001 - each driver has exceptions of its own
            return False
        self.roll_back()
        return True

    def _take_any_character(self) -> None:
        """Let MySQL take text with any characters, whatever character set the connection is made with."""
        for name in _CHARSETS:
            if (choose := getattr(self.connection, name, None)) is not None:
                choose("utf8mb4")
                return


@lru_cache(maxsize=16)
def _marked(statement: str, mark: str, count: int) -> str:
    """Return a statement with the placeholders of a driver."""
    return statement.format(*(mark.format(number) for number in range(1, count + 1)))
