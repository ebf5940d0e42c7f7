"""The demo's warehouse in other databases: the same schema, and the same rows."""

from __future__ import annotations

import dataclasses
import datetime as dt
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extras import execute_values

from demo import warehouse
from harness.postgres import PostgresServer

_BOOLEAN = "BOOLEAN"
_TIME = "TIMESTAMPTZ"
_AT_ONCE = 500


def tables(path: Path) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """Yield the tables of a SQLite warehouse, their rows with the types that the schema declares."""
    with closing(sqlite3.connect(path)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            types = [column[2] for column in connection.execute(f"PRAGMA table_info({table})")]
            rows = connection.execute(f"SELECT * FROM {table}")  # noqa: S608 - the schema's own names
            yield table, [tuple(map(_typed, types, row)) for row in rows]


def copy_to_postgres(path: Path, server: PostgresServer) -> None:
    """Make the warehouse in a new database of a server."""
    with closing(psycopg2.connect(dataclasses.replace(server, database="postgres").dsn)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {server.database}")
    with closing(psycopg2.connect(server.dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(warehouse.SCHEMA.read_text("utf-8"))
        for table, rows in tables(path):
            execute_values(cursor, f"INSERT INTO {table} VALUES %s", rows)  # noqa: S608 - the schema's own names


def copy_to_duckdb(path: Path, connection: Any) -> None:
    """Make the warehouse in an empty DuckDB database."""
    connection.execute(warehouse.SCHEMA.read_text("utf-8"))
    for table, rows in tables(path):
        marks = f"({', '.join('?' * len(rows[0]))})"
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            values = ", ".join([marks] * len(some))
            connection.execute(f"INSERT INTO {table} VALUES {values}", list(chain.from_iterable(some)))  # noqa: S608


def _typed(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == _BOOLEAN:
        return bool(value)
    if kind == _TIME:
        time = dt.datetime.fromisoformat(value)
        return time if time.tzinfo else time.replace(tzinfo=dt.UTC)
    return value
