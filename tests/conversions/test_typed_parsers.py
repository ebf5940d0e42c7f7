"""Columns of one type are encoded as a whole, and the result for a cell does not depend on other cells."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.reasons import CellError
from tests.conversions.rows import NOW, good, sent

MOMENT = dt.datetime.fromtimestamp(NOW, dt.UTC)
NAIVE = MOMENT.replace(tzinfo=None)
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns")
PARSERS = {zone: ColumnMapping(timezone=zone).new_parsers() for zone in ZONES}

NUMBERS = (
    st.floats()
    | st.floats(0, 1e6)
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.decimals()
    | st.decimals(0, 10**6, places=2)
    | st.sampled_from(
        [
            0,
            -0.0,
            1e16,
            1e-7,
            Decimal("0E-10"),
            Decimal("1E+3"),
            Decimal("-0"),
            True,
            "12.50",
            "3",
            "",
            "1,5",
            "007",
            "null",
            None,
        ]
    )
)
MOMENTS = (
    st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2100, 1, 1))  # noqa: DTZ001
    | st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2100, 1, 1), timezones=st.timezones())  # noqa: DTZ001
    | st.dates(dt.date(1990, 1, 1), dt.date(2100, 1, 1))
    | st.integers(0, 2**62)
)
COLUMNS = {
    "event_time": MOMENTS | MOMENTS.map(str) | st.none(),
    "app_info.install_time": MOMENTS | MOMENTS.map(str) | st.none(),
    "custom_data.value": NUMBERS,
    "custom_data.predicted_ltv": NUMBERS | NUMBERS.map(str),
    "custom_data.num_items": NUMBERS | NUMBERS.map(str),
    "device_info.battery_level": NUMBERS | st.integers(-2, 102) | st.integers(-2, 102).map(str),
    "opt_out": st.booleans() | st.sampled_from([1, 0, 1.0, "true", "f", "yes", "2", None, ""]),
    "custom_data.order_id": st.integers() | st.uuids() | st.integers(0, 9).map(str) | st.none(),
    "custom_data.np": st.text('",\\\\\n a0%@ü\x85') | st.text(',"', max_size=3) | st.none(),
    "event_id": st.integers() | st.uuids() | st.integers(0, 9).map(str) | st.none() | st.booleans(),
    "user_data.db": st.dates(dt.date(1890, 1, 1)) | st.dates().map(str) | st.none(),
    "user_data.external_id": st.integers() | st.uuids() | st.text() | st.none(),
    "custom_data.currency": st.dates() | st.sampled_from(["EUR", "eur", None]),
}


def parse_column(parser: Any, cells: list[Any]) -> list[Any]:
    """Return the member of each cell, or its error code."""
    errors: dict[int, str] = {}

    def on_error(row: int, error: CellError) -> Any:
        errors[row] = getattr(error, "code", "")
        return getattr(error, "kept", None)

    found, members = parser.parse_and_encode(tuple(cells), on_error)
    again = parser.encode(tuple(cells), on_error)
    assert again == members
    kinds = [type(value) for value in found]
    return [errors.get(row, (member, kinds[row])) for row, member in enumerate(members)]


def one_column(types):
    """Create columns that mostly have one type, with a few other cells, and gaps."""
    return st.lists(types, min_size=1, max_size=4).flatmap(
        lambda some: st.lists(st.sampled_from([*some, None]), min_size=1, max_size=8)
    )


@pytest.mark.parametrize("path", COLUMNS)
@given(data=st.data(), zone=st.sampled_from(ZONES))
def test_cells_together_become_what_each_is_alone(path, data, zone):
    cells = data.draw(one_column(COLUMNS[path]))
    parser = PARSERS[zone][path]
    assert parse_column(parser, cells) == [found for cell in cells for found in parse_column(parser, [cell])]


def test_a_boolean_is_not_the_number_that_was_parsed_before_it():
    fresh, used = (ColumnMapping().new_parsers()["custom_data.num_items"] for _ in range(2))
    parse_column(used, [1, 0])

    assert parse_column(used, [True, False]) == parse_column(fresh, [True, False])


@pytest.mark.parametrize(
    ("path", "cells"),
    [
        ("event_time", [MOMENT, None, MOMENT.astimezone(BERLIN)]),
        ("event_time", [NAIVE, NAIVE + dt.timedelta(microseconds=999_999), None]),
        ("event_time", [NAIVE, MOMENT]),
        ("event_time", [str(NAIVE), None, str(NAIVE)]),
        ("event_time", [str(MOMENT), MOMENT.astimezone(BERLIN).isoformat()]),
        ("event_time", [str(MOMENT), str(NAIVE), "yesterday"]),
        ("event_time", [dt.datetime(1999, 12, 31), NAIVE]),  # noqa: DTZ001
        ("event_time", [dt.datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=BERLIN) for fold in (0, 1)]),
        ("event_time", [dt.datetime(2026, 3, 29, 2, 30), NAIVE]),  # noqa: DTZ001
        ("event_time", [None, None]),
        ("custom_data.value", [1.5, 2, None, 100.0]),
        ("custom_data.value", [1.5, math.nan, math.inf]),
        ("custom_data.value", [1e16, -1.5, -0.0]),
        ("custom_data.value", [Decimal("72.390"), Decimal(0), None]),
        ("custom_data.value", [Decimal("72.390"), Decimal("NaN"), Decimal("-1.50"), Decimal("1E+3")]),
        ("custom_data.value", [1, True, 2]),
        ("custom_data.value", [2**63, 2**64, 10**40]),
        ("custom_data.num_items", [3, 3.0, Decimal("3.00"), "3", True, "3.0", 3.5]),
        ("custom_data.num_items", [math.nan, 1.0, math.nan]),
        ("opt_out", [True, False, None]),
        ("opt_out", [True, 1, "true", 0.0, 2]),
        ("event_id", [UUID(int=1), None, UUID(int=2)]),
        ("event_id", [4711, None, -1]),
        ("event_id", [4711, 2**64, 10**5_000]),
        ("user_data.db", [dt.date(1990, 12, 31), None, dt.date(1890, 1, 1)]),
        ("user_data.db", [dt.date(1990, 12, 31), dt.datetime(1990, 12, 31, 5), "1990-12-31"]),  # noqa: DTZ001
    ],
    ids=lambda one: one if isinstance(one, str) else type(one[0]).__name__,
)
@pytest.mark.parametrize("zone", ZONES)
def test_columns_of_one_type_and_nearly_so(path, cells, zone):
    parser = PARSERS[zone][path]
    assert parse_column(parser, cells) == [found for cell in cells for found in parse_column(parser, [cell])]


@given(st.lists(st.decimals(0, 10**9, places=2), min_size=1))
@example([Decimal("0.10")])
def test_decimals_keep_their_digits(cells):
    parser = PARSERS["UTC"]["custom_data.value"]
    assert [parser.decode(member) for member in parser.encode(cells, lambda *_: None)] == [str(cell) for cell in cells]


def test_the_last_moment_of_time_is_not_rounded_up():
    last = dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC)

    for cell in (last, last.isoformat()):
        assert sent(good(**{"app_info.install_time": cell}))["app_info"] == {"install_time": 253402300799}
