"""What one attempt leaves to the next, on a whole Airflow with its scheduler, executor and triggerer.

Every DAG sends to an ad account of its own, so that a fault of the local Pinterest meets one DAG only.
"""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import airflow
import pytest

from airflow_provider_pinterest.sandbox import Sandbox
from harness.processes import wait_for
from tests.real_airflow.standalone import StandaloneAirflow, standalone

pytestmark = [
    pytest.mark.skipif(airflow.__version__ < "3.3", reason="the task state store came with Airflow 3.3"),
    pytest.mark.timeout(1200),
    pytest.mark.xdist_group("real_airflow"),
]

ROWS = 6_000
BATCH = 100
IN_FLIGHT = 2

KILLED_DAG = """
import datetime as dt, os
from pathlib import Path
from airflow.sdk import DAG, task

with DAG("killed", schedule=None):
    @task.pinterest_conversions(
        ad_account_id="1", retries=5, retry_delay=dt.timedelta(seconds=1),
        batch_size={batch}, max_in_flight={in_flight}, rejects_path="file://{home}/rejects", max_rejected=1.0,
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

OFFLINE_DAG = """
import hashlib, os, signal, time
from datetime import timedelta
import orjson, requests
from airflow.sdk import DAG
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

ROWS = [
    {{"event_id": f"e-{{number}}", "event_name": "checkout", "event_time": 1_700_000_000,
      "action_source": "offline", "email": f"p{{number}}@example.com"}}
    for number in range(1, {rows} + 1)
]

{operator}

with DAG("{dag_id}", schedule=None):
    Sending(
        task_id="send", ad_account_id="{account}", events=ROWS, batch_size=2, max_in_flight=1,
        retries={retries}, retry_delay=1, {arguments}
    )
"""

NOTHING_SPECIAL = "Sending = SendConversionsOperator"

DIES_AT_ITS_END = """
class Sending(SendConversionsOperator):
    def post_execute(self, context, result=None):
        if context["ti"].try_number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
"""

WAS_OLDER = """
DECISIVE = {
    "account": "4", "sql": None, "sql_conn_id": None, "hook_params": None, "parameters": None, "field_map": None,
    "identifiers": None, "defaults": None, "event_id_from": (), "timezone": "UTC", "max_event_age": None,
    "key_columns": (), "rejects_path": None,
}


def hashed(data):
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def events_hash(rows):
    return hashed("".join(f"{row['event_name']}\\0{row['event_id']}\\0" for row in rows).encode())


def delivered(processed):
    latencies = {"counts": {"60": processed} if processed else {}, "longest": 60 if processed else None, "late": 0}
    return {"processed": processed, "failed": 0, "held": 0, "calls": processed // 2, "retries": 0, "reasons": {},
            "warnings": {}, "lags": {**latencies, "stale": processed}}


class Sending(SendConversionsOperator):
    def execute(self, context):
        if context["ti"].try_number > 1:
            return super().execute(context)
        self.send_as_before([*ROWS[:2], *ROWS[4:6]])
        context["task_state_store"].set("airflow_provider_pinterest.checkpoint", {
            "version": 2, "fingerprint": hashed(orjson.dumps(DECISIVE, option=orjson.OPT_SORT_KEYS)),
            "clock": time.time(), "rows": 2, "events_hash": events_hash(ROWS[:2]), "delivered": delivered(2),
            "offline": True, "ahead": 4, "on_doubt": None, "written": time.time(),
            "marks": [
                [3, 4, events_hash(ROWS[2:4]), delivered(0), [], [[3, 4]], time.time()],
                [5, 6, events_hash(ROWS[4:6]), delivered(2), [], [], time.time()],
            ],
        })
        raise RuntimeError("the worker goes away, and comes back upgraded")

    def send_as_before(self, rows):
        from airflow.sdk import BaseHook

        connection = BaseHook.get_connection("pinterest_default")
        events = [
            {**{name: row[name] for name in ("event_id", "event_name", "event_time", "action_source")},
             "user_data": {"em": [hashlib.sha256(row["email"].encode()).hexdigest()]}}
            for row in rows
        ]
        requests.post(
            f"{connection.host}/ad_accounts/4/events", json={"data": events},
            headers={"Authorization": f"Bearer {connection.password}"}, timeout=10,
        ).raise_for_status()
"""


@pytest.fixture(scope="module")
def pinterest() -> Iterator[Sandbox]:
    with Sandbox(calls_per_window=0, keep_json=False) as server:
        server.fault("delay", seconds=0.08, ad_account_id="1")
        yield server


@pytest.fixture(scope="module")
def whole_airflow(tmp_path_factory: pytest.TempPathFactory, pinterest: Sandbox) -> Iterator[StandaloneAirflow]:
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    dags = {
        "killed": KILLED_DAG.format(home=home, rows=ROWS, batch=BATCH, in_flight=IN_FLIGHT),
        "held": _offline_dag("held", "2"),
        "finished": _offline_dag("finished", "3", DIES_AT_ITS_END),
        "upgraded": _offline_dag("upgraded", "4", WAS_OLDER),
        "deferred": _offline_dag(
            "deferred", "5", arguments="deferrable=True, defer_after=timedelta(seconds=1)", retries=0
        ),
    }
    for dag_id, text in dags.items():
        (home / "dags" / f"{dag_id}.py").write_text(text)
    with standalone(home, {"pinterest_default": pinterest.connection()}) as running:
        running.wait_for_dags(dags)
        yield running


def test_a_killed_task_and_a_killed_supervisor_lose_nothing_and_send_no_offline_event_twice(
    whole_airflow: StandaloneAirflow, pinterest: Sandbox
) -> None:
    home = whole_airflow.home
    whole_airflow.trigger("killed")

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
    whole_airflow.wait_for_end("killed")

    result = whole_airflow.result("killed")
    copies = pinterest.copies(ad_account_id="1")
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


def test_held_events_are_sent_again_only_when_a_cleared_task_is_told_to(
    whole_airflow: StandaloneAirflow, pinterest: Sandbox
) -> None:
    pinterest.fault("status", status=500, after_accepting=True, times=1, ad_account_id="2")
    pinterest.fault("status", status=500, times=1, ad_account_id="2")  # the second batch never arrives

    whole_airflow.trigger("held")

    assert whole_airflow.wait_for_end("held") == "failed"
    assert _copies(pinterest, "2") == {1: 1, 2: 1, 5: 1, 6: 1}
    assert "4 events were sent once, and their outcome is unknown" in whole_airflow.log("held", 1)
    assert "It sends the held events only with on_unknown_outcome='resend'" in whole_airflow.log("held", 1)

    whole_airflow.clear("held")

    assert whole_airflow.wait_for_end("held") == "failed"
    assert _copies(pinterest, "2") == {1: 1, 2: 1, 5: 1, 6: 1}
    assert "4 events were sent once, and their outcome is unknown" in whole_airflow.log("held", 2)
    assert _counts(whole_airflow.result("held")) == {"events_held": 4, "already_sent": 2}

    dag = whole_airflow.home / "dags" / "held.py"
    dag.write_text(dag.read_text().replace("retries=", "on_unknown_outcome='resend', retries="))
    whole_airflow.clear("held")

    assert whole_airflow.wait_for_end("held") == "success"
    assert _copies(pinterest, "2") == {1: 2, 2: 2, 3: 1, 4: 1, 5: 1, 6: 1}
    assert _counts(whole_airflow.result("held")) == {"events_processed": 4, "already_sent": 2}


def test_a_finished_task_sends_nothing_again_neither_by_a_retry_nor_when_it_is_cleared(
    whole_airflow: StandaloneAirflow, pinterest: Sandbox
) -> None:
    whole_airflow.trigger("finished")

    assert whole_airflow.wait_for_end("finished") == "success"
    assert whole_airflow.tries("finished") == 2
    assert _counts(whole_airflow.result("finished")) == {"events_processed": 6}

    whole_airflow.clear("finished")

    assert whole_airflow.wait_for_end("finished") == "success"
    assert whole_airflow.tries("finished") == 3
    assert _copies(pinterest, "3") == dict.fromkeys(range(1, 7), 1)
    assert _counts(whole_airflow.result("finished")) == {"already_sent": 6}
    assert "Pinterest accepted all 6 events of this run in an attempt that ended on" in whole_airflow.log("finished", 3)


def test_an_attempt_after_an_upgrade_continues_where_the_older_version_ended(
    whole_airflow: StandaloneAirflow, pinterest: Sandbox
) -> None:
    whole_airflow.trigger("upgraded")

    assert whole_airflow.wait_for_end("upgraded") == "success"
    assert whole_airflow.tries("upgraded") == 2
    assert _copies(pinterest, "4") == dict.fromkeys(range(1, 7), 1)
    result = whole_airflow.result("upgraded")
    assert _counts(result) == {"events_processed": 6}
    assert result["resumed_from"] == 2


def test_a_deferred_task_waits_quietly_and_continues(whole_airflow: StandaloneAirflow, pinterest: Sandbox) -> None:
    wait = 6
    pinterest.fault("status", status=429, headers={"Retry-After": str(wait)}, after=1, times=1, ad_account_id="5")

    whole_airflow.trigger("deferred")

    assert whole_airflow.wait_for_end("deferred") == "success"
    assert whole_airflow.tries("deferred") == 1
    assert _copies(pinterest, "5") == dict.fromkeys(range(1, 7), 1)
    assert _counts(whole_airflow.result("deferred")) == {"events_processed": 6}
    [triggerer_log] = whole_airflow.logs("deferred", "attempt=1.log.trigger.*.log")
    assert 0 < len(triggerer_log.splitlines()) < 5, "a line per second"


def _offline_dag(
    dag_id: str, account: str, operator: str = NOTHING_SPECIAL, *, arguments: str = "", retries: int = 1
) -> str:
    return OFFLINE_DAG.format(
        dag_id=dag_id, account=account, operator=operator, arguments=arguments, retries=retries, rows=6
    )


def _copies(pinterest: Sandbox, account: str) -> dict[int, int]:
    return {int(one.removeprefix("e-")): n for one, n in sorted(pinterest.copies(ad_account_id=account).items())}


def _counts(result: dict[str, int]) -> dict[str, int]:
    assert result["rows_read"] == 6
    names = ("events_processed", "events_failed", "events_held", "already_sent", "rows_not_sent")
    return dict(+Counter({name: result[name] for name in names}))


def _pid(home: Path, try_number: int) -> int:
    written = home / f"pid-{try_number}"
    wait_for(lambda: written.exists() and written.stat().st_size, f"try {try_number} to start")
    return int(written.read_text())


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _rejects(home: Path) -> list[dict[str, str]]:
    parts = sorted((home / "rejects").glob("*/part-*.ndjson"))
    return [json.loads(line) for part in parts for line in part.read_text().splitlines()]
