"""Reads rows through any DB-API driver (PEP 249)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from decimal import Decimal
from typing import Any, ClassVar, Final

from airflow_provider_pinterest.exceptions import ParameterError

FETCH: Final = 500
"""Rows per fetch: as many as fit into a processor's cache."""

FETCH_FROM_SERVER: Final = 2_000
"""Rows per fetch if each fetch is a round trip to the server."""

FIRST_FETCH: Final = 32
"""Rows of the first fetch, which shows the size of the rows."""

NO_ROWS: Final = "The statement returned no result set; expected a SELECT."

Parameters = Mapping[str, Any] | Sequence[Any] | None
"""Values that a driver binds to a statement."""

Converter = Callable[[Any], Any]
"""Converts a driver's cell to a plain value. If it raises, the cell is kept as it is."""


class DriverReader:
    """Reads the rows of one statement.

    The methods are called in one thread, except :meth:`cancel`.

    :param hook: the hook that opened the connection; it can open another one.
    :param connection: used only by this reader, which closes it.
    :param sql: one statement.
    """

    modules: ClassVar[tuple[str, ...]] = ()
    """Modules or packages of the connections that this reader is for."""

    fetch_rows: int = FETCH
    """Largest number of rows per fetch."""

    paramstyle: ClassVar[str | None] = None
    """The style of placeholders, if the connection's module does not give it or gives a wrong one.

    :data:`~airflow_provider_pinterest.sources.paramstyles.STYLES` names the styles.
    """

    def __init__(self, hook: Any, connection: Any, sql: str) -> None:
        self.hook = hook
        self.connection = connection
        self.sql = sql
        self.cursor: Any = None
        self._converters: dict[int, Converter] | None = None

    def start(self, parameters: Parameters) -> Sequence[Sequence[Any]] | None:
        """Run the statement and return its first rows; ``None`` if it has no result set."""
        self.cursor = self.open()
        self.execute(parameters)
        if not self.cursor.description:
            return None
        return self.fetch(FIRST_FETCH)

    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns, after :meth:`start`."""
        return tuple(column[0] for column in self.cursor.description or ())

    def fetch(self, size: int) -> Sequence[Sequence[Any]]:
        """Return the next rows, ``size`` at most; an empty list at the end."""
        rows = sequences(self.fetch_cells(size))
        if self._converters is None:
            self._converters = self.converters()
        return converted(rows, self._converters) if self._converters else rows

    def cancel(self) -> None:
        """End the statement. Called from another thread. By default it ends before the next fetch."""

    def close(self) -> None:
        """Close the cursor and the connection."""
        with suppress(Exception):  # the rows that were read are correct in any case
            if self.cursor is not None:
                self.cursor.close()
        with suppress(Exception):
            self.connection.close()

    def open(self) -> Any:
        """Return a new cursor."""
        return self.connection.cursor()

    def execute(self, parameters: Parameters) -> None:
        """Run the statement on the cursor."""
        if parameters:
            self.cursor.execute(self.sql, parameters)
        else:
            self.cursor.execute(self.sql)

    def fetch_cells(self, size: int) -> Sequence[Any]:
        """Return the next rows as the driver returns them."""
        return self.cursor.fetchmany(size)  # type: ignore[no-any-return]

    def converters(self) -> dict[int, Converter]:
        """Return the converters of columns, by position."""
        return {}


def one_statement(statements: Sequence[object]) -> None:
    """Check that there is one statement, for drivers that would run several.

    :raises ParameterError: there are several statements.
    """
    if len(statements) > 1:
        raise ParameterError(f"sql must be one statement, got {len(statements)}. Keep the query only.")


def run_beside(hook: Any, statement: str) -> None:
    """Run a statement through a second connection, to end the statement of the first one."""
    with closing(hook.get_conn()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(statement)


def sequences(rows: Sequence[Any]) -> Sequence[Sequence[Any]]:
    """Return rows as sequences; some drivers return mappings or objects."""
    if not rows or type(rows[0]) is tuple or type(rows[0]) is list:
        return rows
    if isinstance(rows[0], Mapping):
        return [list(row.values()) for row in rows]
    return [tuple(row) for row in rows]


def converted(rows: Sequence[Sequence[Any]], converters: Mapping[int, Converter]) -> list[list[Any]]:
    """Return rows with the cells of some columns converted. A cell that cannot be converted is kept as it is."""
    found = [list(row) for row in rows]
    for position, convert in converters.items():
        for row in found:
            cell = row[position]
            if cell is not None:
                row[position] = or_itself(convert, cell)
    return found


def or_itself(convert: Converter, cell: Any) -> Any:
    """Return a converted cell, or the cell itself if it cannot be converted; its row may then be rejected."""
    try:
        return convert(cell)
    except Exception:  # noqa: BLE001 - a cell may be anything
        return cell


def json_value(text: Any) -> Any:
    """Parse a JSON text; other cells are returned as they are.

    :raises ValueError: the text is not JSON.
    """
    return json.loads(text, parse_float=Decimal) if isinstance(text, (str, bytes, bytearray)) else text
