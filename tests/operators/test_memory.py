"""Memory of a task whose rows are huge: bounded in bytes, whatever the rows hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_pinterest.sandbox import Sandbox
from harness.airflow import sqlite_connection
from harness.processes import IMPORTS

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc"),
    pytest.mark.timeout(300),
]

ALLOWED = 150_000_000
"""Bytes above those of a process that has imported everything and read nothing."""

CHILD = """
import json, re, sys
from pathlib import Path
from airflow_provider_pinterest.operators import task_runner
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from harness.task import MemoryStateStore, RecordingTaskInstance

def memory(name):
    return int(re.search(name + r":\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

class StoredState(MemoryStateStore):
    path = Path(sys.argv[3])
    def get(self, key, default=None):
        return json.loads(self.path.read_text()) if self.path.exists() else default
    def set(self, key, value):
        self.path.write_text(json.dumps(value))

options = json.loads(sys.argv[1])
SendConversionsOperator(task_id="idle", events=[]).execute({"ti": RecordingTaskInstance()})
idle = memory("VmRSS")
ti = RecordingTaskInstance(try_number=int(sys.argv[2]), max_tries=9)
try:
    SendConversionsOperator(task_id="send", sql_conn_id="warehouse", max_rejected=1.0, **options).execute(
        {"ti": ti, "task_state_store": StoredState()}
    )
    error = None
except Exception as raised:
    error = type(raised).__name__
print(json.dumps({"memory": memory("VmHWM") - idle, "result": ti.pushed["pinterest_result"], "error": error}))
"""

ROWS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows}) "
COLUMNS = (
    "SELECT 'e-' || n AS event_id, 'checkout' AS event_name, 'web' AS action_source, "
    "CAST(strftime('%s', 'now') AS INTEGER) - 60 AS event_time, 'p' || n || '@example.com' AS email, "
)
ITEM = '{"id": "4711", "item_name": "A rather long name of an item in the shop", "item_price": "12.50", "quantity": 3}'


def sql(rows: int, columns: str) -> str:
    return f"{ROWS.format(rows=rows)}{COLUMNS}{columns} FROM numbers ORDER BY n"


@pytest.fixture
def server():
    with Sandbox(calls_per_window=0, keep_json=False) as sandbox:
        yield sandbox


@pytest.fixture
def attempt(server, tmp_path):
    def run(number=1, **options):
        environment = {
            **os.environ,
            **IMPORTS,
            "AIRFLOW_CONN_PINTEREST_DEFAULT": json.dumps(server.connection()),
            "AIRFLOW_CONN_WAREHOUSE": sqlite_connection(tmp_path / "warehouse.db"),
        }
        command = [sys.executable, "-c", CHILD, json.dumps(options), str(number), str(tmp_path / "state.json")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.stdout.strip(), done.stderr[-2_000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.mark.parametrize("processes", [0, 1])
def test_user_agents_of_60_kb(attempt, processes):
    ran = attempt(sql=sql(2_000, "hex(zeroblob(30000)) AS user_agent, '192.0.2.1' AS ip_address"), processes=processes)

    assert ran["result"]["rows_read"] == 2_000
    assert ran["result"]["events_processed"] + ran["result"]["rows_rejected"] == 2_000
    assert ran["memory"] < ALLOWED


def test_events_of_30_kb_when_a_run_resumes(attempt, server):
    items = "'[' || replace(hex(zeroblob(140)), '00', '" + ITEM + ", ') || '" + ITEM + "]' AS contents"
    server.fault("status", status=401, after=10)
    first = attempt(sql=sql(3_000, items))
    assert first["error"] is not None
    server.clear_faults()
    second = attempt(2, sql=sql(3_000, items))

    assert second["error"] is None
    assert second["result"]["resumed_from"]
    assert second["result"]["events_processed"] == 3_000
    assert first["memory"] < ALLOWED
    assert second["memory"] < ALLOWED


def test_key_columns_of_100_kb_in_rows_that_are_rejected(attempt, tmp_path):
    ran = attempt(
        sql=sql(1_600, "hex(zeroblob(50000)) AS note, CASE WHEN n % 2 THEN 'EURO' ELSE 'EUR' END AS currency"),
        key_columns=["note"],
        field_map={"note": None},
        rejects_path=str(tmp_path / "rejects"),
    )

    assert ran["error"] is None
    assert (ran["result"]["events_processed"], ran["result"]["rows_rejected"]) == (800, 800)
    assert ran["memory"] < ALLOWED
