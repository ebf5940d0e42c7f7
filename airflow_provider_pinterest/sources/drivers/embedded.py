"""Databases in the task's own process: SQLite and DuckDB. Both make rows while they are fetched."""

from __future__ import annotations

from airflow_provider_pinterest.sources.drivers.base import DriverReader


class Sqlite(DriverReader):
    """SQLite."""

    modules = ("sqlite3",)

    def cancel(self) -> None:
        """Interrupt the connection."""
        self.connection.interrupt()


class DuckDB(DriverReader):
    """DuckDB. A cursor is a connection of its own there, so the connection's interrupt does not reach it."""

    modules = ("duckdb", "_duckdb")

    def cancel(self) -> None:
        """Interrupt the cursor."""
        self.cursor.interrupt()
