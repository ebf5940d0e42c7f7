"""Cells of Postgres that Python cannot hold, through psycopg 2 and psycopg 3."""

import contextlib
import datetime as dt

import psycopg2
import pytest

from airflow_provider_pinterest.sources.sql import SqlSource
from tests.sources.reading import Hook, read


@pytest.fixture(params=["psycopg2", "psycopg"])
def connect(request, postgres):
    driver = pytest.importorskip(request.param)
    return lambda **options: driver.connect(postgres.dsn, **options)


@pytest.fixture
def rows(connect):
    return lambda sql, parameters=None: read(SqlSource(Hook(connect), sql, parameters))[1]


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ("'infinity'::date", "infinity"),
        ("'-infinity'::timestamp", "-infinity"),
        ("'infinity'::timestamptz", "infinity"),
        ("'20000-01-01'::date", "20000-01-01"),
        ("'20000-01-01 10:00'::timestamp", "20000-01-01 10:00:00"),
        ("'20000-01-01 10:00Z'::timestamptz", "20000-01-01 10:00:00+00"),
        ("'0044-03-15 BC'::date", "0044-03-15 BC"),
        ("'0044-03-15 10:00 BC'::timestamp", "0044-03-15 10:00:00 BC"),
        ("'4000000 years'::interval", "4000000 years"),
    ],
)
def test_a_time_that_python_cannot_hold_comes_as_text_and_costs_no_other_row(rows, literal, text):
    sql = f"SELECT n, CASE WHEN n = 40 THEN {literal} END FROM generate_series(1, 3000) n"  # noqa: S608

    found = rows(f"SELECT set_config('TimeZone', 'UTC', false) IS NULL, q.* FROM ({sql}) q")  # noqa: S608

    assert [cells[1] for cells in found] == list(range(1, 3001))
    assert {cells[1:] for cells in found if cells[2] is not None} == {(40, text)}


@pytest.mark.parametrize("literal", ["'24:00'::time", "'24:00Z'::timetz"])
def test_midnight_at_the_end_of_the_day_costs_no_row(rows, literal):
    assert rows(f"SELECT {literal}")[0][0] in ("24:00:00", "24:00:00+00", dt.time(0), dt.time(0, tzinfo=dt.UTC))


def test_times_that_python_can_hold_come_as_times(rows):
    sql = """
        SELECT '2026-11-21'::date, '2026-11-21 10:00'::timestamp, '2026-11-21 10:00+01'::timestamptz, '10:00'::time,
            '1 day'::interval, ARRAY['2026-11-21'::date], NULL::date
    """

    assert rows(sql) == [
        (
            dt.date(2026, 11, 21),
            dt.datetime(2026, 11, 21, 10),  # noqa: DTZ001
            dt.datetime(2026, 11, 21, 9, tzinfo=dt.UTC),
            dt.time(10),
            dt.timedelta(days=1),
            [dt.date(2026, 11, 21)],
            None,
        )
    ]


def test_a_list_of_times_keeps_those_that_python_can_hold(rows):
    assert rows("SELECT ARRAY['infinity', '2026-11-21']::date[]") == [(["infinity", dt.date(2026, 11, 21)],)]


@pytest.mark.parametrize("kind", ["json", "jsonb"])
def test_json_with_a_number_that_python_refuses_comes_as_text(rows, kind):
    number = "9" * 5_000

    found = rows(f"SELECT '{{\"a\": {number}}}'::{kind} UNION ALL SELECT '{{\"a\": 1}}'")

    assert found == [(f'{{"a": {number}}}',), ({"a": 1},)]


def test_other_connections_read_as_before(connect, rows):
    rows("SELECT 'infinity'::date")

    with contextlib.closing(connect()) as beside, beside.cursor() as cursor:
        cursor.execute("SELECT '{\"a\": 1}'::jsonb, '2026-11-21'::date")
        assert cursor.fetchall() == [({"a": 1}, dt.date(2026, 11, 21))]
        cursor.execute("SELECT '20000-01-01'::date")
        with pytest.raises(Exception, match=r"year|too large"):
            cursor.fetchall()


def test_text_of_a_database_that_does_not_know_its_encoding(postgres):
    """psycopg 2 would read it as ASCII, and end the fetch; psycopg 3 gives bytes."""
    with contextlib.closing(psycopg2.connect(postgres.dsn)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("CREATE DATABASE unknown ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")

    dsn = f"{postgres.dsn.rpartition('/')[0]}/unknown"
    sql = r"SELECT 'ada' UNION ALL SELECT convert_from('\xc3a9'::bytea, 'SQL_ASCII') "
    sql += r"UNION ALL SELECT convert_from('\xe9'::bytea, 'SQL_ASCII')"
    _, found = read(SqlSource(Hook(lambda: psycopg2.connect(dsn)), sql))

    assert found == [("ada",), ("é".encode(),), (b"\xe9",)]
