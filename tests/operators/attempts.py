"""The attempts of one task instance, counted as Airflow counts them, with what it keeps between them."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from airflow.providers.common.compat.sdk import DAG, TaskDeferred

from airflow_provider_pinterest.decorators.pinterest_conversions import pinterest_conversions_task
from airflow_provider_pinterest.delivery.checkpoint import KEY
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from harness.task import MemoryStateStore, RecordingTaskInstance
from tests.running import Ran, Row, rows, run

DAY = 86_400
TIMES = frozenset({"clock", "written", "ahead_since", "unknown_before"})


class Life:
    """A task instance over its attempts.

    :param retries: of the task.
    :param remembers: whether Airflow has a task state store.
    :param parameters: of the operator, the same for every attempt unless an attempt says otherwise.
    """

    def __init__(self, *, retries: int = 1, remembers: bool = True, **parameters: Any) -> None:
        self.retries = retries
        self.parameters = parameters
        self.remembers = remembers
        self.store = MemoryStateStore()
        self.max_tries = retries
        self.tries = 0
        self.cleared = 0
        self.started = dt.datetime.now(dt.UTC)
        self.deferred: Any = None
        self.killed = False
        """Whether the next attempt is told to stop before it begins."""

    def attempt(self, **changes: Any) -> Ran:
        """Make the next attempt."""
        self.tries += 1
        return self._run(None, changes)

    def clear(self, **changes: Any) -> Ran:
        """Clear the task, as a person does, and make the attempt that follows."""
        self.max_tries = self.tries + self.retries
        self.cleared += 1
        return self.attempt(**changes)

    def kill(self) -> None:
        """Tell the attempt under way to stop."""
        self.operator.on_kill()

    def wake(self, deferred: Any = None, **changes: Any) -> Ran:
        """Let a deferred attempt continue.

        :param deferred: the arguments of the deferral; the last one's by default.
        """
        kept = self.deferred.kwargs if deferred is None else deferred
        return self._run(json.loads(json.dumps(kept)), changes)

    def _run(self, deferred: Any, changes: dict[str, Any]) -> Ran:
        parameters = {**self.parameters, **changes}
        self.operator = operator = _operator(parameters)
        if self.killed:
            operator.on_kill()
        context: dict[str, Any] = {"task_state_store": self.store} if self.remembers else {}
        context |= {
            "task": SimpleNamespace(retries=self.retries),
            "dag_run": SimpleNamespace(clear_number=self.cleared, start_date=self.started),
        }
        ran = run(
            operator,
            ti=RecordingTaskInstance(try_number=self.tries, max_tries=self.max_tries),
            deferred=deferred,
            **context,
        )
        self.deferred = ran.error if isinstance(ran.error, TaskDeferred) else None
        return ran

    @property
    def state(self) -> Any:
        """What is stored."""
        return self.store.get(KEY)

    @state.setter
    def state(self, value: Any) -> None:
        self.store.set(KEY, value)

    def let_pass(self, seconds: float) -> None:
        """Let time pass: move every time in the stored state back."""
        self.state = earlier(self.state, seconds)


def _operator(parameters: dict[str, Any]) -> SendConversionsOperator:
    """Return an operator; with the parameter ``function``, that of the decorated function."""
    function = parameters.pop("function", None)
    if function is None:
        return SendConversionsOperator(task_id="send", **parameters)
    with DAG("shop", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)):
        del parameters["events"]
        decorated: Any = pinterest_conversions_task(function, task_id="send", **parameters)
        made = decorated().operator
    assert isinstance(made, SendConversionsOperator)
    return made


def earlier(state: Any, seconds: float) -> Any:
    """Return a stored state as if it had been stored earlier."""
    moved = {name: value - seconds if name in TIMES and value else value for name, value in state.items()}
    if "pending" in moved:
        moved["pending"] = [[*one[:4], one[4] - seconds, *one[5:]] for one in moved["pending"]]
    if moved.get("earlier"):
        moved["earlier"] = earlier(moved["earlier"], seconds)
    return moved


@contextmanager
def failing(pinterest: Any, kind: str = "status", **options: Any) -> Iterator[None]:
    """Give the local Pinterest a fault, and take all its faults away afterwards."""
    pinterest.fault(kind, **options)
    yield
    pinterest.clear_faults()


def broken_off(pinterest: Any, life: Life, *, after: int = 2, clear: bool = False, **changes: Any) -> Ran:
    """Make an attempt that Pinterest stops accepting after some calls, and let it accept again.

    :param clear: whether the task is cleared before.
    """
    with failing(pinterest, status=503, after=after):
        return life.clear(**changes) if clear else life.attempt(**changes)


def finished(events: list[Row] | None = None, **changes: Any) -> Life:
    """Return a task that has made its first attempt; see :func:`small`."""
    life = Life(**small(events, **changes))
    life.attempt()
    return life


def interrupted(pinterest: Any, events: list[Row] | None = None, *, after: int = 2, **changes: Any) -> Life:
    """Return a task whose first attempt was broken off after some calls; see :func:`small`."""
    life = Life(**small(events, **changes))
    broken_off(pinterest, life, after=after)
    return life


def small(events: list[Row] | None = None, **changes: Any) -> dict[str, Any]:
    """Return parameters with which ten rows make five calls, one after another."""
    return {
        "events": rows(10) if events is None else events,
        "batch_size": 2,
        "max_in_flight": 1,
        "max_wait": dt.timedelta(),
        **changes,
    }


def offline(count: int = 10, **changes: Any) -> list[Row]:
    """Return rows whose events Pinterest does not deduplicate."""
    return rows(count, action_source="offline", **changes)


def last_line(text: str) -> str:
    """Return the last line of a text that is not empty."""
    return [line for line in text.splitlines() if line.strip()][-1]


def logged_ending(log: str) -> str:
    """Return the end of a log, which says in several lines what was delivered and what comes next, as one line."""
    *_, ending = re.split(r"^(?=This attempt |[\d,]+ of [\d,]+ events )", log, flags=re.MULTILINE)
    return " ".join(ending.split())


def copies(*counts: tuple[int, int, int]) -> dict[str, int]:
    """Return how many copies there are, from ranges: first, last, copies."""
    return {f"order-{number}": count for first, last, count in counts for number in range(first, last + 1)}
