"""The queries of the page about the outcome table, on PostgreSQL."""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from functools import partial

import psycopg2
import pytest
import yaml

from airflow_provider_pinterest.outcomes.records import COLUMNS
from airflow_provider_pinterest.sandbox import Sandbox
from airflow_provider_pinterest.sync import OutcomeTable
from tests.docs.pages import DOCS, blocks, lines
from tests.running import row
from tests.sync.plain import run

PAGE = DOCS / "outcomes.md"


def query(name):
    [found] = [block.text for block in blocks(PAGE, "sql") if block.text.startswith(f"-- {name}")]
    return found


@pytest.fixture
def database(postgres):
    """A table in which everything was written a day ago: two processed events, one failed and one rejected row."""
    connect = partial(psycopg2.connect, postgres.dsn)
    with closing(connect()) as connection:
        connection.cursor().execute("DROP TABLE IF EXISTS pinterest_outcomes")
        connection.commit()
    many = [row(1, order="A-1"), row(2, order="A-2", phone="+49 30 1234567"), row(3, order="A-3"), row(4, email="none")]
    with Sandbox() as sandbox:
        sandbox.fault("fail_event", event_id="order-3")
        run(
            many,
            sandbox,
            call={"outcomes": OutcomeTable(connect, "monday")},
            key_columns=["order"],
            field_map={"order": None},
            max_rejected=1.0,
        )
    with closing(connect()) as connection:
        connection.cursor().execute(
            "UPDATE pinterest_outcomes SET written_at = CURRENT_DATE - INTERVAL '1 hour', "
            "event_time = CURRENT_DATE - INTERVAL '3 hours'"
        )
        connection.commit()
        yield connection


def fetched(connection, sql):
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def test_what_failed_yesterday(database):
    assert sorted(fetched(database, query("failed yesterday"))) == [
        ("checkout", "failed", "pinterest_failed", 1, '{"order":"A-3"}'),
        ("checkout", "rejected", "no_match_key", 1, '{"order":null}'),
    ]


def test_freshness_by_day(database):
    [(_, events, median, greatest)] = fetched(database, query("freshness by day"))

    assert (events, median, greatest) == (2, dt.timedelta(hours=2), dt.timedelta(hours=2))


def test_match_keys_by_day(database):
    [(_, events, *shares)] = fetched(database, query("match keys by day"))

    assert (events, [float(share) for share in shares]) == (2, [1.0, 0.5, 0.0])


def test_retention(database):
    with closing(database.cursor()) as cursor:
        cursor.execute(query("retention"))
        assert cursor.rowcount == 0
        cursor.execute("UPDATE pinterest_outcomes SET written_at = CURRENT_DATE - INTERVAL '401 days'")
        cursor.execute(query("retention"))
        assert cursor.rowcount == 4


def test_the_dbt_source_names_columns_of_the_table():
    [block] = blocks(PAGE, "yaml")
    [source] = yaml.safe_load(block.text)["sources"]
    [named] = source["tables"]

    assert {column["name"] for column in named["columns"]} | {source["loaded_at_field"]} <= set(COLUMNS)


def test_every_column_is_explained():
    explained = " ".join(line.cells[0] for line in lines(PAGE))

    assert [name for name in COLUMNS if f"`{name}`" not in explained] == []
