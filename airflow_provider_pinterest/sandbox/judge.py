"""Validates a request and its events. All functions are pure.

The structure of a request is validated first: one error refuses the whole request. Then each event is validated by
itself. The rules for events are a JSON Schema too, so a thousand valid events are checked in one step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from airflow_provider_pinterest.sandbox.schema import EVENT_REQUIRED, HASHED_FIELDS, MATCH_KEYS, shape_schema

Event = Mapping[str, Any]

CLOCK_SKEW_SECONDS = 300
"""How far in the future an event may be."""

EVENT_NAMES = frozenset(
    """
    add_payment_info add_to_cart add_to_wishlist app_install app_open checkout contact custom
    customize_product find_location initiate_checkout lead page_visit schedule search signup start_trial
    submit_application subscribe view_category view_content watch_video
    """.split()  # noqa: SIM905
)

CURRENCIES = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN
    BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP
    GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF
    KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR
    MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK
    SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU
    UYW UZS VED VES VND VUV WST XAD XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD XPF XPT XSU XTS XUA
    XXX YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905 - as a list, two hundred lines
)

_EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_MILLISECONDS = 100_000_000_000  # as seconds this is the year 5138
_HASH = {"pattern": "^[0-9a-f]{64}$"}
_NUMBER = {"pattern": "^-?[0-9]+([.][0-9]+)?$"}
_NO_EMAIL = {"pattern": "^[^@]*$"}
_is_hash = re.compile(r"[0-9a-f]{64}").fullmatch
_FILLED = {"minLength": 1, "minItems": 1}
_EVENT_RULES: dict[str, Any] = {
    "required": EVENT_REQUIRED,
    "properties": {
        "event_name": _FILLED,
        "event_id": _FILLED,
        "action_source": {"enum": ["app_android", "app_ios", "web", "offline"]},
        "user_data": {
            "properties": {**{name: {"items": _HASH} for name in HASHED_FIELDS}, "external_id": {"items": _NO_EMAIL}},
            "anyOf": [{"required": keys, "properties": dict.fromkeys(keys, _FILLED)} for keys in MATCH_KEYS],
        },
        "custom_data": {
            "properties": {
                "currency": {"enum": [*sorted(CURRENCIES), None]},
                "value": _NUMBER,
                "predicted_ltv": _NUMBER,
                "contents": {"items": {"properties": {"item_price": _NUMBER}}},
            },
        },
    },
}
_SAYINGS: Mapping[str, str] = {
    "event_name": "must not be empty",
    "event_id": "must not be empty",
    "action_source": "must be one of app_android, app_ios, web, offline",
    "user_data": "needs em, or hashed_maids, or both client_ip_address and client_user_agent",
    "currency": "is not an ISO-4217 code",
    "value": "is not a number",
    "predicted_ltv": "is not a number",
    "item_price": "is not a number",
}

_closed = jsonschema_rs.Draft4Validator(shape_schema())
_open = jsonschema_rs.Draft4Validator(shape_schema(closed=False))
_rules = jsonschema_rs.Draft4Validator(_EVENT_RULES)
_all_rules = jsonschema_rs.Draft4Validator({"items": _EVENT_RULES})


@dataclass(frozen=True, slots=True)
class Judgement:
    """Pinterest's result for one event. An empty ``error`` means processed."""

    error: str = ""
    warning: str = ""


PROCESSED = Judgement()


def refusal(request: object, *, closed: bool = True) -> str | None:
    """Return why the whole request is refused, in the format of a JSON Schema validator, or None.

    :param closed: whether a request with unknown properties is refused.
    """
    shape = _closed if closed else _open
    if shape.is_valid(request):
        return None
    return _message(next(iter(shape.iter_errors(request))))


def verdicts(events: Sequence[Event], now: float) -> list[Judgement]:
    """Validate each event of a request with a valid structure, at the Unix time ``now``."""
    if _all_rules.is_valid(events):
        return [_verdict("", event, now) for event in events]
    return [_verdict("; ".join(map(_said, _rules.iter_errors(event))), event, now) for event in events]


def _verdict(broken_rules: str, event: Event, now: float) -> Judgement:
    untimely = _untimely(event.get("event_time", 0), now)
    error = "; ".join(filter(None, (broken_rules, untimely)))
    warning = "; ".join(_warnings(event))
    return Judgement(error, warning) if error or warning else PROCESSED


def _untimely(time: int, now: float) -> str:
    if time >= _MILLISECONDS:
        return "'event_time' must be in seconds, not milliseconds"
    if time > now + CLOCK_SKEW_SECONDS:
        return "'event_time' must not be in the future"
    return "'event_time' must be a Unix timestamp" if time < 0 else ""


def _said(error: jsonschema_rs.ValidationError) -> str:
    """Return the message of a broken rule. It never has the value, which may be personal."""
    if error.kind.name == "required":
        return _message(error)
    names = [part for part in error.instance_path if isinstance(part, str)]
    place = repr(".".join(names))
    if names[0] == "user_data" and len(names) > 1:
        what = "holds a plain-text e-mail address, not" if "@" in str(error.instance) else "is not"
        return f"{place} {what} a SHA-256 hash in lowercase hexadecimal"
    return f"{place} {_SAYINGS[names[-1]]}"


def _warnings(event: Event) -> Iterator[str]:
    name = event.get("event_name")
    if name and name not in EVENT_NAMES:
        yield "'event_name' is not one of the standard events"
    user_data = event.get("user_data", {})
    for field in HASHED_FIELDS:
        if _EMPTY_HASH in user_data.get(field, ()):
            yield f"'user_data.{field}' holds the hash of an empty text"
    if not all(map(_is_hash, user_data.get("external_id", ()))):
        yield "'external_id' is not in sha256 hashed format"


def _message(error: jsonschema_rs.ValidationError) -> str:
    """Return the message of a violation in the format of Python's ``jsonschema``, as in Pinterest's responses."""
    kind = error.kind.as_dict()
    if error.kind.name == "type":
        wanted = [word for word in kind["types"] if word != "null"] or ["null"]
        return f"{error.instance!r} is not of type {', '.join(map(repr, wanted))}"
    if error.kind.name == "required":
        return f"{kind['property']!r} is a required property"
    return error.message
