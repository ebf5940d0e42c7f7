"""An invalid cell rejects its row only if the conversion would be wrong without it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from airflow_provider_pinterest.conversions.field_types import LEAVE_OUT, REJECT, Field, choice, text
from airflow_provider_pinterest.conversions.fields import BY_PATH, FIELDS, WARNINGS, check
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.outcomes import Event, Rejection, RowBatch
from airflow_provider_pinterest.exceptions import ParameterError
from tests.conversions.rows import ADA, good, new_transform, outcome_of, outcomes_of, sent

BAD: dict[str, list[Any]] = {
    "choice": ["fridge", 5, b"\xff"],
    "number": ["many", "12,50", [1], True],
    "integer": [1.5, "1.5", "few", 2**63, {}],
    "boolean": ["perhaps", 2, [True]],
    "time": ["yesterday", 5, [1]],
    "texts": [{"a": 1}, "\ud800", b"\xff"],
    "text": [True, b"\xff", {"a": 1}, ["a"], object(), "\ud800", dt.date(2026, 1, 1)],
    "event_name": [True, b"\xff", ["a"], object(), "\ud800"],
    "language": ["fil-PH", "german", 5, ["en"]],
    "flags": [True, {"LDP": True}, b"\xff"],
    "currency": ["EURO", "€", 978, ["EUR"]],
    "object": ["{", "[1]", 5, object()],
    "objects": ["{", 5, object(), "text"],
}
LEFT_OUT = [field for field in FIELDS if field.warning and "[]" not in field.path and field.place != "user_data"]
REJECTED = [field for field in FIELDS if field.bad_cell is REJECT and field.kind in BAD]
MUST = {
    *("event_name", "action_source", "event_time", "event_id", "opt_out", "advertiser_tracking_enabled"),
    *("user_data", "custom_data", "custom_data.value", "custom_data.currency", "custom_data.order_id"),
    "custom_data.opt_out_type",
}


def test_rows_are_rejected_for_what_would_make_the_conversion_wrong():
    assert {field.path for field in FIELDS if field.bad_cell is REJECT} == MUST


@pytest.mark.parametrize(
    ("field", "cell"),
    [(field, cell) for field in LEFT_OUT for cell in BAD[field.kind]],
    ids=lambda one: getattr(one, "path", type(one).__name__),
)
def test_a_bad_cell_of_another_field_is_left_out_and_counted(field, cell):
    transform = new_transform()
    rows = [
        good(event_id=1, **{field.path: cell}),
        good(event_id=2, **{field.path: None}),
        good(event_id=3, **{field.path: cell}),
    ]
    found = list(transform.events([RowBatch(tuple(rows[0]), [tuple(row.values()) for row in rows])]))
    assert [type(one) for one in found] == [Event] * 3
    assert transform.warnings == {field.warning: 2}
    assert sent(rows[0]) == sent(good(event_id=1))
    assert field.path not in transform.coverage


@pytest.mark.parametrize(
    ("field", "cell"),
    [(field, cell) for field in REJECTED for cell in BAD[field.kind]],
    ids=lambda one: getattr(one, "path", type(one).__name__),
)
def test_a_bad_cell_of_such_a_field_rejects_its_row(field, cell):
    transform = new_transform()
    found = outcome_of({**good(), "email": "ada@example.com", field.path: cell}, transform)
    assert isinstance(found, Rejection)
    assert any(reason.field == field.path for reason in found.reasons)
    assert not transform.warnings


@pytest.mark.parametrize(
    ("row", "kept", "code"),
    [
        (good(content_ids=["a", {}, "b"]), {"content_ids": ["a", "b"]}, "unusable_content_ids"),
        (good(content_ids='["a", [1], true]'), {"content_ids": ["a"]}, "unusable_content_ids"),
        (good(custom_data={"value": 1, "num_items": 1.5}), {"value": "1"}, "unusable_num_items"),
        (good(custom_data='{"value": 1, "content_name": ["x"]}'), {"value": "1"}, "unusable_content_name"),
        (good(value=1, predicted_ltv="high"), {"value": "1"}, "unusable_predicted_ltv"),
    ],
)
def test_what_can_be_read_beside_it_is_sent(row, kept, code):
    transform = new_transform()
    assert sent(row, transform)["custom_data"] == kept
    assert transform.warnings == {code: 1}


def test_long_lists_are_cut_and_long_texts_left_out():
    transform = new_transform()
    event = sent(good(**{"device_info.languages": ["en"] * 101, "device_info.locale": "x" * 36}), transform)
    assert event["device_info"] == {"languages": ["en"] * 100}
    assert transform.warnings == {"unusable_device_info_languages": 1, "unusable_device_info_locale": 1}


def test_a_nested_object_that_cannot_be_read_is_left_out():
    transform = new_transform()
    row = good(app_info="{", device_info={"os_family": "Mac OS X", "brand": "B"})
    assert sent(row, transform)["device_info"] == {"brand": "B"}
    assert transform.warnings == {"unusable_app_info": 1, "unusable_device_info_os_family": 1}


def test_a_default_does_not_take_the_place_of_a_bad_cell():
    transform = new_transform(defaults={"language": "de"})
    assert "language" not in sent(good(language="fil-PH"), transform)
    assert sent(good(event_id=2, language=None), transform)["language"] == "de"


def test_a_bad_default_is_an_error_that_says_what_is_wrong():
    with pytest.raises(ParameterError, match=r"defaults\['custom_data.num_items'\]: expected a whole number"):
        ColumnMapping(defaults={"num_items": 1.5})
    with pytest.raises(ParameterError, match=r"defaults\['language'\]: expected a two-letter"):
        ColumnMapping(defaults={"language": "fil"})
    with pytest.raises(ParameterError, match=r"defaults\['custom_data.contents'\]"):
        ColumnMapping(defaults={"contents": [{"quantity": 1.5}]})


@pytest.mark.parametrize("written", ["app-ios", "App iOS", "APP_IOS", "appIos", " app_ios "])
def test_choices_are_found_in_any_spelling(written):
    assert sent(good(action_source=written))["action_source"] == "app_ios"


# Rows among others that have two names for one field

CLASHES = [
    ("user_data.em", {"em": ADA}),
    ("user_data.em", {"E-Mail": None}),
    ("event_id", {"eventId": "x"}),
    ("event_time", {"timestamp": 1}),
    ("custom_data.value", {"value": 1, "revenue": 2}),
    ("user_data", {"user_data": {}, "User Data": None}),
    ("custom_data.contents", {"items": [], "products": []}),
]


@pytest.mark.parametrize(("path", "more"), CLASHES, ids=[repr(more) for _, more in CLASHES])
def test_an_ambiguous_row_among_others_is_rejected(path, more):
    rows = [good(event_id=1), {**good(event_id=2), **more}, good(event_id=3), {**good(event_id=4), **more}]
    transform = new_transform(key_columns=["event_name"])
    found = outcomes_of(rows, transform)
    assert [type(one) for one in found] == [Event, Rejection, Event, Rejection]
    reasons = [reason for reason in found[1].reasons if reason.code == "ambiguous_columns"]
    assert [reason.field for reason in reasons] == [path]
    assert all(repr(name) in reasons[0].message for name in more)
    assert found[1].keys == {"event_name": "checkout"}
    assert transform.coverage["event_id"] == 2


# The table


def changed(path, **changes):
    return tuple(dataclasses.replace(field, **changes) if field.path == path else field for field in FIELDS)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ((*FIELDS, Field("language", text, LEAVE_OUT)), "twice"),
        ((*FIELDS, Field("nowhere.else", text, LEAVE_OUT)), "no line for nowhere"),
        ((*FIELDS, Field("colour", text, LEAVE_OUT, ("E-Mail",))), "belongs to user_data.em"),
        ((*FIELDS, Field("orderId", text, LEAVE_OUT)), "belongs to"),
        ((*FIELDS, Field("custom_data.language", text, LEAVE_OUT)), "belongs to language"),
        ((*FIELDS, Field("size", choice, LEAVE_OUT)), "needs its choices"),
        (changed("user_data.em", bad_cell=REJECT), "must not cost the row"),
        ((*FIELDS, Field("app_info_type", text, LEAVE_OUT), Field("app_info.type", text, LEAVE_OUT)), "belongs to"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_line_that_contradicts_the_table_fails_when_it_is_imported(table, message):
    with pytest.raises(ValueError, match=message):
        check(table)


def test_a_line_cannot_leave_out_what_a_bad_cell_costs():
    with pytest.raises(TypeError):
        Field("colour", text)  # type: ignore[call-arg]


def test_the_warnings_of_the_table_are_documented_codes():
    for field in FIELDS:
        assert field.warning is None or field.path.replace("[]", "") in WARNINGS[field.warning]
    assert BY_PATH["custom_data.contents[].quantity"].warning == "unusable_contents_quantity"
    assert BY_PATH["device_info.os_family"].warning == "unusable_device_info_os_family"
    assert BY_PATH["user_data.em"].warning == "unusable_em"
