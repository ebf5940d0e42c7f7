"""Import every module of an installed airflow-provider-pinterest, and let Airflow run DAGs that send to the sandbox."""

from __future__ import annotations

import datetime as dt
import importlib
import json
import os
import pkgutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import airflow
from checks import check

import airflow_provider_pinterest as package
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from airflow_provider_pinterest.sandbox import Sandbox
from airflow_provider_pinterest.triggers.wait import WaitTrigger

RELEASE = tuple(int(part) for part in airflow.__version__.split(".")[:2])
ONLY_SINCE = {"airflow_provider_pinterest.policies": (3, 3)}
PROGRAM = "airflow_provider_pinterest.sandbox.__main__"
"""Is run, not imported."""

TASKS = ("decorated", "given", "query", "upstream")


def check_imports() -> None:
    """Import every module that this release of Airflow can have."""
    names = [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    wanted = [name for name in names if name != PROGRAM and ONLY_SINCE.get(name, (0, 0)) <= RELEASE]
    for name in wanted:
        importlib.import_module(name)
    check(f"{len(wanted)} modules imported", len(wanted) > len(names) - 3)


def check_dag(pinterest: Sandbox) -> None:
    """Let Airflow run a DAG, and count what arrived."""
    home = Path(os.environ["AIRFLOW_HOME"])
    _fill(home / "warehouse.db")
    os.environ |= {
        "AIRFLOW_CONN_WAREHOUSE": json.dumps({"conn_type": "sqlite", "host": str(home / "warehouse.db")}),
        "AIRFLOW_VAR_REJECTS": str(home / "rejects"),
    }
    pinterest.fault("status", status=429, headers={"Retry-After": "1"}, times=1, ad_account_id="1003")
    _airflow("db", "migrate")
    said = _airflow("dags", "test", "checked")
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        states = dict(database.execute("SELECT task_id, state FROM task_instance"))
    if states != dict.fromkeys(TASKS, "success"):
        print(said)
    check(f"DAG run: {states}", states == dict.fromkeys(TASKS, "success"))
    copies = pinterest.copies(ad_account_id=Sandbox.ad_account_id)
    check(f"rows of a query, each sent once: {copies}", copies == {"order-1": 1, "order-2": 1, "order-3": 1})
    copies = pinterest.copies(ad_account_id="1002")
    check(f"rows of the decorated function, each sent once: {copies}", copies == {"signup-1": 1, "signup-2": 1})
    copies = pinterest.copies(ad_account_id="1003")
    statuses = [call.status for call in pinterest.calls(path="/v5/ad_accounts/1003/events")]
    check(
        f"rows of another task, sent after a 429: {copies}, {statuses}",
        copies == {"lead-1": 1} and statuses == [429, 200],
    )
    rejected = [json.loads(line) for file in (home / "rejects").rglob("*.ndjson") for line in _lines(file)]
    check(f"rows rejected: {len(rejected)}", [line["keys"]["order_id"] for line in rejected] == ["order-4"])


def check_deferral(pinterest: Sandbox) -> None:
    """Check what an execution hands to Airflow when it defers, and that it continues from that.

    ``airflow dags test`` runs triggers too, but loses the arguments of the deferral, on every release so far.
    """
    pinterest.fault("status", status=429, headers={"Retry-After": "1"}, times=1, ad_account_id="1004")
    operator = _operator("1004", "web", deferrable=True, defer_after=dt.timedelta(0))
    raised = _raised(operator.execute, {"ti": _attempt(1)})
    check(f"a 429 defers: {type(raised).__name__}", type(raised).__name__ == "TaskDeferred")
    path, arguments = raised.trigger.serialize()
    module, _, name = path.rpartition(".")
    check(f"its trigger can be made again: {path}", getattr(importlib.import_module(module), name) is WaitTrigger)
    check("it waits as long as Pinterest asks for", WaitTrigger(**arguments).moment <= _now() + dt.timedelta(seconds=2))
    check(f"it continues in {raised.method_name}", raised.method_name == "resume_delivery")
    time.sleep(1)
    kept = json.loads(json.dumps(raised.kwargs))
    result = _operator("1004", "web", deferrable=True).resume_delivery({"ti": _attempt(1)}, None, **kept)
    copies = pinterest.copies(ad_account_id="1004")
    check(f"it sends the rest: {copies}", copies == {"sale-1": 1, "sale-2": 1} and result["rows_read"])


def check_refusal(pinterest: Sandbox) -> None:
    """Check that a second attempt sends no offline events where no state store tells what the first one sent."""
    pinterest.fault("status", status=503, after=1, ad_account_id="1005")
    first = _operator("1005", "offline", batch_size=1, max_in_flight=1, max_wait=dt.timedelta(0))
    raised = _raised(first.execute, {"ti": _attempt(1)})
    sent = pinterest.copies(ad_account_id="1005")
    check(f"a first attempt breaks off: {type(raised).__name__}, {sent}", sent == {"sale-1": 1})
    pinterest.clear_faults()
    raised = _raised(_operator("1005", "offline").execute, {"ti": _attempt(2)})
    refused = any(base.__name__ == "AirflowFailException" for base in type(raised).__mro__)
    check(f"a second one is refused, without a retry: {type(raised).__name__}", refused)
    check(f"its message says why: {str(raised).splitlines()[0][:60]}…", "This is attempt 2" in str(raised))
    check("and it sends nothing", pinterest.copies(ad_account_id="1005") == sent)


def _fill(path: Path) -> None:
    """Make a warehouse with three good orders and one without a person."""
    path.parent.mkdir(parents=True, exist_ok=True)
    now = int(time.time())
    orders = [(f"order-{number}", now - number, f"ada{number}@example.com") for number in (1, 2, 3)]
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE orders (order_id TEXT, event_time INTEGER, email TEXT)")
        database.executemany("INSERT INTO orders VALUES (?, ?, ?)", [*orders, ("order-4", now, None)])
        database.commit()


def _airflow(*arguments: str) -> str:
    """Run one of Airflow's commands, and return what it printed."""
    ran = subprocess.run([sys.executable, "-m", "airflow", *arguments], text=True, capture_output=True, check=False)
    said = ran.stdout + ran.stderr
    if ran.returncode:
        print(said)
    check(f"airflow {' '.join(arguments)}", not ran.returncode)
    return said


def _operator(account: str, action_source: str, **parameters: Any) -> SendConversionsOperator:
    """Return a task that sends two rows."""
    rows = [
        {"event_id": f"sale-{number}", "event_time": int(time.time()) - 60, "email": f"ada{number}@example.com"}
        for number in (1, 2)
    ]
    defaults = {"event_name": "checkout", "action_source": action_source}
    return SendConversionsOperator(task_id="send", events=rows, ad_account_id=account, defaults=defaults, **parameters)


def _attempt(number: int) -> SimpleNamespace:
    """Return what the operator needs of a task instance."""
    names = {"dag_id": "shop", "task_id": "send", "run_id": "manual__1", "map_index": -1}
    return SimpleNamespace(**names, try_number=number, xcom_push=lambda **_: None)


def _raised(run: Any, context: dict[str, Any]) -> Any:
    """Return what an execution raised."""
    try:
        run(context)
    except BaseException as raised:  # noqa: BLE001 - TaskDeferred is none of the Exceptions
        return raised
    return None


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def main() -> None:
    """Run all checks."""
    with Sandbox() as pinterest:
        os.environ["AIRFLOW_CONN_PINTEREST_DEFAULT"] = json.dumps(pinterest.connection())
        check_dag(pinterest)
        check_imports()
        check_deferral(pinterest)
        check_refusal(pinterest)


if __name__ == "__main__":
    main()
