"""The command ``python -m chaos``: ride out some storms and print what came of them."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

COLUMNS = ("seed", "rows", "tries", "kills", "lost", "web_twice", "allowed", "offline_twice", "held", "rejects")


def main() -> int:
    """Run the storms and return 0 if the promise held in all of them."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many storms")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of each")
    parser.add_argument("--kills", type=int, default=10, help="SIGKILLs of each")
    parser.add_argument("--keep", type=Path, help="keep logs and results in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as home:
        os.environ["AIRFLOW_HOME"] = home
        os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
        from chaos.storm import ride

        print(" ".join(f"{name:>13}" for name in (*COLUMNS, "seconds")))
        bad = 0
        for seed in range(options.first, options.first + options.seeds):
            folder = (options.keep or Path(home)) / f"seed-{seed}"
            folder.mkdir(parents=True)
            verdict = ride(seed, options.rows, options.kills, folder)
            line = " ".join(f"{getattr(verdict, name):>13,}" for name in COLUMNS)
            print(f"{line} {verdict.seconds:>13.1f}", flush=True)
            for complaint in verdict.broken:
                print(f"  seed {seed}: {complaint}")
            bad += bool(verdict.broken)
        print(f"{options.seeds - bad} passed, {bad} failed")
        return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
