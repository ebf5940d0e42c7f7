"""A process that dies right before or right after each statement that it sends to the database."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from functools import partial

import pytest

from harness.counting_server import read_copies
from harness.loopback import get
from harness.processes import IMPORTS, python_server
from tests.outcomes.mortal import MORTAL
from tests.outcomes.reading import table

ROWS = 6

STORM = (
    MORTAL
    + """
folder, port, rows, where, state_in_sql = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5] == "sql"

def attempt(number, run, dies_at, attempt_number, **options):
    connect = partial(sqlite3.connect, f"{folder}/{number}.db")
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        Mortal.left = dies_at
        mortal = lambda: Mortal(connect())
        store = SqlStateStore(mortal, run) if state_in_sql else FileStateStore(f"{folder}/{number}-{run}.json")
        events = [{"event_name": "checkout", "action_source": "offline", "event_id": f"e-{n}",
                   "event_time": 1_790_000_000, "email": f"ada{n}@example.com"} for n in range(rows)]
        sync(IterableSource(events), SyncOptions(skip_already_sent=True, batch_size=2, max_in_flight=2, **options),
             connection=PinterestConnection(access_token="pina_1", ad_account_id=str(number), calls_per_minute=100_000,
                                            host=f"http://127.0.0.1:{port}/v5"),
             state=store, attempt=AttemptInfo(number=attempt_number, identity={"n": 1}),
             outcomes=OutcomeTable(mortal, run))
    except ResultError as error:
        os._exit(0 if "outcome is unknown" in str(error) else 1)
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

number, codes = 1, []
while attempt(number, "monday", number, 1) == 9:
    codes.append((attempt(number, "monday", None, 2), attempt(number, "tuesday", None, 1)))
    number += 1
print(json.dumps(codes))
"""
)


@pytest.mark.parametrize("state", ["file", "sql"])
@pytest.mark.parametrize("where", ["before", "after"])
def test_no_event_is_lost_or_sent_twice(tmp_path, where, state):
    environment = {**os.environ, **IMPORTS}
    with python_server("counting", ("-m", "harness.counting_server", "--remember"), tmp_path, environment) as (_, port):
        done = subprocess.run(
            [sys.executable, "-c", STORM, str(tmp_path), str(port), str(ROWS), where, state],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        codes = json.loads(done.stdout.splitlines()[-1])
        assert codes == [[0, 0]] * len(codes), done.stderr
        assert len(codes) > 12
        for number in range(1, len(codes) + 1):
            copies = read_copies(get(port, f"/copies/{number}").decode())
            rows = table(partial(sqlite3.connect, tmp_path / f"{number}.db"))
            held = {one["event_id"] for one in rows if one["status"] == "held"}
            processed = {one["event_id"] for one in rows if one["status"] == "processed"}

            assert set(copies.values()) <= {1}, number
            assert held | processed == {f"e-{row}" for row in range(ROWS)}, number
            assert processed <= copies.keys(), number
            assert len(held) <= 4, number
