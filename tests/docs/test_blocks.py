"""The examples in the pages do what they say: Python runs against the local Pinterest, JSON and commands are read."""

import ast
import datetime as dt
import json
import shlex
import sqlite3
import types
from contextlib import nullcontext

import airflow
import pytest
from airflow.providers.common.compat.sdk import DAG, XComArg, task

from airflow_provider_pinterest.delivery.client import base_url
from airflow_provider_pinterest.hooks.pinterest import PinterestHook
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from airflow_provider_pinterest.sandbox import Sandbox
from airflow_provider_pinterest.sandbox.__main__ import _parser
from tests.docs.pages import DOCS, PAGES, README, all_blocks, blocks, lines

AIRFLOW_3 = not airflow.__version__.startswith("2.")
ONLY_ON_AIRFLOW_3_3 = "airflow_provider_pinterest.policies"

SNIPPETS = [block for block in all_blocks("python") if "with DAG(" not in block.text]
JSON = all_blocks("json")

COLUMNS: dict[str, object] = {
    "event_id": "4711",
    "event_time": dt.datetime.now(dt.UTC).isoformat(),
    "event_name": "checkout",
    "action_source": "web",
    "email": "jane@example.com",
}
"""A row that has what the examples select, unless its heading stands in the next table."""

OTHER_COLUMNS: dict[str, dict[str, object]] = {
    "parameters": {"loaded_at": "2026-11-21 09:30:00"},
    "field_map": {"email": ..., "mail": "jane@example.com", "grand_total": 72.39, "internal_note": "gift",
                  "custom_data": '{"experiment": "b"}'},
    "identifiers": {"phone": "030 1234567", "date_of_birth": "03/04/1990", "external_id": "C1"},
    "defaults": {"event_name": ..., "action_source": ...},
    "What the columns mean": {
        **dict.fromkeys(COLUMNS, ...),
        "order_id": "4711", "ordered_at": COLUMNS["event_time"], "mail": "jane@example.com", "total": 72.39,
        "internal_note": "gift",
    },
}  # fmt: skip
"""Heading → columns that its example has besides, or (``...``) has not."""


class TaskInstance:
    """What `execute` needs of a task instance."""

    dag_id, task_id, run_id, map_index, try_number = "docs", "send", "now", -1, 1

    def __init__(self):
        self.pushed = {}

    def xcom_push(self, key, value):
        self.pushed[key] = value


@pytest.fixture(scope="module")
def pinterest():
    with Sandbox() as running:
        yield running


@pytest.fixture
def connections(pinterest, tmp_path, monkeypatch):
    """Both connections, from the environment; returns the warehouse."""
    pinterest.clear()
    path = tmp_path / "warehouse.db"
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_DEFAULT", json.dumps(pinterest.connection()))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    with sqlite3.connect(path) as warehouse:
        yield warehouse
    warehouse.close()


def placeholders(sql):
    """Write placeholders as the README's table has them for SQLite."""
    [cell] = [line.cells[1].strip("`") for line in lines(README) if line.cells[0] == "SQLite"]
    return sql.replace("%(start)s", cell).replace("%(end)s", cell.replace("start", "end"))


def fill(warehouse, table, heading):
    row = {name: value for name, value in (COLUMNS | OTHER_COLUMNS.get(heading, {})).items() if value is not ...}
    warehouse.execute(f"CREATE TABLE {table} ({', '.join(row)})")
    warehouse.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", list(row.values()))  # noqa: S608
    warehouse.commit()


def deliver(operator):
    """Run an operator outside of a DAG run, with what upstream tasks and templates would have given it."""
    if isinstance(operator.events, XComArg):
        [(upstream, _)] = operator.events.iter_references()
        operator.events = upstream.python_callable()  # type: ignore[union-attr]
    if operator.sql:
        is_file = operator.sql.endswith(tuple(operator.template_ext))
        operator.sql = "SELECT * FROM checkouts" if is_file else placeholders(operator.sql)
        operator.parameters = operator.parameters and {"start": "2026-11-21", "end": "2026-11-22"}
    ti = TaskInstance()
    result = operator.execute({"ti": ti})
    assert ti.pushed == {"pinterest_result": result}
    return result


@pytest.mark.parametrize("block", SNIPPETS, ids=str)
def test_a_snippet_runs(block, connections, pinterest):
    if ONLY_ON_AIRFLOW_3_3 in block.text:
        pytest.importorskip("airflow.sdk.definitions.retry_policy")
    for table in ("checkouts", "orders"):
        fill(connections, table, block.heading)
    known = {
        "SendConversionsOperator": SendConversionsOperator,
        "task": task,
        "timedelta": dt.timedelta,
        "send": types.SimpleNamespace(output={"pinterest_result": {"events_processed": 1, "rows_read": 1}}),
    }
    with DAG("docs", schedule=None) if "task" in block.text else nullcontext() as dag:
        exec(compile(block.text, str(block), "exec"), known)  # noqa: S102

    sending = [one for one in dag.tasks if isinstance(one, SendConversionsOperator)] if dag else []
    results = [deliver(operator) for operator in sending]

    assert "SendConversionsOperator(" not in block.text or sending
    assert [result["events_processed"] for result in results] == [1] * len(sending)
    assert len(pinterest.events()) == len(sending)


def test_every_import_in_the_pages_works():
    for block in all_blocks("python"):
        if ONLY_ON_AIRFLOW_3_3 in block.text and not AIRFLOW_3:
            continue
        module = ast.parse(block.text)
        module.body = [node for node in module.body if isinstance(node, ast.Import | ast.ImportFrom)]
        exec(compile(module, str(block), "exec"), {})  # noqa: S102


@pytest.mark.parametrize("block", JSON, ids=str)
def test_json_is_json(block):
    json.loads(block.text)


@pytest.mark.parametrize("block", [block for block in JSON if "conn_type" in block.text], ids=str)
def test_a_connection_in_json_makes_a_client(block, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_DEFAULT", json.dumps(json.loads(block.text.replace("…", "xyz"))))

    client = PinterestHook().client()

    assert client.ad_account_id == "549755885175"
    assert set(json.loads(block.text)["extra"]) <= set(PinterestHook.EXTRAS)
    assert client.credential._tokens.refreshable == ("refresh_token" in block.text)


def test_the_default_host_is_pinterest_s():
    [host] = [line.cells[3] for line in lines(DOCS / "connection.md") if line.cells[0] == "`host`"]

    assert f"`{base_url(None)}`" in host


def commands(program):
    """Every command line in the pages that begins with a program."""
    for page in PAGES:
        for block in blocks(page, "bash"):
            for line in block.text.splitlines():
                words = shlex.split(line)
                if words[: len(program)] == program:
                    yield words[len(program) :]


@pytest.mark.skipif(not AIRFLOW_3, reason="the pages show the commands of Airflow 3")
def test_airflow_knows_the_commands():
    from airflow.cli.cli_parser import get_parser

    shown = list(commands(["airflow"]))

    assert len(shown) >= 4
    for words in shown:
        get_parser().parse_args(words)


def test_the_connection_that_is_added_by_command_is_the_one_in_json():
    [added] = [words for words in commands(["airflow", "connections", "add"]) if "--conn-extra" in words]
    [connection] = [json.loads(block.text) for block in JSON if block.page == README and "conn_type" in block.text]

    assert json.loads(added[added.index("--conn-extra") + 1]) == connection["extra"]
    assert added[added.index("--conn-type") + 1] == connection["conn_type"]


def test_exported_connections_are_json():
    exported = [words[0].partition("=")[2] for words in commands(["export"])]

    assert exported
    assert all(json.loads(value)["conn_type"] == "pinterest" for value in exported)


def test_the_sandbox_knows_its_commands():
    shown = list(commands(["python", "-m", "airflow_provider_pinterest.sandbox"]))

    assert shown
    for words in shown:
        _parser().parse_args(words)


def test_the_requests_to_the_sandbox_are_answered(pinterest):
    import requests

    shown = list(commands(["curl", "-s"]))

    assert shown
    for words in shown:
        method = words[words.index("-X") + 1] if "-X" in words else "POST" if "-d" in words else "GET"
        data = words[words.index("-d") + 1] if "-d" in words else None
        [address] = [word for word in words if word.startswith("http")]
        answer = requests.request(method, address.replace(":8765", f":{pinterest.port}"), data=data, timeout=10)
        assert answer.status_code == 200, words
    pinterest.clear()
