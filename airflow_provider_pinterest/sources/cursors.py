"""Rows of a warehouse query, streamed: a few thousand in memory, however many there are."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any, Final
from uuid import uuid4

from airflow_provider_pinterest.conversions.events import Chunk
from airflow_provider_pinterest.conversions.weights import total
from airflow_provider_pinterest.exceptions import ParameterError, SourceError
from airflow_provider_pinterest.redaction import clean
from airflow_provider_pinterest.sources.placeholders import literal_percent

FETCH: Final = 500
"""Most rows fetched at once: so many fit into a processor's own memory."""

FETCH_FROM_SERVER: Final = 2_000
"""Most rows fetched at once where each fetch is a round trip to the server."""

FIRST_FETCH: Final = 32
"""Rows of the first fetch, which tells how large rows are."""

FETCH_BYTES: Final = 4_000_000
"""Most bytes fetched at once, about."""

_DUCKDB: Final = ("duckdb", "_duckdb")

_CANCEL: Final = {
    "sqlite3": "interrupt",
    **dict.fromkeys(_DUCKDB, "interrupt"),
    "psycopg2": "cancel",
    "psycopg": "cancel",
}
"""Package of a driver → the method of its connection that ends a query from another thread."""

_NO_ROWS: Final = "The statement returned no result set; expected a SELECT."

_first_word = re.compile(r"(?:[\s(]|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)", re.DOTALL).match
_QUERIES: Final = frozenset({"select", "with", "values", "table"})
"""What a statement begins with that Postgres can leave on the server."""

_address: Final = re.compile(r"(?:[\w-]+\.)*[\w-]+|[0-9a-fA-F:]+", re.ASCII).fullmatch
"""What looks like a host. Anything else that stands in a connection's host may be secret."""

_ROW_LINES: Final = ("DETAIL:", "CONTEXT:")
"""Lines of a Postgres error that quote the row."""


class Query:
    """The rows of one query, read once from the first to the last.

    On Postgres the cursor is a named one, so that the rows stay on the server; other drivers page by themselves
    or are told to by their hook's parameters. Nothing is committed.

    :param hook: a ``DbApiHook``.
    :param sql: one statement that returns rows.
    :param parameters: bound to it by the driver.
    """

    def __init__(self, hook: Any, sql: str, parameters: Mapping[str, Any] | Sequence[Any] | None = None) -> None:
        self._hook = hook
        self._sql = sql.strip().rstrip(";")
        self._parameters = parameters
        self._connection: Any = None
        self._cancelled = False

    @property
    def ordered(self) -> bool:
        """Whether the statement says in which order its rows come."""
        return re.search(r"\border\s+by\b", self._sql, re.IGNORECASE) is not None

    def chunks(self) -> Generator[Chunk, None, None]:
        """Run the query and yield its rows; an empty result yields one chunk without rows.

        :raises ParameterError: there are several statements, and the driver would not say so.
        :raises SourceError: the query fails, returns no result set, or breaks off in the middle.
        """
        read = 0
        try:
            with closing(self._hook.get_conn()) as connection, closing(self._cursor(connection)) as cursor:
                # A cursor of DuckDB is a connection of its own, and only it can end its query.
                self._connection = cursor if _package(connection) in _DUCKDB else connection
                self._check()
                if self._parameters:
                    cursor.execute(self._sql, self._parameters)
                else:
                    cursor.execute(self._sql)
                # A named cursor of psycopg2 knows its columns after the first rows only.
                most = FETCH_FROM_SERVER if _named(cursor) else FETCH
                rows = cursor.fetchmany(FIRST_FETCH) if cursor.description or _named(cursor) else []
                if not cursor.description:
                    raise SourceError(_NO_ROWS)
                columns = tuple(column[0] for column in cursor.description)
                rows = _cells(rows)
                yield Chunk(columns, rows)
                while rows:
                    read += len(rows)
                    size = fetch_size(rows, most)
                    self._check()
                    rows = _cells(cursor.fetchmany(size))
                    if rows:
                        yield Chunk(columns, rows)
        except (SourceError, ParameterError):
            raise
        except Exception as error:  # noqa: BLE001 - each driver has exceptions of its own
            self._check()
            where = f"after {read:,} rows" if read else "at its start"
            place = warehouse(self._hook)
            # Not chained: a driver's traceback quotes the row, which is personal.
            said = f"The warehouse query broke off {where}{f' ({place})' if place else ''}: {_said(error)}"
            advice = ""
            if not read and literal_percent(self._connection, self._sql, self._parameters):
                advice = "In a query with parameters, write %% for a literal %."
            elif not read and self._connection is None:
                advice = "Check that the database is running, and the connection's host, port, user and password."
            elif not read:
                advice = "Check the SQL, its parameters, and that the connection's user may read the tables."
            raise SourceError(said, advice=advice) from None
        finally:
            self._connection = None

    def cancel(self) -> None:
        """End the query from another thread; :meth:`chunks` then raises, at the latest before its next fetch."""
        self._cancelled = True
        with suppress(Exception):  # the connection may be closed by now
            connection = self._connection
            packages = [base.__module__.partition(".")[0] for base in type(connection).__mro__]
            method = next(_CANCEL[package] for package in packages if package in _CANCEL)
            getattr(connection, method)()

    def _check(self) -> None:
        """Raise if the query was cancelled.

        :raises SourceError: it was.
        """
        if self._cancelled:
            raise SourceError("The warehouse query was cancelled.") from None

    def _cursor(self, connection: Any) -> Any:
        """Open a cursor that leaves the rows on the server where the driver can."""
        package = _package(connection)
        if package in _DUCKDB:
            return _duckdb_cursor(connection, self._sql)
        if package == "sqlite3" and not connection.in_transaction:
            connection.execute("BEGIN")  # or a CREATE or a DROP would stay
        if package not in ("psycopg2", "psycopg"):
            return connection.cursor()
        if ";" in self._sql:
            _one_statement(self._hook.split_sql_string(self._sql))
        with suppress(AttributeError):
            connection.autocommit = False
        found = _first_word(self._sql)
        if found is None or found[1].lower() not in _QUERIES:
            return connection.cursor()
        cursor = connection.cursor(f"pinterest_{uuid4().hex}")
        cursor.itersize = FETCH_FROM_SERVER
        return cursor


def warehouse(hook: Any) -> str:
    """Return which warehouse a hook connects to: its connection, and host and port if there are any."""
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


def _package(connection: object) -> str:
    """Return the package of a connection's driver."""
    return type(connection).__module__.partition(".")[0]


def _one_statement(statements: Sequence[object]) -> None:
    """Raise if there are several.

    :raises ParameterError: there are.
    """
    if len(statements) > 1:
        raise ParameterError(f"sql must be one statement, got {len(statements)}.")


def _duckdb_cursor(connection: Any, sql: str) -> Any:
    """Open a cursor in a transaction that is never committed.

    DuckDB runs all of several statements, and answers a change with the number of rows changed.

    :raises ParameterError: there are several statements.
    :raises SourceError: the statement changes something.
    """
    statements = connection.extract_statements(sql)
    _one_statement(statements)
    for statement in statements:
        results = {kind.name for kind in statement.expected_result_type}
        if results != {"QUERY_RESULT"} and statement.type.name != "MULTI":  # PIVOT is several in one
            raise SourceError(_NO_ROWS)
    cursor = connection.cursor()
    cursor.begin()
    return cursor


def _named(cursor: Any) -> bool:
    """Tell whether the rows stay on the server until they are fetched."""
    return bool(getattr(cursor, "name", None))


def _cells(rows: Sequence[Any]) -> Sequence[Sequence[Any]]:
    """Return rows as sequences, also those of a cursor that was configured to make mappings of them."""
    if rows and isinstance(rows[0], Mapping):
        return [list(row.values()) for row in rows]
    return rows


def _said(error: Exception) -> str:
    """Return what a driver says, as sentences, without what it quotes of the row."""
    lines = [line for line in str(error).strip().splitlines() if line.strip() and not line.startswith(_ROW_LINES)]
    sentences = [line if line.rstrip().endswith((".", "?", "!", ":", "^")) else f"{line}." for line in lines[:3]]
    return f"{type(error).__name__}: {clean(' '.join(sentences))}"
