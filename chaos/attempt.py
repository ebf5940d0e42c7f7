"""One attempt of the task in a separate process, with the parts of Airflow that the operator needs."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from http.client import CONFLICT
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import requests
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.providers.sqlite.hooks.sqlite import SqliteHook

from airflow_provider_pinterest.delivery.checkpoint import KEY
from airflow_provider_pinterest.exceptions import DeliveryError, PinterestError
from airflow_provider_pinterest.operators import task_runner  # noqa: F401 - loaded once, for all attempts
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from airflow_provider_pinterest.sources.sql import SqlSource
from chaos.fragile import break_connections
from chaos.warehouse import SQL
from harness.task import RecordingTaskInstance

log = logging.getLogger(__name__)

MAX_IN_FLIGHT: Final = 4
BATCH: Final = 500

STALLS: Final = (0.05, 0.2, 0.5, 2.0)
"""Seconds for which the source stalls."""

LONG_STALL: Final = 9.0
"""Seconds for which the source stalls while the attempt receives SIGTERM."""


class Exit(IntEnum):
    """How an attempt ended."""

    DELIVERED = 0
    STOPPED = 1
    DELIVERED_AND_HELD = 3
    SOURCE_CHANGED = 4
    NOT_KNOWN_WHAT_WAS_SENT = 5
    FAILED_FOR_GOOD = 6
    CRASHED = 7
    REPLACED = 8
    NOT_RETRIED = 9


@dataclass(frozen=True)
class AttemptPlan:
    """The parameters of an attempt.

    :param number: from 1.
    :param max_tries: Airflow's.
    :param retries: the operator's.
    :param processes: the operator's.
    :param send_everything_again: the operator's.
    :param store: address of the state store.
    :param rows: of the source.
    :param stalls: how often the source stalls.
    :param long_stall: the row before which it stalls for a long time, if any.
    :param breaks: whether the source fails at some row.
    :param seed: selects these rows.
    :param outcomes: whether there is an outcome table.
    :param broken_steps: number of a statement or commit for the outcome table → how it is interrupted.
    """

    number: int
    max_tries: int
    retries: int
    processes: int
    send_everything_again: bool
    store: str
    rows: int
    stalls: int
    long_stall: int | None
    breaks: bool
    seed: int
    outcomes: bool = False
    broken_steps: Mapping[int, str] = field(default_factory=dict)


class ReplacedError(Exception):
    """Another attempt is the current one."""


class RemoteStore:
    """Airflow's task state store, as seen by the current attempt or an earlier one."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, key: str, default: Any = None) -> Any:
        """Return the stored value; an earlier attempt gets the default."""
        assert key == KEY
        value = requests.get(self._url, timeout=60).json()
        return default if value is None else value

    def set(self, key: str, value: Any) -> None:
        """Store something.

        :raises ReplacedError: this attempt is not the current one.
        """
        assert key == KEY
        assert json.loads(json.dumps(value)) == value, "Airflow accepts only JSON values, not tuples"
        answer = requests.put(self._url, json=value, timeout=60)
        if answer.status_code == CONFLICT:
            raise ReplacedError
        answer.raise_for_status()


class StallingHook(SqliteHook):
    """A warehouse that sometimes stalls or fails."""

    def __init__(self, attempt: AttemptPlan, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        chance = random.Random(attempt.seed)
        self._stalls = {chance.randrange(attempt.rows): chance.choice(STALLS) for _ in range(attempt.stalls)}
        if attempt.long_stall is not None:
            self._stalls[attempt.long_stall] = LONG_STALL
        self._breaks = chance.randrange(attempt.rows) if attempt.breaks else None

    def get_conn(self) -> sqlite3.Connection:
        """Return a connection with the function that stalls."""
        connection = super().get_conn()
        connection.create_function("pause", 1, self._pause)
        return connection

    def _pause(self, position: float) -> bool:
        if position in self._stalls:
            time.sleep(self._stalls.pop(int(position)))
        if position == self._breaks:
            raise RuntimeError
        return True


class StormOperator(SendConversionsOperator):
    """The operator with a source that stalls."""

    attempt: AttemptPlan

    def source(self, context: Any) -> SqlSource:  # noqa: ARG002
        """Return the source of the rows."""
        assert self.sql is not None
        return SqlSource(StallingHook(self.attempt, sqlite_conn_id="warehouse"), self.sql)


class FileTaskInstance(RecordingTaskInstance):
    """A task instance that stores its result in a file for the parent process."""

    def __init__(self, folder: Path, attempt: AttemptPlan) -> None:
        super().__init__(try_number=attempt.number, max_tries=attempt.max_tries)
        self._result = result_of(folder, attempt.number)

    def xcom_push(self, key: str, value: Any, **_: Any) -> None:
        """Store a pushed value."""
        del key
        new = self._result.with_suffix(".new")
        new.write_text(json.dumps(value))
        new.replace(self._result)


def result_of(folder: Path, number: int) -> Path:
    """Return where an attempt's result is."""
    return folder / f"result-{number}.json"


def fork_attempt(folder: Path, attempt: AttemptPlan) -> int:
    """Start an attempt in a child process and return its pid; it exits with a value of :class:`Exit`."""
    pid = os.fork()
    if pid:
        return pid
    code = Exit.CRASHED
    try:
        descriptor = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        form = f"%(asctime)s attempt {attempt.number} (%(process)d) %(message)s"
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, force=True, format=form)
        log.info("%s", attempt)
        if attempt.outcomes:
            break_connections(dict(attempt.broken_steps))
        operator = StormOperator(
            task_id="send",
            sql=SQL,
            sql_conn_id="warehouse",
            rejects_path=f"file://{folder}/rejects",
            max_rejected=1.0,
            batch_size=BATCH,
            max_in_flight=MAX_IN_FLIGHT,
            processes=attempt.processes,
            retries=attempt.retries,
            send_everything_again=attempt.send_everything_again,
            outcomes_conn_id="outcomes" if attempt.outcomes else None,
            skip_already_sent=attempt.outcomes,
        )
        operator.attempt = attempt
        signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
        ti = FileTaskInstance(folder, attempt)
        context: Any = {
            "ti": ti,
            "task": SimpleNamespace(retries=attempt.retries),
            "task_state_store": RemoteStore(f"{attempt.store}/attempts/{attempt.number}/state"),
        }
        operator.execute(context)
        code = Exit.DELIVERED
    except BaseException as error:  # noqa: BLE001 - an attempt may end in any way
        traceback.print_exc()
        code = _exit(error)
    finally:
        os._exit(code)


def _exit(error: BaseException) -> Exit:
    """Return how an attempt ended that raised an exception."""
    message = str(error)
    match error:
        case AirflowFailException() if "outcome is unknown" in message:
            return Exit.DELIVERED_AND_HELD
        case AirflowFailException() if "changed since the previous attempt" in message:
            return Exit.SOURCE_CHANGED
        case AirflowFailException() if "it is not known what an earlier one sent" in message:
            return Exit.NOT_KNOWN_WHAT_WAS_SENT
        case AirflowFailException() if isinstance(
            error, DeliveryError
        ):  # Airflow does not retry; a person clears the task
            return Exit.NOT_RETRIED
        case AirflowFailException():
            return Exit.FAILED_FOR_GOOD
        case AirflowException() | PinterestError():
            return Exit.STOPPED
        case ReplacedError():
            return Exit.REPLACED
    return Exit.CRASHED
