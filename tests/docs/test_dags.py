"""The README's DAGs are whole files: each is written into the DAGs folder as it stands and run by Airflow."""

import datetime as dt
import json
import sqlite3
import warnings

import pytest

from harness import dag_runs
from harness.airflow import sqlite_connection
from tests.docs.pages import README, blocks, for_sqlite

FILES = [block for block in blocks(README, "python") if "with DAG(" in block.text]
QUARTER = dt.timedelta(minutes=15)


def stamp(moment):
    return f"{moment:%Y-%m-%d %H:%M:%S}"


@pytest.fixture(scope="module")
def now():
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def end(now):
    """The end of the last whole quarter of an hour."""
    return now - (now - dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) % QUARTER


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory, end):
    """Three good orders of the last quarter of an hour, one without consent, one bad, and an earlier one."""
    path = tmp_path_factory.mktemp("readme") / "warehouse.db"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE orders (order_id, ordered_at, loaded_at, email, phone, country, total, currency, consent)"
        )
        for order, minutes, email, currency, consent in (
            ("1", 1, "one@example.com", "EUR", 1),
            ("2", 5, "two@example.com", "EUR", 1),
            ("3", 15, "three@example.com", "EUR", 1),
            ("4", 5, "four@example.com", "EUR", 0),
            ("5", 5, "five@example.com", "€", 1),
            ("6", 16, "six@example.com", "EUR", 1),
        ):
            at = end - dt.timedelta(minutes=minutes)
            row = (order, at.isoformat(), stamp(at), email, "+49 30 1234567", "DE", 72.39, currency, consent)
            connection.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.close()
    return path


@pytest.fixture(scope="module")
def rejects(tmp_path_factory):
    return tmp_path_factory.mktemp("rejects")


@pytest.fixture(scope="module")
def dags(airflow_db, rejects):
    """The README's DAGs, parsed by Airflow from a folder of their own."""
    folder = airflow_db / "readme"
    folder.mkdir()
    for number, block in enumerate(FILES):
        text = for_sqlite(block.text).replace("/var/lib/airflow/pinterest-rejects", str(rejects))
        (folder / f"readme_{number}.py").write_text(text, "utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return dag_runs.load(folder)


@pytest.fixture
def run(dags, warehouse, pinterest, now):
    """Run one of the DAGs as of now, and return the results of its sending tasks by task."""

    def ran(dag_id):
        tasks = dag_runs.run(dags[dag_id], now, AIRFLOW_CONN_WAREHOUSE=sqlite_connection(warehouse))
        return {task.task_id: task for task in tasks}

    return ran


def test_the_readme_has_three(dags):
    assert set(dags) == {"pinterest_first", "pinterest_checkouts", "pinterest_from_tasks"}


def test_the_first_checks_every_row_and_sends_nothing(run, pinterest):
    send = run("pinterest_first")["send"]

    assert send.state == "success"
    assert send.result["validated_only"] == send.result["rows_read"] == 6
    assert pinterest.totals().calls == 0


def test_the_second_sends_the_window_of_those_who_agreed_and_fails_for_the_bad_row(run, pinterest, rejects):
    send = run("pinterest_checkouts")["send"]

    assert pinterest.copies() == {"1": 1, "2": 1, "3": 1}
    assert send.result["reasons"] == {"bad_currency": 1}
    assert send.state == "failed", "one of four is more than one percent"
    [written] = rejects.rglob("*.ndjson")
    assert json.loads(written.read_text("utf-8"))["keys"] == {"order_id": "5"}


def test_the_third_sends_what_other_tasks_return(run, pinterest):
    tasks = run("pinterest_from_tasks")

    assert {task.state for task in tasks.values()} == {"success"}
    assert {event.event_id: event.event_name for event in pinterest.events()} == {"4711": "signup", "4712": "lead"}
