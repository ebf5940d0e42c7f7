"""What a checkpoint is compared with."""

from __future__ import annotations

from airflow_provider_pinterest.operators import task_attempt
from airflow_provider_pinterest.operators.task_attempt import SOURCE, source_parameters
from airflow_provider_pinterest.operators.task_options import TaskOptions


def test_a_parameter_of_a_source_that_was_added_later_counts_only_if_it_is_set(monkeypatch):
    """Otherwise every checkpoint of an earlier version would seem to be that of other rows."""
    assert source_parameters(TaskOptions(path="a.csv")).keys() - set(SOURCE) == {"path"}
    monkeypatch.setattr(task_attempt, "NEWER_SOURCE", ("processes",))

    assert set(source_parameters(TaskOptions())) == set(SOURCE)
    assert source_parameters(TaskOptions(processes=2)).keys() - set(SOURCE) == {"processes"}
