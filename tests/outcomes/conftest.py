"""A local Pinterest, and empty databases of each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from airflow_provider_pinterest.sandbox import Sandbox

DRIVERS = ("sqlite3", "duckdb", "psycopg2", "psycopg", "psycopg-autocommit", "pymysql", "mysql.connector")
TABLES = ("pinterest_outcomes", "pinterest_outcomes_state", "pinterest_sync_state")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture(params=DRIVERS)
def connect(request, tmp_path) -> Callable[[], Any]:
    """Make connections to an empty database, by one of the drivers."""
    return connections(request, request.param, tmp_path)


@pytest.fixture(params=["sqlite3", "psycopg2", "pymysql"])
def shared(request, tmp_path) -> Callable[[], Any]:
    """Make connections to an empty database that several processes may use at once."""
    return connections(request, request.param, tmp_path)


@pytest.fixture
def sqlite(request, tmp_path) -> Callable[[], Any]:
    return connections(request, "sqlite3", tmp_path)


@pytest.fixture
def postgresql(request, tmp_path) -> Callable[[], Any]:
    return connections(request, "psycopg2", tmp_path)


def connections(request: Any, name: str, folder: Any) -> Callable[[], Any]:
    driver = name.partition("-")[0]
    module = pytest.importorskip(driver, exc_type=ImportError)
    if driver in ("sqlite3", "duckdb"):
        return partial(module.connect, str(folder / "outcomes.db"))
    if driver.startswith("psycopg"):
        server = request.getfixturevalue("postgres")
        with closing(module.connect(server.dsn)) as connection:
            for table in TABLES:
                connection.cursor().execute(f"DROP TABLE IF EXISTS {table}")
            connection.commit()
        return partial(module.connect, server.dsn, **({"autocommit": True} if "-" in name else {}))
    server = request.getfixturevalue("mariadb")
    address = {"host": server.host, "port": server.port, "user": server.user}
    with closing(module.connect(**address)) as connection:
        cursor = connection.cursor()
        cursor.execute("DROP DATABASE IF EXISTS outcomes")
        cursor.execute("CREATE DATABASE outcomes")
    return partial(module.connect, **address, database="outcomes")
