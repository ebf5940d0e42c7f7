"""Cells of any type become cells of known types; key cells become what a person would search for."""

import datetime as dt
import math
from collections import UserDict
from contextlib import suppress
from decimal import Decimal
from ipaddress import ip_address
from pathlib import PurePosixPath
from types import MappingProxyType
from uuid import UUID

import pytest

from airflow_provider_pinterest.conversions.cells import KEY_LIMIT, ordinary, shown, shown_all
from airflow_provider_pinterest.conversions.outcomes import Event, RowBatch
from airflow_provider_pinterest.conversions.reasons import InvalidCellError
from tests.conversions.hostile import OBJECTS, Amount, Array, Moment, NaTType, NAType, Raising, Scalar, TextObject
from tests.conversions.rows import builder, good, outcome_of, sent

EMPTY = [None, math.nan, Decimal("NaN"), Decimal("sNaN"), NAType(), NaTType(2026, 1, 1), Scalar(None), Amount("nan")]


@pytest.mark.parametrize("cell", EMPTY, ids=lambda cell: type(cell).__name__)
def test_null_nan_nat_and_na_are_empty(cell):
    assert ordinary(cell) is None
    row = good(
        value=cell, phone=cell, city=cell, num_items=cell, contents=cell, opt_out=cell, ip=cell, custom_data=cell
    )
    build = builder()
    assert sent(row, build) == sent(good())
    assert not build.warnings


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("a", "a"),
        (5, 5),
        (TextObject("a"), "a"),
        (Amount(1.5), 1.5),
        (Moment(2026, 11, 20, 10, tzinfo=dt.UTC), dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC)),
        (Scalar(1.5), 1.5),
        (Array([1, 2]), [1, 2]),
        (Array(["a"]), ["a"]),
        (UserDict(a=1), {"a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        ({2, 1}, [1, 2]),
        (b"ada", "ada"),
        (bytearray("ü".encode()), "ü"),
        (memoryview(b"ada"), "ada"),
        (b"\xff", b"\xff"),
        (ip_address("198.18.0.1"), "198.18.0.1"),
    ],
    ids=lambda cell: type(cell).__name__,
)
def test_a_cell_becomes_one_of_a_known_type(cell, found):
    assert ordinary(cell) == found
    assert type(ordinary(cell)) is type(found)


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_any_object_is_converted_or_unfit(name):
    with suppress(InvalidCellError):
        ordinary(OBJECTS[name]())


@pytest.mark.parametrize(
    ("cell", "column", "value"),
    [
        (Scalar(12.5), "value", "12.5"),
        (Scalar(3), "num_items", 3),
        (Array(["a", Scalar("b"), NAType()]), "product_ids", ["a", "b"]),
        (b'["a"]', "product_ids", ["a"]),
        (b"order-7", "order_id", "order-7"),
        ([Array([1]), {"id": "a"}][1:], "contents", [{"id": "a"}]),
        (b'[{"id": "a"}]', "contents", [{"id": "a"}]),
        ([UserDict(id=Scalar("a"))], "contents", [{"id": "a"}]),
    ],
)
def test_what_a_cell_means_is_sent(cell, column, value):
    [(_, found)] = sent(good(**{column: cell}))["custom_data"].items()
    assert found == value


@pytest.mark.parametrize("beside", [None, '[{"id": "b"}]', [{"id": "b"}], 5])
@pytest.mark.parametrize("cell", [b'[{"id": "a"}]', memoryview(b'{"id": "a"}'), '[{"id": "a"}]', [{"id": b"a"}]])
def test_a_cell_is_the_same_alone_and_beside_others(cell, beside):
    rows = [good(contents=cell), good(contents=beside, event_id="other")]
    found = next(builder().events([RowBatch(tuple(rows[0]), [list(row.values()) for row in rows])]))
    assert isinstance(found, Event)
    assert found == outcome_of(rows[0])


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, None),
        (4711, 4711),
        (1.5, 1.5),
        (4711.0, 4711),
        (-0.0, 0),
        (2.0**60, 2.0**60),
        (math.nan, None),
        (Scalar(4711.0), 4711),
        (True, True),
        ("4711", "4711"),
        (Decimal(4711), "4711"),
        (Decimal("4711.00"), "4711.00"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E+999999"), "1E+999999"),
        (dt.date(2026, 11, 21), "2026-11-21"),
        (dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC), "2026-11-21T09:30:00+00:00"),
        (Moment(2026, 11, 21, 9, 30), "2026-11-21T09:30:00"),
        (b"order-7", "order-7"),
        (memoryview(b"\xff\x00"), "ff00"),
        (UUID(int=5).bytes, "00000000000000000000000000000005"),
        (bytearray(b"\x01ab"), "016162"),
        (memoryview(b"\x7f"), "7f"),
        (b"order 7\n", "order 7\n"),
        ("Größe".encode(), "Größe"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Scalar(7), 7),
        (NAType(), None),
        (PurePosixPath("a/b"), "a/b"),
        ([1, Decimal("2.5"), {"a": b"x"}], '[1,"2.5",{"a":"x"}]'),
        ([Raising()], '["<Raising>"]'),
        (Raising(), "<Raising>"),
        (object(), "<object>"),
        (lambda: None, "<function>"),
        (10**400, str(10**400)),
        (10**5_000, "<int>"),
        ("x" * 1_000, "x" * 1_000),
        ("x" * 1_001, "x" * 999 + "…"),
        (b"\xff" * 5_000, "ff" * 499 + "f…"),
        (["x" * 5_000], '["' + "x" * 997 + "…"),
        (OBJECTS["bomb"](), "<list>"),
        (OBJECTS["itself"](), "<list>"),
    ],
    ids=lambda cell: type(cell).__name__,
)
def test_a_key_cell_is_what_a_person_would_search_for(cell, text):
    found = outcome_of(good(order_key=cell), builder(field_map={"order_key": None}, key_columns=["order_key"]))
    assert found.keys == {"order_key": text}
    assert type(found.keys["order_key"]) is type(text)


@pytest.mark.parametrize("cells", [["a", None], [1, 2, None], []])
def test_key_cells_that_need_no_change_are_not_copied(cells):
    assert shown_all(cells) is cells


@pytest.mark.parametrize("cells", [["a", "x" * 1_001], [1, 2**64], [1, "a"], [None, Decimal(1)], [0, -(2**70)]])
def test_other_key_cells_are_changed_one_by_one(cells):
    assert list(shown_all(cells)) == [shown(cell) for cell in cells]


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_any_key_cell_is_short(name):
    found = shown(OBJECTS[name]())
    assert not isinstance(found, str) or (len(found) <= KEY_LIMIT and "0x" not in found)
