"""Events go out in their order, at most a thousand and so many bytes at a time."""

import itertools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions.batches import ENVELOPE, MAX_EVENTS, Batch, Batcher
from airflow_provider_pinterest.conversions.outcomes import Event, Rejection
from tests.conversions.rows import builder, good, outcome_of, outcomes_of


def event(number, size=100, *, offline=False):
    body = orjson.dumps({"event_id": str(number), "pad": ""})
    body = body[:-2] + b"x" * (size - len(body)) + b'"}'
    return Event(number, "checkout", str(number), 0, offline, body, {})


def batches_of(events, *limits):
    batcher = Batcher(*limits)
    full = [batch for one in events if (batch := batcher.add(one)) is not None]
    rest = batcher.rest()
    return full if rest is None else [*full, rest]


def test_a_body_is_a_list_of_events_under_data():
    batch = Batch([event(1), event(2)])
    assert [one["event_id"] for one in orjson.loads(batch.body)["data"]] == ["1", "2"]
    assert batch.size == len(batch.body)


def test_a_thousand_events_are_a_batch():
    assert [len(batch) for batch in batches_of([event(n) for n in range(2_500)])] == [1_000, 1_000, 500]
    assert MAX_EVENTS == 1_000


def test_a_batch_is_cut_before_it_is_too_large():
    assert [len(batch) for batch in batches_of([event(n, 300) for n in range(10)], 1_000, 1_000)] == [3, 3, 3, 1]


def test_what_fits_to_the_byte_fits():
    assert [len(batch) for batch in batches_of([event(1), event(2)], 1_000, ENVELOPE + 201)] == [2]
    assert [len(batch) for batch in batches_of([event(1), event(2)], 1_000, ENVELOPE + 200)] == [1, 1]


def test_nothing_is_no_batch():
    assert Batcher().rest() is None
    assert batches_of([]) == []


def test_the_limit_may_be_lowered_on_the_way():
    batcher = Batcher(max_bytes=1_000)
    assert all(batcher.add(event(n)) is None for n in range(3))
    batcher.max_bytes = 350
    full = batcher.add(event(3))
    assert full
    assert [one.row for one in full.events] == [0, 1, 2]
    assert [batch and len(batch) for batch in (batcher.add(event(n)) for n in (4, 5, 6))] == [None, None, 3]


@given(
    st.lists(st.integers(30, 400), max_size=60),
    st.integers(1, 20),
    st.integers(ENVELOPE + 400, 3_000),
)
def test_no_event_is_lost_or_moved_and_no_batch_is_too_large(sizes, max_events, max_bytes):
    events = [event(number, size) for number, size in enumerate(sizes)]
    found = batches_of(events, max_events, max_bytes)
    assert [one for batch in found for one in batch.events] == events
    for batch in found:
        assert 1 <= len(batch) <= max_events
        assert batch.size == len(batch.body) <= max_bytes
        assert len(orjson.loads(batch.body)["data"]) == len(batch)
    for batch, following in itertools.pairwise(found):
        room = max_bytes - batch.size - 1
        assert len(batch) == max_events or len(following.events[0].body) > room, "cut too early"


def test_halves_are_the_whole_in_order():
    batch = Batch([event(n) for n in range(5)])
    first, second = batch.halves()
    assert [*first.events, *second.events] == batch.events
    assert (len(first), len(second)) == (2, 3)


def test_a_batch_is_divided_by_what_is_true_of_its_events():
    batch = Batch([event(n, offline=n % 2 == 0) for n in range(5)])
    offline, others = batch.divided(lambda one: one.offline)
    assert [one.row for one in offline.events] == [0, 2, 4]
    assert [one.row for one in others.events] == [1, 3]


def test_an_event_of_three_megabytes_is_rejected_and_the_rest_goes_on():
    rows = [good(), good(event_id="large", content_name="x" * 3_000_000), good(event_id="order-2")]
    first, large, last = outcomes_of(rows)
    assert isinstance(first, Event)
    assert isinstance(last, Event)
    assert isinstance(large, Rejection)
    assert [reason.code for reason in large.reasons] == ["too_large"]
    assert large.event_id == "large"


@pytest.mark.parametrize("room", [0, 1])
def test_an_event_as_large_as_a_batch_may_be_is_a_batch(room):
    row = good(content_name="x" * 1_000)
    size = len(outcome_of(row).body)
    found = outcome_of(row, builder(max_event_bytes=size - 1 + room))
    assert isinstance(found, Event if room else Rejection)
    if room:
        assert [batch.size for batch in batches_of([found], 1_000, size + ENVELOPE)] == [size + ENVELOPE]
