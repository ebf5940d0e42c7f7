"""Every example DAG is a file of its own that parses without a murmur and explains itself."""

from __future__ import annotations

import re
import runpy
import warnings
from pathlib import Path

import pytest

from demo import planted, run_dags, stage, warehouse

CATCHING_UP = {
    "pinterest_events_from_task",
    "pinterest_many_accounts",
    "pinterest_store_sales",
    "pinterest_sync_checkouts",
}
"""DAGs that must not lose the windows of an outage."""

FILES = sorted(stage.DAGS.glob("pinterest_*.py"))


@pytest.fixture(scope="module")
def parsed():
    return run_dags.load(stage.DAGS)


def test_there_is_one_dag_per_file_and_it_bears_the_file_s_name(parsed):
    assert sorted(parsed) == [file.stem for file in FILES]
    assert {Path(dag.fileloc).stem for dag in parsed.values()} == set(parsed)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_parsing_warns_of_nothing(file, parsed):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        runpy.run_path(str(file))

    assert [str(warning.message) for warning in caught] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_dag_explains_itself(file, parsed):
    dag = parsed[file.stem]

    assert dag.doc_md
    assert "pinterest_default" in dag.doc_md
    assert dag.tags == {"pinterest"} or list(dag.tags) == ["pinterest"]
    assert dag.catchup is (file.stem in CATCHING_UP)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_scheduled_dags_have_a_data_interval(file, parsed):
    dag = parsed[file.stem]
    if dag.timetable.can_be_scheduled if hasattr(dag.timetable, "can_be_scheduled") else dag.schedule:
        assert "CronDataInterval" in type(dag.timetable).__name__


def test_every_query_leaves_out_who_has_not_consented():
    for query in (stage.DAGS / "sql").glob("*.sql"):
        assert re.search(r"consent = 1", query.read_text(encoding="utf-8")), query.name


def test_every_query_has_an_order():
    for query in (stage.DAGS / "sql").glob("*.sql"):
        assert "ORDER BY" in query.read_text(encoding="utf-8"), query.name


def test_the_demo_runs_dags_that_exist(parsed):
    from demo.verdict import TASKS

    assert all(task_id in parsed[dag_id].task_dict for dag_id, task_id in TASKS)
    assert planted.SENT.keys() >= set(TASKS.values())
    assert warehouse.QUARTER.total_seconds() == 15 * 60
