"""A set of rows: what goes in comes out, whatever is stored, and what is too much is forgotten and says so."""

from __future__ import annotations

import base64
import itertools
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.delivery import rowset
from airflow_provider_pinterest.delivery.rowset import RowSet

ROWS = st.sets(st.integers(1, 60) | st.integers(1, 2**40))


def stored(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode())).decode()


@given(ROWS)
def test_it_contains_the_rows_that_were_added_and_no_others(rows):
    found = RowSet().plus(rows)

    assert list(found.rows()) == sorted(rows)
    assert len(found) == len(rows)
    assert bool(found) == bool(rows)
    assert all(row in found for row in rows)
    assert not any(row in found for row in range(62) if row not in rows)


@given(ROWS)
def test_it_survives_being_stored(rows):
    found = RowSet().plus(rows)

    assert RowSet.from_json(found.as_json()) == found


@given(ROWS)
def test_neighbours_are_one_range(rows):
    ranges = list(RowSet().plus(rows).ranges())

    assert all(last + 1 < first for (_, last), (first, _) in itertools.pairwise(ranges))


@given(ROWS, ROWS)
def test_a_union_has_the_rows_of_both_and_changes_neither(some, others):
    first, second = RowSet().plus(some), RowSet().plus(others)
    both = first.union(second.rows())

    assert list(both.rows()) == sorted(some | others)
    assert both == RowSet().plus(some | others)
    assert list(first.rows()) == sorted(some)


def test_it_forgets_all_rows_beyond_its_ranges_and_says_so(monkeypatch):
    monkeypatch.setattr(rowset, "MAX_RANGES", 3)
    most = RowSet().plus([1, 3, 5])
    assert most.complete

    for found in (most.plus([7]), most.union([7]), most.union([2, 9, 11])):
        assert not found.complete or list(found.rows()) == [1, 2, 3, 5, 9, 11]
        assert found.complete == (len(list(found.ranges())) > 0)
    assert not most.plus([7])
    assert most.plus([6]).complete


def test_what_was_forgotten_stays_forgotten():
    found = RowSet.forgotten()

    for after in (found.plus([1]), found.union([1]), RowSet.from_json(found.as_json())):
        assert not after.complete
        assert not after
        assert 1 not in after


def test_a_set_whose_text_is_too_long_is_stored_as_forgotten(monkeypatch):
    found = RowSet().plus([1, 5, 8, 100])
    monkeypatch.setattr(rowset, "MAX_STORED", 5)

    assert found.as_json() is None
    assert not RowSet.from_json(found.as_json()).complete


def test_the_largest_set_can_be_stored_and_read():
    """Ranges without a pattern take more characters than the store has room for."""
    found = RowSet().plus(range(1, 2 * rowset.MAX_RANGES, 2))
    assert found.complete

    text = found.as_json()

    assert text is not None
    assert RowSet.from_json(text) == found


GARBAGE = {
    "not base64": "?",
    "not compressed": base64.b64encode(b"1,2").decode(),
    "cut off": stored("1,2,3")[:-8],
    "not text": base64.b64encode(zlib.compress(b"\xff")).decode(),
    "words": stored("one"),
    "nothing between commas": stored("1,,2"),
    "row zero": stored("0"),
    "backwards": stored("5,-3"),
    "a range backwards": stored("5+-3,9"),
    "the same row twice": stored("5,0"),
    "a huge number": stored("9" * 400),
    "a number beyond 64 bits": stored(str(2**64)),
    "more after the end": base64.b64encode(zlib.compress(b"1,2") + b"more").decode(),
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE)
def test_any_other_text_is_a_value_error(text):
    with pytest.raises(ValueError, match="not a set of rows"):
        RowSet.from_json(text)


def test_a_text_that_is_longer_than_any_set_is_a_value_error():
    """Not the set of its beginning."""
    text = stored(",".join(["1+0000000000000000000000000001"] * rowset.MAX_RANGES))

    with pytest.raises(ValueError, match="not a set of rows"):
        RowSet.from_json(text)


@pytest.mark.parametrize("value", [1, 1.5, [], {}, b"", True])
def test_any_other_type_is_a_value_error(value):
    with pytest.raises(ValueError, match="not a set of rows"):
        RowSet.from_json(value)


@given(st.text(), st.binary())
def test_any_text_is_a_set_or_a_value_error(text, data):
    for made in (text, base64.b64encode(data).decode(), base64.b64encode(zlib.compress(data)).decode(), stored(text)):
        try:
            found = RowSet.from_json(made)
        except ValueError:
            continue
        assert list(found.ranges()) == sorted(found.ranges())
