"""Rows of a warehouse query, streamed: a few thousand in memory, however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any, Final
from uuid import uuid4

from airflow_provider_pinterest.conversions.events import Chunk
from airflow_provider_pinterest.exceptions import SourceError

FETCH: Final = 2_000
"""Rows fetched at once."""


class Query:
    """The rows of one query, read once from the first to the last.

    On Postgres the cursor is a named one, so that the rows stay on the server; other drivers page by themselves
    or are told to by their hook's parameters.

    :param hook: a ``DbApiHook``.
    :param sql: one statement that returns rows.
    :param parameters: bound to it by the driver.
    """

    def __init__(self, hook: Any, sql: str, parameters: Mapping[str, Any] | Sequence[Any] | None = None) -> None:
        self._hook = hook
        self._sql = sql.strip().rstrip(";")
        self._parameters = parameters

    def chunks(self) -> Iterator[Chunk]:
        """Run the query and yield its rows; an empty result yields one chunk without rows.

        :raises SourceError: the query fails, returns no rows by its nature, or breaks off in the middle.
        """
        read = 0
        try:
            with closing(self._hook.get_conn()) as connection, closing(_cursor(connection)) as cursor:
                if self._parameters:
                    cursor.execute(self._sql, self._parameters)
                else:
                    cursor.execute(self._sql)
                rows = cursor.fetchmany(FETCH)
                if cursor.description is None:
                    raise SourceError("The SQL returns no rows by its nature: expected a SELECT.")
                columns = tuple(column[0] for column in cursor.description)
                yield Chunk(columns, rows)
                while rows:
                    read += len(rows)
                    rows = cursor.fetchmany(FETCH)
                    if rows:
                        yield Chunk(columns, rows)
        except (SourceError, GeneratorExit):
            raise
        except Exception as error:
            where = f"after {read:,} rows" if read else "at its start"
            raise SourceError(
                f"The warehouse query broke off {where}: {type(error).__name__}: {_first_line(error)}"
            ) from error


def _cursor(connection: Any) -> Any:
    """Open a cursor that leaves the rows on the server where the driver can."""
    module = type(connection).__module__
    if module.startswith(("psycopg2.", "psycopg.")) or module in ("psycopg2", "psycopg"):
        with suppress(AttributeError):
            connection.autocommit = False
        cursor = connection.cursor(f"pinterest_{uuid4().hex}")
        cursor.itersize = FETCH
        return cursor
    return connection.cursor()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:300]
