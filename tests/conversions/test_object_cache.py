"""Objects that repeat are encoded once, and this does not change what is sent."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions.column_parser import ColumnParser
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.object_cache import KNOWN_BYTES, MOST_SKIPPED, OBJECT_LENGTH, ObjectCache

PATH = "custom_data.contents"
KETTLE = {"id": "K-1", "item_name": "Kettle", "item_price": "24.90", "quantity": 1}

NAMES = st.sampled_from(
    [
        "id",
        "ID",
        "sku",
        "product_id",
        "price",
        "item_price",
        "quantity",
        "Qty",
        "item_name",
        "brand",
        "coupon",
        "colour",
    ]
)
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    ["a", "", " a ", "0", "null", "12.50", "1,5", "a},{b", 'a}, {"id":"b', '"', "ada@example.com", "ü"]
) | st.sampled_from([None, True, 1, 1.0, 2.5, -3, 10**20, [], {}, [{"id": "x"}, {"id": "y"}]])
ITEMS = st.dictionaries(NAMES, VALUES, max_size=4)
SPACES = st.sampled_from([(",", ":"), (", ", ": "), (" , ", ":")])
LISTS = st.builds(
    lambda items, spaces: json.dumps(items, separators=spaces, ensure_ascii=False), st.lists(ITEMS, max_size=3), SPACES
)
BROKEN = st.sampled_from(
    [
        "[{]",
        "[{}]",
        "[{}}]",
        '[{"id":"a"},{]',
        '[{"id":"a"},{"id"}]',
        '[{"id":"a"}},{{"id":"b"}]',
        "[{},{}]",
        " ",
        "[]",
        '[{"id":"\\ud800"}]',
    ]
)
MAPS: tuple[dict[str, Any], ...] = (
    {},
    {"contents.*": None},
    {"contents.colour": "contents.item_brand", "contents.coupon": "contents.id"},
)


def parser(field_map: dict[str, Any] | None = None) -> ColumnParser:
    """Return a new parser of line items."""
    return ColumnMapping(field_map=field_map or {}).new_parsers()[PATH]


def parse_column(parser: ColumnParser, cells: list[Any]) -> list[Any]:
    """Return the member of each cell, and its errors."""
    errors: dict[int, list[str]] = {}

    def on_error(row: int, error: Any) -> None:
        errors.setdefault(row, []).append(repr(error))

    members = parser.encode(cells, on_error)
    return [(member, errors.get(row, [])) for row, member in enumerate(members)]


def parse_without_cache(cells: list[str], field_map: dict[str, Any] | None = None) -> list[Any]:
    """Return the same without the cache: text that starts with a space is not split."""
    alone = parser(field_map)
    return [found for cell in cells for found in parse_column(alone, [" " + cell])]


@pytest.mark.parametrize("field_map", MAPS, ids=["nothing", "all others ignored", "two mapped"])
@settings(max_examples=50)
@given(columns=st.lists(st.lists(LISTS | LISTS | BROKEN, min_size=1, max_size=6), min_size=1, max_size=4))
@example(columns=[[json.dumps([KETTLE, KETTLE])] * 3, [json.dumps([KETTLE]), "[{]"]])
def test_lists_become_what_each_is_alone(field_map, columns):
    shared = parser(field_map)
    for cells in columns:
        for _ in range(2):
            assert parse_column(shared, cells) == parse_without_cache(cells, field_map)


@pytest.mark.parametrize(
    "cell",
    [
        '[{"id":"a","item_name":"x},{y"},{"id":"b"}]',
        '[{"id":"a","item_name":"x}, {y"}, {"id":"b"}]',
        '[{"id":"a"} , {"id":"b"}, {"id":"c"},{"id":"d"}]',
        '[{"id":"a","properties":[{"k":1},{"k":2}]},{"id":"b"}]',
        '[{"id":"a","id":"b"},{"id":"c"}]',
        '[{"id":"a","sku":"b"},{"id":"c"}]',
        '[{"id":"a","quantity":"many"},{"id":"c"}]',
        '[{"id":"a","colour":"red"},{"id":"c"}]',
        '[{"id":"0"},{},{"id":"c"}]',
        '[{"id":"a","properties":' + "[" * 1_023 + "]" * 1_023 + "}]",
        '[{"id":"a","properties":"' + "x" * OBJECT_LENGTH + '"}]',
        "[{}]",
        "[{]",
    ],
)
def test_a_cut_in_the_wrong_place_changes_nothing(cell):
    shared = parser()
    cells = [json.dumps([KETTLE])] * 4 + [cell]
    for _ in range(3):
        assert parse_column(shared, cells) == parse_without_cache(cells)


def test_faults_are_reported_each_time():
    shared = parser()
    cells = [json.dumps([KETTLE])] * 4 + [json.dumps([KETTLE, {"id": "a", "product_id": "b", "quantity": "many"}])]
    for _ in range(3):
        faults = parse_column(shared, cells)[-1][1]
        assert len(faults) == 2
        assert any("ambiguous_item_id" in fault for fault in faults)


# The lookup itself


def encode_contents(objects: list[Any]) -> list[bytes]:
    """Encode objects without their braces."""
    return [orjson.dumps(one)[1:-1] for one in objects]


def test_objects_are_put_together_again():
    repeats = ObjectCache(encode_contents, b"k")
    assert repeats.encode(['[{"a":1},{"b":2}]', '[{"b":2}]', None, '[{"a":1}', 5]) == [
        b'k[{"a":1},{"b":2}]',
        b'k[{"b":2}]',
        None,
        None,
        None,
    ]


def test_new_objects_are_looked_up_ever_more_rarely():
    repeats = ObjectCache(encode_contents, b"k")
    looked_up = [at for at in range(1_000) if repeats.encode([f'[{{"a":{at}}}]', "[]"]) != [None, None]]
    assert looked_up[:5] == [0, 2, 5, 10, 19]
    assert max(late - early for early, late in pairwise(looked_up)) == MOST_SKIPPED + 1


def test_objects_that_repeat_are_looked_up_after_new_ones():
    repeats = ObjectCache(encode_contents, b"k")
    for at in range(20):
        repeats.encode([f'[{{"a":{at}}}]'])
    later = [repeats.encode(['[{"a":0},{"a":0}]']) for _ in range(MOST_SKIPPED)]
    assert later[-1] == [b'k[{"a":0},{"a":0}]']
    assert later[-2] == later[-1]


def test_remembered_objects_are_bounded_in_bytes():
    repeats = ObjectCache(encode_contents, b"k")
    for column in range(30_000 // 100):
        cells = [f'[{{"a":"{column * 100 + at:0200}"}}]' for at in range(100)]
        for _ in range(2):
            repeats._left = 0
            repeats.encode(cells)
    assert sum(len(text) + len(written) for text, written in repeats._known.items()) < 1.05 * KNOWN_BYTES
