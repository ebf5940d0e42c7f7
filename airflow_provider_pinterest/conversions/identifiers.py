"""Personal identifiers: canonical text, then SHA-256.

Pinterest matches people by SHA-256 hex of the UTF-8 of a canonical text; two senders agree only if their
canonical texts agree to the letter. One function per identifier makes that text from NFC-normalised, trimmed
input and returns an empty string where there is none. A :class:`Rule` is everything else that is to be known of an
identifier.

https://developers.pinterest.com/docs/api-features/conversion-overview/
"""

from __future__ import annotations

import datetime as dt
import html
import ipaddress
import re
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from socket import AF_INET, inet_pton
from typing import Any, Final, NamedTuple, TypeVar

from airflow_provider_pinterest.conversions import telephones, values
from airflow_provider_pinterest.conversions.cells import ordinary
from airflow_provider_pinterest.conversions.codes import (
    COUNTRIES,
    COUNTRY_NUMBERS,
    COUNTRY_WORDS,
    OWN_NAMES,
    US_POSTAL,
    US_STATES,
    letters,
    of_any_script,
    words,
)
from airflow_provider_pinterest.conversions.digests import SHORTEST_DIGEST, digest, digest_of_bytes, is_other_digest
from airflow_provider_pinterest.conversions.personal import LEFT_OUT, has_at
from airflow_provider_pinterest.conversions.placeholders import spellings
from airflow_provider_pinterest.conversions.reasons import (
    IDENTIFIER_WARNING,
    CellError,
    InvalidCellError,
    UnusableCellError,
)

Canonical = Callable[..., str]
"""NFC-normalised, trimmed text, and what it depends on → canonical text, empty where there is none."""

Plain = Callable[[str], bytes]
"""Trimmed text → UTF-8 of the canonical text, empty where the text needs a closer look."""

Hashes = list[str]
"""What Pinterest takes for one identifier: one or more SHA-256, each 64 lowercase hex digits."""

LONGEST: Final = 1_000
"""Longest identifier that is read, in characters: far beyond any that exists, and short enough to cost no time."""

MOST: Final = 1_000
"""Most identifiers that are read of one list."""

WITHOUT_COUNTRY: Final = "phone_without_country"
"""The warning of a telephone number that does not show its country code, in a row of no known country."""

_is_sha256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII).fullmatch

_NO_DIGITS: Final = bytes(set(range(256)) - set(b"0123456789"))
_GENDERS: Final = {
    word: letter
    for letter, words_ in {
        "f": """
            f female woman girl w feminine mrs ms miss
            weiblich frau femme féminin feminin femenino feminino femenina feminina mujer mulher donna femmina femminile
            vrouw vrouwelijk kvinna kvinde kvinne nainen kobieta žena kad\u0131n
            женский женщина ж γυναίκα أنثى נקבה 女 女性 여 여성 여자
        """,
        "m": """
            m male man boy masculine mr
            männlich maennlich herr mann homme masculin masculino masculina hombre homem uomo maschio maschile
            mannelijk mand mies mężczyzna muž erkek
            мужской мужчина муж άνδρας ذكر זכר 男 男性 남 남성 남자
        """,
        "n": "n nonbinary nb enby x d diverse divers",
    }.items()
    for word in words_.split()
}
"""Words of several languages; letters that mean different things in different languages are not among them."""

_qualified = re.compile(r"(?:gender|sex)\s*[.:=_-]\s*", re.IGNORECASE).match


Taken = tuple[Any, ...] | type
"""The values that a switch takes, or their type."""

Function = TypeVar("Function", Canonical, Plain)


class Dependency(NamedTuple):
    """Another field of the same row on which a canonical text depends.

    :param path: that field; it is read first.
    :param read: its JSON member, empty where the row lacks it → what the canonical text depends on.
    """

    path: str
    read: Callable[[bytes], Any]


class IdentifierSettings(NamedTuple):
    """What the author of a DAG sets for one identifier.

    :param switches: see :attr:`Rule.switches`.
    :param placeholders: words that stand for nothing, in lower case.
    """

    switches: Mapping[str, Any]
    placeholders: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How an identifier is read.

    :param canonical: makes the function that makes the text that goes out, or whose hash does.
    :param plain: makes a function that returns the same, as UTF-8, for the plainest texts, and nothing for all that
        need a closer look, such as placeholders, digests and JSON. Only for identifiers that seldom repeat.
    :param switches: switch of the ``identifiers`` parameter → values taken.
    :param depends_on: what ``canonical`` takes beside the text.
    :param warnings: further codes under which its cells may be counted → meaning.
    """

    canonical: Callable[[IdentifierSettings], Canonical]
    plain: Callable[[IdentifierSettings], Plain] | None = None
    switches: Mapping[str, Taken] = field(default_factory=dict)
    depends_on: Dependency | None = None
    warnings: Mapping[str, str] = field(default_factory=dict)


def always(function: Function) -> Callable[[IdentifierSettings], Function]:
    """Return a function to use whatever the settings."""
    return lambda _: function


class CanonicalWithWarning(Exception):  # noqa: N818 - never leaves this module
    """A canonical text that goes out with a warning.

    :param code: under which it is counted.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.code = code
        self.text = text


# E-mail

_is_plain_email = re.compile(r"[a-z0-9_+-][a-z0-9_.+-]{0,63}@[a-z0-9][a-z0-9.-]{0,99}\.[a-z]{1,20}", re.ASCII).fullmatch
_is_email = re.compile(
    r"[^\s@<>()\[\],;:\"\\.*]+(?:\.[^\s@<>()\[\],;:\"\\.*]+)*"
    r"@(?:(?!-)[^\s@!-,/:-@\[-^`{-~.]+(?<!-)\.)+(?!-|\d+$)[^\s@!-,/:-@\[-^`{-~.]+(?<!-)"
).fullmatch
_label = re.compile(r"(?:e-?mail|mail|smtp)(?:\s*[:=]\s*|\s+)(?=\S)", re.ASCII | re.IGNORECASE).match
_behind = re.compile(r"(@[^\s@]+\.[^\s@.]{2,})\s+[^@.]*$").search
_angled = re.compile(r"<([^<>]*)>")
_comment = re.compile(r"(?<=[^(])\([^()]*\)$")


def email(text: str) -> str:
    """Remove white space and what surrounds the address, and lowercase.

    Surroundings are a name, angle brackets, quotation marks, ``mailto:``, invisible characters, and punctuation. What
    is left must be an address with a dot in its domain.
    """
    if not (text.isascii() and text.isprintable()):
        text = unicodedata.normalize("NFKC", text)
        text = "".join(char for char in text if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf"))
    angled = _angled.findall(text)
    if len(angled) == 1:
        text = angled[0]
    label = _label(text)
    if label:
        text = text[label.end() :]
    behind = _behind(text)
    if behind:
        text = text[: behind.end(1)]
    if len(text.partition("@")[0].split()) > 2:
        return ""
    address = "".join(text.split()).lower().replace("\u3002", ".")
    address = _comment.sub("", address)
    for _ in range(3):
        if address[:1] + address[-1:] == "{}":
            address = address[1:-1]
        address = address.lstrip("\"'`<([,;:\u201c\u2018\u00ab").rstrip("\"'`>)],;:.\u201d\u2019\u00bb")
        if address.startswith("mailto:"):
            address = address.removeprefix("mailto:").removeprefix("//").partition("?")[0]
    return address if _is_email(address) else ""


def plain_email(text: str) -> bytes:
    """Lowercase an address that needs nothing else; others have no plain form."""
    address = text.lower()
    if (
        _is_plain_email(address)
        and ".." not in address
        and ".@" not in address
        and "-." not in address
        and ".-" not in address
    ):
        return address.encode()
    return b""


# Telephone


def phone(settings: IdentifierSettings) -> Canonical:
    """Make a canonicaliser to digits with the country code.

    It takes the row's country. Numbers without a country code are of that, or of the one in the switch ``country``.

    :raises ValueError: no country of the switch's code has a numbering plan.
    """
    usual: str | None = settings.switches.get("country")
    if usual and not telephones.is_region(usual):
        raise ValueError(repr(usual))
    others = (usual.upper(),) if usual else ()

    def canonical(text: str, home: str | None) -> str:
        own = (home.upper(),) if home else ()
        number = telephones.read(text, own + others if own != others else own)
        if number.digits and not number.certain:
            raise CanonicalWithWarning(WITHOUT_COUNTRY, number.digits)
        return number.digits

    return canonical


def _digits(text: str) -> str:
    return text.encode().translate(None, _NO_DIGITS).decode()


# Person


def gender(text: str) -> str:
    """Map words and letters to ``f``, ``m`` or ``n``."""
    qualified = _qualified(text)
    word = text[qualified.end() :] if qualified else text
    word = word.lower().strip("\"'.,;:()[] ")
    return _GENDERS.get(word) or _GENDERS.get(re.sub(r"[\s_-]", "", word), "")


def birth_date(settings: IdentifierSettings) -> Canonical:
    """Make a canonicaliser to ``YYYYMMDD``.

    Read are ``YYYY-MM-DD`` with any of ``- / . `` or nothing between, ``DD.MM.YYYY``, ``/`` or ``-`` between day and
    month in whatever order is certain, English names of months, and each of these with a time of day behind it.

    The switch ``order``, ``"MDY"`` or ``"DMY"``, settles dates such as 03/04/1990, which are left out otherwise.
    """
    order: str | None = settings.switches.get("order")

    def canonical(text: str) -> str:
        found = birth_dates(text)
        if len(found) < 2:
            return "".join(found)
        month_first, day_first = found
        if order is None:
            return day_first if "." in text else ""
        return month_first if order == "MDY" else day_first

    return canonical


_TIME_OF_DAY: Final = r"(?:(?:[T ]|, )\d{1,2}:.*)?"
_year_first = re.compile(r"(\d{4})([-/.]?)(\d{1,2})\2(\d{1,2})(?:[T ].*|\.0+)?", re.ASCII).fullmatch
_year_last = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})" + _TIME_OF_DAY, re.ASCII).fullmatch
_named_month = re.compile(
    r"(?:(\d{1,2})(?:st|nd|rd|th)?[-\s./]*)?([a-z]{3,9})[-\s./]*(?:(\d{1,2})(?:st|nd|rd|th)?[,\s]\s*)?(\d{4})"
    + _TIME_OF_DAY,
    re.ASCII | re.IGNORECASE,
).fullmatch
_ideographs: Final = str.maketrans(
    {"\u5e74": "-", "\u6708": "-", "\u65e5": None, "\ub144": "-", "\uc6d4": "-", "\uc77c": None}
)
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november"),
    "december",
)
FIRST_BIRTH: Final = dt.date(1900, 1, 2)
"""Earlier dates are no birth dates of customers; the day before is what some databases write for an empty date."""

LAST_BIRTH: Final = dt.date(2100, 1, 1)
"""Later dates stand for "never"."""


def birth_dates(text: str) -> tuple[str, ...]:
    """Return what dates a text may be, as ``YYYYMMDD``: none, one, or two, of which the first has the month first."""
    if not text.isascii():
        text = "".join(text.translate(_ideographs).split())
    found = _year_first(text)
    if found:
        return _dates((int(found[1]), int(found[3]), int(found[4])))
    found = _year_last(text)
    if found:
        one, two, year = int(found[1]), int(found[3]), int(found[4])
        return _dates((year, one, two), (year, two, one))
    found = _named_month(text)
    if found and bool(found[1]) != bool(found[3]):
        name_ = found[2].lower()
        months = [at for at, full in enumerate(_MONTHS, 1) if name_ in (full, full[:3], full[:4])]
        return _dates(*((int(found[4]), month, int(found[1] or found[3])) for month in months))
    return ()


def _dates(*parts: tuple[int, int, int]) -> tuple[str, ...]:
    """Return those of some years, months and days that exist, as ``YYYYMMDD``, each once."""
    found: dict[str, None] = {}
    for part in parts:
        with suppress(ValueError):
            date = dt.date(*part)
            if FIRST_BIRTH <= date < LAST_BIRTH:
                found[date.strftime("%Y%m%d")] = None
    return (*found,)


_JOINERS: Final = "\u200c\u200d"
"""Invisible characters that belong to the spelling of words in some scripts."""


def name(text: str) -> str:
    """Collapse white space to one space each and lowercase.

    A text without a letter, an e-mail address and a digest of another kind are no names.
    """
    text = _written_out(text)
    if not text.isprintable():
        text = "".join(
            char
            for char in text
            if char.isspace() or char in _JOINERS or unicodedata.category(char) not in ("Cc", "Cf")
        )
    if is_other_digest(text) or "@" in text or not any(map(str.isalpha, text)):
        return ""
    return " ".join(text.split()).lower()


def _written_out(text: str) -> str:
    """Return text with the characters that HTML entities stand for: shops store what their forms escaped."""
    return html.unescape(text) if "&" in text and ";" in text else text


_NOBODY: Final = frozenset({"-1", "true", "false"})
"""Texts in place of an id, beside zeros: shops give them to guests, who would all be one person."""


def external_id(settings: IdentifierSettings) -> Canonical:
    """Make a canonicaliser of the advertiser's own ids; their case is kept unless the switch ``case`` is ``lower``."""
    lower = settings.switches.get("case") == "lower"

    def canonical(text: str) -> str:
        if not any(map(str.isalnum, text)) or text.lower() in _NOBODY or not text.strip("0-"):
            return ""
        return text.lower() if lower else text

    return canonical


def plain_external_id(settings: IdentifierSettings) -> Plain:
    """Make the same for ids of printable characters that begin and end with a letter or a digit."""
    lower = settings.switches.get("case") == "lower"
    placeholders = settings.placeholders
    nothing = placeholders | _NOBODY | {"null"}

    def plain(text: str) -> bytes:
        if len(text) >= SHORTEST_DIGEST or not (text[0].isalnum() and text[-1].isalnum() and text.isprintable()):
            return b""
        lowered = text.lower()
        if lowered in nothing or not text.isascii() or (text[0] == "0" and not text.strip("0-")):
            return b""
        return (lowered if lower else text).encode()

    def plainest(text: str) -> bytes:
        if (
            text.isalnum()
            and not text.isalpha()
            and len(text) < SHORTEST_DIGEST
            and text.isascii()
            and (text[0] != "0" or text.strip("0"))
        ):
            return text.encode()
        return plain(text)

    return plain if lower or any(map(str.isdigit, "".join(placeholders))) else plainest


# Places

_initials = re.compile(r"(?:[^\W\d_]\.\s*)+[^\W\d_]?\.?").fullmatch
_prefixed = re.compile(r"([A-Za-z]{2,3})\s*[-_:\u2010-\u2014]\s*(\S.*)", re.ASCII).fullmatch
_us_before = re.compile(
    r"(?:U\.?S\.?(?:A\.?)?|United States(?: of America)?)\s*[-_/:.,\s\u2010-\u2014]\s*", re.IGNORECASE
).match
_us_behind = re.compile(r"\s*[-_/:,\s(]\s*(?:U\.?S\.?(?:A\.?)?|United States(?: of America)?)\s*\)?$", re.IGNORECASE)
_state_of = re.compile(r"(?:the )?(?:state|commonwealth) of ", re.IGNORECASE).match
_state_behind = re.compile(r"\s+state$", re.IGNORECASE)
_between_names = re.compile(r"\s+-\s+|[(),/|:]|\s[\u2010-\u2014]\s")


def city(text: str) -> str:
    """Keep letters (with their marks) and digits of any script, lowercase."""
    text = _written_out(text)
    if is_other_digest(text) or "@" in text or not any(map(str.isalpha, text)):
        return ""
    text = text.lower()
    if text.isalpha():
        return text
    return "".join(char for char in text if char.isalnum() or unicodedata.category(char)[0] == "M")


def state(text: str, home: str | None) -> str:
    """Return the two-letter code of US states; of others the code without the country's prefix, or the whole name.

    A text that is no state of the US has no canonical form in a row of the US. In a row without a country, names and
    codes of US states are those.

    :param home: the row's country, see :func:`home`.
    """
    if home in {None, "us"}:
        known = us_state(text)
        if known or home:
            return known
    prefixed = _prefixed(text)
    if prefixed:
        country = COUNTRIES.get(prefixed[1].lower())
        is_code = len(prefixed[2]) <= 3 and prefixed[2].isalnum()
        if country and country == home:
            text = prefixed[2]
        elif country and is_code:
            if home is not None or country == "us":
                return ""
            text = prefixed[2]
    if is_other_digest(text) or not any(map(str.isalnum, text)):
        return ""
    text = " ".join(text.split()).lower()
    return re.sub(r"[.\s]", "", text) if _initials(text) else text


def us_state(text: str) -> str:
    """Return the code of a US state by its code or name, with or without the country; otherwise nothing."""
    if any(map(str.isdigit, text)):
        return ""
    known = US_STATES.get(letters(text))
    if known:
        return known
    before = _us_before(text)
    if before:
        text = text[before.end() :]
    text = _state_behind.sub("", _us_behind.sub("", text))
    of = _state_of(text)
    if of:
        text = text[of.end() :]
    known = US_STATES.get(letters(text))
    if known:
        return known
    parts = {US_STATES.get(letters(part), "") for part in _between_names.split(text) if part.strip()}
    return parts.pop() if len(parts) == 1 else ""


_whole = re.compile(r"(\d+)\.0+", re.ASCII).fullmatch
_us_code = re.compile(
    r"(?:USA?[-\s]+)?(?:(\d{3,5})(?:\s*[-\s]\s*\d{0,4})?|(\d{7,9}))", re.ASCII | re.IGNORECASE
).fullmatch
_us_around = re.compile(r"(?:([A-Z]{2})[\s.,]+)?(\d[\d\s-]*?)(?:[\s,]+([A-Z]{2}))?", re.ASCII | re.IGNORECASE).fullmatch
_looks_american = re.compile(r"\d{5}(?:-?\d{4})?", re.ASCII).fullmatch
_LENGTHS: Final = {
    **dict.fromkeys(("am", "au", "dk", "ge", "no", "nz", "za"), 4),
    **dict.fromkeys(
        ("ba", "de", "do", "dz", "ee", "es", "fi", "fr", "gt", "it", "kr", "la", "lk", "lt", "mx", "my"), 5
    ),
    **dict.fromkeys(("pe", "pl", "sk", "tr", "ua", "va"), 5),
    **dict.fromkeys(("cn", "co", "ec", "kz", "ro", "sg"), 6),
    "jp": 7,
    "br": 8,
}
"""Countries whose postal codes may begin with zero → digits; a column of numbers loses that zero."""

_ONLY_DIGITS: Final = _LENGTHS.keys() | {
    *("at", "be", "ch", "cz", "gr", "hr", "hu", "id", "il", "in", "li", "lu", "ph", "pt", "rs", "ru", "se", "si", "th"),
    *("vn",),
}
"""Countries whose postal codes have no letters."""

_ON_PLATES: Final = {
    "at": "a",
    "be": "b",
    "de": "d",
    "es": "e",
    "fr": "f",
    "hu": "h",
    "it": "i",
    "lu": "l",
    "no": "n",
    "pt": "p",
    "se": "s",
    "fi": "fin",
    "si": "slo",
    "li": "fl",
}
"""Letters of a country on cars, which were written before its postal codes."""

_LONGEST_POSTAL: Final = 10
"""Most letters and digits of a postal code."""

_plate = re.compile(r"([A-Za-z]{1,3})[-\s\u2010-\u2014]+(?=\d)").match


def postal_code(settings: IdentifierSettings) -> Canonical:
    """Make a canonicaliser of postal codes.

    Of US codes it keeps the five digits; zeros that a column of numbers lost are put back. Elsewhere it keeps letters
    and digits in lower case, or only digits, as Pinterest's text has it, if the switch ``letters`` is ``drop``. A text
    without a digit, of zeros alone, or too long for a code is none.
    """
    drop = settings.switches.get("letters") == "drop"

    def canonical(text: str, home: str | None) -> str:
        if text.isascii() and text.isdigit():
            if home in US_POSTAL or (home is None and _looks_american(text)):
                return _us_postal_code(text)
            if len(text) >= 3:
                text = text.zfill(_LENGTHS.get(home or "", 0))
            return text if text.strip("0") and len(text) <= _LONGEST_POSTAL else ""
        text = unicodedata.normalize("NFKC", text).strip("'\"=()\u3012. ").removeprefix("z:")
        if "@" in text or "+" in text:
            return ""
        whole = _whole(text)
        if whole:
            text = whole[1]
        if home in US_POSTAL or (home is None and _looks_american(text)):
            return _us_postal_code(text)
        prefixed = _prefixed(text)
        if prefixed and home and COUNTRIES.get(prefixed[1].lower()) == home:
            text = prefixed[2]
        plate = _plate(text)
        if plate and home and plate[1].lower() in (_ON_PLATES.get(home), home):
            text = text[plate.end() :]
        if text.isdecimal() and len(text) >= 3:
            text = text.zfill(_LENGTHS.get(home or "", 0))
        code = "".join(char for char in text.lower() if char.isalnum())
        digits = "".join(str(unicodedata.digit(char)) if char.isdecimal() else "" for char in code)
        if not digits.strip("0") or len(code) > _LONGEST_POSTAL or (home in _ONLY_DIGITS and len(digits) < len(code)):
            return ""
        return digits if drop else code

    return canonical


def _us_postal_code(text: str) -> str:
    """Return the five digits of a US code; nothing if there are none."""
    around = None if text.isdigit() else _us_around(text)
    if (
        around
        and {around[1], around[3]} != {None}
        and all(letters(state) in US_STATES for state in (around[1], around[3]) if state)
    ):
        text = around[2]
    found = _us_code("".join("-" if unicodedata.category(char) == "Pd" else char for char in text))
    if found is None:
        return ""
    code = found[1].zfill(5) if found[1] else found[2].zfill(9)[:5]
    return code if code.strip("0") else ""


_FLAG: Final = ord("\U0001f1e6") - ord("A")
"""A flag is written as two symbols that stand for the letters of the country's code."""

_CAPITALS: Final = range(ord("A"), ord("Z") + 1)


def country(text: str) -> str:
    """Map codes of two and three letters, numeric codes, and names to the lowercase alpha-2 code."""
    whole = _whole(text)
    number = whole[1] if whole else text
    if not text.isascii():
        text = "".join(chr(ord(char) - _FLAG) if ord(char) - _FLAG in _CAPITALS else char for char in text)
    if number.isdecimal() and number.isascii():
        return COUNTRY_NUMBERS.get(number.zfill(3), "")
    known = _country_named(text)
    if known:
        return known
    parts = [_country_named(part) for part in _between_names.split(text) if part.strip()]
    if len({*parts}) == 1:
        return parts[0]
    in_brackets = re.search(r"\(\s*([A-Za-z]{2})\s*\)", text)
    return COUNTRIES.get(in_brackets[1].lower(), "") if in_brackets and not parts[0] else ""


def _country_named(text: str) -> str:
    key = letters(text)
    return (
        COUNTRIES.get(key)
        or COUNTRY_WORDS.get(words(text))
        or OWN_NAMES.get(key)
        or OWN_NAMES.get(of_any_script(text), "")
    )


# Device

_is_uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII).fullmatch
_is_bare_uuid = re.compile(r"[0-9a-f]{12}[1-8][0-9a-f]{3}[89ab][0-9a-f]{15}", re.ASCII).fullmatch


def advertising_id(text: str) -> str:
    """Lowercase a UUID; other text is no such id, nor is one digit over and over, as of people who limit tracking.

    Dashes that are missing are put back, unless the text may be a digest.
    """
    found = text.lower().strip("{}").removeprefix("urn:uuid:")
    if _is_bare_uuid(found):
        found = "-".join((found[:8], found[8:12], found[12:16], found[16:20], found[20:]))
    return found if _is_uuid(found) and not _is_void(found) else ""


def plain_advertising_id(text: str) -> bytes:
    """Lowercase a UUID with its dashes; other text has no plain form."""
    found = text.lower()
    return found.encode() if _is_uuid(found) and not _is_void(found) else b""


def _is_void(uuid: str) -> bool:
    """Return whether a UUID consists of one digit, most often zero: devices give it when tracking is limited."""
    return uuid[0] == uuid[-1] and len({*uuid}) == 2


def sha(canonical: str) -> str:
    """Return the SHA-256 hex of the UTF-8 of ``canonical``."""
    return sha256(canonical.encode()).hexdigest()


def _forms(code: str) -> tuple[bytes, bytes]:
    """Return the hashes of a code in lower and in upper case, as they stand in JSON."""
    return sha(code).encode(), sha(code.upper()).encode()


_CODES: Final = {form: code for code in {*COUNTRIES.values()} for form in _forms(code)}
"""Hash of a country's code, in lower or upper case → the code."""

_in_json = re.compile(rb"[0-9a-f]{64}").findall


def home(member: bytes) -> str | None:
    """Return the country of a row by the JSON member with its hash: its lowercase alpha-2 code.

    ``None`` if the row has none, an empty text if the country is not known by its hash. Of several countries it is the
    US, if it is among them, otherwise the first.
    """
    if not member:
        return None
    found = _homes.get(member)
    if found is None:
        codes = [_CODES[form] for form in _in_json(member) if form in _CODES]
        found = "us" if "us" in codes else codes[0] if codes else ""
    return found


_homes: Final = {b',"country":["%b"]' % form: code for form, code in _CODES.items()}

_STATES: Final = {
    form: code
    for name_, code in US_STATES.items()
    for form in (_forms(name_) if len(name_) == 2 else (sha(name_).encode(),))
}


def in_both_cases(hashes: Hashes) -> Hashes:
    """Return the hashes of codes of countries and US states in lower and in upper case; other hashes as they are."""
    found: dict[str, None] = {}
    for one in hashes:
        code = _CODES.get(one.encode()) or _STATES.get(one.encode())
        found |= dict.fromkeys((sha(code), sha(code.upper())) if code else (one,))
    return [*found]


def has_us_state(member: bytes) -> bool:
    """Return whether one of the hashes in a JSON member is that of a US state."""
    return any(form in _STATES for form in _in_json(member))


IN_COUNTRY: Final = Dependency("user_data.country", home)
"""The dependence on the row's country."""


class Identifier:
    """The reader of an identifier that goes out hashed.

    :param name: leaf name such as ``em``, for the warning's code.
    :param rule: how it is read.
    :param settings: what the author sets for it.
    """

    def __init__(self, name: str, rule: Rule, settings: IdentifierSettings) -> None:
        self.already: bool | None = settings.switches.get("already_hashed")
        self.plain = rule.plain(settings) if rule.plain and not self.already else None
        self.canonical = rule.canonical(settings)
        self._beside = rule.depends_on and rule.depends_on.read
        self._placeholders = settings.placeholders
        self._longest_placeholder = max(map(len, settings.placeholders), default=0)
        self._code = f"{IDENTIFIER_WARNING}{name}"

    def __call__(self, cell: Any, beside: bytes = b"") -> Hashes | None:
        """Return the hashes of a cell, ``None`` where it holds nothing.

        :param beside: the JSON member of the field on which it depends.
        :raises UnusableCellError: it, or something in its list, has no canonical form, or one that is worth a warning.
        """
        if type(cell) is not str:
            single = _only_text(cell)
            if single is None:
                return self._several(cell, beside)
            cell = single
        text = cell.strip()
        if not text or (len(text) <= self._longest_placeholder and text.lower() in self._placeholders):
            return None
        if text[0] == "[" and text[-1] == "]":
            return self._several(text, beside)
        if len(text) > LONGEST or (text[0] == "{" and text[-1] == "}" and '"' in text):
            raise UnusableCellError(self._code)
        if text[0] == '"' or text == "null" or not (text.isascii() and text.isprintable()):
            seen = values.unquoted(text.strip(values.INVISIBLE))
            if seen != text:
                return None if seen is None else self(seen, beside)
        if self.already is not False:
            found = digest(text) if len(text) >= SHORTEST_DIGEST else None
            if found:
                return [found]
            if self.already:
                raise UnusableCellError(self._code)
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        try:
            plain = self.canonical(text, self._beside(beside)) if self._beside else self.canonical(text)
            if plain:
                return [sha(plain)]
        except UnicodeEncodeError:
            pass
        except CanonicalWithWarning as doubtful:
            raise UnusableCellError(doubtful.code, [sha(doubtful.text)]) from None
        raise UnusableCellError(self._code)

    def _several(self, cell: Any, beside: bytes) -> Hashes | None:
        """Hash what is no text or a list of texts; what is usable in a list survives what is not."""
        kept: dict[str, None] = {}
        code = None
        try:
            items = (cell,) if type(cell) is bytes else values.items(cell)
        except InvalidCellError:
            raise UnusableCellError(self._code) from None
        if self.already is not False:
            found = digest_of_bytes(items)
            if found:
                return [found]
        if len(items) > MOST:
            code = self._code
        for item in items[:MOST]:
            try:
                kept |= dict.fromkeys(self._one(item, beside) or ())
            except UnusableCellError as unusable:
                kept |= dict.fromkeys(unusable.kept or ())
                code = unusable.code if code is None or not unusable.kept else code
            except CellError:
                code = self._code
        if code:
            raise UnusableCellError(code, list(kept) or None)
        return list(kept) or None

    def _one(self, item: Any, beside: bytes) -> Hashes | None:
        """Hash an element of a list."""
        plain = item if type(item) is str else ordinary(item)
        if type(plain) is bytes:
            found = None if self.already is False else digest_of_bytes(plain)
            if found is None:
                raise UnusableCellError(self._code)
            return [found]
        if plain is None:
            return None
        text = plain.isoformat()[:10] if isinstance(plain, dt.date) else values.text(plain)
        return self(text, beside) if text else None


def _only_text(cell: Any) -> str | None:
    """Return the text in a list of one text, as ready events have it."""
    return cell[0] if type(cell) is list and len(cell) == 1 and type(cell[0]) is str else None


# Not hashed


def unhashed(text: str) -> str:
    """Return text that goes out as it is; an ``@`` in it would be somebody's address.

    :raises UnusableCellError: it holds an ``@``.
    """
    if has_at(text):
        raise UnusableCellError(LEFT_OUT)
    return text


class Unhashed:
    """The reader of an identifier or id that goes out as it is.

    :param name: leaf name such as ``click_id``, for the warning's code.
    :param rule: how it is read.
    :param settings: what the author sets for it.
    """

    def __init__(self, name: str, rule: Rule, settings: IdentifierSettings) -> None:
        self._canonical = rule.canonical(settings)
        self._placeholders = spellings(settings.placeholders)
        self._code = f"{IDENTIFIER_WARNING}{name}"

    def read(self, cell: Any) -> str | None:
        """Return the text of a cell, ``None`` where it holds nothing.

        :raises UnusableCellError: it cannot go out.
        :raises InvalidCellError: it is not text.
        """
        found = values.text(cell)
        if found is None or found in self._placeholders:
            return None
        sent = self._canonical(found)
        if not sent:
            raise UnusableCellError(self._code)
        return sent


# Addresses of computers

_LOCAL_4: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.168.0.0/16", "224.0.0.0/3"),
        ),
    )
)
_LOCAL_6: Final = tuple(map(ipaddress.IPv6Network, ("::/127", "fc00::/7", "fe80::/9", "ff00::/8")))
"""Networks whose addresses say nothing about a person: private, local, shared by many, or void."""

_LOCAL_FIRST: Final = frozenset({0, 10, 100, 127, 169, 172, 192, *range(224, 256)})
"""First bytes of addresses in the former."""

_between_addresses = re.compile(r"[ \t,;|]+")
_forwarded = re.compile(r"(for|by|host|proto)\s*=\s*", re.IGNORECASE).match


def public_address(text: str) -> str:
    """Return the first public address of a list, without port, brackets, zone and mask."""
    for part in _between_addresses.split(text):
        found = _address(part)
        if found is not None:
            return found
    return ""


class Address(Unhashed):
    """The reader of an IPv4 or IPv6 address."""

    def read(self, cell: Any) -> str | None:
        """Return the address in a cell, ``None`` where it holds nothing.

        :raises UnusableCellError: there is none by which anybody could be found.
        """
        text = cell.strip() if type(cell) is str else self._joined(cell)
        try:
            if inet_pton(AF_INET, text)[0] not in _LOCAL_FIRST:
                return text
        except (OSError, ValueError):
            pass
        if len(text) > LONGEST:
            raise UnusableCellError(self._code)
        text = text.strip(values.INVISIBLE)
        if text[:1] == "[" and text[-1:] == "]":
            with suppress(InvalidCellError):
                text = self._joined(values.items(text))
        return super().read(text)

    def _joined(self, cell: Any) -> str:
        """Return the texts of a list as one text."""
        if not isinstance(cell, (list, tuple)):
            raise UnusableCellError(self._code)
        items = [item if type(item) is str else ordinary(item) for item in cell[:MOST]]
        return ",".join(item for item in items if type(item) is str)


def _is_network(text: str) -> bool:
    """Return whether an address with a mask stands for a whole network."""
    try:
        return ipaddress.ip_network(text).num_addresses > 1
    except ValueError:
        return False


def _address(text: str) -> str | None:
    """Return the public address in one element of a list; ``None`` if it is no such address."""
    forwarded = _forwarded(text)
    if forwarded:
        if forwarded[1].lower() != "for":
            return None
        text = text[forwarded.end() :]
    text, slash, mask = text.strip("\"'").partition("/")
    if slash and _is_network(f"{text}/{mask}"):
        return None
    text = text.partition("%")[0]
    if text.startswith("["):
        text = text[1:].partition("]")[0].strip("\"'")
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not port.isdecimal():
            return None
    try:
        inet_pton(AF_INET, text)
        four = ipaddress.IPv4Address(text)
    except (OSError, ValueError):
        try:
            six = ipaddress.IPv6Address(text)
        except ValueError:
            return None
        if six.ipv4_mapped is None:
            return None if any(six in network for network in _LOCAL_6) else str(six)
        four = six.ipv4_mapped
    return None if any(four in network for network in _LOCAL_4) else str(four)
