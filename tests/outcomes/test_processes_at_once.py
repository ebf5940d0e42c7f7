"""Several processes on one table, and killed processes: each event is accepted once, or is known to be held."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter

import pytest

from harness.counting_server import read_copies
from harness.loopback import get
from harness.processes import IMPORTS, python_server
from tests.outcomes.reading import query, table

ACCOUNT = "549755885175"

SEND = """
import importlib, json, sys, time
from functools import partial
from airflow_provider_pinterest.sync import FileStateStore, IterableSource, OutcomeTable, PinterestConnection
from airflow_provider_pinterest.sync import SyncOptions, sync

class Rows:
    def __init__(self, first, last, kinds):
        self.first, self.last, self.kinds = first, last, kinds
    def __iter__(self):
        for n in range(self.first, self.last):
            yield {"event_name": "checkout", "action_source": self.kinds[n % len(self.kinds)], "event_id": f"order-{n}",
                   "event_time": 1_790_000_000, "email": f"ada{n}@example.com" if n % 10 else "no address"}

given = json.loads(sys.argv[1])
connect = partial(importlib.import_module(given["driver"]).connect, *given["arguments"], **given["keywords"])
result = sync(
    IterableSource(Rows(given["first"], given["last"], given["kinds"])),
    SyncOptions(skip_already_sent=True, batch_size=50, max_in_flight=4, max_rejected=1.0, **given["options"]),
    connection=PinterestConnection(access_token="pina_1", ad_account_id=given["account"], host=given["host"],
                                   calls_per_minute=100_000),
    state=FileStateStore(given["state"]) if given["state"] else None,
    outcomes=OutcomeTable(connect, given["run"]),
)
print(json.dumps(result))
"""


@pytest.fixture
def server(tmp_path):
    with python_server(
        "counting", ("-m", "harness.counting_server", "--remember"), tmp_path, {**os.environ, **IMPORTS}
    ) as (_, port):
        yield port


def start(connect, server, run, first, last, *, kinds=("offline",), state="", **options):
    given = {
        "driver": connect.func.__module__.split(".")[0].replace("_sqlite3", "sqlite3").replace("_duckdb", "duckdb"),
        "arguments": connect.args,
        "keywords": connect.keywords,
        "first": first,
        "last": last,
        "kinds": kinds,
        "options": options,
        "account": ACCOUNT,
        "host": f"http://127.0.0.1:{server}/20-60ms/v5",
        "state": str(state),
        "run": run,
    }
    return subprocess.Popen(
        [sys.executable, "-c", SEND, json.dumps(given)],
        env={**os.environ, **IMPORTS},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process):
    printed, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return json.loads(printed.splitlines()[-1])


def copies(server):
    return read_copies(get(server, f"/copies/{ACCOUNT}").decode())


def valid(first, last):
    return {f"order-{number}" for number in range(first, last) if number % 10}


def test_two_processes_at_once_send_each_event_once(shared, server):
    processes = [
        start(shared, server, "monday", 0, 2_000),
        start(shared, server, "tuesday", 500, 2_500),
        start(shared, server, "wednesday", 1_000, 3_000),
    ]
    results = [finished(process) for process in processes]

    assert copies(server) == dict.fromkeys(valid(0, 3_000), 1)
    assert sum(result["events_processed"] for result in results) == 2_700
    assert sum(result["already_sent"] for result in results) == 2_700
    assert [result["events_held"] for result in results] == [0, 0, 0]
    assert query(shared, "SELECT status, count(*) FROM pinterest_outcomes GROUP BY status ORDER BY status") == [
        ("processed", 2_700),
        ("rejected", 300),
    ]


@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("kinds", [("offline",), ("offline", "web")], ids=["offline", "mixed"])
def test_a_killed_run_loses_nothing_and_sends_no_offline_event_twice(shared, server, tmp_path, seed, kinds):
    chance = random.Random(seed)  # noqa: S311 - repeatable
    state = tmp_path / "state.json"
    kills = 0
    options = {"kinds": kinds, "state": state, "rejects_path": str(tmp_path / "rejects")}
    for _ in range(4):
        process = start(shared, server, "monday", 0, 3_000, **options)
        time.sleep(0.5)  # it starts
        until(lambda process=process: bool(copies(server)) or process.poll() is not None)
        time.sleep(chance.uniform(0.0, 1.0))
        process.kill()
        process.communicate()
        kills += 1
    last(start(shared, server, "tuesday", 2_000, 3_500, kinds=kinds))
    last(start(shared, server, "monday", 0, 3_000, **options))
    found = copies(server)
    rows = {one["event_id"]: one for one in table(shared) if one["status"] != "rejected"}
    held = {name for name, one in rows.items() if one["status"] == "held"}

    assert kills == 4
    assert rows.keys() == valid(0, 3_500)
    assert {one["status"] for one in rows.values()} <= {"processed", "held"}
    assert {name for name, one in rows.items() if one["status"] == "processed"} <= found.keys()
    assert valid(0, 3_500) - found.keys() <= held
    twice = {name for name, number in found.items() if number > 1}
    assert all(int(name.removeprefix("order-")) % 2 for name in twice) if "web" in kinds else not twice
    assert len(twice) <= kills * 2 * 4 * 50
    assert Counter(one["status"] for one in rows.values())["held"] <= kills * 4 * 50


def last(process):
    """Wait for a run to reach its end. It may fail, but only because events are held."""
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0 or ("ResultError" in errors and "outcome is unknown" in errors), errors


def until(done, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)
