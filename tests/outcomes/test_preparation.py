"""What stands in the way of the outcome table is found before anything is sent, and the message says what to do."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial

import pytest

from airflow_provider_pinterest.exceptions import OutcomesError, ParameterError
from airflow_provider_pinterest.outcomes.database import beside
from airflow_provider_pinterest.outcomes.table import create_table_statement
from airflow_provider_pinterest.sync import OutcomeTable, SqlStateStore
from tests.outcomes.reading import query, statuses
from tests.running import rows
from tests.sync.plain import run


def execute(connect, *statements):
    with closing(connect()) as connection:
        with closing(connection.cursor()) as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.commit()


def refused(connect, sandbox, **options):
    """Return what the error says; nothing was sent."""
    name = options.pop("table", "pinterest_outcomes")
    ran = run(rows(2), sandbox, call={"outcomes": OutcomeTable(connect, "monday", table=name)}, **options)

    assert isinstance(ran.error, OutcomesError)
    assert sandbox.copies() == {}
    return ran.said


@pytest.fixture
def reader(postgresql):
    """Connect as a user who may do only what a test grants."""
    execute(
        postgresql,
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        create_table_statement("postgresql"),
    )
    yield partial(postgresql, user="reader")
    execute(postgresql, "DROP OWNED BY reader", "DROP ROLE reader")


@pytest.mark.parametrize("right", ["INSERT", "UPDATE", "DELETE"])
def test_each_right_that_is_missing_is_named(reader, postgresql, sandbox, right):
    granted = ", ".join({"SELECT", "INSERT", "UPDATE", "DELETE"} - {right})
    execute(postgresql, f"GRANT {granted} ON pinterest_outcomes TO reader")
    said = refused(reader, sandbox)

    if right != "UPDATE":  # PostgreSQL asks for it when a row is inserted or changed
        assert f"does not allow {right} for the outcome table pinterest_outcomes" in said
    assert "permission denied for table pinterest_outcomes" in said
    assert "needs the rights SELECT, INSERT, UPDATE and DELETE" in said


def test_a_table_that_exists_and_may_not_be_read(reader, sandbox):
    said = refused(reader, sandbox)

    assert "cannot be read (InsufficientPrivilege: permission denied for table pinterest_outcomes)" in said
    assert "If it exists, grant SELECT, INSERT, UPDATE and DELETE" in said


def test_all_rights_are_enough(reader, postgresql, sandbox):
    execute(postgresql, "GRANT SELECT, INSERT, UPDATE, DELETE ON pinterest_outcomes TO reader")
    run(rows(2), sandbox, call={"outcomes": OutcomeTable(reader, "monday")}, skip_already_sent=True)

    assert statuses(postgresql) == {"processed": 2}


def test_a_database_that_can_only_be_read(postgresql, sandbox):
    execute(postgresql, create_table_statement("postgresql"))
    said = refused(partial(postgresql, options="-c default_transaction_read_only=on"), sandbox)

    assert "cannot execute INSERT in a read-only transaction" in said


def test_a_table_of_an_earlier_version(connect, sandbox):
    dialect = {"sqlite3": "sqlite", "_duckdb": "duckdb", "duckdb": "duckdb", "psycopg2": "postgresql"}
    with closing(connect()) as connection:
        name = dialect.get(type(connection).__module__.partition(".")[0], "mysql")
    name = "postgresql" if "psycopg" in type(connection).__module__ else name
    whole = create_table_statement(name)
    execute(connect, "".join(line for line in whole.splitlines(keepends=True) if "action_source" not in line))
    said = refused(connect, sandbox)

    assert "exists, but has no column action_source" in said
    execute(connect, said.partition("Add the columns:\n")[2].partition(";")[0])
    run(rows(2), sandbox, call={"outcomes": OutcomeTable(connect, "monday")})
    assert statuses(connect) == {"processed": 2}


def test_the_table_of_somebody_else(connect, sandbox):
    execute(connect, "CREATE TABLE pinterest_outcomes (id INTEGER, status VARCHAR(10))")
    said = refused(connect, sandbox)

    assert "exists, but has no column outcome_key, ad_account_id" in said
    assert "It is another table. Choose another name" in said


def test_a_table_without_a_primary_key(connect, sandbox):
    with closing(connect()) as connection:
        mysql = "mysql" in type(connection).__module__
    whole = create_table_statement("mysql" if mysql else "sqlite")
    execute(connect, whole.replace(" PRIMARY KEY", ""))
    said = refused(connect, sandbox)

    assert ("has no primary key" if mysql else "outcome_key must be the primary key") in said


def test_a_lost_connection_is_no_missing_table(sandbox):
    def connect():
        raise sqlite3.OperationalError("server closed the connection")

    said = refused(connect, sandbox)

    assert "cannot be used (OperationalError: server closed the connection)" in said
    assert "CREATE TABLE" not in said


class Flaky:
    """A SQLite connection that is lost at the first statement."""

    lost = 0

    def __init__(self, path):
        self._inner = sqlite3.connect(path)
        self._lost = False

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def cursor(self):
        if Flaky.lost or self._lost:
            Flaky.lost, self._lost = max(Flaky.lost - 1, 0), True
            raise sqlite3.OperationalError("server has gone away")
        return self._inner.cursor()


Flaky.__module__ = "sqlite3"


def test_a_connection_that_is_lost_while_the_table_is_looked_up_is_made_again(tmp_path, sandbox, monkeypatch):
    monkeypatch.setattr(Flaky, "lost", 1)
    path = str(tmp_path / "outcomes.db")
    ran = run(rows(2), sandbox, call={"outcomes": OutcomeTable(partial(Flaky, path), "monday")})

    assert ran.error is None, ran.said
    assert statuses(partial(sqlite3.connect, path)) == {"processed": 2}


class Racing:
    """A SQLite connection; another process creates the table right after it was looked up."""

    def __init__(self, path):
        self._path = path
        self._inner = sqlite3.connect(path)

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def rollback(self):
        self._inner.rollback()
        with closing(sqlite3.connect(self._path)) as other:
            other.execute(create_table_statement("sqlite").replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"))


Racing.__module__ = "sqlite3"


def test_a_table_that_another_process_creates_at_the_same_moment_is_used(tmp_path, sandbox):
    connect = partial(Racing, str(tmp_path / "outcomes.db"))
    ran = run(rows(2), sandbox, call={"outcomes": OutcomeTable(connect, "monday")})

    assert ran.error is None, ran.said
    assert statuses(connect) == {"processed": 2}


def test_the_state_table_has_the_same_messages(tmp_path):
    path = tmp_path / "read-only.db"
    sqlite3.connect(path).close()
    store = SqlStateStore(partial(sqlite3.connect, f"file:{path}?mode=ro", uri=True), "monday")

    with pytest.raises(OutcomesError, match="The state table pinterest_sync_state cannot be read") as raised:
        store.get("checkpoint")
    assert "CREATE TABLE pinterest_sync_state (run" in str(raised.value)


QUOTED = ['"Order"', '"my table"', "Größe", '"group"', "main.mine", "t$1"]


@pytest.mark.parametrize("name", QUOTED)
def test_names_of_all_kinds(sqlite, sandbox, name):
    run(rows(2), sandbox, call={"outcomes": OutcomeTable(sqlite, "monday", table=name)}, skip_already_sent=True)
    ran = run(rows(3), sandbox, call={"outcomes": OutcomeTable(sqlite, "tuesday", table=name)}, skip_already_sent=True)

    assert (ran["already_sent"], ran["events_processed"]) == (2, 1)
    assert query(sqlite, f"SELECT count(*) FROM {name}") == [(3,)]  # noqa: S608 - constant names


@pytest.mark.parametrize("name", ["my-project.sales.outcomes", "`my-project`.sales.outcomes"])
def test_the_names_of_bigquery(name):
    assert create_table_statement("bigquery", name).startswith(f"CREATE TABLE {name} (")


@pytest.mark.parametrize("name", ['"a', '"a;b"', '"a"b"', "my-project.outcomes;", "a-b.c.d.e", '""', '"{}"', '"%s"'])
def test_names_that_hide_something_else_are_refused(name):
    with pytest.raises(ParameterError, match="table must have a name"):
        create_table_statement("bigquery", name)


def test_the_name_of_the_state_table():
    assert [beside(name, "_state") for name in ("s.t", 's."T"', "`t`", "[t]")] == [
        "s.t_state",
        's."T_state"',
        "`t_state`",
        "[t_state]",
    ]
