"""Databases in the task's own process: SQLite and DuckDB. Both produce rows while they are fetched."""

from __future__ import annotations

from typing import Any

from airflow_provider_pinterest.exceptions import SourceError
from airflow_provider_pinterest.sources.drivers.base import NO_ROWS, DriverReader, one_statement


class Sqlite(DriverReader):
    """SQLite."""

    modules = ("sqlite3",)
    paramstyle = "named"

    def open(self) -> Any:
        """Open a cursor in a transaction that is never committed."""
        if not self.connection.in_transaction:
            self.connection.execute("BEGIN")  # otherwise a CREATE or a DROP would be permanent
        return super().open()

    def cancel(self) -> None:
        """Interrupt the connection."""
        self.connection.interrupt()


class DuckDB(DriverReader):
    """DuckDB. A cursor is a separate connection, so only the cursor can be interrupted."""

    modules = ("duckdb", "_duckdb")
    paramstyle = "dollar"

    def open(self) -> Any:
        """Open a cursor in a transaction that is never committed.

        DuckDB runs all statements of a text, and returns the number of changed rows for a change.

        :raises ParameterError: there are several statements.
        :raises SourceError: the statement is not a query.
        """
        statements = self.connection.extract_statements(self.sql)
        one_statement(statements)
        for statement in statements:
            results = {kind.name for kind in statement.expected_result_type}
            if results != {"QUERY_RESULT"} and statement.type.name != "MULTI":  # PIVOT is several in one
                raise SourceError(NO_ROWS)
        cursor = super().open()
        cursor.begin()
        return cursor

    def cancel(self) -> None:
        """Interrupt the cursor."""
        self.cursor.interrupt()
