"""The benchmarks' rows are realistic, valid, and mean the same to the operator and to the loop beside it."""

from __future__ import annotations

import datetime as dt
import sqlite3
from contextlib import closing
from statistics import mean
from typing import Any

import orjson
import pytest

from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.outcomes import Event, RowBatch
from airflow_provider_pinterest.conversions.transform import Transform
from benchmarks import by_hand, rows

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
COUNT = 2_000
PLAIN = {"client_ip_address", "client_user_agent", "click_id"}


@pytest.fixture(scope="module")
def source() -> list[rows.Row]:
    return list(rows.rows(COUNT, now=NOW))


@pytest.fixture(scope="module")
def events(source) -> list[dict[str, Any]]:
    mapping = ColumnMapping(defaults=rows.DEFAULTS)
    mapping.check(rows.COLUMNS)
    transform = Transform(mapping, now=NOW.timestamp())
    outcomes = list(transform.events([RowBatch(rows.COLUMNS, source)]))
    assert not transform.warnings
    built = [outcome for outcome in outcomes if isinstance(outcome, Event)]
    assert len(built) == COUNT
    return [orjson.loads(event.body) for event in built]


def test_rows_are_the_same_for_the_same_seed_and_fewer_are_the_beginning_of_more(source):
    assert list(rows.rows(100, now=NOW)) == source[:100]
    assert list(rows.rows(100, now=NOW, seed=8)) != source[:100]


def test_an_event_is_of_the_usual_size(events):
    hashed = {len(event["user_data"].keys() - PLAIN) for event in events}

    assert hashed == {9, 10, 11}
    assert all(len(event["custom_data"]["contents"]) == 2 for event in events)
    assert 1_350 < mean(len(orjson.dumps(event)) for event in events) < 1_500


def test_the_loop_beside_the_operator_sends_the_same_identifiers(source, events):
    for row, event in zip(source, events, strict=True):
        assert by_hand.user_data(dict(zip(rows.COLUMNS, row, strict=True))) == event["user_data"]


def test_the_warehouse_yields_the_same_rows(source, tmp_path):
    path = tmp_path / "warehouse.db"
    rows.write_sqlite(path, COUNT, now=NOW)

    with closing(sqlite3.connect(path)) as database:
        assert database.execute(rows.sql(), {"rows": 700}).fetchall() == source[:700]


def test_postgres_yields_the_same_rows(source, postgres):
    import psycopg2

    with closing(psycopg2.connect(postgres.dsn)) as database, database.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {rows.TABLE}")
        database.commit()
        rows.write_postgres(postgres.dsn, 300, now=NOW)
        cursor.execute(rows.sql(limit="%(rows)s"), {"rows": 200})
        found = cursor.fetchall()
        database.rollback()
        cursor.execute(f"DROP TABLE {rows.TABLE}")
        database.commit()

    time, value = rows.COLUMNS.index("event_time"), rows.COLUMNS.index("value")
    assert len(found) == 200
    for row, expected in zip(found, source, strict=False):
        assert row[0] == expected[0]
        assert row[time] == dt.datetime.fromisoformat(expected[time])
        assert float(row[value]) == expected[value]
