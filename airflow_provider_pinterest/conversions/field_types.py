"""The parts of a line in the table of fields: the field, its type, and the effect of a bad cell."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from enum import Enum, auto
from functools import partial
from typing import Any, Final

from airflow_provider_pinterest.conversions import (
    array_texts,
    identifiers,
    ip_addresses,
    personal,
    shop_items,
    values,
)
from airflow_provider_pinterest.conversions.codes.lists import currencies
from airflow_provider_pinterest.conversions.column_parser import ParseCell
from airflow_provider_pinterest.conversions.event_names import LISTED
from airflow_provider_pinterest.conversions.identifier_rules import IdentifierRule, IdentifierSettings, Taken
from airflow_provider_pinterest.conversions.invisible import visible
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.conversions.placeholders import spellings
from airflow_provider_pinterest.conversions.reasons import (
    LEFT_OUT,
    InvalidCellError,
    UnusableCellError,
)


class BadCell(Enum):
    """The effect of a cell that is not a valid value of its field."""

    REJECT = auto()
    """The row is rejected: the conversion would be wrong without the field."""

    LEAVE_OUT = auto()
    """Only the cell is left out of the event, and counted under the warning of the field."""


REJECT: Final = BadCell.REJECT

LEAVE_OUT: Final = BadCell.LEAVE_OUT


@dataclass(frozen=True, slots=True)
class FieldOptions:
    """The options for parsing cells.

    :param timezone: time zone of naive times.
    :param identifiers: switches per identifier, keyed by leaf name (``em``), see :data:`SWITCHES`.
    :param placeholders: words that mean "empty" in an identifier or an id, in lower case.
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

    :param path: where it is: ``event_name``, ``user_data.em``, ``custom_data.contents[].id``.
    :param type: returns the function that parses a cell, given the field and the options; named after the type.
    :param bad_cell: the effect of an invalid cell.
    :param aliases: other names, in any spelling. Of two names in one object the first wins; the name of the field comes
        before the aliases, unless it is one of them.
    :param hints: words that suggest the field in a message, but are not certain enough to map a column.
    :param missing: advice for a row that lacks the field; empty: the field is optional.
    :param max_length: longest text in characters, or list in elements.
    :param minimum: smallest integer.
    :param maximum: largest integer.
    :param choices: the only values accepted.
    :param code: the reason for a value that is not among the choices.
    :param repeats: whether few different cells are likely, so that caching them is worthwhile.
    :param rivals: sets of names that may mean different things; two different values among one set are worth a warning.
    :param is_id: whether it identifies something, so that a placeholder such as ``undefined`` counts as empty.
    :param is_price: whether a number may be a money object, such as ``{"amount": "72.39", "currencyCode": "EUR"}``.
    :param personal: handles a text with an e-mail address in it.
    :param rule: how an identifier of a person is parsed; every member of ``user_data`` has a rule.
    """

    path: str
    type: Callable[[Field, FieldOptions], ParseCell]
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
    is_price: bool = False
    personal: personal.Handle = personal.left_out
    rule: IdentifierRule | None = None

    def rule_and_settings(self, options: FieldOptions) -> tuple[IdentifierRule, IdentifierSettings]:
        """Return the rule of an identifier, and its settings."""
        if self.rule is None:
            raise ValueError(f"{self.path} is not an identifier")
        return self.rule, IdentifierSettings(
            options.identifiers.get(self.name, {}), options.placeholders, options.timezone
        )

    @property
    def switches(self) -> dict[str, Taken]:
        """The switches of the field in the ``identifiers`` parameter: switch → accepted values."""
        if self.rule is None or self.type not in {hashed, hashed_by_country}:
            return {}
        return {"already_hashed": (True, False, None), **self.rule.switches}

    @property
    def is_code(self) -> bool:
        """Whether it is compared as a whole, so that invisible characters are removed from its text."""
        return self.is_id or self.type in {product_id, plain}

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
        """The name of the type in the documentation."""
        return self.type.__name__.rstrip("_")

    @property
    def required(self) -> bool:
        """Whether Pinterest rejects an event without it."""
        return bool(self.missing)

    @property
    def warning(self) -> str | None:
        """The warning code for cells that are left out; ``None``: their rows are rejected."""
        if self.bad_cell is REJECT:
            return None
        place = self.path.removeprefix("user_data.").removeprefix("custom_data.")
        return LEFT_OUT + place.replace("[]", "").replace(".", "_")


def text(field: Field, options: FieldOptions) -> ParseCell:
    """Text of any length, or of ``field.max_length`` characters."""
    limit = field.max_length
    handle = field.personal
    placeholders = spellings(options.placeholders) if field.is_id else frozenset()
    as_code = field.is_code

    def read(cell: Any) -> str | None:
        found = values.text(cell)
        if as_code and found is not None:
            found = values.unquoted(visible(found))
        if found is None or found in placeholders:
            return None
        if limit is not None and len(found) > limit:
            raise InvalidCellError("bad_value", f"longer than {limit} characters")
        return handle(found)

    return read


def number(field: Field, _: FieldOptions) -> ParseCell:
    """A number, sent as text."""
    if not field.is_price:
        return values.number

    def read(cell: Any) -> str | None:
        if type(cell) is str and cell[:1] == "{":
            cell = values.json(cell)
        if type(cell) is not dict:
            return values.number(cell)
        found = shop_items.amount(cell)
        if found is None:
            raise InvalidCellError("bad_value", "expected an amount in one currency")
        return values.number(found)

    return read


def integer(field: Field, _: FieldOptions) -> ParseCell:
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


def boolean(_: Field, __: FieldOptions) -> ParseCell:
    """A boolean."""
    return values.boolean


def time(_: Field, options: FieldOptions) -> ParseCell:
    """A point in time, as Unix seconds."""
    return partial(values.unix_time, timezone=options.timezone)


def texts(field: Field, _: FieldOptions) -> ParseCell:
    """A list of texts: a list, a JSON array, or one value. Elements that are not text are left out."""
    limit = field.max_length
    warning = field.warning

    def read(cell: Any) -> list[str] | None:
        try:
            found = values.texts(cell)
            if found and len(found) == 1 and type(cell) is str and cell.lstrip()[:1] not in array_texts.OPENING:
                found = [*(array_texts.separated(found[0]) or found)]
            if found and not ((joined := "".join(found)).isascii() and joined.isprintable()):
                found = [*filter(None, map(visible, found))]
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
            warning, found[:limit] or None, f"more than {limit} elements, or elements that are not text"
        )

    def one(item: Any) -> list[str]:
        try:
            return values.texts([item]) or []
        except InvalidCellError:
            return []

    return read


def visible_text(cell: Any) -> str | None:
    """Return the text of a cell that is compared with a list, without invisible characters."""
    found = values.text(cell)
    return None if found is None else values.unquoted(visible(found))


def choice(field: Field, _: FieldOptions) -> ParseCell:
    """One word of ``field.choices``, in any case and spelling."""
    choices = {folded(word): word for word in field.choices or ()}

    def read(cell: Any) -> str | None:
        found = visible_text(cell)
        if found is None:
            return None
        word = choices.get(folded(found))
        if word is None:
            raise InvalidCellError(field.code, f"expected one of {', '.join(sorted(choices.values()))}")
        return word

    return read


def event_name(field: Field, options: FieldOptions) -> ParseCell:
    """A name: a listed name in any case and spelling, or another name unchanged."""
    known = {**LISTED, **options.event_names}

    def read(cell: Any) -> str | None:
        found = visible_text(cell)
        return None if found is None else known.get(folded(found)) or field.personal(found)

    return read


_MINOR: Final = {"GBX": "GBP", "ILA": "ILS", "ZAC": "ZAR", "USX": "USD", "EUX": "EUR"}
"""Code of the hundredth of a unit → code of the unit."""

_is_minor = re.compile(r"[A-Z]{2}[a-z]").fullmatch
"""The last letter in lower case means the hundredth, as in ``GBp`` for a penny."""


def currency(_: Field, __: FieldOptions) -> ParseCell:
    """An ISO 4217 code in any case: one in force, or one that was withdrawn recently."""

    def read(cell: Any) -> str | None:
        found = visible_text(cell)
        if found is None:
            return None
        code = found.upper()
        major = _MINOR.get(code) or (code if _is_minor(found) and code in currencies() else None)
        if major:
            raise InvalidCellError(
                "bad_currency", f"{found} is the hundredth of a {major}; divide the values by 100 and send {major}"
            )
        if code not in currencies():
            raise InvalidCellError("bad_currency", "expected an ISO 4217 code such as EUR")
        return code

    return read


def language(_: Field, __: FieldOptions) -> ParseCell:
    """An ISO 639-1 code; the region of a locale such as ``en-US`` is dropped."""

    def read(cell: Any) -> str | None:
        found = visible_text(cell)
        if found is None:
            return None
        code = found.replace("_", "-").partition("-")[0].lower()
        if len(code) != 2 or not code.isascii() or not code.isalpha():
            raise InvalidCellError("bad_value", "expected a two-letter ISO 639-1 code such as en")
        return code

    return read


_between_flags = re.compile(r"[,;|]").split


def flags(_: Field, options: FieldOptions) -> ParseCell:
    """Comma-separated flags in capitals, such as ``LDP``, or a list of them."""
    placeholders = options.placeholders

    def read(cell: Any) -> str | None:
        try:
            texts_ = values.texts(cell) or ()
        except InvalidCellError as error:
            raise InvalidCellError(error.code, error.message) from None
        words = [word.strip() for text in texts_ for word in _between_flags(visible(text))]
        found = [word.upper() for word in words if word and word.lower() not in placeholders]
        if any(map(personal.has_at, found)):
            raise InvalidCellError("bad_value", "expected flags such as LDP, got text with an @")
        return ",".join(found) or None

    return read


def hashed(field: Field, options: FieldOptions) -> ParseCell:
    """An identifier: canonical text, SHA-256, in a list."""
    rule, settings = field.rule_and_settings(options)
    return identifiers.HashedIdentifier(field.name, rule, settings)


def hashed_by_country(field: Field, options: FieldOptions) -> ParseCell:
    """An identifier whose canonical text depends on the row's country."""
    return hashed(field, options)


def product_id(field: Field, options: FieldOptions) -> ParseCell:
    """Text; ``0`` means "no product"."""
    read_text = text(field, options)

    def read(cell: Any) -> str | None:
        found = read_text(cell)
        return None if found is None else shop_items.product_of(found)

    return read


def plain(field: Field, options: FieldOptions) -> ParseCell:
    """An identifier that is sent unhashed."""
    rule, settings = field.rule_and_settings(options)
    return identifiers.PlainIdentifier(field.name, rule, settings).read


def ip_address(field: Field, options: FieldOptions) -> ParseCell:
    """An IPv4 or IPv6 address."""
    rule, settings = field.rule_and_settings(options)
    return ip_addresses.PlainIpAddress(field.name, rule, settings).read


def object_(_: Field, __: FieldOptions) -> ParseCell:
    """A JSON object, parsed as one column per key."""
    return values.json


def objects(_: Field, __: FieldOptions) -> ParseCell:
    """A list of JSON objects, each key parsed as a separate field."""
    return values.objects
