"""The table of fields: every Pinterest field, under its own name and its usual aliases."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_pinterest.conversions.codes.lists import countries, currencies, us_states
from airflow_provider_pinterest.conversions.event_names import EVENT_NAMES
from airflow_provider_pinterest.conversions.field_maps import NAMES
from airflow_provider_pinterest.conversions.field_parsers import parser_of
from airflow_provider_pinterest.conversions.field_types import (
    LEAVE_OUT,
    Field,
    FieldOptions,
    hashed,
    hashed_by_country,
    plain,
    text,
)
from airflow_provider_pinterest.conversions.fields import BY_PATH, FIELDS, REQUIRED, SWITCHES, WARNINGS, check
from airflow_provider_pinterest.conversions.identifier_rules import IdentifierRule, always
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.region_hashes import IN_COUNTRY
from airflow_provider_pinterest.conversions.transform import Transform
from airflow_provider_pinterest.sandbox.judge import CURRENCIES as CURRENCIES_OF_THE_SANDBOX
from airflow_provider_pinterest.sandbox.judge import EVENT_NAMES as EVENT_NAMES_OF_THE_SANDBOX
from airflow_provider_pinterest.sandbox.schema import request_schema
from tests.conversions.rows import NOW, good, outcome_of, sent, sha

# Copied by hand from the OpenAPI of version 5.23.0, with the additions of 5.28.0.
EVENT = """
    event_name action_source event_time event_id event_source_url opt_out partner_name user_data custom_data
    app_info device_info app_id app_name app_version device_brand device_carrier device_model device_type
    os_version wifi language advertiser_tracking_enabled
"""
USER_DATA = """
    em ph ge db ln fn ct st zp country external_id hashed_maids client_ip_address client_user_agent click_id
    partner_id
"""
CUSTOM_DATA = """
    currency value content_ids content_name content_category content_brand contents num_items order_id
    search_string opt_out_type predicted_ltv np external_measurement_id external_measurement_vendor_id
"""
CONTENTS = "id item_price quantity item_name item_category item_brand item_brand_id"
APP_INFO = """
    app_id app_name app_package_name app_store app_version install_time user_agent window_height window_width
"""
DEVICE_INFO = """
    battery_level brand carrier cpu_cores external_storage_free_space external_storage_size form_factor
    kernel_version languages locale model network_type os_family os_name os_release_name os_version
    screen_density screen_height screen_width storage_free_space storage_size timezone timezone_abbr type
"""
PATHS = {
    f"{place}{name}"
    for place, names in {
        "": EVENT,
        "user_data.": USER_DATA,
        "custom_data.": CUSTOM_DATA,
        "custom_data.contents[].": CONTENTS,
        "app_info.": APP_INFO,
        "device_info.": DEVICE_INFO,
    }.items()
    for name in names.split()
}

ALIASES = {
    "email": "user_data.em",
    "phone": "user_data.ph",
    "first_name": "user_data.fn",
    "last_name": "user_data.ln",
    "gender": "user_data.ge",
    "date_of_birth": "user_data.db",
    "city": "user_data.ct",
    "state": "user_data.st",
    "zip": "user_data.zp",
    "postal_code": "user_data.zp",
    "country": "user_data.country",
    "user_id": "user_data.external_id",
    "ip_address": "user_data.client_ip_address",
    "user_agent": "user_data.client_user_agent",
    "advertising_id": "user_data.hashed_maids",
    "value": "custom_data.value",
    "currency": "custom_data.currency",
    "order_id": "custom_data.order_id",
    "url": "event_source_url",
    "timestamp": "event_time",
    "event_timestamp": "event_time",
}


def test_the_table_holds_every_field_of_the_contract_and_no_other():
    assert set(BY_PATH) == PATHS


def test_a_path_stands_in_the_table_once():
    assert not [path for path, count in Counter(field.path for field in FIELDS).items() if count > 1]


def test_five_fields_are_required_of_which_user_data_is_made_of_match_keys():
    assert set(REQUIRED) | {"user_data"} == {"event_name", "action_source", "event_time", "event_id", "user_data"}


def schema_of(path):
    """Return the schema of a field in the sandbox, which was written independently."""
    found = request_schema()["properties"]["data"]["items"]
    for part in path.replace("[]", ".[]").split("."):
        found = found["items"] if part == "[]" else found["properties"][part]
    return found


@pytest.mark.parametrize("field", [field for field in FIELDS if field.kind != "object"], ids=lambda field: field.path)
def test_type_and_limits_of_a_field_are_those_of_the_contract(field):
    schema = schema_of(field.path)
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    wanted = {
        "hashed": "array",
        "hashed_by_country": "array",
        "texts": "array",
        "objects": "array",
        "integer": "integer",
        "time": "integer",
        "boolean": "boolean",
    }.get(field.kind, "string")
    assert types[0] == wanted
    assert field.max_length == schema.get("maxLength", schema.get("maxItems"))
    if field.kind == "integer" and schema.get("minimum", -1) >= 0:
        assert (field.minimum, field.maximum) == (0, schema["maximum"])
    if "enum" in schema:
        assert field.choices == set(schema["enum"])


def test_no_alias_names_two_fields():
    aliases = Counter(alias for field in FIELDS for alias in field.aliases)
    assert not [alias for alias, count in aliases.items() if count > 1]


def test_no_alias_hides_the_name_of_a_field():
    bare = {field.name for field in FIELDS if field.place in ("", "user_data", "custom_data")}
    assert not bare & {alias for field in FIELDS if "[]" not in field.path for alias in field.aliases}


def test_every_name_and_alias_finds_its_own_field():
    for field in FIELDS:
        if "[]" in field.path:
            assert field.path not in NAMES
            continue
        assert NAMES[field.path] == field.path
        if field.place in ("", "user_data", "custom_data"):
            for name in (field.name, *field.aliases):
                assert NAMES[name] == field.path


def test_names_are_lowercase_so_that_any_case_matches():
    assert all(name == name.lower() == name.strip() for name in NAMES)


@pytest.mark.parametrize(("alias", "path"), ALIASES.items())
def test_the_words_that_people_use_are_aliases(alias, path):
    assert NAMES[alias] == path


def test_fields_of_app_and_device_go_by_their_full_path_only():
    assert NAMES["app_id"] == "app_id"
    assert NAMES["app_info.app_id"] == "app_info.app_id"
    assert NAMES["user_agent"] == "user_data.client_user_agent"
    assert NAMES["app_info.user_agent"] == "app_info.user_agent"
    assert "battery_level" not in NAMES


def test_every_hashed_identifier_has_switches_and_no_other_field_has():
    hashed = {field.name for field in FIELDS if field.kind.startswith("hashed")}
    assert set(SWITCHES) == hashed
    assert all("already_hashed" in switches for switches in SWITCHES.values())


def test_event_names_are_those_of_pinterest():
    assert EVENT_NAMES == EVENT_NAMES_OF_THE_SANDBOX


def test_currencies_are_those_of_iso_4217_without_the_test_codes():
    assert {"XTS", "XXX"} == CURRENCIES_OF_THE_SANDBOX - currencies()
    assert currencies() <= CURRENCIES_OF_THE_SANDBOX


def test_no_country_and_no_state_is_known_by_a_name_of_another():
    """Later lines override earlier ones, so every code must still stand for its own country."""
    assert len(set(countries().values())) == 249
    assert all(countries()[code] == code for code in countries().values())
    assert len(set(us_states().values())) == 59
    assert all(us_states()[code] == code for code in us_states().values())


@pytest.mark.parametrize(
    ("name", "code"),
    [("Germany", "de"), ("DEU", "de"), ("Côte d'Ivoire", "ci"), ("cote divoire", "ci"), ("UK", "gb"), ("U.S.A.", "us")],
)
def test_countries_are_known_by_code_and_english_name(name, code):
    from airflow_provider_pinterest.conversions.places import country

    assert country(name) == code


SAMPLES = {
    "event_name": "x",
    "hashed": "x",
    "hashed_by_country": "x",
    "text": "x",
    "number": "1.50",
    "integer": 1,
    "boolean": True,
    "time": NOW - 60,
    "texts": ["x"],
    "currency": "EUR",
    "language": "en",
    "flags": "GDPR",
    "plain": "x",
    "ip_address": "192.0.2.1",
    "objects": [{"id": "x"}],
}
IDENTIFIERS = {
    "em": "x@example.com",
    "ph": "+49 170 1234567",
    "ge": "f",
    "db": "1990-12-31",
    "country": "DE",
    "zp": "10115",
    "hashed_maids": "38400000-8cf0-11bd-b23e-10b96e40000d",
}


def test_a_row_that_fills_every_field_goes_out_with_every_field():
    row = good()
    for field in FIELDS:
        if field.kind == "object" or "[]" in field.path or field.required:
            continue
        sample = min(field.choices) if field.choices else SAMPLES[field.kind]
        row[field.path] = IDENTIFIERS.get(field.name, sample) if field.place == "user_data" else sample
    del row["email"]
    row["custom_data.contents"] = [dict.fromkeys(CONTENTS.split(), 1)]
    event = sent(row)
    found = {name for name in event if name not in ("user_data", "custom_data", "app_info", "device_info")}
    for place in ("user_data", "custom_data", "app_info", "device_info"):
        found |= {place} | {f"{place}.{name}" for name in event[place]}
    found |= {f"custom_data.contents[].{name}" for name in event["custom_data"]["contents"][0]}
    assert found == PATHS


def test_the_table_can_be_read_with_any_switches():
    Transform(ColumnMapping(identifiers={name: {"already_hashed": True} for name in SWITCHES}), now=NOW)


# The line of an identifier has its whole rule

ID: dict[str, Any] = {"canonical": always(str)}


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (
            Field("user_data.shoe", hashed, LEAVE_OUT),
            "shoe: members of user_data, and no other fields, need a rule",
        ),
        (Field("user_data.shoe", plain, LEAVE_OUT), "need a rule"),
        (Field("custom_data.shoe", text, LEAVE_OUT, rule=IdentifierRule(**ID)), "need a rule"),
        (Field("user_data.shoe", hashed_by_country, LEAVE_OUT, rule=IdentifierRule(**ID)), "depends on the country"),
        (
            Field("user_data.shoe", hashed, LEAVE_OUT, rule=IdentifierRule(**ID, depends_on=IN_COUNTRY)),
            "depends on the country",
        ),
        (
            Field(
                "user_data.shoe", hashed, LEAVE_OUT, repeats=True, rule=IdentifierRule(**ID, plain=always(str.encode))
            ),
            "unused",
        ),
        (Field("custom_data.shoe", text, ("boot",)), "REJECT or LEAVE_OUT"),  # type: ignore[arg-type]
        (Field("custom_data.shoe", text, LEAVE_OUT, "boot"), "aliases must be a tuple"),  # type: ignore[arg-type]
        (Field("user_data.shoe", hashed, LEAVE_OUT, rule=IdentifierRule(canonical=str.lower)), "always"),  # type: ignore[arg-type]
        (
            Field(
                "user_data.shoe",
                hashed_by_country,
                LEAVE_OUT,
                rule=IdentifierRule(canonical=always(lambda text: text), depends_on=IN_COUNTRY),
            ),
            "takes the text and the value that it depends on",
        ),
    ],
)
def test_a_line_that_lacks_a_part_of_its_rule_is_refused(field, message):
    with pytest.raises(ValueError, match=message):
        check((*FIELDS, field))
    with pytest.raises(TypeError, match="canonical"):
        IdentifierRule()  # type: ignore[call-arg]


def test_a_field_on_which_others_depend_must_repeat():
    country = BY_PATH["user_data.country"]
    others = [field for field in FIELDS if field is not country]
    with pytest.raises(ValueError, match="other fields depend on it"):
        check((*others, replace(country, repeats=False)))


def test_switches_and_reading_follow_from_the_line():
    rule = IdentifierRule(**ID, switches={"foot": ("left", "right")}, warnings={"odd_shoe": "There is one."})
    field = Field("user_data.shoe", hashed, LEAVE_OUT, ("boot",), rule=rule)
    check((*FIELDS, field))
    assert field.switches == {"already_hashed": (True, False, None), "foot": ("left", "right")}
    assert all(one.rule.warnings.items() <= WARNINGS.items() for one in FIELDS if one.rule)
    read = parser_of(field, FieldOptions(dt.UTC, placeholders=frozenset({"barefoot"})))
    assert [read.parse_one(cell) for cell in (" 42 ", 42, "Barefoot", None, [41, 42])] == [
        [sha("42")],
        [sha("42")],
        None,
        None,
        [sha("41"), sha("42")],
    ]


@pytest.mark.parametrize(
    ("cell", "major"),
    [("GBp", "GBP"), ("GBX", "GBP"), ("gbx", "GBP"), ("ILA", "ILS"), ("ILa", "ILS"), ("ZAc", "ZAR"), ("ZAC", "ZAR")],
)
def test_the_hundredth_of_a_currency_is_rejected(cell, major):
    """Otherwise the event would have a hundred times the value."""
    row = {"event_name": "checkout", "currency": cell, "value": 7239}
    [reason] = outcome_of(good(**row)).reasons
    assert (reason.code, reason.field) == ("bad_currency", "custom_data.currency")
    assert f"divide the values by 100 and send {major}" in reason.message


@pytest.mark.parametrize("cell", ["gbp", "GBP", "Gbp", " gBP "])
def test_a_currency_in_another_case_is_the_currency(cell):
    assert sent(good(currency=cell))["custom_data"]["currency"] == "GBP"
