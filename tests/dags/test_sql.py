"""The queries of the example DAGs return the same rows on SQLite, PostgreSQL and DuckDB."""

import dataclasses
import datetime as dt
import sqlite3
from collections import Counter
from contextlib import closing
from types import SimpleNamespace

import jinja2
import psycopg2
import pytest

from demo import stage, warehouse
from demo.kinds import Feed
from tests.dags.databases import copy_to_duckdb, copy_to_postgres

FEEDS = {
    "app_events.sql": Feed.APP_EVENTS,
    "browsing.sql": Feed.BROWSING,
    "checkouts.sql": Feed.CHECKOUTS,
    "store_sales.sql": Feed.STORE_SALES,
}
DAILY = {"erasure_requests.sql", "store_sales.sql"}
QUERIES = sorted(path.name for path in (stage.DAGS / "sql").glob("*.sql"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return warehouse.build(tmp_path_factory.mktemp("shop") / "warehouse.db", now=dt.datetime.now(dt.UTC))


@pytest.fixture(scope="module")
def sqlite(shop):
    with closing(sqlite3.connect(shop.path)) as connection:
        yield "sqlite", connection


@pytest.fixture(scope="module")
def postgresql(shop, postgres):
    server = dataclasses.replace(postgres, database="example_queries")
    copy_to_postgres(shop.path, server)
    with closing(psycopg2.connect(server.dsn)) as connection:
        connection.cursor().execute("SET TIME ZONE 'Asia/Tokyo'")
        yield "postgres", connection


@pytest.fixture(scope="module")
def duckdb(shop):
    with pytest.importorskip("duckdb").connect() as connection:
        copy_to_duckdb(shop.path, connection)
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        yield "duckdb", connection


@pytest.fixture(params=["sqlite", "postgresql", "duckdb"])
def database(request):
    return request.getfixturevalue(request.param)


def rendered(name, database):
    """Render a query as Airflow does, for a connection of a type."""
    environment = jinja2.Environment(  # noqa: S701 - SQL, not HTML
        loader=jinja2.FileSystemLoader(stage.DAGS), undefined=jinja2.StrictUndefined
    )
    return environment.get_template(f"sql/{name}").render(
        conn=SimpleNamespace(warehouse=SimpleNamespace(conn_type=database))
    )


def rows(name, database, window):
    kind, connection = database
    sql = rendered(name, kind)
    cursor = connection.cursor()
    bound = {"start": str(window.start), "end": str(window.end)}
    cursor.execute(sql, bound | ({"shop": "de"} if "shop" in sql.partition("WHERE")[2] else {}))
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_returns_the_rows_of_the_window(name, shop, sqlite, database):
    window = shop.day if name in DAILY else shop.quarter

    found = rows(name, database, window)

    same = ("email", "event_id", "order_id", "event_name", "num_items", "payload")
    expected = rows(name, sqlite, window)
    assert found
    assert [list(row) for row in found] == [list(row) for row in expected]
    assert Counter(str([row.get(key) for key in same]) for row in found) == Counter(
        str([row.get(key) for key in same]) for row in expected
    )
    if name in FEEDS:
        keys = {row.get("event_id") for row in found} | {row.get("order_id") for row in found}
        assert shop.keys[FEEDS[name]] <= keys
