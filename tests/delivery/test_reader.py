"""A source that stalls or breaks while batches are under way, with real threads."""

from __future__ import annotations

import threading
import time

import pytest

from airflow_provider_pinterest.api.rate_limit import Stopped
from airflow_provider_pinterest.conversions.batches import Batcher
from airflow_provider_pinterest.delivery import reader
from airflow_provider_pinterest.delivery.checkpoint import KEY, Checkpoint, RowsHash
from airflow_provider_pinterest.delivery.reader import ReadAhead, Reading
from airflow_provider_pinterest.delivery.sections import RowCounts, Section, SectionCutter
from airflow_provider_pinterest.delivery.stored_state import read_state
from tests.api.wire import WireScenario
from tests.delivery.world import InterruptedTask, event, once, row_batches
from tests.waiting import SOON, until


class Stalling:
    """A source that yields row_batches of five rows and stalls after some of them."""

    def __init__(self, kinds, after):
        self.kinds = kinds
        self.after = after
        self.stalls = threading.Event()
        self.go_on = threading.Event()

    def __iter__(self):
        for number, row_batch in enumerate(row_batches(self.kinds, 5)):
            if number == self.after:
                self.stalls.set()
                assert self.go_on.wait(60)
            yield row_batch


class Background:
    """A scenario in a thread of its own, whose source stalls."""

    def __init__(self, scenario, source):
        self.scenario = scenario
        self.error: BaseException | None = None
        self._source = source
        self.thread = threading.Thread(target=self._go, daemon=True)

    def __enter__(self):
        self.thread.start()
        assert self._source.stalls.wait(SOON)
        return self

    def __exit__(self, *_):
        self._source.go_on.set()
        self.thread.join(SOON)

    def _go(self):
        try:
            self.scenario.run_attempt(source=iter(self._source))
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            self.error = error


def stored(scenario):
    found = scenario.store.get(KEY)
    state = read_state(found) if found else None
    assert state is None or isinstance(state, Checkpoint)
    return state


@pytest.mark.parametrize("kind", ["web", "offline"])
def test_batches_are_settled_and_stored_while_the_source_stalls(pinterest, kind):
    source = Stalling([kind] * 60, after=6)
    scenario = WireScenario(pinterest.url, source.kinds, batch_size=5, in_flight=1)
    with Background(scenario, source) as background:
        until(lambda: (state := stored(scenario)) and state.rows == 30)
        assert not source.go_on.is_set()
        assert len(pinterest.copies()) == 30
        assert stored(scenario).delivered.processed == 30
        source.go_on.set()
        background.thread.join(SOON)

    assert background.error is None
    assert pinterest.copies() == once(60)


@pytest.mark.parametrize("in_flight", [2, 4])
def test_with_several_batches_under_way_a_checkpoint_comes_within_two_seconds(pinterest, in_flight):
    source = Stalling(["web"] * 60, after=6)
    scenario = WireScenario(pinterest.url, source.kinds, batch_size=5, in_flight=in_flight)
    with Background(scenario, source):
        until(lambda: (state := stored(scenario)) and state.rows == 30)
        assert not source.go_on.is_set()


@pytest.mark.parametrize("kind", ["web", "offline"])
def test_a_stop_during_a_stall_ends_the_run_soon_with_an_exact_account(pinterest, kind):
    source = Stalling([kind] * 60, after=6)
    scenario = WireScenario(pinterest.url, source.kinds, batch_size=5, in_flight=2)
    with Background(scenario, source) as background:
        until(lambda: len(pinterest.copies()) == 30)
        time.sleep(0.05)  # for the answers
        asked = time.monotonic()
        scenario.stop.set()
        background.thread.join(SOON)
        took = time.monotonic() - asked
        assert not source.go_on.is_set()

    assert isinstance(background.error, Stopped)
    assert took < SOON
    counters = scenario.run.counters
    assert (counters.rows_read, counters.delivered.processed, counters.rows_not_sent) == (30, 30, 0)
    left = stored(scenario)
    assert left is not None
    assert left.rows == 30
    assert not any(pending.unknown or pending.open for pending in left.pending)

    scenario.stop = type(scenario.stop)()
    assert scenario.run_attempt().finished
    assert pinterest.copies() == once(60)
    assert scenario.folder.lines() == []


def test_a_stop_during_a_stall_counts_the_rows_that_did_not_make_a_batch(pinterest):
    source = Stalling(["web", "invalid", "web"] * 10, after=3)
    scenario = WireScenario(pinterest.url, source.kinds, batch_size=4, in_flight=2)
    with Background(scenario, source) as background:
        until(lambda: len(pinterest.copies()) == 8)
        time.sleep(0.05)
        scenario.stop.set()
        background.thread.join(SOON)

    assert isinstance(background.error, Stopped)
    counters = scenario.run.counters
    assert (counters.rows_read, counters.events_built, counters.rows_rejected) == (15, 10, 5)
    assert (counters.delivered.processed, counters.rows_not_sent) == (8, 2)


@pytest.mark.parametrize("kind", ["web", "offline"])
@pytest.mark.parametrize("error", [OSError, InterruptedTask, KeyboardInterrupt])
def test_what_was_read_before_the_source_broke_is_delivered(pinterest, kind, error):
    def breaks():
        yield from row_batches([kind] * 25, 5)
        raise error

    scenario = WireScenario(pinterest.url, [kind] * 60, batch_size=5, in_flight=2)
    with pytest.raises(error):
        scenario.run_attempt(source=breaks())

    assert len(pinterest.copies()) == 25
    counters = scenario.run.counters
    assert (counters.rows_read, counters.delivered.processed, counters.rows_not_sent) == (25, 25, 0)
    left = stored(scenario)
    assert left is not None
    assert left.rows == 25
    assert scenario.run_attempt().finished
    assert pinterest.copies() == once(60)


def test_rows_that_did_not_make_a_batch_before_the_source_broke_are_counted_and_sent_by_the_next_attempt(pinterest):
    def breaks():
        yield from row_batches(["offline"] * 23, 1)
        raise OSError

    scenario = WireScenario(pinterest.url, ["offline"] * 60, batch_size=5, in_flight=2)
    with pytest.raises(OSError):  # noqa: PT011 - the source's own
        scenario.run_attempt(source=breaks())

    counters = scenario.run.counters
    assert counters.rows_read == 23
    assert counters.delivered.processed + counters.rows_not_sent == 23
    assert scenario.run_attempt().finished
    assert pinterest.copies() == once(60)
    assert scenario.folder.lines() == []


# ---- the reader alone ----


def section(row, size=1):
    return Section(row, row, RowCounts(rows=1, events=1), [event(row, size=size)], (), "", RowsHash())


def read_ahead(sections, **options):
    reading = Reading()
    made = ReadAhead(lambda: reading.unlocked(sections), reading, **options)
    return made, reading


def test_sections_come_in_order_and_then_the_end():
    made, _ = read_ahead([section(row) for row in range(1, 10)])
    made.start()
    taken = []

    def took_all():
        while (found := made.take()) is not None:
            taken.append(found.first)
        return made.ended

    until(took_all)
    assert taken == list(range(1, 10))
    assert made.error is None
    assert made.take() is None


@pytest.mark.parametrize(("size", "most"), [(1, 3), (5_000_000, 2)], ids=["many", "large"])
def test_only_a_few_sections_wait_to_be_taken(size, most):
    begun = []

    def sections():
        for row in range(1, 20):
            begun.append(row)
            yield section(row, size)

    made, _ = read_ahead(sections())
    made.start()
    until(lambda: len(begun) >= most)
    time.sleep(0.05)
    assert len(begun) <= most + 1
    made.take()
    until(lambda: len(begun) > most)
    made.stop()


def test_what_the_source_raises_is_kept_until_the_sections_before_it_are_taken():
    def breaks():
        yield section(1)
        raise ZeroDivisionError

    made, _ = read_ahead(breaks())
    made.start()
    until(lambda: made.error is not None)
    assert not made.ended
    assert made.take() is not None
    until(lambda: made.ended)

    assert isinstance(made.error, ZeroDivisionError)


def test_stopping_returns_what_was_not_taken_and_the_rest():
    stalls, go_on = threading.Event(), threading.Event()
    cutter = SectionCutter(Batcher(2))
    reading = Reading()

    def outcomes():
        for row in range(1, 6):
            yield event(row)
        stalls.set()
        go_on.wait(60)

    made = ReadAhead(lambda: cutter.sections(reading.unlocked(outcomes())), reading, rest=cutter.rest)
    made.start()
    assert stalls.wait(SOON)
    unread = made.stop()
    go_on.set()

    assert [(one.first, one.last) for one in unread] == [(1, 2), (3, 4), (5, 5)]


def test_stopping_interrupts_a_source_that_is_waited_for():
    stalls, go_on = threading.Event(), threading.Event()

    def sections():
        stalls.set()
        go_on.wait(60)
        yield section(1)

    made, _ = read_ahead(sections(), cancel=go_on.set)
    made.start()
    assert stalls.wait(SOON)
    made.stop()

    assert go_on.is_set()
    until(lambda: made.ended)
    assert isinstance(made.error, Stopped)
    assert made.take() is None


def test_stopping_does_not_interrupt_a_source_that_has_ended():
    cancelled = []
    made, _ = read_ahead([section(1)], cancel=lambda: cancelled.append(1))
    made.start()
    made.take()
    until(made._done.is_set)
    made.stop()

    assert not cancelled


def test_stopping_does_not_wait_long_for_a_thread_that_works(monkeypatch):
    """It may be in the middle of a long computation; what it holds is not known then."""
    monkeypatch.setattr(reader, "STOP_SECONDS", 0.05)
    works, go_on = threading.Event(), threading.Event()

    def sections():
        works.set()
        go_on.wait(60)
        yield section(1)

    reading = Reading()
    made = ReadAhead(sections, reading, rest=lambda: pytest.fail("the thread still works on it"))
    made.start()
    assert works.wait(SOON)
    started = time.monotonic()
    assert made.stop() == []
    go_on.set()

    assert time.monotonic() - started < 1
