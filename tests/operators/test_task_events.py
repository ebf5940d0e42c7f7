"""What a DAG author passes in the place of rows, and what the task says to pass."""

from __future__ import annotations

import pytest

from airflow_provider_pinterest.operators.task_events import problem_of_rows


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ("{{ ti.xcom_pull('rows') }}", "events=upstream.output"),
        ("[{'event_id': 1}]", "events=upstream.output"),
        (None, "NoneType. Does the upstream task return one?"),
        (iter([{"a": 1}]), "@task.pinterest_conversions"),
    ],
)
def test_something_else_than_rows_is_refused_with_what_to_write_in_a_dag(events, words):
    assert words in (problem_of_rows(events, "events") or "")


def test_the_parameter_is_named_and_no_decorator_that_it_does_not_have():
    assert "rows=upstream.output" in (problem_of_rows("{{ ti.xcom_pull() }}", "rows") or "")
    problem = problem_of_rows(iter([{"a": 1}]), "rows") or ""
    assert problem.startswith("rows: got a list_iterator")
    assert "@task" not in problem


@pytest.mark.parametrize("events", ["orders.csv", {"data": []}])
def test_what_has_nothing_to_do_with_airflow_is_said_without_it(events):
    assert "task" not in (problem_of_rows(events, "events") or "")


@pytest.mark.parametrize("events", [[], [{"a": 1}], ({"a": 1},)])
def test_rows_are_no_problem(events):
    assert problem_of_rows(events, "events") is None
