"""Line items of shops and tags are sent without changes; the author decides about ambiguous names."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from airflow_provider_pinterest.conversions.field_maps import FieldMap
from airflow_provider_pinterest.conversions.fields import FIELDS
from airflow_provider_pinterest.conversions.line_items import OTHER_MEMBERS
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.conversions.outcomes import Event
from airflow_provider_pinterest.exceptions import MappingError, ParameterError
from airflow_provider_pinterest.problems import Problems
from tests.conversions.rows import good, new_transform, outcome_of, outcomes_of, reasons, sent

GA4 = {
    "item_id": "SKU_12345",
    "item_name": "Tee",
    "affiliation": "Store",
    "coupon": "SUMMER",
    "discount": 2.22,
    "index": 0,
    "item_brand": "Example",
    "item_category": "Apparel",
    "item_category2": "Adult",
    "item_list_id": "related",
    "item_list_name": "Related",
    "item_variant": "green",
    "location_id": "L_1",
    "price": 10.01,
    "quantity": 3,
}
GA4_EXPORT: dict[str, Any] = {
    "item_id": "SKU_12345",
    "item_name": "Tee",
    "item_brand": "Example",
    "item_variant": None,
    "item_category": "Apparel",
    "item_category2": None,
    "item_category3": None,
    "item_category4": None,
    "item_category5": None,
    "price_in_usd": 11.0,
    "price": 10.01,
    "quantity": 3,
    "item_revenue_in_usd": 33.0,
    "item_revenue": 30.03,
    "item_refund_in_usd": None,
    "item_refund": None,
    "coupon": None,
    "affiliation": None,
    "location_id": None,
    "item_list_id": None,
    "item_list_name": None,
    "item_list_index": None,
    "promotion_id": None,
    "promotion_name": None,
    "creative_name": None,
    "creative_slot": None,
    "item_params": [],
}
PINTEREST_TAG = {
    "product_name": "Tee",
    "product_id": "SKU_12345",
    "product_category": "Apparel",
    "product_variant_id": "SKU_12345-G",
    "product_variant": "green",
    "product_price": 10.01,
    "product_quantity": 3,
    "product_brand": "Example",
}
SEGMENT = {
    "product_id": "SKU_12345",
    "sku": "G-32",
    "category": "Apparel",
    "name": "Tee",
    "brand": "Example",
    "variant": "green",
    "price": 10.01,
    "quantity": 3,
    "coupon": "SUMMER",
    "position": 3,
    "url": "https://www.example.com/product/path",
    "image_url": "https://www.example.com/product/path.jpg",
}
META = {
    "id": "SKU_12345",
    "quantity": 3,
    "item_price": 10.01,
    "title": "Tee",
    "description": "A tee",
    "brand": "Example",
    "category": "Apparel",
    "delivery_category": "home_delivery",
}
TIKTOK = {
    "content_id": "SKU_12345",
    "content_type": "product",
    "content_name": "Tee",
    "content_category": "Apparel",
    "brand": "Example",
    "price": 10.01,
    "quantity": 3,
}
WHOLE = {
    "id": "SKU_12345",
    "item_price": "10.01",
    "quantity": 3,
    "item_name": "Tee",
    "item_category": "Apparel",
    "item_brand": "Example",
}

SHOPIFY = {
    "id": 866550311766439020,
    "admin_graphql_api_id": "gid://shopify/LineItem/866550311766439020",
    "attributed_staffs": [],
    "current_quantity": 1,
    "fulfillable_quantity": 1,
    "fulfillment_service": "manual",
    "fulfillment_status": None,
    "gift_card": False,
    "grams": 567,
    "name": "IPod Nano - 8gb",
    "price": "199.00",
    "price_set": {"shop_money": {"amount": "199.00", "currency_code": "USD"}},
    "product_exists": True,
    "product_id": 632910392,
    "properties": [],
    "quantity": 1,
    "requires_shipping": True,
    "sku": "IPOD2008PINK",
    "taxable": True,
    "title": "IPod Nano - 8gb",
    "total_discount": "0.00",
    "total_discount_set": {},
    "variant_id": 808950810,
    "variant_inventory_management": "shopify",
    "variant_title": "Pink",
    "vendor": "Example",
    "tax_lines": [],
    "duties": [],
    "discount_allocations": [],
}
WOOCOMMERCE = {
    "id": 315,
    "name": "Woo Single #1",
    "product_id": 93,
    "variation_id": 0,
    "quantity": 2,
    "tax_class": "",
    "subtotal": "6.00",
    "subtotal_tax": "0.45",
    "total": "6.00",
    "total_tax": "0.45",
    "taxes": [{"id": 75, "total": "0.45", "subtotal": "0.45"}],
    "meta_data": [{"id": 2095, "key": "pa_color", "value": "black"}],
    "sku": "W1",
    "price": 3,
}


def contents(item, transform=None, column="items"):
    return sent(good(**{column: [item]}), transform)["custom_data"]["contents"]


@pytest.mark.parametrize(
    "item",
    [GA4, GA4_EXPORT, PINTEREST_TAG, SEGMENT, META, TIKTOK, WHOLE],
    ids=["ga4", "ga4 export", "pinterest tag", "segment", "meta", "tiktok", "pinterest"],
)
def test_a_line_item_of_a_common_tag_is_read_whole(item):
    transform = new_transform()
    assert contents(item, transform) == [WHOLE]
    assert not transform.warnings
    assert contents({name.upper(): cell for name, cell in item.items()}) == [WHOLE]
    assert sent(good(contents=orjson.dumps([item]).decode())) == sent(good(contents=[item]))


@pytest.mark.parametrize(("item", "product"), [(SHOPIFY, "632910392"), (WOOCOMMERCE, "93")])
def test_a_line_item_of_a_shop_is_sent_with_the_id_of_its_product_and_a_warning(item, product):
    transform = new_transform()
    [found] = contents(item, transform)
    assert found["id"] == product
    assert found["item_name"] == item["name"]
    assert found["quantity"] == item["quantity"]
    assert transform.warnings == {"ambiguous_item_id": 1}


@pytest.mark.parametrize(
    ("field_map", "chosen"),
    [
        ({"items.id": None, "items.variant_id": None}, "632910392"),
        ({"items.product_id": "contents.id"}, "632910392"),
        ({"items.variant_id": "items.id"}, "808950810"),
        ({"items.sku": "contents.id"}, "IPOD2008PINK"),
        ({"items.id": "contents.id"}, "866550311766439020"),
        ({"items.product_id": None, "items.id": None}, "808950810"),
    ],
)
def test_the_author_chooses_the_id_and_is_not_warned_again(field_map, chosen):
    transform = new_transform(field_map=field_map)
    assert contents(SHOPIFY, transform)[0]["id"] == chosen
    assert not transform.warnings


def test_where_the_chosen_id_is_empty_another_one_is_sent_and_warned_about():
    transform = new_transform(field_map={"items.variation_id": "contents.id"})
    items = [{"id": 1, "product_id": 93, "variation_id": 0}, {"id": 2, "product_id": 94, "variation_id": 95}]
    found = sent(good(items=items), transform)["custom_data"]["contents"]
    assert [one["id"] for one in found] == ["93", "95"]
    assert transform.warnings == {"ambiguous_item_id": 1}


@pytest.mark.parametrize(
    ("item", "product"),
    [
        ({"id": 1, "product_id": 2}, "2"),
        ({"id": 1, "productId": 2}, "2"),
        ({"id": "gid://shopify/LineItem/1", "variantId": "gid://shopify/ProductVariant/2"}, None),
        ({"id": 1, "variant_id": 2}, "2"),
        ({"id": 1, "variation_id": 2}, "2"),
        ({"product_id": 1, "variant_id": 2}, "1"),
        ({"item_id": 1, "product_id": 2}, "2"),
        ({"id": 1, "content_id": 2}, "2"),
        ({"id": 1, "item_id": 2}, "2"),
        ({"id": 1, "sku": "A"}, "1"),
        ({"ID": 1, "Product-Id": "2"}, "2"),
    ],
)
def test_ids_that_may_mean_different_things_are_a_warning(item, product):
    transform = new_transform()
    [found] = contents(item, transform)
    assert found["id"] == product or product is None
    assert transform.warnings == {"ambiguous_item_id": 1}
    together = new_transform()
    rows = [good(event_id=1, items=[{"id": 9}]), good(event_id=2, items=[item]), good(event_id=3, items=[])]
    assert orjson.loads(outcomes_of(rows, together)[1].body)["custom_data"] == {"contents": [found]}
    assert together.warnings == transform.warnings


@pytest.mark.parametrize(
    "item",
    [
        {"id": 1},
        {"id": 1, "product_id": 1},
        {"id": 1, "product_id": "1"},
        {"id": 1, "product_id": None},
        {"id": 1, "product_id": ""},
        {"id": 1, "product_id": 0},
        {"product_id": 1, "sku": "A"},
        {"item_id": 1, "sku": "A"},
        {"product_id": 93, "variation_id": 0},
        {"product_id": 1, "product_variant_id": 2},
    ],
    ids=repr,
)
def test_ids_that_agree_or_are_known_to_go_together_are_not(item):
    transform = new_transform()
    assert contents(item, transform)[0]["id"] in ("1", "93")
    assert not transform.warnings


def test_one_warning_counts_all_ambiguous_items_of_a_row_each():
    transform = new_transform()
    sent(good(items=[{"id": 1, "product_id": 2}, {"id": 3}, {"id": 3, "product_id": 4}]), transform)
    assert transform.warnings == {"ambiguous_item_id": 2}


def test_what_shops_call_other_things_is_no_name_of_a_field():
    known = {folded(name) for field in FIELDS if "[]" in field.path for name in field.names}
    assert known.isdisjoint(map(folded, OTHER_MEMBERS))
    assert len({*OTHER_MEMBERS}) == len(OTHER_MEMBERS)


# field_map

IGNORING = [
    {"items.colour": None},
    {"ITEMS.Colour": None},
    {"contents.colour": None},
    {"contents[].colour": None},
    {"items[].colour": None},
    {"line_items.colour": None},
    {"lineItems.colour": None},
    {"custom_data.contents.colour": None},
    {"custom_data.contents[].colour": None},
    {"custom_data.items.colour": None},
    {"customData.contents.colour": None},
    {"items.*": None},
    {"contents.*": None},
    {"contents[].*": None},
    {"custom_data.contents[].*": None},
    {"Items.*": None},
]


@pytest.mark.parametrize("field_map", IGNORING, ids=lambda given: next(iter(given)))
@pytest.mark.parametrize(
    "row",
    [
        good(items=[{"id": 1, "colour": "red"}]),
        good(line_items=[{"id": 1, "Colour": "red"}]),
        good(contents='[{"id": 1, "colour": "red"}]'),
        good(custom_data={"items": [{"id": 1, "colour": "red"}]}),
        good(**{"custom_data.contents": {"id": 1, "COLOUR": None}}),
    ],
    ids=["items", "line items", "text", "in an object", "path"],
)
def test_a_member_is_ignored_by_a_dotted_name(field_map, row):
    assert sent(row, new_transform(field_map=field_map))["custom_data"] == {"contents": [{"id": "1"}]}
    assert reasons(row)[0][0] == "unknown_field"


@pytest.mark.parametrize(
    "field_map",
    [
        {"basket": "contents", "basket.ref": "contents.id"},
        {"basket": "items", "basket.ref": "items.id"},
        {"basket": "custom_data.contents", "items.ref": "id"},
        {"basket": "contents", "Basket.Ref": "custom_data.contents[].id"},
        {"basket": "contents", "contents[].ref": "product_id"},
        {"basket": "contents", "basket.ref": "basket.sku"},
        {"basket": "contents", "custom_data.line_items.ref": "line_items.content_id"},
    ],
    ids=repr,
)
def test_a_member_is_mapped_by_a_dotted_name(field_map):
    ColumnMapping(field_map=field_map).check([*good(), "basket"])
    assert contents({"ref": 7, "id": 8, "qty": 1}, new_transform(field_map=field_map), "basket") == [
        {"id": "7", "quantity": 1}
    ]


def test_a_member_keeps_the_meaning_that_the_author_gave_it():
    assert contents({"name": "x", "sku": 1}, new_transform(field_map={"items.name": "items.category"})) == [
        {"id": "1", "item_category": "x"}
    ]
    assert contents({"id": 1, "url": "A-1"}, new_transform(field_map={"items.url": "items.id"})) == [{"id": "A-1"}]


@pytest.mark.parametrize("place", ["custom_data", "customData", "attributes"])
def test_all_unknown_members_of_an_object_are_ignored_at_once(place):
    row = good(attributes={"value": 1, "experiment": "b", "colour": {"x": 1}})
    field_map = {"attributes": "custom_data", f"{place}.*": None}
    ColumnMapping(field_map=field_map).check(list(row))
    assert sent(row, new_transform(field_map=field_map))["custom_data"] == {"value": "1"}


def test_members_of_an_object_in_a_column_of_another_name_are_reached_by_its_name():
    row = good(attributes={"total": 1, "experiment": "b", "basket": [{"id": 1, "colour": 1}]})
    field_map = {
        "attributes": "custom_data",
        "attributes.total": "value",
        "attributes.experiment": None,
        "attributes.basket": "contents",
        "attributes.basket.colour": None,
    }
    ColumnMapping(field_map=field_map).check(list(row))
    assert sent(row, new_transform(field_map=field_map))["custom_data"] == {"value": "1", "contents": [{"id": "1"}]}


@pytest.mark.parametrize(
    "field_map",
    [
        {"items.url": None},
        {"items.*": None},
        {"custom_data.contents[].url": None},
        {"custom_data.internal": None},
        {"custom_data.*": None},
        {"device_info.*": None},
        {"itmes.url": None},
        {"basket.url": None},
        {"email.domain": None},
        {"value.amount": "value"},
    ],
    ids=repr,
)
def test_a_dotted_name_without_effect_is_an_error(field_map):
    with pytest.raises(MappingError, match="which the source does not have"):
        ColumnMapping(field_map=field_map).check([*good(), "value"])


@pytest.mark.parametrize(
    ("field_map", "columns"),
    [
        ({"items.url": None}, ["line_items"]),
        ({"items.url": None}, ["custom_data"]),
        ({"custom_data.contents.url": None}, ["contents"]),
        ({"custom_data.internal": None}, ["Custom Data"]),
        ({"email.domain": None}, ["email.domain"]),
        ({"Value.Amount": "value"}, ["value.amount"]),
        ({"basket": "items", "basket.*": None}, ["basket"]),
    ],
    ids=repr,
)
def test_a_dotted_name_with_effect_is_none(field_map, columns):
    ColumnMapping(field_map=field_map).check(["event_id", *columns])


@pytest.mark.parametrize(
    ("field_map", "message"),
    [
        ({"*": None}, "name each column"),
        ({"items.*": "contents.id"}, "can only be mapped to None"),
        ({"nowhere.*": None}, "'nowhere' is not a field that has members"),
        ({"email.*": None}, "'email' is not a field that has members"),
        ({"items.ref": "value"}, "'value' is not a field of a member of custom_data.contents"),
        ({"items.ref": "custom_data.id"}, "not a field of a member"),
        ({"items.ref": "contents.quantitiy"}, "did you mean 'quantity'"),
        ({"items.ref": 5}, "not a field of a member"),
        ({"colour": "contents.id"}, "'contents.id' is not a Pinterest field"),
        ({"items.url": None, "contents.url": "contents.id"}, "another entry maps the same name"),
        ({"Email": None, "email": "em"}, "another entry maps the same name"),
    ],
    ids=repr,
)
def test_an_entry_that_cannot_work_is_refused(field_map: Any, message):
    with pytest.raises(ParameterError, match=message):
        ColumnMapping(field_map=field_map)


def test_the_same_entry_in_two_spellings_is_one():
    given = {"items.url": None, "contents.url": None, "Total": "value", "total": "amount"}
    problems = Problems()
    assert FieldMap(given, problems).columns["total"] == "custom_data.value"
    assert not problems.found


def test_an_unknown_member_is_named_with_what_helps():
    found = outcome_of(good(items=[{"id": 1}, {"colour": 1}]))
    [reason] = found.reasons
    assert (reason.code, reason.field) == ("unknown_field", "custom_data.contents[1].colour")
    assert "{'contents.colour': None}" in reason.message
    assert "{'contents.*': None}" in reason.message
    for advice in ({"contents.colour": None}, {"contents.*": None}, {"contents.colour": "contents.id"}):
        assert isinstance(outcome_of(good(items=[{"id": 1}, {"colour": 1}]), new_transform(field_map=advice)), Event)


# Elements that are not objects


@pytest.mark.parametrize(
    ("cell", "found", "warnings"),
    [
        ([{"id": 1}, 5], [{"id": "1"}], 1),
        ([5, "x", ["y"]], None, 3),
        ("[{]", None, 1),
        ("text", None, 1),
        (5, None, 1),
        (['{"id": 1}', b'{"id": 2}'], [{"id": "1"}, {"id": "2"}], 0),
        ([None, {"id": 1}, {}], [{"id": "1"}], 0),
        (b'[{"id": 1}]', [{"id": "1"}], 0),
        (memoryview(b'[{"id": 1}]'), [{"id": "1"}], 0),
        ('"[{\\"id\\": 1}]"', [{"id": "1"}], 0),
        ('"text"', None, 1),
        ('"null"', None, 0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_object_is_left_out(cell, found, warnings):
    transform = new_transform()
    assert sent(good(items=cell), transform).get("custom_data", {}).get("contents") == found
    assert transform.warnings == ({"unusable_contents": warnings} if warnings else {})


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": "2.5"}, "quantity"),
        ({"quantity": "few"}, "quantity"),
        ({"quantity": 2**70}, "quantity"),
        ({"price": "1,50"}, "item_price"),
        ({"price": "€ 5"}, "item_price"),
        ({"price": {"amount": 5}}, "item_price"),
        ({"sku": ["a"]}, "id"),
        ({"name": {"en": "x"}}, "item_name"),
        ({"category": ["a", "b"]}, "item_category"),
        ({"brand": True}, "item_brand"),
        ({"brand_id": "x" * 65}, "item_brand_id"),
        ({"name": "\ud800"}, "item_name"),
    ],
    ids=repr,
)
def test_a_member_that_cannot_be_read_costs_only_itself(item, code):
    transform = new_transform()
    whole = {"item_brand_id": "b", **item}
    assert contents({"id": "1", **whole} if code != "id" else {**whole, "qty": 1}, transform)[0].keys() >= (
        {"id"} if code != "id" else {"quantity"}
    )
    assert transform.warnings == {f"unusable_contents_{code}": 1}


def test_a_member_that_cannot_be_read_is_not_replaced_by_another_one():
    transform = new_transform()
    assert contents({"product_id": ["a"], "sku": "b", "qty": 1}, transform) == [{"quantity": 1}]
    assert transform.warnings == {"unusable_contents_id": 1}


def test_fields_of_the_newest_description_are_sent():
    row = good(items=[{"id": 1, "item_brand_id": 42}], advertiser_tracking_enabled="no")
    event = sent(row)
    assert event["custom_data"]["contents"] == [{"id": "1", "item_brand_id": "42"}]
    assert event["advertiser_tracking_enabled"] is False
    assert sent(good(adTrackingEnabled=1))["advertiser_tracking_enabled"] is True
    assert reasons(good(advertiser_tracking_enabled="perhaps")) == [("bad_type", "advertiser_tracking_enabled")]
