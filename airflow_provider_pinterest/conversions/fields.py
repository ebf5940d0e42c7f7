"""THE table: every field of a Pinterest conversion event, its aliases, type and limits.

A new field of Pinterest's is one line here; documentation, mapping, validation and hashing follow from it.

https://developers.pinterest.com/docs/api/v5/events-create/
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from airflow_provider_pinterest.conversions import identifiers, values
from airflow_provider_pinterest.conversions.codes import CURRENCIES
from airflow_provider_pinterest.conversions.columns import (
    ByCountry,
    Hashed,
    Integers,
    Objects,
    Read,
    Reader,
    Remembered,
    Text,
)
from airflow_provider_pinterest.conversions.reasons import IDENTIFIER_WARNING, Unfit

EVENT_NAMES: Final = frozenset(
    [
        "add_payment_info",
        "add_to_cart",
        "add_to_wishlist",
        "app_install",
        "app_open",
        "checkout",
        "contact",
        "custom",
        "customize_product",
        "find_location",
        "initiate_checkout",
        "lead",
        "page_visit",
        "schedule",
        "search",
        "signup",
        "start_trial",
        "submit_application",
        "subscribe",
        "view_category",
        "view_content",
        "watch_video",
    ]
)
"""Names that Pinterest lists; others are an advertiser's own."""

ACTION_SOURCES: Final = frozenset({"app_android", "app_ios", "web", "offline"})
COUNTRY: Final = "user_data.country"
"""The field on which the meaning of others depends."""

OFFLINE: Final = "offline"
"""The action source whose events Pinterest cannot deduplicate."""

LDP: Final = "LDP"
"""The opt-out type that asks for limited data processing."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the reading of cells depends on.

    :param timezone: where naive times stand.
    :param identifiers: switches per identifier, keyed by leaf name (``em``), see :data:`SWITCHES`.
    """

    timezone: dt.tzinfo
    identifiers: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the API.

    :param path: where it stands: ``event_name``, ``user_data.em``, ``custom_data.contents[].id``.
    :param type: makes the field's reader from the field and the options; its name is the type's name.
    :param aliases: what people call it; matched whatever the case.
    :param required: whether Pinterest refuses an event without it.
    :param max_length: longest text in characters, or list in elements.
    :param minimum: smallest integer.
    :param maximum: largest integer.
    :param choices: the only values taken.
    :param repeats: whether few different cells are likely, so that they are worth remembering.
    """

    path: str
    type: Callable[[Field, Options], Read]
    aliases: tuple[str, ...] = ()
    required: bool = False
    max_length: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    choices: frozenset[str] | None = None
    repeats: bool = False

    @property
    def place(self) -> str:
        """The object that holds it: an empty string for the event itself."""
        return self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The JSON key, such as ``em``."""
        return self.path.rpartition(".")[2]

    @property
    def kind(self) -> str:
        """The name of the type, as the documentation has it."""
        return self.type.__name__.rstrip("_")


def text(field: Field, _: Options) -> Read:
    """Text of any length, or of ``field.max_length`` characters."""
    limit = field.max_length
    if limit is None:
        return values.text

    def read(cell: Any) -> str | None:
        found = values.text(cell)
        if found and len(found) > limit:
            raise Unfit("too_long", f"longer than {limit} characters")
        return found

    return read


def number(_: Field, __: Options) -> Read:
    """A number that travels as text."""
    return values.number


def integer(field: Field, _: Options) -> Read:
    """A 64-bit integer, within ``field.minimum`` and ``field.maximum``."""
    low, high = field.minimum, field.maximum
    if low is None and high is None:
        return values.integer

    def read(cell: Any) -> int | None:
        found = values.integer(cell)
        if found is not None and ((low is not None and found < low) or (high is not None and found > high)):
            raise Unfit("bad_value", f"expected {low} to {high}" if high is not None else f"expected {low} or more")
        return found

    return read


def boolean(_: Field, __: Options) -> Read:
    """A boolean."""
    return values.boolean


def time(_: Field, options: Options) -> Read:
    """A point in time, as Unix seconds."""
    return partial(values.unix_time, timezone=options.timezone)


def texts(field: Field, _: Options) -> Read:
    """A list of texts: a list, a JSON array, or one value."""
    limit = field.max_length
    if limit is None:
        return values.texts

    def read(cell: Any) -> list[str] | None:
        found = values.texts(cell)
        if found and len(found) > limit:
            raise Unfit("too_long", f"more than {limit} elements")
        return found

    return read


def choice(field: Field, _: Options) -> Read:
    """One word of ``field.choices``, whatever its case."""
    choices = field.choices or frozenset()
    code = "bad_action_source" if field.name == "action_source" else "bad_value"

    def read(cell: Any) -> str | None:
        found = values.text(cell)
        if found is None:
            return None
        if found.lower() in choices:
            return found.lower()
        raise Unfit(code, f"expected one of {', '.join(sorted(choices))}")

    return read


def currency(_: Field, __: Options) -> Read:
    """An ISO 4217 code, whatever its case."""

    def read(cell: Any) -> str | None:
        found = values.text(cell)
        if found is None:
            return None
        code = found.upper()
        if code not in CURRENCIES:
            raise Unfit("bad_currency", "expected an ISO 4217 code such as EUR")
        return code

    return read


def language(_: Field, __: Options) -> Read:
    """An ISO 639-1 code; the region of a locale such as ``en-US`` is dropped."""

    def read(cell: Any) -> str | None:
        found = values.text(cell)
        if found is None:
            return None
        code = found.replace("_", "-").partition("-")[0].lower()
        if len(code) != 2 or not code.isascii() or not code.isalpha():
            raise Unfit("bad_value", "expected a two-letter ISO 639-1 code such as en")
        return code

    return read


def flags(_: Field, __: Options) -> Read:
    """Comma-separated flags in capitals, such as ``LDP``."""

    def read(cell: Any) -> str | None:
        found = values.text(cell)
        return (found and ",".join(flag.strip().upper() for flag in found.split(",") if flag.strip())) or None

    return read


def hashed(field: Field, options: Options) -> Read:
    """An identifier: canonical text, SHA-256, in a list."""
    name = field.name
    switches = options.identifiers.get(name, {})
    canonical: dict[str, identifiers.Canonical] = {
        "em": identifiers.email,
        "ph": identifiers.phone,
        "ge": identifiers.gender,
        "db": identifiers.birth_date(switches.get("order")),
        "fn": identifiers.name,
        "ln": identifiers.name,
        "ct": identifiers.city,
        "country": identifiers.country,
        "external_id": str,
        "hashed_maids": identifiers.advertising_id,
    }
    chosen = canonical[name]
    if name == "ph" and switches.get("country"):
        chosen = identifiers.phone_of(switches["country"])
    if name == "external_id" and switches.get("case") == "lower":
        chosen = str.lower
    return identifiers.Identifier(name, chosen, already=switches.get("already_hashed"))


def hashed_by_country(field: Field, options: Options) -> Read:
    """An identifier whose canonical text depends on the row's country: read as (cell, whether that is the US)."""
    switches = options.identifiers.get(field.name, {})
    rule = identifiers.state
    if field.name == "zp":
        rule = identifiers.postal_digits if switches.get("letters") == "drop" else identifiers.postal_code

    return identifiers.by_country(rule, field.name, switches.get("already_hashed"))


def plain(_: Field, __: Options) -> Read:
    """An identifier that goes out as it is."""
    return identifiers.plain


def ip_address(_: Field, __: Options) -> Read:
    """An IPv4 or IPv6 address."""
    return identifiers.ip_address


def object_(_: Field, __: Options) -> Read:
    """A JSON object, read as one column per key."""
    return values.json


def objects(_: Field, __: Options) -> Read:
    """A list of JSON objects, each key read as a field of its own."""
    return values.objects


def reader(field: Field, options: Options) -> Reader:
    """Make the reader of a field.

    :raises ImportError: it needs a library that is not installed.
    :raises ValueError: it needs a numbering plan of a country that has none.
    """
    if field.type is objects:
        children: dict[str, Reader] = {}
        for child in FIELDS:
            if child.place == f"{field.path}[]":
                children |= dict.fromkeys((child.name, *child.aliases), reader(child, options))
        return Objects(field.name, children)
    read = field.type(field, options)
    unusable = f"{IDENTIFIER_WARNING}{field.name}" if field.place == "user_data" else None
    if field.type is hashed_by_country:
        return ByCountry(field.name, read, identifiers.US, unusable)
    if field.repeats:
        return Remembered(field.name, read, unusable, lists=isinstance(read, identifiers.Identifier))
    if isinstance(read, identifiers.Identifier) and not read.already:
        return Hashed(field.name, read, read.canonical, unusable)
    if field.type is integer:
        return Integers(field.name, read)
    return Text(field.name) if read is values.text else Reader(field.name, read, unusable)


SWITCHES: Final[dict[str, dict[str, tuple[Any, ...] | type]]] = {
    **{
        name: {"already_hashed": (True, False, None)}
        for name in ("em", "ge", "fn", "ln", "ct", "st", "country", "hashed_maids")
    },
    "ph": {"already_hashed": (True, False, None), "country": str},
    "db": {"already_hashed": (True, False, None), "order": ("MDY", "DMY", None)},
    "zp": {"already_hashed": (True, False, None), "letters": ("keep", "drop")},
    "external_id": {"already_hashed": (True, False, None), "case": ("keep", "lower")},
}
"""The switches of the operator's ``identifiers`` parameter: field → switch → values taken."""


def _family(place: str, kind: Callable[[Field, Options], Read], limit: int, *names: str) -> tuple[Field, ...]:
    """Several fields that differ in nothing but their names."""
    return tuple(Field(f"{place}.{name}", kind, max_length=limit) for name in names)


def _ranges(place: str, **maxima: int) -> tuple[Field, ...]:
    """Several integers from zero to a maximum each."""
    return tuple(Field(f"{place}.{name}", integer, minimum=0, maximum=high) for name, high in maxima.items())


FIELDS: Final[tuple[Field, ...]] = (
    # the event
    Field("event_name", text, ("event", "event_type"), required=True, repeats=True),
    Field("action_source", choice, required=True, choices=ACTION_SOURCES, repeats=True),
    Field("event_time", time, ("timestamp", "event_timestamp", "event_at", "occurred_at"), required=True),
    Field("event_id", text, required=True),
    Field("event_source_url", text, ("url", "page_url", "source_url")),
    Field("opt_out", boolean),
    Field("partner_name", text),
    Field("app_id", text),
    Field("app_name", text),
    Field("app_version", text),
    Field("device_brand", text),
    Field("device_carrier", text),
    Field("device_model", text),
    Field("device_type", text),
    Field("os_version", text),
    Field("wifi", boolean),
    Field("language", language, repeats=True),
    # who
    Field("user_data", object_),
    Field("user_data.em", hashed, ("email", "email_address", "e_mail", "hashed_email")),
    Field("user_data.ph", hashed, ("phone", "phone_number", "mobile", "hashed_phone")),
    Field("user_data.ge", hashed, ("gender", "sex"), repeats=True),
    Field("user_data.db", hashed, ("date_of_birth", "birth_date", "birthdate", "birthday", "dob"), repeats=True),
    Field("user_data.ln", hashed, ("last_name", "lastname", "surname", "family_name"), repeats=True),
    Field("user_data.fn", hashed, ("first_name", "firstname", "given_name"), repeats=True),
    Field("user_data.country", hashed, ("country_code",), repeats=True),
    Field("user_data.ct", hashed, ("city", "town"), repeats=True),
    Field("user_data.st", hashed_by_country, ("state", "region", "state_code")),
    Field("user_data.zp", hashed_by_country, ("zip", "zip_code", "zipcode", "postal_code", "postcode")),
    Field("user_data.external_id", hashed, ("user_id", "customer_id")),
    Field("user_data.hashed_maids", hashed, ("advertising_id", "maid", "maids", "gaid", "idfa")),
    Field("user_data.client_ip_address", ip_address, ("ip_address", "ip", "client_ip")),
    Field("user_data.client_user_agent", plain, ("user_agent",), repeats=True),
    Field("user_data.click_id", plain, ("epik",)),
    Field("user_data.partner_id", plain),
    # what
    Field("custom_data", object_),
    Field("custom_data.currency", currency, ("currency_code",), repeats=True),
    Field("custom_data.value", number, ("order_value", "revenue", "amount"), repeats=True),
    Field("custom_data.content_ids", texts, ("product_ids",)),
    Field("custom_data.content_name", text),
    Field("custom_data.content_category", text, repeats=True),
    Field("custom_data.content_brand", text, repeats=True),
    Field("custom_data.contents", objects, ("items", "line_items", "products")),
    Field("custom_data.contents[].id", text, ("product_id", "content_id", "sku")),
    Field("custom_data.contents[].item_price", number, ("price", "unit_price"), repeats=True),
    Field("custom_data.contents[].quantity", integer, ("qty",)),
    Field("custom_data.contents[].item_name", text, ("name",)),
    Field("custom_data.contents[].item_category", text, ("category",), repeats=True),
    Field("custom_data.contents[].item_brand", text, ("brand",), repeats=True),
    Field("custom_data.num_items", integer, ("item_count",)),
    Field("custom_data.order_id", text, ("order_number", "transaction_id")),
    Field("custom_data.search_string", text, ("search_term", "search_query")),
    Field("custom_data.opt_out_type", flags),
    Field("custom_data.predicted_ltv", number, ("ltv",)),
    Field("custom_data.np", text),
    Field("custom_data.external_measurement_id", text),
    Field("custom_data.external_measurement_vendor_id", integer),
    # with which app
    Field("app_info", object_),
    *_family("app_info", text, 200, "app_id", "app_name", "app_package_name"),
    *_family("app_info", text, 100, "app_store", "app_version"),
    Field("app_info.install_time", time, minimum=0),
    *_family("app_info", text, 16_384, "user_agent"),
    *_ranges("app_info", window_height=30_720, window_width=30_720),
    # on which device
    Field("device_info", object_),
    *_family("device_info", text, 100, "brand", "carrier", "kernel_version", "model", "os_name", "os_release_name"),
    *_family("device_info", text, 100, "os_version", "type"),
    *_family("device_info", text, 40, "timezone"),
    *_family("device_info", text, 35, "locale"),
    *_family("device_info", text, 5, "timezone_abbr"),
    *_ranges("device_info", battery_level=100, cpu_cores=1_152, screen_density=100_000),
    *_ranges("device_info", screen_height=30_720, screen_width=30_720),
    *_ranges("device_info", external_storage_free_space=2**20, external_storage_size=2**20),
    *_ranges("device_info", storage_free_space=2**20, storage_size=2**20),
    Field("device_info.languages", texts, max_length=100),
    Field(
        "device_info.form_factor",
        choice,
        choices=frozenset("desktop laptop cellphone tablet smartwatch tv vr console other".split()),  # noqa: SIM905
    ),
    Field(
        "device_info.network_type",
        choice,
        choices=frozenset(
            "wifi cellular_2g cellular_3g cellular_4g cellular_5g cellular_6g ethernet unknown".split()  # noqa: SIM905
        ),
    ),
    Field(
        "device_info.os_family",
        choice,
        choices=frozenset("ios android macos windows linux bsd other".split()),  # noqa: SIM905
    ),
)

BY_PATH: Final[dict[str, Field]] = {field.path: field for field in FIELDS}
REQUIRED: Final[tuple[str, ...]] = tuple(field.path for field in FIELDS if field.required)
