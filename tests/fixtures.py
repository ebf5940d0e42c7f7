"""Fixtures of all tests: a local Pinterest, database servers on demand, and the connections to them."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_pinterest.sandbox import Sandbox
from harness.airflow import sqlite_connection
from harness.mariadb import MariaDbServer, running_mariadb
from harness.postgres import PostgresServer, running_postgres


class SqliteWarehouse:
    """A SQLite database that the connection ``warehouse`` leads to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def connection_json(self) -> str:
        return sqlite_connection(self.path)

    def fill(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Make a table of rows that share their columns."""
        columns = ", ".join(f'"{name}"' for name in rows[0])
        marks = ", ".join("?" * len(rows[0]))
        with contextlib.closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(f"CREATE TABLE {table} ({columns})")
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", [tuple(one.values()) for one in rows])  # noqa: S608


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server while tests need it."""
    if os.environ.get("SKIP_POSTGRES"):
        pytest.skip("SKIP_POSTGRES is set")
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDbServer]:
    """Run a MariaDB server while tests need it."""
    if os.environ.get("SKIP_MARIADB"):
        pytest.skip("SKIP_MARIADB is set")
    with running_mariadb() as server:
        yield server


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Run a local Pinterest."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def pinterest(sandbox: Sandbox, connect: Callable[..., None]) -> Sandbox:
    """Run a local Pinterest that ``pinterest_default`` leads to."""
    connect(sandbox)
    return sandbox


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set ``pinterest_default``: to a sandbox, with changes; ``extra`` replaces single extras, None removes."""

    def set_connection(
        sandbox: Sandbox | None = None, *, extra: Mapping[str, Any] | None = None, **changes: Any
    ) -> None:
        document = {"conn_type": "pinterest", "extra": {}} if sandbox is None else sandbox.connection()
        extras: Any = {**document["extra"], **(extra or {})}  # type: ignore[dict-item]
        document |= {**changes, "extra": {name: value for name, value in extras.items() if value is not None}}
        document = {name: value for name, value in document.items() if value is not None}
        monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_DEFAULT", json.dumps(document))

    return set_connection


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqliteWarehouse:
    found = SqliteWarehouse(tmp_path / "warehouse.db")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", found.connection_json)
    return found


@pytest.fixture
def postgres_warehouse(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> PostgresServer:
    """Let the connection ``warehouse`` lead to PostgreSQL."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", postgres.connection_json)
    return postgres
