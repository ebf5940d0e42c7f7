"""``python -m demo``: a warehouse, a local Pinterest, real Airflow between them, and a check of all counts.

It needs no account, no network and no running Airflow, and removes its files. It exits with 0 only if the operator's
results, its outcome table, the records of the local Pinterest and the planted rows agree for every row.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.metadata
import io
import os
import platform
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from demo import outcome_rows, planted, report, stage, verdict, warehouse
from demo.kinds import Feed
from harness.pinterest import running_pinterest
from harness.processes import IMPORTS, HarnessError

if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 130
"""The exit code after Ctrl-C, as in shells."""


def main(arguments: list[str] | None = None) -> int:
    """Run the demo and return its exit code."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ë shows a question mark
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        with stage.private_folder(options.keep) as folder:
            return _show(folder, options.seed, kept=options.keep is not None)
    except HarnessError as problem:
        report.failed(str(problem))
        return 1
    except KeyboardInterrupt:
        report.failed("interrupted; its processes are ended and its files are removed")
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo", description="A warehouse, a local Pinterest, and real Airflow between them."
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep databases, rejects and logs in this new folder")
    parser.add_argument("--seed", type=int, default=7, help="another seed makes another warehouse (default: 7)")
    return parser


def _show(folder: Path, seed: int, *, kept: bool) -> int:
    began = time.monotonic()
    stage.check_installation()
    versions = f"Airflow {importlib.metadata.version('apache-airflow')}, Python {platform.python_version()}"
    print(f"{report.styled('From the warehouse to Pinterest, every row accounted for', 'bold')} ({versions})")

    shop = warehouse.add_old_shop(warehouse.build(folder / "warehouse.db", now=dt.datetime.now(dt.UTC), seed=seed))
    shop = warehouse.add_lake(shop, folder / stage.LAKE)
    feeds = list(verdict.TASKS.values())
    rows = sum(planted.rows_read(feed) for feed in feeds)
    in_files = planted.rows_read(Feed.LAKE)
    planted_rows = sum(kind.rows for kind in planted.KINDS if kind.feed in feeds)
    print(f"  warehouse   SQLite, {rows - in_files:,} rows to send, and Parquet files with {in_files:,} more")
    print(f"              {planted_rows} of these rows are planted to make trouble")

    with running_pinterest(folder, os.environ | IMPORTS) as pinterest:
        print(f"  Pinterest   {pinterest.url}, local: nothing leaves this machine")
        print("  Airflow     running three of the example DAGs and two of the demo's own ... ", end="", flush=True)
        runs = [
            ("pinterest_sync_checkouts", shop.quarter.end),
            ("pinterest_store_sales", shop.day.end),
            ("pinterest_events_from_task", shop.quarter.end),
            ("demo_old_shop", shop.quarter.end),
            ("demo_data_lake", shop.quarter.end),
            (verdict.AGAIN, shop.day.end + dt.timedelta(minutes=1)),  # another run of the same window
        ]
        tasks = stage.run_airflow(folder, shop.path, pinterest, runs)
        print(f"done, {time.monotonic() - began:.0f} s")
        log = (folder / "airflow.log").read_text(encoding="utf-8", errors="replace")
        outcomes = outcome_rows.read(folder / stage.OUTCOMES)
        found = verdict.judge(shop, tasks, pinterest.events(), outcomes, log)
        report.show(found, pinterest.calls(), folder if kept else None)
        for error in stage.errors(folder / "airflow.log") if found.faults else ():
            print(f"  {error}")
    if found.faults and not kept:
        print(f"\n  Airflow's log: {stage.log_kept(folder / 'airflow.log')}")
    return 1 if found.faults else 0


def _leave(number: int, _: FrameType | None) -> None:
    """Exit on a signal as on Ctrl-C, so that child processes are ended and the folder is removed."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
