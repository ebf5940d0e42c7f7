"""Hints are given only if they are likely, and the advice works."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions.column_errors import HINTS
from airflow_provider_pinterest.conversions.field_maps import NAMES
from airflow_provider_pinterest.conversions.hints import meant, nearest
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.exceptions import MappingError
from tests.conversions.rows import GOOD

MEANT = {
    "user_data.em": [
        *("customer_email", "customerEmail", "Billing E-Mail", "email_hash", "mail", "buyer_email_address"),
        *("emial", "e_mial", "EMAILS", "user_mail", "email1", "contact_email_sha256", "emailaddres"),
    ],
    "user_data.ph": ["customer_phone", "billing_phone_number", "telephone", "tel", "mobile_phone", "phone_1", "phnoe"],
    "user_data.fn": ["customer_first_name", "billing_first_name", "forename", "FirstNameHash"],
    "user_data.ln": ["shipping_last_name", "customer_surname"],
    "user_data.ct": ["billing_city", "city_name", "ship_city"],
    "user_data.st": ["billing_state", "province", "shippingState"],
    "user_data.zp": ["billing_postcode", "shipping_zip", "zip_code_raw", "plz"],
    "user_data.country": ["billing_country", "country_name", "shipping_country_code"],
    "user_data.external_id": ["customer_number", "customer_no", "customer_key", "raw_user_id", "uid"],
    "user_data.client_ip_address": ["user_ip", "visitor_ip_address", "remote_addr"],
    "user_data.client_user_agent": ["http_user_agent", "visitor_user_agent", "user_agnet"],
    "user_data.db": ["customer_birthday", "customer_dob"],
    "custom_data.value": ["total", "order_total", "grand_total", "total_amount", "price", "subtotal", "net_revenue"],
    "custom_data.currency": ["order_currency", "currency_iso", "curency", "transaction_currency_code"],
    "custom_data.order_id": ["order_no", "order_nr", "order", "purchase_order_number"],
    "custom_data.num_items": ["quantity", "total_quantity", "order_item_count"],
    "custom_data.contents": ["order_line_items", "basket", "cart_items", "order_items"],
    "event_time": ["created_at", "order_date", "order_created_at", "event_ts", "purchase_timestamp"],
    "event_source_url": ["page_location", "site_url"],
    "custom_data.search_string": ["query"],
}


@pytest.mark.parametrize(("path", "column"), [(path, column) for path, columns in MEANT.items() for column in columns])
def test_a_column_is_understood_word_by_word(path, column):
    like = meant(column, HINTS)
    assert like is not None
    assert HINTS[like] == path
    if not ColumnMapping().target(column)[0]:
        with pytest.raises(MappingError, match=rf"nearest field is {re.escape(path)} \("):
            ColumnMapping().check([column])


@pytest.mark.parametrize(
    "column",
    [
        *("address", "billing_address", "street_address", "address_line_1", "mac_address", "shipping_street"),
        *("order_state", "payment_state", "status", "order_status", "stage", "region_manager"),
        *("image_url", "avatar_url", "referrer_url", "thumbnail_url", "coupon", "discount", "discount_amount"),
        *("tax_total", "shipping_total", "shipping_price", "refund_amount", "name", "product_name", "company_name"),
        *(
            "email_opt_in",
            "email_verified",
            "is_email_valid",
            "phone_type",
            "email_template_id",
            "account_manager_email",
        ),
        *("device_id", "session_id", "cart_id", "updated_at", "deleted_at", "note", "comment", "xyzzy", "id", ""),
        *("gender_equality_score", "click_count", "ip_country_confidence", "country_manager", "language_level"),
        *(
            "_fivetran_synced",
            "rank",
            "rn",
            "row_number",
            "utm_source",
            "gclid",
            "fbclid",
            "birth_place",
            "12345",
            "💥",
        ),
    ],
)
def test_nothing_is_guessed_where_a_word_changes_the_meaning(column):
    assert meant(column, HINTS) is None


@given(st.text())
def test_any_name_can_be_looked_at(name):
    assert meant(name, HINTS) in (None, *HINTS)
    assert nearest(name, NAMES) in (None, *NAMES)


def test_a_very_long_name_costs_no_time():
    assert meant("email_" * 100_000, HINTS) is None


@pytest.mark.parametrize(
    ("named", "columns", "like"),
    [
        ("order_nr", ["order_id", "email"], "order_id"),
        ("OrderTotal", ["order_totl", "total"], "order_totl"),
        ("customer_email", ["customer_id", "address"], None),
        ("order_key", ["order_id", "order_keys"], "order_keys"),
        ("grand_total", ["Grand Totals"], "Grand Totals"),
    ],
)
def test_a_column_that_a_parameter_names_wrongly_is_found_as_the_source_writes_it(named, columns, like):
    with pytest.raises(MappingError) as caught:
        ColumnMapping(key_columns=[named], field_map=dict.fromkeys(columns)).check([*GOOD, *columns])
    suggested = re.search(r"did you mean '(.*)'", str(caught.value))
    assert (suggested and suggested[1]) == like


# Advice


@pytest.mark.parametrize("columns", [("email", "em"), ("user_id", "Customer ID"), ("email", "hashed_email", "em")])
def test_advice_for_two_columns_of_one_field_works(columns):
    with pytest.raises(MappingError, match=r"field_map=(\{.*\}) ignores the (second|others)") as caught:
        ColumnMapping().check(columns)
    advice = re.search(r"field_map=(\{.*?\})", str(caught.value))
    assert advice
    ColumnMapping(field_map=dict.fromkeys(re.findall(r"'(.*?)': None", advice[1]))).check(columns)


@pytest.mark.parametrize(
    "columns", [("customer_id", "customer_id"), ("order_id", "orderId"), ("Email", "e-mail", "em")]
)
def test_columns_of_one_name_can_only_be_renamed(columns):
    """``field_map={'customer_id': None}`` would ignore both columns of a join."""
    with pytest.raises(MappingError, match=r"rename the (second|others) with AS") as caught:
        ColumnMapping().check(columns)
    assert "None}" not in str(caught.value)


@pytest.mark.parametrize("column", ["ad_account_id", "AD_ACCOUNT_ID", "Ad Account", "advertiser_id"])
def test_a_column_of_ad_accounts_is_no_advertising_id(column):
    with pytest.raises(MappingError) as caught:
        ColumnMapping().check([*GOOD, column])
    assert f"set ad_account_id_column={column!r}" in str(caught.value)
    assert "maids" not in str(caught.value)
    ColumnMapping(ad_account_id_column=column).check([*GOOD, column])


@pytest.mark.parametrize("column", ["xyzzy", "Internal Note", "\ufeffnote", "note's", "a.b"])
def test_advice_for_an_unknown_column_works(column):
    with pytest.raises(MappingError) as caught:
        ColumnMapping().check([*GOOD, column])
    assert f"{{{column!r}: None}}" in str(caught.value)
    ColumnMapping(field_map={column: None}).check([*GOOD, column])
