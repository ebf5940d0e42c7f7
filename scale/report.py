"""The results, as JSON and as Markdown tables for the documentation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from harness.processes import REPOSITORY
from harness.tables import machine, machine_line, put_between, table
from harness.tables import save as write
from scale.judge import Check, ScaleRun
from scale.runs import KILLED, LIMITED, NOT_SHARED

RESULTS: Final = Path(__file__).parent / "results"
PAGE: Final = REPOSITORY / "docs" / "scaling.md"
BEGIN: Final = "<!-- Written by python -m scale: begin -->\n"
END: Final = "<!-- Written by python -m scale: end -->\n"

BILLION: Final = 1_000_000_000
DAY: Final = 86_400
CALL: Final = 1_000
"""Events per call."""

ACCOUNT: Final = 5_000 * CALL / 60
"""Largest number of events per second for one account."""

_DISTRIBUTIONS: Final = ("apache-airflow", "apache-airflow-providers-celery", "airflow-provider-pinterest", "redis")

Document = dict[str, Any]


def document(runs: Sequence[ScaleRun], checks: Sequence[Check], *, store: Mapping[str, float]) -> Document:
    """Return the data that is saved."""
    return {
        "machine": machine(_DISTRIBUTIONS),
        "runs": [_run(run) for run in runs],
        "store": {name: round(value, 1) for name, value in store.items()},
        "checks": [asdict(check) for check in checks],
    }


def _run(run: ScaleRun) -> Document:
    begin = min(shard.begin for shard in run.shards)
    return {
        "title": run.title,
        "at_once": run.slots,
        "rows": run.rows,
        "state": run.state,
        "seconds": round(run.seconds, 2),
        "events_per_second": round(run.speed),
        "arrived": asdict(run.arrived),
        "calls": len(run.calls),
        "calls_per_minute": run.limit,
        "busiest_minute": run.busiest,
        "shortest_stretch_over_limit": None if math.isinf(run.tightest) else round(run.tightest, 3),
        "span_of_calls": round(run.span, 2),
        "cpu_seconds": {name: round(value, 2) for name, value in run.cpu.items()},
        "redis": {name: round(value, 4) for name, value in run.redis.items()},
        "shards": [
            {
                "shard": shard.index,
                "worker": shard.worker,
                "tries": shard.tries,
                "begin": round(shard.begin - begin, 2),
                "seconds": round(shard.end - shard.begin, 2),
                "cpu_seconds": round(shard.cpu, 2),
                "rows": shard.result["rows_read"],
                "processed": shard.result["events_processed"],
                "resumed_from": shard.result["resumed_from"],
            }
            for shard in run.shards
        ],
    }


def markdown(found: Document) -> str:
    """Return the tables."""
    runs = {run["title"]: run for run in found["runs"]}
    full = [run for run in found["runs"] if run["title"] not in (LIMITED, NOT_SHARED, KILLED)]
    last = full[-1]
    store = found["store"]
    return f"""\
{machine_line(found["machine"])}

### What arrived

According to the server, which records the arrival of each call and the copies of each event id. The busiest minute is
the period of sixty seconds with the most calls, with any start. The last column is the shortest period that had one
call more than the limit.

{_arrivals(found["runs"])}
### Shards and workers

*{last["title"]}*: {last["rows"]:,} rows in {last["seconds"]:.0f} s.

{_shards(last)}
### Throughput

From the start of the first mapped task to the end of the last, with the pauses between tasks.

{_speeds(full)}
### CPU

Seconds of processor time for a million events. The time of a task process counts from its fork to its end and includes
the parsing of the DAG file. The time of the others counts for the whole run, also while nothing is sent.

{_cpu(full)}
### A worker dies

*{KILLED}*: one of two workers was killed with all its processes while it was sending. {_cut(runs[KILLED])} of its
shards were interrupted. After thirty seconds without heartbeats, Airflow retried them on the other worker.

{_resumed(runs[KILLED])}
### The cost of the shared limit in Redis

Redis needs {store["server_us"]:.0f} µs for a call, and the task waits {store["client_us"]:.0f} µs for it. An account
needs {store["bytes"] / 1000:,.0f} kB, with 5,000 calls in the window.

{_billion(full, store)}"""


def _arrivals(runs: Sequence[Document]) -> str:
    head = ("Run", "Rows", "Events at the server", "Missing", "Copies over one", "Calls", "Limit", "Busiest minute",
            "Shortest period over the limit, s")  # fmt: skip
    return table(
        head,
        (
            (
                run["title"],
                f"{run['rows']:,}",
                f"{run['arrived']['events']:,}",
                f"{run['arrived']['missing']:,}",
                f"{run['arrived']['twice']:,}",
                f"{run['calls']:,}",
                f"{run['calls_per_minute']:,}",
                f"{run['busiest_minute']:,}",
                "never" if run["shortest_stretch_over_limit"] is None else f"{run['shortest_stretch_over_limit']:.2f}",
            )
            for run in runs
        ),
    )


def _shards(run: Document) -> str:
    return table(
        ("Shard", "Worker", "Started after, s", "Seconds", "Rows", "Processed", "CPU s"),
        (
            (
                str(shard["shard"]),
                shard["worker"],
                f"{shard['begin']:.1f}",
                f"{shard['seconds']:.1f}",
                f"{shard['rows']:,}",
                f"{shard['processed']:,}",
                f"{shard['cpu_seconds']:.1f}",
            )
            for shard in run["shards"]
        ),
    )


def _speeds(runs: Sequence[Document]) -> str:
    return table(
        ("Mapped tasks at once", "Workers", "Rows", "Seconds", "Events/s", "Compared with the first"),
        (
            (
                str(run["at_once"]),
                str(len({shard["worker"] for shard in run["shards"]})),
                f"{run['rows']:,}",
                f"{run['seconds']:.0f}",
                f"{run['events_per_second']:,}",
                f"{run['events_per_second'] / runs[0]['events_per_second']:.2f}",
            )
            for run in runs
        ),
    )


def _cpu(runs: Sequence[Document]) -> str:
    parts = list(runs[0]["cpu_seconds"])
    return table(
        ("Mapped tasks at once", *(f"{part[0].upper()}{part[1:]}" for part in parts), "Total"),
        (
            (
                str(run["at_once"]),
                *(f"{run['cpu_seconds'][part] / run['rows'] * 1e6:.1f}" for part in parts),
                f"{sum(run['cpu_seconds'].values()) / run['rows'] * 1e6:.1f}",
            )
            for run in runs
        ),
    )


def _cut(run: Document) -> int:
    return sum(shard["tries"] > 1 for shard in run["shards"])


def _resumed(run: Document) -> str:
    return table(
        ("Shard", "Last worker", "Tries", "Rows", "Resumed after row"),
        (
            (
                str(shard["shard"]),
                shard["worker"],
                str(shard["tries"]),
                f"{shard['rows']:,}",
                "" if shard["resumed_from"] is None else f"{shard['resumed_from']:,}",
            )
            for shard in run["shards"]
        ),
    )


def _billion(full: Sequence[Document], store: Mapping[str, float]) -> str:
    """Calculate the needs of a billion events per day from the measurements."""
    one, last = full[0], full[-1]
    cpu = {name: seconds / last["rows"] * 1e6 for name, seconds in last["cpu_seconds"].items()}
    lines = []
    for what, rate in (("mean", BILLION / DAY), ("three times the mean", 3 * BILLION / DAY)):
        calls = rate / CALL
        lines.append(
            (
                what,
                f"{rate:,.0f}",
                f"{calls:,.1f}",
                f"{rate / ACCOUNT:.0%}",
                f"{cpu['task processes'] * rate / 1e6:.1f}",
                f"{cpu['PostgreSQL'] * rate / 1e6:.1f}",
                f"{calls * store['server_us'] / 1e6:.2%}",
                f"{math.ceil(rate / one['events_per_second'])}",
            )
        )
    head = ("Rate", "Events/s", "Calls/s", "Share of one account's limit", "Cores for tasks", "Cores for PostgreSQL",
            "Share of Redis' core", "Tasks at once")  # fmt: skip
    return (
        f"### A billion events a day, calculated from these numbers\n\n"
        f"With {last['at_once']} tasks at once, a task needed {cpu['task processes']:.0f} µs of a core for an event, "
        f"and PostgreSQL {cpu['PostgreSQL']:.0f} µs to return the row.\n"
        f"One task alone sent {one['events_per_second']:,} events a second, with the pauses between tasks.\n\n"
        f"{table(head, lines)}"
    )


def verdict(found: Document) -> str:
    """Return the checks and their results, one line each."""
    checks = found["checks"]
    lines = [f"{'ok  ' if check['holds'] else 'FAIL'} {check['what']}: {check['found']}" for check in checks]
    bad = sum(not check["holds"] for check in checks)
    return "\n".join((*lines, f"{len(checks) - bad} passed, {bad} failed"))


def save(found: Document, folder: Path = RESULTS, page: Path = PAGE) -> None:
    """Write ``scale.json`` and ``scale.md``, and put the tables into the documentation."""
    tables = markdown(found)
    write(folder, "scale", found, f"{tables}\n```text\n{verdict(found)}\n```\n")
    put_between(page, BEGIN, END, tables)
