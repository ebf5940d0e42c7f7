"""Redshift's driver, its statements run by a real PostgreSQL, which knows the same cursors."""

from __future__ import annotations

import contextlib

import psycopg2
import pytest

from airflow_provider_pinterest.sources.sql import SqlSource
from tests.sources.drivers.recorded import of_module
from tests.sources.reading import Hook, broken, cancelled, read


class RedshiftCursor:
    """A cursor that loads whole results, and takes mappings only in one of its styles."""

    def __init__(self, connection):
        self.server = connection
        self.made = connection.made.cursor()
        self.paramstyle = "format"
        self.close = self.made.close
        self.fetchone, self.fetchall, self.fetchmany = self.made.fetchone, self.made.fetchall, self.made.fetchmany

    description = property(lambda self: self.made.description)

    def execute(self, sql, parameters=None):
        assert not isinstance(parameters, dict) or self.paramstyle == "pyformat"
        try:
            self.made.execute(sql, parameters)
        except psycopg2.Error as error:
            raise RuntimeError({"S": "ERROR", "M": str(error).splitlines()[0], "D": "Failing row: ada"}) from None
        self.server.loaded.append(max(self.made.rowcount, 0))


class RedshiftConnection:
    def __init__(self, dsn):
        self.made = psycopg2.connect(dsn)
        self.loaded = []
        self.close, self.rollback = self.made.close, self.made.rollback

    def cursor(self):
        return RedshiftCursor(self)


@pytest.fixture
def connections(postgres):
    found: list[RedshiftConnection] = []
    yield found
    for connection in found:
        with contextlib.suppress(psycopg2.Error):
            connection.close()


@pytest.fixture
def query(postgres, connections):
    def connect():
        connections.append(of_module("redshift_connector.core", RedshiftConnection)(postgres.dsn))
        return connections[-1]

    return lambda sql, parameters=None: SqlSource(Hook(connect), sql, parameters)


def test_rows_come_from_a_cursor_of_the_server(query, connections):
    found = read(query("SELECT n AS order_id FROM generate_series(1, 5000) n"))

    assert found == (("order_id",), [(number,) for number in range(1, 5001)])
    assert max(connections[0].loaded) == 2_000


@pytest.mark.parametrize(("placeholder", "parameters"), [("%(id)s", {"id": "'; --"}), ("%s", ["'; --"])])
def test_values_are_bound(query, placeholder, parameters):
    assert read(query(f"SELECT {placeholder}::varchar AS event_id", parameters))[1] == [("'; --",)]


def test_a_query_without_rows_still_shows_its_columns(query):
    assert read(query("SELECT 1 AS order_id WHERE 1 = 0")) == (("order_id",), [])


def test_a_statement_that_cannot_have_a_cursor_gives_its_rows(query):
    assert read(query("SHOW server_encoding"))[1] == [("UTF8",)]


def test_a_statement_without_a_result_is_told(query):
    assert broken(query("CREATE TEMPORARY TABLE a (b int)"))[0] == (
        "The statement returned no result set; expected a SELECT."
    )


def test_the_server_s_words_are_told_without_the_row(query):
    said, came = broken(query("SELECT 1 / (5001 - n) FROM generate_series(1, 6000) n"))

    assert said == f"The warehouse query failed after {came:,} rows: RuntimeError: division by zero."
    assert came == 4_032


def test_a_query_is_cancelled_through_a_second_connection(query):
    assert cancelled(query("SELECT count(*) FROM generate_series(1, 10000000000) n")) == (
        "The warehouse query was cancelled."
    )
