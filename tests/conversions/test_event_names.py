"""Pinterest's names of events are found in any spelling; others go out as they are, and the author is told which."""

import re

import pytest

from airflow_provider_pinterest.conversions.event_names import NAMES_COUNTED, UnlistedName
from airflow_provider_pinterest.conversions.fields import EVENT_NAMES
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.outcomes import Duplicate, Event, RowBatch
from airflow_provider_pinterest.conversions.transform import Transform
from airflow_provider_pinterest.exceptions import ParameterError
from tests.conversions.rows import NOW, builder, good, outcome_of, outcomes_of, reasons, sent
from tests.conversions.test_names import SPELLINGS


@pytest.mark.parametrize("spelt", SPELLINGS.values(), ids=SPELLINGS)
def test_a_listed_name_is_found_in_any_spelling(spelt):
    build = builder()
    rows = [good(event_id=number, event_name=spelt(name)) for number, name in enumerate(sorted(EVENT_NAMES))]
    assert [event.name for event in outcomes_of(rows, build)] == sorted(EVENT_NAMES)
    assert not build.warnings
    assert build.unlisted_names() == []


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("AddToCart", "add_to_cart"),
        ("add-to-cart", "add_to_cart"),
        ("ADD TO CART", "add_to_cart"),
        ("PageVisit", "page_visit"),
        ("pagevisit", "page_visit"),
        ("Checkout", "checkout"),
        (" SIGNUP ", "signup"),
        ("Sign Up", "signup"),
        ("ViewCategory", "view_category"),
        ("Watch Video", "watch_video"),
        ("InitiateCheckout", "initiate_checkout"),
        (b"AddToCart", "add_to_cart"),
    ],
)
def test_spellings_of_the_tag_and_of_people(written, name):
    assert sent(good(event_name=written))["event_name"] == name


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("Purchase", "checkout"),
        ("purchase", "checkout"),
        ("page_view", "page_visit"),
        ("PageView", "page_visit"),
        ("view_item", "view_content"),
        ("ViewItem", "view_content"),
        ("begin_checkout", "initiate_checkout"),
        ("CompleteRegistration", "signup"),
        ("CompletePayment", "checkout"),
        ("PlaceAnOrder", "checkout"),
        ("Order Completed", "checkout"),
        ("Product Added", "add_to_cart"),
        ("Products Searched", "search"),
        ("generate_lead", "lead"),
        ("SubmitForm", "lead"),
        ("first_open", "app_install"),
        ("checkuot", "checkout"),
        ("add_to_cart2", "add_to_cart"),
        ("web_purchase", "checkout"),
        ("ad_to_cart", "add_to_cart"),
        ("add_to_crat", "add_to_cart"),
        ("my_event", None),
        ("loyalty_tier_reached", None),
    ],
)
def test_another_name_is_sent_as_it_is_and_shown_with_the_nearest_listed_one(name, nearest):
    build = builder()
    assert sent(good(event_name=name), build)["event_name"] == name
    assert build.warnings == {"unknown_event_name": 1}
    assert build.unlisted_names() == [UnlistedName(name, 1, nearest)]


def named(*names):
    return [good(event_id=number, event_name=name) for number, name in enumerate(names)]


def test_the_most_frequent_names_are_shown_with_their_counts():
    build = builder()
    names = [name for number, name in enumerate("abcdefg") for _ in range(number + 1)]
    outcomes_of(named(*names, "checkout"), build)
    assert [(one.name, one.events) for one in build.unlisted_names()] == [
        ("g", 7),
        ("f", 6),
        ("e", 5),
        ("d", 4),
        ("c", 3),
    ]
    assert len(build.unlisted_names(most=100)) == 7


def test_only_yielded_events_are_counted_and_no_duplicates_or_rejections():
    build = builder()
    rows = [
        good(event_name="Purchase"),
        good(event_name="Purchase"),
        good(event_name="Purchase", event_id=2, email=None),
        good(event_name="Purchase", event_id=3),
    ]
    events = build.events([RowBatch(tuple(rows[0]), [tuple(row.values()) for row in rows])])
    assert type(next(events)) is Event
    assert build.unlisted_names() == [UnlistedName("Purchase", 1, "checkout")]
    assert type(next(events)) is Duplicate
    assert len(list(events)) == 2
    assert build.unlisted_names() == [UnlistedName("Purchase", 2, "checkout")]


@pytest.mark.parametrize("processes", [0, 2])
def test_names_are_counted_in_whatever_process_events_are_made(processes):
    build = Transform(ColumnMapping(event_names={"Kauf": "checkout"}), now=NOW, processes=processes)
    try:
        found = outcomes_of(named("Kauf", "Purchase", "sale", "Purchase"), build)
    finally:
        build.close()
    assert [one.name for one in found] == ["checkout", "Purchase", "sale", "Purchase"]
    assert build.unlisted_names() == [UnlistedName("Purchase", 2, "checkout"), UnlistedName("sale", 1, "checkout")]


def test_very_many_names_do_not_fill_the_memory():
    build = builder()
    outcomes_of(named(*(f"event {number}" for number in range(NAMES_COUNTED + 500))), build)
    assert len(build._unlisted) <= NAMES_COUNTED
    assert build.warnings["unknown_event_name"] == NAMES_COUNTED + 500
    assert all(len(name) <= 100 for name in build._unlisted)


@pytest.mark.parametrize("name", ["call +49 30 1234567", "a" * 5_000, "ab" * 32, "line\nbreak\x1b[2J"])
def test_nothing_personal_is_shown(name):
    build = builder()
    assert sent(good(event_name=name), build)["event_name"] == name
    [one] = build.unlisted_names()
    assert not re.search(r"@|\d{7}|[a-z]{200}|[0-9a-f]{40}|[\x00-\x1f]", one.name)


def test_an_address_is_no_name_and_does_not_go_out():
    build = builder()
    assert reasons(good(event_name="ada@example.com"), build) == [("missing_field", "event_name")]
    assert build.warnings == {"personal_data_in_plain_field": 1}
    assert build.unlisted_names() == []


# event_names


@pytest.mark.parametrize("written", ["Purchase", "purchase", " PURCHASE", "purchase "])
def test_a_name_is_mapped_in_any_spelling(written):
    build = builder(event_names={"Purchase": "checkout"})
    assert sent(good(event_name=written), build)["event_name"] == "checkout"
    assert not build.warnings


def test_a_mapped_name_may_be_an_own_one_or_a_spelling():
    event_names = {"order placed": "Checkout", "add_to_cart": "basket_filled", "sign_up": "sign_up"}
    build = builder(event_names=event_names)
    names = ["OrderPlaced", "AddToCart", "SignUp", "page_visit"]
    assert [event.name for event in outcomes_of(named(*names), build)] == [
        "checkout",
        "basket_filled",
        "sign_up",
        "page_visit",
    ]


def test_the_default_name_is_mapped_too():
    row = good(event_name=None)
    assert sent(row, builder(event_names={"Kauf": "checkout"}, defaults={"event_name": "kauf"}))["event_name"] == (
        "checkout"
    )


def test_made_ids_and_duplicates_go_by_the_name_that_is_sent():
    build = builder(event_names={"Purchase": "checkout"})
    found = outcomes_of([good(event_name=name) for name in ("Purchase", "checkout", "CHECKOUT")], build)
    assert [type(one) for one in found] == [Event, Duplicate, Duplicate]


@pytest.mark.parametrize(
    ("event_names", "message"),
    [
        ({"Purchase": ""}, r"event_names\['Purchase'\]: expected the name to send"),
        ({"Purchase": None}, "expected the name to send"),
        ({"Purchase": 5}, "expected the name to send"),
        ({" ": "checkout"}, "expected the name to send"),
        ({"Purchase": "checkout", "purchase": "lead"}, "maps the same name to 'checkout'"),
        (["Purchase"], "event_names: expected a mapping, got list"),
        ({1: "checkout"}, "event_names: expected names, got int"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(event_names, message):
    with pytest.raises(ParameterError, match=message):
        ColumnMapping(event_names=event_names)


def test_a_name_is_the_same_alone_and_beside_others():
    rows = named("AddToCart", None, 5, "add_to_cart", b"ADD TO CART", "x")
    alone = [outcome_of(row) for row in rows]
    together = list(builder().events([RowBatch(tuple(rows[0]), [tuple(row.values()) for row in rows])]))
    assert [getattr(one, "body", None) for one in alone] == [getattr(one, "body", None) for one in together]
