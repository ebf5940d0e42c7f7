"""The environment of the demo: a private folder with its own Airflow, removed at the end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness import airflow, pinterest
from harness.dag_runs import TaskRun
from harness.processes import REPOSITORY, HarnessError, service, tail

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from harness.pinterest import PinterestProcess

DAGS: Final = REPOSITORY / "dags"
OWN_DAGS: Final = REPOSITORY / "demo" / "dags"
"""The DAGs that only the demo runs; their query uses the templates of the example DAGs."""

POLICY: Final = REPOSITORY / "demo" / "cluster_policy.py"
"""Gives every sending task the outcome table."""

LAKE: Final = "lake"
OUTCOMES: Final = "outcomes.db"
"""Parts of the demo's folder. SQLite lets a reader block a writer, so the table is not in the warehouse's file."""

RUN_SECONDS: Final = 180


def check_installation() -> None:
    """Check that Airflow and the provider are installed for this Python.

    :raises HarnessError: one of them is not installed.
    """
    installed = {point.value.partition(".")[0] for point in entry_points(group="apache_airflow_provider")}
    if "airflow_provider_pinterest" not in installed or None in map(find_spec, ("airflow", "pyarrow")):
        raise HarnessError(
            f"Airflow, this provider or pyarrow is not installed for {sys.executable}. "
            "'make demo' installs all; by hand: pip install apache-airflow -e '.[parquet,sandbox]'"
        )


@contextlib.contextmanager
def private_folder(keep: Path | None) -> Iterator[Path]:
    """Create a folder that only this user can read. Remove it afterwards, unless it is kept."""
    if keep is not None:
        keep.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise HarnessError(f"{keep} is not empty. Choose a new folder for --keep.")
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="pinterest-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


def run_airflow(
    folder: Path, warehouse: Path, local: PinterestProcess, runs: Sequence[tuple[str, dt.datetime]]
) -> list[TaskRun]:
    """Run DAGs, each at its time, with an Airflow in ``folder``, where ``outcomes.db`` gets their outcome table.

    :raises HarnessError: Airflow failed or took too long. Its log is copied out of ``folder``, which is removed.
    """
    home, log = folder / "airflow", folder / "airflow.log"
    home.mkdir()
    dags = lay_out_dags(home / "dags")
    (home / "config").mkdir()
    shutil.copy(POLICY, home / "config" / "airflow_local_settings.py")
    plan, answer = folder / "plan.json", folder / "answer.json"
    when = [(dag_id, moment.isoformat()) for dag_id, moment in runs]
    plan.write_text(json.dumps({"dags_folder": str(dags), "runs": when}), encoding="utf-8")
    environment = airflow.environment(
        home,
        {},
        **connections(warehouse, local.url, folder / "rejects"),
        AIRFLOW_CONN_OUTCOMES=airflow.sqlite_connection(folder / OUTCOMES),
        AIRFLOW_VAR_DEMO_DATA_LAKE=str(folder / LAKE),
        AIRFLOW__CORE__DAGS_FOLDER=str(dags),
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home / 'airflow.db'}",
    )
    command = [sys.executable, "-m", "harness.dag_runs", str(plan), str(answer)]
    with service("Airflow", command, log, environment) as running:
        try:
            status = running.process.wait(RUN_SECONDS)
        except subprocess.TimeoutExpired:
            raise HarnessError(f"Airflow has not finished in {RUN_SECONDS} s; its log: {log_kept(log)}") from None
    if status != 0 or not answer.exists():
        raise HarnessError(f"Airflow ended with status {status}; its log: {log_kept(log)}\n{tail(log)}")
    return [TaskRun(**task) for task in json.loads(answer.read_text(encoding="utf-8"))]


def lay_out_dags(folder: Path) -> Path:
    """Copy the example DAGs and those of the demo into one new folder for Airflow."""
    for source in (DAGS, OWN_DAGS):
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    return folder


def connections(warehouse: Path, pinterest_url: str, rejects: Path) -> dict[str, str]:
    """Return the connections and the variable of the example DAGs, as environment variables of Airflow."""
    return {
        "AIRFLOW_CONN_PINTEREST_DEFAULT": pinterest.connection(pinterest_url),
        "AIRFLOW_CONN_WAREHOUSE": airflow.sqlite_connection(warehouse),
        "AIRFLOW_VAR_PINTEREST_REJECTS_PATH": str(rejects),
    }


def errors(log: Path, most: int = 5) -> list[str]:
    """Return the last distinct exceptions of the tracebacks in a log."""
    lines = re.findall(
        r"^[\w.]*(?:Error|Exception)\b.*", log.read_text(encoding="utf-8", errors="replace"), re.MULTILINE
    )
    return list(dict.fromkeys(lines))[-most:]


def log_kept(log: Path) -> Path:
    """Copy Airflow's log out of the temporary folder. Only this user can read it, because it has connections."""
    number, name = tempfile.mkstemp(prefix="pinterest-demo-", suffix=".log")
    with os.fdopen(number, "wb") as copy:
        copy.write(log.read_bytes())
    return Path(name)
