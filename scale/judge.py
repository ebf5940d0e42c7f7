"""The checks, as pure functions of the data from the server, the warehouse and Airflow."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from harness.accounting import Arrivals, imbalances

WINDOW: Final = 60.0
"""Seconds of the window of an account's rate limit."""


@dataclass(frozen=True)
class Check:
    """One check.

    :param found: the numbers that decide it.
    """

    what: str
    holds: bool
    found: str


def busiest(times: Iterable[float], seconds: float = WINDOW) -> int:
    """Return the largest number of calls in any period of this length."""
    ordered = sorted(times)
    return max((bisect_left(ordered, start + seconds) - at for at, start in enumerate(ordered)), default=0)


def tightest(times: Iterable[float], limit: int) -> float:
    """Return the shortest period in seconds that has one call more than the limit."""
    ordered = sorted(times)
    return min((late - early for early, late in zip(ordered, ordered[limit:], strict=False)), default=math.inf)


def at_once(spans: Iterable[tuple[float, float]]) -> int:
    """Return the largest number of periods that overlap."""
    edges = sorted(edge for begin, end in spans for edge in ((begin, 1), (end, -1)))
    most = running = 0
    for _, change in edges:
        running += change
        most = max(most, running)
    return most


@dataclass(frozen=True)
class Shard:
    """One mapped task, from Airflow's database after the run.

    :param begin: Unix time of the start of its last try.
    :param cpu: seconds of processor time of the process of its last try.
    :param result: its result, from XCom.
    """

    index: int
    worker: str
    tries: int
    begin: float
    end: float
    cpu: float
    result: Mapping[str, Any]


@dataclass(frozen=True)
class ScaleRun:
    """One run of the DAG, and its records.

    :param title: its purpose.
    :param slots: the slots of the pool: mapped tasks that may run at once.
    :param limit: calls a minute of the connection.
    :param state: the DAG run's.
    :param calls: the arrival of each call at the server, and its number of events.
    :param cpu: seconds of processor time of each part of the machine, by its name.
    :param redis: commands and seconds of the store, by name.
    """

    title: str
    slots: int
    limit: int
    rows: int
    state: str
    shards: Sequence[Shard]
    arrived: Arrivals
    calls: Sequence[tuple[float, int]]
    cpu: Mapping[str, float] = field(default_factory=dict)
    redis: Mapping[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """From the start of the first mapped task to the end of the last."""
        return max(shard.end for shard in self.shards) - min(shard.begin for shard in self.shards)

    @property
    def speed(self) -> float:
        """Events a second, over that time."""
        return self.arrived.events / self.seconds

    @property
    def busiest(self) -> int:
        """Calls in the busiest minute, with any start."""
        return busiest(at for at, _ in self.calls)

    @property
    def tightest(self) -> float:
        """Seconds of the shortest period that has one call more than the limit."""
        return tightest((at for at, _ in self.calls), self.limit)

    @property
    def span(self) -> float:
        """Seconds from the first call to the last."""
        times = [at for at, _ in self.calls]
        return max(times) - min(times)

    @property
    def workers(self) -> list[str]:
        """Return the workers that ran the shards."""
        return sorted({shard.worker for shard in self.shards})

    @property
    def task_cpu(self) -> float:
        """Seconds of processor time of the task processes."""
        return sum(shard.cpu for shard in self.shards)


def accounts(run: ScaleRun, *, shards: int) -> list[Check]:
    """Check that the results in Airflow are complete: all shards, and every sum."""
    results = [shard.result for shard in run.shards]
    total = {name: sum(one.get(name, 0) for one in results) for name in ("rows_read", "events_processed")}
    wrong = [problem for one in results for problem in imbalances(one)]
    return [
        Check(f"{run.title}: the DAG run succeeds", run.state == "success", run.state),
        Check(f"{run.title}: one result for each shard", len(results) == shards and all(results), f"{len(results)}"),
        Check(
            f"{run.title}: every result adds up", not wrong, "; ".join((f"{sum(map(bool, results))} results", *wrong))
        ),
        Check(
            f"{run.title}: the results together are all rows, all processed",
            total["rows_read"] == total["events_processed"] == run.rows,
            f"{total['rows_read']:,} read, {total['events_processed']:,} processed, {run.rows:,} rows",
        ),
    ]


def arrives_once(run: ScaleRun, *, spare: int = 0) -> list[Check]:
    """Check that the server has every row, and not more extra copies than allowed."""
    found = run.arrived
    allowed = f" of {spare:,} allowed" if spare else ""
    return [
        Check(f"{run.title}: no row is missing at the server", found.missing == 0, f"{found.missing:,}"),
        Check(f"{run.title}: nothing else arrived", found.unknown == 0, f"{found.unknown:,}"),
        Check(f"{run.title}: copies over one", found.twice <= spare, f"{found.twice:,}{allowed}"),
    ]


def keeps_limit(run: ScaleRun, *, binds: bool) -> list[Check]:
    """Check that no minute has more calls than the limit of the account, by their arrival.

    :param binds: also check that the limit delayed the run; otherwise the check proves nothing.
    """
    found = [
        Check(
            f"{run.title}: no {WINDOW:.0f} seconds hold more calls than the minute's limit",
            run.busiest <= run.limit,
            f"{run.busiest:,} of {run.limit:,}",
        )
    ]
    if binds:
        least = (len(run.calls) - 1) // run.limit * WINDOW
        found.append(
            Check(
                f"{run.title}: the limit was felt",
                run.busiest >= 0.9 * run.limit and run.span >= least > 0,
                f"{len(run.calls):,} calls in {run.span:.0f} s, at least {least:.0f} s",
            )
        )
    return found


def outlives(run: ScaleRun, victim: str) -> list[Check]:
    """Check that the shards of a dead worker continued on another worker, at the row where they ended."""
    cut = [shard for shard in run.shards if shard.tries > 1]
    resumed = [shard for shard in cut if shard.result.get("resumed_from") is not None]
    return [
        Check(
            f"{run.title}: its shards end elsewhere",
            bool(cut) and all(shard.worker != victim for shard in cut),
            ", ".join(f"shard {one.index} on {one.worker}" for one in cut),
        ),
        Check(
            f"{run.title}: they go on where they were",
            bool(resumed),
            ", ".join(f"shard {one.index} after row {one.result['resumed_from']:,}" for one in resumed),
        ),
    ]


def spreads(run: ScaleRun, *, workers: int) -> list[Check]:
    """Check that as many shards ran at once as the pool allows, on as many workers."""
    most = at_once((shard.begin, shard.end) for shard in run.shards)
    return [
        Check(f"{run.title}: mapped tasks at once", most == run.slots, f"{most} of {run.slots}"),
        Check(f"{run.title}: workers that ran them", len(run.workers) >= workers, ", ".join(run.workers)),
    ]
