"""THE table: every field of a Pinterest conversion event, its names, its type and limits, and what a bad cell costs.

A new field of Pinterest's is one line here; documentation, mapping, validation, warnings and hashing follow from it.
A line that lacks a part, or that contradicts another one, fails when this module is imported.

https://developers.pinterest.com/docs/api/v5/events-create/
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from enum import Enum, auto
from functools import partial
from typing import Any, Final

from airflow_provider_pinterest.conversions import identifiers, personal, telephones, values
from airflow_provider_pinterest.conversions.codes import CURRENCIES
from airflow_provider_pinterest.conversions.columns import (
    CachedParser,
    ColumnParser,
    DependentParser,
    Hashed,
    Member,
    Objects,
    ProductIds,
    Read,
    Text,
)
from airflow_provider_pinterest.conversions.identifiers import Rule, Taken, always
from airflow_provider_pinterest.conversions.line_items import OTHER_MEMBERS
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.conversions.placeholders import spellings
from airflow_provider_pinterest.conversions.reasons import (
    GENERAL_WARNINGS,
    LEFT_OUT,
    InvalidCellError,
    UnusableCellError,
)
from airflow_provider_pinterest.conversions.typed import Booleans, Integers, Numbers, Times

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

_EVENT_NAMES: Final = {folded(name): name for name in EVENT_NAMES}

ACTION_SOURCES: Final = frozenset({"app_android", "app_ios", "web", "offline"})
COUNTRY: Final = identifiers.IN_COUNTRY.path
"""The field on which the meaning of others depends."""

OFFLINE: Final = "offline"
"""The action source whose events Pinterest cannot deduplicate."""

LDP: Final = "LDP"
"""The opt-out type that asks for limited data processing."""


class BadCell(Enum):
    """What a cell costs that cannot be read as its field's value."""

    REJECT = auto()
    """The row: the conversion would be wrong without it."""

    LEAVE_OUT = auto()
    """Only itself: it is left out of the event, and counted under the field's warning."""


REJECT: Final = BadCell.REJECT
LEAVE_OUT: Final = BadCell.LEAVE_OUT


@dataclass(frozen=True, slots=True)
class FieldOptions:
    """What the reading of cells depends on.

    :param timezone: where naive times stand.
    :param identifiers: switches per identifier, keyed by leaf name (``em``), see :data:`SWITCHES`.
    :param placeholders: words that stand for nothing in an identifier or an id, in lower case.
    :param event_names: compared form of a name → the name that is sent.
    :param members: path of a list of objects → compared form of a member's name → its field; ``None``: ignored.
    :param open_lists: paths of lists of objects whose unknown members are ignored.
    """

    timezone: dt.tzinfo
    identifiers: Mapping[str, Mapping[str, Any]] = attribute(default_factory=dict)
    placeholders: frozenset[str] = frozenset()
    event_names: Mapping[str, str] = attribute(default_factory=dict)
    members: Mapping[str, Mapping[str, str | None]] = attribute(default_factory=dict)
    open_lists: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the API.

    :param path: where it stands: ``event_name``, ``user_data.em``, ``custom_data.contents[].id``.
    :param type: makes the field's reader from the field and the options; its name is the type's name.
    :param bad_cell: what a cell costs that cannot be read.
    :param aliases: what people call it, in any spelling. Of two names in one object the first wins; the field's own
        name comes before them, unless it stands among them.
    :param hints: words that suggest the field in a message, but are not certain enough to map a column.
    :param missing: what to do about a row that lacks it; empty: it may.
    :param max_length: longest text in characters, or list in elements.
    :param minimum: smallest integer.
    :param maximum: largest integer.
    :param choices: the only values taken.
    :param code: the reason for a value that is not among the choices.
    :param repeats: whether few different cells are likely, so that they are worth remembering.
    :param rivals: sets of names that may mean different things; two different values among one set are worth a warning.
    :param is_id: whether it identifies something, so that a placeholder such as ``undefined`` means nothing.
    :param personal: what becomes of a text with an e-mail address in it.
    :param rule: how an identifier of a person is read; every member of ``user_data`` has one.
    """

    path: str
    type: Callable[[Field, FieldOptions], Read]
    bad_cell: BadCell
    aliases: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    missing: str = ""
    max_length: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    choices: frozenset[str] | None = None
    code: str = "bad_value"
    repeats: bool = False
    rivals: tuple[frozenset[str], ...] = ()
    is_id: bool = False
    personal: personal.Handle = personal.left_out
    rule: Rule | None = None

    def rule_and_settings(self, options: FieldOptions) -> tuple[Rule, identifiers.IdentifierSettings]:
        """Return the rule of an identifier, and what the options say about it."""
        if self.rule is None:
            raise ValueError(f"{self.path} is not an identifier")
        return self.rule, identifiers.IdentifierSettings(options.identifiers.get(self.name, {}), options.placeholders)

    @property
    def switches(self) -> dict[str, Taken]:
        """The switches that the ``identifiers`` parameter has for it: switch → values taken."""
        if self.rule is None or self.type not in {hashed, hashed_by_country}:
            return {}
        return {"already_hashed": (True, False, None), **self.rule.switches}

    @property
    def place(self) -> str:
        """The object that holds it: an empty string for the event itself."""
        return self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The JSON key, such as ``em``."""
        return self.path.rpartition(".")[2]

    @property
    def names(self) -> tuple[str, ...]:
        """The JSON key and the aliases; of two in one object the first wins."""
        return self.aliases if self.name in self.aliases else (self.name, *self.aliases)

    @property
    def kind(self) -> str:
        """The name of the type, as the documentation has it."""
        return self.type.__name__.rstrip("_")

    @property
    def required(self) -> bool:
        """Whether Pinterest refuses an event without it."""
        return bool(self.missing)

    @property
    def warning(self) -> str | None:
        """The code under which a cell is counted that is left out; ``None``: its row is rejected."""
        if self.bad_cell is REJECT:
            return None
        place = self.path.removeprefix("user_data.").removeprefix("custom_data.")
        return LEFT_OUT + place.replace("[]", "").replace(".", "_")


def text(field: Field, options: FieldOptions) -> Read:
    """Text of any length, or of ``field.max_length`` characters."""
    limit = field.max_length
    handle = field.personal
    placeholders = spellings(options.placeholders) if field.is_id else frozenset()

    def read(cell: Any) -> str | None:
        found = values.text(cell)
        if found is None or found in placeholders:
            return None
        if limit is not None and len(found) > limit:
            raise InvalidCellError("bad_value", f"longer than {limit} characters")
        return handle(found)

    return read


def number(_: Field, __: FieldOptions) -> Read:
    """A number that travels as text."""
    return values.number


def integer(field: Field, _: FieldOptions) -> Read:
    """A 64-bit integer, within ``field.minimum`` and ``field.maximum``."""
    low, high = field.minimum, field.maximum
    if low is None and high is None:
        return values.integer

    def read(cell: Any) -> int | None:
        found = values.integer(cell)
        if found is not None and ((low is not None and found < low) or (high is not None and found > high)):
            raise InvalidCellError(
                "bad_value", f"expected {low} to {high}" if high is not None else f"expected {low} or more"
            )
        return found

    return read


def boolean(_: Field, __: FieldOptions) -> Read:
    """A boolean."""
    return values.boolean


def time(_: Field, options: FieldOptions) -> Read:
    """A point in time, as Unix seconds."""
    return partial(values.unix_time, timezone=options.timezone)


def texts(field: Field, _: FieldOptions) -> Read:
    """A list of texts: a list, a JSON array, or one value. Elements that are no text are left out."""
    limit = field.max_length
    warning = field.warning

    def read(cell: Any) -> list[str] | None:
        try:
            found = values.texts(cell)
            if found and any(map(personal.has_at, found)):
                kept = [text for text in found if not personal.has_address(text)]
                if len(kept) < len(found):
                    raise UnusableCellError(personal.LEFT_OUT, kept[:limit] or None)
            if not found or limit is None or len(found) <= limit:
                return found
        except InvalidCellError:
            if warning is None:
                raise
            found = [text for item in values.items(cell) for text in one(item) if not personal.has_address(text)]
        if warning is None:
            raise InvalidCellError("bad_value", f"more than {limit} elements")
        raise UnusableCellError(
            warning, found[:limit] or None, f"more than {limit} elements, or elements that are no text"
        )

    def one(item: Any) -> list[str]:
        try:
            return values.texts([item]) or []
        except InvalidCellError:
            return []

    return read


def choice(field: Field, _: FieldOptions) -> Read:
    """One word of ``field.choices``, whatever its case and spelling."""
    choices = {folded(word): word for word in field.choices or ()}

    def read(cell: Any) -> str | None:
        found = values.text(cell)
        if found is None:
            return None
        word = choices.get(folded(found))
        if word is None:
            raise InvalidCellError(field.code, f"expected one of {', '.join(sorted(choices.values()))}")
        return word

    return read


def event_name(field: Field, options: FieldOptions) -> Read:
    """A name: one of Pinterest's whatever its case and spelling, or any other as it is."""
    known = {**_EVENT_NAMES, **options.event_names}

    def read(cell: Any) -> str | None:
        found = values.text(cell)
        return None if found is None else known.get(folded(found)) or field.personal(found)

    return read


def currency(_: Field, __: FieldOptions) -> Read:
    """An ISO 4217 code, whatever its case."""

    def read(cell: Any) -> str | None:
        found = values.text(cell)
        if found is None:
            return None
        code = found.upper()
        if code not in CURRENCIES:
            raise InvalidCellError("bad_currency", "expected an ISO 4217 code such as EUR")
        return code

    return read


def language(_: Field, __: FieldOptions) -> Read:
    """An ISO 639-1 code; the region of a locale such as ``en-US`` is dropped."""

    def read(cell: Any) -> str | None:
        found = values.text(cell)
        if found is None:
            return None
        code = found.replace("_", "-").partition("-")[0].lower()
        if len(code) != 2 or not code.isascii() or not code.isalpha():
            raise InvalidCellError("bad_value", "expected a two-letter ISO 639-1 code such as en")
        return code

    return read


_between_flags = re.compile(r"[,;|]").split


def flags(_: Field, options: FieldOptions) -> Read:
    """Comma-separated flags in capitals, such as ``LDP``, or a list of them."""
    placeholders = options.placeholders

    def read(cell: Any) -> str | None:
        try:
            texts_ = values.texts(cell) or ()
        except InvalidCellError as unfit:
            raise InvalidCellError(unfit.code, unfit.message) from None
        words = [word.strip() for text in texts_ for word in _between_flags(text)]
        found = [word.upper() for word in words if word and word.lower() not in placeholders]
        if any(map(personal.has_at, found)):
            raise InvalidCellError("bad_value", "expected flags such as LDP, got text with an @")
        return ",".join(found) or None

    return read


def hashed(field: Field, options: FieldOptions) -> Read:
    """An identifier: canonical text, SHA-256, in a list."""
    rule, settings = field.rule_and_settings(options)
    return identifiers.Identifier(field.name, rule, settings)


def hashed_by_country(field: Field, options: FieldOptions) -> Read:
    """An identifier whose canonical text depends on the row's country."""
    return hashed(field, options)


def product_id(field: Field, options: FieldOptions) -> Read:
    """Text; ``0`` stands for no product."""
    return text(field, options)


def plain(field: Field, options: FieldOptions) -> Read:
    """An identifier that goes out as it is."""
    rule, settings = field.rule_and_settings(options)
    return identifiers.Unhashed(field.name, rule, settings).read


def ip_address(field: Field, options: FieldOptions) -> Read:
    """An IPv4 or IPv6 address."""
    rule, settings = field.rule_and_settings(options)
    return identifiers.Address(field.name, rule, settings).read


def object_(_: Field, __: FieldOptions) -> Read:
    """A JSON object, read as one column per key."""
    return values.json


def objects(_: Field, __: FieldOptions) -> Read:
    """A list of JSON objects, each key read as a field of its own."""
    return values.objects


_TYPED: Final[Mapping[Callable[[Field, FieldOptions], Read], type[CachedParser]]] = {
    number: Numbers,
    integer: Integers,
    boolean: Booleans,
}
"""Types whose cells drivers have typed as well."""


def reader(field: Field, options: FieldOptions) -> ColumnParser:
    """Make the reader of a field.

    :raises ValueError: it needs a numbering plan of a country that has none.
    """
    unusable = field.warning
    if field.type is objects:
        return Objects(
            field.name,
            [_member(child, options) for child in FIELDS if child.place == f"{field.path}[]"],
            ignored={*map(folded, OTHER_MEMBERS)},
            mapped=options.members.get(field.path, {}),
            is_open=field.path in options.open_lists,
            unusable=unusable,
        )
    read = field.type(field, options)
    if field.type is time:
        return Times(field.name, read, options.timezone, unusable)
    if field.type in _TYPED:
        return _TYPED[field.type](field.name, read, unusable)
    if isinstance(read, identifiers.Identifier):
        depends_on = field.rule.depends_on.path if field.rule and field.rule.depends_on else None
        if read.plain:
            return Hashed(field.name, read, read.plain, unusable, depends_on)
        if depends_on:
            return DependentParser(field.name, read, depends_on, unusable)
        return (
            CachedParser(field.name, read, unusable, lists=True)
            if field.repeats
            else ColumnParser(field.name, read, unusable)
        )
    if field.repeats:
        return CachedParser(field.name, read, unusable)
    if field.type in {text, plain, product_id} and field.max_length is None:
        placeholders = spellings(options.placeholders) if field.is_id or field.rule else frozenset()
        kind = ProductIds if field.type is product_id else Text
        return kind(field.name, read, unusable, placeholders)
    return ColumnParser(field.name, read, unusable)


def _member(field: Field, options: FieldOptions) -> Member:
    """Make what reads a member of the objects in a list."""
    rivals = tuple(frozenset(map(folded, names)) for names in field.rivals)
    return Member(reader(field, options), tuple(map(folded, field.names)), rivals)


def _family(place: str, kind: Callable[[Field, FieldOptions], Read], limit: int, *names: str) -> tuple[Field, ...]:
    """Several fields that differ in nothing but their names."""
    return tuple(Field(f"{place}.{name}", kind, LEAVE_OUT, max_length=limit) for name in names)


def _ranges(place: str, **maxima: int) -> tuple[Field, ...]:
    """Several integers from zero to a maximum each."""
    return tuple(Field(f"{place}.{name}", integer, LEAVE_OUT, minimum=0, maximum=high) for name, high in maxima.items())


def _set(*names: str) -> frozenset[str]:
    return frozenset(names)


FIELDS: Final[tuple[Field, ...]] = (
    # the event
    Field(
        "event_name",
        event_name,
        REJECT,
        ("event", "event_type"),
        missing="every event needs a name: map a column, or set defaults={'event_name': …}",
        repeats=True,
    ),
    Field(
        "action_source",
        choice,
        REJECT,
        missing="every event needs its source: map a column, or set defaults={'action_source': 'web'}",
        choices=ACTION_SOURCES,
        code="bad_action_source",
        repeats=True,
    ),
    Field(
        "event_time",
        time,
        REJECT,
        ("timestamp", "event_timestamp", "event_at", "occurred_at"),
        ("created_at", "created", "purchased_at", "ordered_at", "placed_at", "completed_at", "date", "time", "ts"),
        missing="every event needs the time when it happened: map a column",
    ),
    Field(
        "event_id",
        text,
        REJECT,
        hints=("uuid", "guid", "message_id"),
        is_id=True,
        personal=personal.sent,
        missing="every event needs an id: map a column, or name columns in event_id_from",
    ),
    Field(
        "event_source_url",
        text,
        LEAVE_OUT,
        ("url", "page_url", "source_url"),
        ("landing_page", "page_location"),
        personal=personal.cut,
    ),
    Field("opt_out", boolean, REJECT),
    Field("advertiser_tracking_enabled", boolean, REJECT, ("ad_tracking_enabled",)),
    Field("partner_name", text, LEAVE_OUT),
    Field("app_id", text, LEAVE_OUT),
    Field("app_name", text, LEAVE_OUT),
    Field("app_version", text, LEAVE_OUT),
    Field("device_brand", text, LEAVE_OUT),
    Field("device_carrier", text, LEAVE_OUT),
    Field("device_model", text, LEAVE_OUT),
    Field("device_type", text, LEAVE_OUT),
    Field("os_version", text, LEAVE_OUT),
    Field("wifi", boolean, LEAVE_OUT),
    Field("language", language, LEAVE_OUT, repeats=True),
    # who
    Field("user_data", object_, REJECT),
    Field(
        "user_data.em",
        hashed,
        LEAVE_OUT,
        ("email", "email_address", "e_mail", "hashed_email"),
        rule=Rule(canonical=always(identifiers.email), plain=always(identifiers.plain_email)),
    ),
    Field(
        "user_data.ph",
        hashed_by_country,
        LEAVE_OUT,
        ("phone", "phone_number", "mobile", "hashed_phone"),
        ("mobile_phone",),
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
    Field(
        "user_data.ge",
        hashed,
        LEAVE_OUT,
        ("gender", "sex"),
        repeats=True,
        rule=Rule(canonical=always(identifiers.gender)),
    ),
    Field(
        "user_data.db",
        hashed,
        LEAVE_OUT,
        ("date_of_birth", "birth_date", "birthdate", "birthday", "dob"),
        ("birth", "born_on"),
        repeats=True,
        rule=Rule(canonical=identifiers.birth_date, switches={"order": ("MDY", "DMY", None)}),
    ),
    Field(
        "user_data.ln",
        hashed,
        LEAVE_OUT,
        ("last_name", "lastname", "surname", "family_name"),
        repeats=True,
        rule=Rule(canonical=always(identifiers.name)),
    ),
    Field(
        "user_data.fn",
        hashed,
        LEAVE_OUT,
        ("first_name", "firstname", "given_name"),
        ("forename",),
        repeats=True,
        rule=Rule(canonical=always(identifiers.name)),
    ),
    Field(
        "user_data.country",
        hashed,
        LEAVE_OUT,
        ("country_code",),
        ("country_name", "nation"),
        repeats=True,
        rule=Rule(canonical=always(identifiers.country)),
    ),
    Field(
        "user_data.ct",
        hashed,
        LEAVE_OUT,
        ("city", "town"),
        ("city_name", "locality"),
        repeats=True,
        rule=Rule(canonical=always(identifiers.city)),
    ),
    Field(
        "user_data.st",
        hashed_by_country,
        LEAVE_OUT,
        ("state", "region", "state_code"),
        ("province", "state_name"),
        repeats=True,
        rule=Rule(canonical=always(identifiers.state), depends_on=identifiers.IN_COUNTRY),
    ),
    Field(
        "user_data.zp",
        hashed_by_country,
        LEAVE_OUT,
        ("zip", "zip_code", "zipcode", "postal_code", "postcode"),
        ("postal", "plz"),
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
        LEAVE_OUT,
        ("user_id", "customer_id"),
        ("customer_key", "person_id", "uid"),
        rule=Rule(
            canonical=identifiers.external_id,
            plain=identifiers.plain_external_id,
            switches={"case": ("keep", "lower")},
        ),
    ),
    Field(
        "user_data.hashed_maids",
        hashed,
        LEAVE_OUT,
        ("advertising_id", "maid", "maids", "gaid", "idfa"),
        ("ad_id", "adid", "aaid", "mobile_ad_id"),
        rule=Rule(canonical=always(identifiers.advertising_id), plain=always(identifiers.plain_advertising_id)),
    ),
    Field(
        "user_data.client_ip_address",
        ip_address,
        LEAVE_OUT,
        ("ip_address", "ip", "client_ip"),
        ("remote_addr", "remote_address"),
        rule=Rule(canonical=always(identifiers.public_address)),
    ),
    Field(
        "user_data.client_user_agent",
        plain,
        LEAVE_OUT,
        ("user_agent",),
        ("ua", "http_user_agent"),
        repeats=True,
        rule=Rule(canonical=always(identifiers.unhashed)),
    ),
    Field("user_data.click_id", plain, LEAVE_OUT, ("epik",), rule=Rule(canonical=always(identifiers.unhashed))),
    Field("user_data.partner_id", plain, LEAVE_OUT, rule=Rule(canonical=always(identifiers.unhashed))),
    # what
    Field("custom_data", object_, REJECT),
    Field("custom_data.currency", currency, REJECT, ("currency_code",), ("ccy", "currency_iso"), repeats=True),
    Field(
        "custom_data.value",
        number,
        REJECT,
        ("order_value", "revenue", "amount"),
        ("total", "price", "total_price", "subtotal", "sum", "turnover"),
        repeats=True,
    ),
    Field("custom_data.content_ids", texts, LEAVE_OUT, ("product_ids",), ("product_id", "sku", "skus", "item_ids")),
    Field("custom_data.content_name", text, LEAVE_OUT),
    Field("custom_data.content_category", text, LEAVE_OUT, repeats=True),
    Field("custom_data.content_brand", text, LEAVE_OUT, repeats=True),
    Field("custom_data.contents", objects, LEAVE_OUT, ("items", "line_items", "products"), ("cart", "basket", "lines")),
    Field(
        "custom_data.contents[].id",
        product_id,
        LEAVE_OUT,
        ("product_id", "content_id", "item_id", "variant_id", "variation_id", "id", "sku", "product_sku"),
        rivals=(
            _set("product_id", "content_id", "item_id", "variant_id", "variation_id", "id"),
            _set("id", "sku"),
        ),
    ),
    Field(
        "custom_data.contents[].item_price",
        number,
        LEAVE_OUT,
        ("product_price", "price", "unit_price"),
        repeats=True,
    ),
    Field(
        "custom_data.contents[].quantity",
        integer,
        LEAVE_OUT,
        ("product_quantity", "item_quantity", "qty", "qty_ordered", "quantity_ordered"),
    ),
    Field(
        "custom_data.contents[].item_name",
        text,
        LEAVE_OUT,
        ("product_name", "content_name", "name", "product_title", "title"),
    ),
    Field(
        "custom_data.contents[].item_category",
        text,
        LEAVE_OUT,
        ("product_category", "content_category", "category", "product_type"),
        repeats=True,
    ),
    Field(
        "custom_data.contents[].item_brand",
        text,
        LEAVE_OUT,
        ("product_brand", "content_brand", "brand", "vendor", "manufacturer"),
        repeats=True,
    ),
    Field(
        "custom_data.contents[].item_brand_id",
        text,
        LEAVE_OUT,
        ("product_brand_id", "brand_id"),
        max_length=64,
        repeats=True,
    ),
    Field("custom_data.num_items", integer, LEAVE_OUT, ("item_count",), ("quantity", "qty", "total_quantity")),
    Field(
        "custom_data.order_id",
        text,
        REJECT,
        ("order_number", "transaction_id"),
        ("order", "order_key"),
        is_id=True,
        personal=personal.sent,
    ),
    Field("custom_data.search_string", text, LEAVE_OUT, ("search_term", "search_query"), ("query", "keyword")),
    Field("custom_data.opt_out_type", flags, REJECT),
    Field("custom_data.predicted_ltv", number, LEAVE_OUT, ("ltv",)),
    Field("custom_data.np", text, LEAVE_OUT),
    Field("custom_data.external_measurement_id", text, LEAVE_OUT),
    Field("custom_data.external_measurement_vendor_id", integer, LEAVE_OUT),
    # with which app
    Field("app_info", object_, LEAVE_OUT),
    *_family("app_info", text, 200, "app_id", "app_name", "app_package_name"),
    *_family("app_info", text, 100, "app_store", "app_version"),
    Field("app_info.install_time", time, LEAVE_OUT, minimum=0),
    *_family("app_info", text, 16_384, "user_agent"),
    *_ranges("app_info", window_height=30_720, window_width=30_720),
    # on which device
    Field("device_info", object_, LEAVE_OUT),
    *_family("device_info", text, 100, "brand", "carrier", "kernel_version", "model", "os_name", "os_release_name"),
    *_family("device_info", text, 100, "os_version", "type"),
    *_family("device_info", text, 40, "timezone"),
    *_family("device_info", text, 35, "locale"),
    *_family("device_info", text, 5, "timezone_abbr"),
    *_ranges("device_info", battery_level=100, cpu_cores=1_152, screen_density=100_000),
    *_ranges("device_info", screen_height=30_720, screen_width=30_720),
    *_ranges("device_info", external_storage_free_space=2**20, external_storage_size=2**20),
    *_ranges("device_info", storage_free_space=2**20, storage_size=2**20),
    Field("device_info.languages", texts, LEAVE_OUT, max_length=100),
    Field(
        "device_info.form_factor",
        choice,
        LEAVE_OUT,
        choices=frozenset("desktop laptop cellphone tablet smartwatch tv vr console other".split()),  # noqa: SIM905
    ),
    Field(
        "device_info.network_type",
        choice,
        LEAVE_OUT,
        choices=frozenset(
            "wifi cellular_2g cellular_3g cellular_4g cellular_5g cellular_6g ethernet unknown".split()  # noqa: SIM905
        ),
    ),
    Field(
        "device_info.os_family",
        choice,
        LEAVE_OUT,
        choices=frozenset("ios android macos windows linux bsd other".split()),  # noqa: SIM905
    ),
)

BY_PATH: Final[dict[str, Field]] = {field.path: field for field in FIELDS}
SWITCHES: Final[dict[str, dict[str, Taken]]] = {field.name: field.switches for field in FIELDS if field.switches}
"""The switches of the operator's ``identifiers`` parameter: field → switch → values taken."""

REQUIRED: Final[tuple[str, ...]] = tuple(field.path for field in FIELDS if field.required)

WARNINGS: Final[dict[str, str]] = {
    **GENERAL_WARNINGS,
    **{
        field.warning: f"{field.path.replace('[]', '')} could not be read and was left out of the event."
        for field in FIELDS
        if field.warning
    },
    **{code: meaning for field in FIELDS if field.rule for code, meaning in field.rule.warnings.items()},
}
"""Code → meaning, for what was noticed about events that were sent all the same."""


def check(fields: Sequence[Field]) -> None:
    """Check that each line of a table has all its parts and that no two lines contradict each other.

    :raises ValueError: what is wrong with which line.
    """
    places = {"", *(field.path for field in fields if field.type in (object_, objects))}
    owners: dict[str, str] = {}
    for field in fields:
        if field.place.removesuffix("[]") not in places:
            raise ValueError(f"{field.path}: there is no line for {field.place}")
        if field.type is choice and not field.choices:
            raise ValueError(f"{field.path}: a choice needs its choices")
        if (field.rule is not None) != (field.place == "user_data"):
            raise ValueError(f"{field.path}: members of user_data, and no other fields, need a rule")
        if field.rule and bool(field.rule.depends_on) != (field.type is hashed_by_country):
            raise ValueError(f"{field.path}: an identifier that depends on the country is of type hashed_by_country")
        if field.rule and field.rule.plain and field.repeats:
            raise ValueError(f"{field.path}: cells that repeat are remembered, so that a rule for plain ones is unused")
        if field.place == "user_data" and field.bad_cell is REJECT:
            raise ValueError(f"{field.path}: an identifier that cannot be read must not cost the row")
        bare = field.place in ("", "user_data", "custom_data")
        names = [name if bare else f"{field.place}.{name}" for name in (field.name, *field.names)]
        for name in (f"path {field.path}", f"warning {field.warning or field.path}", *map(folded, names)):
            owner = owners.setdefault(name, field.path)
            if owner != field.path:
                raise ValueError(f"{field.path}: {name} belongs to {owner}")
    if len({field.path for field in fields}) < len(fields):
        raise ValueError("a path stands in the table twice")


check(FIELDS)
