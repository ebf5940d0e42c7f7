"""Run the operator as a task does, against the local Pinterest, and check what must hold after every run.

After every run its two sums add up, and its log holds no address, no hash and no token.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, TaskDeferred

from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from airflow_provider_pinterest.sandbox import Sandbox
from harness.accounting import imbalances
from harness.task import RecordingTaskInstance

Row = dict[str, Any]

_PERSONAL = re.compile(r"\S+@example\.com|\b[0-9a-fA-F]{64}\b|pin[ar]_\w+|" + re.escape(Sandbox.app_secret))


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
    ti: RecordingTaskInstance | None = None,
    deferred: Mapping[str, Any] | None = None,
    **context: Any,
) -> Ran:
    """Execute an operator as a task would.

    :param render: render its templates first, with the context.
    :param deferred: resume after a deferral, with the arguments that it kept.
    """
    ti = ti or RecordingTaskInstance()
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
        assert imbalances(result) == []
    assert impersonal(log.getvalue())
    assert impersonal(repr(error)), "an error of ours names a person or a secret"
    return Ran(result, error, log.getvalue())


def deliver(*, render: Mapping[str, Any] | None = None, **parameters: Any) -> Ran:
    """Run the operator with these parameters.

    :param render: a context to render its templates with first.
    """
    try:
        operator = SendConversionsOperator(task_id="send", **parameters)
    except ParameterError as error:
        refused = error
    else:
        return run(operator, render=render is not None, **(render or {}))
    assert impersonal(str(refused))
    return Ran({}, refused, "")


def refusal(pinterest: Sandbox, **parameters: Any) -> str:
    """Check that these parameters are refused before any call, and return the message."""
    ran = deliver(**parameters)
    assert isinstance(ran.error, ParameterError)
    assert pinterest.calls() == []
    return ran.said


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
