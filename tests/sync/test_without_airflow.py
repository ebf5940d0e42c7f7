"""A run where Airflow cannot be imported at all."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest

from airflow_provider_pinterest import sync as package
from airflow_provider_pinterest.sync import FileStateStore
from tests.fixtures import SqliteWarehouse
from tests.running import ids, rows
from tests.sync.plain import REPOSITORY, answered, command, program, run

SEND = """
import json, sqlite3
from airflow_provider_pinterest.sync import (
    Database, FileStateStore, IterableSource, PinterestConnection, SqlSource, SqlStateStore, SyncOptions, sync,
)

given = json.loads(sys.argv[1])
sources = {
    "rows": lambda: IterableSource(given["rows"]),
    "sql": lambda: SqlSource(Database(lambda: sqlite3.connect(given["sql"])), "SELECT * FROM orders ORDER BY event_id"),
}
[source] = [make() for name, make in sources.items() if name in given]
connection = PinterestConnection(access_token=given["token"], ad_account_id="549755885175", host=given["url"])
state = FileStateStore(given["state"]) if "state" in given else None
result = sync(source, SyncOptions(**given.get("options", {})), connection=connection, state=state)
assert not [name for name in sys.modules if name.partition(".")[0] == "airflow"]
print(json.dumps(result))
"""


def given(sandbox, **more):
    return json.dumps({"url": sandbox.url, "token": sandbox.token, **more})


def test_every_public_name_can_be_imported():
    names = answered(
        "import json\nimport airflow_provider_pinterest.sync as package\n"
        "print(json.dumps([name for name in package.__all__ if getattr(package, name) is not None]))"
    )

    assert names == package.__all__


def test_the_rows_of_a_list_arrive(sandbox):
    result = answered(SEND, given(sandbox, rows=rows(20)))

    assert result["events_processed"] == 20
    assert sandbox.copies() == ids(20)


def test_the_rows_of_a_query_arrive(sandbox, tmp_path):
    path = tmp_path / "shop.db"
    SqliteWarehouse(path).fill("orders", rows(20))

    result = answered(SEND, given(sandbox, sql=str(path)))

    assert result["events_processed"] == 20
    assert sandbox.copies() == ids(20)


@pytest.mark.parametrize("action_source", ["web", "offline"])
def test_a_run_that_is_killed_is_continued_by_the_next_call(sandbox, tmp_path, action_source):
    sandbox.fault("delay", seconds=0.1)
    found, state = rows(400, action_source=action_source), str(tmp_path / "state.json")
    options = {"batch_size": 10, "max_in_flight": 2}
    sending = subprocess.Popen(command(SEND, given(sandbox, rows=found, state=state, options=options)), cwd=REPOSITORY)
    while len(sandbox.copies()) < 100 and sending.poll() is None:
        time.sleep(0.01)
    sending.send_signal(signal.SIGKILL)
    sending.wait()
    sandbox.clear_faults()
    before = set(sandbox.copies())
    assert 100 <= len(before) < 400

    ran = run(found, sandbox, call={"state": FileStateStore(state)}, rejects_path=str(tmp_path / "rejects"), **options)

    assert "Resuming" in ran.log
    parts = (tmp_path / "rejects").glob("*.ndjson")
    held = {json.loads(line)["event_id"] for part in parts for line in part.read_text().splitlines()}
    assert len(held) == ran["events_held"]
    assert set(sandbox.copies()) | held == set(ids(400))
    if action_source == "offline":
        assert not sandbox.copies(duplicates_only=True)
        assert held <= before | set(ids(400))
        assert len(held) <= 40
    else:
        assert not held
        assert len(sandbox.copies(duplicates_only=True)) <= 40, (
            "two batches since the last checkpoint, and two in flight"
        )
        assert len(sandbox.copies(duplicates_only=True)) <= 60


def test_a_missing_driver_and_a_wrong_query_are_told_without_a_traceback_of_ours(sandbox):
    done = program(SEND, given(sandbox, sql="/nowhere/shop.db"), cwd=REPOSITORY)

    assert done.returncode == 1
    assert "SourceError" in done.stderr
    assert "unable to open database file" in done.stderr
