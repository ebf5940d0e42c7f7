"""Personal identifiers: canonical text, then SHA-256.

Pinterest matches people by SHA-256 hex of the UTF-8 of a canonical text; two senders agree only if their
canonical texts agree to the letter. One function per identifier makes that text from NFC-normalised, trimmed
input and returns an empty string where there is none.

https://developers.pinterest.com/docs/api-features/conversion-overview/
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import unicodedata
from collections.abc import Callable
from hashlib import sha256
from socket import AF_INET, inet_pton
from typing import Any, Final

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.cells import ordinary
from airflow_provider_pinterest.conversions.codes import COUNTRIES, US_STATES, letters
from airflow_provider_pinterest.conversions.reasons import IDENTIFIER_WARNING, Unfit, Unusable, Verdict

Canonical = Callable[[str], str]
"""NFC-normalised, trimmed text → canonical text, empty where there is none."""

Hashes = list[str]
"""What Pinterest takes for one identifier: one or more SHA-256, each 64 lowercase hex digits."""

LONGEST: Final = 1_000
"""Longest identifier that is read, in characters: far beyond any that exists, and short enough to cost no time."""

MOST: Final = 1_000
"""Most identifiers that are read of one list."""

_is_sha256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII).fullmatch
_trunk_prefix = re.compile(r"^\s*(?:\+|00)[^(]*\(0\)")

_NO_DIGITS: Final = bytes(set(range(256)) - set(b"0123456789"))

_GENDERS: Final = {
    **dict.fromkeys("f female woman girl w".split(), "f"),  # noqa: SIM905
    **dict.fromkeys("m male man boy".split(), "m"),  # noqa: SIM905
    **dict.fromkeys("n nonbinary non-binary enby x diverse".split(), "n"),  # noqa: SIM905
    "non binary": "n",
}


def email(text: str) -> str:
    """Remove all white space and lowercase; text that is no address has no canonical form."""
    address = "".join(text.split()).lower()
    local, _, domain = address.partition("@")
    return address if local and domain and "@" not in domain else ""


def phone(text: str) -> str:
    """Keep the digits, without leading zeros; the country code must be part of the number."""
    if "(0)" in text:
        text = _trunk_prefix.sub(_without_trunk_zero, text)
    digits = text.encode().translate(None, _NO_DIGITS).lstrip(b"0").decode()
    return digits if 7 <= len(digits) <= 15 else ""


def _digits(text: str) -> str:
    return text.encode().translate(None, _NO_DIGITS).decode()


def _without_trunk_zero(found: re.Match[str]) -> str:
    return found[0].removesuffix("(0)")


def phone_of(country: str) -> Canonical:
    """Make a canonicaliser that reads national numbers as numbers of ``country`` (ISO alpha-2).

    :raises ImportError: the ``phonenumbers`` library is not installed (extra ``phone``).
    :raises ValueError: no country of that code has a numbering plan.
    """
    import phonenumbers as library

    region = country.upper()
    if region not in library.SUPPORTED_REGIONS:
        raise ValueError(repr(country))
    code = library.country_code_for_region(region)

    def parsed(text: str) -> Any:
        try:
            return library.parse(text, region)
        except library.NumberParseException:
            return None

    def canonical(text: str) -> str:
        """Read a number; one that begins with the country's own code may lack nothing but its plus."""
        number = parsed(f"+{text}")
        if number is None or number.country_code != code or not library.is_valid_number(number):
            number = parsed(text)
        if number is None or not library.is_possible_number(number):
            return ""
        return phone(library.format_number(number, library.PhoneNumberFormat.E164))

    return canonical


def gender(text: str) -> str:
    """Map words and letters to ``f``, ``m`` or ``n``."""
    return _GENDERS.get(text.lower(), "")


def birth_date(order: str | None) -> Canonical:
    """Make a canonicaliser to ``YYYYMMDD``.

    Read are ``YYYY-MM-DD`` with any of ``- / . `` or nothing between, ISO datetimes, ``DD.MM.YYYY``, and
    ``/`` or ``-`` between day and month in whatever order is certain.

    :param order: ``"MDY"`` or ``"DMY"`` settles dates such as 03/04/1990; ``None`` leaves those out.
    """

    def canonical(text: str) -> str:
        year_first = re.fullmatch(r"(\d{4})([-/.]?)(\d{1,2})\2(\d{1,2})(?:[T ].*)?", text, re.ASCII)
        year_last = re.fullmatch(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})", text, re.ASCII)
        if year_first:
            return _date(int(year_first[1]), int(year_first[3]), int(year_first[4]))
        if not year_last:
            return ""
        one, mark, two, year = int(year_last[1]), year_last[2], int(year_last[3]), int(year_last[4])
        month_first, day_first = _date(year, one, two), _date(year, two, one)
        certain = month_first == day_first or not (month_first and day_first)
        if certain:
            return month_first or day_first
        if order is None:
            return day_first if mark == "." else ""
        return month_first if order == "MDY" else day_first

    return canonical


def _date(year: int, month: int, day: int) -> str:
    try:
        return dt.date(year, month, day).strftime("%Y%m%d") if year >= 1900 else ""
    except ValueError:
        return ""


def name(text: str) -> str:
    """Collapse white space to one space each and lowercase."""
    return " ".join(text.split()).lower()


def city(text: str) -> str:
    """Keep letters (with their marks) and digits of any script, lowercase."""
    text = text.lower()
    if text.isalpha():
        return text
    return "".join(char for char in text if char.isalnum() or unicodedata.category(char)[0] == "M")


def state(text: str, in_us: bool | None) -> str:
    """Lowercase; names and codes of US states become the two-letter code unless the country is another."""
    if in_us is not False:
        known = US_STATES.get(letters(text.upper().removeprefix("US-")))
        if known:
            return known
    return " ".join(text.split()).lower()


def postal_code(text: str, in_us: bool | None) -> str:
    """Keep the five digits of a US code; elsewhere letters and digits, lowercase."""
    if in_us or (in_us is None and re.fullmatch(r"\d{5}(?:-?\d{4})?", text, re.ASCII)):
        return _digits(text.partition("-")[0])[:5]
    return "".join(char for char in text.lower() if char.isalnum())


def postal_digits(text: str, in_us: bool | None) -> str:
    """Keep digits only, as Pinterest's text has it, at the price of the UK's, Canada's and others' letters."""
    return _digits(postal_code(text, in_us))


def country(text: str) -> str:
    """Map alpha-2, alpha-3 and English names to the lowercase alpha-2 code."""
    return COUNTRIES.get(letters(text), "")


def advertising_id(text: str) -> str:
    """Lowercase; the all-zero id of people who limit tracking is none."""
    return text.lower() if text.strip("0-") else ""


def sha(canonical: str) -> str:
    """Return the SHA-256 hex of the UTF-8 of ``canonical``."""
    return sha256(canonical.encode()).hexdigest()


US: Final = sha("us")


class Identifier:
    """The reader of an identifier that goes out hashed.

    :param field: leaf name such as ``em``, for the warning's code.
    :param canonical: makes the text to hash.
    :param already: whether values are hashed already; ``None``: those that look like SHA-256 are.
    """

    def __init__(self, field: str, canonical: Canonical, *, already: bool | None = None) -> None:
        self.canonical = canonical
        self.already = already
        self._code = f"{IDENTIFIER_WARNING}{field}"

    def __call__(self, cell: Any) -> Hashes | None:
        """Return the hashes of a cell, ``None`` where it holds nothing.

        :raises Unusable: it, or something in its list, has no canonical form.
        """
        if type(cell) is not str:
            single = _only_text(cell)
            if single is None:
                return self._several(cell)
            cell = single
        text = cell.strip()
        if not text:
            return None
        if text[0] == "[" and text[-1] == "]":
            return self._several(text)
        if len(text) > LONGEST:
            raise Unusable(self._code)
        if len(text) == 64 and self.already is not False and _is_sha256(text):
            return [text.lower()]
        if self.already:
            raise Unusable(self._code)
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        try:
            plain = self.canonical(text)
            if plain:
                return [sha(plain)]
        except UnicodeEncodeError:
            pass
        raise Unusable(self._code)

    def _several(self, cell: Any) -> Hashes | None:
        """Hash what is no text or a list of texts; what is usable in a list survives what is not."""
        kept: dict[str, None] = {}
        try:
            items = values.items(cell)
        except Unfit:
            raise Unusable(self._code) from None
        dropped = len(items) > MOST
        for item in items[:MOST]:
            try:
                plain = item if type(item) is str else ordinary(item)
                text = (
                    plain.isoformat()[:10]
                    if isinstance(plain, dt.date)
                    else plain
                    if plain is None
                    else values.text(plain)
                )
                kept |= dict.fromkeys(self(text) or ()) if text else {}
            except Verdict:
                dropped = True
        if dropped:
            raise Unusable(self._code, list(kept) or None)
        return list(kept) or None


def _only_text(cell: Any) -> str | None:
    """Return the text in a list of one text, as ready events have it."""
    return cell[0] if type(cell) is list and len(cell) == 1 and type(cell[0]) is str else None


def by_country(
    rule: Callable[[str, bool | None], str], field: str, already: bool | None
) -> Callable[[tuple[Any, bool | None]], Hashes | None]:
    """Make the reader of an identifier whose form depends on the country of the same row.

    It reads a cell together with whether the country is the US: ``None`` where it is not known.

    :param rule: makes the canonical text of those two.
    :param field: leaf name, as for :class:`Identifier`.
    :param already: the same.
    """

    def reader(in_us: bool | None) -> Identifier:
        return Identifier(field, lambda text: rule(text, in_us), already=already)

    readers = {in_us: reader(in_us) for in_us in (None, True, False)}

    def read(cell_and_in_us: tuple[Any, bool | None]) -> Hashes | None:
        cell, in_us = cell_and_in_us
        return readers[in_us](cell)

    return read


def plain(cell: Any) -> str | None:
    """Read an identifier that goes out as it is; an ``@`` in it would be somebody's address.

    :raises Unusable: it holds an ``@``.
    :raises Unfit: it is not text.
    """
    if type(cell) is str and "@" not in cell:
        return cell.strip() or None
    text = values.text(cell)
    if text and "@" in text:
        raise Unusable("personal_data_in_plain_field")
    return text


def ip_address(cell: Any) -> str | None:
    """Read an IPv4 or IPv6 address."""
    text = cell.strip() if type(cell) is str else "?"
    if not text:
        return None
    if len(text) > LONGEST:
        raise Unusable(f"{IDENTIFIER_WARNING}client_ip_address")
    try:
        inet_pton(AF_INET, text)
    except (OSError, ValueError):
        return _ipv6(text)
    return text


def _ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text.partition("%")[0])
    except ValueError:
        raise Unusable(f"{IDENTIFIER_WARNING}client_ip_address") from None
    return str(address.ipv4_mapped or address)
