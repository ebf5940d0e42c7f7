"""State stores: a file, and a table of each database; and two processes that run the same run."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from functools import partial

import pytest

from airflow_provider_pinterest.delivery.checkpoint import KEY
from airflow_provider_pinterest.exceptions import OutcomesError, ParameterError, StateConflictError
from airflow_provider_pinterest.sync import FileStateStore, IterableSource, SqlStateStore
from tests.running import ids, rows
from tests.sync.plain import run
from tests.waiting import until

DATABASES = ("sqlite3", "duckdb", "psycopg2", "psycopg", "psycopg-autocommit", "pymysql", "mysql.connector")


@pytest.fixture(params=DATABASES)
def connect(request, tmp_path):
    """Make connections to an empty database, by one of the drivers."""
    driver = request.param.partition("-")[0]
    module = pytest.importorskip(driver, exc_type=ImportError)
    if driver in ("sqlite3", "duckdb"):
        return partial(module.connect, str(tmp_path / "state.db"))
    if driver.startswith("psycopg"):
        server = request.getfixturevalue("postgres")
        with closing(module.connect(server.dsn)) as connection:
            connection.cursor().execute("DROP TABLE IF EXISTS pinterest_sync_state")
            connection.commit()
        return partial(module.connect, server.dsn, **({"autocommit": True} if "-" in request.param else {}))
    server = request.getfixturevalue("mariadb")
    address = {"host": server.host, "port": server.port, "user": server.user}
    with closing(module.connect(**address)) as connection:
        cursor = connection.cursor()
        cursor.execute("DROP DATABASE IF EXISTS shop")
        cursor.execute("CREATE DATABASE shop")
    return partial(module.connect, **address, database="shop")


@pytest.fixture(params=["file", "sqlite3"])
def new_store(request, tmp_path):
    """Make stores of one run, as another process would make them."""
    if request.param == "file":
        return lambda: FileStateStore(tmp_path / "state.json")
    return lambda: SqlStateStore(partial(sqlite3.connect, tmp_path / "state.db"), "2026-11-24")


class TestFile:
    def test_what_is_stored_is_read_by_the_next_process(self, tmp_path):
        path = tmp_path / "state.json"
        FileStateStore(path).set("a", {"rows": 1})
        FileStateStore(path).set("b", [2])

        assert FileStateStore(path).get("a") == {"rows": 1}
        assert FileStateStore(path).get("b") == [2]
        assert FileStateStore(path).get("c", "none") == "none"

    @pytest.mark.parametrize(
        "content", ["", "order_id;email\n1;jane@example.com", "[]", "{}", '{"revision": "1"}', "\x00"]
    )
    def test_a_file_that_holds_something_else_is_left_as_it_is(self, tmp_path, content, sandbox):
        path = tmp_path / "orders.csv"
        path.write_text(content)
        ran = run(rows(1), sandbox, call={"state": FileStateStore(path)})

        assert isinstance(ran.error, ParameterError)
        assert "orders.csv holds something else" in ran.said
        assert path.read_text() == content
        assert sandbox.calls() == []

    def test_a_folder_that_does_not_exist_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            FileStateStore(tmp_path / "nowhere" / "state.json").get("a")


class TestSql:
    def test_what_is_stored_is_read_by_the_next_process(self, connect):
        SqlStateStore(connect, "monday").set("a", {"rows": 1, "text": "it's 100 % é :p1 {} ?"})
        SqlStateStore(connect, "monday").set("b", [2])

        assert SqlStateStore(connect, "monday").get("a") == {"rows": 1, "text": "it's 100 % é :p1 {} ?"}
        assert SqlStateStore(connect, "monday").get("b") == [2]
        assert SqlStateStore(connect, "monday").get("c", "none") == "none"

    def test_each_run_has_a_row(self, connect):
        names = ["monday", "Monday", "it's {} 100 %s", "é" * 255]
        for name in names:
            SqlStateStore(connect, name).set("name", name)

        assert [SqlStateStore(connect, name).get("name") for name in names] == names
        with closing(connect()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute("SELECT run FROM pinterest_sync_state")
            assert sorted(run for (run,) in cursor.fetchall()) == sorted(names)

    def test_a_state_of_a_megabyte_is_stored(self, connect):
        SqlStateStore(connect, "monday").set("a", "x" * 1_000_000)

        assert len(SqlStateStore(connect, "monday").get("a")) == 1_000_000

    def test_a_process_that_was_replaced_can_store_nothing_more(self, connect):
        first, second = SqlStateStore(connect, "monday"), SqlStateStore(connect, "monday")
        first.set("a", 1)
        assert second.get("a") == 1

        with pytest.raises(StateConflictError, match="Another process has continued this run"):
            first.set("a", 2)

        second.set("a", 3)
        assert SqlStateStore(connect, "monday").get("a") == 3

    def test_of_two_processes_that_begin_a_run_one_can_store(self, connect):
        first, second = SqlStateStore(connect, "monday"), SqlStateStore(connect, "monday")
        assert first.get("a") is None
        assert second.get("a") is None
        second.set("a", 2)

        with pytest.raises(StateConflictError):
            first.set("a", 1)

        assert SqlStateStore(connect, "monday").get("a") == 2

    def test_of_many_that_store_at_once_one_does(self, connect):
        SqlStateStore(connect, "monday").set("a", 0)
        stores = [SqlStateStore(connect, "monday") for _ in range(6)]
        for store in stores:
            store.get("a")
        stored = []
        together = threading.Barrier(len(stores))

        def store_one(number, store):
            together.wait()
            try:
                store.set("a", number)
            except StateConflictError:
                return
            stored.append(number)

        threads = [threading.Thread(target=store_one, args=(number, store)) for number, store in enumerate(stores, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert stored == [len(stores)]
        assert SqlStateStore(connect, "monday").get("a") == len(stores)

    def test_a_run_is_continued(self, connect, sandbox):
        sandbox.fault("fail_event", event_id="order-2")
        run(rows(5), sandbox, call={"state": SqlStateStore(connect, "monday")})
        sandbox.clear_faults()
        ran = run(rows(5), sandbox, call={"state": SqlStateStore(connect, "monday")})

        assert (ran["already_sent"], ran["events_processed"]) == (4, 1)
        assert sandbox.copies() == ids(5)

    def test_text_that_is_no_json_is_a_state_that_cannot_be_read(self, tmp_path, sandbox):
        connect = partial(sqlite3.connect, tmp_path / "state.db")
        SqlStateStore(connect, "monday").set("a", 1)
        with closing(connect()) as connection, connection:
            connection.execute("UPDATE pinterest_sync_state SET state = 'x'")
        ran = run(rows(2), sandbox, call={"state": SqlStateStore(connect, "monday")})

        assert "cannot be read" in ran.log
        assert ran["events_processed"] == 2

    def test_a_table_that_exists_needs_no_right_to_create_tables(self, tmp_path):
        path = tmp_path / "state.db"
        SqlStateStore(partial(sqlite3.connect, path), "monday").set("a", 1)

        def connect():
            connection = sqlite3.connect(path)
            connection.set_authorizer(
                lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_CREATE_TABLE else sqlite3.SQLITE_OK
            )
            return connection

        assert SqlStateStore(connect, "monday").get("a") == 1
        with pytest.raises(OutcomesError, match="not authorized"):
            SqlStateStore(connect, "monday", table="other").get("a")

    @pytest.mark.parametrize("table", ["", "a b", "a;b", 'a"b', "a.b.c.d", "1a"])
    def test_a_table_needs_a_plain_name(self, table):
        with pytest.raises(ParameterError, match="table must have a name"):
            SqlStateStore(partial(sqlite3.connect, ":memory:"), "monday", table=table)

    @pytest.mark.parametrize("name", ["", " ", "monday ", "x" * 256])
    def test_a_run_needs_a_name_that_every_database_can_have_as_a_key(self, name):
        with pytest.raises(ParameterError, match="run must be"):
            SqlStateStore(partial(sqlite3.connect, ":memory:"), name)


class TestTwoProcesses:
    @pytest.mark.parametrize("action_source", ["web", "offline"])
    def test_the_run_that_began_later_goes_on_and_the_other_one_ends(self, new_store, sandbox, action_source, tmp_path):
        sandbox.fault("delay", seconds=0.05)
        found = rows(600, action_source=action_source)
        options = {"batch_size": 10, "max_in_flight": 2, "max_rejected": 0}
        later = []

        class Source(IterableSource):
            """Starts the second run when the first has sent some rows."""

            def row_batches(self):
                for number, batch in enumerate(super().row_batches()):
                    if number == 1:
                        until(lambda: len(sandbox.copies()) >= 100)
                        threading.Thread(target=second).start()
                    yield batch

        done = threading.Event()

        def second():
            store = new_store()
            later.append(run(found, sandbox, call={"state": store}, rejects_path=str(tmp_path / "rejects"), **options))
            done.set()

        found_by_first = [{**one, "value": 1} if number >= 300 else one for number, one in enumerate(found)]
        first = run(Source(found_by_first), sandbox, call={"state": new_store()}, **options)
        assert done.wait(60)

        [other] = later
        assert isinstance(first.error, StateConflictError)
        assert other["rows_read"] == 600
        assert other["events_processed"] + other["events_held"] == 600
        assert len(sandbox.copies()) >= 600 - other["events_held"]
        if action_source == "offline":
            assert not sandbox.copies(duplicates_only=True)
            assert other["events_held"] <= 60

    def test_the_one_that_ended_says_what_to_do(self, new_store, sandbox):
        class Source(IterableSource):
            """Lets another process take the run over before it is read."""

            def open(self):
                new_store().set("other", 1)
                return self

        ran = run(Source(rows(3)), sandbox, call={"state": new_store()})

        assert isinstance(ran.error, StateConflictError)
        assert "Start a run in one process at a time." in ran.said
        assert sandbox.calls() == []


def test_what_is_stored_names_nobody(sandbox, tmp_path):
    path = tmp_path / "state.json"
    run(rows(5), sandbox, call={"state": FileStateStore(path)})

    assert KEY in json.loads(path.read_text())["values"]
    assert "ada" not in path.read_text()
