"""Oracle, through python-oracledb. Large objects are fetched as text and bytes, not as locators."""

from __future__ import annotations

import sys
from typing import Any, Final

from airflow_provider_pinterest.sources.drivers.base import Converter, DriverReader

_LARGE: Final = {
    "DB_TYPE_CLOB": "DB_TYPE_LONG",
    "DB_TYPE_NCLOB": "DB_TYPE_LONG_NVARCHAR",
    "DB_TYPE_BLOB": "DB_TYPE_LONG_RAW",
}
"""Type → the type to fetch it as. A locator would need a round trip to the server for each cell."""


class Oracle(DriverReader):
    """python-oracledb: its cursor reads the result in parts."""

    modules = ("oracledb",)

    def open(self) -> Any:
        """Open a cursor that fetches large objects together with their rows."""
        driver = sys.modules["oracledb"]
        kinds = {getattr(driver, name): getattr(driver, fetched) for name, fetched in _LARGE.items()}

        def handler(cursor: Any, column: Any) -> Any:
            if column.type_code in kinds:
                return cursor.var(kinds[column.type_code], arraysize=cursor.arraysize)
            return None

        cursor = super().open()
        cursor.arraysize = self.fetch_rows
        cursor.outputtypehandler = handler
        return cursor

    def cancel(self) -> None:
        """Cancel the statement that the connection runs."""
        self.connection.cancel()

    def converters(self) -> dict[int, Converter]:
        """Read the remaining locators."""
        driver = sys.modules["oracledb"]
        kinds = {getattr(driver, name) for name in _LARGE}
        return {position: _text for position, column in enumerate(self.cursor.description or ()) if column[1] in kinds}


def _text(cell: Any) -> Any:
    return cell.read() if hasattr(cell, "read") else cell
