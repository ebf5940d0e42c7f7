"""Texts that look the same are the same id, name or code."""

from __future__ import annotations

import unicodedata

import pytest

from airflow_provider_pinterest.conversions.invisible import visible
from airflow_provider_pinterest.conversions.outcomes import Duplicate, Event
from tests.conversions.rows import good, new_transform, outcomes_of, reasons, sent, sha

UNSEEN = [
    "\ufeff",
    "\u200b",
    "\u200c",
    "\u200d",
    "\u200e",
    "\u202a",
    "\u202c",
    "\u2060",
    "\u2066",
    "\u00ad",
    "\x00",
    "\x7f",
]
SHAPES = ["{0}order-7", "order-7{0}", "order{0}-7", "{0}or{0}der-7{0}", " {0} order-7", '"{0}order-7"']


@pytest.mark.parametrize("mark", UNSEEN)
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_whose_ids_look_the_same_are_one_event(mark, shape):
    transform = new_transform()
    first, second = outcomes_of([good(event_id="order-7"), good(event_id=shape.format(mark))], transform)
    assert isinstance(first, Event)
    assert isinstance(second, Duplicate)
    assert not transform.warnings


@pytest.mark.parametrize("mark", UNSEEN)
@pytest.mark.parametrize(
    ("column", "path", "text", "expected"),
    [
        ("order_id", "custom_data.order_id", "A-1", "A-1"),
        ("event_name", "event_name", "add_to_cart", "add_to_cart"),
        ("event_name", "event_name", "own_name", "own_name"),
        ("action_source", "action_source", "web", "web"),
        ("currency", "custom_data.currency", "EUR", "EUR"),
        ("click_id", "user_data.click_id", "dj0yJnU9", "dj0yJnU9"),
        ("user_data.partner_id", "user_data.partner_id", "p-1", "p-1"),
        ("content_ids", "custom_data.content_ids", "sku-1", ["sku-1"]),
        ("external_id", "user_data.external_id", "C-4711", [sha("C-4711")]),
        ("email", "user_data.em", "ada@example.com", [sha("ada@example.com")]),
        ("phone", "user_data.ph", "+4930123456", [sha("4930123456")]),
        ("birthday", "user_data.db", "1985-03-14", [sha("19850314")]),
        ("zip", "user_data.zp", "94107", [sha("94107")]),
        ("value", "custom_data.value", "72.39", "72.39"),
    ],
)
def test_invisible_characters_do_not_change_a_field(mark, column, path, text, expected):
    for cell in (f"{mark}{text}", f"{text}{mark}", f"{text[:2]}{mark}{text[2:]}"):
        transform = new_transform()
        found = sent(good(**{column: cell}), transform)
        for key in path.split("."):
            found = found[key]
        assert found == expected
        assert not transform.warnings.keys() - {"unknown_event_name"}


def test_the_wish_for_limited_data_processing_is_understood():
    event = sent(good(opt_out_type="L\u200bDP\ufeff", state="CA", country="US"))
    assert event["custom_data"]["opt_out_type"] == "LDP"


@pytest.mark.parametrize("mark", UNSEEN)
def test_a_product_id_is_the_same(mark):
    event = sent(good(items=[{"id": f"sku{mark}-1", "quantity": 1}]))
    assert event["custom_data"]["contents"] == [{"id": "sku-1", "quantity": 1}]


def test_an_id_of_invisible_characters_is_missing():
    assert reasons(good(event_id="\u200b\ufeff")) == [("missing_field", "event_id")]


def test_an_invisible_character_beside_a_placeholder_does_not_make_it_an_id():
    assert reasons(good(event_id="null\u200b")) == [("missing_field", "event_id")]


def test_an_id_made_from_columns_is_the_same():
    transform = new_transform(event_id_from=["cart", "event_time"], field_map={"cart": None})
    rows = [{**good(cart=cart)} for cart in ("c-1", "\u202ac-1\u202c", "c\u200b-1")]
    for row in rows:
        del row["event_id"]
    assert [type(one) for one in outcomes_of(rows, transform)] == [Event, Duplicate, Duplicate]


def test_an_accent_of_one_or_two_characters_is_the_same_id():
    ids = [unicodedata.normalize(form, "commande-é") for form in ("NFC", "NFD")]
    assert [type(one) for one in outcomes_of([good(event_id=one) for one in ids])] == [Event, Duplicate]


def test_joiners_inside_names_belong_to_their_spelling():
    assert sent(good(first_name="\u0645\u06cc\u200c\u0646"))["user_data"]["fn"] == [sha("\u0645\u06cc\u200c\u0646")]
    assert (
        sent(good(content_name="\u0645\u06cc\u200c\u0646"))["custom_data"]["content_name"] == "\u0645\u06cc\u200c\u0646"
    )


@pytest.mark.parametrize("text", ["order 7", "Größe 7", "注文-7", "a\tb", "😀"])
def test_visible_text_stays(text):
    assert visible(text) == text


def test_a_long_text_of_marks_takes_no_time():
    assert len(visible("e" + "\u0301\u0316" * 500_000)) == 1_000_001
