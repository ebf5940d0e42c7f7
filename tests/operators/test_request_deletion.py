"""The task that requests deletion: parameters, XCom, retries, Clear, and nothing personal anywhere."""

from __future__ import annotations

import datetime as dt
import json
import logging
import subprocess
import sys
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException
from airflow.serialization import serialized_objects
from airflow.serialization.helpers import serialize_template_field

from airflow_provider_pinterest.exceptions import CredentialError, ParameterError, ResultError, UnavailableError
from airflow_provider_pinterest.operators.request_deletion import RequestDeletionOperator
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from airflow_provider_pinterest.sandbox import Sandbox
from harness.task import MemoryStateStore, RecordingTaskInstance
from tests.running import impersonal, logged

_names: Any = vars(serialized_objects)
serialize = (_names.get("DagSerialization") or _names["SerializedDAG"]).to_dict  # the latter before Airflow 3.2

NEVER = dt.timedelta()


def people(count):
    return [f"ada{number}@example.com" for number in range(1, count + 1)]


def rows(count):
    return [{"email": one} for one in people(count)]


@pytest.fixture(autouse=True)
def _oauth(pinterest, connect):
    connect(pinterest, password=Sandbox.oauth_token)


class Task:
    """A task instance over its attempts. After each attempt, nothing personal was said."""

    def __init__(self, *, remembers=True, **parameters):
        self.parameters = {"email_column": "email", "max_wait": NEVER, **parameters}
        self.remembers = remembers
        self.store = MemoryStateStore()
        self.tries = self.max_tries = 0
        self.error = None
        self.log = ""

    def attempt(self, *, render=False, cleared=False, **changes):
        self.tries += 1
        if cleared:
            self.max_tries = self.tries
        operator: Any = RequestDeletionOperator(task_id="erase", **{**self.parameters, **changes})
        vars(operator).update(dict.fromkeys(("_log", "_cached_logger"), logging.getLogger("tests.task")))
        self.ti = RecordingTaskInstance(try_number=self.tries, max_tries=self.max_tries)
        context = {"ti": self.ti, **({"task_state_store": self.store} if self.remembers else {})}
        self.error = None
        returned = None
        with logged() as log:
            try:
                if render:
                    operator.render_template_fields(context)
                returned = operator.execute(context)
            except Exception as error:  # noqa: BLE001 - tests look at it
                self.error = error
        self.log = log.getvalue()
        pushed = self.ti.pushed
        assert returned is None or json.loads(json.dumps(returned)) == pushed.get("pinterest_result", returned)
        assert impersonal(self.log + repr(self.error) + json.dumps([pushed, self.store.values]))
        return pushed.get("pinterest_result", returned)


def asked(pinterest):
    return [one for made in pinterest.deletion_requests() for one in made.user_emails]


def test_the_counts_and_the_ids_are_pushed(pinterest):
    task = Task(rows=rows(3), batch_size=2)
    result = task.attempt()

    assert task.error is None
    assert asked(pinterest) == people(3)
    ids = [one.request_id for one in pinterest.deletion_requests()]
    assert task.ti.pushed["request_ids"] == result["request_ids"] == ids
    assert (result["requested"], result["requests_created"]) == (3, 2)


def test_they_are_pushed_before_a_failure(pinterest):
    task = Task(rows=[*rows(2), {"email": "x"}])
    result = task.attempt()

    assert isinstance(task.error, ResultError)
    assert isinstance(task.error, AirflowFailException)
    assert (result["requested"], result["rejected_rows"]) == (2, [3])
    assert len(task.ti.pushed["request_ids"]) == 1
    assert "Airflow does not retry this error" in task.log


def test_nothing_is_pushed_if_that_is_switched_off(pinterest):
    task = Task(rows=rows(1), do_xcom_push=False)
    task.attempt()

    assert task.ti.pushed == {}
    assert asked(pinterest) == people(1)


def test_the_output_names_the_result_and_its_ids():
    operator: Any = RequestDeletionOperator(task_id="erase", rows=[], email_column="email")

    assert operator.output.key == "pinterest_result"
    assert operator.request_ids.key == "request_ids"


def test_a_retry_and_clear_do_not_create_the_same_requests(pinterest):
    task = Task(rows=rows(4), batch_size=2)
    pinterest.fault("status", status=503, after=1, on="deletion_create", headers={"Retry-After": "9"})
    task.attempt()
    assert isinstance(task.error, UnavailableError)
    assert not isinstance(task.error, AirflowFailException)
    assert task.error.retry_after == 9
    assert "Clear or a retry does not create these requests again" in " ".join(task.log.split())
    pinterest.clear_faults()

    assert task.attempt()["already_requested"] == 2
    assert task.attempt(cleared=True)["already_requested"] == 4
    assert asked(pinterest) == people(4)
    assert task.attempt(cleared=True, create_again=True)["requested"] == 4
    assert asked(pinterest) == people(4) * 2


def test_before_airflow_3_3_a_retry_says_that_it_creates_them_again(pinterest):
    task = Task(rows=rows(1), remembers=False)
    task.attempt()
    task.attempt()

    assert asked(pinterest) == people(1) * 2
    assert "all requests are created again" in " ".join(task.log.split())


def test_a_conversion_token_is_explained_and_not_retried(pinterest, connect):
    connect(pinterest, password=Sandbox.token)
    task = Task(rows=rows(1))
    task.attempt()

    assert isinstance(task.error, CredentialError)
    assert isinstance(task.error, AirflowFailException)
    assert "OAuth access token: with the scope ads:write" in " ".join(task.log.split())


def test_the_rows_of_a_query(pinterest, warehouse):
    warehouse.fill("people", rows(3))
    task = Task(
        sql="SELECT email FROM people WHERE email <> :but ORDER BY email",
        sql_conn_id="warehouse",
        parameters={"but": "{{ but }}"},
    )
    task.attempt(parameters={"but": "nobody"}, render=True)

    assert task.error is None
    assert asked(pinterest) == people(3)


def test_a_connection_that_is_no_database(pinterest):
    task = Task(sql="SELECT 1", sql_conn_id="pinterest_default")
    task.attempt()

    assert isinstance(task.error, ParameterError)
    assert "not a DbApiHook" in str(task.error)


def test_rendered_fields_show_no_person(pinterest):
    operator: Any = RequestDeletionOperator(
        task_id="erase", rows=rows(2), email_column="{{ column }}", batch_size="{{ 7 }}"
    )
    operator.render_template_fields({"column": "email", "ti": RecordingTaskInstance()})

    assert impersonal(repr({name: getattr(operator, name) for name in operator.template_fields}))
    assert repr(operator.rows) == "<2 rows, not shown>"
    assert (operator.email_column, operator.batch_size) == ("email", "7")


@pytest.mark.parametrize(
    "task",
    [
        lambda: RequestDeletionOperator(task_id="erase", rows=rows(2), email_column="email"),
        lambda: SendConversionsOperator(task_id="send", events=rows(2)),
    ],
    ids=["rows", "events"],
)
def test_the_serialized_dag_shows_no_person_of_a_constant(task):
    with DAG("shop", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) as dag:
        task()

    serialized = json.dumps(serialize(dag), default=str)
    assert impersonal(serialized)
    assert "<2 rows, not shown>" in serialized


def test_rows_that_are_wrong_are_named_by_their_parameter(pinterest):
    for wrong in ([5], ["{{ email }}"], {"email": "x"}):
        with pytest.raises(ParameterError, match=r"^(Task 'erase': )?rows: "):
            RequestDeletionOperator(task_id="erase", rows=wrong, email_column="email").execute(  # type: ignore[arg-type]
                {"ti": RecordingTaskInstance()}  # type: ignore[typeddict-item]
            )


def test_rendered_fields_show_no_address_of_a_statement_or_its_parameters(pinterest, warehouse):
    warehouse.fill("people", rows(3))
    operator: Any = RequestDeletionOperator(
        task_id="erase",
        sql="SELECT email FROM people WHERE email IN (:one, '{{ two }}')",
        sql_conn_id="warehouse",
        parameters={"one": "{{ one }}"},
        email_column="email",
    )
    context = {"ti": RecordingTaskInstance(), "one": people(1)[0], "two": people(2)[1]}
    operator.render_template_fields(context)

    shown = {name: serialize_template_field(getattr(operator, name), name) for name in operator.template_fields}
    assert impersonal(repr(shown))
    assert shown["sql"] == "SELECT email FROM people WHERE email IN (:one, '…')"
    assert shown["parameters"] == "{'one': '…'}"
    operator.execute(context)
    assert sorted(asked(pinterest)) == people(2)


def test_without_an_address_they_are_shown_as_they_are():
    operator: Any = RequestDeletionOperator(
        task_id="erase", sql="SELECT 1", sql_conn_id="w", parameters={"day": "{{ ds }}"}, email_column="email"
    )
    operator.render_template_fields({"ds": "2026-11-26"})

    assert (operator.sql, operator.parameters) == ("SELECT 1", {"day": "2026-11-26"})


def test_validate_only_counts_and_makes_no_call(pinterest, connect):
    connect(pinterest, password="")
    task = Task(rows=[*rows(3), *rows(1), {"email": "x"}], validate_only=True, max_rejected=1)
    result = task.attempt()

    assert task.error is None
    assert pinterest.calls() == []
    assert (result["rows_read"], result["rows_rejected"], result["identifiers"]) == (5, 1, 4)
    assert (result["duplicates_dropped"], result["not_requested"], result["request_ids"]) == (1, 3, [])
    assert task.store.values == {}
    task.attempt(max_rejected=0)
    assert isinstance(task.error, ResultError)


def test_templates_become_values(pinterest):
    values = {
        "batch_size": "1",
        "max_rejected": "0.5",
        "max_wait": "PT1S",
        "create_again": "false",
        "ad_account_id": "77",
        "email_column": "email",
    }
    templates = {name: f"{{{{ values.{name} }}}}" for name in values}
    operator: Any = RequestDeletionOperator(task_id="erase", rows=rows(2), **templates)
    context = {"ti": RecordingTaskInstance(), "values": values}
    operator.render_template_fields(context)
    operator.execute(context)

    assert [one.ad_account_id for one in pinterest.deletion_requests()] == ["77", "77"]


def test_the_output_of_another_task(pinterest):
    with DAG("shop", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)):
        from airflow.providers.common.compat.standard.operators import PythonOperator

        find = PythonOperator(task_id="find", python_callable=lambda: rows(2))
        operator: Any = RequestDeletionOperator(task_id="erase", rows=find.output, email_column="email")

    assert operator.upstream_task_ids == {"find"}


@pytest.mark.parametrize(
    ("parameters", "part"),
    [
        ({}, "Pass one source, sql or rows; got neither."),
        ({"rows": [], "sql": "SELECT 1"}, "got both"),
        ({"sql": "SELECT 1"}, "sql needs sql_conn_id"),
        ({"rows": "{{ ti.xcom_pull() }}"}, "rows=upstream.output"),
        ({"rows": "ada@example.com"}, "rows: expected a list of rows, got text"),
        ({"rows": ["ada@example.com"]}, ""),
        ({"rows": [{"email": "x"}, {"email": "{{ params.email }}"}]}, "rows: row 2 has a template"),
        ({"rows": [], "email_column": None}, "Pass email_column or click_id_column"),
        ({"rows": [], "batch_size": 0}, "batch_size must be"),
        ({"rows": [], "max_wait": 5}, "max_wait must be"),
    ],
)
def test_wrong_parameters_are_refused(parameters, part):
    def attempt():
        operator: Any = RequestDeletionOperator(task_id="erase", **{"email_column": "email", **parameters})
        operator.execute({"ti": RecordingTaskInstance()})

    with pytest.raises(ParameterError) as raised:
        attempt()

    assert part in str(raised.value)
    assert impersonal(str(raised.value))
    assert isinstance(raised.value, AirflowFailException)


def test_a_task_that_is_killed_before_it_runs_makes_no_call(pinterest):
    operator: Any = RequestDeletionOperator(task_id="erase", rows=rows(1), email_column="email")
    operator.on_kill()
    with pytest.raises(Exception, match="told to stop"):
        operator.execute({"ti": RecordingTaskInstance()})

    assert pinterest.calls() == []


def test_the_identity_of_a_cleared_run_is_read_from_the_context(pinterest):
    task = Task(rows=rows(1))
    task.attempt()

    stored = json.loads(task.store.values["pinterest_deletion_requests"])
    assert stored["again_for"] == {"max_tries": 0}


PROGRAM = """
import sys
import airflow.providers.common.compat.sdk as sdk
from airflow.providers.common.sql.hooks.sql import DbApiHook
from airflow.providers.common.compat.sdk import BaseSensorOperator
for name in ("BaseHook", "BaseOperator", "XComArg"):
    getattr(sdk, name)
before = set(sys.modules)
from airflow_provider_pinterest.operators.request_deletion import RequestDeletionOperator
from airflow_provider_pinterest.sensors.deletion_request import DeletionRequestSensor
RequestDeletionOperator(task_id="erase", sql="SELECT 1", sql_conn_id="warehouse", email_column="email")
DeletionRequestSensor(task_id="wait", request_ids=["1"])
print(*sorted(sys.modules.keys() - before))
"""


def test_importing_it_loads_nothing_that_only_a_running_task_needs():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()

    assert "airflow_provider_pinterest.sensors.deletion_request" in loaded
    assert not {name.partition(".")[0] for name in loaded} & {"urllib3", "requests", "limits", "orjson", "aiohttp"}
