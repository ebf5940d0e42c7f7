"""What differs between the versions of Airflow, in one place."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_pinterest.delivery.checkpoint import StateStore


def state_store(context: Any) -> StateStore | None:
    """Return the task's state store, which Airflow has since 3.3."""
    try:
        return context["task_state_store"]  # type: ignore[no-any-return]
    except KeyError:
        return None


def wake_up_after(seconds: float) -> BaseTrigger:
    """Return a trigger that fires after so many seconds; in core up to 2.x, in the standard provider since."""
    try:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger
    except ImportError:
        from airflow.triggers.temporal import DateTimeTrigger  # type: ignore[import-not-found,no-redef,unused-ignore]
    return DateTimeTrigger(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds))
