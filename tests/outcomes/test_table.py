"""The outcome table: what stands in it after a run, in each database."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import time
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from airflow_provider_pinterest.delivery.outcome_log import EventOutcome, Status
from airflow_provider_pinterest.exceptions import OutcomesError, ParameterError
from airflow_provider_pinterest.outcomes.table import create_table_statement
from airflow_provider_pinterest.sync import AttemptInfo, OutcomeTable, SqlStateStore
from tests.outcomes.conftest import connections
from tests.outcomes.reading import query, statuses, table
from tests.running import row, rows
from tests.sync.plain import run


def one_of_each():
    """Return a good row, a rejected one, a duplicate, an excluded one, and one that Pinterest fails."""
    return [
        row(1, order="A-1", consent="yes"),
        row(2, order="A-2", consent="yes", email="no address"),
        row(1, order="A-3", consent="yes"),
        row(4, order="A-4", consent="no"),
        row(5, order="A-5", consent="yes"),
    ]


def test_each_event_has_a_row(connect, sandbox):
    sandbox.fault("fail_event", event_id="order-5")
    before = time.time()
    ran = run(
        one_of_each(),
        sandbox,
        call={"outcomes": OutcomeTable(connect, "monday")},
        key_columns=["order"],
        field_map={"order": None},
        consent_column="consent",
        max_rejected=1.0,
    )
    found = {one["source_row"]: one for one in table(connect)}

    assert ran.error is None, ran.said
    assert {number: one["status"] for number, one in found.items()} == {
        1: "processed",
        2: "rejected",
        3: "duplicate",
        5: "failed",
    }
    first = found[1]
    assert (first["ad_account_id"], first["event_name"], first["event_id"]) == (
        sandbox.ad_account_id,
        "checkout",
        "order-1",
    )
    assert json.loads(first["key_columns"]) == {"order": "A-1"}
    assert (first["reasons"], first["run"], first["is_test"], first["match_keys"]) == (None, "monday", 0, "em")
    assert (first["claim"], first["status_before"]) == (None, None)
    assert found[2]["reasons"] == "no_match_key"
    assert found[2]["event_id"] == "order-2"
    assert moment(first["written_at"]) == pytest.approx(time.time(), abs=time.time() - before + 1)
    assert moment(first["event_time"]) == pytest.approx(before - 60, abs=30)


def moment(stored):
    found = stored if isinstance(stored, dt.datetime) else dt.datetime.fromisoformat(stored)
    return found.replace(tzinfo=dt.UTC).timestamp()


def test_a_second_run_changes_rows_and_adds_none(connect, sandbox):
    outcomes = partial(OutcomeTable, connect)
    bad = [row(1), row(2, email="no address"), row(3)]
    run(bad, sandbox, call={"outcomes": outcomes("monday")}, max_rejected=1.0)
    assert statuses(connect) == {"processed": 2, "rejected": 1}

    run(rows(3), sandbox, call={"outcomes": outcomes("tuesday")})
    assert statuses(connect) == {"processed": 3}

    run(bad, sandbox, call={"outcomes": outcomes("wednesday")}, max_rejected=1.0)
    assert statuses(connect) == {"processed": 3}, "processed is final"
    assert {one["event_id"]: one["run"] for one in table(connect)} == {
        "order-1": "monday",
        "order-2": "tuesday",
        "order-3": "monday",
    }


def test_thousands_of_rows_of_all_kinds(connect, sandbox):
    many = [row(number, email=f"a{number}@example.com" if number % 3 else "no address") for number in range(1, 2_501)]
    ran = run(many, sandbox, call={"outcomes": OutcomeTable(connect, "monday")}, max_rejected=1.0)

    assert statuses(connect) == {"processed": ran["events_processed"], "rejected": ran["rows_rejected"]}


@pytest.mark.parametrize("at_once", [True, False])
def test_a_rejected_row_does_not_hide_that_its_event_may_have_been_sent(sqlite, at_once):
    opened = OutcomeTable(sqlite, "monday").open(test=False)
    for number, status in enumerate((Status.HELD, Status.REJECTED), 1):
        opened.add(EventOutcome("1", number, status, "checkout", "order-1", None, {}))
        if not at_once:
            opened.flush()
    opened.flush()
    opened.close()

    assert statuses(sqlite) == {"held": 1}


def test_there_is_no_personal_data(sqlite, sandbox):
    bad = [
        row(1, event_id="ada@example.com", email="not one"),
        row(2, event_id="grace@example.com"),
        row(3, event_name="for ada@example.com", email="not one"),
    ]
    run(bad, sandbox, call={"outcomes": OutcomeTable(sqlite, "monday")}, max_rejected=1.0)
    found = table(sqlite)

    assert "example.com" not in str(found)
    assert [(one["status"], one["event_id"]) for one in found] == [
        ("rejected", None),
        ("processed", None),
        ("rejected", "order-3"),
    ]


def test_test_mode_is_told_apart(sqlite, sandbox):
    for test in (True, False):
        run(rows(2), sandbox, call={"outcomes": OutcomeTable(sqlite, "monday")}, test=test)

    assert sorted((one["event_id"], one["is_test"], one["status"]) for one in table(sqlite)) == [
        ("order-1", 0, "processed"),
        ("order-1", 1, "processed"),
        ("order-2", 0, "processed"),
        ("order-2", 1, "processed"),
    ]


def test_a_run_in_test_mode_leaves_the_rows_of_the_run_alone(sqlite, sandbox):
    some = [row(1), row(1), row(3, event_id=None), row(4, event_name=None)]
    outcomes = OutcomeTable(sqlite, "monday")
    run(some, sandbox, call={"outcomes": outcomes}, max_rejected=1.0)
    before = table(sqlite)
    run(some, sandbox, call={"outcomes": outcomes}, max_rejected=1.0, test=True)

    assert [one for one in table(sqlite) if not one["is_test"]] == before
    assert statuses(sqlite) == {"processed": 2, "duplicate": 2, "rejected": 4}


@pytest.mark.parametrize("ledger", [False, True])
def test_a_corrected_row_of_a_run_that_is_cleared_is_not_rejected_any_more(connect, sandbox, ledger):
    outcomes = OutcomeTable(connect, "monday")
    wrong = [row(1), row(2, event_id=None), row(1), row(4, event_id=None), row(5, email="none")]
    send = partial(run, sandbox=sandbox, max_rejected=1.0, max_duplicates=1.0, skip_already_sent=ledger)
    send(wrong, call={"outcomes": outcomes, "attempt": AttemptInfo(number=1)})
    assert statuses(connect) == {"processed": 1, "rejected": 3, "duplicate": 1}
    corrected = [row(1), row(2), row(3), row(4, event_id=None), row(5)]
    ran = send(corrected, call={"outcomes": outcomes, "attempt": AttemptInfo(number=2)})

    assert ran.error is None, ran.said
    assert statuses(connect) == {"processed": 4, "rejected": 1}
    assert [one["source_row"] for one in table(connect) if one["status"] == "rejected"] == [4]


def test_validate_only_leaves_the_database_alone(tmp_path, sandbox):
    path = tmp_path / "none.db"
    outcomes = OutcomeTable(partial(sqlite3.connect, path), "monday")
    ran = run(rows(2), sandbox, call={"outcomes": outcomes}, validate_only=True)

    assert ran["validated_only"] == 2
    assert not path.exists()


def test_hostile_cells_are_stored(connect, sandbox):
    keys = ["it's {} %s :p1 ?", "a\x00b", "é" * 200, None, 1.5, {"a": [1]}, dt.date(2026, 1, 2)]
    many = [row(number, key=key, event_id=f"o'{{}}%s-{number}") for number, key in enumerate(keys, 1)]
    ran = run(
        many,
        sandbox,
        call={"outcomes": OutcomeTable(connect, "it's {} 100 %s")},
        key_columns=["key"],
        field_map={"key": None},
    )

    assert ran.error is None, ran.said
    assert [json.loads(one["key_columns"] or "{}").get("key") for one in table(connect)] == [
        "it's {} %s :p1 ?",
        "a\x00b",
        "é" * 200,
        None,
        1.5,
        '{"a":[1]}',
        "2026-01-02",
    ]


def test_without_the_right_to_create_the_statement_is_printed(tmp_path, sandbox):
    path = tmp_path / "read-only.db"
    sqlite3.connect(path).close()
    connect = partial(sqlite3.connect, f"file:{path}?mode=ro", uri=True)
    ran = run(rows(2), sandbox, call={"outcomes": OutcomeTable(connect, "monday", table="main.mine")})

    assert isinstance(ran.error, OutcomesError)
    assert create_table_statement("sqlite", "main.mine") in ran.said
    assert sandbox.copies() == {}
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(create_table_statement("sqlite", "main.mine"))
    ran = run(
        rows(2), sandbox, call={"outcomes": OutcomeTable(partial(sqlite3.connect, path), "monday", table="main.mine")}
    )
    assert ran["events_processed"] == 2
    assert query(partial(sqlite3.connect, path), "SELECT count(*) FROM mine") == [(2,)]


@pytest.mark.parametrize("name", ["", "a b", "a;b", "1a", "a.b.c.d", "a-b"])
def test_a_wrong_table_name_is_refused(name):
    with pytest.raises(ParameterError, match="table must have a name"):
        OutcomeTable(partial(sqlite3.connect, ":memory:"), "monday", table=name)


@pytest.mark.parametrize("name", ["", " monday", "x" * 256])
def test_a_wrong_run_name_is_refused(name):
    with pytest.raises(ParameterError, match="run must be 1 to 255 characters"):
        OutcomeTable(partial(sqlite3.connect, ":memory:"), name)


def test_connections_that_return_mappings(request, tmp_path, sandbox):
    """Airflow sets such cursors with the extra ``cursor``."""
    extras = pytest.importorskip("psycopg2.extras")
    cursors = pytest.importorskip("pymysql.cursors")
    for driver, option in (
        ("psycopg2", {"cursor_factory": extras.RealDictCursor}),
        ("psycopg2", {"cursor_factory": extras.NamedTupleCursor}),
        ("pymysql", {"cursorclass": cursors.DictCursor}),
    ):
        database = connections(request, driver, tmp_path)
        mapped = partial(database, **option)
        bad = [{**one, "currency": "XX"} for one in rows(4)[2:]]
        send = partial(run, sandbox=sandbox, max_rejected=1.0, skip_already_sent=True)
        send(rows(2) + bad, call={"outcomes": OutcomeTable(mapped, f"{driver} monday")}, test=False)
        state = SqlStateStore(mapped, "tuesday", table="pinterest_outcomes_state")
        ran = send(rows(4), call={"outcomes": OutcomeTable(mapped, "tuesday"), "state": state}, only="rejected")

        assert ran.error is None, ran.said
        assert ran["selection"]["processed"] == 2
        assert statuses(database) == {"processed": 4}


@pytest.mark.parametrize("charset", ["latin1", "utf8", "ascii"])
@pytest.mark.parametrize("driver", ["pymysql", "mysql.connector"])
def test_a_mysql_connection_of_any_character_set_takes_any_text(request, tmp_path, sandbox, driver, charset):
    database: Any = connections(request, driver, tmp_path)
    some = [row(1, shop="Café 😀", event_id="😀-1")]
    options = {"key_columns": ["shop"], "field_map": {"shop": None}, "skip_already_sent": True}
    outcomes = OutcomeTable(partial(database, charset=charset), "montag 😀")
    ran = run(some, sandbox, call={"outcomes": outcomes}, **options)

    assert ran.error is None, ran.said
    [found] = table(database)
    assert (found["event_id"], found["run"], json.loads(found["key_columns"])) == (
        "😀-1",
        "montag 😀",
        {"shop": "Café 😀"},
    )
