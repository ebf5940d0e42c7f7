"""Redshift, through redshift_connector.

Its cursor loads the whole result, so the rows are read through a server-side cursor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

from airflow_provider_pinterest.sources.drivers.base import FETCH_FROM_SERVER, DriverReader, Parameters, run_beside


class Redshift(DriverReader):
    """redshift_connector."""

    modules = ("redshift_connector",)
    fetch_rows = FETCH_FROM_SERVER
    _process: int | None = None
    _declared: str | None = None

    def open(self) -> Any:
        """Open a cursor, and ask the server for the id of its process."""
        self.connection.autocommit = False
        cursor = super().open()
        with suppress(Exception):
            cursor.execute("SELECT pg_backend_pid()")
            self._process = int(cursor.fetchone()[0])
        return cursor

    def execute(self, parameters: Parameters) -> None:
        """Declare a cursor for the query; run statements that cannot have a cursor directly."""
        if isinstance(parameters, Mapping):
            self.cursor.paramstyle = "pyformat"  # by default the driver takes %s only
        name = f"pinterest_{uuid4().hex}"
        statement = self.sql
        try:
            self.sql = f"DECLARE {name} CURSOR FOR {statement}"
            super().execute(parameters)
            self.cursor.execute(f"FETCH FORWARD 0 FROM {name}")
        except Exception:  # noqa: BLE001 - running the statement directly then shows the error
            self.connection.rollback()
            self.sql = statement
            super().execute(parameters)
        else:
            self._declared = name

    def fetch_cells(self, size: int) -> Sequence[Any]:
        """Return the next rows."""
        if self._declared is None:
            return super().fetch_cells(size)
        self.cursor.execute(f"FETCH FORWARD {int(size)} FROM {self._declared}")
        return self.cursor.fetchall()  # type: ignore[no-any-return]

    def cancel(self) -> None:
        """Cancel the statement through a second connection."""
        if self._process is not None:
            run_beside(self.hook, f"SELECT pg_cancel_backend({self._process})")
