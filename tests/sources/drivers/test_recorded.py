"""Cells as the drivers of Snowflake, Databricks, Oracle, SQL Server and Trino hand them over."""

from __future__ import annotations

import datetime as dt
import struct
import sys
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_pinterest.sources.drivers import READERS, reader_for
from airflow_provider_pinterest.sources.drivers.base import DriverReader
from airflow_provider_pinterest.sources.sql import SqlSource
from tests.sources.drivers.recorded import Connection, Cursor, Server, of_module
from tests.sources.reading import Hook, read


def query(server, connection, sql="SELECT 1"):
    return SqlSource(Hook(lambda: connection(server)), sql)


def ended_from_beside(server, connection):
    """Cancel a query after its first rows; return what the server was told."""
    made = query(server, connection)
    row_batches = made.row_batches()
    next(row_batches)
    made.cancel()
    row_batches.close()
    return server.ended or server.statements[1:]


class TestAnyDriver:
    def test_a_driver_that_nobody_knows_is_read_by_its_cursor(self):
        server = Server([("event_id", None)], [("a",), ("b",)])

        assert reader_for(of_module("some.driver")(server)) is DriverReader
        assert read(query(server, of_module("some.driver"))) == (("event_id",), [("a",), ("b",)])

    def test_a_connection_is_known_by_what_it_is_made_from(self):
        kind = type("Tuned", (of_module("trino.dbapi"),), {"__module__": "company.airflow"})

        assert reader_for(kind(Server([], []))).__name__ == "Trino"

    def test_no_two_readers_are_for_one_module(self):
        modules = [module for reader in READERS for module in reader.modules]

        assert sorted(set(modules)) == sorted(modules)

    def test_rows_that_are_objects_or_mappings_come_as_sequences(self):
        class NamedRow:
            def __getitem__(self, position):
                return (1, "a")[position]

        for row in (NamedRow(), {"order_id": 1, "event_id": "a"}):
            server = Server([("order_id", None), ("event_id", None)], [row])
            assert read(query(server, of_module("some.driver")))[1] == [(1, "a")]

    def test_a_close_that_fails_takes_nothing_away(self):
        class Closing(Connection):
            def close(self):
                raise OSError

        server = Server([("event_id", None)], [("a",)])

        assert read(query(server, of_module("some.driver", Closing)))[1] == [("a",)]


class TestSnowflake:
    connection = staticmethod(
        of_module("snowflake.connector.connection", type("Snowflake", (Connection,), {"session_id": 4711}))
    )

    @pytest.mark.parametrize(
        ("kind", "cell", "value"),
        [
            (5, '"jane@example.com"', "jane@example.com"),
            (5, "4711", 4711),
            (5, "72.390", Decimal("72.390")),
            (5, "null", None),
            (5, "true", True),
            (9, '{\n  "item_id": "a",\n  "price": 72.39\n}', {"item_id": "a", "price": Decimal("72.39")}),
            (10, '[\n  "a",\n  "b"\n]', ["a", "b"]),
            (10, "[\n  undefined,\n  1\n]", "[\n  undefined,\n  1\n]"),
            (9, {"item_id": "a"}, {"item_id": "a"}),
            (2, '"quoted"', '"quoted"'),
            (5, None, None),
        ],
    )
    def test_json_is_read_by_the_column_s_type(self, kind, cell, value):
        assert read(query(Server([("CELL", kind)], [(cell,)]), self.connection)) == (("CELL",), [(value,)])

    def test_a_query_is_cancelled_through_a_second_session(self):
        assert ended_from_beside(Server([("A", 0)], [(1,)]), self.connection) == [
            "SELECT SYSTEM$CANCEL_ALL_QUERIES(4711)"
        ]


class DriverArray:
    """An array of numpy, as far as it is looked at."""

    def __init__(self, *elements):
        self.elements = elements

    def tolist(self):
        return list(self.elements)


class TestDatabricks:
    connection = staticmethod(of_module("databricks.sql.client"))

    @pytest.mark.parametrize(
        ("kind", "cell", "value"),
        [
            ("array", DriverArray("a", "b"), ["a", "b"]),
            ("array", DriverArray({"item_id": "a", "tags": DriverArray(1, 2)}), [{"item_id": "a", "tags": [1, 2]}]),
            ("struct", {"city": "Ulm"}, {"city": "Ulm"}),
            ("map", [("a", 1), ("b", DriverArray(2))], {"a": 1, "b": [2]}),
            ("map", '{"a": 1}', {"a": 1}),
            ("array", '[{"item_id": "a"}]', [{"item_id": "a"}]),
            ("variant", '"jane@example.com"', "jane@example.com"),
            ("string", '"quoted"', '"quoted"'),
            ("array", None, None),
        ],
    )
    def test_nested_cells_are_lists_and_mappings(self, kind, cell, value):
        assert read(query(Server([("cell", kind)], [(cell,)]), self.connection))[1] == [(value,)]

    def test_a_query_is_cancelled(self):
        assert ended_from_beside(Server([("a", "int")], [(1,)]), self.connection) == ["cursor"]


class NamedRowTuple(tuple[Any, ...]):  # noqa: SLOT001 - its names are attributes
    """A row inside of a row, as Trino's client makes it."""


def named_row(cells, names=("item_id", "price")):
    found = NamedRowTuple(cells)
    vars(found)["__annotations__"] = {"names": list(names), "types": []}
    return found


class TestTrino:
    connection = staticmethod(of_module("trino.dbapi"))

    @pytest.mark.parametrize(
        ("kind", "cell", "value"),
        [
            ("row(item_id varchar, price decimal(5, 2))", named_row(("a", 1)), {"item_id": "a", "price": 1}),
            (
                "array(row(item_id varchar, price integer))",
                [named_row(("a", 1)), None],
                [{"item_id": "a", "price": 1}, None],
            ),
            (
                "map(varchar, row(item_id varchar, price integer))",
                {"x": named_row(("a", 1))},
                {"x": {"item_id": "a", "price": 1}},
            ),
            ("row(varchar, integer)", named_row(("a", 1), ("item_id", None)), ["a", 1]),
            ("json", '"jane@example.com"', "jane@example.com"),
            ("varchar", '"quoted"', '"quoted"'),
        ],
    )
    def test_nested_cells_are_lists_and_mappings(self, kind, cell, value):
        assert read(query(Server([("cell", kind)], [(cell,)]), self.connection))[1] == [(value,)]

    def test_a_query_is_cancelled(self):
        assert ended_from_beside(Server([("a", "integer")], [(1,)]), self.connection) == ["cursor"]


class Lob:
    """A locator of a large object."""

    def __init__(self, text):
        self.text = text

    def read(self):
        if self.text is None:
            raise OSError
        return self.text


class OracleCursor(Cursor):
    """Asks the handler how to fetch each column, as python-oracledb does."""

    outputtypehandler: Any = None

    def var(self, kind, arraysize):
        return (kind, arraysize)

    def execute(self, sql, parameters=None):
        super().execute(sql, parameters)
        columns = [SimpleNamespace(name=name, type_code=kind) for name, kind in self.server.columns]
        self.server.fetched = [self.outputtypehandler(self, column) for column in columns]


class OracleConnection(Connection):
    def cursor(self):
        return OracleCursor(self.server)


class TestOracle:
    connection = staticmethod(of_module("oracledb.connection", OracleConnection))

    @pytest.fixture(autouse=True)
    def _driver(self, monkeypatch):
        kinds = ("CLOB", "NCLOB", "BLOB", "LONG", "LONG_NVARCHAR", "LONG_RAW", "VARCHAR")
        driver = SimpleNamespace(**{f"DB_TYPE_{kind}": kind for kind in kinds})
        monkeypatch.setitem(sys.modules, "oracledb", driver)

    def test_large_objects_are_fetched_with_their_rows(self):
        server = Server([("A", "CLOB"), ("B", "NCLOB"), ("C", "BLOB"), ("D", "VARCHAR")], [("a", "b", b"c", "d")])

        assert read(query(server, self.connection))[1] == [("a", "b", b"c", "d")]
        assert server.fetched == [("LONG", 500), ("LONG_NVARCHAR", 500), ("LONG_RAW", 500), None]

    def test_locators_that_come_all_the_same_are_read(self):
        broken = Lob(None)
        server = Server([("A", "CLOB")], [(Lob("[1]"),), (None,), (broken,), (Lob(b"x"),)])

        assert read(query(server, self.connection))[1] == [("[1]",), (None,), (broken,), (b"x",)]

    def test_a_query_is_cancelled(self):
        assert ended_from_beside(Server([("A", "VARCHAR")], [(1,)]), self.connection) == ["connection"]


class OdbcConnection(Connection):
    def add_output_converter(self, kind, convert):
        [self.server.rows] = [[tuple(convert(cell) for cell in row) for row in self.server.rows]] * (kind == -155)


class TestSqlServer:
    connection = staticmethod(of_module("pyodbc", OdbcConnection))

    def test_a_moment_with_its_zone_is_read(self):
        cell = struct.pack("<6hI2h", 2026, 11, 21, 10, 0, 5, 123_456_700, -3, -30)
        zone = dt.timezone(-dt.timedelta(hours=3, minutes=30))

        assert read(query(Server([("a", dt.datetime)], [(cell,)]), self.connection))[1] == [
            (dt.datetime(2026, 11, 21, 10, 0, 5, 123_456, tzinfo=zone),)
        ]

    def test_a_query_is_cancelled(self):
        assert ended_from_beside(Server([("a", int)], []), self.connection) == ["cursor"]

    def test_pymssql_is_read_by_its_cursor(self):
        assert reader_for(of_module("pymssql._pymssql")(Server([], []))) is DriverReader
