"""A whole Airflow of its own: scheduler, executor, API server, in a private home on a free port."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import requests

from harness import airflow
from harness.loopback import free_ports
from harness.processes import WAIT_SECONDS, service, wait_for


@dataclass(frozen=True)
class StandaloneAirflow:
    """A running Airflow, in which every DAG has one task and at most one run.

    :param home: its AIRFLOW_HOME.
    :param url: of its API server.
    :param environment: of its processes.
    """

    home: Path
    url: str
    environment: Mapping[str, str]

    def command(self, *arguments: str) -> str:
        """Run a command of Airflow, and return what it prints."""
        return airflow_command(self.environment, self.home, *arguments)

    def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call the REST API."""
        return self._api(method, path, body)

    def wait_for_dags(self, dag_ids: Iterable[str]) -> None:
        """Wait until some DAGs are parsed."""
        wait_for(
            lambda: {dag["dag_id"] for dag in self._api("GET", "dags")["dags"]} >= set(dag_ids), "the DAGs", every=0.02
        )

    def trigger(self, dag_id: str) -> None:
        """Start the run of a DAG."""
        self._api("POST", f"dags/{dag_id}/dagRuns", {"dag_run_id": dag_id, "logical_date": None})

    def clear(self, dag_id: str) -> None:
        """Clear the task of a DAG's run, whatever its state, as a person does in the UI."""
        cleared = {"dag_run_id": dag_id, "dry_run": False, "only_failed": False}
        self._api("POST", f"dags/{dag_id}/clearTaskInstances", cleared)

    def wait_for_end(self, dag_id: str) -> str:
        """Wait until the run of a DAG has ended, and return its state."""
        wait_for(lambda: self._state(dag_id) in ("success", "failed"), f"the end of {dag_id}", every=0.2)
        return self._state(dag_id)

    def tries(self, dag_id: str) -> int:
        """Return the number of the task's last attempt."""
        return int(self._ask("SELECT try_number FROM task_instance WHERE dag_id = ?", dag_id))

    def result(self, dag_id: str) -> dict[str, Any]:
        """Return the account of the task, as it stands in XCom."""
        value = self._ask("SELECT value FROM xcom WHERE key = 'pinterest_result' AND dag_id = ?", dag_id)
        return airflow.xcom_document(json.loads(value))

    def log(self, dag_id: str, attempt: int) -> str:
        """Return the log of an attempt."""
        [log] = self.logs(dag_id, f"attempt={attempt}.log")
        return log

    def logs(self, dag_id: str, pattern: str) -> list[str]:
        """Return the logs of the task whose names match a pattern."""
        return [log.read_text() for log in (self.home / "logs" / f"dag_id={dag_id}").glob(f"*/*/{pattern}")]

    def _state(self, dag_id: str) -> str:
        return str(self._ask("SELECT state FROM dag_run WHERE dag_id = ?", dag_id))

    def _api(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = requests.request(method, f"{self.url}/api/v2/{path}", json=body, timeout=WAIT_SECONDS)
        assert answer.ok, answer.text
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def _ask(self, sql: str, *parameters: str) -> Any:
        with closing(sqlite3.connect(self.home / "airflow.db", timeout=30)) as database:
            row = database.execute(sql, parameters).fetchone()
        return row[0] if row else None


def airflow_command(environment: Mapping[str, str], home: Path, *arguments: str) -> str:
    """Run a command of Airflow, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env=dict(environment),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def standalone(home: Path, connections: dict[str, dict[str, Any]], **settings: str) -> Iterator[StandaloneAirflow]:
    """Start all of Airflow, and end every process of it.

    :param settings: more variables of its environment.
    """
    port, worker_logs, triggerer_logs = free_ports(3)
    environment = airflow.environment(
        home,
        {name: json.dumps(value) for name, value in connections.items()},
        **settings,
        **airflow.api_settings(port, heartbeat=2, missed_after=15, looked_every=2),
        AIRFLOW__CORE__DAGS_FOLDER=str(home / "dags"),
        AIRFLOW__API__HOST="127.0.0.1",
        AIRFLOW__API__PORT=str(port),
        AIRFLOW__API__WORKERS="1",
        AIRFLOW__CORE__PARALLELISM="2",
        AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION="False",
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS="True",
        AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES="1",
        AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL="3600",
        AIRFLOW__TRIGGERER__CAPACITY="2",
        AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT=str(worker_logs),
        AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT=str(triggerer_logs),
    )
    command = [sys.executable, "-m", "airflow", "standalone"]
    parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
    with service("Airflow", command, home / "standalone.txt", environment, cwd=home) as running:
        healthy = partial(airflow.healthy, port, *parts)
        wait_for(healthy, "Airflow to be healthy", services=[running], every=0.5, seconds=600)
        yield StandaloneAirflow(home, f"http://127.0.0.1:{port}", environment)
