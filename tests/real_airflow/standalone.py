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
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

PATIENCE = 120.0


@dataclass(frozen=True)
class Airflow:
    """A running Airflow.

    :param home: its AIRFLOW_HOME.
    :param environment: what its processes were started with.
    """

    home: Path
    environment: dict[str, str]

    def command(self, *arguments: str) -> str:
        """Run an ``airflow`` command and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def trigger(self, dag_id: str, run_id: str) -> None:
        """Start a run of a DAG."""
        wait_for(lambda: dag_id in self.command("dags", "list", "--output", "plain"), "the DAG to be parsed", every=1)
        self.command("dags", "unpause", dag_id)
        self.command("dags", "trigger", dag_id, "--run-id", run_id)

    def state(self, run_id: str) -> str:
        """Return the state of a run, as the metadata database has it."""
        return str(self._ask("SELECT state FROM dag_run WHERE run_id = ?", run_id))

    def tries(self, run_id: str) -> int:
        """Return the number of the last try of the run's only task."""
        return int(self._ask("SELECT try_number FROM task_instance WHERE run_id = ?", run_id))

    def result(self, run_id: str) -> dict[str, Any]:
        """Return the account of the run's task, as it stands in XCom."""
        value = json.loads(self._ask("SELECT value FROM xcom WHERE key = 'pinterest_result' AND run_id = ?", run_id))
        found: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "8",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2",
        "AIRFLOW__TRIGGERER__DEFAULT_CAPACITY": "2",
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
        wait_for(lambda: _healthy(port), "Airflow to be healthy", every=0.5)
        yield Airflow(home, environment)
    finally:
        _signal_all(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        _signal_all(process.pid, signal.SIGKILL)
        process.wait(10)


def _healthy(port: int) -> bool:
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=5).json()
    except (requests.RequestException, ValueError):
        return False
    return all(answer[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))


def _signal_all(session: int, sign: signal.Signals) -> None:
    """Signal every process of a session: all that was started by one process, whatever groups they formed."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if os.getsid(int(entry.name)) == session:
                os.kill(int(entry.name), sign)
