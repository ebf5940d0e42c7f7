"""The backfill of store sales by Airflow's own command, with a person's answer, on a whole Airflow."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import airflow
import psycopg2
import pytest

from airflow_provider_pinterest.sandbox import Sandbox
from demo import stage, warehouse
from harness.airflow import environment, sqlite_connection
from harness.postgres import PostgresServer
from harness.processes import service, wait_for
from tests.real_airflow.standalone import StandaloneAirflow, airflow_command, standalone

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("real_airflow"),
]
whole = pytest.mark.skipif(not os.environ.get("WHOLE_BACKFILL"), reason="takes minutes; WHOLE_BACKFILL=1 runs it")

DAG_ID = "pinterest_backfill_store_sales"
APPROVED = "pinterest_backfill_approved"
TODAY = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = dt.timedelta(days=1)
DAYS = [TODAY - number * DAY for number in (3, 2, 1)]
SALES = 10


def of_days(days: list[dt.datetime]) -> dict[str, int]:
    """Return the sales that arrive from some days, each once."""
    return {f"R{day:%m%d}-{number}": 1 for day in days for number in range(SALES)}


ONCE = of_days(DAYS)

at_least_33 = pytest.mark.skipif(airflow.__version__ < "3.3", reason="the question waits in a state of Airflow 3.3")
only_211 = pytest.mark.skipif(not airflow.__version__.startswith("2."), reason="the command of Airflow 2")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Lay out the DAG and a warehouse in which each till loads two sales again on the next day."""
    dags = tmp_path / "dags"
    dags.mkdir()
    text = (stage.DAGS / f"{DAG_ID}.py").read_text("utf-8")
    paused = "    catchup=False,\n    is_paused_upon_creation=True,\n"  # until Airflow has started
    if not airflow.__version__.startswith("2."):
        text = text.replace("    catchup=False,\n", paused)
    text = text.replace("minutes=5", "seconds=1").replace("poke_interval=30", "poke_interval=2")
    (dags / f"{DAG_ID}.py").write_text(text, "utf-8")
    shutil.copytree(stage.DAGS / "sql", dags / "sql")
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as database, database:
        database.executescript(warehouse.SCHEMA.read_text("utf-8"))
        database.execute("INSERT INTO customers (customer_id, email, consent, ldp) VALUES ('1', 'a@example.com', 1, 0)")
        database.execute("INSERT INTO products VALUES ('p', 'Lamp', 'Home', 'Own', 10)")
        for day in DAYS:
            for number in range(SALES):
                for loaded in (day, day + DAY) if number < 2 else (day,):
                    sold, at = f"{day + DAY / 2:%Y-%m-%d %H:%M:%S}", f"{loaded + DAY / 2:%Y-%m-%d %H:%M:%S}"
                    row = (f"R{day:%m%d}-{number}", "S1", "1", sold, at, "p", 1, "10.00", "EUR")
                    database.execute("INSERT INTO store_sales VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return tmp_path


@pytest.fixture
def metadata(request: pytest.FixtureRequest) -> str:
    """Create a metadata database. SQLite would be locked by the scheduler while a command creates runs."""
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"airflow_{request.node.name}"
    with closing(psycopg2.connect(server.dsn)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {name}")
    return f"postgresql+psycopg2://{server.user}@{server.host}:{server.port}/{name}"


def connections(home: Path, sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    return {
        "pinterest_default": dict(sandbox.connection()),
        "warehouse": json.loads(sqlite_connection(home / "warehouse.db")),
        "outcomes": json.loads(sqlite_connection(home / "outcomes.db")),
    }


def arrived(sandbox: Sandbox) -> Counter[str]:
    return Counter((event.event or {})["custom_data"]["order_id"] for event in sandbox.events())


class Backfill:
    """The backfill on Airflow 3, as a person sees it."""

    def __init__(self, running: StandaloneAirflow) -> None:
        self.airflow = running

    def start(self, first: dt.datetime, last: dt.datetime) -> None:
        days = "--from-date", f"{first:%Y-%m-%d}", "--to-date", f"{last:%Y-%m-%d}"
        more = "--max-active-runs", "1", "--reprocess-behavior", "completed"
        self.airflow.command("backfill", "create", "--dag-id", DAG_ID, *days, *more)

    def states(self, task_id: str) -> Counter[str | None]:
        found = self.airflow.api("GET", f"dags/{DAG_ID}/dagRuns/~/taskInstances?task_id={task_id}")["task_instances"]
        return Counter(task["state"] for task in found)

    def runs(self) -> Counter[str]:
        return Counter(run["state"] for run in self.airflow.api("GET", f"dags/{DAG_ID}/dagRuns")["dag_runs"])

    def questions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.airflow.api("GET", f"dags/{DAG_ID}/dagRuns/~/hitlDetails")["hitl_details"]
        return found

    def pending(self) -> list[dict[str, Any]]:
        return [one for one in self.questions() if not one["response_received"]]

    def answer(self, option: str) -> None:
        [question] = self.pending()
        run_id = question["task_instance"]["dag_run_id"]
        path = f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
        self.airflow.api("PATCH", path, {"chosen_options": [option], "params_input": {}})


@at_least_33
def test_a_day_is_sent_after_a_person_has_approved_it(home: Path, sandbox: Sandbox, metadata: str) -> None:
    with standalone(home, connections(home, sandbox), AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=metadata) as running:
        backfill = Backfill(running)
        running.wait_for_dags([DAG_ID])
        running.api("PATCH", f"dags/{DAG_ID}", {"is_paused": False})
        backfill.start(DAYS[0], DAYS[0])
        wait_for(backfill.pending, "the question", every=0.5, seconds=600)
        wait_for(lambda: backfill.states("approve")["awaiting_input"] == 1, "it to wait", every=0.5, seconds=600)
        assert not arrived(sandbox)

        backfill.answer("Approve")
        wait_for(lambda: backfill.states("send")["success"] == 1, "the end", every=0.5, seconds=600)
        assert arrived(sandbox) == of_days(DAYS[:1])


@whole
@at_least_33
def test_three_days_ask_once_and_are_sent_once(home: Path, sandbox: Sandbox, metadata: str) -> None:
    with standalone(home, connections(home, sandbox), AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=metadata) as running:
        backfill = Backfill(running)
        running.wait_for_dags([DAG_ID])
        running.api("PATCH", f"dags/{DAG_ID}", {"is_paused": False})
        wait_for(lambda: backfill.states("validate") == {"skipped": 1}, "the nightly run", every=0.5, seconds=600)
        wait_for(lambda: backfill.runs() == {"success": 1}, "its end", every=0.5, seconds=600)

        backfill.start(DAYS[0], DAYS[-1])
        wait_for(backfill.pending, "the question", every=0.5, seconds=600)
        wait_for(lambda: backfill.states("approve")["awaiting_input"] == 1, "it to wait", every=0.5, seconds=600)
        assert "| Valid events |" in backfill.questions()[0]["body"]
        assert not arrived(sandbox)

        backfill.answer("Approve")
        wait_for(lambda: backfill.runs() == {"success": 3}, "the end", every=0.5, seconds=600)
        assert len(backfill.questions()) == 1
        assert arrived(sandbox) == ONCE
        assert running.api("GET", f"variables/{APPROVED}")["value"] == "yes"

        backfill.start(DAYS[0], DAYS[1])
        wait_for(lambda: backfill.runs() == {"success": 3}, "the end", every=0.5, seconds=600)
        assert arrived(sandbox) == ONCE

        running.api("DELETE", f"variables/{APPROVED}")
        backfill.start(DAYS[1], DAYS[1])
        wait_for(backfill.pending, "the question", every=0.5, seconds=600)
        backfill.answer("Reject")
        wait_for(lambda: backfill.runs()["failed"] == 1, "the end", every=0.5, seconds=600)
        assert backfill.states("send") == {"success": 2, "upstream_failed": 1}
        assert running.api("GET", f"variables/{APPROVED}")["value"] == "no"
        assert arrived(sandbox) == ONCE


class BackfillCommand:
    """The command of Airflow 2.11, which waits for its runs."""

    def __init__(self, home: Path, sandbox: Sandbox, metadata: str) -> None:
        known = {name: json.dumps(value) for name, value in connections(home, sandbox).items()}
        self.home = home
        self.environment = environment(
            home,
            known,
            AIRFLOW__CORE__DAGS_FOLDER=str(home / "dags"),
            AIRFLOW__CORE__EXECUTOR="LocalExecutor",
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=metadata,
        )
        self.run("db", "migrate")

    def run(self, *arguments: str) -> None:
        airflow_command(self.environment, self.home, *arguments)

    def of(self, first: dt.datetime, last: dt.datetime, *more: str) -> list[str]:
        days = "--start-date", f"{first:%Y-%m-%d}", "--end-date", f"{last:%Y-%m-%d}"
        return [sys.executable, "-m", "airflow", "dags", "backfill", DAG_ID, *days, *more]

    def until_approved(self, first: dt.datetime, last: dt.datetime, sandbox: Sandbox) -> None:
        """Backfill, approve when the log asks, and wait for the end."""
        log = self.home / "backfill.txt"
        with service("the backfill", self.of(first, last), log, self.environment, cwd=self.home) as running:
            wait_for(self._asked, "the question", services=[running], seconds=600)
            assert not arrived(sandbox)
            self.run("variables", "set", APPROVED, "yes")
            assert running.process.wait(900) == 0, log.read_text()

    def _asked(self) -> bool:
        logs = (self.home / "logs" / f"dag_id={DAG_ID}").glob("*/task_id=approve/*.log")
        return any("airflow variables set" in log.read_text() for log in logs)


@only_211
def test_the_command_of_airflow_2_waits_for_the_variable(home: Path, sandbox: Sandbox, metadata: str) -> None:
    command = BackfillCommand(home, sandbox, metadata)
    command.until_approved(DAYS[0], DAYS[0], sandbox)
    assert arrived(sandbox) == of_days(DAYS[:1])


@whole
@only_211
def test_three_days_by_the_command_of_airflow_2_are_sent_once(home: Path, sandbox: Sandbox, metadata: str) -> None:
    command = BackfillCommand(home, sandbox, metadata)
    command.until_approved(DAYS[0], DAYS[-1], sandbox)
    assert arrived(sandbox) == ONCE

    command.run("variables", "set", APPROVED, "no")
    again = command.of(DAYS[0], DAYS[0], "--reset-dagruns", "--yes")
    done = subprocess.run(again, env=command.environment, cwd=home, check=False, timeout=900)
    assert done.returncode != 0
    assert arrived(sandbox) == ONCE
