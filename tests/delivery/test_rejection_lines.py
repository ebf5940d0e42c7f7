"""Any rejection becomes one line of JSON: short, complete, and safe to show."""

from __future__ import annotations

import datetime as dt
import enum
import json
import uuid
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions.outcomes import Rejection, Stage
from airflow_provider_pinterest.conversions.reasons import Reason
from airflow_provider_pinterest.delivery.rejection_lines import LINE_BYTES, rejection_line, row_and_stage


def rejection(**changes):
    found = {
        "row": 3,
        "event_id": "e-3",
        "keys": {"order": 3},
        "reasons": (Reason("bad_type", "custom_data.value", "no"),),
        "stage": Stage.PINTEREST,
    }
    return Rejection(**{**found, **changes})


def read(**changes):
    line = rejection_line(rejection(**changes))
    assert line.endswith(b"\n")
    assert len(line) <= LINE_BYTES
    assert len(line.decode().splitlines()) == 1
    assert json.loads(line) == orjson.loads(line)
    return json.loads(line)


def test_a_line_says_which_row_where_it_ended_and_why():
    assert read() == {
        "row": 3,
        "event_id": "e-3",
        "keys": {"order": 3},
        "reasons": [{"code": "bad_type", "field": "custom_data.value", "message": "no"}],
        "stage": "pinterest",
    }


class Hostile:
    def __str__(self):
        raise RuntimeError

    __repr__ = __str__


class Plain:
    """Python's own text for it has a memory address."""


class Huge:
    def __str__(self):
        return "x" * 10_000_000


class HostileText(str):
    __slots__ = ()

    def __str__(self):
        raise RuntimeError

    def __getitem__(self, index):
        raise RuntimeError


class HostileList(list[int]):
    def __len__(self):
        raise RuntimeError


class PaintColour(enum.Enum):
    RED = "red"


KEYS = {
    "a text": ("o-1", "o-1"),
    "a text like personal data": ("anna@example.com 1234567890", "anna@example.com 1234567890"),
    "true": (True, True),
    "nothing": (None, None),
    "an integer": (2**63, 2**63),
    "an integer beyond 64 bits": (2**70, str(2**70)),
    "an integer that Python does not write out": (10**10_000, "<int of 33220 bits>"),
    "a float": (1.5, 1.5),
    "not a number": (float("nan"), "nan"),
    "infinity": (float("-inf"), "-inf"),
    "a decimal": (Decimal("1.50"), "1.50"),
    "a date": (dt.date(2026, 1, 2), "2026-01-02"),
    "a time": (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), "2026-01-02T03:04:05+00:00"),
    "a uuid": (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    "an enum": (PaintColour.RED, "red"),
    "bytes": (b"a\xff", "a\\xff"),
    "a view of bytes": (memoryview(b"abc"), "abc"),
    "a list": ([1, "a", [None]], [1, "a", [None]]),
    "a mapping": ({1: {"a": 2}}, {"1": {"a": 2}}),
    "a lone surrogate": ("a\ud800b", "a\\ud800b"),
    "a lone surrogate in a list": ([{"\ud800": "\ud800"}], [{"\\ud800": "\\ud800"}]),
    "an object that has no text": (Hostile(), "<Hostile>"),
    "a text with code of its own": (HostileText("abc"), "abc"),
    "a list with code of its own": (HostileList([1]), "<HostileList>"),
}


@pytest.mark.parametrize(("cell", "written"), KEYS.values(), ids=KEYS)
def test_a_key_cell_stays_what_it_is_or_becomes_text(cell, written):
    document = read(keys={"order": cell, "shop": 1})

    assert document["keys"] == {"order": written, "shop": 1}
    assert document["reasons"]


def test_a_key_s_name_that_is_no_text_becomes_text():
    names = {7: "a", None: "b", Hostile(): "c"}  # type: ignore[dict-item, unused-ignore]

    assert read(keys=names)["keys"] == {"7": "a", "None": "b", "<Hostile>": "c"}


def test_no_memory_address_is_written():
    assert "0x" not in json.dumps(read(keys={"a": Plain(), "b": [Plain()], "c": {Plain(): print}}))


def cyclic():
    found: list[object] = []
    found.append(found)
    return found


MONSTERS = {
    "a long cell": {"keys": {"order": "x" * 10_000_000}},
    "a long cell that JSON makes longer": {"keys": {"order": "\0" * 1_000_000}},
    "a long cell of surrogates": {"keys": {"order": "\ud800" * 1_000_000}},
    "long bytes": {"keys": {"order": b"\xff" * 1_000_000}},
    "a long text of an object": {"keys": {"order": Huge()}},
    "a long list": {"keys": {"order": list(range(1_000_000))}},
    "a long mapping": {"keys": {"order": {str(n): n for n in range(100_000)}}},
    "wide and deep": {"keys": {"order": [[[["x" * 1_000] * 100] * 100] * 100] * 100}},
    "very deep": {"keys": {"order": json.loads("[" * 900 + "]" * 900)}},
    "endless": {"keys": {"order": cyclic()}},
    "a long name of a key": {"keys": {"x" * 1_000_000: 1}},
    "many keys": {"keys": {f"key {n}": "x" * 1_000 for n in range(10_000)}},
    "many empty keys": {"keys": {f"{n}": None for n in range(100_000)}},
    "many reasons": {"reasons": tuple(Reason("bad_value", f"contents[{n}].id", "\\" * 300) for n in range(10_000))},
    "long reasons": {"reasons": (Reason("bad_value", "😀" * 1_000_000, "😀 " * 1_000_000),) * 50},
    "all of it": {
        "event_id": "\0" * 4_000,
        "keys": {f"{n}": "\0" * 100_000 for n in range(100)},
        "reasons": tuple(Reason("bad_value", '"😀' * 1_000, '"😀' * 1_000) for _ in range(100)),
    },
}


@pytest.mark.parametrize("changes", MONSTERS.values(), ids=MONSTERS)
def test_a_monstrous_row_makes_a_short_line(changes):
    document = read(**changes)

    assert document["row"] == 3
    assert document["stage"] == "pinterest"
    assert document["event_id"].startswith(changes.get("event_id", "e-3")[:200])
    assert document["reasons"]
    assert document["reasons"][0]["code"] in ("bad_type", "bad_value")


def test_reasons_beyond_the_first_are_counted():
    document = read(reasons=(Reason("bad_value", "event_name", "no"),) * 100)

    assert len(document["reasons"]) + document["more_reasons"] == 100


def test_an_event_id_is_cut_only_if_it_is_monstrous():
    assert read(event_id="x" * 4_000)["event_id"] == "x" * 4_000
    assert 100 < len(read(event_id="x" * 1_000_000)["event_id"]) < 5_000


def test_what_comes_from_outside_is_cleaned_in_reasons():
    text = "user_data.\x1b[31manna@example.com\n\u2028\x9b2J"
    [reason] = read(reasons=(Reason("unknown_field", text, text),))["reasons"]

    for cleaned in (reason["field"], reason["message"]):
        assert "example" not in cleaned
        assert cleaned.isprintable()


def test_characters_that_control_a_terminal_are_escaped_in_keys_and_ids():
    text = "a\x1b[2J\x9b\x85\u2028\u202e\x7f\r\nb"
    line = rejection_line(rejection(event_id=text, keys={text: text}))

    assert line.rstrip(b"\n").decode().isprintable()
    assert json.loads(line)["event_id"] == text
    assert json.loads(line)["keys"] == {text: text}


CELLS: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.binary()
    | st.dates()
    | st.uuids(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(st.characters(codec=None)), inner, max_size=2),
    max_leaves=3,
)


@given(
    st.text(st.characters(codec=None)) | st.none(),
    st.dictionaries(st.text(st.characters(codec=None)), CELLS, max_size=3),
    st.text(st.characters(codec=None)),
)
def test_any_row_makes_one_line_that_can_be_read_again(event_id, keys, field):
    changes = {"event_id": event_id, "keys": keys, "reasons": (Reason("unknown_field", field, field),)}
    document = read(**changes)

    assert document["row"] == 3
    assert row_and_stage(rejection_line(rejection(**changes))) == (3, "pinterest")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[]\n",
        b"7\n",
        b'{"row": 1, "stage": "validation"}',
        b'{"row": 1, "stage": "valid',
        b'{"row": 1}\n',
        b'{"row": "1", "stage": "validation"}\n',
        b'{"row": 1, "stage": null}\n',
        b"\xff\n",
        b"\0\n",
    ],
)
def test_a_line_that_is_not_whole_is_about_no_row(line):
    assert row_and_stage(line) is None
