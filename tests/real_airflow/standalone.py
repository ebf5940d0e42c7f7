"""A whole Airflow of its own: scheduler, executor, API server, in a private home on a free port."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

PATIENCE = 120.0


@dataclass(frozen=True)
class Airflow:
    """A running Airflow, in which every DAG has one task and at most one run.

    :param home: its AIRFLOW_HOME.
    :param url: of its API server.
    """

    home: Path
    url: str

    def wait_for_dags(self, dag_ids: Iterable[str]) -> None:
        """Wait until some DAGs are parsed."""
        wait_for(lambda: {dag["dag_id"] for dag in self._api("GET", "dags")["dags"]} >= set(dag_ids), "the DAGs")

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
        value = json.loads(self._ask("SELECT value FROM xcom WHERE key = 'pinterest_result' AND dag_id = ?", dag_id))
        found: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
        return found

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
        answer = requests.request(method, f"{self.url}/api/v2/{path}", json=body, timeout=PATIENCE)
        assert answer.ok, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def _ask(self, sql: str, *parameters: str) -> Any:
        with closing(sqlite3.connect(self.home / "airflow.db", timeout=30)) as database:
            row = database.execute(sql, parameters).fetchone()
        return row[0] if row else None


def wait_for(condition: Callable[[], Any], what: str, *, every: float = 0.02, seconds: float = PATIENCE) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}"
        time.sleep(every)


@contextmanager
def standalone(home: Path, connections: dict[str, dict[str, Any]]) -> Iterator[Airflow]:
    """Start all of Airflow, and end every process of it."""
    port, worker_logs, triggerer_logs = _free_ports(3)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}/",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
        "AIRFLOW__TRIGGERER__CAPACITY": "2",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(triggerer_logs),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in connections.items()},
    }
    with (home / "standalone.txt").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "standalone"],
            env=environment,
            stdout=said,
            stderr=said,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        wait_for(lambda: _healthy(port), "Airflow to be healthy", every=0.5, seconds=600)
        yield Airflow(home, f"http://127.0.0.1:{port}")
    finally:
        _signal_all(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        _signal_all(process.pid, signal.SIGKILL)
        process.wait(10)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as taken:
        sockets = [taken.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _healthy(port: int) -> bool:
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=30).json()
    except (requests.RequestException, ValueError):
        return False
    return all(
        answer[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor", "triggerer")
    )


def _signal_all(session: int, sign: signal.Signals) -> None:
    """Signal every process of a session: all that was started by one process, whatever groups they formed."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if os.getsid(int(entry.name)) == session:
                os.kill(int(entry.name), sign)
