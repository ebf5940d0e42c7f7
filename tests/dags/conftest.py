"""Real Airflow, the local Pinterest and the demo's warehouse, for running the example DAGs once on each database."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from airflow_provider_pinterest.sandbox import Sandbox
from demo import stage, warehouse
from demo.verdict import rejects
from demo.warehouse import Warehouse
from harness import dag_runs
from harness.airflow import sqlite_connection
from harness.dag_runs import TaskRun
from tests.dags.databases import copy_to_postgres


class ExampleDagRun(NamedTuple):
    """What one run of a DAG did.

    :param received: the events that the local Pinterest recorded, each with its account.
    :param tested: those that it got in test mode.
    :param deletions: the deletion requests that it got.
    """

    tasks: list[TaskRun]
    received: list[Any]
    tested: list[Any]
    deletions: list[Any]

    @property
    def results(self) -> list[dict[str, Any]]:
        """The accounts of the sending tasks, in the order of their names."""
        return [task.result for task in self.tasks if task.result is not None]

    def rejects(self) -> list[dict[str, Any]]:
        return [row for result in self.results for row in rejects(result["rejects_path"])]


class ExampleDags:
    """Runs the example DAGs, each way of running one once a session."""

    def __init__(self, folder: Path, shop: Warehouse, database: str, pinterest: Sandbox, rejects_path: Path) -> None:
        self.shop = shop
        self.pinterest = pinterest
        self._connections = stage.connections(shop.path, pinterest.url, rejects_path)
        self._connections["AIRFLOW_CONN_WAREHOUSE"] = database
        self.exports = rejects_path.parent / "exports"
        self._connections["AIRFLOW_VAR_PINTEREST_EXPORTS"] = str(self.exports)
        self._folder = rejects_path.parent
        oauth = {**pinterest.connection(), "password": pinterest.oauth_token}
        self._connections["AIRFLOW_CONN_PINTEREST_OAUTH"] = json.dumps(oauth)
        self._dags = dag_runs.load(folder)
        self._ran: dict[str, ExampleDagRun] = {}

    def outcomes(self, dag_id: str) -> Path:
        """Return the file with the outcome table of a DAG."""
        return self._folder / f"outcomes-{dag_id.replace('resend_store_sales', 'outcomes')}.db"

    def run(
        self, dag_id: str, when: dt.datetime | None, conf: dict[str, Any] | None = None, **variables: str
    ) -> ExampleDagRun:
        """Run a DAG at a time, or return what it did when it was run so before."""
        key = json.dumps([dag_id, when and when.isoformat(), conf, variables], sort_keys=True)
        environment = {
            **self._connections,
            "AIRFLOW_CONN_OUTCOMES": sqlite_connection(self.outcomes(dag_id)),
            **{f"AIRFLOW_VAR_{name.upper()}": value for name, value in variables.items()},
        }
        if key not in self._ran:
            self.pinterest.clear()
            tasks = dag_runs.run(self._dags[dag_id], when, conf, **environment)
            assert [task for task in tasks if task.state != "success"] == []
            self._ran[key] = ExampleDagRun(
                tasks,
                self.pinterest.events(test=False),
                self.pinterest.events(test=True),
                self.pinterest.deletion_requests(),
            )
        return self._ran[key]


@pytest.fixture(scope="session")
def example_folder(airflow_db: Path) -> Iterator[Path]:
    """Copy the example DAGs to where Airflow looks for DAGs."""
    folder = airflow_db / "examples"
    shutil.copytree(stage.DAGS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def dags(
    request: pytest.FixtureRequest, example_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ExampleDags]:
    work = tmp_path_factory.mktemp("dags")
    shop = warehouse.build(work / "warehouse.db", now=dt.datetime.now(dt.UTC))
    database = sqlite_connection(shop.path)
    if request.param == "postgres":
        server = dataclasses.replace(request.getfixturevalue("postgres"), database="example_dags")
        copy_to_postgres(shop.path, server)
        database = server.connection_json
    with Sandbox(deletion_pending_seconds=0) as pinterest:
        yield ExampleDags(example_folder, shop, database, pinterest, work / "rejects")
