"""The schema tells a legal request from an illegal one."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema_rs
import pytest

from airflow_provider_pinterest.sandbox.schema import request_schema, shape_schema

FULL: dict[str, Any] = {
    "event_name": "checkout",
    "action_source": "web",
    "event_time": 1_700_000_000,
    "event_id": "order-1",
    "user_data": {
        "client_ip_address": "192.0.2.1",
        "client_user_agent": "Mozilla",
        "click_id": None,
        "later": 1,
    },
    "custom_data": {
        "value": "72.39",
        "currency": None,
        "num_items": 1,
        "contents": [{"id": "a", "item_price": "1", "quantity": 1, "item_brand_id": "b" * 64}],
        "external_measurement_vendor_id": None,
    },
    "app_info": {"app_id": "1", "install_time": 0},
    "device_info": {"form_factor": "tablet", "battery_level": 100, "languages": ["de"]},
    "opt_out": False,
    "advertiser_tracking_enabled": True,
    "language": None,
}


def request(*path: str | int, value: Any = None, remove: bool = False) -> dict[str, Any]:
    event = copy.deepcopy(FULL)
    place: Any = event
    for step in path[:-1]:
        place = place[step]
    if remove:
        del place[path[-1]]
    elif path:
        place[path[-1]] = value
    return {"data": [event]}


PROPERTIES = {
    "": """
        event_name action_source event_time event_id event_source_url opt_out advertiser_tracking_enabled partner_name
        user_data custom_data app_info device_info app_id app_name app_version device_brand device_carrier device_model
        device_type os_version wifi language
    """,
    "user_data": """
        em ph ge db ln fn ct st zp country external_id hashed_maids client_ip_address client_user_agent click_id
        partner_id
    """,
    "custom_data": """
        currency value content_ids content_name content_category content_brand contents num_items order_id
        search_string opt_out_type predicted_ltv np external_measurement_id external_measurement_vendor_id
    """,
    "custom_data.contents": "id item_price quantity item_name item_category item_brand item_brand_id",
    "app_info": """
        app_id app_name app_package_name app_store app_version install_time user_agent window_height window_width
    """,
    "device_info": """
        battery_level brand carrier cpu_cores external_storage_free_space external_storage_size form_factor
        kernel_version languages locale model network_type os_family os_name os_release_name os_version
        screen_density screen_height screen_width storage_free_space storage_size timezone timezone_abbr type
    """,
}
"""What Pinterest's description 5.28.0 lists, and the flag of its example."""

WHOLE = jsonschema_rs.validator_for(request_schema())
SHAPE = jsonschema_rs.validator_for(shape_schema())
OPEN = jsonschema_rs.validator_for(shape_schema(closed=False))


def test_a_full_event_is_legal():
    """An event that uses every object, and null where null is allowed, satisfies both schemas."""
    assert WHOLE.is_valid(request())
    assert SHAPE.is_valid(request())


@pytest.mark.parametrize("place", PROPERTIES)
def test_the_properties_are_those_of_the_description(place):
    """No more and no less, in every object."""
    found = shape_schema()["properties"]["data"]["items"]
    for step in place.split(".") if place else ():
        found = found["properties"][step]
        found = found.get("items", found)
    assert sorted(found["properties"]) == sorted(PROPERTIES[place].split())


@pytest.mark.parametrize(
    "place",
    [
        ("x",),
        ("custom_data", "x"),
        ("custom_data", "contents", 0, "x"),
        ("app_info", "x"),
        ("device_info", "x"),
    ],
)
def test_unknown_properties_are_illegal_but_in_user_data(place):
    """Every object but ``user_data`` is closed."""
    assert not SHAPE.is_valid(request(*place, value=1))
    assert not WHOLE.is_valid(request(*place, value=1))
    assert OPEN.is_valid(request(*place, value=1))
    assert SHAPE.is_valid(request("user_data", "x", value=1))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("custom_data", "value"), 72.39),
        (("custom_data", "num_items"), 1.5),
        (("custom_data", "num_items"), None),
        (("custom_data", "contents", 0, "quantity"), "1"),
        (("custom_data", "contents", 0, "item_price"), 1),
        (("custom_data", "contents", 0, "id"), None),
        (("custom_data", "content_ids"), "a"),
        (("event_time",), "1700000000"),
        (("event_time",), 1_700_000_000.0),
        (("event_time",), 2**63),
        (("event_id",), 1),
        (("custom_data", "contents", 0, "item_brand_id"), "b" * 65),
        (("custom_data", "contents", 0, "item_brand_id"), 1),
        (("custom_data", "contents", 0, "item_brand_id"), None),
        (("advertiser_tracking_enabled",), "true"),
        (("advertiser_tracking_enabled",), 1),
        (("advertiser_tracking_enabled",), None),
        (("opt_out",), None),
        (("opt_out",), "false"),
        (("user_data", "em"), "a" * 64),
        (("user_data", "em"), [1]),
        (("user_data", "client_ip_address"), None),
        (("custom_data",), None),
        (("app_info", "app_id"), "a" * 201),
        (("app_info", "install_time"), -1),
        (("app_info", "window_width"), 30721),
        (("device_info", "form_factor"), "fridge"),
        (("device_info", "battery_level"), 101),
        (("device_info", "languages"), ["de"] * 101),
        (("device_info", "timezone_abbr"), "123456"),
    ],
)
def test_wrong_types_and_sizes_are_illegal(place, value):
    """Types, nulls, lengths, ranges and words are those of Pinterest's description."""
    assert not SHAPE.is_valid(request(*place, value=value))
    assert not OPEN.is_valid(request(*place, value=value))


@pytest.mark.parametrize("name", ["event_name", "action_source", "event_time", "event_id", "user_data"])
def test_required_properties_belong_to_the_whole_schema_only(name):
    """A missing property fails an event, not the request; the whole schema still asks for it."""
    assert not WHOLE.is_valid(request(name, remove=True))
    assert SHAPE.is_valid(request(name, remove=True))


def test_match_keys_belong_to_the_whole_schema_only():
    """An address without a user agent is no match key."""
    assert not WHOLE.is_valid(request("user_data", "client_user_agent", remove=True))
    assert SHAPE.is_valid(request("user_data", "client_user_agent", remove=True))
    assert WHOLE.is_valid(request("user_data", value={"em": []}))
    assert WHOLE.is_valid(request("user_data", value={"hashed_maids": []}))


def test_a_request_holds_one_to_a_thousand_events():
    """Zero and 1,001 events are illegal, and so are a list and an unknown property of the request."""
    assert WHOLE.is_valid({"data": [FULL] * 1000})
    illegals: list[Any] = [{"data": [FULL] * 1001}, {"data": []}, [FULL], {}, {"data": [FULL], "x": 1}]
    for illegal in illegals:
        assert not SHAPE.is_valid(illegal)
