"""The page "Deletion requests": its examples run, and it names all that there is."""

from __future__ import annotations

import inspect
import json
import os
import re
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_pinterest.erasure.deletion_counts import DeletionCounts
from airflow_provider_pinterest.erasure.reading import REASONS
from airflow_provider_pinterest.operators.request_deletion import RequestDeletionOperator
from airflow_provider_pinterest.sandbox import Sandbox
from airflow_provider_pinterest.sensors.deletion_request import DeletionRequestSensor
from harness.airflow import sqlite_connection
from harness.task import RecordingTaskInstance
from tests.docs.pages import DOCS, REPOSITORY, blocks, lines
from tests.sync.plain import program

PAGE = DOCS / "erasure.md"
ACCOUNT = 'ad_account_id="549755885175"'


def keywords(of):
    found = inspect.signature(of.__init__).parameters.values()
    return [one.name for one in found if one.kind is one.KEYWORD_ONLY and one.name != "default_args"]


def column(head):
    return [line.cells[0].strip("`") for line in lines(PAGE) if line.head[0] == head]


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("Parameter", keywords(RequestDeletionOperator)),
        ("Parameter of the sensor", keywords(DeletionRequestSensor)),
        ("Key of the result", list(DeletionCounts().values("1"))),
        ("Code", list(REASONS)),
    ],
)
def test_a_table_names_them_all_and_no_other(head, names):
    assert column(head) == names


def test_a_code_means_what_the_code_says():
    assert {line.cells[0].strip("`"): line.cells[1] for line in lines(PAGE) if line.head[0] == "Code"} == REASONS


@pytest.mark.parametrize("of", [RequestDeletionOperator, DeletionRequestSensor])
def test_the_docstring_names_every_parameter(of):
    assert set(keywords(of)) <= set(re.findall(r":param (\w+):", of.__doc__ or ""))
    assert set(keywords(of)) - {"deferrable"} == set(of.template_fields)


@pytest.fixture
def pinterest(tmp_path, monkeypatch):
    """Run a local Pinterest with people to erase in the warehouse."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as shop, shop:
        shop.execute("CREATE TABLE erasure_requests (email)")
        shop.execute("INSERT INTO erasure_requests VALUES ('jane@example.com')")
    with Sandbox(deletion_pending_seconds=0) as running:
        connection = {**running.connection(), "password": running.oauth_token}
        monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_OAUTH", json.dumps(connection))
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", sqlite_connection(path))
        yield running


def code(part):
    [text] = [block.text for block in blocks(PAGE, "python") if part in block.text]
    return text


def test_the_tasks_run(pinterest):
    known: dict[str, Any] = {}
    with DAG("docs", schedule=None) as dag:
        exec(compile(code("DeletionRequestSensor("), "docs", "exec"), known)  # noqa: S102
    ids = known["request_deletion"].execute({"ti": RecordingTaskInstance()})["request_ids"]
    waiting: Any = dag.task_dict["wait_until_submitted"]
    waiting.request_ids = ids

    assert [one.user_emails for one in pinterest.deletion_requests()] == [("jane@example.com",)]
    assert waiting.upstream_task_ids == {"request_deletion"}
    assert waiting.poke({})


def test_every_account_has_its_request(pinterest):
    with DAG("docs", schedule=None) as dag:
        exec(compile(code("for account in"), "docs", "exec"), {})  # noqa: S102
    for account in ("549755885175", "549755885176"):
        request: Any = dag.task_dict[f"request_deletion_{account}"]
        request.execute({"ti": RecordingTaskInstance()})

    assert [one.ad_account_id for one in pinterest.deletion_requests()] == ["549755885175", "549755885176"]


def test_people_who_are_erased_are_left_out_of_a_query(pinterest):
    [query] = [block.text for block in blocks(PAGE, "sql") if "NOT EXISTS" in block.text]
    with closing(sqlite3.connect(":memory:")) as shop:
        shop.execute("CREATE TABLE erasure_requests (email)")
        shop.execute("CREATE TABLE orders (email)")
        shop.execute("INSERT INTO erasure_requests VALUES ('jane@example.com')")
        shop.executemany("INSERT INTO orders VALUES (?)", [("Jane@example.com",), ("max@example.com",), (None,)])
        assert shop.execute(query).fetchall() == [("max@example.com",), (None,)]


def test_the_hook_cancels(pinterest):
    pinterest.settings(deletion_pending_seconds=60)
    rows = [{"email": "jane@example.com"}]
    operator: Any = RequestDeletionOperator(
        task_id="erase", rows=rows, email_column="email", pinterest_conn_id="pinterest_oauth"
    )
    operator.execute({"ti": RecordingTaskInstance()})
    exec(compile(code("cancel_deletion_request("), "docs", "exec"), {})  # noqa: S102

    assert [one.cancelled for one in pinterest.deletion_requests()] == [True]


def test_the_program_runs_twice_and_creates_once(pinterest, tmp_path):
    text = code("FileStateStore(").replace(ACCOUNT, f'{ACCOUNT}, host=os.environ["SANDBOX"]')
    variables = {
        "PINTEREST_OAUTH_TOKEN": pinterest.oauth_token,
        "SANDBOX": pinterest.url,
        "PYTHONPATH": str(REPOSITORY),
    }
    for printed in ("1 people", "0 people"):
        done = program(text, cwd=tmp_path, env=os.environ | variables)
        assert printed in done.stdout, done.stderr

    assert len(pinterest.deletion_requests()) == 1
