"""Each event is sent once a run, at a price of a few bytes an event."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions.duplicates import SeenEvents, event_key
from airflow_provider_pinterest.conversions.outcomes import Duplicate, Event, Rejection
from tests.conversions.rows import builder, good, outcomes_of


def test_the_first_valid_event_goes_out_and_later_ones_are_dropped():
    rows = [good(email=None), good(), good(value=1), good(event_id="order-2"), good(event_name="signup"), good()]
    found = outcomes_of(rows)
    assert [type(outcome) for outcome in found] == [Rejection, Event, Duplicate, Event, Event, Duplicate]
    assert [outcome.row for outcome in found] == [1, 2, 3, 4, 5, 6]


def test_ids_that_differ_in_type_only_are_the_same():
    assert [type(outcome) for outcome in outcomes_of([good(event_id=7), good(event_id="7"), good(event_id=7.0)])] == [
        Event,
        Duplicate,
        Duplicate,
    ]


def test_warnings_and_coverage_count_an_event_once():
    build = builder()
    outcomes_of([good(event_name="my_event"), good(event_name="my_event")], build)
    assert build.warnings == {"unknown_event_name": 1}
    assert build.coverage["event_id"] == 1


def test_a_key_belongs_to_name_and_id_together():
    assert len({event_key("a", "bc"), event_key("ab", "c"), event_key("abc", ""), event_key("bc", "a")}) == 4
    assert event_key("checkout", "order-1") == event_key("checkout", "order-1")


@given(st.lists(st.tuples(st.integers(0, 65_535), st.binary(min_size=8, max_size=8))))
def test_it_remembers_what_a_set_remembers(keys):
    seen, known = SeenEvents(), set()
    for key in keys:
        assert seen.add(key) == (key not in known)
        known.add(key)
    assert len(seen) == len(known)


@given(st.lists(st.lists(st.sampled_from([0, 1]), min_size=8, max_size=8).map(bytes)))
def test_keys_that_share_a_bucket_and_overlap_are_told_apart(tails):
    """Two keys one after another hold other keys across their border."""
    seen, known = SeenEvents(), set()
    for tail in tails:
        assert seen.add((7, tail)) == (tail not in known)
        known.add(tail)


@given(st.sets(st.tuples(st.text(), st.text()), max_size=200))
def test_different_events_have_different_keys(events):
    events = {(name, id) for name, id in events if "\0" not in name}
    assert len({event_key(*event) for event in events}) == len(events)


def test_half_a_million_events_cost_at_most_twenty_bytes_each():
    keys = [event_key("checkout", str(number)) for number in range(500_000)]
    tracemalloc.start()
    try:
        seen = SeenEvents()
        for key in keys:
            seen.add(key)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(seen) == 500_000
    assert size <= 20 * 500_000


def test_a_few_events_cost_little():
    tracemalloc.start()
    try:
        seen = SeenEvents()
        for number in range(1_000):
            seen.add(event_key("checkout", str(number)))
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 2_000_000
