"""The state of a batch: every event in exactly one place at any moment, and nothing recorded after the end."""

from __future__ import annotations

import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.api.rate_limit import Stopped
from airflow_provider_pinterest.delivery.batch_outcome import BatchOutcome, counted, failed, held
from airflow_provider_pinterest.delivery.result import DeliveryCounters
from tests.delivery.world import event

EVENTS = [event(row) for row in range(1, 7)]
ROWS = frozenset(range(1, 7))


def outcome(**options):
    return BatchOutcome(EVENTS, **options)


def settle(made, events, how="processed"):
    make = {"failed": lambda one: failed(one, "no"), "held": lambda one: held(one, "cut off")}.get(how)
    rejections = [make(one) for one in events] if make else []
    delivered = counted(rejections)
    delivered.processed = 0 if make else len(events)
    made.settle(events, delivered, rejections)


def test_at_first_all_events_are_open_and_none_has_an_unknown_outcome():
    found = outcome().snapshot()

    assert found.unsettled == ROWS
    assert not found.outcome_unknown
    assert not found.announced
    assert found.delivered == DeliveryCounters()


def test_events_that_an_earlier_attempt_may_have_sent_are_with_unknown_outcome_until_they_are_settled():
    made = outcome(unknown=[1, 2, 3])
    settle(made, EVENTS[:2])
    made.begin(EVENTS[2:])
    made.not_accepted()

    assert made.snapshot().outcome_unknown == {3}


def test_announced_events_are_not_with_unknown_outcome_before_the_request_begins():
    made = outcome()
    made.announce(EVENTS[:3])

    found = made.snapshot()
    assert found.announced == {1, 2, 3}
    assert not found.outcome_unknown


def test_events_of_a_request_are_with_unknown_outcome_while_it_is_under_way():
    made = outcome()
    made.begin(EVENTS[:3])

    assert made.snapshot().outcome_unknown == {1, 2, 3}


def test_a_request_that_was_not_accepted_leaves_its_events_open():
    made = outcome()
    made.announce(EVENTS[:3])
    made.begin(EVENTS[:3])
    made.not_accepted()

    found = made.snapshot()
    assert found.unsettled == ROWS
    assert not found.outcome_unknown
    assert not found.announced


def test_a_request_with_unknown_outcome_leaves_its_events_unknown_whatever_the_next_one_says():
    made = outcome()
    made.begin(EVENTS[:3])
    made.outcome_unknown()
    made.begin(EVENTS[:3])
    made.not_accepted()

    assert made.snapshot().outcome_unknown == {1, 2, 3}


def test_an_outcome_is_known_before_any_byte_was_written():
    made = outcome()
    made.announce(EVENTS)
    made.outcome_unknown()

    assert not made.snapshot().outcome_unknown


def test_a_snapshot_stays_as_it_was():
    made = outcome()
    before = made.snapshot()
    settle(made, EVENTS[:3], "failed")
    made.warn({"late": 2})
    made.called(again=True)

    assert before.delivered == DeliveryCounters()
    assert before.unsettled == ROWS
    assert not before.rejections


STEPS = {
    "announce": lambda made: made.announce(EVENTS),
    "begin": lambda made: made.begin(EVENTS),
    "not_accepted": lambda made: made.not_accepted(),
    "outcome_unknown": lambda made: made.outcome_unknown(),
    "settle": lambda made: settle(made, EVENTS),
    "warn": lambda made: made.warn({"late": 1}),
    "called": lambda made: made.called(again=False),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_after_it_was_closed_nothing_is_recorded(step):
    made = outcome()
    made.begin(EVENTS[:3])
    made.close()
    before = made.snapshot()

    with pytest.raises(Stopped):
        step(made)

    assert made.snapshot() == before
    assert before.outcome_unknown == {1, 2, 3}


WORDS = st.sampled_from(["announce", "begin", "not_accepted", "outcome_unknown", "processed", "failed", "held"])


@given(st.lists(st.tuples(WORDS, st.integers(1, 4))), st.sets(st.integers(1, 6)))
def test_every_event_is_in_exactly_one_place_at_any_moment(steps, unknown):
    made = outcome(unknown=unknown)
    left = list(EVENTS)
    written, maybe_sent = set(), set(unknown)
    for word, many in steps:
        some = left[:many]
        rows = {one.row for one in some}
        match word:
            case "announce":
                made.announce(some)
            case "begin":
                made.begin(some)
                written = rows
            case "not_accepted":
                made.not_accepted()
                written = set()
            case "outcome_unknown":
                made.outcome_unknown()
                maybe_sent |= written
                written = set()
            case _:
                settle(made, some, word)
                del left[:many]
                written = set()
        found = made.snapshot()
        delivered = found.delivered
        assert delivered.processed + delivered.failed + delivered.held + len(found.unsettled) == len(EVENTS)
        assert delivered.failed + delivered.held == len(found.rejections)
        assert found.unsettled == {one.row for one in left}
        assert not {one.row for one in found.rejections} & found.unsettled
        assert found.outcome_unknown == (maybe_sent | written) & found.unsettled
        assert found.announced <= found.unsettled


def test_once_it_is_closed_no_request_begins_however_the_threads_meet():
    """What the run has read in its last snapshot covers everything that was written."""
    for seed in range(200):
        made = outcome()
        written: list[int] = []
        go = threading.Barrier(2)

        def send(made=made, written=written, go=go, seed=seed):
            go.wait(5)
            try:
                for one in random.Random(seed).sample(EVENTS, 6):  # noqa: S311
                    made.begin([one])
                    written.append(one.row)
                    made.outcome_unknown()
            except Stopped:
                return

        thread = threading.Thread(target=send)
        thread.start()
        go.wait(5)
        made.close()
        found = made.snapshot()
        thread.join(5)

        assert set(written) <= found.outcome_unknown
