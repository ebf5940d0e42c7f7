"""E-mail addresses do not leave in fields that travel as they are."""

import time

import pytest

from airflow_provider_pinterest.conversions.outcomes import RowBatch
from airflow_provider_pinterest.redaction import clean
from tests.conversions.rows import builder, good, outcome_of, outcomes_of, sent

SHOP = "https://shop.example.com"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (f"{SHOP}/a?email=ada@example.com", f"{SHOP}/a"),
        (f"{SHOP}/a?email=ada%40example.com&utm_source=x", f"{SHOP}/a"),
        (f"{SHOP}/a?email=ada%2540example.com", f"{SHOP}/a"),
        (f"{SHOP}/a?utm_source=x#ada@example.com", f"{SHOP}/a"),
        (f"{SHOP}?to=@ada", SHOP),
        (f"{SHOP}/unsubscribe/ada@example.com/now?x=1", f"{SHOP}/unsubscribe/"),
        (f"{SHOP}/unsubscribe/ada%40example.com", f"{SHOP}/unsubscribe/"),
        (f"{SHOP}/a;email=ada@example.com/b", f"{SHOP}/"),
        ("https://ada:secret@shop.example.com/a", f"{SHOP}/a"),
        ("https://ada@example.com:secret@shop.example.com/a?x=1", f"{SHOP}/a?x=1"),
        ("/a?email=ada@example.com", "/a"),
    ],
)
def test_an_address_is_cut_out_of_a_url(url, kept):
    build = builder()
    assert sent(good(url=url), build)["event_source_url"] == kept
    assert build.warnings == {"personal_data_in_url": 1}


@pytest.mark.parametrize(
    "url",
    [f"{SHOP}/a?utm_source=x%20y#z", "https://social.example.com/@ada/posts?x=1", f"{SHOP}/maps/@52.5,13.4,12z", SHOP],
)
def test_other_urls_stay(url):
    build = builder()
    assert sent(good(url=url), build)["event_source_url"] == url
    assert not build.warnings


def test_a_url_that_is_an_address_is_left_out():
    build = builder()
    assert "event_source_url" not in sent(good(url="?ada@example.com"), build)
    assert build.warnings == {"personal_data_in_url": 1}


PLAIN = ["search_string", "content_name", "content_category", "content_brand", "np", "partner_name", "app_name"]


@pytest.mark.parametrize("column", [*PLAIN, "app_info.app_name", "app_info.user_agent", "device_info.model"])
@pytest.mark.parametrize(
    "text", ["ada@example.com", "from Ada <ada@example.com>", "mailto:ada%40example.com", '"a@b.cd"']
)
def test_text_with_an_address_is_left_out(column, text):
    build = builder()
    assert sent(good(**{column: text}), build) == sent(good())
    assert build.warnings == {"personal_data_in_plain_field": 1}


@pytest.mark.parametrize("text", ["Lunch @ Joe's", "@ada", "5 @ 3.50", "C@T", "a @example.com", "100%40", "me@home"])
def test_an_at_sign_alone_is_no_address(text):
    build = builder()
    assert sent(good(search_string=text), build)["custom_data"]["search_string"] == text
    assert not build.warnings


def test_an_item_keeps_all_but_the_address():
    build = builder()
    rows = [
        good(event_id=1, contents=[{"id": "a", "item_name": "for ada@example.com"}, {"id": "b"}]),
        good(event_id=2, contents=[{"id": "c", "item_category": "ada@example.com"}]),
        good(event_id=3, contents=[{"id": "d"}]),
    ]
    row_batch = RowBatch(tuple(rows[0]), [tuple(row.values()) for row in rows])
    bodies = [getattr(outcome, "body", b"") for outcome in build.events([row_batch])]
    assert [body.rpartition(b'"contents":')[2] for body in bodies] == [
        b'[{"id":"a"},{"id":"b"}]}}',
        b'[{"id":"c"}]}}',
        b'[{"id":"d"}]}}',
    ]
    assert build.warnings == {"personal_data_in_plain_field": 2}


@pytest.mark.parametrize("column", ["event_id", "order_id"])
def test_an_id_with_an_address_is_sent_with_a_warning(column):
    build = builder()
    event = sent(good(**{column: "ada@example.com-17"}), build)
    assert {**event, **event.get("custom_data", {})}[column] == "ada@example.com-17"
    assert build.warnings == {"personal_data_sent": 1}


def test_a_rejection_keeps_the_id_that_was_warned_of():
    assert outcome_of(good(event_id="ada@example.com-17", value="much")).event_id == "ada@example.com-17"


@pytest.mark.parametrize("column", ["user_agent", "click_id", "partner_id"])
@pytest.mark.parametrize("cell", ["ada@example.com", "Mozilla ada%40example.com", "ada\uff20example.com"])
def test_an_at_sign_is_enough_in_what_is_about_a_person(column, cell):
    build = builder()
    assert set(sent(good(**{column: cell}), build)["user_data"]) == {"em"}
    assert build.warnings == {"personal_data_in_plain_field": 1}


@pytest.mark.parametrize(
    "name", ["ada@example.com", "ada%40example.com", "ada%2540example.com", "ada\uff20example.com"]
)
def test_a_key_with_an_address_is_not_repeated(name):
    for row in (good(custom_data={name: 1}), good(contents=[{name: 1}]), good(user_data={name: 1})):
        said = repr(outcome_of(row).reasons)
        assert "unknown_field" in said
        assert "example.com" not in said.replace("custom_data", "")
    assert "example" not in clean(f"Column {name} is unknown")


@pytest.mark.parametrize("text", ["a" * 300_000, "a@" * 100_000, "@" * 300_000, "%40" * 100_000, "/a@b" * 60_000])
def test_a_very_long_text_costs_no_time(text):
    begun = time.monotonic()
    outcomes_of([good(search_string=text, url=text, event_id=1)])
    assert time.monotonic() - begun < 2
