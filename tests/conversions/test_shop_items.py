"""Line items of Magento and of Shopify's GraphQL API are one flat object per product."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.conversions.rows import good, new_transform, outcomes_of, sent

PARENT: dict[str, Any] = {
    "item_id": 10,
    "parent_item_id": None,
    "product_id": 7,
    "product_type": "configurable",
    "sku": "A-red",
    "name": "Shirt",
    "qty_ordered": 2,
    "price": "50.0000",
    "base_price": "50.0000",
    "row_total": "100.0000",
    "store_id": 1,
    "qty_refunded": 0,
    "tax_percent": "19.0000",
    "created_at": "2026-11-21 09:30:00",
}
CHILD = {**PARENT, "item_id": 11, "parent_item_id": 10, "product_id": 8, "product_type": "simple", "price": 0}
OTHER = {**PARENT, "item_id": 12, "product_id": 9, "product_type": "simple", "sku": "B"}
SHIRT = {"id": "7", "item_price": "50.0000", "quantity": 2, "item_name": "Shirt"}
SECOND = {**SHIRT, "id": "9"}


def without(item, *names):
    return {name: value for name, value in item.items() if name not in names}


def contents(cell):
    """Return what is sent for a cell as objects and as JSON, which must be the same, and the warnings."""
    found = []
    for form in (cell, orjson.dumps(cell).decode()):
        transform = new_transform()
        event = sent(good(items=form), transform)
        found.append((event.get("custom_data", {}).get("contents"), dict(transform.warnings)))
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    "items",
    [
        [PARENT, CHILD, OTHER],
        [CHILD, PARENT, OTHER],
        [without(one, "item_id", "parent_item_id") for one in (PARENT, CHILD, OTHER)],
        [without(one, "item_id") for one in (PARENT, CHILD, OTHER)],
        [without(one, "product_type") for one in (PARENT, CHILD, OTHER)],
        [{**one, "item_id": str(one["item_id"])} for one in (PARENT, CHILD, OTHER)],
        [{"node": one} for one in (PARENT, CHILD, OTHER)],
    ],
)
def test_a_configurable_product_of_magento_counts_once(items):
    found, warnings = contents(items)
    assert sorted(found, key=lambda one: one["id"]) == [SHIRT, SECOND]
    assert not warnings


def test_it_counts_once_in_every_row_of_a_column():
    """Objects that repeat are cached; a variant must not come out of the cache."""
    cells = [orjson.dumps(items).decode() for items in ([PARENT, CHILD], [OTHER], [CHILD], [PARENT, CHILD])] * 5
    rows = [good(event_id=number, items=cell) for number, cell in enumerate(cells)]
    found = [orjson.loads(one.body)["custom_data"]["contents"] for one in outcomes_of(rows)]
    variant = {**SHIRT, "id": "8", "item_price": "0"}
    assert found == [[SHIRT], [SECOND], [variant], [SHIRT]] * 5


def test_a_variant_alone_is_a_product():
    assert contents([CHILD])[0] == [{**SHIRT, "id": "8", "item_price": "0"}]


def test_the_number_of_a_line_is_not_the_product():
    assert contents([{"item_id": 10, "sku": "X", "qty_ordered": "1.0000", "base_price": "5.0000"}]) == (
        [{"id": "X", "item_price": "5.0000", "quantity": 1}],
        {},
    )


def test_a_type_of_magento_is_no_category_but_other_types_are():
    assert "item_category" not in contents([{"sku": "X", "product_type": "simple"}])[0][0]
    assert contents([{"sku": "X", "product_type": "Shoes"}])[0][0]["item_category"] == "Shoes"


LINE = {"id": "gid://shopify/LineItem/1", "title": "Shirt", "quantity": 2}
PRODUCT = {"id": "gid://shopify/Product/33", "title": "Shirts", "vendor": "Example"}
VARIANT = {"id": "gid://shopify/ProductVariant/22", "sku": "S"}
MONEY = {"amount": "12.50", "currencyCode": "EUR"}
SET = {"shopMoney": MONEY, "presentmentMoney": MONEY}
SOLD = {"id": "33", "item_price": "12.50", "quantity": 2, "item_name": "Shirt", "item_brand": "Example"}


@pytest.mark.parametrize("price", [{"price": MONEY}, {"originalUnitPriceSet": SET}, {"discountedUnitPriceSet": SET}])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda line: {"edges": [{"node": line, "cursor": "x"}], "pageInfo": {"hasNextPage": False}},
        lambda line: {"nodes": [line]},
        lambda line: [{"node": line}],
        lambda line: [line],
    ],
)
def test_line_items_of_graphql_are_flat(wrap, price):
    assert contents(wrap({**LINE, **price, "product": PRODUCT})) == ([SOLD], {})


def test_a_variant_has_its_own_number():
    assert contents([{**LINE, "variant": VARIANT}])[0] == [{"id": "22", "quantity": 2, "item_name": "Shirt"}]


def test_a_product_beside_a_variant_is_ambiguous():
    found, warnings = contents([{**LINE, "variant": {**VARIANT, "product": PRODUCT}}])
    assert found[0]["id"] == "33"
    assert warnings == {"ambiguous_item_id": 1}


def test_a_line_of_a_cart_has_its_merchandise():
    merchandise = {**VARIANT, "price": MONEY, "product": PRODUCT}
    found, _ = contents(
        {"edges": [{"node": {"quantity": 2, "merchandise": merchandise, "cost": {"totalAmount": MONEY}}}]}
    )
    assert found == [{**SOLD, "item_name": "Shirts"}]


@pytest.mark.parametrize(
    ("price", "amount"),
    [
        (MONEY, "12.50"),
        ({"amount": 12.5, "currency_code": "EUR"}, "12.5"),
        ({"value": "12.50", "currencyCode": "EUR"}, "12.50"),
        ({"shop_money": MONEY}, "12.50"),
        ({"amount": "12.50", "currency": "EUR"}, "12.50"),
        ('{"amount": "12.50", "currencyCode": "EUR"}', "12.50"),
    ],
)
def test_a_money_object_is_its_amount(price, amount):
    assert contents([{"id": "1", "price": price}]) == ([{"id": "1", "item_price": amount}], {})


@pytest.mark.parametrize(
    "price",
    [
        {"shopMoney": MONEY, "presentmentMoney": {"amount": "14.00", "currencyCode": "USD"}},
        {"centAmount": 1250, "currencyCode": "EUR", "fractionDigits": 2},
        {"amount": 1250, "currency": "eur"},
        {"amount": {}, "currencyCode": "EUR"},
        {},
        {"price": 1},
    ],
)
def test_an_uncertain_amount_is_left_out(price):
    assert contents([{"id": "1", "price": price}]) == ([{"id": "1"}], {"unusable_contents_item_price": 1})


@pytest.mark.parametrize("cell", [{"edges": []}, {"nodes": []}, {"edges": [{"node": {}}]}])
def test_an_empty_connection_is_empty(cell):
    assert contents(cell) == (None, {})


def test_flat_ids_of_shopify_are_numbers():
    assert contents([{"product_id": "gid://shopify/Product/33"}, {"id": "7"}])[0] == [{"id": "33"}, {"id": "7"}]


def test_items_of_woocommerce_are_read():
    item = {
        "id": 315,
        "name": "Shirt",
        "product_id": 93,
        "variation_id": 0,
        "quantity": 2,
        "tax_class": "",
        "subtotal": "6.00",
        "subtotal_tax": "0.45",
        "total": "6.00",
        "total_tax": "0.45",
        "taxes": [{"id": 75}],
        "meta_data": [],
        "sku": "",
        "price": 3,
        "image": {"id": "", "src": ""},
        "parent_name": None,
    }
    assert contents([item])[0] == [{"id": "93", "item_price": "3", "quantity": 2, "item_name": "Shirt"}]


@pytest.mark.parametrize("value", [[], {}, object(), float("nan"), b"\xff", 10**400, "x" * 100_000])
@pytest.mark.parametrize(
    "name", ["parent_item_id", "product_type", "sku", "item_id", "node", "variant", "product", "price"]
)
def test_a_strange_member_costs_at_most_its_row(name, value):
    rows = [good(event_id=1, items=[{**PARENT, name: value}, CHILD]), good(event_id=2, items=[OTHER])]
    assert orjson.loads(outcomes_of(rows)[1].body)["custom_data"]["contents"] == [SECOND]
