"""``python -m scale``: run the DAG on two workers, count the events that arrive, and print the checks.

It exits with 0, with 1 if a check fails, with 2 if it could not run.
"""

from __future__ import annotations

import argparse
import signal
import sys
from typing import Any

from harness.processes import HarnessError, say
from scale import report
from scale.cluster import whole_airflow
from scale.runs import FULL, KILLED, LIMITED, NOT_SHARED, Bench, ScalePlan, connections
from scale.stage import set_up

WORKERS = ("worker-1", "worker-2")
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: list[str] | None = None) -> int:
    """Run everything and return the exit code."""
    options = _parser().parse_args(arguments)
    for number in STOPPING:
        signal.signal(number, _stop)
    plan = ScalePlan(options.rows)
    try:
        with set_up(plan.rows) as stage, whole_airflow(stage, connections(stage, plan), WORKERS) as cluster:
            bench = Bench(stage, cluster, plan)
            for slots in plan.slots:
                bench.full(slots)
            bench.limited(LIMITED)
            bench.limited(NOT_SHARED)
            bench.killed(KILLED)
            store = bench.store_cost()
    except HarnessError as problem:
        print(f"could not be run: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    found = report.document(bench.runs, bench.checks, store=store)
    print(report.markdown(found))
    print(report.verdict(found))
    if options.save or options.rows >= FULL:
        report.save(found)
        say(f"saved in {report.RESULTS} and {report.PAGE}")
    return 0 if all(check.holds for check in bench.checks) else 1


def _stop(number: int, frame: Any) -> None:
    """Exit through every ``with``, so that all processes end. A second signal does not interrupt that."""
    del number, frame
    for one in STOPPING:
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scale", description="Send many rows on a CeleryExecutor.")
    parser.add_argument("--rows", type=int, default=FULL, metavar="N", help="default: 2,000,000")
    parser.add_argument("--save", action="store_true", help="keep the results of fewer rows, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
