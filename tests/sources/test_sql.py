"""Rows of a query, from SQLite, from DuckDB and from a real PostgreSQL."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sqlite3
import threading
import uuid
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import psycopg2
import pytest

from airflow_provider_pinterest.exceptions import ParameterError, SourceError
from airflow_provider_pinterest.sources.drivers.base import FETCH, FETCH_FROM_SERVER, FIRST_FETCH
from airflow_provider_pinterest.sources.sql import FETCH_BYTES, SqlSource, fetch_size
from harness.postgres import PostgresServer
from tests.fixtures import SqliteWarehouse
from tests.running import impersonal, row, rows
from tests.sources.reading import broken, cancelled, growth, read

ENDLESS = "SELECT range + 1 AS order_id FROM range(1000000000000)"
RECURSIVE = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT n AS order_id FROM t"


class DuckDBWarehouse(NamedTuple):
    """A DuckDB database that the connection ``warehouse`` leads to."""

    path: Path


@pytest.fixture
def duckdb_warehouse(tmp_path, monkeypatch):
    found = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "duckdb", "host": str(found.path)}))
    return found


@pytest.fixture(params=["warehouse", "duckdb_warehouse", "postgres_warehouse"])
def database(request):
    """Run a test on each."""
    return request.getfixturevalue(request.param)


def endless(database):
    """Return a query whose rows never end, and come one by one."""
    return ENDLESS if isinstance(database, DuckDBWarehouse) else RECURSIVE


def named(database):
    """Return the placeholder of a parameter ``id``."""
    return {SqliteWarehouse: ":id", DuckDBWarehouse: "$id", PostgresServer: "%(id)s"}[type(database)]


class TestOnEach:
    def test_rows_come_with_their_columns(self, database, query):
        assert read(query("SELECT 1 AS order_id, 'a' AS event_id UNION ALL SELECT 2, 'b'")) == (
            ("order_id", "event_id"),
            [(1, "a"), (2, "b")],
        )

    def test_the_first_rows_come_before_an_endless_query_ends(self, database, query):
        row_batches = query(endless(database)).row_batches()

        found = [len(next(row_batches).rows) for _ in range(3)]
        assert found in ([FIRST_FETCH, size, size] for size in (FETCH, FETCH_FROM_SERVER))
        row_batches.close()

    def test_more_rows_than_are_fetched_at_once_all_come_in_order(self, database, query):
        count = 2 * FETCH_FROM_SERVER + 1

        _, found = read(query(endless(database) + f" LIMIT {count}"))

        assert found == [(number,) for number in range(1, count + 1)]

    def test_exactly_as_many_rows_as_are_fetched_at_once_come_once(self, database, query):
        for count in (FIRST_FETCH, FIRST_FETCH + FETCH, FIRST_FETCH + FETCH_FROM_SERVER):
            assert len(read(query(endless(database) + f" LIMIT {count}"))[1]) == count

    def test_fetches_of_heavy_rows_are_short(self, database, query):
        text = "printf('%.100000d', 0)" if isinstance(database, SqliteWarehouse) else "repeat('x', 100000)"
        sql = f"SELECT {text} AS a, order_id FROM ({endless(database)} LIMIT 200) AS orders"  # noqa: S608
        sizes = [len(row_batch.rows) for row_batch in query(sql).row_batches()]

        assert sum(sizes) == 200
        assert max(sizes) * 100_000 <= FETCH_BYTES

    def test_a_query_is_cancelled_from_another_thread(self, database, query):
        """Its first row never comes."""
        made = query(f"SELECT max(order_id) AS order_id FROM ({RECURSIVE}) AS orders")  # noqa: S608

        assert cancelled(made) == "The warehouse query was cancelled."

    def test_a_query_that_was_cancelled_reads_nothing_more(self, database, query):
        made = query(endless(database))
        row_batches = made.row_batches()
        next(row_batches)
        made.cancel()

        with pytest.raises(SourceError, match="was cancelled"):
            next(row_batches)

    def test_a_query_is_cancelled_before_it_begins_and_after_it_ended(self, database, query):
        made = query("SELECT 1 AS order_id")
        assert read(made)[1] == [(1,)]
        made.cancel()

        with pytest.raises(SourceError, match="was cancelled"):
            read(made)

    def test_a_query_without_rows_still_shows_its_columns(self, database, query):
        assert read(query("SELECT 1 AS order_id WHERE 1 = 0")) == (("order_id",), [])

    def test_an_attempt_at_injection_stays_a_value(self, database, query):
        evil = "'; DROP TABLE orders; --"

        found = read(query(f"SELECT CAST({named(database)} AS text) AS event_id", {"id": evil}))

        assert found[1] == [(evil,)]

    def test_a_semicolon_and_space_at_the_end_do_no_harm(self, database, query):
        assert read(query("\n SELECT 1 AS order_id ; \n"))[1] == [(1,)]

    @pytest.mark.parametrize("sql", ["-- orders\nSELECT 1 AS order_id", "/* a; b */ SELECT 1 AS order_id -- end;"])
    def test_comments_do_no_harm(self, database, query, sql):
        assert read(query(sql))[1] == [(1,)]

    def test_a_statement_in_parentheses_or_of_values_is_a_query(self, database, query):
        assert read(query("VALUES (1, 2)"))[1] == [(1, 2)]

    def test_a_semicolon_inside_a_text_ends_nothing(self, database, query):
        assert read(query("SELECT 'a;b' AS event_id"))[1] == [("a;b",)]

    def test_a_percent_sign_needs_no_escape_without_parameters(self, database, query):
        assert read(query("SELECT 'a' AS event_id WHERE 'ab' LIKE 'a%'"))[1] == [("a",)]

    def test_several_statements_are_refused(self, database, query):
        with pytest.raises((ParameterError, SourceError), match="one statement"):
            read(query("SELECT 1 AS order_id; SELECT 2 AS order_id"))

    @pytest.mark.parametrize("sql", ["CREATE TABLE made_by_mistake (a int)", "DELETE FROM orders WHERE 1 = 0"])
    def test_a_statement_without_rows_is_told_to_be_no_query(self, database, query, sql):
        if isinstance(database, SqliteWarehouse):
            database.fill("orders", [row()])
        elif isinstance(database, DuckDBWarehouse):
            fill(database, "CREATE TABLE orders (a int)")
        else:
            sql = sql.replace("orders", "pg_class")

        said, came = broken(query(sql))

        assert said == "The statement returned no result set; expected a SELECT."
        assert came == 0

    def test_a_syntax_error_is_told_in_the_warehouse_s_words(self, database, query):
        said, came = broken(query("SELEKT 1"))

        assert "failed at its start" in said
        assert "syntax error" in said
        assert came == 0

    def test_a_table_that_is_missing_is_named(self, database, query):
        assert "no_such_table" in broken(query("SELECT * FROM no_such_table"))[0]

    def test_a_parameter_that_is_missing_is_told(self, database, query):
        assert "failed at its start" in broken(query(f"SELECT {named(database)}", {"other": 1}))[0]

    def test_what_a_driver_quotes_of_a_person_is_not_repeated(self, database, query):
        said, _ = broken(query('SELECT * FROM "ada@example.com"'))

        assert impersonal(said)

    def test_the_error_shows_no_traceback_of_the_driver_s(self, database, query):
        """Postgres's quote whole rows in it."""
        with pytest.raises(SourceError) as caught:
            read(query("SELECT * FROM no_such_table"))

        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    def test_two_columns_of_one_name_both_come(self, database, query):
        assert read(query("SELECT 1 AS order_id, 2 AS order_id")) == (("order_id", "order_id"), [(1, 2)])

    def test_nothing_that_a_statement_changes_stays(self, database, query):
        broken(query("CREATE TABLE made_by_mistake (a int)"))

        assert "made_by_mistake" in broken(query("SELECT * FROM made_by_mistake"))[0]


class TestLiteralPercentSigns:
    ADVICE = "In a query with parameters, write %% for a literal %."

    @pytest.fixture(params=["psycopg", "psycopg2"])
    def driver(self, request, postgres_warehouse, monkeypatch):
        from airflow.providers.postgres.hooks import postgres as provider

        if request.param == "psycopg" and not getattr(provider, "USE_PSYCOPG3", False):
            pytest.skip("this provider has no psycopg 3")
        if request.param == "psycopg2":
            monkeypatch.setattr(
                provider.PostgresHook, "get_conn", lambda _self: psycopg2.connect(postgres_warehouse.dsn)
            )

    @pytest.mark.parametrize(
        "where",
        [
            "'a' LIKE '%'",
            "'a' LIKE 'a%'",
            "'a' LIKE '% a'",
            "'a' LIKE '%.com'",
            "'a' <> '50% discount'",
            "'a' <> '100%s'",
            "7 % 2 = 1",
            "'a' LIKE '%(a%'",
        ],
    )
    @pytest.mark.parametrize(("placeholder", "parameters"), [("%(id)s", {"id": "1"}), ("%s", ["1"])])
    def test_the_error_says_how_to_write_one(self, driver, query, where, placeholder, parameters):
        said, came = broken(query(f"SELECT CAST({placeholder} AS text) AS order_id WHERE {where}", parameters))

        assert came == 0
        assert said.endswith(self.ADVICE)

    @pytest.mark.parametrize(("placeholder", "parameters"), [("%(id)s", {"id": "1"}), ("%s", ["1"])])
    def test_written_twice_it_is_one(self, driver, query, placeholder, parameters):
        sql = f"SELECT CAST({placeholder} AS text) AS order_id WHERE '%' = '%%'"

        assert read(query(sql.replace("'%' =", "chr(37) ="), parameters))[1] == [("1",)]

    def test_other_errors_do_not_mention_it(self, driver, query):
        for sql, parameters in (
            ("SELECT %(id)s FROM no_such_table WHERE 'a' LIKE 'a%%'", {"id": 1}),
            ("SELECT * FROM no_such_table WHERE 'a' LIKE 'a%'", None),
            ("SELECT %(id)s", {"other": 1}),
        ):
            assert "%%" not in broken(query(sql, parameters))[0]

    def test_a_driver_with_other_placeholders_does_not_mention_it(self, warehouse, query):
        assert "%%" not in broken(query("SELECT :id FROM no_such_table WHERE 'a' LIKE 'a%'", {"id": 1}))[0]


class TestSqlite:
    def test_rows_of_a_table_come(self, warehouse, query):
        found = rows(3, order_id=7, value=None)
        warehouse.fill("orders", found)

        assert read(query("SELECT * FROM orders")) == (tuple(found[0]), [tuple(one.values()) for one in found])

    def test_nothing_that_a_statement_changes_is_committed(self, warehouse, query):
        warehouse.fill("orders", [row()])

        read(query("DELETE FROM orders RETURNING event_id"))

        with contextlib.closing(sqlite3.connect(warehouse.path)) as connection:
            assert connection.execute("SELECT count(*) FROM orders").fetchone() == (1,)

    def test_a_query_that_breaks_off_in_the_middle_says_after_how_many_rows(self, warehouse, query):
        said, came = broken(query(f"SELECT json(iif(order_id > {FETCH + 5}, 'no JSON', '{{}}')) FROM ({RECURSIVE})"))  # noqa: S608

        assert came == FIRST_FETCH
        assert f"failed after {FIRST_FETCH} rows" in said
        assert "malformed JSON" in said


def fill(database, *statements):
    import duckdb

    with duckdb.connect(database.path) as connection:
        for statement in statements:
            connection.execute(statement)


class TestDuckDB:
    def test_rows_of_a_table_come(self, duckdb_warehouse, query):
        fill(duckdb_warehouse, "CREATE TABLE orders (order_id int)", "INSERT INTO orders VALUES (1), (2)")

        assert read(query("FROM orders")) == (("order_id",), [(1,), (2,)])

    def test_a_pivot_is_a_query(self, duckdb_warehouse, query):
        fill(duckdb_warehouse, "CREATE TABLE orders (order_id int, kind text)", "INSERT INTO orders VALUES (7, 'a')")

        assert read(query("PIVOT orders ON kind USING max(order_id)"))[1] == [(7,)]

    @pytest.mark.parametrize("second", ["DELETE FROM orders", "SELECT 2 AS order_id"])
    def test_the_second_of_two_statements_is_not_run(self, duckdb_warehouse, query, second):
        fill(duckdb_warehouse, "CREATE TABLE orders (order_id int)", "INSERT INTO orders VALUES (1)")

        with pytest.raises(ParameterError, match="sql must be one statement, got 2"):
            read(query(f"SELECT 1 AS order_id; {second}"))

        assert read(query("FROM orders"))[1] == [(1,)]

    def test_what_a_statement_returns_of_its_changes_is_not_read(self, duckdb_warehouse, query):
        fill(duckdb_warehouse, "CREATE TABLE orders (order_id int)")

        assert "expected a SELECT" in broken(query("INSERT INTO orders VALUES (1) RETURNING order_id"))[0]
        assert read(query("FROM orders"))[1] == []

    def test_a_second_query_of_the_same_database_is_cancelled_alone(self, duckdb_warehouse, query):
        other = query(ENDLESS)
        row_batches = other.row_batches()
        next(row_batches)
        made = query("SELECT 1 AS order_id")
        made.cancel()

        assert next(row_batches).rows
        row_batches.close()


class TestPostgres:
    def test_the_rows_stay_on_the_server_behind_a_named_cursor(self, postgres_warehouse, query):
        row_batches = query(RECURSIVE).row_batches()
        next(row_batches)

        with query.hook.conn.cursor() as beside:
            beside.execute("SELECT name, is_scrollable FROM pg_cursors")
            [(name, _)] = beside.fetchall()

        assert name.startswith("pinterest_")
        row_batches.close()

    @pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
    def test_100_000_wide_rows_take_no_more_memory_than_a_few(self, postgres_warehouse, query):
        """A client cursor takes some 50 MiB for these before the first one comes."""
        count, grown = growth(query("SELECT n, repeat('x', 400) FROM generate_series(1, 100000) n"))

        assert count == 100_000
        assert grown < 15, f"{grown:.0f} MiB"

    def test_the_hook_s_parameters_reach_the_hook(self, postgres_warehouse, query):
        found = query("SELECT current_setting('statement_timeout') AS event_id", options="-c statement_timeout=7s")

        assert read(found)[1] == [("7s",)]

    def test_cells_come_as_the_types_of_python(self, postgres_warehouse, query):
        sql = """
            SELECT 72.390::numeric, '2026-11-21 10:00+01'::timestamptz, '2026-11-21 10:00'::timestamp,
                '12345678-1234-5678-1234-567812345678'::uuid, '{"a": [1]}'::jsonb, '[1, "b"]'::json,
                ARRAY['a', 'b'], '2026-11-21'::date, NULL, true, 7::bigint, 1.5::float8, 'NaN'::numeric
        """
        [cells] = read(query(sql))[1]

        assert cells[:5] == (
            Decimal("72.390"),
            dt.datetime(2026, 11, 21, 9, tzinfo=dt.UTC),
            dt.datetime(2026, 11, 21, 10),  # noqa: DTZ001
            cells[3],
            {"a": [1]},
        )
        assert str(cells[0]) == "72.390"
        assert uuid.UUID(str(cells[3])) == uuid.UUID("12345678-1234-5678-1234-567812345678")
        assert cells[5:12] == ([1, "b"], ["a", "b"], dt.date(2026, 11, 21), None, True, 7, 1.5)
        assert cells[12].is_nan()

    def test_bytes_come_as_bytes(self, postgres_warehouse, query):
        [(cell,)] = read(query("SELECT 'ada'::bytea"))[1]

        assert bytes(cell) == b"ada"

    def test_a_cursor_that_is_configured_to_make_mappings_gives_rows_all_the_same(
        self, postgres_warehouse, query, monkeypatch
    ):
        import airflow.providers.postgres.hooks.postgres as provider

        cursor = "dictcursor" if provider.USE_PSYCOPG3 else "realdictcursor"
        document = {**json.loads(postgres_warehouse.connection_json), "extra": {"cursor": cursor}}
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(document))

        assert read(query("SELECT 1 AS order_id, 'a' AS event_id")) == (("order_id", "event_id"), [(1, "a")])

    def test_a_query_that_breaks_off_in_the_middle_says_why_and_after_how_many_rows(self, postgres_warehouse, query):
        said, came = broken(query("SELECT 1 / (50001 - n) FROM generate_series(1, 60000) n"))

        assert came == 48_000 + FIRST_FETCH
        assert "failed after 48,032 rows" in said
        assert "division by zero" in said

    def test_a_server_that_cuts_the_connection_is_a_source_that_broke_off(self, postgres_warehouse, query):
        row_batches = query(RECURSIVE).row_batches()
        next(row_batches)
        with contextlib.closing(psycopg2.connect(postgres_warehouse.dsn)) as other, other.cursor() as beside:
            beside.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND backend_type = 'client backend'"
            )

        with pytest.raises(SourceError, match="failed after 32 rows"):
            list(row_batches)

    def test_a_reader_that_stops_early_leaves_no_connection_open(self, postgres_warehouse, query):
        row_batches = query(RECURSIVE).row_batches()
        next(row_batches)

        row_batches.close()

        assert query.hook.conn.closed

    def test_nothing_that_a_statement_changes_is_committed(self, postgres_warehouse, query):
        assert "returned no result set" in broken(query("CREATE TABLE made_by_mistake (a int)"))[0]

        with contextlib.closing(psycopg2.connect(postgres_warehouse.dsn)) as other, other.cursor() as beside:
            beside.execute("SELECT to_regclass('made_by_mistake')")
            assert beside.fetchone() == (None,)

    def test_the_second_of_two_statements_is_not_run(self, postgres_warehouse, query):
        """A named cursor would run it, and say nothing."""
        with pytest.raises(ParameterError, match="one statement, got 2"):
            read(query("SELECT 1 AS order_id; CREATE TABLE made_by_mistake (a int)"))

    def test_a_query_that_only_a_client_can_hold_still_gives_its_rows(self, postgres_warehouse, query):
        assert read(query("SHOW server_encoding"))[1] == [("UTF8",)]

    def test_a_connection_that_cannot_be_made_is_told(self, postgres_warehouse, query, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", postgres_warehouse.connection_json.replace('postgres"}', 'no"}'))

        assert "failed at its start" in broken(query("SELECT 1"))[0]


class OtherConnection:
    """The connection of a driver that cannot cancel, and that is used in one thread only."""

    description = (("a",),)

    def __init__(self):
        self.thread = threading.get_ident()

    def __getattribute__(self, name):
        if not name.startswith("__"):
            assert object.__getattribute__(self, "thread") == threading.get_ident()
        return object.__getattribute__(self, name)

    def cursor(self):
        return self

    def execute(self, sql): ...

    def fetchmany(self, size):
        return [(1,)] * size

    def close(self): ...


class OtherHook:
    get_conn = staticmethod(OtherConnection)


def test_a_query_of_another_driver_ends_at_its_next_fetch():
    made = SqlSource(OtherHook(), "SELECT a")
    row_batches = made.row_batches()
    next(row_batches)
    other = threading.Thread(target=made.cancel)
    other.start()
    other.join()

    with pytest.raises(SourceError, match="was cancelled"):
        next(row_batches)


@pytest.mark.parametrize(
    ("rows", "size"),
    [
        ([(1, "a")] * 32, 500),
        ([("x" * 1_000,)] * 32, 500),
        ([("x" * 100_000,)] * 32, 39),
        ([(b"x" * 10_000_000,)], 1),
        ([({"a": ["x" * 1_000_000]},)] * 2, 3),
    ],
)
def test_the_next_fetch_holds_about_four_megabytes(rows, size):
    assert fetch_size(rows, 500) == size
