"""Run the operator as a task does, against the local Pinterest, and check what must hold after every run.

After every run its two sums add up, and its log holds no address, no hash and no token.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout, TaskDeferred

from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from airflow_provider_pinterest.sandbox import Sandbox
from tests.postgres import PostgresServer

Row = dict[str, Any]

_PERSONAL = re.compile(r"\S+@example\.com|\b[0-9a-fA-F]{64}\b|pin[ar]_\w+|" + re.escape(Sandbox.app_secret))


@dataclass
class TaskInstance:
    """What the operator needs of one."""

    dag_id: str = "shop"
    task_id: str = "send"
    run_id: str = "scheduled__2026-11-21T00:00:00+00:00"
    map_index: int = -1
    try_number: int = 1
    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any, **_: Any) -> None:
        self.pushed[key] = json.loads(json.dumps(value))


@dataclass
class Ran:
    """What a run did.

    :param result: its account, as pushed to XCom; empty when it did not come so far.
    :param error: what it raised.
    :param log: all that was logged, from DEBUG on.
    """

    result: dict[str, Any]
    error: BaseException | None
    log: str

    def __getitem__(self, name: str) -> Any:
        return self.result[name]

    @property
    def said(self) -> str:
        """The error's text."""
        return str(self.error)


def row(number: int = 1, /, **changes: Any) -> Row:
    """Return a row that makes a good event; None removes a column."""
    good = {
        "event_name": "checkout",
        "action_source": "web",
        "event_time": int(time.time()) - 60,
        "event_id": f"order-{number}",
        "email": f"ada{number}@example.com",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def rows(count: int, **changes: Any) -> list[Row]:
    return [row(number, **changes) for number in range(1, count + 1)]


class Again:
    """Rows that a function yields anew each time they are read."""

    def __init__(self, generate: Callable[[], Iterator[Row]]) -> None:
        self._generate = generate

    def __iter__(self) -> Iterator[Row]:
        return self._generate()


def ids(count: int) -> dict[str, int]:
    """Return what ``Sandbox.copies`` answers when so many ``rows`` arrived once each."""
    return {f"order-{number}": 1 for number in range(1, count + 1)}


def run(
    operator: SendConversionsOperator,
    *,
    render: bool = False,
    ti: TaskInstance | None = None,
    deferred: Mapping[str, Any] | None = None,
    **context: Any,
) -> Ran:
    """Execute an operator as a task would.

    :param render: render its templates first, with the context.
    :param deferred: resume after a deferral, with the arguments that it kept.
    """
    ti = ti or TaskInstance()
    # Airflow 3 would write to the terminal.
    vars(operator).update(dict.fromkeys(("_log", "_cached_logger"), logging.getLogger("tests.task")))
    error: BaseException | None = None
    with logged() as log:
        full: Any = {"ti": ti, **context}
        try:
            if render:
                operator.render_template_fields(full)
            returned = operator.execute(full) if deferred is None else operator.resume_delivery(full, None, **deferred)
        except (Exception, AirflowTaskTimeout, TaskDeferred) as raised:  # noqa: BLE001 - tests look at it
            error = raised
    result = ti.pushed.get("pinterest_result", {})
    if error is None:
        assert not operator.do_xcom_push, "Airflow would store the result a second time"
        assert json.loads(json.dumps(returned)) == (result or returned)
        result = result or returned
    if result:
        adds_up(result)
    assert impersonal(log.getvalue())
    assert impersonal(repr(error)), "an error of ours names a person or a secret"
    return Ran(result, error, log.getvalue())


def deliver(**parameters: Any) -> Ran:
    """Run the operator with these parameters."""
    try:
        operator = SendConversionsOperator(task_id="send", **parameters)
    except ParameterError as error:
        refused = error
    else:
        return run(operator)
    assert impersonal(str(refused))
    return Ran({}, refused, "")


def adds_up(result: Mapping[str, Any]) -> None:
    """Check the two sums that always hold, and that every count is a whole number."""
    counts = {name: value for name, value in result.items() if name.startswith(("rows_", "events_"))}
    assert all(type(count) is int and count >= 0 for count in counts.values()), counts
    parts = (
        "events_sent",
        "rows_rejected",
        "rows_excluded",
        "duplicates_dropped",
        "already_sent",
        "validated_only",
        "rows_not_sent",
    )
    assert result["rows_read"] == sum(result[name] for name in parts), result
    assert result["events_sent"] == sum(result[f"events_{end}"] for end in ("processed", "failed", "held")), result


def impersonal(text: str) -> bool:
    """Check that a text holds no address of the tests', no hash and no secret of the sandbox's."""
    found = _PERSONAL.search(text)
    assert found is None, f"{found[0]!r} in {text[max(0, found.start() - 200) : found.end() + 200]!r}"
    return True


@contextlib.contextmanager
def logged() -> Iterator[io.StringIO]:
    """Collect what any library logs, from DEBUG on, with tracebacks."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield text
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


@pytest.fixture
def pinterest(connect: Callable[..., None]) -> Iterator[Sandbox]:
    """Run a local Pinterest that ``pinterest_default`` leads to."""
    with Sandbox() as sandbox:
        connect(sandbox)
        yield sandbox


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set ``pinterest_default``: to a sandbox, with changes; ``extra`` replaces single extras, None removes."""

    def set_connection(
        sandbox: Sandbox | None = None, *, extra: Mapping[str, Any] | None = None, **changes: Any
    ) -> None:
        document = {"conn_type": "pinterest", "extra": {}} if sandbox is None else sandbox.connection()
        extras: Any = {**document["extra"], **(extra or {})}  # type: ignore[dict-item]
        document |= {**changes, "extra": {name: value for name, value in extras.items() if value is not None}}
        document = {name: value for name, value in document.items() if value is not None}
        monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_DEFAULT", json.dumps(document))

    return set_connection


class Warehouse:
    """A SQLite database that the connection ``warehouse`` leads to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def connection_json(self) -> str:
        return json.dumps({"conn_type": "sqlite", "host": str(self.path)})

    def fill(self, table: str, found: Sequence[Row]) -> None:
        """Make a table of rows that share their columns."""
        columns = ", ".join(f'"{name}"' for name in found[0])
        marks = ", ".join("?" * len(found[0]))
        with contextlib.closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(f"CREATE TABLE {table} ({columns})")
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", [tuple(one.values()) for one in found])  # noqa: S608


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    found = Warehouse(tmp_path / "warehouse.db")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", found.connection_json)
    return found


@pytest.fixture
def postgres_warehouse(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> PostgresServer:
    """Let the connection ``warehouse`` lead to PostgreSQL."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", postgres.connection_json)
    return postgres
