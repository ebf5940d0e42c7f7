"""What differs between the versions of Airflow, in one place."""

from __future__ import annotations

import datetime as dt
import inspect
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import conf

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_pinterest.delivery.checkpoint import StateStore

LONGEST_WAIT: Final = 86_400.0
"""Seconds that a task is deferred at most."""

RETENTION: Final = dt.timedelta(days=90)
"""How long Airflow keeps what an attempt has stored."""

CLOCKS: Final = dt.timedelta(days=1)
"""How far clocks may be apart."""


def state_store(context: Any) -> StateStore | None:
    """Return the task's state store, which Airflow has since 3.3."""
    try:
        store = context["task_state_store"]
    except KeyError:
        return None
    return None if store is None else _Retaining(store)


class _Retaining:
    """A task's state store that keeps what is stored for :data:`RETENTION`."""

    def __init__(self, store: Any) -> None:
        self._store = store
        known = inspect.signature(store.set).parameters
        self._options = {"retention": RETENTION} if "retention" in known else {}

    def get(self, key: str, default: Any = None) -> Any:
        return self._store.get(key, default)

    def set(self, key: str, value: Any) -> None:
        self._store.set(key, value, **self._options)


def may_be_forgotten(context: Any) -> bool:
    """Return whether something that an earlier attempt stored may be gone from the task's state store.

    Airflow may remove it after :data:`RETENTION`, and removes it at the task's success if it is configured to.
    """
    started = getattr(context.get("dag_run"), "start_date", None)
    if isinstance(started, dt.datetime) and started.tzinfo and dt.datetime.now(dt.UTC) - started > RETENTION - CLOCKS:
        return True
    return bool(conf.getboolean("state_store", "clear_on_success", fallback=False))


def wake_up_after(seconds: float) -> BaseTrigger:
    """Return a trigger that fires after some seconds, and within a day."""
    from airflow_provider_pinterest.triggers.wait import WaitTrigger

    within = max(0.0, seconds) if seconds < LONGEST_WAIT else LONGEST_WAIT  # a NaN waits longest
    return WaitTrigger(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=within))
