"""Placeholders count as empty, and JSON text of a scalar is that scalar."""

from __future__ import annotations

import datetime as dt
import json
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions.fields import FIELDS, SWITCHES
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.outcomes import RowBatch
from airflow_provider_pinterest.conversions.placeholders import PLACEHOLDERS
from airflow_provider_pinterest.exceptions import ParameterError
from tests.conversions.hostile import NaTType, NAType, Scalar
from tests.conversions.rows import ADA, NOW, good, new_transform, outcome_of, reasons, sent, sha

WORDS = [
    *PLACEHOLDERS,
    *("NULL", "Null", "None", "NaN", "NaT", "N/A", "\\N", "Undefined", "UNKNOWN", "(Not Set)", "[object Object]"),
    *(" null ", "\tnone\n", '"null"', '"undefined"', "<NA>"),
]
UNHASHED = ["client_ip_address", "client_user_agent", "click_id", "partner_id"]
IDENTIFIERS = [f"user_data.{name}" for name in (*SWITCHES, *UNHASHED)]


@pytest.mark.parametrize("path", [*IDENTIFIERS, "custom_data.order_id"])
@pytest.mark.parametrize("word", WORDS)
def test_a_placeholder_in_an_identifier_is_nothing(path, word):
    transform = new_transform()
    place, name = path.split(".")
    row = {**good(), "user_data.em": "ada@example.com", path: word}
    if path != "user_data.em":
        row.pop("email")
        assert sent(row, transform).get(place, {}).get(name) is None
    else:
        row.pop("email")
        assert reasons(row, transform) == [("no_match_key", "user_data")]
    assert not transform.warnings


@pytest.mark.parametrize("word", WORDS)
def test_a_placeholder_is_no_event_id(word):
    transform = new_transform()
    rows = [tuple(good(event_id=cell).values()) for cell in (word, "order-1", word)]
    found = list(transform.events([RowBatch(tuple(good()), rows)]))
    assert [[reason.code for reason in getattr(one, "reasons", ())] for one in found] == [
        ["missing_field"],
        [],
        ["missing_field"],
    ]


def test_a_placeholder_is_replaced_by_an_id_that_is_made():
    transform = new_transform(event_id_from=["email"])
    assert len(sent(good(event_id="undefined"), transform)["event_id"]) == 32


def test_the_words_are_the_authors():
    assert sent(good(order_id="undefined"), new_transform(placeholders=[]))["custom_data"]["order_id"] == "undefined"
    assert sent(good(last_name="Null"), new_transform(placeholders=[]))["user_data"]["ln"] == [sha("null")]
    own = new_transform(placeholders=[*PLACEHOLDERS, "Guest", "0"])
    row = good(user_id="guest", click_id="GUEST", order_id="0", event_id=7, first_name=" Guest")
    assert sent(row, own)["user_data"] == {"em": [ADA]}
    assert sent(good(user_id="0", event_id=8), own)["user_data"] == {"em": [ADA]}
    assert sent(good(user_id=0, event_id=9), own)["user_data"] == {"em": [ADA]}
    assert sent(good(user_id=10))["user_data"]["external_id"] == [sha("10")]
    with pytest.raises(ParameterError, match="placeholders: expected a list of words"):
        ColumnMapping(placeholders="null")


def test_the_words_are_the_same_in_another_process():
    parameters: dict[str, Any] = ColumnMapping(placeholders=["guest"]).parameters
    assert ColumnMapping(**parameters).parameters == parameters


@pytest.mark.parametrize("cell", ["Nullmann", "Nona", "no", "na", "Unknown-1", "n", "None such", "O"])
def test_words_that_only_look_alike_are_values(cell):
    transform = new_transform()
    event = sent(good(last_name=cell, user_id=f"a{cell}", order_id=cell), transform)
    assert event["user_data"]["ln"] == [sha(cell.lower())]
    assert event["custom_data"]["order_id"] == cell
    assert not transform.warnings


def test_namibia_is_a_country():
    assert sent(good(country="NA"))["user_data"]["country"] == [sha("na")]


@pytest.mark.parametrize("column", ["search_string", "content_name", "content_category", "np", "app_name"])
def test_a_placeholder_in_other_text_is_text(column):
    event = sent(good(**{column: "Unknown"}))
    assert {**event, **event.get("custom_data", {})}[column] == "Unknown"


# JSON text of scalars

TEXT = [field for field in FIELDS if field.kind == "text" and "[]" not in field.path]
TYPED = {
    "event_time": (f'"{dt.datetime.fromtimestamp(NOW - 60, dt.UTC).isoformat()}"', NOW - 60),
    "action_source": ('"app_ios"', "app_ios"),
    "language": ('"en"', "en"),
    "opt_out": ('"true"', True),
    "wifi": ("null", None),
    "custom_data.value": ('"12.50"', "12.50"),
    "custom_data.num_items": ('"3"', 3),
    "custom_data.currency": ('"eur"', "EUR"),
    "custom_data.opt_out_type": ('"gdpr"', "GDPR"),
    "custom_data.content_ids": ('"sku-1"', ["sku-1"]),
    "app_info.install_time": ('"2026-11-20T00:00:00Z"', 1_795_132_800),
    "app_info.window_width": ('"300"', 300),
    "device_info.form_factor": ('"tv"', "tv"),
}


def value(event, path):
    for name in path.split("."):
        event = event.get(name, {})
    return None if event == {} else event


@pytest.mark.parametrize("field", TEXT, ids=lambda field: field.path)
def test_a_json_string_is_that_string_in_every_text_field(field):
    row = {name: cell for name, cell in good().items() if name != field.path}
    for cell in ('"E 1"', ' "E 1" ', json.dumps('"E 1"'), '"E\\u00201"', ["E 1"][0]):
        if field.max_length and field.max_length < 5:
            break
        assert value(sent({**row, field.path: cell}), field.path) == "E 1"
    nothing = outcome_of({**row, field.path: "null"})
    if field.required:
        assert [reason.code for reason in nothing.reasons] == ["missing_field"]
    else:
        assert value(json.loads(nothing.body), field.path) is None


@pytest.mark.parametrize(("path", "cell", "found"), [(path, *pair) for path, pair in TYPED.items()])
def test_a_json_string_is_that_string_in_other_fields(path, cell, found):
    row = {name: old for name, old in good().items() if name != path}
    assert value(sent({**row, path: cell}), path) == found


@pytest.mark.parametrize("path", sorted(set(TYPED) - {"event_time", "action_source"}))
def test_json_null_is_null_in_every_field(path):
    assert sent({**good(), path: "null"}) == sent(good())


@pytest.mark.parametrize(
    ("name", "cell", "text"),
    [
        ("em", '"Jane@Example.com"', "jane@example.com"),
        ("ph", '"+49 (0)711 2842222"', "497112842222"),
        ("ge", '"female"', "f"),
        ("db", '"1990-12-31"', "19901231"),
        ("fn", '"Ada"', "ada"),
        ("ln", '"Lovelace"', "lovelace"),
        ("ct", '"New York"', "newyork"),
        ("st", '"California"', "ca"),
        ("zp", '"94107-1234"', "94107"),
        ("country", '"US"', "us"),
        ("external_id", '"C-1"', "C-1"),
        ("hashed_maids", '"EB7BA5A4-4E32-4C1D-9F5A-5C5F1D0E8B11"', "eb7ba5a4-4e32-4c1d-9f5a-5c5f1d0e8b11"),
    ],
)
def test_a_json_string_is_that_string_in_every_identifier(name, cell, text):
    path = f"user_data.{name}"
    row = {**good(ip="192.0.2.1", user_agent="Agent/1"), path: cell}
    row.pop("email")
    transform = new_transform()
    assert sent(row, transform)["user_data"][name] == [sha(text)]
    assert sent({**row, path: f'["{sha(text)}"]'})["user_data"][name] == [sha(text)]
    assert sent({**row, path: json.dumps(sha(text))})["user_data"][name] == [sha(text)]
    assert name not in sent({**row, path: "null", "event_id": 2}, transform)["user_data"]
    assert not transform.warnings


@pytest.mark.parametrize("name", ["client_user_agent", "click_id", "partner_id"])
def test_a_json_string_is_that_string_in_what_goes_out_as_it_is(name):
    assert sent(good(**{name: '"abc"'}))["user_data"][name] == "abc"


def test_a_json_string_in_contents_and_in_json_is_that_string():
    contents = [{"id": '"sku-1"', "item_name": "null", "price": '"1.50"', "quantity": '"2"'}]
    assert sent(good(contents=contents))["custom_data"]["contents"] == [
        {"id": "sku-1", "item_price": "1.50", "quantity": 2}
    ]
    document = json.dumps(json.dumps({"order_id": '"E1"', "value": 1}))
    assert sent(good(custom_data=document))["custom_data"] == {"order_id": "E1", "value": "1"}


@pytest.mark.parametrize("cell", ['"', '"a', 'a"', '"a" and "b"', '"a"b"', "'a'", '"\\x"', "NULL", "Null", "nullify"])
def test_other_text_with_quotation_marks_is_as_it_is(cell):
    assert sent(good(search_string=cell))["custom_data"]["search_string"] == cell


@given(st.text().filter(lambda text: text.strip() not in {"", "null"} and not text.strip().startswith('"')))
def test_any_text_comes_out_of_its_json(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    transform = new_transform()
    plain = sent(good(np=text), transform)
    assert sent(good(np=json.dumps(text), event_id=2), transform)["custom_data"] == plain["custom_data"] or "@" in text


# NULL in any notation

EMPTY = [None, "", " ", math.nan, Decimal("NaN"), NAType(), NaTType(2026, 1, 1), Scalar(None), Scalar(math.nan)]


@pytest.mark.parametrize("field", [field for field in FIELDS if "[]" not in field.path], ids=lambda field: field.path)
def test_null_nan_nat_and_na_are_empty_in_every_field(field):
    row = {**good(), "user_data.em": "ada@example.com"}
    row.pop("email")
    for cell in EMPTY:
        transform = new_transform()
        found = outcome_of({**row, field.path: cell}, transform)
        without = outcome_of({name: old for name, old in row.items() if name != field.path})
        assert getattr(found, "body", None) == getattr(without, "body", None)
        assert getattr(found, "reasons", None) == getattr(without, "reasons", None)
        assert not transform.warnings


@pytest.mark.parametrize("name", sorted(SWITCHES))
def test_null_nan_nat_and_na_are_empty_in_lists_of_identifiers(name):
    transform = new_transform()
    row = {**good(), f"user_data.{name}": [*EMPTY, "null", "N/A"]}
    if name == "em":
        row.pop("email")
        row |= {"ip": "192.0.2.1", "user_agent": "Agent/1"}
    assert name not in sent(row, transform)["user_data"] or name == "em"
    assert not transform.warnings
