"""Every parameter may be a template: what it renders to is read, and checked before anything is sent."""

from __future__ import annotations

import datetime as dt
import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from airflow_provider_pinterest.operators.task_options import KINDS
from tests.running import deliver, ids, row, rows, run

# Airflow 2.11's own ObjectStoragePath causes it.
VALUES: dict[str, Any] = {
    "sql": "SELECT * FROM orders WHERE value > :least",
    "sql_conn_id": "warehouse",
    "hook_params": {"log_sql": False},
    "parameters": {"least": 2},
    "field_map": {"order_note": None},
    "identifiers": {"external_id": {"case": "lower"}},
    "defaults": {"currency": "EUR"},
    "event_id_from": ["order_id"],
    "event_names": {"Purchase": "checkout"},
    "placeholders": ["n/a", "none"],
    "timezone": "Europe/Berlin",
    "consent_column": "agreed",
    "minimum_age": 16,
    "excluded_categories": ["Alcohol"],
    "exclude_bots": True,
    "exclude_networks": ["203.0.113.0/24"],
    "pinterest_conn_id": "pinterest_default",
    "ad_account_id": "42",
    "test": True,
    "validate_only": False,
    "max_rejected": 3,
    "max_duplicates": 0.25,
    "min_events": 1,
    "max_event_age": dt.timedelta(days=30),
    "batch_size": 7,
    "max_batch_bytes": 20_000,
    "on_unknown_outcome": "resend",
    "max_in_flight": 3,
    "processes": 0,
    "max_wait": dt.timedelta(minutes=2),
    "deferrable": False,
    "rejects_path": "rejects",
    "key_columns": ["order_id", "store"],
    "resume": False,
    "defer_after": dt.timedelta(seconds=90),
    "send_everything_again": False,
    "ad_account_id_column": "account",
    "outcomes_conn_id": "outcomes",
    "outcomes_table": "marketing.outcomes",
    "skip_already_sent": True,
    "only": "failed",
}


def rendered(native: Any = False, params: Any = None, **parameters: Any) -> SendConversionsOperator:
    """Return an operator whose templates are rendered with ``params``."""
    with DAG("shop", schedule=None, render_template_as_native_obj=native):
        operator = SendConversionsOperator(
            **{"task_id": "send", "sql": "SELECT 1", "sql_conn_id": "warehouse"} | parameters
        )
    context: Any = {"params": params or {}, "data_interval_start": None}
    operator.render_template_fields(context)
    return operator


@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
def test_every_parameter_may_be_one_template(native):
    operator = rendered(native, VALUES, **{name: f"{{{{ params.{name} }}}}" for name in VALUES})

    options = operator.options()

    assert VALUES.keys() == KINDS.keys() - {"path"}, "a task has one source"
    assert {name: getattr(options, name) for name in VALUES} == VALUES | {"ad_account_id": 42 if native else "42"}


def test_structures_may_be_json():
    names = ["hook_params", "parameters", "field_map", "identifiers", "defaults", "event_id_from", "key_columns"]
    operator = rendered(params=VALUES, **{name: f"{{{{ params.{name} | tojson }}}}" for name in names})

    assert {name: getattr(operator.options(), name) for name in names} == {name: VALUES[name] for name in names}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("max_rejected", "5", 5),
        ("max_rejected", "0.05", 0.05),
        ("max_rejected", "1.0", 1.0),
        ("max_event_age", "P7D", dt.timedelta(days=7)),
        ("max_event_age", "7 days, 0:00:00", dt.timedelta(days=7)),
        ("max_event_age", "7 days", dt.timedelta(days=7)),
        ("max_event_age", "None", None),
        ("max_event_age", "", None),
        ("max_wait", "PT1H30M", dt.timedelta(minutes=90)),
        ("max_wait", "0:10:00", dt.timedelta(minutes=10)),
        ("max_wait", "0:00:01.500000", dt.timedelta(seconds=1.5)),
        ("on_unknown_outcome", "None", None),
        ("key_columns", "order_id, store", ["order_id", "store"]),
        ("key_columns", "('order_id',)", ("order_id",)),
        ("event_id_from", "order_id", ["order_id"]),
        ("test", " TRUE ", True),
        ("resume", "false", False),
        ("ad_account_id", " 42 ", " 42 "),
    ],
)
def test_text_is_read_as_what_it_stands_for(name, text, value):
    found = getattr(rendered(params={"x": text}, **{name: "{{ params.x }}"}).options(), name)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("batch_size", "many"),
        ("batch_size", "10.0"),
        ("batch_size", ""),
        ("max_rejected", "nan"),
        ("max_rejected", "5%"),
        ("max_wait", "soon"),
        ("max_wait", "P"),
        ("max_wait", "10"),
        ("max_event_age", "-1 day, 0:00:00"),
        ("max_event_age", "9999999999 days"),
        ("timezone", "Mars"),
        ("field_map", "{broken"),
        ("field_map", "[1]"),
        ("identifiers", "DE"),
        ("defaults", "__import__('os')"),
        ("test", "maybe"),
        ("on_unknown_outcome", "keep"),
        ("ad_account_id", "None"),
        ("sql_conn_id", " "),
        ("rejects_path", ""),
    ],
)
def test_text_that_stands_for_nothing_is_refused_by_name(name, text):
    with pytest.raises(ParameterError, match=f"{name} must be "):
        rendered(params={"x": text}, **{name: "{{ params.x }}"}).options()


def test_all_problems_of_rendered_templates_are_named_at_once(pinterest):
    context = {"params": {"x": "no number"}}

    ran = deliver(render=context, events=rows(1), batch_size="{{ params.x }}", test="{{ params.x }}")

    assert isinstance(ran.error, AirflowFailException)
    assert "- test must be true or false, got 'no number'.\n- batch_size must be 1 to 1000" in ran.said
    assert pinterest.calls() == []


def test_what_templates_render_to_decides_the_run(pinterest, warehouse, tmp_path):
    warehouse.fill("orders", [row(number, order=f"A-{number}", grand_total=5.5) for number in range(1, 8)])
    params = {
        "above": "order-2",
        "conn": "warehouse",
        "field": "value",
        "defaults": {"currency": "EUR"},
        "columns": ["order"],
        "batch": 2,
        "rejected": "0.5",
        "folder": str(tmp_path / "rejects"),
        "again": False,
    }

    ran = deliver(
        render={"params": params},
        sql="SELECT * FROM orders WHERE event_id > :above ORDER BY event_id",
        parameters={"above": "{{ params.above }}"},
        sql_conn_id="{{ params.conn }}",
        field_map={"grand_total": "{{ params.field }}"},
        defaults="{{ params.defaults | tojson }}",
        key_columns="{{ params.columns | join(',') }}",
        batch_size="{{ params.batch }}",
        max_rejected="{{ params.rejected }}",
        rejects_path="{{ params.folder }}",
        send_everything_again="{{ params.again }}",
    )

    assert ran.error is None
    assert pinterest.copies() == {f"order-{number}": 1 for number in range(3, 8)}
    assert pinterest.events()[0].event["custom_data"] == {"value": "5.5", "currency": "EUR"}
    assert sorted(call.events for call in pinterest.calls()) == [1, 2, 2]


class TestAWindowWithoutValue:
    """A run may have no data interval; ``'None'`` in its place selects the wrong rows, or none."""

    @pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
    @pytest.mark.parametrize(
        ("parameters", "named"),
        [
            ({"parameters": {"start": "{{ data_interval_start }}", "n": 1}}, "parameters['start']"),
            ({"parameters": ["{{ data_interval_start }}"]}, "parameters[0]"),
            ({"parameters": ("a", "{{ params.empty }}")}, "parameters[1]"),
            ({"parameters": {"start": "{{ params.empty }}"}}, "parameters['start']"),
            ({"parameters": {"start": "{{ params.blank }}"}}, "parameters['start']"),
            ({"parameters": {"span": "{{ data_interval_start }}/P1D"}}, "parameters['span']"),
            ({"parameters": {"a": {"b": ["{{ data_interval_start }}"]}}}, "parameters['a']['b'][0]"),
            ({"sql": "SELECT 1 WHERE t >= '{{ data_interval_start }}'"}, "sql"),
            ({"sql": "SELECT 1 WHERE t >= {{ data_interval_start }}"}, "sql"),
            ({"sql": "SELECT 1 WHERE t >= '{{ params.empty }}'"}, "sql"),
            ({"rejects_path": "s3://bucket/{{ data_interval_start }}"}, "rejects_path"),
            ({"defaults": {"event_time": "{{ data_interval_start }}"}}, "defaults['event_time']"),
        ],
    )
    def test_it_is_refused_before_anything_is_read(self, native, parameters, named):
        operator = rendered(native, {"empty": "", "blank": " "}, **parameters)

        with pytest.raises(ParameterError) as raised:
            operator.options()

        assert f"A template in {named} has no value in this run" in str(raised.value)
        assert "partition_date" in str(raised.value)

    def test_a_variable_that_the_run_does_not_have_is_named(self, pinterest, warehouse):
        operator = SendConversionsOperator(
            task_id="send",
            sql="SELECT 1",
            sql_conn_id="warehouse",
            parameters={"end": "{{ data_interval_end }}"},
        )
        operator.dag = DAG("shop", schedule=None)

        ran = run(operator, render=True)

        assert isinstance(ran.error, AirflowFailException)
        assert "'data_interval_end' is undefined" in ran.said
        assert "partition_date" in ran.said
        assert pinterest.calls() == []

    @pytest.mark.parametrize(
        "parameters",
        [
            {"parameters": {"start": "{{ params.day }}", "constant": "None", "empty": "", "nothing": None}},
            {"parameters": {"mixed": "{{ params.empty }}{{ params.day }}"}},
            {"parameters": {"name": "{{ params.word }}"}},
            {"sql": "SELECT 1 {{ params.empty }} WHERE note = '' AND t > '{{ params.day }}'"},
            {"sql": "SELECT 1 {% if params.empty %}WHERE x = '{{ params.empty }}'{% endif %}"},
            {"max_event_age": "{{ data_interval_start }}", "on_unknown_outcome": "{{ params.empty }}"},
        ],
    )
    @pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
    def test_what_is_meant_is_taken(self, native, parameters):
        rendered(native, {"empty": "", "day": "2026-11-01", "word": "Nonesuch"}, **parameters).options()

    def test_a_later_rendering_forgets_the_earlier_one(self):
        operator = rendered(params={"x": "2026-11-01"}, parameters={"start": "{{ params.x }}"})
        operator.parameters = {"start": "{{ params.x }}"}
        operator.render_template_fields({"params": {"x": ""}})

        with pytest.raises(ParameterError):
            operator.options()

        operator.parameters = {"start": "{{ params.x }}"}
        operator.render_template_fields({"params": {"x": "2026-11-01"}})
        assert operator.options().parameters == {"start": "2026-11-01"}


def test_rows_are_not_rendered_nor_kept_among_the_rendered_fields(pinterest):
    operator = SendConversionsOperator(task_id="send", events=[row(content_name="{{ params.x }}")])

    assert run(operator, render=True, params={"x": "rendered"}).error is None
    assert pinterest.copies() == ids(1)
    assert pinterest.events()[0].event["custom_data"] == {"content_name": "{{ params.x }}"}
    assert "ada1" not in json.dumps(repr(operator.events))


@pytest.mark.parametrize(
    ("end", "params", "warns"),
    [("2026-11-01", "", True), ("2026-11-02", "", False), ("2026-11-01", "2026-10-01", False)],
)
def test_an_empty_data_interval_is_said(pinterest, warehouse, end, params, warns):
    """On Airflow 3 a plain cron string gives intervals without a length, and the query finds nothing."""
    warehouse.fill("orders", rows(1))
    times: Any = {"data_interval_start": dt.date(2026, 11, 1), "data_interval_end": dt.date.fromisoformat(end)}

    ran = deliver(
        render={"params": {"start": params}, **times},
        sql="SELECT * FROM orders WHERE :start < :end",
        sql_conn_id="warehouse",
        parameters={"start": "{{ params.start or data_interval_start }}", "end": "{{ data_interval_end }}"},
    )

    assert ran.error is None
    assert ("The data interval of this run is empty" in ran.log) is warns
    assert pinterest.copies() == ({} if warns else ids(1))


@pytest.mark.parametrize(
    ("ends", "warns"),
    [
        (("{{ data_interval_start | string }}", "{{ data_interval_end | string }}"), True),
        (("{{ data_interval_start.isoformat() }}", "{{data_interval_end.isoformat()}}"), True),
        (("{{ data_interval_start.strftime('%Y-%m-%d') }}", "{{ data_interval_end.strftime('%Y-%m-%d') }}"), True),
        (("{{ dag_run.data_interval_start.isoformat() }}", "{{ dag_run.data_interval_end.isoformat() }}"), True),
        (("{{ data_interval_start.replace(month=10).isoformat() }}", "{{ data_interval_end.isoformat() }}"), False),
        (("{{ params.start or data_interval_start.isoformat() }}", "{{ data_interval_end.isoformat() }}"), False),
    ],
)
@pytest.mark.parametrize("bound", [True, False], ids=["bound", "in the SQL"])
def test_an_empty_data_interval_is_said_however_its_ends_are_written(pinterest, warehouse, ends, warns, bound):
    warehouse.fill("orders", rows(1))
    day = dt.date(2026, 11, 1)
    times: Any = {"data_interval_start": day, "data_interval_end": day}
    start, end = ends
    query: Any = {
        "sql": "SELECT * FROM orders WHERE :start < :end",
        "parameters": {"start": start, "end": end},
    }
    if not bound:
        query = {"sql": f"SELECT * FROM orders WHERE '{start}' < '{end}'"}  # noqa: S608

    ran = deliver(
        render={"params": {"start": "2026-10-01"}, "dag_run": SimpleNamespace(**times), **times},
        sql_conn_id="warehouse",
        **query,
    )

    assert ran.error is None
    assert ("The data interval of this run is empty" in ran.log) is warns
    assert pinterest.copies() == ({} if warns else ids(1))
