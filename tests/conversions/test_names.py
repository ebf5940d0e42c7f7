"""Names of columns and members are recognised in any spelling."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions.field_maps import NAMES
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.exceptions import MappingError
from tests.conversions.rows import NOW, good, new_transform, outcome_of, outcomes_of, sent


def camel(name):
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))


SPELLINGS = {
    "camel": camel,
    "pascal": lambda name: "".join(map(str.title, name.split("_"))),
    "spaces": lambda name: name.replace("_", " "),
    "title": lambda name: name.replace("_", " ").title(),
    "hyphens": lambda name: name.replace("_", "-"),
    "header": lambda name: name.replace("_", "-").title(),
    "capitals": str.upper,
    "train": lambda name: name.replace("_", "-").upper(),
    "together": lambda name: name.replace("_", ""),
    "double": lambda name: name.replace("_", "__"),
    "dash": lambda name: name.replace("_", "\u2013"),
    "no-break space": lambda name: name.replace("_", "\xa0"),
    "byte order mark": lambda name: f"\ufeff{name}",
    "misread byte order mark": lambda name: f"\xef\xbb\xbf{name}",
    "zero-width space": lambda name: f"\u200b{name}",
    "white space": lambda name: f"\t{name} \n",
    "quotes": lambda name: f'"{name}"',
    "mark and quotes": lambda name: f'\ufeff"{name}"',
    "backticks": lambda name: f"`{name}`",
}


@pytest.mark.parametrize("spelt", SPELLINGS.values(), ids=SPELLINGS)
def test_a_column_is_found_in_any_spelling(spelt):
    mapping = ColumnMapping()
    assert {name: mapping.target(spelt(name)) for name in NAMES} == {name: (True, NAMES[name]) for name in NAMES}


@pytest.mark.parametrize("spelt", SPELLINGS.values(), ids=SPELLINGS)
def test_a_row_in_any_spelling_is_sent(spelt):
    assert sent({spelt(name): cell for name, cell in good(order_id="A-1").items()}) == sent(good(order_id="A-1"))


@pytest.mark.parametrize("spelt", SPELLINGS.values(), ids=SPELLINGS)
def test_members_of_objects_and_of_contents_are_found_in_any_spelling(spelt):
    items = [{spelt("item_price"): 2, spelt("product_id"): "a"}]
    row = good(**{spelt("custom_data"): {spelt("order_value"): 1, spelt("line_items"): items}})
    assert sent(row)["custom_data"] == {"value": "1", "contents": [{"id": "a", "item_price": "2"}]}


@pytest.mark.parametrize("spelt", SPELLINGS.values(), ids=SPELLINGS)
def test_parameters_find_columns_in_any_spelling(spelt):
    mapping: dict[str, Any] = {
        "field_map": {spelt("grand_total"): "order_value", "internal_note": None},
        "key_columns": [spelt("row_no")],
        "event_id_from": [spelt("shop_no")],
        "defaults": {spelt("currency_code"): "EUR"},
    }
    row = good(grandTotal=5, **{"Internal-Note": "x", "Row No": 7, "SHOP_NO": 8, "event_id": None})
    ColumnMapping(**mapping).check(list(row))
    found = outcome_of(row, new_transform(**mapping))
    assert found.keys == {spelt("row_no"): 7}
    assert found.body == outcome_of(row, new_transform(**{**mapping, "event_id_from": ["shop_no"]})).body
    assert b'"value":"5"' in found.body
    assert b'"EUR"' in found.body


@pytest.mark.parametrize(
    "name", ["_email", "email_", "__event_time", "-email", "email2", "e.mail", "x email", "é_mail"]
)
def test_another_name_is_not_taken_for_a_spelling(name):
    """An underscore in front marks an internal column of a tool."""
    assert ColumnMapping().target(name) == (False, None)


@pytest.mark.parametrize("columns", [("order_id", "orderId"), ("Order ID", "ORDER_ID"), ("event-id", "event_id")])
def test_two_spellings_of_one_name_are_two_columns_of_one_field(columns):
    with pytest.raises(MappingError, match="both map to"):
        ColumnMapping().check(columns)


@given(st.text())
def test_the_compared_form_of_a_name_is_its_own(name):
    assert folded(folded(name)) == folded(name) or folded(name)[:1] in "\"'`"


def test_documents_in_another_spelling_become_what_they_are_alone():
    documents = [{"orderId": "1", "Value": 2}, {"order_id": "3"}, {"Order ID": "4", "value": 5}, {"order-id": "6"}]
    rows = [good(event_id=number, custom_data=one) for number, one in enumerate(documents)]
    assert [one.body for one in outcomes_of(rows)] == [outcome_of(row).body for row in rows]


def test_of_two_spellings_in_one_document_one_is_sent_whatever_came_before():
    row = good(event_time=NOW - 1, custom_data={"orderId": "1", "order_id": "2"})
    alone = outcome_of(row).body
    for before in ({"orderId": "0"}, {"order_id": "0"}, {"ORDER ID": "0"}):
        assert outcomes_of([good(event_id=0, custom_data=before), row])[1].body == alone
