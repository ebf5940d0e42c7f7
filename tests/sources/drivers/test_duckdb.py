"""DuckDB, in this process."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from airflow_provider_pinterest.sources.sql import SqlSource
from tests.sources.reading import Hook, broken, cancelled, growth, read

duckdb = pytest.importorskip("duckdb")


@pytest.fixture
def query():
    return lambda sql, parameters=None: SqlSource(Hook(duckdb.connect), sql, parameters)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_a_million_rows_take_no_more_memory_than_a_few(query):
    growth(query("SELECT range, repeat('x', 400) FROM range(100000)"))

    count, grown = growth(query("SELECT range, repeat('x', 400) FROM range(1000000)"))

    assert count == 1_000_000
    assert grown < 40, f"{grown:.0f} MiB"


def test_a_query_is_cancelled_from_another_thread(query):
    sql = "SELECT max(a.range * b.range) FROM range(1000000000) a, range(1000000000) b"

    assert cancelled(query(sql)) == "The warehouse query was cancelled."


def test_nested_cells_are_lists_and_mappings(query):
    sql = (
        """SELECT [{'item_id': 'a', 'price': 72.390::DECIMAL(10, 3)}] AS contents, MAP {'a': 1} AS m, $id AS event_id"""
    )

    assert read(query(sql, {"id": "'; --"}))[1] == [([{"item_id": "a", "price": Decimal("72.390")}], {"a": 1}, "'; --")]


@pytest.mark.parametrize(
    ("literal", "cell"),
    [
        ("DATE '20000-01-01'", "20000-01-01"),
        ("TIMESTAMP '20000-01-01'", "20000-01-01 00:00:00"),
        ("DATE '0044-03-15 (BC)'", "0044-03-15 (BC)"),
        ("DATE 'infinity'", dt.date.max),
    ],
)
def test_a_date_that_python_cannot_hold_costs_no_other_row(query, literal, cell):
    found = read(query(f"SELECT range, CASE WHEN range = 40 THEN {literal} END FROM range(1000)"))[1]  # noqa: S608

    assert len(found) == 1_000
    assert found[40] == (40, cell)


def test_the_database_s_words_are_told(query):
    assert "no_such_table" in broken(query("SELECT * FROM no_such_table"))[0]
