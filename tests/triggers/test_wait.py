"""A deferred task comes back at its moment, once, and the triggerer's log stays empty meanwhile."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import time

import pytest
from airflow.models.trigger import Trigger
from airflow.serialization.serialized_objects import BaseSerialization
from airflow.triggers.base import TriggerEvent

from airflow_provider_pinterest.triggers.wait import WaitTrigger, wait_until, wake_up_after

START = dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC)


class TriggerClock:
    """A wall clock that moves when somebody sleeps; ``steps`` are put on top, one a sleep."""

    def __init__(self, *steps: float) -> None:
        self.time = START
        self.slept: list[float] = []
        self._steps = list(steps)

    def now(self) -> dt.datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        step = self._steps.pop(0) if self._steps else 0
        self.time += dt.timedelta(seconds=seconds + step)


def wait(clock, seconds):
    asyncio.run(wait_until(START + dt.timedelta(seconds=seconds), now=clock.now, sleep=clock.sleep))
    return (clock.time - START).total_seconds()


def events(trigger):
    async def collect():
        return [event async for event in trigger.run()]

    return asyncio.run(collect())


def load(classpath, kwargs):
    """Make a trigger as the triggerer does, from what stands in its table."""
    from airflow.jobs.triggerer_job_runner import TriggerRunner

    row = Trigger(classpath=classpath, kwargs=kwargs)
    runner = TriggerRunner.__new__(TriggerRunner)
    runner.trigger_cache = {}
    return runner.get_trigger_by_classpath(row.classpath)(**Trigger._decrypt_kwargs(row.encrypted_kwargs))


def test_a_short_wait_is_one_sleep():
    clock = TriggerClock()

    assert wait(clock, 90) == 90
    assert clock.slept == [90]


def test_a_long_wait_looks_at_the_clock_now_and_then():
    clock = TriggerClock()

    assert wait(clock, 86_400) == 86_400
    assert len(clock.slept) < 200
    assert max(clock.slept) <= 3_600


@pytest.mark.parametrize("seconds", [0, -1, -86_400])
def test_a_moment_that_has_passed_is_not_waited_for(seconds):
    clock = TriggerClock()

    wait(clock, seconds)

    assert clock.slept == []


def test_a_suspended_machine_does_not_wait_anew():
    clock = TriggerClock(7_200)

    assert wait(clock, 7_500) == 7_800


def test_a_clock_that_is_set_back_is_followed():
    assert wait(TriggerClock(-3_600), 1_200) == 1_200


def test_a_sleep_that_ends_early_goes_on():
    assert wait(TriggerClock(-0.2), 10) == 10


def test_it_fires_once_and_not_before_its_moment(caplog):
    caplog.set_level(logging.DEBUG, logger="airflow")
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.2)

    assert events(WaitTrigger(moment)) == [TriggerEvent(moment.isoformat())]
    assert 0 <= (dt.datetime.now(dt.UTC) - moment).total_seconds() < 5
    assert "sleep" not in caplog.text


def test_other_triggers_run_meanwhile():
    async def fire(seconds):
        moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
        return await anext(WaitTrigger(moment).run())

    async def both():
        later = asyncio.create_task(fire(86_400))
        first = await fire(0)
        later.cancel()
        return first

    assert isinstance(asyncio.run(both()), TriggerEvent)


def test_a_moment_needs_a_time_zone():
    with pytest.raises(ValueError, match="time zone"):
        WaitTrigger(dt.datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("zone", [dt.UTC, dt.timezone(dt.timedelta(hours=2))])
def test_the_triggerer_makes_the_same_trigger_again(zone):
    trigger = WaitTrigger(START.astimezone(zone))

    again = load(*trigger.serialize())

    assert type(again) is WaitTrigger
    assert again.moment == trigger.moment
    assert again.serialize() == trigger.serialize()
    assert repr(again) == repr(trigger)


def test_a_trigger_that_was_made_again_fires():
    moment = dt.datetime.now(dt.UTC)

    assert events(load(*WaitTrigger(moment).serialize())) == [TriggerEvent(moment.isoformat())]


@pytest.mark.parametrize("zone", [dt.UTC, dt.timezone(dt.timedelta(hours=2))])
def test_the_task_s_side_of_airflow_3_writes_it_so_that_it_can_be_read(zone):
    serde = pytest.importorskip("airflow.sdk.serde")
    _, kwargs = WaitTrigger(START.astimezone(zone)).serialize()

    written = json.dumps(serde.serialize(kwargs))
    read = Trigger._decrypt_kwargs(written)

    assert WaitTrigger(**read).moment == START


def test_its_arguments_and_its_event_are_json():
    classpath, kwargs = WaitTrigger(START).serialize()

    written = json.dumps(BaseSerialization.serialize(kwargs))
    assert BaseSerialization.deserialize(json.loads(written)) == kwargs
    assert classpath in repr(WaitTrigger(START))


@pytest.mark.parametrize(
    ("seconds", "waits"),
    [
        (60, 60),
        (0.5, 0.5),
        (0, 0),
        (-5, 0),
        (999_999_999, 86_400),
        (float("inf"), 86_400),
        (float("nan"), 86_400),
    ],
)
def test_a_task_wakes_up_after_so_many_seconds_within_a_day(seconds, waits):
    trigger = wake_up_after(seconds)

    assert isinstance(trigger, WaitTrigger)
    assert abs(trigger.moment.timestamp() - time.time() - waits) < 5
