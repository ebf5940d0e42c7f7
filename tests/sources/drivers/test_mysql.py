"""MySQL's three drivers, reading from a real MariaDB."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_pinterest.exceptions import SourceError
from airflow_provider_pinterest.sources.drivers.mysql import WRITE_TIMEOUT
from airflow_provider_pinterest.sources.sql import SqlSource
from tests.sources.reading import Hook, broken, cancelled, growth, read

MANY = "SELECT seq AS order_id, REPEAT('x', 400) AS event_id FROM seq_1_to_300000"
NEVER = "SELECT MAX(a.seq * b.seq) AS order_id FROM seq_1_to_1000000 a, seq_1_to_1000000 b"


pytestmark = pytest.mark.xdist_group("mariadb")

DRIVERS: dict[str, tuple[str, dict[str, Any]]] = {
    "pymysql": ("pymysql", {}),
    "mysqlclient": ("MySQLdb", {}),
    "connector in C": ("_mysql_connector", {"use_pure": False}),
    "connector in Python": ("mysql.connector", {"use_pure": True}),
}
"""Driver → the module that it needs, and what its connections are told."""


@pytest.fixture(params=DRIVERS)
def connect(request):
    module, driver_options = DRIVERS[request.param]
    driver = pytest.importorskip(module, reason=f"{request.param} is not installed", exc_type=ImportError)
    if module == "_mysql_connector":
        driver = importlib.import_module("mysql.connector")
    server = request.getfixturevalue("mariadb")

    def connect(**options):
        return driver.connect(host=server.host, port=server.port, user=server.user, **driver_options, **options)

    with contextlib.closing(connect()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE IF NOT EXISTS shop")
    return lambda **options: connect(database="shop", **options)


@pytest.fixture
def query(connect):
    return lambda sql, parameters=None, **options: SqlSource(Hook(lambda: connect(**options)), sql, parameters)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_300_000_rows_take_no_more_memory_than_a_few(query):
    """A buffered cursor takes some 150 MiB for these before the first one comes."""
    count, grown = growth(query(MANY))

    assert count == 300_000
    assert grown < 10, f"{grown:.0f} MiB"


def test_a_connection_that_asks_for_mappings_in_a_buffer_gives_rows_as_they_come(connect, query):
    with contextlib.closing(connect()) as made:
        package = type(made).__module__.partition(".")[0]
    if package == "mysql":
        options = {"buffered": True}
    else:
        options = {"cursorclass": importlib.import_module(f"{package}.cursors").DictCursor}

    assert read(query("SELECT 1 AS order_id, 'a' AS event_id", **options))[1] == [(1, "a")]


def test_cells_come_as_the_types_of_python(query):
    sql = """
        SELECT CAST(72.390 AS DECIMAL(10, 3)), TIMESTAMP '2026-11-21 10:00:00.250000', DATE '2026-11-21',
            TIME '10:00:00', 7, 1.5e0, NULL, 'José 🎁', JSON_OBJECT('a', 1)
    """
    [cells] = read(query(sql, charset="utf8mb4"))[1]

    assert str(cells[0]) == "72.390"
    assert cells[:8] == (
        Decimal("72.390"),
        dt.datetime(2026, 11, 21, 10, 0, 0, 250_000),  # noqa: DTZ001
        dt.date(2026, 11, 21),
        dt.timedelta(hours=10),
        7,
        1.5,
        None,
        "José 🎁",
    )
    assert cells[8] in ('{"a": 1}', b'{"a": 1}')


def test_bits_are_numbers_and_binary_cells_are_bytes(query, connect):
    with contextlib.closing(connect(autocommit=True)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE TABLE flags (opt_out BIT(1), many BIT(12), digest BINARY(4), kept BLOB)")
        cursor.execute("INSERT INTO flags VALUES (b'1', b'101000000001', x'ff000001', 'ada'), (b'0', NULL, NULL, NULL)")

    first, second = read(query("SELECT * FROM flags ORDER BY opt_out DESC"))[1]

    assert first[:2] == (1, 0b101000000001)
    assert bytes(first[2]) == b"\xff\x00\x00\x01"
    assert bytes(first[3]) == b"ada"
    assert second == (0, None, None, None)


@pytest.mark.parametrize("written", ["0000-00-00", "2026-02-31", "2026-00-15"])
def test_a_date_that_is_none_costs_no_other_row(query, connect, written):
    modes = "SET sql_mode = 'ALLOW_INVALID_DATES'"
    with contextlib.closing(connect(autocommit=True)) as connection, connection.cursor() as cursor:
        cursor.execute(modes)
        cursor.execute("CREATE OR REPLACE TABLE dates (id INT, d DATE, t DATETIME)")
        cursor.execute("INSERT INTO dates SELECT seq, '2026-11-21', '2026-11-21 10:00:00' FROM seq_1_to_1000")
        cursor.execute(f"UPDATE dates SET d = '{written}', t = '{written} 10:00:00' WHERE id = 40")  # noqa: S608

    found = read(query("SELECT id, d, t FROM dates ORDER BY id"))[1]

    assert [cells[0] for cells in found] == list(range(1, 1001))
    assert {cells[1:] for cells in found if cells[0] != 40} == {
        (dt.date(2026, 11, 21), dt.datetime(2026, 11, 21, 10))  # noqa: DTZ001
    }
    assert all(cell is None or isinstance(cell, str) for cell in found[39][1:])


@pytest.mark.parametrize(("placeholder", "parameters"), [("%(id)s", {"id": "'; --"}), ("%s", ["'; --"])])
def test_values_are_bound(query, placeholder, parameters):
    assert read(query(f"SELECT {placeholder} AS event_id", parameters))[1] == [("'; --",)]


def test_a_percent_sign_needs_no_escape_without_parameters(query):
    assert read(query("SELECT 'a' AS event_id WHERE 'ab' LIKE 'a%'"))[1] == [("a",)]


def test_a_literal_percent_beside_parameters_is_explained_or_read(query):
    sql, parameters = "SELECT %(id)s AS event_id WHERE 'ab' LIKE 'a%'", {"id": "1"}
    try:
        assert read(query(sql, parameters))[1] == [("1",)]
    except SourceError as error:
        assert str(error).endswith("In a query with parameters, write %% for a literal %.")  # noqa: PT017
        assert read(query(sql.replace("a%", "a%%"), parameters))[1] == [("1",)]


def test_the_server_waits_while_no_rows_are_taken(query):
    assert read(query("SELECT @@net_write_timeout, @@global.net_write_timeout"))[1] == [(WRITE_TIMEOUT, 60)]


def test_a_query_without_rows_still_shows_its_columns(query):
    assert read(query("SELECT 1 AS order_id FROM seq_1_to_2 WHERE seq = 9")) == (("order_id",), [])


def test_a_statement_without_a_result_is_told(query):
    assert broken(query("DO 1")) == ("The statement returned no result set; expected a SELECT.", 0)


def test_the_server_s_words_are_told(query):
    said, came = broken(query("SELECT * FROM no_such_table"))

    assert said.startswith("The warehouse query failed at its start: ProgrammingError: ")
    assert "no_such_table" in said
    assert came == 0


def test_a_query_that_fails_later_says_after_how_many_rows(query):
    said, came = broken(query("SELECT seq, IF(seq > 2000, (SELECT 1 UNION SELECT 2), 1) FROM seq_1_to_3000"))

    assert "1242" in said or "more than 1 row" in said
    assert f"after {came:,} rows" in said or came == 0


def test_a_query_is_cancelled_from_another_thread(query):
    assert cancelled(query(NEVER)) == "The warehouse query was cancelled."


def test_a_query_that_is_given_up_early_does_not_read_the_rest(query, connect):
    row_batches = query("SELECT a.seq FROM seq_1_to_1000000 a, seq_1_to_1000000 b").row_batches()
    next(row_batches)

    began = time.monotonic()
    row_batches.close()

    assert time.monotonic() - began < 10
    with contextlib.closing(connect()) as connection, connection.cursor() as cursor:
        deadline = time.monotonic() + 10
        while running(cursor):
            assert time.monotonic() < deadline


def running(cursor):
    """Tell whether the server still runs the long query."""
    cursor.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT a.seq%'")
    return cursor.fetchall()[0][0] > 0


def test_more_rows_than_are_fetched_at_once_all_come_in_order(query):
    for count in (31, 32, 33, 532, 1_033):
        found = read(query("SELECT seq FROM seq_1_to_2000 LIMIT %s", [count]))[1]
        assert found == [(number,) for number in range(1, count + 1)]
