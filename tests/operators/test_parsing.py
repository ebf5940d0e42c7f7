"""What is refused when a DAG file is parsed, and what only when the task runs."""

from __future__ import annotations

import datetime as dt
import inspect
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_pinterest.airflow_versions import conf
from airflow_provider_pinterest.delivery.sender import OnUnknownOutcome
from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from airflow_provider_pinterest.operators.task_options import DEFAULTS, KINDS
from airflow_provider_pinterest.sync.options import ON_UNKNOWN_OUTCOME
from tests.running import row, rows

WRONG_TYPES: dict[str, list[Any]] = {
    "sql": [5, ["SELECT 1"], b"SELECT 1", "", {}],
    "sql_conn_id": [5, "", " ", ["warehouse"]],
    "path": [5, "", " ", [], [5], {"a.csv": 1}, b"a.csv"],
    "hook_params": ["schema", [("schema", "marts")], 5, {1: "a"}],
    "parameters": ["2026-11-01", 5, dt.date(2026, 11, 1), b"x"],
    "field_map": [["email"], "email", {"email": 5}, {5: "email"}],
    "identifiers": [["ph"], {"ph": "DE"}, {"ph": None}],
    "defaults": [["EUR"], "EUR", {3: "EUR"}],
    "event_id_from": ["order_id", 5, [5], [None], {"order_id": 1}.items(), None],
    "event_names": [["Purchase"], {"Purchase": None}, {"Purchase": 5}, "checkout"],
    "consent_column": [5, "", True],
    "minimum_age": [0, 121, "16", True, 13.5],
    "excluded_categories": ["Alcohol", [5], None],
    "exclude_bots": ["", None, 1],
    "exclude_networks": ["10.0.0.0/8", None, [5]],
    "placeholders": ["N/A", [5], 5],
    "timezone": ["Mars/Olympus", 5, None, dt.UTC, "", "../etc/passwd"],
    "pinterest_conn_id": [None, 5, ""],
    "ad_account_id": ["", "abc", 5.0, -5, True, ["1"], "1" * 19],
    "test": ["", "None", "maybe", "1", "yes", None, 2, []],
    "ad_account_id_column": ["", " ", 5, ["account"]],
    "validate_only": ["", "maybe", None, 0],
    "max_rejected": [-1, -0.1, 1.1, float("nan"), float("inf"), True, "0.01", None],
    "max_duplicates": [-1, 1.1, True, "0.5", None],
    "min_events": [-1, 1.5, True, "3", None],
    "max_event_age": [0, 7, "7 days", dt.timedelta(0), dt.timedelta(-1)],
    "batch_size": [0, 1_001, 1.5, "10", True, None],
    "max_batch_bytes": [0, 9_999, 1e6, "2000000", True, None],
    "on_unknown_outcome": ["keep", True, 1, []],
    "max_in_flight": [0, 65, "8", None],
    "processes": [-1, 33, "2", None, True],
    "max_wait": [600, "10 minutes", None, dt.timedelta(seconds=-1)],
    "deferrable": ["maybe", 1],
    "rejects_path": [5, "", ["rejects"]],
    "key_columns": ["order_id", 5, [5], None],
    "resume": ["", None, 1],
    "defer_after": [60, None, dt.timedelta(seconds=-1)],
    "send_everything_again": ["again", None, 1],
    "outcomes_conn_id": [5, ""],
    "outcomes_table": [5, "", None],
    "skip_already_sent": ["", None, 1],
    "only": ["processed", True, 1, []],
}


def operator(**parameters: Any) -> SendConversionsOperator:
    source = {} if "path" in parameters else {"sql": "SELECT 1", "sql_conn_id": "warehouse"}
    return SendConversionsOperator(**{"task_id": "send"} | source | parameters)


def test_every_parameter_has_its_wrong_values_here():
    assert WRONG_TYPES.keys() == KINDS.keys()


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG_TYPES.items() for value in values], ids=repr
)
def test_a_constant_that_cannot_work_is_refused_by_name(name, value):
    with pytest.raises(ParameterError, match=rf"Task 'send': {name} must be ") as raised:
        operator(**{name: value})

    assert isinstance(raised.value, AirflowFailException), "a mapped task is made when it runs"


def test_all_problems_are_named_one_a_line():
    with pytest.raises(ParameterError) as raised:
        operator(sql_conn_id=None, batch_size=0, timezone="Mars", max_wait=5)

    assert str(raised.value).splitlines() == [
        "Task 'send': several parameters are wrong:",
        "- sql needs sql_conn_id, the connection of the warehouse.",
        "- timezone must be the IANA name of a time zone, such as Europe/Berlin, got 'Mars'.",
        "- batch_size must be 1 to 1000, got 0.",
        "- max_wait must be a timedelta of zero or more, got 5.",
    ]


@pytest.mark.parametrize("name", ["defaults", "hook_params", "parameters", "sql"])
def test_what_may_be_secret_or_personal_is_not_shown(name):
    with pytest.raises(ParameterError) as raised:
        operator(**{name: [b"ada@example.com"] if name == "sql" else b"ada@example.com"})

    assert "ada" not in str(raised.value)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"sql": None}, "got none"),
        ({"events": []}, "got sql and events"),
        ({"path": "a.csv", "sql": "SELECT 1"}, "got sql and path"),
        ({"sql_conn_id": None}, "sql needs sql_conn_id"),
        ({"sql": None, "events": '[{"email": "ada@example.com"}]'}, "events=upstream.output"),
        ({"sql": None, "events": {"data": []}}, "Pass the list in its 'data'"),
        ({"sql": None, "events": row()}, "Put it into a list"),
        ({"sql": None, "events": iter(rows(1))}, "Pass a list"),
        ({"sql": None, "events": 5}, "got int"),
    ],
)
def test_a_source_that_is_missing_or_none_is_refused(parameters, words):
    with pytest.raises(ParameterError, match=words):
        operator(**parameters)


@pytest.mark.parametrize("name", sorted(KINDS))
@pytest.mark.parametrize("late", ["template", "output", "callable"])
def test_what_is_known_only_when_the_task_runs_is_not_checked(name, late):
    with DAG("shop", schedule=None):
        upstream = SendConversionsOperator(task_id="upstream", events=[])
        value: Any = {"template": "{{ params.x }}", "output": upstream.output, "callable": lambda **_: 1}[late]

        assert getattr(operator(**{name: value}), name) is value


@pytest.mark.parametrize(
    "parameters",
    [
        {"identifiers": {"ph": {"country": "{{ params.country }}"}}},
        {"identifiers": {"ph": "{{ params.switches }}"}},
        {"field_map": {"a": "{{ params.field }}", "b": None}},
        {"defaults": {"currency": "{{ params.currency }}", "value": 1}},
        {"key_columns": ["{{ params.key }}"]},
        {"rejects_path": "s3://bucket/{{ ds }}"},
        {"timezone": "{% if params.x %}UTC{% endif %}"},
    ],
)
def test_templates_inside_of_values_are_not_checked_either(parameters):
    operator(**parameters)


def test_a_subclass_with_a_source_of_its_own_needs_none_of_ours():
    class FromElsewhere(SendConversionsOperator):
        def source(self, context):
            return None

    FromElsewhere(task_id="send")


def test_the_operator_and_its_options_have_the_same_parameters_and_defaults():
    signature = inspect.signature(SendConversionsOperator.__init__).parameters
    defaults = {name: one.default for name, one in signature.items() if name not in ("self", "kwargs", "events")}

    assert defaults == {**DEFAULTS, "deferrable": None}
    assert set(SendConversionsOperator.template_fields) == {*KINDS, "events"}


def test_on_unknown_outcome_has_the_values_of_the_sender():
    assert all(ON_UNKNOWN_OUTCOME.fits(value) for value in OnUnknownOutcome)
    assert not ON_UNKNOWN_OUTCOME.fits("wait")


class TestDeferrable:
    @pytest.mark.parametrize("value", [True, False])
    def test_airflow_s_own_default_holds(self, monkeypatch, value):
        monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", str(value))

        assert conf.getboolean("operators", "default_deferrable") is value
        assert operator().deferrable is value

    def test_the_parameter_wins(self, monkeypatch):
        monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")

        assert operator(deferrable=False).deferrable is False
