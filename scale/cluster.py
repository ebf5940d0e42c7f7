"""A complete Airflow with a CeleryExecutor: metadata in PostgreSQL, messages in Redis, two or more workers."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg2

from harness import airflow
from harness.loopback import free_port
from harness.processes import HarnessError, Service, say, service, tail, wait_for
from scale.judge import Shard
from scale.stage import BROKER, METADATA, WAREHOUSE, ScaleStage

DAG_ID: Final = "pinterest_scale_out"
TASK_ID: Final = "send_shard"
POOL: Final = "pinterest"
SLOTS: Final = 2
"""Tasks that one worker runs at once."""

RUN_SECONDS: Final = 3_600.0
"""The maximum duration of a run in seconds."""


@dataclass
class Cluster:
    """A running Airflow.

    :param home: its AIRFLOW_HOME.
    :param environment: the environment of its processes.
    :param services: the processes that are not workers.
    :param workers: the workers by name.
    """

    stage: ScaleStage
    home: Path
    environment: dict[str, str]
    services: list[Service] = field(default_factory=list)
    workers: dict[str, Service] = field(default_factory=dict)

    def command(self, *arguments: str) -> str:
        """Run an ``airflow`` command and return its output.

        :raises HarnessError: it fails.
        """
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise HarnessError(f"airflow {' '.join(arguments)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def trigger(self, run_id: str, *, slots: int, conf: Mapping[str, Any]) -> None:
        """Set the pool and start a run."""
        self.command("pools", "set", POOL, str(slots), "Sends to Pinterest")
        self.command("dags", "trigger", DAG_ID, "--run-id", run_id, "--conf", json.dumps(conf))

    def wait(self, run_id: str) -> str:
        """Wait for the end of a run; return its state."""
        alive = [one for one in (*self.services, *self.workers.values()) if one.process.poll() is None]
        wait_for(lambda: self.state(run_id) in ("success", "failed"), f"run {run_id}", services=alive, every=0.5,
                 seconds=RUN_SECONDS)  # fmt: skip
        return self.state(run_id)

    def state(self, run_id: str) -> str:
        """Return the state of a run."""
        [(state,)] = self._ask("SELECT state FROM dag_run WHERE dag_id = %s AND run_id = %s", DAG_ID, run_id)
        return str(state)

    def running_on(self, worker: str, run_id: str) -> int:
        """Return the number of shards that a worker is sending."""
        sql = "SELECT count(*) FROM task_instance WHERE run_id = %s AND task_id = %s AND state = %s AND hostname = %s"
        [(number,)] = self._ask(sql, run_id, TASK_ID, "running", worker)
        return int(number)

    def shards(self, run_id: str) -> list[Shard]:
        """Return the mapped tasks of a run, each with its result."""
        found = self._ask(
            "SELECT map_index, hostname, try_number, extract(epoch FROM start_date), extract(epoch FROM end_date) "
            "FROM task_instance WHERE run_id = %s AND task_id = %s AND map_index >= 0 ORDER BY map_index",
            run_id,
            TASK_ID,
        )
        results = dict(
            self._ask(
                "SELECT map_index, value FROM xcom WHERE run_id = %s AND task_id = %s AND key = 'pinterest_result'",
                run_id,
                TASK_ID,
            )
        )
        return [
            Shard(
                index,
                worker,
                tries,
                float(begin),
                float(end),
                self._cpu(run_id, index),
                airflow.xcom_document(results.get(index, {})),
            )
            for index, worker, tries, begin, end in found
        ]

    def logs(self, run_id: str) -> str:
        """Return the end of the sending tasks' logs, for a run that failed."""
        found = sorted((self.home / "logs").glob(f"**/run_id={run_id}/**/*.log"))
        return "\n".join(f"--- {path.relative_to(self.home)}\n{tail(path, 6)}" for path in found)

    def _cpu(self, run_id: str, index: int) -> float:
        path = self.home / "cpu" / f"{run_id}.{TASK_ID}.{index}.json"
        return float(json.loads(path.read_text(encoding="ascii"))["cpu"]) if path.exists() else 0.0

    def _ask(self, sql: str, *parameters: str) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(self.stage.database(METADATA).dsn)) as database, database.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()


@contextlib.contextmanager
def whole_airflow(stage: ScaleStage, connections: Mapping[str, str], workers: Sequence[str]) -> Iterator[Cluster]:
    """Start Airflow with workers of these names, and end all its processes afterwards.

    :param connections: Airflow connections by their ids, as JSON.
    """
    home = stage.folder / "airflow"
    for source in ("dags", "plugins"):
        shutil.copytree(Path(__file__).parent / source, home / source, ignore=shutil.ignore_patterns("__pycache__"))
    (home / "cpu").mkdir()
    port = free_port()
    connections = {"warehouse": stage.database(WAREHOUSE).connection_json, **connections}
    environment = airflow.environment(home, connections, **_settings(stage, home, port))
    cluster = Cluster(stage, home, environment)
    say("migrating Airflow's metadata database")
    cluster.command("db", "migrate")
    with contextlib.ExitStack() as stack:

        def start(name: str, *arguments: str, **more: str) -> Service:
            command = [sys.executable, "-m", "airflow", *arguments]
            log = home / f"{name.replace(' ', '-')}.log"
            return stack.enter_context(service(name, command, log, environment | more, cwd=home))

        say(f"starting API server, scheduler, DAG processor and {len(workers)} Celery workers")
        api = start("api server", "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
        cluster.services.append(api)
        wait_for(lambda: airflow.healthy(port), "the API server", services=[api])
        cluster.services.append(start("scheduler", "scheduler", "--skip-serve-logs"))
        cluster.services.append(start("dag processor", "dag-processor"))
        for name in workers:
            arguments = ("celery", "worker", "--celery-hostname", f"{name}@127.0.0.1", "--skip-serve-logs",
                         "--concurrency", str(SLOTS), "--without-mingle", "--without-gossip",
                         "--pid", str(home / f"{name}.pid"))  # fmt: skip
            cluster.workers[name] = start(name, *arguments, SCALE_WORKER=name)
        every = [*cluster.services, *cluster.workers.values()]
        wait_for(
            lambda: airflow.healthy(port, "metadatabase", "scheduler", "dag_processor"),
            "Airflow to be healthy",
            services=every,
            every=0.5,
        )
        wait_for(
            lambda: all(" ready." in tail(worker.log, 200) for worker in cluster.workers.values()),
            "the workers",
            services=every,
            every=0.5,
        )
        parsed = "SELECT 1 FROM serialized_dag WHERE dag_id = %s"
        wait_for(lambda: cluster._ask(parsed, DAG_ID), "the DAG to be parsed", services=every, every=0.5)  # noqa: SLF001
        cluster.command("dags", "unpause", DAG_ID)
        yield cluster


def _settings(stage: ScaleStage, home: Path, port: int) -> dict[str, str]:
    """Return the settings of this Airflow."""
    metadata = stage.database(METADATA)
    address = f"{metadata.user}@{metadata.host}:{metadata.port}/{metadata.database}"
    return airflow.api_settings(port, heartbeat=3, missed_after=30, looked_every=5) | {
        "SCALE_CPU_FOLDER": str(home / "cpu"),
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{address}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg://{address}",
        "AIRFLOW__CELERY__BROKER_URL": stage.redis.url(BROKER),
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{address}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(SLOTS),
        "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",  # a worker takes only tasks that it can run now
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "AIRFLOW__CORE__PARALLELISM": "16",
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "scale.hostname.hostname",
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(),
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    }
