"""One seed: a warehouse, a server on which everything goes wrong, a task that is killed again and again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests

from chaos import task, world

TOKEN: Final = "pina_sandbox"  # noqa: S105 - the local Pinterest's, known to everybody
ACCOUNT: Final = "549755885175"
PATIENCE: Final = 600.0
"""Seconds that a storm may take."""

SHARES: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "status", "status": 500, "share": 0.015},
    {"kind": "status", "status": 500, "share": 0.01, "after_accepting": True},
    {"kind": "status", "status": 502, "share": 0.01, "after_accepting": True},
    {"kind": "status", "status": 504, "share": 0.01},
    {"kind": "status", "status": 408, "share": 0.01, "after_accepting": True},
    {"kind": "status", "status": 503, "share": 0.015},
    {"kind": "drop", "share": 0.01},
    {"kind": "drop", "share": 0.01, "after_accepting": True},
    {"kind": "reset", "share": 0.01, "after_accepting": True},
    {"kind": "malformed", "form": "json", "share": 0.005},
    {"kind": "malformed", "form": "html", "share": 0.005},
    {"kind": "malformed", "form": "empty", "share": 0.005},
    {"kind": "malformed", "form": "short_list", "share": 0.005},
    {"kind": "delay", "seconds": 0.05, "share": 0.05},
    {"kind": "drip", "seconds": 0.00001, "share": 0.005},
)
"""Faults that meet some calls throughout."""

ONCE: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "status", "status": 429, "times": 1, "headers": {"X-RateLimit-Reset": "1"}},
    {"kind": "status", "status": 429, "times": 1, "headers": {"Retry-After": "soon"}},
    {"kind": "status", "status": 401, "times": 1},
    {"kind": "status", "status": 403, "times": 1},
    {"kind": "status", "status": 404, "times": 1},
    {"kind": "redirect", "times": 1},
)
"""Faults that meet one call each, at a time that the seed decides."""

BODY_LIMITS: Final = (5_000_000, 100_000)
"""Bytes that the server of a storm takes at most; a full batch has some 130,000."""

POISON: Final = 5
FAILING: Final = 5

DELIVERED: Final = 0
DELIVERED_AND_HELD: Final = 3
"""Exit codes of a try that ended for good."""


@dataclass
class Verdict:
    """What a storm did, and whether the promise held."""

    seed: int
    rows: int = 0
    tries: int = 0
    kills: int = 0
    lost: int = 0
    web_twice: int = 0
    offline_twice: int = 0
    held: int = 0
    rejects: int = 0
    allowed: int = 0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)


def ride(seed: int, rows: int, kills: int, folder: Path) -> Verdict:
    """Run one storm and judge it."""
    storm = Storm(seed, kills, folder, world.build(folder / "warehouse.db", rows, seed))
    storm.run()
    return storm.verdict


class Storm:
    """One seed.

    :param kills: how often the task is killed.
    :param folder: where everything of it is kept.
    :param earth: the warehouse.
    """

    def __init__(self, seed: int, kills: int, folder: Path, earth: world.World) -> None:
        self.verdict = Verdict(seed, earth.rows)
        self._chance = random.Random(seed)
        self._kills = kills
        self._folder = folder
        self._earth = earth
        valid = sorted(earth.web | earth.offline)
        self._doomed = frozenset(self._chance.sample(valid, POISON + FAILING))
        """Ids of the events that Pinterest refuses or fails."""
        self._deadline = 0.0

    def run(self) -> None:
        """Start the server, ride the storm, judge."""
        started = time.monotonic()
        self._deadline = started + PATIENCE
        port_file = self._folder / "port"
        shape = self._chance.choice(["422-details", "422-top", "200"])
        largest = str(self._chance.choice(BODY_LIMITS))
        command = [sys.executable, "-m", "airflow_provider_pinterest.sandbox", "--port", "0", "--no-json"]
        command += ["--port-file", str(port_file), "--calls-per-window", "0", "--partial-failure", shape]
        command += ["--max-body-bytes", largest]
        with (self._folder / "server.txt").open("wb") as said:
            server = subprocess.Popen(command, stdout=said, stderr=said)
            try:
                while not port_file.exists():
                    time.sleep(0.01)
                    if server.poll() is not None:
                        raise RuntimeError((self._folder / "server.txt").read_text())
                url = f"http://127.0.0.1:{port_file.read_text()}"
                self._brew(url)
                code = self._tries()
                if code in (DELIVERED, DELIVERED_AND_HELD):
                    self._judge(url)
                else:
                    self.verdict.broken.append(f"the last try ended with {code}, see {self._folder}/log.txt")
            finally:
                server.terminate()
                server.wait(10)
        self.verdict.seconds = time.monotonic() - started

    def _brew(self, url: str) -> None:
        """Switch the faults on, and make the connections known."""
        doomed = sorted(self._doomed)
        faults: list[dict[str, Any]] = [{"kind": "poison", "event_id": one} for one in doomed[:POISON]]
        faults += ({"kind": "fail_event", "event_id": one, "message": "not today"} for one in doomed[POISON:])
        faults += ({**fault, "after": self._chance.randrange(2, self._earth.rows // task.BATCH)} for fault in ONCE)
        faults += ({**fault, "seed": self._chance.randrange(2**31)} for fault in SHARES)
        for fault in faults:
            requests.post(f"{url}/sandbox/faults", json=fault, timeout=10).raise_for_status()
        pinterest = {
            "conn_type": "pinterest",
            "host": f"{url}/v5",
            "password": TOKEN,
            "extra": {"ad_account_id": ACCOUNT, "calls_per_minute": 1_000_000},
        }
        os.environ["AIRFLOW_CONN_PINTEREST_DEFAULT"] = json.dumps(pinterest)
        os.environ["AIRFLOW_CONN_WAREHOUSE"] = json.dumps({"conn_type": "sqlite", "host": str(self._earth.path)})

    def _tries(self) -> int:
        """Start try after try, kill some, until one ends for good; return its exit code."""
        verdict = self.verdict
        while time.monotonic() < self._deadline:
            verdict.tries += 1
            stretch = max(2, self._earth.rows // (self._kills + 1))
            target = self._settled() + self._chance.randrange(1, stretch)
            pid = task.fork_try(self._folder, verdict.tries)
            code = self._watch(pid, target if verdict.kills < self._kills else None)
            verdict.kills += code == -signal.SIGKILL
            if code in (DELIVERED, DELIVERED_AND_HELD):
                return code
        return -signal.SIGKILL

    def _watch(self, pid: int, target: int | None) -> int:
        """Wait for a try, or kill it soon after it has settled that many rows; return its exit code."""
        delay = self._chance.random() * 0.05
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            if (target is not None and self._settled() >= target) or time.monotonic() > self._deadline:
                time.sleep(delay)
                os.kill(pid, signal.SIGKILL)
                return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            time.sleep(0.002)

    def _settled(self) -> int:
        """Return how many rows the last checkpoint has settled."""
        try:
            stored = json.loads((self._folder / "state.json").read_text())
        except (FileNotFoundError, ValueError):
            return 0
        return int(next(iter(stored.values())).get("rows", self._earth.rows))

    def _judge(self, url: str) -> None:
        """Hold what the server has accepted against the warehouse and the task's account."""
        everything = {"limit": 10**7}
        listed = requests.get(f"{url}/sandbox/events/copies", params=everything, timeout=60).json()["copies"]
        copies = {one["event_id"]: one["copies"] for one in listed}
        verdict = self.verdict
        result = json.loads((self._folder / "result.json").read_text())
        rejects = [
            json.loads(line)
            for part in sorted((self._folder / "rejects").glob("*/part-*.ndjson"))
            for line in part.read_text().splitlines()
        ]
        stages = Counter(line["stage"] for line in rejects)
        refused = {line["event_id"] for line in rejects if line["stage"] == "pinterest"}
        held = {line["event_id"] for line in rejects if line["stage"] == "outcome_unknown"}
        verdict.lost = sum(
            not copies.get(one) and one not in refused | held for one in self._earth.web | self._earth.offline
        )
        verdict.web_twice = sum(copies[one] - 1 for one in self._earth.web if copies.get(one, 0) > 1)
        verdict.offline_twice = sum(copies[one] - 1 for one in self._earth.offline if copies.get(one, 0) > 1)
        verdict.held = result["events_held"]
        verdict.rejects = len(rejects)
        ambiguous = sum(
            call["status"] != 200 and call["accepted"] > 0
            for call in requests.get(f"{url}/sandbox/calls", params=everything, timeout=60).json()["calls"]
        )
        verdict.allowed = (
            2 * task.MAX_IN_FLIGHT * verdict.kills + ambiguous + verdict.tries * task.MAX_IN_FLIGHT
        ) * task.BATCH
        sums = {
            "rows are lost": verdict.lost == 0,
            "offline events were sent twice": verdict.offline_twice == 0,
            "more web events were sent twice than may be": verdict.web_twice <= verdict.allowed,
            "rows_read is not the rows": result["rows_read"] == self._earth.rows,
            "rows_rejected is not the invalid rows": result["rows_rejected"] == self._earth.invalid,
            "duplicates_dropped is not the duplicates": result["duplicates_dropped"] == self._earth.duplicates,
            "rows were not sent": result["rows_not_sent"] == 0,
            "the first sum is off": result["rows_read"]
            == result["events_sent"] + result["rows_rejected"] + result["duplicates_dropped"],
            "the second sum is off": result["events_sent"]
            == result["events_processed"] + result["events_failed"] + result["events_held"],
            "rejects differ from the counts": stages
            == Counter(
                validation=result["rows_rejected"],
                pinterest=result["events_failed"],
                outcome_unknown=result["events_held"],
            ),
            "a row is among the rejects twice": len({line["row"] for line in rejects}) == len(rejects),
            "other events failed than had to": refused <= self._doomed and self._doomed <= refused | held,
            "a processed event was not accepted": result["events_processed"]
            <= sum(1 for one in copies.values() if one),
        }
        verdict.broken += [complaint for complaint, holds in sums.items() if not holds]
