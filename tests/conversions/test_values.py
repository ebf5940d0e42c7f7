"""Cells of whatever type become JSON values without loss, or say why not."""

import datetime as dt
import math
import re
from decimal import Decimal
from enum import Enum, StrEnum
from types import MappingProxyType
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.reasons import REASONS, InvalidCellError

BERLIN = ZoneInfo("Europe/Berlin")
PLAIN_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?").fullmatch


class Mixed(str, Enum):  # noqa: UP042 - what older code bases hand over
    SHOP = "shop"


class Word(StrEnum):
    SHOP = "shop"


def type_of(cell):
    """Name a parameter; the content of some changes from run to run."""
    return type(cell).__name__


def code_of(read, *cell):
    with pytest.raises(InvalidCellError) as caught:
        read(*cell)
    assert caught.value.code in REASONS
    return caught.value.code


def read_or_refused(read, *cell):
    """Return what a reader makes of a cell, or the code with which it refuses."""
    try:
        return read(*cell), None
    except InvalidCellError as unfit:
        return None, unfit.code


# text


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("4711", "4711"),
        ("  a b\n", "a b"),
        (" ", None),
        ("", None),
        (4711, "4711"),
        (-1, "-1"),
        (4711.0, "4711"),
        (-0.0, "0"),
        (0.5, "0.5"),
        (float(2**53), "9007199254740992"),
        (Decimal(4711), "4711"),
        (Decimal("1E+3"), "1000"),
        (Decimal("4711.00"), "4711"),
        (Decimal("4711.50"), "4711.5"),
        (Decimal(4700), "4700"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Mixed.SHOP, "shop"),
        (Word.SHOP, "shop"),
    ],
)
def test_text_is_read_from_text_numbers_and_uuids(cell, text):
    assert values.text(cell) == text
    assert text is None or type(values.text(cell)) is str


@pytest.mark.parametrize(
    "cell",
    [
        True,
        b"4711",
        bytearray(b"x"),
        memoryview(b"x"),
        [1],
        {"a": 1},
        object(),
        dt.date(2026, 1, 1),
        math.nan,
        math.inf,
    ],
    ids=type_of,
)
def test_text_is_not_guessed_from_other_types(cell):
    assert code_of(values.text, cell) == "bad_type"


@pytest.mark.parametrize("cell", [float(2**53 + 2), 1e22, -1e300])
def test_a_float_too_large_to_be_exact_is_no_text(cell):
    """An id of twenty digits that went through a float is another id."""
    assert code_of(values.text, cell) == "bad_type"


# numbers


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (Decimal("72.390"), "72.390"),
        (Decimal("0.00"), "0.00"),
        (Decimal("-0.50"), "-0.50"),
        (Decimal("1E+2"), "100"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal("0E+50"), "0"),
        (72.39, "72.39"),
        (1e-7, "0.0000001"),
        (1.5e20, "150000000000000000000"),
        (100.0, "100.0"),
        (0, "0"),
        (10**20, "100000000000000000000"),
        ("72.390", "72.390"),
        (" 72.39 ", "72.39"),
        ("+5", "5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        ("", None),
        (" ", None),
    ],
)
def test_a_number_keeps_its_digits_and_never_has_an_exponent(cell, number):
    assert values.number(cell) == number


@pytest.mark.parametrize(
    "cell",
    [
        math.nan,
        math.inf,
        -math.inf,
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        "NaN",
        "inf",
        "Infinity",
        "sNaN123",
        "72,39",
        "€72.39",
        "1_000",
        "0x10",
        "\u0661\u0662",
        "abc",
        True,
        False,
        b"1",
        [1],
        {},
        object(),
        dt.date(2026, 1, 1),
    ],
    ids=type_of,
)
def test_what_is_no_number_is_refused(cell):
    assert code_of(values.number, cell) == "bad_type"


@pytest.mark.parametrize("cell", [10**30, -(10**30), 10**400, "1e5000", "1e-5000", 1e300, Decimal("1e999999")])
def test_a_number_of_more_than_thirty_digits_is_no_money(cell):
    assert code_of(values.number, cell) == "bad_value"


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=4))
def test_a_decimal_comes_back_as_the_same_decimal(cell):
    written = values.number(cell)
    assert written
    assert PLAIN_NUMBER(written)
    assert Decimal(written) == cell
    assert values.number(written) == written


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_comes_back_as_the_same_float_or_is_refused(cell):
    written, code = read_or_refused(values.number, cell)
    if code:
        assert code == "bad_value"
        assert not 1e-14 < abs(cell) < 1e29
    else:
        assert PLAIN_NUMBER(written)
        assert float(written) == cell


@given(st.text() | st.floats() | st.integers() | st.decimals() | st.binary() | st.booleans())
def test_a_number_is_digits_or_nothing_whatever_the_cell(cell):
    written, code = read_or_refused(values.number, cell)
    assert code in (None, "bad_type", "bad_value")
    assert written is None or PLAIN_NUMBER(written)


# integers


@pytest.mark.parametrize(
    ("cell", "integer"),
    [(3, 3), ("3", 3), (" 3 ", 3), (3.0, 3), (Decimal("3.00"), 3), ("3.0", 3), (-(2**63), -(2**63)), ("", None)],
)
def test_whole_numbers_are_integers(cell, integer):
    found = values.integer(cell)
    assert found == integer
    assert found is None or type(found) is int


@pytest.mark.parametrize("cell", [3.5, "3.5", Decimal("0.1"), True, math.nan, "three", b"3", [3]], ids=type_of)
def test_fractions_and_other_things_are_no_integers(cell):
    assert code_of(values.integer, cell) == "bad_type"


@pytest.mark.parametrize("cell", [2**63, -(2**63) - 1, str(2**63), 1e25, 10**400])
def test_an_integer_has_64_bits(cell):
    assert code_of(values.integer, cell) == "bad_value"


# booleans


@pytest.mark.parametrize("cell", [True, 1, "1", "true", "TRUE", " t ", "yes", "Y", 1.0, Decimal(1), "1.0"])
def test_yes_is_true(cell):
    assert values.boolean(cell) is True


@pytest.mark.parametrize("cell", [False, 0, "0", "false", "False", "f", "no", "N", 0.0, Decimal(0), "0.0"])
def test_no_is_false(cell):
    assert values.boolean(cell) is False


def test_blank_is_neither_true_nor_false():
    assert values.boolean(" ") is None


@pytest.mark.parametrize("cell", [2, -1, 0.5, "maybe", b"1", [], math.nan, Decimal("sNaN")], ids=type_of)
def test_other_things_are_no_booleans(cell):
    assert code_of(values.boolean, cell) == "bad_type"


# lists


@pytest.mark.parametrize(
    ("cell", "texts"),
    [
        (["a", 1, None, " ", 2.0], ["a", "1", "2"]),
        (("a", "b"), ["a", "b"]),
        ({"b", "a"}, ["a", "b"]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ('["a", 1]', ["a", "1"]),
        (' ["a"] ', ["a"]),
        ("a", ["a"]),
        ("[a", ["[a"]),
        (7, ["7"]),
        ([], None),
        ("[]", None),
        ("", None),
        (["", None], None),
    ],
)
def test_a_list_is_read_from_lists_json_arrays_and_single_values(cell, texts):
    assert values.texts(cell) == texts


def test_text_in_brackets_that_is_no_json_is_refused():
    assert code_of(values.texts, "[a, b]") == "bad_json"


def test_a_fault_inside_a_list_is_located():
    with pytest.raises(InvalidCellError) as caught:
        values.texts(["a", True])
    assert (caught.value.code, caught.value.at) == ("bad_type", "[1]")


# JSON


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        ({"a": 1}, {"a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        ([1], [1]),
        ((1,), (1,)),
        ("", None),
        (" \n", None),
        ("null", None),
    ],
)
def test_json_is_parsed_or_taken_as_it_is(cell, found):
    assert values.json(cell) == found


@pytest.mark.parametrize("cell", ["{", "{'a': 1}", '["\ud800"]', "[" * 5000, 1, b"{}", True, "NaN"], ids=type_of)
def test_what_is_no_json_is_refused(cell):
    assert code_of(values.json, cell) == "bad_json"


# times

MOMENT = 1_795_253_400  # 2026-11-21T09:30:00Z
NINE_THIRTY = dt.datetime(2026, 11, 21, 9, 30)  # noqa: DTZ001 - naive on purpose


class NotATime(dt.datetime):
    """What pandas calls NaT: a datetime that is none."""

    def timestamp(self):
        raise ValueError("NaTType does not support timestamp")

    def replace(self, *args, **kwargs):
        return self


@pytest.mark.parametrize(
    "cell",
    [
        NINE_THIRTY.replace(tzinfo=dt.UTC),
        NINE_THIRTY.replace(hour=10, tzinfo=BERLIN),
        NINE_THIRTY.replace(hour=10),
        NINE_THIRTY.replace(hour=10, microsecond=999_999),
        "2026-11-21T09:30:00Z",
        "2026-11-21T09:30Z",
        "2026-11-21 09:30:00+00",
        "2026-11-21 09:30:00 UTC",
        "2026-11-21 09:30:00.123456 UTC",
        "2026-11-21 09:30:00.000 Z",
        "2026-11-21 10:30:00 +0100",
        "2026-11-21 10:30:00.000 +0100",
        "2026-11-21 01:30:00.000 -08:00",
        "2026-11-21T10:30:00+01:00",
        "2026-11-21T10:30:00.5+01:00",
        "2026-11-21T10:30:00",
        " 2026-11-21 10:30:00 ",
        "2026-11-21 10:30",
        "2026-11-21T10:30:00,5",
        "2026/11/21 10:30:00",
        "20261121T103000",
        MOMENT,
        float(MOMENT),
        MOMENT + 0.999,
        Decimal(MOMENT),
        Decimal(f"{MOMENT}.999"),
        str(MOMENT),
        f" {MOMENT} ",
        f"{MOMENT}.999",
        MOMENT * 1_000,
        MOMENT * 1_000 + 999,
        float(MOMENT * 1_000),
        str(MOMENT * 1_000),
        MOMENT * 1_000_000,
        str(MOMENT * 1_000_000 + 999_999),
        MOMENT * 1_000_000_000,
    ],
    ids=type_of,
)
def test_one_moment_has_many_forms(cell):
    assert values.unix_time(cell, BERLIN) == MOMENT
    assert type(values.unix_time(cell, BERLIN)) is int


@pytest.mark.parametrize("cell", [dt.date(2026, 11, 21), "2026-11-21", "20261121", "2026/11/21", "2026-W47-6"])
def test_a_date_is_its_midnight_in_the_time_zone(cell):
    assert values.unix_time(cell, dt.UTC) == 1_795_219_200
    assert values.unix_time(cell, BERLIN) == 1_795_219_200 - 3_600
    assert type(values.unix_time(cell, BERLIN)) is values.Midnight


@pytest.mark.parametrize("cell", ["", " "])
def test_a_blank_is_no_time(cell):
    assert values.unix_time(cell, BERLIN) is None


@pytest.mark.parametrize(
    "cell",
    [
        NotATime(2026, 1, 1),
        dt.datetime(1, 1, 1),  # noqa: DTZ001
        dt.date.min,
        dt.time(9, 30),
        dt.timedelta(1),
        "NaT",
        "now",
        "09:30",
        "2026-11",
        "2026",
        "P1D",
        "2026-11-21T00:00:00/2026-11-22T00:00:00",
        "2026-13-01",
        "2026-11-31T09:30:00",
        "21.11.2026",
        "tomorrow",
        "20261131",
        20261121,
        0,
        -1,
        -MOMENT,
        "-1795253400",
        946_684_799,
        10**20,
        10**400,
        math.nan,
        math.inf,
        -math.inf,
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        True,
        b"2026-11-21",
        [MOMENT],
        object(),
        "\ud800",
        "\u0662\u0660\u0662\u06661121",
    ],
    ids=type_of,
)
def test_what_is_no_time_is_refused(cell):
    assert code_of(values.unix_time, cell, BERLIN) == "bad_time"


DATETIMES = st.datetimes(
    dt.datetime(2000, 1, 2),  # noqa: DTZ001
    dt.datetime(2199, 1, 1),  # noqa: DTZ001
    timezones=st.timezones() | st.just(dt.UTC),
)


@given(DATETIMES)
def test_a_datetime_and_its_text_are_the_same_time(moment):
    expected = math.floor(moment.timestamp())
    assert values.unix_time(moment, BERLIN) == expected
    assert values.unix_time(moment.isoformat(), BERLIN) == expected
    assert values.unix_time(moment.isoformat(sep=" "), BERLIN) == expected


@given(st.integers(946_684_800, 7_000_000_000), st.integers(0, 999_999_999))
def test_seconds_and_their_fractions_are_never_confused(second, nanos):
    precise = second * 10**9 + nanos
    for unit in (1, 10**3, 10**6, 10**9):
        assert values.unix_time(precise // (10**9 // unit), dt.UTC) == second
        assert values.unix_time(str(precise // (10**9 // unit)), dt.UTC) == second


@given(st.text() | st.floats() | st.integers() | st.decimals() | st.dates() | st.datetimes() | st.binary())
def test_a_time_is_since_2000_or_refused_whatever_the_cell(cell):
    found, code = read_or_refused(values.unix_time, cell, BERLIN)
    assert code in (None, "bad_time")
    assert found is None or found >= 946_684_800


@given(st.recursive(st.text() | st.floats() | st.integers() | st.binary(), st.lists))
def test_no_reader_lets_an_unfit_cell_pass_unseen(cell):
    """Every reader answers with what JSON can hold, or raises InvalidCellError."""
    for read in (values.text, values.number, values.integer, values.boolean, values.texts):
        found, code = read_or_refused(read, cell)
        assert code is None or code in REASONS
        surrogates = any(0xD800 <= ord(char) <= 0xDFFF for char in str(found))
        assert surrogates or orjson.dumps(found)


def test_a_message_names_the_type_and_never_the_content():
    with pytest.raises(InvalidCellError) as caught:
        values.text([b"ada@example.com"])
    assert "ada" not in caught.value.message
    assert "list" in caught.value.message
