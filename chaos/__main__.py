"""The command ``python -m chaos``: ride out some storms and print what came of them."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chaos.storm import Verdict

ROWS_FOR_A_KILL: Final = 7_000
MOST_KILLS: Final = 8

HAPPENED: Final = ("attempts", "kills", "freezes", "asked to end", "clears", "changes", "refused", "damages")
FOUND: Final = ("lost", "web_twice", "allowed", "offline_twice", "held", "rejects")


def main() -> int:
    """Run the storms and return 0 if the promise held in all of them."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many storms")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--rows", type=int, default=60_000, help="rows of each")
    parser.add_argument("--kills", type=int, help="SIGKILLs of each; by default as many as suit the rows")
    parser.add_argument("--keep", type=Path, help="keep logs and results in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as home:
        os.environ["AIRFLOW_HOME"] = home
        os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
        from chaos.storm import ride

        print("| " + " | ".join(["storm", "rows", *HAPPENED, *FOUND, "seconds"]) + " |", flush=True)
        kills = options.kills or min(max(2, options.rows // ROWS_FOR_A_KILL), MOST_KILLS)
        bad = 0
        for seed in range(options.first, options.first + options.seeds):
            folder = (options.keep or Path(home)) / f"seed-{seed}"
            folder.mkdir(parents=True)
            verdict = ride(seed, options.rows, kills, folder)
            print("| " + " | ".join(_cells(verdict)) + " |", flush=True)
            print("  " + ", ".join(f"{what} {count}" for what, count in sorted(verdict.happened.items())), flush=True)
            for complaint in verdict.broken:
                print(f"  seed {seed}: {complaint}", flush=True)
            bad += bool(verdict.broken)
        print(f"{options.seeds - bad} passed, {bad} failed")
        return 1 if bad else 0


def _cells(verdict: Verdict) -> list[str]:
    """Return a line of the table."""
    happened = verdict.happened
    counts = {
        **happened,
        "changes": sum(count for what, count in happened.items() if what.startswith("change (")),
        "damages": sum(count for what, count in happened.items() if what.startswith("damage (")),
        "refused": happened["source changed"] + happened["not known what was sent"],
    }
    cells = [verdict.seed, verdict.rows, *(counts.get(name, 0) for name in HAPPENED)]
    cells += [getattr(verdict.findings, name) for name in FOUND]
    return [*(f"{cell:,}" for cell in cells), f"{verdict.seconds:.0f}"]


if __name__ == "__main__":
    sys.exit(main())
