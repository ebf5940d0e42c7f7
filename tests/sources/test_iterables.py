"""Rows of XCom values and literals."""

import csv
from collections import UserDict
from collections.abc import Sequence
from types import MappingProxyType

import pytest

from airflow_provider_pinterest.exceptions import ParameterError, SourceError
from airflow_provider_pinterest.sources.grouping import MAX_BYTES, MAX_ROWS
from airflow_provider_pinterest.sources.iterables import IterableSource


def laid_out(events):
    """Return the rows as they come, each as a dict, and how many row_batches they came in."""
    row_batches = list(IterableSource(events, replayable=True).row_batches())
    return [
        dict(zip(row_batch.columns, cells, strict=True)) for row_batch in row_batches for cells in row_batch.rows
    ], len(row_batches)


class Pieces(Sequence[object]):
    """A sequence that fetches each element when asked, as the XComs of a mapped task are."""

    def __init__(self, *elements):
        self.elements = elements
        self.asked = []

    def __len__(self):
        return len(self.elements)

    def __getitem__(self, index):
        self.asked.append(index)
        return self.elements[index]


def test_rows_of_the_same_columns_come_together():
    events = [{"a": 1, "b": 2}, {"a": 3, "b": 4}]

    assert laid_out(events) == (events, 1)


def test_rows_of_different_columns_come_apart_and_in_order():
    events = [{"a": 1}, {"b": 2}, {"b": 3, "a": 4}, {"a": 5, "b": 6}, {"a": 7}]

    assert laid_out(events) == (events, 5)


def test_many_rows_come_in_chunks():
    events = [{"a": number} for number in range(MAX_ROWS + 1)]

    assert laid_out(events) == (events, 2)


@pytest.mark.parametrize("empty", [[], (), iter([]), [[]], [[], ()]])
def test_nothing_is_no_rows(empty):
    assert laid_out(empty) == ([], 0)


def test_lists_of_a_mapped_upstream_are_laid_out_in_their_order():
    events = [[{"a": 1}, {"a": 2}], [], ({"a": 3},), {"a": 4}]

    assert laid_out(events) == ([{"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}], 1)


def test_lists_within_lists_within_lists_are_an_error():
    with pytest.raises(ParameterError, match="row 2 is of type list"):
        IterableSource([{"a": 1}, [[{"a": 2}]]])


@pytest.mark.parametrize("events", [({"a": 1},), iter([{"a": 1}]), ({"a": n} for n in [1]), Pieces({"a": 1})])
def test_whatever_yields_rows_is_a_source(events):
    assert laid_out(events)[0] == [{"a": 1}]


@pytest.mark.parametrize("row", [UserDict(a=1), MappingProxyType({"a": 1})])
def test_a_row_may_be_any_mapping(row):
    assert laid_out([row])[0] == [{"a": 1}]


def test_each_piece_of_a_lazy_sequence_is_fetched_once():
    """Each is a call to Airflow's API."""
    pieces = Pieces([{"a": 1}], [{"a": 2}], [{"a": 3}])

    assert laid_out(pieces)[0] == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert [index for index in pieces.asked if index < 3] == [0, 1, 2]


def test_a_generator_is_read_no_further_than_needed():
    asked = []

    def generate():
        for number in range(10 * MAX_ROWS):
            asked.append(number)
            yield {"a": number}

    next(IterableSource(generate(), replayable=True).row_batches())

    assert len(asked) <= MAX_ROWS + 1


def test_rows_that_came_before_a_generator_raised_are_not_lost():
    def generate():
        yield from ({"a": number} for number in range(MAX_ROWS + 3))
        raise KeyError("tax")

    row_batches = IterableSource(generate(), replayable=True).row_batches()

    assert [len(next(row_batches).rows), len(next(row_batches).rows)] == [MAX_ROWS, 3]
    with pytest.raises(KeyError, match="tax"):
        next(row_batches)


@pytest.mark.parametrize("bad", [None, 1, "a", b"a", ["a"], {1: 2}, object()])
def test_a_list_is_checked_to_its_end_before_anything_is_read(bad):
    with pytest.raises(ParameterError, match="row 3 is"):
        IterableSource([{"a": 1}, {"a": 2}, bad])


def test_a_generator_with_something_else_breaks_off_there():
    row_batches = IterableSource(iter([{"a": 1}, {"b": 2}, "text"]), replayable=True).row_batches()

    assert next(row_batches).columns == ("a",)
    with pytest.raises(SourceError, match="row 3 is of type str"):
        list(row_batches)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ("orders.csv", "got text"),
        (b"[]", "got bytes"),
        (memoryview(b"[]"), "got memoryview"),
        ({"event_id": "1"}, "one mapping. Put it into a list"),
        ({"data": [{"event_id": "1"}]}, "Pass the list in its 'data'"),
        ({"data": "x"}, "one mapping"),
        (None, "got NoneType."),
        (5, "got int"),
        (5.5, "got float"),
        (object(), "got object"),
    ],
)
def test_anything_else_is_refused_with_what_to_pass(events, words):
    with pytest.raises(ParameterError) as caught:
        IterableSource(events)

    assert words in str(caught.value)


def test_a_data_frame_is_told_how_to_become_rows():
    class DataFrame:
        def to_dict(self, orient): ...

    with pytest.raises(ParameterError, match=r"got a DataFrame.*to_dict\('records'\)"):
        IterableSource(DataFrame())


def test_the_error_shows_nothing_of_the_row():
    with pytest.raises(ParameterError) as caught:
        IterableSource([{"email": "ada@example.com"}, "ada@example.com"])

    assert "ada" not in str(caught.value)


@pytest.mark.parametrize(
    "events", [iter([{"a": 1}]), ({"a": n} for n in [1]), map(dict, []), zip(), csv.DictReader(["a", "1"])]
)
def test_what_can_be_read_only_once_is_refused_unless_each_attempt_gets_it_anew(events):
    with pytest.raises(ParameterError, match=r"only once.*list.*yields the rows anew"):
        IterableSource(events)
    list(IterableSource(events, replayable=True).row_batches())


def test_a_lazy_sequence_can_be_read_again():
    values = IterableSource(Pieces([{"a": 1}], [{"a": 2}]))

    assert (
        [list(row_batch.rows) for row_batch in values.row_batches()]
        == [[[1], [2]]]
        == [list(c.rows) for c in values.row_batches()]
    )


@pytest.mark.parametrize("nested", [False, True])
def test_chunks_of_heavy_rows_are_short(nested):
    row = {"a": {"b": ["x" * 100_000]} if nested else "x" * 100_000}
    sizes = [len(row_batch.rows) for row_batch in IterableSource([row] * 1_000).row_batches()]

    assert sum(sizes) == 1_000
    assert max(sizes) * 100_000 <= 1.5 * MAX_BYTES


def test_chunks_are_short_from_the_row_on_that_rows_are_heavy():
    events = [{"a": "x"}] * 1_900 + [{"a": "x" * 1_000_000}] * 100
    heavy = [sum(len(cells[0]) for cells in row_batch.rows) for row_batch in IterableSource(events).row_batches()]

    assert max(heavy) < 20_000_000


def test_cancelling_does_nothing():
    values = IterableSource([{"a": 1}])
    values.cancel()

    assert list(values.row_batches())
