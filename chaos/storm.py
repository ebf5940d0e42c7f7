"""One seed: a warehouse, a server on which everything goes wrong, a task that is killed again and again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
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
    {"kind": "status", "status": 413, "times": 1},
    {"kind": "status", "status": 401, "times": 1},
    {"kind": "status", "status": 403, "times": 1},
    {"kind": "status", "status": 404, "times": 1},
    {"kind": "redirect", "times": 1},
)
"""Faults that meet one call each, at a time that the seed decides."""

POISON: Final = 5
FAILING: Final = 5


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
    chance = random.Random(seed)
    verdict = Verdict(seed, rows)
    started = time.monotonic()
    earth = world.build(folder / "warehouse.db", rows, seed)
    with tempfile.TemporaryFile() as said:
        port_file = folder / "port"
        server = subprocess.Popen(
            [sys.executable, "-m", "airflow_provider_pinterest.sandbox", "--port", "0"]
            + ["--port-file", str(port_file), "--no-json", "--calls-per-window", "0"]
            + ["--partial-failure", chance.choice(["422-details", "422-top", "200"])],
            stdout=said,
            stderr=said,
        )
        try:
            while not port_file.exists():
                time.sleep(0.01)
                if server.poll() is not None:
                    said.seek(0)
                    raise RuntimeError(said.read().decode())
            _weather(int(port_file.read_text()), earth, chance, folder, verdict, kills, started + PATIENCE)
        finally:
            server.terminate()
            server.wait(10)
    verdict.seconds = time.monotonic() - started
    return verdict


def _weather(
    port: int,
    earth: world.World,
    chance: random.Random,
    folder: Path,
    verdict: Verdict,
    kills: int,
    deadline: float,
) -> None:
    url = f"http://127.0.0.1:{port}"
    valid = sorted(earth.web | earth.offline)
    poison, failing = set(chance.sample(valid, POISON)), set(chance.sample(valid, FAILING))
    for event_id in poison:
        _fault(url, {"kind": "poison", "event_id": event_id})
    for event_id in failing - poison:
        _fault(url, {"kind": "fail_event", "event_id": event_id, "message": "not today"})
    calls = earth.rows // 500
    for fault in ONCE:
        _fault(url, {**fault, "after": chance.randrange(2, calls)})
    for fault in SHARES:
        _fault(url, {**fault, "seed": chance.randrange(2**31)})
    os.environ["AIRFLOW_CONN_PINTEREST_DEFAULT"] = json.dumps(
        {
            "conn_type": "pinterest",
            "host": f"{url}/v5",
            "password": TOKEN,
            "extra": {"ad_account_id": ACCOUNT, "calls_per_minute": 1_000_000},
        }
    )
    os.environ["AIRFLOW_CONN_WAREHOUSE"] = json.dumps({"conn_type": "sqlite", "host": str(earth.path)})
    code = _tries(chance, folder, verdict, kills, earth.rows, deadline)
    if code not in (0, 3):
        verdict.broken.append(f"the last try ended with {code}, see {folder}/log.txt")
        return
    _judge(url, earth, folder, verdict, poison, failing)


def _tries(chance: random.Random, folder: Path, verdict: Verdict, kills: int, rows: int, deadline: float) -> int:
    """Start try after try, kill some, until one ends for good."""
    while True:
        if time.monotonic() > deadline:
            return 99
        verdict.tries += 1
        begun = _settled(folder)
        pid = task.fork_try(folder, verdict.tries)
        doomed = verdict.kills < kills
        target = begun + chance.randrange(1, max(2, rows // (kills + 1)))
        delay = chance.random() * 0.05
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
                break
            if (doomed and _settled(folder) >= target) or time.monotonic() > deadline:
                time.sleep(delay)
                os.kill(pid, signal.SIGKILL)
                _, status = os.waitpid(pid, 0)
                code = os.waitstatus_to_exitcode(status)
                verdict.kills += code == -signal.SIGKILL
                break
            time.sleep(0.002)
        if code in (0, 3):
            return code


def _settled(folder: Path) -> int:
    """Return how many rows the last checkpoint has settled."""
    try:
        stored = json.loads((folder / "state.json").read_text())
    except (FileNotFoundError, ValueError):
        return 0
    return int(next(iter(stored.values()))["rows"])


def _judge(url: str, earth: world.World, folder: Path, verdict: Verdict, poison: set[str], failing: set[str]) -> None:
    """Hold what the server has accepted against the warehouse and the task's account."""
    everything = {"limit": 10**7}
    listed = requests.get(f"{url}/sandbox/events/copies", params=everything, timeout=60).json()["copies"]
    copies = {one["event_id"]: one["copies"] for one in listed}
    result = json.loads((folder / "result.json").read_text())
    rejects = [
        json.loads(line)
        for part in sorted((folder / "rejects").glob("*/part-*.ndjson"))
        for line in part.read_text().splitlines()
    ]
    stages = Counter(line["stage"] for line in rejects)
    refused = {line["event_id"] for line in rejects if line["stage"] == "pinterest"}
    held = {line["event_id"] for line in rejects if line["stage"] == "outcome_unknown"}
    verdict.lost = sum(not copies.get(one) and one not in refused | held for one in earth.web | earth.offline)
    verdict.web_twice = sum(copies[one] - 1 for one in earth.web if copies.get(one, 0) > 1)
    verdict.offline_twice = sum(copies[one] - 1 for one in earth.offline if copies.get(one, 0) > 1)
    verdict.held = result["events_held"]
    verdict.rejects = len(rejects)
    ambiguous = sum(
        call["status"] != 200 and call["accepted"] > 0
        for call in requests.get(f"{url}/sandbox/calls", params=everything, timeout=60).json()["calls"]
    )
    verdict.allowed = (2 * task.MAX_IN_FLIGHT * verdict.kills + ambiguous + verdict.tries * task.MAX_IN_FLIGHT) * 500
    sums = {
        "rows are lost": verdict.lost == 0,
        "offline events were sent twice": verdict.offline_twice == 0,
        "more web events were sent twice than may be": verdict.web_twice <= verdict.allowed,
        "rows_read is not the rows": result["rows_read"] == earth.rows,
        "rows_rejected is not the invalid rows": result["rows_rejected"] == earth.invalid,
        "duplicates_dropped is not the duplicates": result["duplicates_dropped"] == earth.duplicates,
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
        "other events failed than had to": refused <= poison | failing and poison | failing <= refused | held,
        "a processed event was not accepted": result["events_processed"] <= sum(1 for one in copies.values() if one),
    }
    verdict.broken += [complaint for complaint, holds in sums.items() if not holds]


def _fault(url: str, fault: dict[str, Any]) -> None:
    """Switch a fault on."""
    requests.post(f"{url}/sandbox/faults", json=fault, timeout=10).raise_for_status()
