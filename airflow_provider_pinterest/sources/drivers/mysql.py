"""MySQL and MariaDB. The default cursors of the drivers load the whole result; these readers use unbuffered cursors.

An unbuffered cursor reads all remaining rows when it is closed, so the statement is killed first.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar, Final

from airflow_provider_pinterest.sources.drivers.base import Converter, DriverReader, run_beside

WRITE_TIMEOUT: Final = 86_400
"""Seconds that the server waits until the next rows are read. The default is a minute; Pinterest may be unavailable
longer."""

_BIT: Final = 16
"""The number of the type BIT."""


class MySql(DriverReader):
    """The common part of the drivers."""

    def __init__(self, hook: Any, connection: Any, sql: str) -> None:
        super().__init__(hook, connection, sql)
        self._id = self.connection_id()
        self._running = False

    def connection_id(self) -> int:
        """Return the server's id of this connection."""
        return int(self.connection.thread_id())

    def execute(self, parameters: Any) -> None:
        """Run the statement, in a session with a long time-out."""
        with suppress(Exception):
            self.cursor.execute(f"SET SESSION net_write_timeout = {WRITE_TIMEOUT}")
        self._running = True
        super().execute(parameters)

    def fetch_cells(self, size: int) -> Sequence[Any]:
        """Return the next rows."""
        if not self._running:
            return []
        rows = super().fetch_cells(size)
        self._running = len(rows) == size
        return rows

    def cancel(self) -> None:
        """Kill the statement through a second connection."""
        run_beside(self.hook, f"KILL QUERY {self._id}")

    def close(self) -> None:
        """Kill the statement if rows are left, then close cursor and connection."""
        if self._running:
            with suppress(Exception):
                self.cancel()
        super().close()

    def converters(self) -> dict[int, Converter]:
        """Convert bits, which come as bytes, to numbers."""
        return {position: _number for position, column in enumerate(self.cursor.description or ()) if column[1] == _BIT}


class _Unbuffered(MySql):
    """Drivers with a class of unbuffered cursors."""

    cursors: ClassVar[str]
    """The module that has it."""

    def open(self) -> Any:
        """Open an unbuffered cursor."""
        return self.connection.cursor(importlib.import_module(self.cursors).SSCursor)


class MySqlClient(_Unbuffered):
    """mysqlclient, the default of Airflow's hook."""

    modules = ("MySQLdb",)
    cursors = "MySQLdb.cursors"


class PyMySql(_Unbuffered):
    """PyMySQL."""

    modules = ("pymysql",)
    cursors = "pymysql.cursors"


class MySqlConnector(MySql):
    """MySQL Connector/Python: ``{"client": "mysql-connector-python"}`` in the extra of Airflow's connection."""

    modules = ("mysql.connector",)
    paramstyle = "replaced"
    """The driver replaces placeholders in the text, and keeps every other percent sign."""

    def connection_id(self) -> int:
        """Return the server's id of this connection."""
        return int(self.connection.connection_id)

    def open(self) -> Any:
        """Open an unbuffered cursor, even if the connection is set to buffered ones."""
        return self.connection.cursor(buffered=False)


def _number(cell: Any) -> Any:
    return int.from_bytes(cell, "big") if isinstance(cell, bytes) else cell
