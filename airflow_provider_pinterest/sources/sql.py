"""The rows of a warehouse query. They are streamed: only a few thousand rows are in memory at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any, Final

from airflow_provider_pinterest.conversions.outcomes import RowBatch
from airflow_provider_pinterest.conversions.weights import total
from airflow_provider_pinterest.exceptions import ParameterError, SourceError
from airflow_provider_pinterest.redaction import clean
from airflow_provider_pinterest.sources.drivers import reader_for
from airflow_provider_pinterest.sources.drivers.base import NO_ROWS, DriverReader, Parameters
from airflow_provider_pinterest.sources.drivers.jdbc import thread_left_as_found
from airflow_provider_pinterest.sources.paramstyles import literal_percent, paramstyle, unfit

FETCH_BYTES: Final = 4_000_000
"""Approximate largest size of one fetch, in bytes."""

_address: Final = re.compile(r"(?:[\w-]+\.)*[\w-]+|[0-9a-fA-F:]+", re.ASCII).fullmatch
"""Matches a host. Any other text in the host of a connection may be secret."""

_NOT_FROM_THE_DATABASE: Final = (TypeError, KeyError, ImportError, AttributeError)
"""Exceptions that drivers raise if their settings or the parameters are wrong."""

_ROW_LINES: Final = ("DETAIL:", "CONTEXT:")
"""Lines of a Postgres error that quote the row."""


class Database:
    """Opens connections without Airflow.

    :param connect: returns a new connection of any DB-API driver.
    :param name: name of the database in errors.
    """

    def __init__(self, connect: Callable[[], Any], name: str = "") -> None:
        self._connect = connect
        self.name = name

    def get_conn(self) -> Any:
        """Return a new connection."""
        return self._connect()

    @staticmethod
    def split_sql_string(sql: str) -> list[str]:
        """Return the statements of a text."""
        import sqlparse

        return [one for one in sqlparse.split(sql) if one.strip()]


class SqlSource:
    """The rows of one query, read once from the first to the last.

    :mod:`airflow_provider_pinterest.sources.drivers` has the readers. Nothing is committed.

    :param hook: opens connections: a ``DbApiHook``, or a :class:`Database`.
    :param sql: one statement that returns rows.
    :param parameters: values that the driver binds to it.
    """

    columns_complete = True
    once = False

    def __init__(self, hook: Any, sql: str, parameters: Parameters = None) -> None:
        self._hook = hook
        self._sql = sql.strip().rstrip(";")
        self._parameters = parameters
        self._reader: DriverReader | None = None
        self._cancelled = False

    @property
    def fingerprint(self) -> Mapping[str, object]:
        """The statement and its parameters."""
        return {"sql": self._sql, "parameters": self._parameters}

    def open(self) -> SqlSource:
        """Return the same rows, from the first one."""
        return SqlSource(self._hook, self._sql, self._parameters)

    @property
    def ordered(self) -> bool:
        """Whether the statement has an ORDER BY."""
        return re.search(r"\border\s+by\b", self._sql, re.IGNORECASE) is not None

    def row_batches(self) -> Generator[RowBatch, None, None]:
        """Run the query and yield its rows; an empty result yields one row batch without rows.

        :raises ParameterError: there are several statements, and the driver would run all of them.
        :raises SourceError: the query fails at its start or later, or has no result set.
        """
        with thread_left_as_found():
            yield from self._row_batches()

    def _row_batches(self) -> Generator[RowBatch, None, None]:
        read = 0
        style = None
        try:
            with closing(self._open()) as reader:
                style = reader.paramstyle or paramstyle(reader.connection)
                self._reader = reader
                self._check()
                rows = reader.start(self._parameters)
                if rows is None:
                    raise SourceError(NO_ROWS)
                columns = reader.columns()
                yield RowBatch(columns, rows)
                while rows:
                    read += len(rows)
                    self._check()
                    rows = reader.fetch(fetch_size(rows, reader.fetch_rows))
                    if rows:
                        yield RowBatch(columns, rows)
        except (SourceError, ParameterError):
            raise
        except Exception as error:  # noqa: BLE001 - each driver has its own exceptions
            self._check()
            where = f"after {read:,} rows" if read else "at its start"
            place = warehouse(self._hook)
            # Not chained, because a driver's traceback quotes the row, which is personal.
            said = f"The warehouse query failed {where}{f' ({place})' if place else ''}: {_said(error)}"
            advice = "" if read else self._advice(error, style)
            raise SourceError(said, advice=advice) from None
        finally:
            self._reader = None

    def cancel(self) -> None:
        """End the query from another thread; :meth:`row_batches` raises before its next fetch or earlier."""
        self._cancelled = True
        with suppress(Exception):  # the connection may be closed by now
            if self._reader is not None:
                self._reader.cancel()

    def _check(self) -> None:
        """Raise if the query was cancelled.

        :raises SourceError: the query was cancelled.
        """
        if self._cancelled:
            raise SourceError("The warehouse query was cancelled.") from None

    def _open(self) -> DriverReader:
        """Connect, and return the reader for the driver."""
        connection = self._hook.get_conn()
        try:
            return reader_for(connection)(self._hook, connection, self._sql)
        except BaseException:
            connection.close()
            raise

    def _advice(self, error: Exception, style: str | None) -> str:
        """Return what to do about an error before the first row.

        :param style: the driver's style of placeholders.
        """
        wrong = unfit(style, self._sql, self._parameters)
        if wrong:
            return wrong
        if literal_percent(style, self._sql, self._parameters):
            return "In a query with parameters, write %% for a literal %."
        if isinstance(error, _NOT_FROM_THE_DATABASE):
            return (
                "The driver is not configured correctly, or it does not accept these parameters. Check the warnings "
                "above and the driver's settings in the connection's extra."
            )
        if self._reader is None:
            return "Check that the database is running. Check host, port, user and password of the connection."
        return "Check the SQL and its parameters. Check that the connection's user may read the tables."


def warehouse(hook: Any) -> str:
    """Return the name of a hook's connection, with host and port if they are known."""
    if isinstance(hook, Database):
        return hook.name
    name = address = ""
    with suppress(Exception):  # hooks differ, and a secrets backend may be unreachable
        name = str(hook.get_conn_id())
        connection = hook.get_connection(name)
        host = str(connection.host or "")
        if _address(host):
            address = f", {host}:{connection.port}" if connection.port else f", {host}"
    return f"connection {name!r}{address}" if name else ""


def fetch_size(rows: Sequence[Sequence[Any]], most: int) -> int:
    """Return how many rows to fetch next, from the size of the last ones.

    :param most: largest number of rows.
    """
    taken = total(rows) // len(rows)
    return max(1, min(most, FETCH_BYTES // max(taken, 1)))


def _said(error: Exception) -> str:
    """Return the message of a driver as sentences, without the lines that quote the row."""
    found = error.args[0] if error.args else None
    message = str(found["M"]) if isinstance(found, dict) and "M" in found else str(error)
    lines = [line for line in message.strip().splitlines() if line.strip() and not line.startswith(_ROW_LINES)]
    sentences = [line if line.rstrip().endswith((".", "?", "!", ":", "^")) else f"{line}." for line in lines[:3]]
    return f"{type(error).__name__}: {clean(' '.join(sentences))}"
