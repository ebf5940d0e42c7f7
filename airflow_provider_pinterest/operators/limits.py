"""What the operator's parameters may be."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from airflow_provider_pinterest.conversions.batches import MAX_EVENTS
from airflow_provider_pinterest.delivery.sender import OnDoubt
from airflow_provider_pinterest.exceptions import ParameterError

if TYPE_CHECKING:
    from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

SMALLEST_BATCH: Final = 10_000
"""Bytes that a batch must be allowed at least: one event of the usual size fits several times."""

MOST_IN_FLIGHT: Final = 64
"""Batches under way at once at most: twice what the published limit needs at 300 ms."""

MOST_PROCESSES: Final = 32
"""Processes at most: the task reads and sends for a few only."""


def check(task: SendConversionsOperator) -> None:
    """Refuse limits that cannot work.

    :raises ParameterError: says which.
    """
    if not _whole(task.batch_size) or not 1 <= task.batch_size <= MAX_EVENTS:
        raise ParameterError(f"batch_size must be 1 to {MAX_EVENTS}, got {task.batch_size!r}.")
    if not _whole(task.max_batch_bytes) or task.max_batch_bytes < SMALLEST_BATCH:
        raise ParameterError(f"max_batch_bytes must be {SMALLEST_BATCH} or more, got {task.max_batch_bytes!r}.")
    if not _whole(task.min_events) or task.min_events < 0:
        raise ParameterError(f"min_events must be 0 or more, got {task.min_events!r}.")
    share = isinstance(task.max_rejected, float) and 0 <= task.max_rejected <= 1
    if not share and not (_whole(task.max_rejected) and task.max_rejected >= 0):
        raise ParameterError(
            "max_rejected must be a number of rows (int) or a share from 0.0 to 1.0 (float), "
            f"got {task.max_rejected!r}."
        )
    if not _whole(task.max_in_flight) or not 1 <= task.max_in_flight <= MOST_IN_FLIGHT:
        raise ParameterError(f"max_in_flight must be 1 to {MOST_IN_FLIGHT}, got {task.max_in_flight!r}.")
    if not _whole(task.processes) or not 0 <= task.processes <= MOST_PROCESSES:
        raise ParameterError(f"processes must be 0 to {MOST_PROCESSES}, got {task.processes!r}.")
    if not isinstance(task.max_wait, dt.timedelta) or task.max_wait < dt.timedelta():
        raise ParameterError(f"max_wait must be a timedelta of zero or more, got {task.max_wait!r}.")
    if not isinstance(task.defer_after, dt.timedelta) or task.defer_after < dt.timedelta():
        raise ParameterError(f"defer_after must be a timedelta of zero or more, got {task.defer_after!r}.")
    if not isinstance(task.send_everything_again, bool):
        raise ParameterError(f"send_everything_again must be True or False, got {task.send_everything_again!r}.")
    if task.on_doubt not in (None, *OnDoubt):
        raise ParameterError(f"on_doubt must be 'resend', 'hold' or None, got {task.on_doubt!r}.")
    if task.max_event_age is not None and not (
        isinstance(task.max_event_age, dt.timedelta) and task.max_event_age > dt.timedelta()
    ):
        raise ParameterError(f"max_event_age must be a positive timedelta, got {task.max_event_age!r}.")


def boolean(name: str, value: object) -> bool:
    """Read a switch, which a template may have rendered to text.

    :raises ParameterError: it is neither true nor false.
    """
    word = str(value).strip().lower()
    if word in ("true", "false"):
        return word == "true"
    raise ParameterError(f"{name} must be true or false, got {value!r}.")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
