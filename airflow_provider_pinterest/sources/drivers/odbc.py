"""ODBC, through pyodbc."""

from __future__ import annotations

import datetime as dt
import struct
from typing import Any, Final

from airflow_provider_pinterest.sources.drivers.base import DriverReader

_DATETIMEOFFSET: Final = -155
"""SQL Server's number of the type; pyodbc fails on it without a converter."""


class Odbc(DriverReader):
    """pyodbc: its cursor reads the result row by row."""

    modules = ("pyodbc",)

    def open(self) -> Any:
        """Open a cursor, on a connection that can read ``datetimeoffset``."""
        self.connection.add_output_converter(_DATETIMEOFFSET, moment)
        return super().open()

    def cancel(self) -> None:
        """Cancel the cursor's statement."""
        self.cursor.cancel()


def moment(cell: bytes) -> dt.datetime:
    """Convert a ``SQL_SS_TIMESTAMPOFFSET_STRUCT``: six numbers, nanoseconds, and hours and minutes of the zone."""
    year, month, day, hour, minute, second, nanoseconds, hours, minutes = struct.unpack("<6hI2h", cell)
    zone = dt.timezone(dt.timedelta(hours=hours, minutes=minutes))
    return dt.datetime(year, month, day, hour, minute, second, nanoseconds // 1_000, tzinfo=zone)
