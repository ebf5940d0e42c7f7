"""Every example DAG is a file of its own that parses without a murmur and explains itself."""

import datetime as dt
import re
import runpy
import warnings
from pathlib import Path

import pytest

from demo import planted, stage, warehouse
from harness import dag_runs

PARTITIONED = "pinterest_partitioned_checkouts"
"""The DAG that only Airflow 3.2 and later can run."""

FILES = sorted(stage.DAGS.glob("pinterest_*.py"))


@pytest.fixture(scope="module")
def parsed():
    return dag_runs.load(stage.DAGS)


def has_partitions():
    try:
        from airflow.sdk import CronPartitionTimetable  # noqa: F401
    except ImportError:
        return False
    return True


DAG_FILES = [file for file in FILES if file.stem != PARTITIONED or has_partitions()]


def test_there_is_one_dag_per_file_and_it_bears_the_file_s_name(parsed):
    assert sorted(parsed) == [file.stem for file in DAG_FILES]
    assert {Path(dag.fileloc).stem for dag in parsed.values()} == set(parsed)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_parsing_warns_of_nothing(file, parsed):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        runpy.run_path(str(file))

    assert [str(warning.message) for warning in caught] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_imports_from_airflow_itself(file):
    """Every Airflow has these names; which names `common.compat` has depends on its version."""
    assert "common.compat" not in file.read_text("utf-8")


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_every_dag_explains_itself(file, parsed):
    dag = parsed[file.stem]

    assert dag.doc_md
    assert "pinterest_default" in dag.doc_md
    assert dag.tags == {"pinterest"} or list(dag.tags) == ["pinterest"]


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_unpausing_starts_one_run_at_most(file, parsed):
    dag = parsed[file.stem]

    assert dag.catchup is False
    assert dag.start_date < dt.datetime.now(dt.UTC)
    assert dag.max_active_runs <= 2 or not scheduled(dag) or file.stem == "pinterest_erasure"


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_scheduled_dags_have_a_data_interval_or_a_partition(file, parsed):
    dag = parsed[file.stem]
    if scheduled(dag):
        assert type(dag.timetable).__name__ == (
            "CronPartitionTimetable" if file.stem == PARTITIONED else "CronDataIntervalTimetable"
        )


def scheduled(dag):
    return dag.timetable.can_be_scheduled if hasattr(dag.timetable, "can_be_scheduled") else dag.schedule


def test_every_query_leaves_out_who_has_not_consented():
    for query in (stage.DAGS / "sql").glob("*.sql"):
        if query.stem == "erasure_requests":  # it sends nobody's events
            continue
        assert re.search(r"consent = TRUE", query.read_text(encoding="utf-8")), query.name


def test_every_query_has_an_order():
    for query in (stage.DAGS / "sql").glob("*.sql"):
        assert "ORDER BY" in query.read_text(encoding="utf-8"), query.name


def test_the_demo_runs_dags_that_exist(parsed):
    from demo.verdict import TASKS

    own = {file.stem for file in stage.OWN_DAGS.glob("*.py")}
    assert all(task_id in parsed[dag_id].task_dict for dag_id, task_id in TASKS if dag_id not in own)
    assert planted.SENT.keys() >= set(TASKS.values())
    assert warehouse.QUARTER.total_seconds() == 15 * 60
