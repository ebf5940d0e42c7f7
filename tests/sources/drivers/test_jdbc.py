"""JDBC: cells as JPype hands them over, and threads of the Java VM. No Java is needed."""

import array
import datetime as dt
import sys
import threading
import uuid
from types import SimpleNamespace

import pytest

from airflow_provider_pinterest.conversions.values import unix_time
from airflow_provider_pinterest.exceptions import SourceError
from airflow_provider_pinterest.sources.sql import SqlSource
from tests.sources.drivers.recorded import Connection, Cursor, Server, of_module
from tests.sources.reading import Hook, read

MOMENT = int(dt.datetime(2026, 11, 25, 14, 40, tzinfo=dt.UTC).timestamp())


class JavaVm:
    """JPype as far as threads go: the main thread is attached, others are once they were in a Java call."""

    def __init__(self):
        self.attached = {threading.main_thread().ident}
        self.daemons = {}
        self.started = True
        self.java = SimpleNamespace(lang=SimpleNamespace(Thread=self))

    def isJVMStarted(self):  # noqa: N802
        return self.started

    def isAttached(self):  # noqa: N802
        return threading.get_ident() in self.attached

    def attach(self):
        self.attached.add(threading.get_ident())

    def attachAsDaemon(self):  # noqa: N802
        self.attach()
        self.daemons[threading.get_ident()] = None

    def currentThread(self):  # noqa: N802
        return self

    def isDaemon(self):  # noqa: N802
        return threading.get_ident() in self.daemons

    def getContextClassLoader(self):  # noqa: N802
        return "loader"

    def setContextClassLoader(self, loader):  # noqa: N802
        self.daemons[threading.get_ident()] = loader

    def detach(self):
        self.attached.discard(threading.get_ident())


@pytest.fixture
def jvm(monkeypatch):
    made = JavaVm()
    monkeypatch.setitem(sys.modules, "jpype", made)
    return made


class JdbcCursor(Cursor):
    _prep = None


def connection(server):
    return of_module("jaydebeapi", type("Jdbc", (Connection,), {"cursor": lambda self: JdbcCursor(self.server)}))(
        server
    )


def query(server, jvm=None, sql="SELECT 1", parameters=None):
    def connect():
        if jvm is not None:
            jvm.attach()
        return connection(server)

    return SqlSource(Hook(connect), sql, parameters)


def java(name, *bases, value=None, **methods):
    """Return an object whose type has the name that JPype gives to a Java class."""
    kind = type(name, bases or (object,), {"toString": lambda self: value, **methods})
    return kind() if value is None or not bases or bases[0] not in (int, float, str) else kind(value)


def clob(text):
    return type("java.sql.Clob", (), {"length": lambda self: len(text), "getSubString": substring(text)})


def substring(text):
    def get(self, first, size):
        assert size > 0  # some drivers refuse to read nothing
        return text[first - 1 : first - 1 + size]

    return get


def blob(content):
    return type(
        "java.sql.Blob",
        (),
        {
            "length": lambda self: len(content),
            "getBytes": lambda self, first, size: array.array("b", content)[first - 1 : first - 1 + size],
        },
    )


def plain(cell):
    """Return what a cell is after it was read."""
    [row] = read(query(Server([("a", None), ("b", None)], [(cell, "other")])))[1]
    assert row[1] == "other"
    return row[0]


class TestCells:
    @pytest.mark.parametrize(
        ("cell", "value"),
        [
            (java("java.time.OffsetDateTime", value="2026-11-25T14:40Z"), "2026-11-25T14:40Z"),
            (java("java.time.OffsetDateTime", value="2026-11-25T15:40:00.123456789+01:00"), ...),
            (java("java.time.ZonedDateTime", value="2026-11-25T15:40+01:00[Europe/Berlin]"), "2026-11-25T15:40+01:00"),
            (java("java.time.Instant", value="2026-11-25T14:40:00Z"), "2026-11-25T14:40:00Z"),
            (java("java.time.LocalDateTime", value="2026-11-25T14:40"), "2026-11-25T14:40"),
        ],
    )
    def test_a_moment_is_text_that_is_read_as_a_time(self, cell, value):
        found = plain(cell)

        assert value in (..., found)
        assert unix_time(found, dt.UTC) == MOMENT

    def test_a_date_is_a_date(self):
        assert plain(java("java.time.LocalDate", value="2026-11-25")) == "2026-11-25"

    @pytest.mark.parametrize("text", ['[{"id": "sku1"}]', ""])
    def test_a_large_text_is_text(self, text):
        assert plain(clob(text)()) == text
        assert plain(type("org.example.ClientClob", (clob(text),), {})()) == text

    @pytest.mark.parametrize("content", [b"\x00\x7f\x80\xff", b""])
    def test_large_and_short_binary_cells_are_bytes(self, content):
        signed = [byte - 256 if byte > 127 else byte for byte in content]

        assert plain(blob(signed)()) == content
        assert plain(type("byte[]", (array.array,), {})("b", signed)) == content

    def test_a_uuid_is_text(self):
        known = str(uuid.UUID(int=4711))

        assert plain(java("java.util.UUID", value=known)) == known

    @pytest.mark.parametrize(
        ("cell", "value"),
        [
            (java("java.lang.Boolean", int, value=1), True),
            (java("java.lang.Long", int, value=4711), 4711),
            (java("JLong", int, value=4711), 4711),
            (java("java.lang.Double", float, value=72.39), 72.39),
            (java("JDouble", float, value=72.39), 72.39),
            (type("java.lang.Float", (float,), {"toString": lambda _: "72.39"})(72.38999938964844), 72.39),
            (java("java.lang.String", str, value="a"), "a"),
        ],
    )
    def test_a_number_a_boolean_and_a_text_are_of_python_s_types(self, cell, value):
        found = plain(cell)

        assert (type(found), found) == (type(value), value)

    def test_what_is_not_known_or_cannot_be_read_stays_as_it_is(self):
        def fail(self):
            raise OSError

        for cell in (java("java.sql.Array"), java("java.sql.Clob", length=fail), None, 4711, "a"):
            assert plain(cell) is cell


def in_a_thread(work):
    """Run `work` in a thread of its own."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def others(jvm):
    """Return the threads that the process would wait for."""
    return jvm.attached - {threading.main_thread().ident}


class TestThreads:
    server = Server([("event_id", None)], [("a",)] * 40)

    def test_a_thread_is_detached_when_all_is_read(self, jvm):
        in_a_thread(lambda: read(query(self.server, jvm)))

        assert not others(jvm)

    def test_a_thread_is_detached_when_it_stops_early(self, jvm):
        def work():
            row_batches = query(self.server, jvm).row_batches()
            next(row_batches)
            assert others(jvm)
            row_batches.close()

        in_a_thread(work)

        assert not others(jvm)

    def test_a_thread_is_detached_when_no_connection_can_be_made(self, jvm):
        def connect():
            jvm.attach()
            raise OSError("refused")

        def work():
            with pytest.raises(SourceError, match="refused"):
                list(SqlSource(Hook(connect), "SELECT 1").row_batches())

        in_a_thread(work)

        assert not others(jvm)

    def test_a_thread_that_was_attached_before_stays_attached(self, jvm):
        def work():
            jvm.attach()
            read(query(self.server, jvm))
            assert jvm.isAttached()

        in_a_thread(work)

        assert others(jvm)

    def test_the_main_thread_stays_attached(self, jvm):
        read(query(self.server, jvm))

        assert jvm.isAttached()

    def test_a_java_vm_that_does_not_run_is_left_alone(self, jvm):
        jvm.started = False
        jvm.java = None

        in_a_thread(lambda: read(query(self.server)))

        assert not others(jvm)

    def test_the_process_can_end_while_a_statement_runs(self, jvm):
        def work():
            row_batches = query(self.server, jvm).row_batches()
            next(row_batches)
            assert jvm.daemons == {threading.get_ident(): "loader"}
            row_batches.close()

        in_a_thread(work)

        assert jvm.daemons

    def test_the_statement_is_cancelled_from_another_thread_which_is_detached_too(self, jvm):
        server = Server([("event_id", None)], [("a",)] * 40)
        made, row_batches = started(server, jvm)

        def cancel():
            jvm.attach()
            server.ended.append("statement")

        made._reader.cursor._prep = SimpleNamespace(cancel=cancel)

        made.cancel()
        ended()

        assert server.ended == ["statement"]
        assert not others(jvm)
        with pytest.raises(SourceError, match="was cancelled"):
            next(row_batches)

    def test_a_driver_that_waits_for_the_end_of_the_statement_holds_nobody_up(self, jvm):
        go_on = threading.Event()
        made, row_batches = started(self.server, jvm)
        made._reader.cursor._prep = SimpleNamespace(cancel=lambda: (jvm.attach(), go_on.wait(20)))

        made.cancel()

        with pytest.raises(SourceError, match="was cancelled"):
            next(row_batches)
        assert not go_on.is_set()
        go_on.set()
        ended()
        assert not others(jvm)


def started(server, jvm):
    """Return a query, and its row_batches after the first one."""
    made = query(server, jvm)
    row_batches = made.row_batches()
    next(row_batches)
    return made, row_batches


def ended():
    """Wait until the threads that cancel have ended."""
    for thread in threading.enumerate():
        if thread.name == "pinterest-cancel":
            thread.join(20)


class TestAdvice:
    @pytest.mark.parametrize(
        ("sql", "parameters"),
        [
            ("SELECT a FROM t WHERE b >= ?", {"start": "2026-11-21"}),
            ("SELECT a FROM t WHERE b >= %(start)s", ["2026-11-21"]),
            ("SELECT a FROM t WHERE b >= :start -- why?", ["2026-11-21"]),
        ],
    )
    def test_a_wrong_placeholder_is_told(self, sql, parameters):
        assert advice(sql, parameters, KeyError(0)) == (
            "Write placeholders as ? for this driver, and pass parameters as a list."
        )

    def test_a_statement_that_is_wrong_otherwise_is_told_to_be_checked(self):
        said = advice("SELECT a FROM t WHERE b >= ? AND c = ':x'", ["2026-11-21"], RuntimeError("no table"))

        assert said.startswith("Check the SQL")

    @pytest.mark.parametrize("error", [TypeError("x"), KeyError("x"), ImportError("x"), AttributeError("x")])
    def test_an_error_that_is_not_the_database_s_points_to_the_driver(self, error):
        assert advice("SELECT 1", None, error).startswith("The driver is not configured correctly")
        assert advice("SELECT 1", None, error, connecting=True).startswith("The driver is not configured correctly")

    def test_a_database_that_cannot_be_reached_is_told_as_before(self):
        assert advice("SELECT 1", None, OSError("x"), connecting=True).startswith("Check that the database is running")


def advice(sql, parameters, error, *, connecting=False):
    """Return what is advised when a statement, or its connection, fails."""

    def fail(*_):
        raise error

    server = Server([], [])
    cursor = type("Failing", (Cursor,), {"execute": fail})
    kind = type("Jdbc", (Connection,), {"cursor": lambda self: cursor(self.server)})
    made = SqlSource(Hook(fail if connecting else lambda: of_module("jaydebeapi", kind)(server)), sql, parameters)
    with pytest.raises(SourceError) as caught:
        list(made.row_batches())
    return str(caught.value).partition("What to do: ")[2]
