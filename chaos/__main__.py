"""The command ``python -m chaos``: run some storms and print the results."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from harness import airflow

ROWS_FOR_A_KILL: Final = 7_000
MOST_KILLS: Final = 8


def main() -> int:
    """Run the storms and return 0 if the promise held in all of them."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many storms")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--rows", type=int, default=60_000, help="rows of each")
    parser.add_argument("--kills", type=int, help="SIGKILLs of each; the default depends on the rows")
    parser.add_argument("--keep", type=Path, help="keep logs and results in this folder")
    parser.add_argument(
        "--outcomes",
        choices=("half", "all", "none"),
        default="half",
        help="which storms have an outcome table in PostgreSQL; half: the even seeds",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as home:
        os.environ |= {"AIRFLOW_HOME": home, **airflow.SETTINGS}  # before Airflow is imported
        from chaos.report import FOUND, HAPPENED
        from chaos.storm import run_storm

        print("| " + " | ".join(["storm", "outcome table", "rows", *HAPPENED, *FOUND, "seconds"]) + " |", flush=True)
        kills = options.kills or min(max(2, options.rows // ROWS_FOR_A_KILL), MOST_KILLS)
        bad = 0
        for seed in range(options.first, options.first + options.seeds):
            folder = (options.keep or Path(home)) / f"seed-{seed}"
            folder.mkdir(parents=True)
            outcomes = options.outcomes == "all" or (options.outcomes == "half" and seed % 2 == 0)
            report = run_storm(seed, options.rows, kills, folder, outcomes=outcomes)
            print("\n".join(report.lines()), flush=True)
            bad += bool(report.broken)
        print(f"{options.seeds - bad} passed, {bad} failed")
        return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
