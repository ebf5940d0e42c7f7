"""ClickHouse's two drivers, as they hand over cells; clickhouse-connect on a real engine where chdb is installed."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_pinterest.sources.drivers.clickhouse import BLOCK_ROWS, unwrapped
from airflow_provider_pinterest.sources.sql import SqlSource
from tests.sources.drivers.recorded import Connection, Cursor, Server, of_module
from tests.sources.reading import Hook, broken, growth, read


class Stream:
    """The rows of a query as they come."""

    def __init__(self, server):
        self.server = server
        names, types = zip(*server.columns, strict=True) if server.columns else ((), ())
        self.source = SimpleNamespace(
            column_names=names if server.rows else (), column_types=[SimpleNamespace(name=kind) for kind in types]
        )

    def __enter__(self):
        return iter(self.server.rows)

    def __exit__(self, *_):
        self.server.ended.append("stream")


class FakeClickHouseClient:
    valid_transport_settings = frozenset({"query_id"})

    def __init__(self, server):
        self.server = server
        self.server_settings = {"max_block_size": SimpleNamespace(readonly=0)}

    def query_rows_stream(self, sql, parameters, settings):
        self.server.statements.append(sql)
        self.server.parameters.append(parameters)
        self.server.settings = settings
        return Stream(self.server)

    def query(self, sql, parameters):
        """Answer a query for columns only."""
        assert sql.endswith("LIMIT 0")
        names, types = zip(*self.server.columns, strict=True)
        return SimpleNamespace(column_names=names, column_types=[SimpleNamespace(name=kind) for kind in types])


class ConnectCursor(Cursor):
    def __init__(self, server):
        super().__init__(server)
        self.client = FakeClickHouseClient(server)


class ConnectConnection(Connection):
    def cursor(self):
        return ConnectCursor(self.server)


class DriverCursor(Cursor):
    """The cursor of clickhouse-driver, which loads everything unless it is told to stream."""

    streams = False
    _client = SimpleNamespace(connection=SimpleNamespace(server_info=SimpleNamespace(timezone="Europe/Berlin")))

    def set_stream_results(self, stream_results, max_row_buffer):
        self.streams = stream_results and max_row_buffer == BLOCK_ROWS

    def set_query_id(self, query_id):
        self.server.settings = {"query_id": query_id}

    def execute(self, sql, parameters=None):
        assert self.streams
        super().execute(sql, parameters)


class DriverConnection(Connection):
    def cursor(self):
        return DriverCursor(self.server)


CONNECT = of_module("airflow.providers.clickhousedb.hooks.clickhouse", ConnectConnection)
DRIVER = of_module("clickhouse_driver.dbapi.connection", DriverConnection)


def query(server, connection):
    return SqlSource(Hook(lambda: connection(server)), "SELECT 1")


@pytest.mark.parametrize("connection", [CONNECT, DRIVER])
class TestRecorded:
    def test_more_rows_than_are_fetched_at_once_all_come_in_order(self, connection):
        server = Server([("order_id", "UInt64")], [(number,) for number in range(1_500)])

        assert read(query(server, connection)) == (("order_id",), server.rows)

    @pytest.mark.parametrize("kind", ["DateTime", "DateTime64(3)", "Nullable(DateTime)"])
    def test_a_moment_without_a_zone_gets_the_one_that_the_driver_took_it_in(self, connection, kind):
        moment = dt.datetime(2026, 11, 21, 10)  # noqa: DTZ001
        zone = dt.UTC if connection is CONNECT else ZoneInfo("Europe/Berlin")

        assert read(query(Server([("a", kind)], [(moment,), (None,)]), connection))[1] == [
            (moment.replace(tzinfo=zone),),
            (None,),
        ]

    def test_a_moment_with_a_zone_keeps_it_and_a_day_is_none(self, connection):
        cells = (dt.datetime(2026, 11, 21, 10, tzinfo=ZoneInfo("Asia/Tokyo")), dt.date(2026, 11, 21))

        columns = [("a", "DateTime('Asia/Tokyo')"), ("b", "Date")]

        assert read(query(Server(columns, [cells]), connection))[1] == [cells]

    def test_a_query_is_cancelled_through_a_second_connection(self, connection):
        server = Server([("a", "UInt8")], [(1,)])
        made = query(server, connection)
        row_batches = made.row_batches()
        next(row_batches)

        beside = Server([], [])
        made._hook.get_conn = lambda: of_module("clickhouse_driver", Connection)(beside)
        made.cancel()
        row_batches.close()

        assert beside.statements == [f"KILL QUERY WHERE query_id = '{server.settings['query_id']}' ASYNC"]


def test_a_stream_is_ended_with_its_query():
    server = Server([("a", "UInt8")], [(1,)] * 100)
    row_batches = query(server, CONNECT).row_batches()
    next(row_batches)

    row_batches.close()

    assert server.ended == ["stream"]
    assert server.settings["max_block_size"] == BLOCK_ROWS


def test_a_query_without_rows_still_shows_its_columns():
    assert read(query(Server([("order_id", "UInt8")], []), CONNECT)) == (("order_id",), [])


@pytest.mark.parametrize(
    ("cell", "text"),
    [("EUR\0\0", "EUR"), (b"EUR\0\0", "EUR"), (b"\xff\0", b"\xff\0"), (b"\x01\0", b"\x01\0"), ("EUR", "EUR")],
)
def test_text_of_fixed_length_ends_where_it_ends(cell, text):
    assert read(query(Server([("a", "LowCardinality(FixedString(5))")], [(cell,)]), CONNECT))[1] == [(text,)]


def test_a_type_is_taken_out_of_what_is_around_it():
    assert unwrapped("LowCardinality(Nullable(DateTime64(3)))") == "DateTime64(3)"


class TestEngine:
    """ClickHouse itself, inside of this process."""

    @pytest.fixture
    def query(self):
        pytest.importorskip("chdb")
        driver = pytest.importorskip("clickhouse_connect")
        made = pytest.importorskip("clickhouse_connect.dbapi.connection").Connection
        return lambda sql, parameters=None: SqlSource(Hook(lambda: _connected(driver, made)), sql, parameters)

    def test_cells_come_as_what_they_mean(self, query):
        sql = """
            SELECT toDateTime('2026-11-21 10:00:00', 'UTC'), toDateTime64('2026-11-21 10:00:00.25', 3, 'Europe/Berlin'),
                toFixedString('EUR', 5), [('a', 72.390)]::Array(Tuple(item_id String, price Decimal(10, 3))),
                map('a', 1), %(id)s, NULL, toDecimal64('72.390', 3)
        """
        assert read(query(sql, {"id": "'; --"}))[1] == [
            (
                dt.datetime(2026, 11, 21, 10, tzinfo=dt.UTC),
                dt.datetime(2026, 11, 21, 10, 0, 0, 250_000, tzinfo=ZoneInfo("Europe/Berlin")),
                "EUR",
                [{"item_id": "a", "price": Decimal("72.390")}],
                {"a": 1},
                "'; --",
                None,
                Decimal("72.390"),
            )
        ]

    def test_a_query_without_rows_still_shows_its_columns(self, query):
        assert read(query("SELECT number AS order_id FROM numbers(0)")) == (("order_id",), [])

    @pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
    def test_a_million_rows_take_no_more_memory_than_a_few(self, query):
        growth(query("SELECT number, repeat('x', 400) FROM numbers(300000)"))

        count, grown = growth(query("SELECT number, repeat('x', 400) FROM numbers(1000000)"))

        assert count == 1_000_000
        assert grown < 60, f"{grown:.0f} MiB"

    def test_a_query_that_fails_later_says_after_how_many_rows(self, query):
        said, came = broken(query("SELECT throwIf(number = 200000), number FROM numbers(300000)"))

        assert f"failed after {came:,} rows" in said
        assert came > 100_000


def _connected(driver, made):
    """Return a connection of clickhouse-connect on the engine in this process."""
    connection = made.__new__(made)
    connection.client = driver.get_client(interface="chdb")
    return connection
