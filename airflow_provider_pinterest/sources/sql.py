"""Rows of a warehouse query, streamed: a few thousand in memory, however many there are."""

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
"""Most bytes fetched at once, about."""

_address: Final = re.compile(r"(?:[\w-]+\.)*[\w-]+|[0-9a-fA-F:]+", re.ASCII).fullmatch
"""What looks like a host. Anything else that stands in a connection's host may be secret."""

_NOT_FROM_THE_DATABASE: Final = (TypeError, KeyError, ImportError, AttributeError)
"""What drivers raise where their settings or the parameters are not what they expect."""

_ROW_LINES: Final = ("DETAIL:", "CONTEXT:")
"""Lines of a Postgres error that quote the row."""


class Database:
    """Makes connections without Airflow.

    :param connect: returns a new connection of any DB-API driver.
    :param name: names the database in errors.
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

    :mod:`airflow_provider_pinterest.sources.drivers` says how they are read. Nothing is committed.

    :param hook: makes connections: a ``DbApiHook``, or a :class:`Database`.
    :param sql: one statement that returns rows.
    :param parameters: bound to it by the driver.
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
        """Return the same rows, to be read from the first."""
        return SqlSource(self._hook, self._sql, self._parameters)

    @property
    def ordered(self) -> bool:
        """Whether the statement says in which order its rows come."""
        return re.search(r"\border\s+by\b", self._sql, re.IGNORECASE) is not None

    def row_batches(self) -> Generator[RowBatch, None, None]:
        """Run the query and yield its rows; an empty result yields one row_batch without rows.

        :raises ParameterError: there are several statements, and the driver would not say so.
        :raises SourceError: the query fails at its start or later, or has no result set.
        """
        with thread_left_as_found():
            yield from self._chunks()

    def _chunks(self) -> Generator[RowBatch, None, None]:
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
        except Exception as error:  # noqa: BLE001 - each driver has exceptions of its own
            self._check()
            where = f"after {read:,} rows" if read else "at its start"
            place = warehouse(self._hook)
            # Not chained: a driver's traceback quotes the row, which is personal.
            said = f"The warehouse query failed {where}{f' ({place})' if place else ''}: {_said(error)}"
            advice = "" if read else self._advice(error, style)
            raise SourceError(said, advice=advice) from None
        finally:
            self._reader = None

    def cancel(self) -> None:
        """End the query from another thread; :meth:`row_batches` then raises, at the latest before its next fetch."""
        self._cancelled = True
        with suppress(Exception):  # the connection may be closed by now
            if self._reader is not None:
                self._reader.cancel()

    def _check(self) -> None:
        """Raise if the query was cancelled.

        :raises SourceError: it was.
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
        """Return what to do about an error that came before the first row.

        :param style: how the driver writes placeholders.
        """
        wrong = unfit(style, self._sql, self._parameters)
        if wrong:
            return wrong
        if literal_percent(style, self._sql, self._parameters):
            return "In a query with parameters, write %% for a literal %."
        if isinstance(error, _NOT_FROM_THE_DATABASE):
            return (
                "The connection's driver is not set up or does not take these parameters: look at the warnings above "
                "and at the driver's settings in the connection's extra."
            )
        if self._reader is None:
            return "Check that the database is running, and the connection's host, port, user and password."
        return "Check the SQL, its parameters, and that the connection's user may read the tables."


def warehouse(hook: Any) -> str:
    """Return which warehouse a hook connects to: its connection, and host and port if there are any."""
    if isinstance(hook, Database):
        return hook.name
    name = address = ""
    with suppress(Exception):  # hooks differ, and a secrets backend may be out of reach
        name = str(hook.get_conn_id())
        connection = hook.get_connection(name)
        host = str(connection.host or "")
        if _address(host):
            address = f", {host}:{connection.port}" if connection.port else f", {host}"
    return f"connection {name!r}{address}" if name else ""


def fetch_size(rows: Sequence[Sequence[Any]], most: int) -> int:
    """Return how many rows to fetch next, from what the last ones took.

    :param most: how many rows of ordinary size.
    """
    taken = total(rows) // len(rows)
    return max(1, min(most, FETCH_BYTES // max(taken, 1)))


def _said(error: Exception) -> str:
    """Return what a driver says, as sentences, without what it quotes of the row."""
    found = error.args[0] if error.args else None
    message = str(found["M"]) if isinstance(found, dict) and "M" in found else str(error)
    lines = [line for line in message.strip().splitlines() if line.strip() and not line.startswith(_ROW_LINES)]
    sentences = [line if line.rstrip().endswith((".", "?", "!", ":", "^")) else f"{line}." for line in lines[:3]]
    return f"{type(error).__name__}: {clean(' '.join(sentences))}"
