"""Runs DAGs with real Airflow, 2.11 or 3. The environment of the process selects the Airflow home.

``python -m harness.dag_runs PLAN ANSWER`` migrates the metadata database of ``AIRFLOW_HOME``, runs the DAGs
that the JSON file PLAN names, and writes the result of every task to the JSON file ANSWER. Airflow prints
connections in clear while it does so: its output belongs in a private file.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch


class TaskRun(NamedTuple):
    """The outcome of a task instance.

    :param map_index: -1 unless the task is mapped.
    :param result: the operator's result; ``None`` for other tasks, and if the operator has no result.
    """

    dag_id: str
    task_id: str
    map_index: int
    state: str
    result: dict[str, Any] | None


def load(dags_folder: Path) -> dict[str, Any]:
    """Parse the DAG files of a folder, which must be Airflow's own, and return the DAGs by id.

    :raises RuntimeError: a file cannot be imported.
    """
    homes = ("airflow.dag_processing.dagbag", "airflow.models.dagbag")  # since 3, before
    home = next(name for name in homes if find_spec(name))
    bag = import_module(home).DagBag(dags_folder)
    if bag.import_errors:
        raise RuntimeError("\n".join(f"{file}: {error}" for file, error in bag.import_errors.items()))
    return dict(bag.dags)


def run(
    dag: Any, logical_date: dt.datetime | None, conf: dict[str, Any] | None = None, **environment: str
) -> list[TaskRun]:
    """Run one DAG once, each task tried once, and return its tasks in the order of their names.

    :param logical_date: when the run comes; its data interval is the last one complete by then. A partitioned
        run has neither.
    :param environment: variables to set meanwhile, such as connections.
    """
    for task in dag.tasks:
        task.retries = 0
    import airflow

    when = {"execution_date" if airflow.__version__.startswith("2.") else "logical_date": logical_date}
    with warnings.catch_warnings(), patch.dict(os.environ, environment):
        warnings.simplefilter("ignore")  # of Airflow's own making
        finished = dag.test(run_conf=conf, **when)
        return sorted(
            TaskRun(dag.dag_id, ti.task_id, ti.map_index, str(ti.state), _result(ti))
            for ti in finished.get_task_instances()
        )


def _result(ti: Any) -> dict[str, Any] | None:
    found = ti.xcom_pull(task_ids=ti.task_id, key="pinterest_result", map_indexes=ti.map_index)
    return found if isinstance(found, dict) else None


def main(plan: Path, answer: Path) -> None:
    """Run the plan: ``{"dags_folder": …, "runs": [[dag id, ISO time], …]}``."""
    from airflow.utils.db import initdb

    todo = json.loads(plan.read_text(encoding="utf-8"))
    initdb()
    dags = load(Path(todo["dags_folder"]))
    done = [task for dag_id, when in todo["runs"] for task in run(dags[dag_id], dt.datetime.fromisoformat(when))]
    answer.write_text(json.dumps([task._asdict() for task in done]), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
