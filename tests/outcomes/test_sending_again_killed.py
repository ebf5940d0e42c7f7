"""A process that sends rejected rows again and dies right before or right after each statement."""

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

STORM = (
    MORTAL
    + """
folder, port = sys.argv[1], sys.argv[2]

def row(n, **changes):
    return {"event_name": "checkout", "action_source": "offline", "event_id": f"e-{n}", "receipt": f"r-{n}",
            "currency": "EUR", "event_time": 1_790_000_000, "email": f"ada{n}@example.com", **changes}

BAD = [row(0), row(1, currency="XX"), row(2, event_id=None), row(3, event_id=None), row(4, event_id=None),
       row(5, currency="XX"), row(6)]
GOOD = [row(n) for n in range(8)]
GOOD[4] = BAD[4]

def attempt(number, run, dies_at, attempt_number, events, **options):
    connect = partial(sqlite3.connect, f"{folder}/{number}.db")
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        Mortal.left = dies_at
        mortal = lambda: Mortal(connect())
        sync(IterableSource(events), SyncOptions(batch_size=2, max_in_flight=2, max_rejected=1.0,
             key_columns=["receipt"], field_map={"receipt": None}, **options),
             connection=PinterestConnection(access_token="pina_1", ad_account_id=str(number), calls_per_minute=100_000,
                                            host=f"http://127.0.0.1:{port}/v5"),
             state=FileStateStore(f"{folder}/{number}-{run}.json"),
             attempt=AttemptInfo(number=attempt_number, identity={"n": 1}), outcomes=OutcomeTable(mortal, run))
    except ResultError as error:
        os._exit(0 if "outcome is unknown" in str(error) else 1)
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

number, codes = 1, []
while True:
    assert attempt(number, "monday", None, 1, BAD) == 0
    if attempt(number, "tuesday", number, 1, GOOD, only="rejected") != 9:
        break
    codes.append(attempt(number, "tuesday", None, 2, GOOD, only="rejected"))
    number += 1
print(json.dumps(codes))
"""
)


@pytest.mark.parametrize("where", ["before", "after"])
def test_corrected_rows_are_sent_once_and_not_rejected_for_ever(tmp_path, where):
    environment = {**os.environ, **IMPORTS}
    with python_server("counting", ("-m", "harness.counting_server", "--remember"), tmp_path, environment) as (_, port):
        done = subprocess.run(
            [sys.executable, "-c", STORM, str(tmp_path), str(port), "", where],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        codes = json.loads(done.stdout.splitlines()[-1])
        assert codes == [0] * len(codes), done.stderr
        assert len(codes) > 12
        for number in range(1, len(codes) + 1):
            copies = read_copies(get(port, f"/copies/{number}").decode())
            rows = table(partial(sqlite3.connect, tmp_path / f"{number}.db"))
            held = {one["event_id"] for one in rows if one["status"] == "held"}
            processed = {one["event_id"] for one in rows if one["status"] == "processed"}

            assert set(copies.values()) <= {1}, number
            assert held | processed == {f"e-{n}" for n in (0, 1, 2, 3, 5, 6)}, number
            assert processed <= copies.keys(), number
            assert [one["key_columns"] for one in rows if one["status"] == "rejected"] == ['{"receipt":"r-4"}'], number
