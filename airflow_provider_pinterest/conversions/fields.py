"""The table of all fields of a Pinterest conversion event: names, type, limits, and the effect of a bad cell.

A new field is one line here; documentation, mapping, validation, warnings and hashing follow from it. A line that lacks
a part, or that contradicts another one, fails when this module is imported.

https://developers.pinterest.com/docs/api/v5/events-create/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from inspect import isfunction, signature
from typing import Any, Final

from airflow_provider_pinterest.conversions import (
    advertising_ids,
    birth_dates,
    cities,
    click_ids,
    email_addresses,
    identifiers,
    ip_addresses,
    person_identifiers,
    personal,
    places,
    region_hashes,
    telephones,
)
from airflow_provider_pinterest.conversions.column_parser import ParseCell
from airflow_provider_pinterest.conversions.declared_codes import UNKNOWN, codes_of
from airflow_provider_pinterest.conversions.field_types import (
    LEAVE_OUT,
    REJECT,
    BadCell,
    Field,
    FieldOptions,
    boolean,
    choice,
    currency,
    event_name,
    flags,
    hashed,
    hashed_by_country,
    integer,
    ip_address,
    language,
    number,
    object_,
    objects,
    plain,
    product_id,
    text,
    texts,
    time,
)
from airflow_provider_pinterest.conversions.identifier_rules import IdentifierRule, IdentifierSettings, Taken, always
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.conversions.reasons import (
    GENERAL_WARNINGS,
)

ACTION_SOURCES: Final = frozenset({"app_android", "app_ios", "web", "offline"})

COUNTRY: Final = region_hashes.IN_COUNTRY.path
"""The field on which the meaning of others depends."""

OFFLINE: Final = "offline"
"""The action source whose events Pinterest cannot deduplicate."""

LDP: Final = "LDP"
"""The opt-out type that asks for limited data processing."""


def _family(place: str, kind: Callable[[Field, FieldOptions], ParseCell], limit: int, *names: str) -> tuple[Field, ...]:
    """Return several fields that differ only in their names."""
    return tuple(Field(f"{place}.{name}", kind, LEAVE_OUT, max_length=limit) for name in names)


def _ranges(place: str, **maxima: int) -> tuple[Field, ...]:
    """Return several integers, each from zero to a maximum."""
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
        rule=IdentifierRule(canonical=always(email_addresses.email), plain=always(email_addresses.plain_email)),
    ),
    Field(
        "user_data.ph",
        hashed_by_country,
        LEAVE_OUT,
        ("phone", "phone_number", "mobile", "hashed_phone"),
        ("mobile_phone",),
        rule=IdentifierRule(
            canonical=person_identifiers.phone,
            plain=always(telephones.plain),
            switches={"country": str},
            depends_on=region_hashes.IN_COUNTRY,
            warnings={
                person_identifiers.WITHOUT_COUNTRY: "user_data.ph has no country code and the row has no country; it "
                "was sent, because its digits are those of a number with a country code."
            },
        ),
    ),
    Field(
        "user_data.ge",
        hashed,
        LEAVE_OUT,
        ("gender", "sex"),
        repeats=True,
        rule=IdentifierRule(canonical=always(person_identifiers.gender)),
    ),
    Field(
        "user_data.db",
        hashed,
        LEAVE_OUT,
        ("date_of_birth", "birth_date", "birthdate", "birthday", "dob"),
        ("birth", "born_on"),
        repeats=True,
        rule=IdentifierRule(
            canonical=birth_dates.birth_date, switches={"order": ("MDY", "DMY", None)}, reads_dates=True
        ),
    ),
    Field(
        "user_data.ln",
        hashed,
        LEAVE_OUT,
        ("last_name", "lastname", "surname", "family_name"),
        repeats=True,
        rule=IdentifierRule(canonical=always(person_identifiers.name)),
    ),
    Field(
        "user_data.fn",
        hashed,
        LEAVE_OUT,
        ("first_name", "firstname", "given_name"),
        ("forename",),
        repeats=True,
        rule=IdentifierRule(canonical=always(person_identifiers.name)),
    ),
    Field(
        "user_data.country",
        hashed,
        LEAVE_OUT,
        ("country_code",),
        ("country_name", "nation"),
        repeats=True,
        rule=IdentifierRule(canonical=always(places.country)),
    ),
    Field(
        "user_data.ct",
        hashed,
        LEAVE_OUT,
        ("city", "town"),
        ("city_name", "locality"),
        repeats=True,
        rule=IdentifierRule(canonical=always(cities.city)),
    ),
    Field(
        "user_data.st",
        hashed_by_country,
        LEAVE_OUT,
        ("state", "region", "state_code"),
        ("province", "state_name"),
        repeats=True,
        rule=IdentifierRule(canonical=always(places.state), depends_on=region_hashes.IN_COUNTRY),
    ),
    Field(
        "user_data.zp",
        hashed_by_country,
        LEAVE_OUT,
        ("zip", "zip_code", "zipcode", "postal_code", "postcode"),
        ("postal", "plz"),
        repeats=True,
        rule=IdentifierRule(
            canonical=places.postal_code,
            switches={"letters": ("keep", "drop")},
            depends_on=region_hashes.IN_COUNTRY,
        ),
    ),
    Field(
        "user_data.external_id",
        hashed,
        LEAVE_OUT,
        ("user_id", "customer_id"),
        ("customer_key", "person_id", "uid"),
        rule=IdentifierRule(
            canonical=person_identifiers.external_id,
            plain=person_identifiers.plain_external_id,
            switches={"case": ("keep", "lower")},
        ),
    ),
    Field(
        "user_data.hashed_maids",
        hashed,
        LEAVE_OUT,
        ("advertising_id", "maid", "maids", "gaid", "idfa"),
        ("ad_id", "adid", "aaid", "mobile_ad_id"),
        rule=IdentifierRule(
            canonical=always(advertising_ids.advertising_id), plain=always(advertising_ids.plain_advertising_id)
        ),
    ),
    Field(
        "user_data.client_ip_address",
        ip_address,
        LEAVE_OUT,
        ("ip_address", "ip", "client_ip"),
        ("remote_addr", "remote_address"),
        rule=IdentifierRule(canonical=always(ip_addresses.public_address)),
    ),
    Field(
        "user_data.client_user_agent",
        plain,
        LEAVE_OUT,
        ("user_agent",),
        ("ua", "http_user_agent"),
        repeats=True,
        rule=IdentifierRule(canonical=always(identifiers.unhashed)),
    ),
    Field(
        "user_data.click_id",
        plain,
        LEAVE_OUT,
        ("epik",),
        rule=IdentifierRule(canonical=always(click_ids.click_id), needs_care=click_ids.needs_care),
    ),
    Field("user_data.partner_id", plain, LEAVE_OUT, rule=IdentifierRule(canonical=always(identifiers.unhashed))),
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
        (
            *("product_price", "price", "unit_price", "discounted_unit_price_set", "original_unit_price_set"),
            *("discounted_unit_price", "original_unit_price", "base_price"),
        ),
        repeats=True,
        is_price=True,
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
"""The switches of the ``identifiers`` parameter: field → switch → accepted values."""

DEPENDENCIES: Final[Mapping[str, Callable[[Any], Any]]] = {
    field.rule.depends_on.path: field.rule.depends_on.read for field in FIELDS if field.rule and field.rule.depends_on
}
"""Field on which others depend → its value → what they depend on."""

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
"""Code → meaning, for warnings about events that were sent."""


def check(fields: Sequence[Field]) -> None:
    """Check that each line of a table has all its parts and that no two lines contradict each other.

    :raises ValueError: names the line and the problem.
    """
    places = {"", *(field.path for field in fields if field.type in (object_, objects))}
    depended_on = {field.rule.depends_on.path for field in fields if field.rule and field.rule.depends_on}
    owners: dict[str, str] = {}
    for field in fields:
        if field.place.removesuffix("[]") not in places:
            raise ValueError(f"{field.path}: no line for {field.place}")
        _check_types(field)
        if field.type is choice and not field.choices:
            raise ValueError(f"{field.path}: a choice needs its choices")
        if (field.rule is not None) != (field.place == "user_data"):
            raise ValueError(f"{field.path}: members of user_data, and no other fields, need a rule")
        if field.rule and bool(field.rule.depends_on) != (field.type is hashed_by_country):
            raise ValueError(f"{field.path}: an identifier that depends on the country is of type hashed_by_country")
        if field.path in depended_on and (not field.repeats or field.type is hashed_by_country):
            raise ValueError(
                f"{field.path}: other fields depend on it, so it must repeat and depend on no field itself"
            )
        if field.rule and field.rule.plain and field.repeats:
            raise ValueError(f"{field.path}: cells that repeat are cached, so that a rule for plain ones is unused")
        if field.rule:
            _check_arguments(field, field.rule)
        if field.place == "user_data" and field.bad_cell is REJECT:
            raise ValueError(f"{field.path}: an invalid identifier must not cost the row")
        bare = field.place in ("", "user_data", "custom_data")
        names = [name if bare else f"{field.place}.{name}" for name in (field.name, *field.names)]
        for name in (f"path {field.path}", f"warning {field.warning or field.path}", *map(folded, names)):
            owner = owners.setdefault(name, field.path)
            if owner != field.path:
                raise ValueError(f"{field.path}: {name} belongs to {owner}")
    if len({field.path for field in fields}) < len(fields):
        raise ValueError("a path is in the table twice")


def _check_types(field: Field) -> None:
    """Check the parts that stand by their position, which move up if one is left out."""
    if not isinstance(field.bad_cell, BadCell):
        raise ValueError(f"{field.path}: the third part must be REJECT or LEAVE_OUT, got {field.bad_cell!r}")  # noqa: TRY004 - see check
    for name in ("aliases", "hints"):
        if not isinstance(getattr(field, name), tuple):
            raise ValueError(f"{field.path}: {name} must be a tuple of names, such as ('email',)")  # noqa: TRY004 - see check


def _check_arguments(field: Field, rule: IdentifierRule) -> None:
    """Check that the canonical form takes the text, and the value that it depends on."""
    try:
        canonical = rule.canonical(IdentifierSettings({}, frozenset()))
        _check_codes(field, rule, codes_of(canonical))
        if isfunction(canonical):  # the signatures of built-in functions may be unknown
            signature(canonical).bind(*("text", "country")[: 2 if rule.depends_on else 1])
    except TypeError as error:
        expected = "the text and the value that it depends on" if rule.depends_on else "the text"
        raise ValueError(
            f"{field.path}: canonical must return a function that takes {expected}: {error}. Wrap a function without "
            "settings in always()"
        ) from None


def _check_codes(field: Field, rule: IdentifierRule, codes: AbstractSet[str]) -> None:
    """Check that each code under which the canonical form may be counted has a meaning."""
    missing = codes - rule.warnings.keys() - {UNKNOWN}
    if missing or (UNKNOWN in codes and not rule.warnings):
        said = ", ".join(sorted(missing)) or "a code"
        raise ValueError(f"{field.path}: canonical may raise {said}, which is not in warnings: add its meaning")


check(FIELDS)
