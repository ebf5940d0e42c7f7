"""The examples in the pages do what they say: Python runs against the local Pinterest, JSON and commands are read."""

import ast
import datetime as dt
import json
import re
import shlex
import sqlite3
import types
from contextlib import closing, nullcontext
from typing import Any
from urllib.parse import quote

import airflow
import psycopg2
import pytest
from airflow.providers.common.compat.sdk import DAG, XComArg, task

from airflow_provider_pinterest import __version__
from airflow_provider_pinterest.api.client import base_url
from airflow_provider_pinterest.hooks.pinterest import PinterestHook
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from airflow_provider_pinterest.sandbox.__main__ import _parser
from harness.airflow import sqlite_connection
from harness.task import RecordingTaskInstance
from tests.docs.pages import (
    DOCS,
    PAGES,
    README,
    REPOSITORY,
    WITHOUT_AIRFLOW,
    all_blocks,
    blocks,
    for_sqlite,
    lines,
    section,
)

AIRFLOW_3 = not airflow.__version__.startswith("2.")
ONLY_ON_AIRFLOW_3_3 = "airflow_provider_pinterest.policies"

TESTED_ELSEWHERE = (WITHOUT_AIRFLOW, DOCS / "erasure.md")
SNIPPETS = [
    block for block in all_blocks("python") if "with DAG(" not in block.text and block.page not in TESTED_ELSEWHERE
]
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
    "Rows that are not sent": {"marketing_consent": True},
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


@pytest.fixture
def database(warehouse, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ANALYTICS", sqlite_connection(warehouse.path.with_name("analytics.db")))
    with closing(sqlite3.connect(warehouse.path)) as connection:
        yield connection


def fill(database, table, heading):
    row = {name: value for name, value in (COLUMNS | OTHER_COLUMNS.get(heading, {})).items() if value is not ...}
    database.execute(f"CREATE TABLE {table} ({', '.join(row)})")
    database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", list(row.values()))  # noqa: S608
    database.commit()


def deliver(operator):
    """Run an operator outside of a DAG run, with what upstream tasks and templates would have given it."""
    if isinstance(operator.events, XComArg):
        [(upstream, _)] = operator.events.iter_references()
        operator.events = upstream.python_callable()  # type: ignore[union-attr]
    if operator.sql:
        is_file = operator.sql.endswith(tuple(operator.template_ext))
        operator.sql = "SELECT * FROM checkouts" if is_file else for_sqlite(operator.sql)
        operator.parameters = operator.parameters and {"start": "2026-11-21", "end": "2026-11-22"}
    ti = RecordingTaskInstance()
    result = operator.execute({"ti": ti})
    assert ti.pushed == {"pinterest_result": result}
    return result


@pytest.mark.parametrize("block", SNIPPETS, ids=str)
def test_a_snippet_runs(block, database, pinterest):
    if ONLY_ON_AIRFLOW_3_3 in block.text:
        pytest.importorskip("airflow.sdk.definitions.retry_policy")
    for table in ("checkouts", "orders"):
        fill(database, table, block.heading)
    known = {
        "SendConversionsOperator": SendConversionsOperator,
        "task": task,
        "timedelta": dt.timedelta,
        "send": types.SimpleNamespace(output={"events_processed": 1, "rows_read": 1}),
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
        if block.heading in ("Dagster", "Prefect"):
            continue
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

    client = PinterestHook().get_conn()

    assert PinterestHook().ad_account_id() == "549755885175"
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


def exported():
    """The connections that the pages export to the environment."""
    pairs = [words[0].partition("=") for words in commands(["export"])]
    return [value for name, _, value in pairs if name.startswith("AIRFLOW_CONN_")]


def uris():
    added = [words[words.index("--conn-uri") + 1] for words in commands(["airflow"]) if "--conn-uri" in words]
    return sorted({*added, *(value for value in exported() if not value.startswith("{"))})


def test_exported_connections_are_json_or_uris():
    values = [value for value in exported() if value not in uris()]

    assert values
    assert all(json.loads(value)["conn_type"] == "pinterest" for value in values)


@pytest.mark.parametrize("uri", uris())
@pytest.mark.parametrize("token", ["pina_abc", "pina_a/b+@:c=%?&#"])
def test_a_connection_as_a_uri_makes_a_client(uri, token, monkeypatch):
    assert "pina_TOKEN" in uri
    encoded = uri.replace("pina_TOKEN", quote(token, safe=""))
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_DEFAULT", encoded)

    assert PinterestHook.get_connection("pinterest_default").password == token
    assert PinterestHook().ad_account_id() == "549755885175"
    assert PinterestHook().api_connection().url() == base_url(None)


def test_the_characters_that_a_uri_needs_encoded_are_encoded_right():
    listed = re.findall(r"`(\S)` is\s+`(%\w\w)`", section(DOCS / "connection.md", "As a URI"))

    assert len(listed) == 5
    assert [quote(character, safe="") for character, _ in listed] == [code for _, code in listed]


def test_the_wheel_is_called_what_it_is_built_as():
    named = re.findall(r"airflow_provider_pinterest-[\w.-]+?\.whl", README.read_text("utf-8"))

    assert set(named) == {f"airflow_provider_pinterest-{__version__}-py3-none-any.whl"}


def test_nothing_is_installed_by_a_name_that_is_not_published():
    """Remove this when the package is published."""
    files = [*PAGES, *(REPOSITORY / "airflow_provider_pinterest").rglob("*.py")]

    assert [
        file.name for file in files if re.search(r"pip install\s+'?airflow-provider", file.read_text("utf-8"))
    ] == []
    with_airflow = [
        words for words in commands(["pip", "install"]) if "--no-deps" not in words and "limits" not in words
    ]
    assert with_airflow
    assert all("--constraint" in words for words in with_airflow)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_the_query_about_consent_leaves_out_who_has_not_agreed(database, request, pinterest, tmp_path, monkeypatch):
    [sql] = [block.text for block in blocks(README, "sql") if block.heading == "Consent"]
    table = """CREATE TABLE orders (
        order_id TEXT, ordered_at TIMESTAMP, email TEXT, state TEXT, country TEXT,
        opted_out BOOLEAN, limit_data_use BOOLEAN, consent BOOLEAN
    )"""
    now = dt.datetime.now(dt.UTC).isoformat(" ", "seconds")
    rows = [
        ("1", now, "one@example.com", None, None, None, False, True),
        ("2", now, "two@example.com", "CA", "US", True, True, True),
        ("3", now, "three@example.com", None, None, False, False, False),
    ]
    warehouse: Any
    if database == "sqlite":
        path = tmp_path / "shop.db"
        warehouse, mark = sqlite3.connect(path), "?"
        connection = sqlite_connection(path)
    else:
        server = request.getfixturevalue("postgres")
        warehouse, mark = psycopg2.connect(server.dsn), "%s"
        connection = server.connection_json
    with closing(warehouse) as open_warehouse:
        cursor = open_warehouse.cursor()
        cursor.execute("DROP TABLE IF EXISTS orders")
        cursor.execute(table)
        cursor.executemany(f"INSERT INTO orders VALUES ({', '.join([mark] * 8)})", rows)  # noqa: S608
        open_warehouse.commit()
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection)
    operator = SendConversionsOperator(
        task_id="send", sql=sql, sql_conn_id="warehouse", defaults={"event_name": "checkout", "action_source": "web"}
    )

    context: Any = {"ti": RecordingTaskInstance()}
    operator.execute(context)

    sent = {event.event_id: event.event for event in pinterest.events()}
    assert sent.keys() == {"1", "2"}
    assert [sent[key].get("opt_out") for key in ("1", "2")] == [None, True]
    assert [sent[key].get("custom_data", {}).get("opt_out_type") for key in ("1", "2")] == [None, "LDP"]


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
