"""Waits until a given time, without a worker and without repeated log lines."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from airflow.triggers.base import BaseTrigger, TriggerEvent

LONGEST_SLEEP: Final = 600.0
"""Seconds after which the clock is read again, because it may have been set or the machine suspended."""

LONGEST_DEFERRAL: Final = 86_400.0
"""Seconds."""


class WaitTrigger(BaseTrigger):
    """Fires once at a given time, or at once if the time has passed.

    :param moment: the time, with a time zone.
    """

    def __init__(self, moment: dt.datetime) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if moment.tzinfo is None:
            raise ValueError("moment needs a time zone")
        self.moment = moment.astimezone(dt.UTC)  # Airflow 3.3 cannot read a bare offset again

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments of this trigger."""
        return "airflow_provider_pinterest.triggers.wait.WaitTrigger", {"moment": self.moment}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield one event with the time as ISO 8601 text."""
        await wait_until(self.moment)
        yield TriggerEvent(self.moment.isoformat())  # type: ignore[no-untyped-call]


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


async def wait_until(
    moment: dt.datetime,
    *,
    now: Callable[[], dt.datetime] = _now,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Sleep until the clock has reached a time."""
    while (left := (moment - now()).total_seconds()) > 0:
        await sleep(min(left, LONGEST_SLEEP))


def wake_up_after(seconds: float) -> WaitTrigger:
    """Return a trigger that fires after some seconds, :data:`LONGEST_DEFERRAL` at most."""
    within = max(0.0, seconds) if seconds < LONGEST_DEFERRAL else LONGEST_DEFERRAL  # NaN waits longest
    return WaitTrigger(_now() + dt.timedelta(seconds=within))
