"""What a killed worker leaves behind, on a whole Airflow with its scheduler and executor."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import airflow
import pytest

from airflow_provider_pinterest.sandbox import Sandbox
from tests.real_airflow.standalone import Airflow, standalone, wait_for

pytestmark = [
    pytest.mark.skipif(airflow.__version__ < "3.3", reason="the task state store came with Airflow 3.3"),
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("real_airflow"),
]

ROWS = 8_000
BATCH = 100
IN_FLIGHT = 2

DAG = """
import datetime as dt, os
from pathlib import Path
from airflow.sdk import DAG, task

with DAG("storm", schedule=None):
    @task.pinterest_conversions(
        retries=5, retry_delay=dt.timedelta(seconds=1), batch_size={batch}, max_in_flight={in_flight},
        rejects_path="file://{home}/rejects", max_rejected=1.0,
    )
    def send(ti=None):
        (Path("{home}") / f"pid-{{ti.try_number}}").write_text(str(os.getpid()))
        for number in range({rows}):
            yield {{
                "event_id": f"e-{{number:06d}}", "event_name": "checkout", "event_time": 1_700_000_000 + number,
                "action_source": "offline" if number % 1_000 >= 700 else "web", "email": f"p{{number}}@example.com",
            }}

    send()
"""

LATE_DAG = """
import os, signal
from airflow.sdk import DAG
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

class DiesAtItsEnd(SendConversionsOperator):
    def post_execute(self, context, result=None):
        if context["ti"].try_number == 1:
            os.kill(os.getpid(), signal.SIGKILL)

with DAG("late", schedule=None):
    DiesAtItsEnd(
        task_id="send", retries=2, retry_delay=1,
        events=[
            {"event_id": f"late-{number}", "event_name": "checkout", "event_time": 1_700_000_000,
             "action_source": "offline", "email": f"p{number}@example.com"}
            for number in range(5)
        ],
    )
"""


@pytest.fixture(scope="module")
def pinterest() -> Iterator[Sandbox]:
    with Sandbox(calls_per_window=0, keep_json=False) as server:
        server.fault("delay", seconds=0.08)
        yield server


@pytest.fixture(scope="module")
def whole_airflow(tmp_path_factory: pytest.TempPathFactory, pinterest: Sandbox) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    (home / "dags" / "storm.py").write_text(DAG.format(home=home, rows=ROWS, batch=BATCH, in_flight=IN_FLIGHT))
    (home / "dags" / "late.py").write_text(LATE_DAG)
    with standalone(home, {"pinterest_default": pinterest.connection()}) as running:
        yield running


def test_a_killed_task_and_a_killed_supervisor_lose_nothing_and_send_no_offline_event_twice(
    whole_airflow: Airflow, pinterest: Sandbox
) -> None:
    home = whole_airflow.home
    whole_airflow.trigger("storm", "killed")

    first = _pid(home, try_number=1)
    wait_for(lambda: pinterest.totals().calls >= 15, "some calls")
    os.kill(first, signal.SIGKILL)

    second = _pid(home, try_number=2)
    calls = pinterest.totals().calls
    wait_for(lambda: pinterest.totals().calls >= calls + 15, "some more calls")
    os.kill(_parent(second), signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{second}").exists(), "the orphan to end", seconds=10)
    left_at = pinterest.totals().calls

    wait_for((home / "pid-3").exists, "the scheduler to miss the heartbeat and try again")
    assert pinterest.totals().calls - left_at <= IN_FLIGHT, "the orphan went on sending"
    wait_for(lambda: whole_airflow.state("killed") in ("success", "failed"), "the end", every=0.5)

    result = whole_airflow.result("killed")
    copies = pinterest.copies()
    held = {line["event_id"] for line in _rejects(home)}
    web = [f"e-{number:06d}" for number in range(ROWS) if number % 1_000 < 700]
    offline = [f"e-{number:06d}" for number in range(ROWS) if number % 1_000 >= 700]
    assert [one for one in (*web, *offline) if one not in copies and one not in held] == []
    assert [one for one in offline if copies.get(one, 0) > 1] == []
    assert sum(copies[one] - 1 for one in web if one in copies) <= 2 * IN_FLIGHT * BATCH * 2
    assert result["rows_read"] == ROWS == result["events_sent"]
    assert result["events_sent"] == result["events_processed"] + result["events_failed"] + result["events_held"]
    assert result["events_held"] == len(held)
    assert result["resumed_from"] > 0


def test_a_task_that_is_killed_when_all_is_sent_sends_nothing_twice_until_it_is_cleared(
    whole_airflow: Airflow, pinterest: Sandbox
) -> None:
    def over() -> bool:
        return whole_airflow.state("late") in ("success", "failed")

    def copies() -> set[int]:
        return {copies for one, copies in pinterest.copies().items() if one.startswith("late")}

    whole_airflow.trigger("late", "late")
    wait_for(over, "the end", every=0.5)

    assert whole_airflow.state("late") == "success"
    assert whole_airflow.tries("late") == 2
    assert whole_airflow.result("late")["events_processed"] == 5
    assert copies() == {1}

    whole_airflow.command("tasks", "clear", "late", "--yes")
    wait_for(lambda: not over(), "the run to begin again")
    wait_for(over, "the end", every=0.5)

    assert whole_airflow.tries("late") == 3
    assert copies() == {2}


def _pid(home: Path, try_number: int) -> int:
    written = home / f"pid-{try_number}"
    wait_for(lambda: written.exists() and written.stat().st_size, f"try {try_number} to start")
    return int(written.read_text())


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _rejects(home: Path) -> list[dict[str, str]]:
    parts = sorted((home / "rejects").glob("*/part-*.ndjson"))
    return [json.loads(line) for part in parts for line in part.read_text().splitlines()]
