"""``python -m demo.backfill``: three months of store sales in daily runs, two at a time, each event sent once.

It prints a table of the runs. One day runs twice, and one run covers a whole week that other runs send too. Pinterest
cannot deduplicate offline events, so a second copy would be counted. The outcome table is in PostgreSQL, if its
programs are installed, and otherwise in SQLite. It exits with 0 only if each event was accepted exactly once.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import multiprocessing
import os
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from demo import runs_table, three_months
from demo.runs_table import FinishedRun
from harness import airflow, pinterest
from harness.processes import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from demo.three_months import BackfillRun
    from harness.pinterest import PinterestProcess

AT_ONCE: Final = 2


class BackfillReport(NamedTuple):
    """What a backfill did.

    :param faults: what is wrong; nothing if every event was accepted exactly once.
    """

    runs: list[FinishedRun]
    faults: list[str]


class OutcomeDatabase(NamedTuple):
    """The database of the outcome table.

    :param connection: as an Airflow connection.
    :param connect: returns a new connection.
    """

    name: str
    connection: str
    connect: Callable[[], Any]


def main() -> int:
    """Backfill, print the table, and return the exit code."""
    with (
        tempfile.TemporaryDirectory(prefix="pinterest-backfill-", ignore_cleanup_errors=True) as name,
        outcome_database(Path(name)) as database,
    ):
        print(f"The outcome table is in {database.name}.\n")
        report = backfill(Path(name), database)
    print("\n".join(runs_table.lines(report.runs)))
    print("\n" + ("\n".join(report.faults) or "Every event was accepted exactly once, and all counts agree."))
    return 1 if report.faults else 0


@contextlib.contextmanager
def outcome_database(folder: Path) -> Iterator[OutcomeDatabase]:
    """Start PostgreSQL, or return a SQLite file if PostgreSQL is not installed."""
    import psycopg2

    from harness.postgres import find_programs, running_postgres

    if find_programs() is None:
        yield sqlite_database(folder)
        return
    with running_postgres() as server:
        yield OutcomeDatabase("PostgreSQL", server.connection_json, lambda: psycopg2.connect(server.dsn))


def sqlite_database(folder: Path) -> OutcomeDatabase:
    """Return a SQLite file in a folder."""
    path = folder / "outcomes.db"
    return OutcomeDatabase("SQLite", airflow.sqlite_connection(path), lambda: sqlite3.connect(path))


def backfill(folder: Path, database: OutcomeDatabase, days: int = three_months.DAYS) -> BackfillReport:
    """Backfill the days before today, and compare what the runs counted with what arrived.

    :raises HarnessError: the local Pinterest did not start.
    """
    end = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    expected = three_months.build(folder / "warehouse.db", end, days)
    home = folder / "airflow"
    home.mkdir()
    with pinterest.running_pinterest(folder, airflow.environment(home, {})) as local:
        connections = {
            "pinterest_default": pinterest.connection(local.url),
            "warehouse": airflow.sqlite_connection(folder / "warehouse.db"),
            "outcomes": database.connection,
        }
        runs = run_all(three_months.rounds(end, days), airflow.environment(home, connections), folder / "runs.log")
        copies = orders(local)
    return BackfillReport(runs, runs_table.faults(runs, expected, copies, statuses(database)))


def run_all(
    rounds: Sequence[Sequence[BackfillRun]], environment: dict[str, str], log: Path, at_once: int = AT_ONCE
) -> list[FinishedRun]:
    """Run each round in processes of their own, at the same time.

    :param log: gets what the processes print.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(at_once, spawn, initializer=start_worker, initargs=(environment, str(log))) as pool:
        return [run for together in rounds for run in pool.map(send, together)]


def start_worker(environment: dict[str, str], log: str) -> None:
    """Prepare a process for runs, before Airflow reads the environment."""
    os.environ.clear()
    os.environ.update(environment)
    number = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(number, stream.fileno())


def send(run: BackfillRun) -> FinishedRun:
    """Send the sales of a window, as the task of the DAG does."""
    from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
    from harness.task import RecordingTaskInstance

    operator = SendConversionsOperator(
        task_id="send",
        sql=three_months.SQL,
        sql_conn_id="warehouse",
        parameters={"start": run.start, "end": run.end},
        field_map={"store": None},
        defaults={"event_name": "checkout", "action_source": "offline"},
        event_id_from=["order_id", "event_name"],
        max_event_age=dt.timedelta(days=100),
        max_rejected=0.05,
        key_columns=["order_id", "store"],
        outcomes_conn_id="outcomes",
        skip_already_sent=True,
    )
    instance = RecordingTaskInstance(dag_id="backfill", run_id=run.name)
    context: Any = {"ti": instance}
    began = time.time()
    operator.execute(context)
    return FinishedRun(run.name, instance.pushed["pinterest_result"], began, time.time())


def orders(local: PinterestProcess) -> Counter[str]:
    """Return how often the local Pinterest accepted each order."""
    return Counter(event["custom_data"]["order_id"] for event in local.events())


def statuses(database: OutcomeDatabase) -> dict[str, int]:
    """Return the number of rows of the outcome table for each status."""
    with contextlib.closing(database.connect()) as connection, contextlib.closing(connection.cursor()) as cursor:
        cursor.execute("SELECT status, count(*) FROM pinterest_outcomes GROUP BY status")
        return dict(cursor.fetchall())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HarnessError as problem:
        sys.exit(str(problem))
