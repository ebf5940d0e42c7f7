"""Runs without an orchestrator: in this process, or in one of their own in which nobody can import Airflow."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_pinterest.exceptions import PinterestError
from airflow_provider_pinterest.sandbox import Sandbox
from airflow_provider_pinterest.sync import IterableSource, PinterestConnection, SyncOptions, sync
from harness.accounting import imbalances
from tests.running import Ran, impersonal, logged

REPOSITORY = Path(__file__).parents[2]

BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "airflow":
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, Blocked())
"""

_ORCHESTRATOR = re.compile(
    r"\b(Clear|clear(s|ed)? the|Airflow|[Tt]asks?|DAGs?|XCom|[Uu]pstream|Jinja|connection's password)\b"
)


@dataclass
class ObservedRun(Ran):
    """What a run did.

    :param told: what the observer was told, in order.
    """

    told: list[tuple[Any, BaseException | None]]


class Observer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, BaseException | None]] = []

    def ended(self, result: Any, error: BaseException | None) -> None:
        self.told.append((result, error))


def connection(sandbox: Sandbox, **changes: Any) -> PinterestConnection:
    given = {"access_token": sandbox.token, "ad_account_id": sandbox.ad_account_id, "host": sandbox.url}
    return PinterestConnection(**{**given, **changes})


def run(source: Any, sandbox: Sandbox | None, *, call: dict[str, Any] | None = None, **options: Any) -> ObservedRun:
    """Run once, check what holds of every run, and that nothing that it says belongs to an orchestrator.

    :param call: arguments of ``sync`` beside the connection, the options and the observer.
    """
    observer: Any = Observer()
    result: dict[str, Any] = {}
    error: PinterestError | None = None
    arguments = {"connection": sandbox and connection(sandbox), **(call or {}), "observer": observer}
    with logged() as log:
        try:
            rows = IterableSource(source) if isinstance(source, list) else source
            result = sync(rows, SyncOptions(**options), **arguments)
        except PinterestError as raised:
            error = raised
    if observer.told:
        assert observer.told[-1][1] is error
        assert not result or observer.told[-1][0] == result
        result = dict(observer.told[-1][0])
        assert imbalances(result) == []
    for text in (str(error), log.getvalue()):
        assert impersonal(text)
        assert orchestrator_words(text) == []
    return ObservedRun(result, error, log.getvalue(), observer.told)


def orchestrator_words(text: str) -> list[str]:
    """The words of a text that only users of an orchestrator know."""
    return [found[0] for found in _ORCHESTRATOR.finditer(text)]


def program(text: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a Python program that cannot import Airflow."""
    return subprocess.run(
        command(text, *arguments), capture_output=True, text=True, check=False, timeout=100, **options
    )


def command(text: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", BLOCKED + text, *arguments]


def answered(text: str, *arguments: str) -> Any:
    """Run such a program and return the JSON that it prints last."""
    done = program(text, *arguments, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
