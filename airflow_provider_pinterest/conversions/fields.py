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

from airflow_provider_pinterest.conversions import identifiers, personal, telephones, values
from airflow_provider_pinterest.conversions.codes import CURRENCIES
from airflow_provider_pinterest.conversions.columns import (
    Beside,
    Hashed,
    Integers,
    Objects,
    Read,
    Reader,
    Remembered,
    Text,
)
from airflow_provider_pinterest.conversions.identifiers import Rule, Taken, always
from airflow_provider_pinterest.conversions.placeholders import spellings
from airflow_provider_pinterest.conversions.reasons import IDENTIFIER_WARNING, WARNINGS, Unfit

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
COUNTRY: Final = identifiers.IN_COUNTRY.path
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
    :param placeholders: words that stand for nothing in an identifier or an id, in lower case.
    """

    timezone: dt.tzinfo
    identifiers: Mapping[str, Mapping[str, Any]]
    placeholders: frozenset[str]


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
    :param is_id: whether it identifies something, so that a placeholder such as ``undefined`` means nothing.
    :param personal: what becomes of a text with an e-mail address in it.
    :param rule: how an identifier of a person is read; every member of ``user_data`` has one.
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
    is_id: bool = False
    personal: personal.Handle = personal.left_out
    rule: Rule | None = None

    def __post_init__(self) -> None:
        if (self.rule is not None) != (self.place == "user_data"):
            raise TypeError(f"{self.path}: members of user_data, and no other fields, need a rule")
        if self.rule and bool(self.rule.depends_on) != (self.type is hashed_by_country):
            raise TypeError(f"{self.path}: an identifier that depends on the country is of type hashed_by_country")
        if self.rule and self.rule.plain and self.repeats:
            raise TypeError(f"{self.path}: cells that repeat are remembered, so that a rule for plain ones is unused")

    def rule_and_settings(self, options: Options) -> tuple[Rule, identifiers.Settings]:
        """Return the rule of an identifier, and what the options say about it."""
        if self.rule is None:
            raise TypeError(f"{self.path} is not an identifier")
        return self.rule, identifiers.Settings(options.identifiers.get(self.name, {}), options.placeholders)

    @property
    def switches(self) -> dict[str, Taken]:
        """The switches that the ``identifiers`` parameter has for it: switch → values taken."""
        if self.rule is None or self.type not in {hashed, hashed_by_country}:
            return {}
        return {"already_hashed": (True, False, None), **self.rule.switches}

    @property
    def warnings(self) -> dict[str, str]:
        """The codes under which its cells are counted → meaning."""
        if self.rule is None:
            return {}
        left_out = f"{self.path} has no canonical form; it was left out of the event."
        return {f"{IDENTIFIER_WARNING}{self.name}": left_out, **self.rule.warnings}

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


def text(field: Field, options: Options) -> Read:
    """Text of any length, or of ``field.max_length`` characters."""
    limit = field.max_length
    handle = field.personal
    placeholders = spellings(options.placeholders) if field.is_id else frozenset()

    def read(cell: Any) -> str | None:
        found = values.text(cell)
        if found is None or found in placeholders:
            return None
        if limit is not None and len(found) > limit:
            raise Unfit("too_long", f"longer than {limit} characters")
        return handle(found)

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
    rule, settings = field.rule_and_settings(options)
    return identifiers.Identifier(field.name, rule, settings)


def hashed_by_country(field: Field, options: Options) -> Read:
    """An identifier whose canonical text depends on the row's country."""
    return hashed(field, options)


def plain(field: Field, options: Options) -> Read:
    """An identifier that goes out as it is."""
    rule, settings = field.rule_and_settings(options)
    return identifiers.Unhashed(field.name, rule, settings).read


def ip_address(field: Field, options: Options) -> Read:
    """An IPv4 or IPv6 address."""
    rule, settings = field.rule_and_settings(options)
    return identifiers.Address(field.name, rule, settings).read


def object_(_: Field, __: Options) -> Read:
    """A JSON object, read as one column per key."""
    return values.json


def objects(_: Field, __: Options) -> Read:
    """A list of JSON objects, each key read as a field of its own."""
    return values.objects


def reader(field: Field, options: Options) -> Reader:
    """Make the reader of a field.

    :raises ValueError: it needs a numbering plan of a country that has none.
    """
    if field.type is objects:
        children: dict[str, Reader] = {}
        for child in FIELDS:
            if child.place == f"{field.path}[]":
                children |= dict.fromkeys((child.name, *child.aliases), reader(child, options))
        return Objects(field.name, children)
    read = field.type(field, options)
    unusable = f"{IDENTIFIER_WARNING}{field.name}" if field.rule else None
    if isinstance(read, identifiers.Identifier):
        depends_on = field.rule.depends_on.path if field.rule and field.rule.depends_on else None
        if read.plain:
            return Hashed(field.name, read, read.plain, unusable, depends_on)
        if depends_on:
            return Beside(field.name, read, depends_on, unusable)
        return (
            Remembered(field.name, read, unusable, lists=True) if field.repeats else Reader(field.name, read, unusable)
        )
    if field.repeats:
        return Remembered(field.name, read, unusable)
    if field.type is integer:
        return Integers(field.name, read)
    if (field.type is text and field.max_length is None) or field.type is plain:
        placeholders = spellings(options.placeholders) if field.is_id or field.rule else frozenset()
        return Text(field.name, read, unusable, placeholders)
    return Reader(field.name, read, unusable)


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
    Field("event_id", text, required=True, is_id=True, personal=personal.sent),
    Field("event_source_url", text, ("url", "page_url", "source_url"), personal=personal.cut),
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
    Field(
        "user_data.em",
        hashed,
        ("email", "email_address", "e_mail", "hashed_email"),
        rule=Rule(canonical=always(identifiers.email), plain=always(identifiers.plain_email)),
    ),
    Field(
        "user_data.ph",
        hashed_by_country,
        ("phone", "phone_number", "mobile", "hashed_phone"),
        rule=Rule(
            canonical=identifiers.phone,
            plain=always(telephones.plain),
            switches={"country": str},
            depends_on=identifiers.IN_COUNTRY,
            warnings={
                identifiers.WITHOUT_COUNTRY: "user_data.ph shows no country code and the row has no country; it was "
                "sent, because its digits are those of a number with a country code."
            },
        ),
    ),
    Field("user_data.ge", hashed, ("gender", "sex"), repeats=True, rule=Rule(canonical=always(identifiers.gender))),
    Field(
        "user_data.db",
        hashed,
        ("date_of_birth", "birth_date", "birthdate", "birthday", "dob"),
        repeats=True,
        rule=Rule(canonical=identifiers.birth_date, switches={"order": ("MDY", "DMY", None)}),
    ),
    Field(
        "user_data.ln",
        hashed,
        ("last_name", "lastname", "surname", "family_name"),
        repeats=True,
        rule=Rule(canonical=always(identifiers.name)),
    ),
    Field(
        "user_data.fn",
        hashed,
        ("first_name", "firstname", "given_name"),
        repeats=True,
        rule=Rule(canonical=always(identifiers.name)),
    ),
    Field(
        "user_data.country",
        hashed,
        ("country_code",),
        repeats=True,
        rule=Rule(canonical=always(identifiers.country)),
    ),
    Field("user_data.ct", hashed, ("city", "town"), repeats=True, rule=Rule(canonical=always(identifiers.city))),
    Field(
        "user_data.st",
        hashed_by_country,
        ("state", "region", "state_code"),
        repeats=True,
        rule=Rule(canonical=always(identifiers.state), depends_on=identifiers.IN_COUNTRY),
    ),
    Field(
        "user_data.zp",
        hashed_by_country,
        ("zip", "zip_code", "zipcode", "postal_code", "postcode"),
        repeats=True,
        rule=Rule(
            canonical=identifiers.postal_code,
            switches={"letters": ("keep", "drop")},
            depends_on=identifiers.IN_COUNTRY,
        ),
    ),
    Field(
        "user_data.external_id",
        hashed,
        ("user_id", "customer_id"),
        rule=Rule(
            canonical=identifiers.external_id,
            plain=identifiers.plain_external_id,
            switches={"case": ("keep", "lower")},
        ),
    ),
    Field(
        "user_data.hashed_maids",
        hashed,
        ("advertising_id", "maid", "maids", "gaid", "idfa"),
        rule=Rule(canonical=always(identifiers.advertising_id), plain=always(identifiers.plain_advertising_id)),
    ),
    Field(
        "user_data.client_ip_address",
        ip_address,
        ("ip_address", "ip", "client_ip"),
        rule=Rule(canonical=always(identifiers.public_address)),
    ),
    Field(
        "user_data.client_user_agent",
        plain,
        ("user_agent",),
        repeats=True,
        rule=Rule(canonical=always(identifiers.unhashed)),
    ),
    Field("user_data.click_id", plain, ("epik",), rule=Rule(canonical=always(identifiers.unhashed))),
    Field("user_data.partner_id", plain, rule=Rule(canonical=always(identifiers.unhashed))),
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
    Field("custom_data.order_id", text, ("order_number", "transaction_id"), is_id=True, personal=personal.sent),
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

SWITCHES: Final[dict[str, dict[str, Taken]]] = {field.name: field.switches for field in FIELDS if field.switches}
"""The switches of the operator's ``identifiers`` parameter: field → switch → values taken."""

WARNINGS.update((code, meaning) for field in FIELDS for code, meaning in field.warnings.items())

REQUIRED: Final[tuple[str, ...]] = tuple(field.path for field in FIELDS if field.required)
