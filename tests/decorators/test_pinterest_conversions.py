"""``@task.pinterest_conversions``, outside a DAG run; in one: ``tests/end_to_end``."""

import datetime as dt

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, AirflowSkipException, TaskDeferred, task

from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.get_provider_info import get_provider_info
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from airflow_provider_pinterest.operators.templates import RedactedRows
from harness.accounting import imbalances
from harness.task import RecordingTaskInstance
from tests.running import ids, row, rows, run


def operator(function, *args, parameters=None, **kwargs):
    """Return the operator of a decorated function called with these arguments."""
    with DAG("shop", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)):
        decorated = task.pinterest_conversions(**(parameters or {}))(function)
        return decorated(*args, **kwargs).operator


def test_what_a_function_returns_is_delivered(pinterest):
    def orders():
        return rows(3)

    assert run(operator(orders)).error is None
    assert pinterest.copies() == ids(3)


def test_what_a_function_yields_is_delivered_in_batches(pinterest):
    def orders():
        yield from rows(5)

    assert run(operator(orders, parameters={"batch_size": 2})).error is None
    assert sorted(call.events for call in pinterest.calls()) == [1, 2, 2]


def test_arguments_and_the_context_reach_the_function(pinterest):
    def orders(first, *, last, ds=None):
        return [row(first, content_name=ds), row(last)]

    assert run(operator(orders, 1, last=2), render=True, ds="2026-11-21").error is None
    assert pinterest.copies() == ids(2)
    assert pinterest.events()[0].event["custom_data"]["content_name"] == "2026-11-21"


def test_arguments_are_templates(pinterest):
    def orders(name, *, others):
        return [row(1, event_id=name), *(row(2, event_id=other) for other in others)]

    assert run(operator(orders, "a-{{ ds }}", others=["b-{{ ds }}"]), render=True, ds="today").error is None
    assert set(pinterest.copies()) == {"a-today", "b-today"}


def test_arguments_that_may_be_rows_are_not_shown_and_still_reach_the_function(pinterest):
    def orders(found, limit, *, more):
        return [*found, *more][:limit]

    made = operator(orders, rows(2), 3, more=(row(3), row(4)))
    assert run(made, render=True).error is None
    assert pinterest.copies() == ids(3)
    again = operator(orders, rows(2), 3, more=(row(3),))
    again.render_template_fields({"ti": None})
    assert repr(again.op_args) == "[<2 rows, not shown>, 3]"
    assert repr(again.op_kwargs) == "{'more': <1 rows, not shown>}"
    assert isinstance(again.op_args[0], RedactedRows)


def test_an_account_of_the_run_is_returned_like_the_operator_s(pinterest):
    def orders():
        return [row(1), row(2, email=None)]

    ran = run(operator(orders))

    assert isinstance(ran.error, AirflowFailException)
    assert (ran["events_processed"], ran["rows_rejected"]) == (1, 1)


@pytest.mark.parametrize("error", [KeyError("tax"), AirflowSkipException("nothing today")])
def test_what_a_function_raises_is_raised_as_it_is(pinterest, error):
    def orders():
        raise error

    ran = run(operator(orders))

    assert ran.error is error
    assert pinterest.calls() == []


def test_what_a_generator_raises_comes_after_its_rows_are_delivered(pinterest):
    def orders():
        yield from rows(4)
        raise AirflowSkipException("no more")

    assert isinstance(run(operator(orders, parameters={"batch_size": 2})).error, AirflowSkipException)
    assert pinterest.copies() == ids(4)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (None, "The function orders returned None. It must return or yield rows"),
        ("text", "got text"),
        ({"data": []}, "in its 'data'"),
        (5, "got int"),
        ([5], "row 1 is of type int"),
    ],
)
def test_a_function_that_returns_no_rows_is_told_so(pinterest, returned, words):
    def orders():
        return returned

    ran = run(operator(orders))

    assert isinstance(ran.error, ParameterError)
    assert words in ran.said
    assert pinterest.calls() == []


def test_after_a_deferral_the_function_is_called_again_and_the_rest_delivered(pinterest):
    """Another process goes on, which has nothing of the first but the checkpoint."""

    def orders(found):
        yield from found

    def made():
        operator_ = operator(orders, rows(6), parameters={"batch_size": 2, "max_in_flight": 1, "deferrable": True})
        operator_.render_template_fields({"ti": None})
        return operator_

    pinterest.fault("status", status=429, after=1, times=1, headers={"Retry-After": "3600"})
    deferred = run(made()).error
    assert isinstance(deferred, TaskDeferred)
    assert deferred.kwargs

    ti = RecordingTaskInstance()
    result = made().resume_delivery({"ti": ti}, None, **deferred.kwargs)

    assert pinterest.copies() == ids(6)
    assert imbalances(result) == []


def test_an_empty_list_is_a_success_of_zeroes(pinterest):
    def orders():
        return []

    ran = run(operator(orders))

    assert ran.error is None
    assert ran["rows_read"] == 0


@pytest.mark.parametrize("source", [{"sql": "SELECT 1"}, {"events": []}, {"path": "a.csv"}])
def test_a_second_source_is_refused_when_the_dag_is_parsed(source):
    def orders():
        return []

    with pytest.raises(ParameterError, match="takes its rows from the function"):
        operator(orders, parameters=source)


def test_it_takes_all_parameters_of_the_operator(pinterest, tmp_path):
    def orders():
        return [row(1, event_id=None, number=7), row(2, note="x", event_id=None, number="")]

    ran = run(
        operator(
            orders,
            parameters={
                "field_map": {"note": None},
                "event_id_from": ["number"],
                "ad_account_id": "42",
                "max_rejected": 1,
                "rejects_path": str(tmp_path),
            },
        )
    )

    assert ran.error is None
    assert ran["ad_account_id"] == "42"
    assert len(list(tmp_path.rglob("part-*"))) == 1


def test_it_is_declared_so_that_airflow_finds_it():
    [declared] = get_provider_info()["task-decorators"]

    assert declared["name"] == "pinterest_conversions"
    assert task.pinterest_conversions is not None


def test_its_templated_fields_are_the_function_s_and_the_operator_s():
    def orders():
        return []

    made = operator(orders)

    assert set(made.template_fields) >= {"op_args", "op_kwargs", *SendConversionsOperator.template_fields}
