"""Batches among others: how many are under way, in which order they end, and what ends the run."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_pinterest.api.events_endpoint import EventsEndpoint
from airflow_provider_pinterest.api.rate_limit import Stopped
from airflow_provider_pinterest.conversions.batches import Batch
from airflow_provider_pinterest.conversions.outcomes import Event
from airflow_provider_pinterest.delivery.checkpoint import RowsHash
from airflow_provider_pinterest.delivery.dispatcher import Dispatcher, InFlightBatch
from airflow_provider_pinterest.delivery.pipeline import Mailbox
from airflow_provider_pinterest.delivery.sections import RowCounts, Section
from airflow_provider_pinterest.exceptions import PinterestError
from tests.api.wire import WireScenario
from tests.delivery.world import batch, event, row_batches
from tests.waiting import SOON, until


def flight(events: Batch) -> InFlightBatch:
    rows = [one.row for one in events.events] or [1]
    counts = RowCounts(rows=len(rows), events=len(events.events))
    return InFlightBatch(Section(rows[0], rows[-1], counts, events.events, (), "", RowsHash()), events)


class FakeSender:
    """Delivers as a function says."""

    def __init__(self, deliver):
        self.stopped = False
        self._deliver = deliver

    def deliver(self, batch_, outcome, announce):
        return self._deliver(batch_, announce)


def dispatcher(deliver, size, wake=lambda: None):
    sender: Any = FakeSender(deliver)
    return Dispatcher(sender, size, wake)


def threads_cannot_start(monkeypatch, *, after=0):
    start, begun = threading.Thread.start, []

    def refuse(self):
        if self.name.startswith("pinterest-") and self.name != "pinterest-source":
            begun.append(self)
            if len(begun) > after:
                raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_a_batch_without_events_is_done_and_was_not_dispatched():
    made = dispatcher(lambda *_: pytest.fail("nothing to send"), 4)
    empty = flight(Batch(()))

    made.dispatch(empty, 1)

    assert empty.done
    assert not empty.dispatched


@pytest.mark.parametrize("size", [1, 3])
def test_no_more_batches_are_sent_at_once_than_the_size(size):
    gate, lock, now, most = threading.Event(), threading.Lock(), [0], [0]

    def slow(*_):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        gate.wait(SOON)
        with lock:
            now[0] -= 1

    made = dispatcher(slow, size)
    flights = [flight(batch(1, row)) for row in range(1, 8)]
    for under_way, one in enumerate(flights, 1):
        made.dispatch(one, under_way)
    until(lambda: now[0] == size)
    gate.set()
    until(lambda: all(one.done for one in flights))
    made.close()

    assert most[0] == size


def test_the_run_is_woken_after_each_batch_is_done():
    woken, seen = threading.Event(), []
    one = flight(batch(1))

    def wake():
        seen.append(one.done)
        woken.set()

    made = dispatcher(lambda *_: None, 1, wake)
    made.dispatch(one, 1)

    assert woken.wait(SOON)
    assert seen == [True]
    made.close()


def test_what_breaks_a_batch_is_kept_with_it_and_the_thread_sends_the_next():
    def breaks(batch_, announce):
        if batch_.events[0].row == 1:
            raise ZeroDivisionError

    made = dispatcher(breaks, 1)
    bad, good = flight(batch(1, 1)), flight(batch(1, 2))
    made.dispatch(bad, 1)
    made.dispatch(good, 2)
    until(lambda: bad.done and good.done)
    made.close()

    assert isinstance(bad.failure, ZeroDivisionError)
    assert good.failure is None


def test_the_first_thread_that_cannot_start_fails_the_dispatch(monkeypatch):
    threads_cannot_start(monkeypatch)
    made = dispatcher(lambda *_: None, 2)
    one = flight(batch(1))

    with pytest.raises(PinterestError, match="A thread to send events could not be started"):
        made.dispatch(one, 1)

    assert not one.dispatched


def test_the_threads_that_there_are_do_the_work_of_one_that_cannot_start(monkeypatch):
    threads_cannot_start(monkeypatch, after=1)
    made = dispatcher(lambda *_: None, 4)
    flights = [flight(batch(1, row)) for row in range(1, 5)]
    for under_way, one in enumerate(flights, 1):
        made.dispatch(one, under_way)

    until(lambda: all(one.done for one in flights))
    made.close()


class Announcing:
    """A batch whose sender announces its events, and notes what it is told then."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.woken = threading.Event()
        self.dispatcher = dispatcher(self._deliver, 1, self.woken.set)
        self.flight = flight(batch(2, offline=True))

    def _deliver(self, batch_, announce):
        try:
            announce(batch_.events)
        except Stopped as stopped:
            self.told.append("stop")
            return stopped
        self.told.append("send")
        return None


def test_a_batch_waits_until_the_checkpoint_names_its_events():
    made = Announcing()
    made.dispatcher.dispatch(made.flight, 1)

    assert made.woken.wait(SOON)
    written = made.flight.wants_to_send
    assert written is not None
    assert made.flight.outcome.snapshot().announced == {1, 2}
    assert made.told == []
    written.set()
    until(lambda: made.flight.done)

    assert made.told == ["send"]
    made.dispatcher.close()


@pytest.mark.parametrize("written", [False, True])
def test_a_batch_that_waits_for_the_checkpoint_is_not_sent_after_a_stop(written):
    made = Announcing()
    made.dispatcher.dispatch(made.flight, 1)
    assert made.woken.wait(SOON)

    sender: Any = made.dispatcher.sender
    sender.stopped = True
    if written:
        assert made.flight.wants_to_send is not None
        made.flight.wants_to_send.set()
    until(lambda: made.flight.done)

    assert made.told == ["stop"]
    assert isinstance(made.flight.error, Stopped)
    made.dispatcher.close()


class TestMailbox:
    def test_waking_before_the_wait_is_not_lost(self):
        mailbox = Mailbox()
        mailbox.wake()
        started = time.monotonic()
        mailbox.wait(SOON)

        assert time.monotonic() - started < 1

    def test_several_reasons_are_one(self):
        mailbox = Mailbox()
        for _ in range(3):
            mailbox.wake()
        mailbox.wait(SOON)
        started = time.monotonic()
        mailbox.wait(0.05)

        assert time.monotonic() - started >= 0.04

    def test_a_wait_ends_without_any_reason(self):
        Mailbox().wait(0.01)


# ---- among the parts of a run ----


@pytest.mark.parametrize("in_flight", [1, 2, 5])
def test_as_many_calls_are_under_way_as_may_be_and_never_more(pinterest, in_flight):
    pinterest.fault("delay", seconds=0.05)
    WireScenario(pinterest.url, ["web"] * 150, in_flight=in_flight, batch_size=5).run_attempt()

    assert max(call.in_flight for call in pinterest.calls()) == in_flight


def test_the_first_batch_goes_alone_until_it_is_answered(pinterest):
    pinterest.fault("delay", seconds=0.1, times=1)
    WireScenario(pinterest.url, ["web"] * 100, in_flight=5, batch_size=5).run_attempt()

    calls = pinterest.calls()
    assert calls[0].in_flight == 1
    assert all(call.number > calls[0].number for call in calls if call.in_flight > 1)


def test_the_first_batch_goes_alone_even_when_rejected_rows_were_settled_before_it(pinterest):
    """No token was tried with those."""
    pinterest.fault("delay", seconds=0.1, times=1)
    WireScenario(pinterest.url, ["invalid"] * 20 + ["web"] * 40, in_flight=4, batch_size=5).run_attempt()

    assert pinterest.calls()[0].in_flight == 1
    assert all(call.in_flight == 1 for call in pinterest.calls() if call.number == 1)


def test_the_prefix_grows_in_the_order_of_the_rows_however_the_batches_end(pinterest):
    """The second batch takes longest; those behind it are settled and wait for it."""
    pinterest.fault("delay", seconds=0.3, after=1, times=1)
    scenario = WireScenario(pinterest.url, ["web"] * 60, in_flight=4, batch_size=5)
    prefixes = []
    keep = scenario.store.set

    def kept(key, value):
        prefixes.append((value["rows"], [(one[0], one[1]) for one in value["pending"]]))
        keep(key, value)

    scenario.store.set = kept  # type: ignore[assignment, method-assign]
    run = scenario.run_attempt()

    assert run.finished
    rows = [rows for rows, _ in prefixes]
    assert rows == sorted(rows)
    assert rows[-1] == 60
    for prefix, pending in prefixes:
        ends = [prefix, *(last for _, last in pending)]
        assert [first for first, _ in pending] == [end + 1 for end in ends[:-1]], "gaps"


def test_a_run_that_cannot_start_a_thread_to_send_fails_and_does_not_hang(pinterest, monkeypatch):
    scenario = WireScenario(pinterest.url, ["offline"] * 20)
    with monkeypatch.context() as patch:
        threads_cannot_start(patch)
        started = time.monotonic()
        with pytest.raises(PinterestError, match="A thread to send events could not be started"):
            scenario.run_attempt()

    assert time.monotonic() - started < SOON
    counters = scenario.run.counters
    assert counters.rows_not_sent == counters.events_built > 0
    assert pinterest.calls() == []
    assert scenario.run_attempt().finished
    assert set(pinterest.copies().values()) == {1}
    assert scenario.folder.lines() == []


def test_a_run_that_cannot_start_a_thread_to_read_fails_and_does_not_hang(pinterest, monkeypatch):
    scenario = WireScenario(pinterest.url, ["web"] * 20)

    def refuse(self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(PinterestError, match="A thread to read the source could not be started"):
            scenario.run_attempt()

    assert pinterest.calls() == []
    assert scenario.run_attempt().finished


def test_a_bug_in_a_thread_ends_the_run_stops_the_others_and_the_next_try_sends_nothing_twice(pinterest, monkeypatch):
    scenario = WireScenario(pinterest.url, ["offline"] * 60, batch_size=5)
    send = EventsEndpoint.send
    calls = []

    def breaks(self, account, body, events, **options):
        calls.append(1)
        if len(calls) == 5:
            raise ZeroDivisionError
        return send(self, account, body, events, **options)

    with monkeypatch.context() as patch:
        patch.setattr(EventsEndpoint, "send", breaks)
        with pytest.raises(ZeroDivisionError):
            scenario.run_attempt()
    assert len(calls) < 12
    counters = scenario.run.counters
    assert counters.events_sent + counters.rows_not_sent == counters.events_built

    assert scenario.run_attempt().finished
    assert set(pinterest.copies().values()) == {1}
    held = {line["event_id"] for line in scenario.folder.lines()}
    assert len(held) in (0, 5, 10, 15), "what was under way, and no more; not the batch that was never begun"
    assert len(pinterest.copies().keys() | held) == 60


@pytest.mark.parametrize("in_flight", [1, 3])
def test_the_source_is_never_read_more_than_a_few_batches_ahead(pinterest, in_flight):
    """However fast it is and however slow Pinterest."""
    pinterest.fault("delay", seconds=0.005)
    scenario = WireScenario(pinterest.url, ["web"] * 200, in_flight=in_flight, batch_size=5)
    ahead = []

    def counting():
        for number, row_batch in enumerate(row_batches(scenario.kinds, 1), 1):
            ahead.append(number - sum(call.accepted for call in pinterest.calls()))
            yield row_batch

    scenario.run_attempt(source=counting())

    assert max(ahead) <= (in_flight + 3 + 1) * 5
    assert len(pinterest.copies()) == 200


def test_each_event_of_an_in_flight_batch_is_in_its_rows():
    events: list[Event] = [event(row) for row in (1, 2, 5)]

    assert list(flight(Batch(events)).rows.rows()) == [1, 2, 5]


def test_a_batch_that_ends_with_an_error_is_done_with_it():
    error: Any = SimpleNamespace()
    made = dispatcher(lambda *_: error, 1)
    one = flight(batch(1))
    made.dispatch(one, 1)
    until(lambda: one.done)

    assert one.error is error
    made.close()
