"""The runs of the example: all rows at one, two and four tasks, a low limit, and a worker that dies."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from airflow_provider_pinterest.api.rate_limit import CALLS_PER_MINUTE
from harness.accounting import arrivals
from harness.processes import HarnessError, cpu_seconds, say, wait_for
from scale.cluster import SLOTS, Cluster
from scale.judge import Check, ScaleRun, accounts, arrives_once, keeps_limit, outlives, spreads
from scale.stage import LIMITS, ScaleStage

FULL: Final = 2_000_000
SHARDS: Final = 8
BATCH: Final = 1_000
"""Events per call, the operator's default."""

IN_FLIGHT: Final = 8
"""Batches in flight in a task, the operator's default."""

LIMITED: Final = "a low limit, shared"
NOT_SHARED: Final = "the same, not shared"
KILLED: Final = "a worker dies"


@dataclass(frozen=True)
class ScalePlan:
    """The sizes of the runs.

    :param rows: rows of the full runs.
    :param slots: numbers of mapped tasks at once; one full run for each.
    """

    rows: int
    slots: tuple[int, ...] = (1, 2, 4)

    @property
    def few(self) -> int:
        """Rows of the runs with a low limit."""
        return min(self.rows, 200_000)

    @property
    def some(self) -> int:
        """Rows of the run that loses a worker."""
        return min(self.rows, 500_000)

    @property
    def low_limit(self) -> int:
        """Calls per minute that make the run with few rows wait twice."""
        return max(1, self.few // BATCH * 2 // 5)


def connections(stage: ScaleStage, plan: ScalePlan) -> dict[str, str]:
    """Return the Pinterest connections of the runs, by their ids."""
    return {
        "pinterest_default": stage.connection(),
        "pinterest_low": stage.connection(calls_per_minute=plan.low_limit),
        "pinterest_low_alone": stage.connection(calls_per_minute=plan.low_limit, shared=False),
    }


class Bench:
    """Takes the runs one after the other, and checks each.

    :param runs: the runs so far.
    :param checks: their checks.
    """

    def __init__(self, stage: ScaleStage, cluster: Cluster, plan: ScalePlan) -> None:
        self.runs: list[ScaleRun] = []
        self.checks: list[Check] = []
        self._stage = stage
        self._cluster = cluster
        self._plan = plan

    def full(self, slots: int) -> None:
        """Send all rows with ``slots`` tasks at once."""
        run = self._take(f"{slots} at once", slots, rows=self._plan.rows)
        workers = min(slots, len(self._cluster.workers)) if slots > SLOTS else 1
        self.checks += [
            *accounts(run, shards=SHARDS),
            *arrives_once(run),
            *keeps_limit(run, binds=False),
            *spreads(run, workers=workers),
        ]

    def limited(self, title: str) -> None:
        """Send few rows with a low limit, counted for all workers together, or as a control by each worker."""
        shared = title != NOT_SHARED
        slots = SLOTS * len(self._cluster.workers)
        conn_id = "pinterest_low" if shared else "pinterest_low_alone"
        run = self._take(title, slots, rows=self._plan.few, conn_id=conn_id, limit=self._plan.low_limit)
        self.checks += [*accounts(run, shards=SHARDS), *arrives_once(run)]
        if shared:
            self.checks += [*keeps_limit(run, binds=True), *spreads(run, workers=len(self._cluster.workers))]
        else:
            over = Check(
                f"{title}: the limit is passed, as it must be to show that the check can fail",
                run.busiest > run.limit,
                f"{run.busiest:,} of {run.limit:,}",
            )
            self.checks.append(over)

    def killed(self, title: str) -> None:
        """Kill one of the workers with everything it runs, after a fifth of the calls."""
        victim = max(self._cluster.workers)

        def kill(account: str, run_id: str) -> None:
            fifth = self._plan.some // BATCH // 5
            wait_for(
                lambda: len(self._stage.calls(account)) > fifth and self._cluster.running_on(victim, run_id),
                f"shards on {victim}",
            )
            say(f"{title}: killing {victim}, which sends {self._cluster.running_on(victim, run_id)} shards")
            self._cluster.workers[victim].kill()

        run = self._take(title, SLOTS * len(self._cluster.workers), rows=self._plan.some, meanwhile=kill)
        cut = sum(shard.tries - 1 for shard in run.shards)
        self.checks += [
            *accounts(run, shards=SHARDS),
            *arrives_once(run, spare=cut * 2 * IN_FLIGHT * BATCH),
            *keeps_limit(run, binds=False),
            *outlives(run, victim),
        ]

    def store_cost(self) -> dict[str, float]:
        """Measure the cost of the shared limit in Redis, with a full minute of calls at Pinterest's limit."""
        store = self._stage.store
        store.flushdb()
        limiter = MovingWindowRateLimiter(RedisStorage(self._stage.redis.url(LIMITS)))
        limit = RateLimitItemPerMinute(CALLS_PER_MINUTE)
        store.config_resetstat()
        begin = time.perf_counter()
        for _ in range(CALLS_PER_MINUTE):
            limiter.hit(limit, "account")
        seconds = time.perf_counter() - begin
        [key] = store.keys()
        return {
            "client_us": seconds / CALLS_PER_MINUTE * 1e6,
            "server_us": store.info("commandstats")["cmdstat_evalsha"]["usec_per_call"],
            "bytes": float(store.memory_usage(key) or 0),
        }

    def _take(
        self,
        title: str,
        slots: int,
        *,
        rows: int,
        conn_id: str = "pinterest_default",
        limit: int = CALLS_PER_MINUTE,
        meanwhile: Any = None,
    ) -> ScaleRun:
        """Run the DAG once, and collect the records of the run."""
        number = len(self.runs) + 1
        run_id, account = f"scale-{number}", str(549_755_000_000 + number)
        conf = {"rows": rows, "shards": SHARDS, "ad_account_id": account, "pinterest_conn_id": conn_id}
        say(f"{title}: {rows:,} rows, {SHARDS} shards, {slots} at once, {limit:,} calls a minute")
        self._stage.store.config_resetstat()
        before = self._cpu()
        self._cluster.trigger(run_id, slots=slots, conf=conf)
        if meanwhile:
            meanwhile(account, run_id)
        state = self._cluster.wait(run_id)
        after = self._cpu()
        shards = self._cluster.shards(run_id)
        if state != "success" or not shards:
            raise HarnessError(f"{title}: the DAG run ended as {state}\n{self._cluster.logs(run_id)}")
        run = ScaleRun(
            title=title,
            slots=slots,
            limit=limit,
            rows=rows,
            state=state,
            shards=shards,
            arrived=arrivals(self._stage.event_ids(rows), self._stage.copies(account)),
            calls=self._stage.calls(account),
            cpu=_split({name: after[name] - before[name] for name in before}, sum(one.cpu for one in shards)),
            redis=self._redis(),
        )
        self.runs.append(run)
        say(f"{title}: {run.seconds:.0f} s, {run.speed:,.0f} events/s, busiest minute {run.busiest:,} calls")
        return run

    def _cpu(self) -> dict[str, float]:
        """Return the processor time so far of each part of the example."""
        return {
            "workers": sum(cpu_seconds(one.pid) for one in self._cluster.workers.values()),
            "PostgreSQL": cpu_seconds(self._stage.postgres.pid),
            "Redis": cpu_seconds(self._stage.redis.service.pid),
            "server": cpu_seconds(self._stage.counting.pid),
            "Airflow": sum(cpu_seconds(one.pid) for one in self._cluster.services),
        }

    def _redis(self) -> dict[str, float]:
        """Return the work of Redis since its counters were reset: for the limit, and in total."""
        stats: Mapping[str, Mapping[str, float]] = self._stage.store.info("commandstats")
        script = stats.get("cmdstat_evalsha", {"calls": 0, "usec": 0})
        return {
            "limit_calls": script["calls"],
            "limit_seconds": script["usec"] / 1e6,
            "all_seconds": sum(one["usec"] for one in stats.values()) / 1e6,
        }


def _split(cpu: dict[str, float], tasks: float) -> dict[str, float]:
    """Subtract the processor time of the task processes from that of their workers."""
    workers = cpu.pop("workers")
    return {"task processes": tasks, "workers without them": workers - tasks, **cpu}
