"""Rows are parsed column by column, and the outcome of a row does not depend on other rows."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import islice, permutations
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions.cached_parser import CachedParser
from airflow_provider_pinterest.conversions.coalescing import COLUMN_BATCH_ROWS, FIT_KEPT, Coalescer, coalesce
from airflow_provider_pinterest.conversions.column_parser import ColumnParser
from airflow_provider_pinterest.conversions.fields import FIELDS
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.object_lists import MemberParser, ObjectListParser
from airflow_provider_pinterest.conversions.outcomes import Duplicate, Event, Rejection, RowBatch
from airflow_provider_pinterest.conversions.reasons import InvalidCellError, UnusableCellError
from airflow_provider_pinterest.conversions.text_parsers import HashedParser, TextParser
from airflow_provider_pinterest.conversions.typed_parsers import IntegerParser
from tests.conversions.rows import ADA, GOOD, NOW, good, new_transform, outcome_of, outcomes_of, reasons, sent, sha

LONE = "\ud800"
"""Half of a surrogate pair, which UTF-8 cannot encode."""

CELLS: dict[str, list[Any]] = {
    "event_name": ["checkout", " checkout ", "CheckOut", "page visit", "my_event", "Purchase", "", None, 7, LONE],
    "action_source": ["web", "OFFLINE", "app_ios", "elsewhere", None, 1],
    "event_time": [NOW, str(NOW), "2026-11-21 10:00:00", dt.date(2026, 11, 20), NOW + 9_999, "yesterday", None, 1.5],
    "event_id": [
        "a",
        " b ",
        3,
        3.0,
        None,
        "",
        LONE,
        'q"uote',
        "line\nbreak",
        "\\",
        '"a"',
        "null",
        "NaN",
        "undefined",
        "a@example.com",
        b"a",
    ],
    "email": [
        "ada@example.com",
        " ADA@example.com",
        ADA,
        "nobody",
        None,
        "",
        ["ada@example.com", "x"],
        f'["{ADA}"]',
        5,
        '"Ada@example.com"',
        b"ada@example.com",
        "Ada <ada@example.com>",
        "null",
        float("nan"),
    ],
    "phone": [
        *("+49 30 901820", "0", None, 4930901820, "ü+49 30 901820", LONE, [None], "0711 2842222", "14155552671"),
        *(
            14155552671.0,
            "(415) 555-2671",
            ["(415) 555-2671", "x"],
            b"+49 30 901820",
            '"+49 (0)711 2842222"',
            "unknown",
        ),
    ],
    "city": ["Köln", "Köln", "---", None, True, 1, 1.0, ["Bonn"], "Bonn", "[]"],
    "country": ["US", "DE", "Germany", "nowhere", None, ["US", "DE"], 840, sha("DE"), "(not set)", '"US"'],
    "state": ["IL", "Illinois", "NW", None, "", 4, "DE-NW", "US-IL", "(not set)", sha("IL"), b"IL", ["IL", "NY"]],
    "zip": ["62701-1234", "50667", 50667, True, 1, None, 2139, "2139.0", ["50667"], "-"],
    "ip_address": ["198.18.0.1", "::1", "nowhere", None, "10.0.0.1, 192.0.2.1", '["192.0.2.1"]', ["192.0.2.1:80"], "-"],
    "user_agent": ["Agent/1", "ada@example.com", None, '"Agent/1"', "unknown", b"Agent/1"],
    "click_id": ["dj0y", '"dj0y"', "null", "(not set)", "ada%40example.com", 7, None, LONE],
    "user_id": [
        "C1",
        "c-1",
        "none",
        '"C1"',
        1,
        1.0,
        0,
        sha("C1"),
        rf"\x{sha('C1')}",
        bytes.fromhex(sha("C1")),
        "-",
        "--",
    ],
    "advertising_id": ["38400000-8cf0-11bd-b23e-10b96e40000d", "0000", None, "LAT", "384000008CF011BDB23E10B96E40000D"],
    "url": ["https://shop.example.com/a?b=1", "https://shop.example.com/a?b=ada@example.com", "null", None, 5],
    "search_string": ["shoes", '"red shoes"', "ada@example.com", "100%", "null", "Unknown", None, True],
    "order_id": ["7", "(not set)", "UNKNOWN", '"null"', "ada@example.com", 7, None],
    "value": [1, True, 1.0, "1.0", "12.50", 12.5, Decimal("12.50"), "12,50", None, float("nan"), "", '"12.50"', "null"],
    "currency": ["EUR", "eur", "€", None],
    "num_items": [1, True, 1.0, 0, -1, 2**70, "2", None, 1.5],
    "opt_out_type": ["LDP", "ldp, x", "x", None],
    "language": ["en", "fil-PH", None, 5],
    "device_info": [{"os_family": "Mac OS X", "brand": "B"}, "{", {"languages": ["en", {}]}, None],
    "product_ids": ["a", ["a", "b"], '["a", null]', None, [{}]],
    "contents": [
        '[{"id":"a","price":"1.50","quantity":1},{"id":"b"}]',
        [{"sku": 1, "quantity": True}],
        {"ID": "a", "item_price": 2},
        '[{"id":"a","unit_price":1,"price":2}]',
        [{"itemId": "a", "Unit Price": 1, "UNIT_PRICE": "", "url": "x"}],
        [{"id": "a", "product_id": "b", "quantity": 1.5}, {"product-id": "c", "Product_ID": "d"}],
        [{"variation_id": 0, "sku": "e"}, 5, '{"id": "f"}', {"item_price": "1,5", "price": 2}],
        [None, {}, {"id": LONE}],
        [{"id": "a"}, {"colour": "red"}],
        [{"id": "a"}, 5],
        "[]",
        "{",
        " ",
        None,
    ],
    "custom_data": [
        '{"value": 7, "order_id": "o", "colour": "red"}',
        {"currency": "USD", "np": "x", "value": None},
        {"opt_out_type": "LDP", "contents": [{"id": "z"}]},
        "[1]",
        "{",
        None,
    ],
    "user_data": [{"email": "eve@example.com"}, {"em": [ADA], "city": "Bonn"}, {"em": "nobody"}, None],
}


for cells in CELLS.values():
    texts = [cell for cell in cells if isinstance(cell, str) and cell != LONE]
    cells += [kind(text.encode()) for text, kind in zip(texts, (bytes, bytearray, memoryview) * 9, strict=False)]
    cells.append(b"\xff")


def without_row(outcome: Any) -> Any:
    """Return an outcome without its row number."""
    if isinstance(outcome, Event):
        return outcome.body, outcome.name, outcome.id, outcome.time, type(outcome.time), outcome.offline, outcome.keys
    if isinstance(outcome, Rejection):
        return outcome.event_id, sorted(outcome.reasons), outcome.keys
    return type(outcome)


rows_of_some_columns = st.sets(st.sampled_from(sorted(CELLS)), min_size=4).flatmap(
    lambda columns: st.lists(
        st.tuples(*(st.sampled_from(CELLS[name]) for name in sorted(columns))).map(
            lambda cells: dict(zip(sorted(columns), cells, strict=True))
        ),
        min_size=1,
        max_size=12,
    )
)
mappings = st.sampled_from(
    [
        {},
        {"defaults": {"action_source": "web", "event_name": "lead", "email": "ada@example.com", "currency": "GBP"}},
        {"defaults": {"event_time": NOW, "country": "US", "zip": "12345"}, "event_id_from": ["email", "value", "zip"]},
        {"placeholders": ["c1", "shoes"], "identifiers": {"ph": {"country": "DE"}}},
        {"key_columns": ["event_id"], "identifiers": {"em": {"already_hashed": True}, "ct": {"already_hashed": False}}},
    ]
)


@given(rows_of_some_columns, mappings)
@example([{name: cells[at % len(cells)] for name, cells in CELLS.items()} for at in range(12)], {})
def test_rows_together_become_what_each_is_alone(rows, mapping):
    mapping = {**mapping, "key_columns": [name for name in mapping.get("key_columns", ()) if name in rows[0]]}
    together, apart = new_transform(**mapping), new_transform(**mapping)
    found = list(together.events([RowBatch(tuple(rows[0]), [tuple(row.values()) for row in rows])]))
    expected = [outcome_of(row, apart) for row in rows]
    assert [without_row(outcome) for outcome in found] == [without_row(outcome) for outcome in expected]
    assert [outcome.row for outcome in found] == [*range(1, len(rows) + 1)]
    assert (together.warnings, together.coverage) == (apart.warnings, apart.coverage)
    assert together.unlisted_names() == apart.unlisted_names()


@given(
    st.lists(
        st.lists(
            st.sampled_from([*CELLS, "Email", "eventId", "Event Name", "revenue", "colour", "note"]), min_size=1
        ).flatmap(
            lambda columns: st.fixed_dictionaries(
                {name: st.sampled_from(CELLS.get(name, ["x", None])) for name in columns}
            )
        ),
        min_size=1,
        max_size=8,
    ),
    mappings,
)
@example([good(), good(colour="red"), good(), good(Email="x"), good(value=1), good(revenue=2), {}, good(note=1)], {})
def test_rows_with_other_keys_are_read_together_and_become_what_each_is_alone(rows, mapping):
    mapping = {**mapping, "field_map": {"note": None}, "key_columns": ["note", "event_id"]}
    together, apart = new_transform(**mapping), new_transform(**mapping)
    expected = [outcome_of(row, apart) for row in rows]
    found = outcomes_of(rows, together)
    assert [without_row(outcome) for outcome in found] == [without_row(outcome) for outcome in expected]
    assert [outcome.row for outcome in found] == [*range(1, len(rows) + 1)]
    assert (together.warnings, together.coverage) == (apart.warnings, apart.coverage)
    assert together.unlisted_names() == apart.unlisted_names()


def sizes(rows):
    return [
        (column_batch.first, column_batch.size)
        for column_batch in coalesce([RowBatch(tuple(row), [list(row.values())]) for row in rows], ColumnMapping())
    ]


def test_rows_with_other_keys_are_waited_for():
    rows = [good(**dict.fromkeys(("phone", "value", "np")[: number % 4], 1)) for number in range(1_200)]
    assert sizes(rows) == [
        (1, 1),
        (2, COLUMN_BATCH_ROWS),
        (COLUMN_BATCH_ROWS + 2, COLUMN_BATCH_ROWS),
        (2 * COLUMN_BATCH_ROWS + 2, 199),
    ]


def test_rows_with_the_same_keys_are_not():
    assert sizes([good()] * 3) == [(1, 1), (2, 1), (3, 1)]


def test_rows_that_do_not_fit_together_are_kept_apart():
    rows = [good(), good(phone=1), good(colour=1), good(phone=2), good(np="x"), {"em": "x"}, good()]
    assert sizes(rows) == [(1, 1), (2, 1), (3, 1), (4, 2), (6, 1), (7, 1)]


def test_a_key_column_is_found_whatever_its_case_in_other_rows():
    rows = [good(), good(event_id=2, Order=2), good(event_id=3, order=3)]
    found = outcomes_of(rows, new_transform(key_columns=["order"]))
    assert [outcome.keys for outcome in found] == [{"order": None}, {"order": 2}, {"order": 3}]


def test_what_was_read_before_the_source_fails_comes_first():
    def source():
        yield RowBatch(tuple(GOOD), [tuple(GOOD.values())])
        raise ZeroDivisionError

    found = coalesce(source(), ColumnMapping())
    assert next(found).size == 1
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_sets_of_columns_that_fit_are_not_remembered_without_end():
    gathered = Coalescer(ColumnMapping())
    gathered.begin(("event_id",))
    names = [field.path for field in FIELDS if field.kind == "text" and "[]" not in field.path]
    for columns in islice(permutations(names, 3), FIT_KEPT + 10):
        assert gathered.takes(columns)
    assert len(gathered._fit) <= FIT_KEPT


def test_coverage_and_warnings_are_those_of_the_events_that_were_yielded():
    """A run that ends early counts only the rows that it reached."""
    day = dt.date(2026, 11, 20)
    rows = [good(event_id=number, phone="+49 30 901820", event_name="my_event", event_time=day) for number in range(5)]
    transform = new_transform()
    outcomes = transform.events([RowBatch(tuple(rows[0]), [tuple(row.values()) for row in rows])])
    for counted in range(1, 6):
        next(outcomes)
        assert {*transform.coverage.values()} == {*transform.warnings.values()} == {counted}
    assert len(transform.coverage) == 6
    assert transform.warnings.keys() == {"unknown_event_name", "time_from_date"}


def test_the_outcomes_of_both_kinds_are_there():
    """The cases of the properties above occur."""
    rows = [good(email=cell, event_id=number) for number, cell in enumerate(CELLS["email"])]
    assert {type(outcome) for outcome in outcomes_of([*rows, rows[0]])} == {Event, Rejection, Duplicate}


# Two cells for one field


@pytest.mark.parametrize(
    ("nested", "own", "city"),
    [
        ("Bonn", "Köln", "köln"),
        ("Bonn", None, "bonn"),
        ("Bonn", " ", "bonn"),
        ("Bonn", "---", None),
        ("---", "Köln", "köln"),
        (None, None, "mainz"),
        ("---", None, None),
    ],
)
def test_the_later_cell_wins_unless_it_holds_nothing(nested, own, city):
    """An unusable cell is left out; another value would not be the value of the row."""
    row = good(user_data={"city": nested, "em": "ada@example.com"}, city=own)
    assert sent(row, new_transform(defaults={"city": "Mainz"}))["user_data"].get("ct") == (city and [sha(city)])


@pytest.mark.parametrize("before", [[], [{"order_value": 5}], [{"revenue": 5, "value": 6}]], ids=len)
def test_of_two_names_for_one_field_the_fields_own_wins_whatever_other_rows_have(before):
    cells = [{"custom_data": one, "contents": [{"price": 5, "id": "a"}]} for one in before]
    cells.append(
        {"custom_data": {"value": 1, "revenue": 2}, "contents": [{"unit_price": 3, "item_price": 4, "price": 5}]}
    )
    rows = [good(event_id=number, **cell) for number, cell in enumerate(cells)]
    *_, last = new_transform().events([RowBatch(tuple(rows[0]), [tuple(row.values()) for row in rows])])
    assert isinstance(last, Event)
    assert orjson.loads(last.body)["custom_data"] == {"value": "1", "contents": [{"item_price": "4"}]}


def test_a_name_that_the_author_mapped_wins_over_the_fields_own():
    row = good(custom_data={"total": 1, "value": 2})
    assert sent(row, new_transform(field_map={"custom_data.total": "value"}))["custom_data"] == {"value": "1"}


def test_an_event_id_that_is_no_unicode_is_not_repeated():
    [found] = outcomes_of([good(event_id=LONE)])
    assert (found.event_id, [reason.code for reason in found.reasons]) == (None, ["bad_text"])


# Parsers


def parse_column(parser: ColumnParser, *cells: Any) -> tuple[list[Any], list[tuple[int, str]]]:
    """Return the encoded values, and the errors: (row, code)."""
    errors: list[tuple[int, str]] = []

    def on_error(row, error):
        errors.append((row, error.code))
        return getattr(error, "kept", None)

    members = parser.encode(cells, on_error)
    assert len(members) == len(cells)
    return [parser.decode(member) for member in members], errors


def test_text_is_trimmed_and_escaped():
    assert parse_column(TextParser("np"), " a ", None, "", 'b"\\\nc', "ü") == (["a", None, None, 'b"\\\nc', "ü"], [])
    assert parse_column(TextParser("np"), "a", 5, LONE, True) == (
        ["a", "5", None, None],
        [(3, "bad_type"), (2, "bad_text")],
    )


def test_one_refused_cell_leaves_the_others_of_its_column():
    def unless(cell):
        if cell == "bad":
            raise InvalidCellError("bad_value", "")
        if cell == "some":
            raise UnusableCellError("unusable_ct", ["kept"])
        return [cell]

    for parser in (ColumnParser("ct", unless), CachedParser("ct", unless), HashedParser("ct", unless, lambda _: b"")):
        assert parse_column(parser, "a", "bad", None, "some", "b", "a") == (
            [["a"], None, None, ["kept"], ["b"], ["a"]],
            [(1, "bad_value"), (3, "unusable_ct")],
        )


def test_a_list_is_no_currency():
    assert reasons(good(currency=["EUR"])) == [("bad_type", "custom_data.currency")]


def test_integers_are_not_taken_for_booleans():
    parser = IntegerParser("num_items", lambda cell: None if cell is True else cell)
    assert parse_column(parser, 1, 1, None)[0] == [1, 1, None]
    assert parse_column(parser, 1, True, 2)[0] == [1, None, 2]


def test_a_list_is_refused_for_its_first_unknown_name():
    members = [
        MemberParser(TextParser("id"), ("id", "sku")),
        MemberParser(IntegerParser("n", lambda cell: cell), ("n",)),
    ]
    cells = (
        '[{"id":"a"},{"x":1},{"id":true}]',
        '[{"sku":"b","n":1}]',
        '[{"id":"c","n":2},{"id":false}]',
        [{"ID": "d"}],
    )
    found, errors = parse_column(ObjectListParser("contents", members), *cells)
    assert found == [None, [{"id": "b", "n": 1}], None, [{"id": "d"}]]
    assert errors == [(0, "unknown_field"), (2, "bad_type")]


# Bytes

TEXTS_AND_FIELDS = [
    *(("event_id", text) for text in ("A-1", " ü ", "4711")),
    *(("email", text) for text in ("ada@example.com", ADA, '["ada@example.com"]')),
    ("event_name", "AddToCart"),
    ("action_source", "WEB"),
    ("event_time", "2026-11-21 10:00:00"),
    ("value", "12.50"),
    ("currency", "eur"),
    ("num_items", "3"),
    ("opt_out", "true"),
    ("city", "Köln"),
    ("content_ids", '["a", "b"]'),
    ("contents", '[{"id": "ä", "quantity": 2}]'),
    ("custom_data", '{"value": 1, "contents": [{"id": 1}]}'),
    ("user_data", '{"email": "eve@example.com"}'),
    ("device_info", '{"brand": "B"}'),
]


@pytest.mark.parametrize(("column", "text"), TEXTS_AND_FIELDS)
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("others", [[], [None], [""], [5], [b"\xff"], [[1]]], ids=repr)
def test_bytes_of_utf8_are_text_alone_and_beside_others(column, text, kind, others):
    expected = outcome_of(good(**{column: text}))
    rows = [good(**{column: kind(text.encode())}), *(good(**{column: other}) for other in others)]
    row_batch = RowBatch(tuple(rows[0]), [tuple(row.values()) for row in rows])
    first, *_ = new_transform().events([row_batch])
    assert isinstance(first, Event)
    assert first.body == expected.body
