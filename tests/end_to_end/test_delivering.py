"""Real Airflow, real warehouses, the local Pinterest: one run of one DAG that delivers in every way there is."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import shutil
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema_rs
import psycopg2
import pytest

from airflow_provider_pinterest.sandbox import Sandbox
from airflow_provider_pinterest.sandbox.schema import request_schema
from harness import dag_runs
from harness.accounting import imbalances
from tests.fixtures import SqliteWarehouse
from tests.running import impersonal

RAN_AT = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
ORDERS: list[dict[str, Any]] = [
    {
        "order_id": f"order-{number}",
        "event_time": (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=number)).isoformat(),
        "email": f"ada{number}@example.com",
        "order_total": number * 1.5,
    }
    for number in range(1, 8)
]


class DeliveredRun:
    """What the one run did."""

    def __init__(self, tasks, pinterest, rendered, xcoms):
        self.tasks = tasks
        self.events = pinterest.events()
        self.calls = pinterest.calls()
        self.rendered = rendered
        self.xcoms = xcoms

    def state(self, task_id):
        [state] = {task.state for task in self.tasks if task.task_id == task_id}
        return state

    def results(self, task_id):
        return [task.result for task in self.tasks if task.task_id == task_id]

    def ids(self, prefix, account=Sandbox.ad_account_id):
        """Return how often each event of these arrived at an account."""
        return Counter(
            event.event_id
            for event in self.events
            if event.ad_account_id == account and event.event_id.startswith(prefix)
        )


@pytest.fixture(scope="module")
def ran(airflow_db, postgres, tmp_path_factory):
    folder = airflow_db / "end_to_end"
    shutil.copytree(Path(__file__).parent / "dags", folder)
    (folder / "orders.sql").write_text("SELECT * FROM orders WHERE order_total > CAST(:least AS real)\n")
    shop = SqliteWarehouse(tmp_path_factory.mktemp("shop") / "warehouse.db")
    shop.fill("orders", ORDERS)
    _fill_postgres(postgres)
    with Sandbox() as pinterest:
        connections = {
            "AIRFLOW_CONN_PINTEREST_DEFAULT": json.dumps(pinterest.connection()),
            "AIRFLOW_CONN_PINTEREST_WRONG": json.dumps({**pinterest.connection(), "password": "pina_wrong"}),
            "AIRFLOW_CONN_SQLITE_WAREHOUSE": shop.connection_json,
            "AIRFLOW_CONN_POSTGRES_WAREHOUSE": postgres.connection_json,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Airflow's own making
            tasks = dag_runs.run(dag_runs.load(folder)["delivering"], RAN_AT, **connections)
            yield DeliveredRun(tasks, pinterest, *_stored())
    shutil.rmtree(folder)


def _fill_postgres(server):
    with contextlib.closing(psycopg2.connect(server.dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS orders")
        cursor.execute("CREATE TABLE orders (order_id text, event_time timestamptz, email text, order_total numeric)")
        cursor.executemany(
            "INSERT INTO orders VALUES (%(order_id)s, %(event_time)s, %(email)s, %(order_total)s)",
            [{**order, "order_id": f"pg-{order['order_id']}"} for order in ORDERS],
        )


def _stored():
    """Return what Airflow stored: the rendered fields of the tasks, and the XComs."""
    from airflow.models import xcom
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.utils.session import create_session

    model = getattr(xcom, "XComModel", xcom.XCom)  # its name since 3.0, before
    with create_session() as session:
        fields, xcoms = (
            session.query(kind).filter_by(dag_id="delivering") for kind in (RenderedTaskInstanceFields, model)
        )
        return (
            {(one.task_id, one.map_index): one.rendered_fields for one in fields},
            [(one.task_id, one.key, one.value) for one in xcoms],
        )


def test_rows_of_sqlite_arrive_once_with_their_values(ran):
    assert ran.state("from_sqlite") == "success"
    [result] = ran.results("from_sqlite")
    assert imbalances(result) == []
    values = sorted(
        event.event["custom_data"]["value"]
        for event in ran.events
        if event.event.get("custom_data", {}).get("currency") == "EUR"
    )
    assert values == ["10.5", "4.5", "6.0", "7.5", "9.0"]
    assert result["events_processed"] == 5


def test_every_parameter_can_be_mapped(ran):
    assert ran.state("everything_mapped") == "success"
    results = ran.results("everything_mapped")
    assert sorted((result["ad_account_id"], result["events_processed"]) for result in results) == [
        ("555", 7),
        ("666", 1),
    ]
    assert sorted(call.events for call in ran.calls if call.ad_account_id == "555") == [1, 3, 3]


@pytest.mark.parametrize(("task_id", "prefix", "accounts"), [
    ("mapped_events", "kwargs", ("777", "888")),
    ("mapped_over_xcom", "made", ("901", "902")),
])  # fmt: skip
def test_rows_can_be_mapped_too(ran, task_id, prefix, accounts):
    assert ran.state(task_id) == "success"
    for account in accounts:
        assert ran.ids(f"{prefix}{account}", account) == {f"{prefix}{account}-0": 1, f"{prefix}{account}-1": 1}


def test_a_mapped_task_that_cannot_work_fails_without_a_retry(ran):
    assert ran.state("mapped_wrong") == "failed"
    assert ran.ids("wrong") == {}


def test_rows_of_postgres_arrive_once(ran):
    assert ran.state("from_postgres") == "success"
    [result] = ran.results("from_postgres")
    assert result["events_processed"] == 7
    offline = [event.event for event in ran.events if event.action_source == "offline"]
    assert sorted(event["custom_data"]["order_id"] for event in offline) == [f"pg-order-{n}" for n in range(1, 8)]
    assert [event["event_time"] for event in offline] == [
        int(dt.datetime.fromisoformat(order["event_time"]).timestamp()) for order in ORDERS
    ]


def test_a_task_mapped_over_accounts_sends_to_each_its_own(ran):
    assert ran.state("to_accounts") == "success"
    accounts = {
        event.ad_account_id: event.event["custom_data"]["order_id"]
        for event in ran.events
        if event.ad_account_id in ("111", "222", "333")
    }

    assert accounts == {"111": "order-1", "222": "order-2", "333": "order-3"}
    for result in ran.results("to_accounts"):
        assert imbalances(result) == []
        assert result["events_processed"] == 1
    assert [result["ad_account_id"] for result in ran.results("to_accounts")] == ["111", "222", "333"]


def test_the_output_of_an_upstream_task_arrives_once(ran):
    assert ran.state("from_output") == "success"
    assert ran.ids("output-") == {f"output-{number}": 1 for number in range(5)}


def test_the_outputs_of_a_mapped_upstream_task_arrive_as_one(ran):
    assert ran.state("from_mapped_output") == "success"
    assert ran.ids("mapped") == {f"mapped{count}-{number}": 1 for count in (1, 2, 3) for number in range(count)}
    [result] = ran.results("from_mapped_output")
    assert (result["rows_read"], result["calls"]) == (6, 1)


def test_a_decorated_function_delivers_what_it_returns(ran):
    assert ran.state("from_function") == "success"
    assert ran.ids("function-", account="444") == {f"function-2-{number}": 1 for number in range(5)}


def test_a_decorated_generator_delivers_what_it_yields(ran):
    assert ran.state("from_generator") == "success"
    assert ran.ids("generator-") == {f"generator-{number}": 1 for number in range(5)}
    [result] = ran.results("from_generator")
    assert result["calls"] == 3


def test_a_mapped_decorated_function_delivers_each(ran):
    assert ran.state("from_mapped_function") == "success"
    assert ran.ids("each") == {"eacha-0": 1, "eachb-0": 1}


def test_a_template_in_place_of_an_output_fails_and_sends_nothing(ran):
    assert ran.state("from_template") == "failed"
    assert ran.results("from_template") == [None]


def test_after_a_failing_upstream_nothing_is_sent(ran):
    assert ran.state("break_down") == "failed"
    assert ran.state("after_failure") == "upstream_failed"


def test_a_generator_does_not_fit_into_an_xcom(ran):
    assert ran.state("make_generator") == "failed"
    assert ran.state("from_generator_in_xcom") == "upstream_failed"
    assert ran.ids("xcom") == {}


def test_a_task_that_fails_has_delivered_the_rest_and_pushed_its_account(ran):
    assert ran.state("too_many_rejected") == "failed"
    assert ran.ids("half-") == {"half-0": 1, "half-1": 1}
    [result] = ran.results("too_many_rejected")
    assert imbalances(result) == []
    assert (result["events_processed"], result["rows_rejected"]) == (2, 1)


def test_a_wrong_token_fails_its_task_with_an_account_too(ran):
    assert ran.state("wrong_token") == "failed"
    [result] = ran.results("wrong_token")
    assert result["rows_not_sent"] == 1
    assert ran.ids("never") == {}


def test_every_payload_that_arrived_is_as_the_schema_has_it(ran):
    validator = jsonschema_rs.Draft4Validator(request_schema())
    bodies: dict[int, list[dict[str, Any]]] = {}
    for event in ran.events:
        bodies.setdefault(event.call, []).append(event.event)

    assert len(bodies) > 10
    for body in bodies.values():
        validator.validate({"data": body})


def test_no_event_arrived_with_an_address_in_clear(ran):
    assert not [event for event in ran.events if "@" in json.dumps(event.event)]


def test_airflow_stores_no_rows_among_the_rendered_fields(ran):
    assert {task_id for task_id, _ in ran.rendered} >= {
        "from_output",
        "from_mapped_output",
        "from_function",
        "wrong_token",
    }
    for fields in ran.rendered.values():
        assert impersonal(json.dumps(fields))


def test_airflow_stores_the_other_rendered_fields(ran):
    stored = ran.rendered[("from_sqlite", -1)]

    assert stored["sql"].strip() == "SELECT * FROM orders WHERE order_total > CAST(:least AS real)"
    assert stored["parameters"] == {"least": "3"}
    assert stored["defaults"]["currency"] == "EUR"
    assert ran.rendered[("from_function", -1)]["op_kwargs"]["prefix"] == "function-2"
    assert "rows, not shown" in str(ran.rendered[("from_function", -1)]["op_args"]) + str(
        ran.rendered[("from_function", -1)]["op_kwargs"]
    )


def test_the_result_is_stored_once_whether_the_task_succeeds_or_fails(ran):
    for state in ("success", "failed"):
        ended = {task.task_id for task in ran.tasks if task.result is not None and task.state == state}
        assert ended
        keys = {found for task_id, found, _ in ran.xcoms if task_id in ended and not found.startswith("_link_")}
        assert keys == {"pinterest_result"}


def test_what_the_sending_tasks_leave_in_xcom_holds_no_person(ran):
    sending = {task.task_id for task in ran.tasks if task.result is not None}

    found = [(key, value) for task_id, key, value in ran.xcoms if task_id in sending]

    assert "pinterest_result" in {key for key, _ in found}
    assert impersonal(json.dumps(found, default=str))
