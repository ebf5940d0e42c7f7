"""The JSON Schema of a request: the body of ``POST /ad_accounts/{id}/events``.

It was written from Pinterest's OpenAPI description 5.28.0. It uses Draft 4 because ``1.0`` is not an integer there.
There are two schemas: the whole contract, and the structure only. A request with an invalid structure is refused as a
whole. ``judge.py`` has the rules for single events.

Description 5.23.0 allows unknown properties only in ``user_data``; 5.28.0 allows them everywhere. By default, the
schema follows 5.23.0. The example in 5.28.0 has ``advertiser_tracking_enabled``, its schema does not.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

EVENT_REQUIRED = ("event_name", "action_source", "event_time", "user_data", "event_id")
"""The required fields of an event."""

HASHED_FIELDS = (
    "em", "ph", "ge", "db", "ln", "fn", "ct", "st", "zp", "country", "external_id", "hashed_maids",
)  # fmt: skip
"""The fields of ``user_data`` that are lists of SHA-256 hashes."""

MATCH_KEYS = (("em",), ("hashed_maids",), ("client_ip_address", "client_user_agent"))
"""Groups of fields of ``user_data``. An event needs all fields of at least one group."""


def request_schema() -> Schema:
    """Return the JSON Schema of a whole request, with required fields and match keys."""
    event = _event()
    event["required"] = list(EVENT_REQUIRED)
    event["properties"]["user_data"]["anyOf"] = [{"required": list(keys)} for keys in MATCH_KEYS]
    return _request(event)


def shape_schema(*, closed: bool = True) -> Schema:
    """Return the JSON Schema of a request's structure: names, types and sizes.

    :param closed: whether unknown properties are errors.
    """
    schema = _request(_event())
    return schema if closed else _opened(schema)


def _opened(schema: Schema) -> Schema:
    """Return the schema with unknown properties allowed."""
    return {
        name: _opened(value) if isinstance(value, dict) else value
        for name, value in schema.items()
        if name != "additionalProperties"
    }


def _request(event: Schema) -> Schema:
    request = _object({"data": {"type": "array", "items": event, "minItems": 1, "maxItems": 1000}})
    request["required"] = ["data"]
    return {"$schema": "http://json-schema.org/draft-04/schema#", **request}


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _text(longest: int | None = None) -> Schema:
    return {"type": "string"} if longest is None else {"type": "string", "maxLength": longest}


def _optional_text() -> Schema:
    return {"type": ["string", "null"]}


def _texts() -> Schema:
    return {"type": "array", "items": _text()}


def _int64() -> Schema:
    return {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}


def _natural(largest: int | None = None) -> Schema:
    return (
        {"type": "integer", "minimum": 0} if largest is None else {"type": "integer", "minimum": 0, "maximum": largest}
    )


def _one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def _event() -> Schema:
    return _object(
        {
            "event_name": _text(),
            "action_source": _text(),
            "event_time": _int64(),
            "event_id": _text(),
            "event_source_url": _optional_text(),
            "opt_out": {"type": "boolean"},
            "advertiser_tracking_enabled": {"type": "boolean"},
            "partner_name": _optional_text(),
            "user_data": _user_data(),
            "custom_data": _custom_data(),
            "app_info": _app_info(),
            "device_info": _device_info(),
            "app_id": _optional_text(),
            "app_name": _optional_text(),
            "app_version": _optional_text(),
            "device_brand": _optional_text(),
            "device_carrier": _optional_text(),
            "device_model": _optional_text(),
            "device_type": _optional_text(),
            "os_version": _optional_text(),
            "wifi": {"type": "boolean"},
            "language": _optional_text(),
        }
    )


def _user_data() -> Schema:
    properties = {name: _texts() for name in HASHED_FIELDS}
    properties |= {"client_ip_address": _text(), "client_user_agent": _text()}
    properties |= {"click_id": _optional_text(), "partner_id": _optional_text()}
    return {"type": "object", "properties": properties}


def _custom_data() -> Schema:
    return _object(
        {
            "currency": _optional_text(),
            "value": _optional_text(),
            "predicted_ltv": _optional_text(),
            "content_ids": _texts(),
            "content_name": _optional_text(),
            "content_category": _optional_text(),
            "content_brand": _optional_text(),
            "contents": {"type": "array", "items": _content()},
            "num_items": _int64(),
            "order_id": _optional_text(),
            "search_string": _optional_text(),
            "opt_out_type": _optional_text(),
            "np": _optional_text(),
            "external_measurement_id": _optional_text(),
            "external_measurement_vendor_id": {"type": ["integer", "null"]},
        }
    )


def _content() -> Schema:
    return _object(
        {
            "id": _text(),
            "item_price": _text(),
            "quantity": _int64(),
            "item_name": _text(),
            "item_category": _text(),
            "item_brand": _text(),
            "item_brand_id": _text(64),
        }
    )


def _app_info() -> Schema:
    return _object(
        {
            "app_id": _text(200),
            "app_name": _text(200),
            "app_package_name": _text(200),
            "app_store": _text(100),
            "app_version": _text(100),
            "install_time": _natural(),
            "user_agent": _text(16384),
            "window_height": _natural(30720),
            "window_width": _natural(30720),
        }
    )


def _device_info() -> Schema:
    networks = (
        "wifi",
        "cellular_2g",
        "cellular_3g",
        "cellular_4g",
        "cellular_5g",
        "cellular_6g",
        "ethernet",
        "unknown",
    )
    forms = ("desktop", "laptop", "cellphone", "tablet", "smartwatch", "tv", "vr", "console", "other")
    return _object(
        {
            "type": _text(100),
            "brand": _text(100),
            "model": _text(100),
            "carrier": _text(100),
            "form_factor": _one_of(*forms),
            "network_type": _one_of(*networks),
            "os_family": _one_of("ios", "android", "macos", "windows", "linux", "bsd", "other"),
            "os_name": _text(100),
            "os_release_name": _text(100),
            "os_version": _text(100),
            "kernel_version": _text(100),
            "locale": _text(35),
            "languages": {"type": "array", "items": _text(), "minItems": 0, "maxItems": 100},
            "timezone": _text(40),
            "timezone_abbr": _text(5),
            "battery_level": _natural(100),
            "cpu_cores": _natural(1152),
            "screen_density": _natural(100000),
            "screen_height": _natural(30720),
            "screen_width": _natural(30720),
            "storage_size": _natural(1048576),
            "storage_free_space": _natural(1048576),
            "external_storage_size": _natural(1048576),
            "external_storage_free_space": _natural(1048576),
        }
    )
