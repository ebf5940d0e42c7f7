"""Snowflake. Cells of VARIANT, OBJECT and ARRAY come as JSON."""

from __future__ import annotations

from typing import Any, Final

from airflow_provider_pinterest.sources.drivers.base import Converter, DriverReader, json_value, run_beside

_JSON_TYPES: Final = frozenset({5, 9, 10})
"""The numbers of VARIANT, OBJECT and ARRAY."""


class Snowflake(DriverReader):
    """snowflake-connector-python: its cursor reads the result in parts."""

    modules = ("snowflake.connector",)

    def __init__(self, hook: Any, connection: Any, sql: str) -> None:
        super().__init__(hook, connection, sql)
        self._session = getattr(connection, "session_id", None)

    def cancel(self) -> None:
        """Cancel the queries of this session, through a second session."""
        if self._session is not None:
            run_beside(self.hook, f"SELECT SYSTEM$CANCEL_ALL_QUERIES({self._session})")

    def converters(self) -> dict[int, Converter]:
        """Parse JSON cells."""
        return {
            position: json_value
            for position, column in enumerate(self.cursor.description or ())
            if column[1] in _JSON_TYPES
        }
