"""Canonical forms of states, postal codes and countries."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from airflow_provider_pinterest.conversions.codes.lists import (
    countries,
    countries_by_number,
    countries_by_own_name,
    countries_by_words,
    other_countries,
    us_states,
)
from airflow_provider_pinterest.conversions.codes.spelling import letters, of_any_script, words
from airflow_provider_pinterest.conversions.digests import is_other_digest
from airflow_provider_pinterest.conversions.identifier_rules import Canonical, IdentifierSettings

US_POSTAL: Final = frozenset({"us", "as", "fm", "gu", "mh", "mp", "pr", "pw", "vi"})
"""Countries and territories that the US Postal Service delivers to, as lowercase alpha-2 codes."""

_initials = re.compile(r"(?:[^\W\d_]\.\s*)+[^\W\d_]?\.?").fullmatch

_prefixed = re.compile(r"([A-Za-z]{2,3})\s*[-_:\u2010-\u2014]\s*(\S.*)", re.ASCII).fullmatch

_us_before = re.compile(
    r"(?:U\.?S\.?(?:A\.?)?|United States(?: of America)?)\s*[-_/:.,\s\u2010-\u2014]\s*", re.IGNORECASE
).match

_us_behind = re.compile(r"\s*[-_/:,\s(]\s*(?:U\.?S\.?(?:A\.?)?|United States(?: of America)?)\s*\)?$", re.IGNORECASE)

_state_of = re.compile(r"(?:the )?(?:state|commonwealth) of ", re.IGNORECASE).match

_state_behind = re.compile(r"\s+state$", re.IGNORECASE)

_between_names = re.compile(r"\s+-\s+|[(),/|:]|\s[\u2010-\u2014]\s")


def state(text: str, home: str | None) -> str:
    """Return the two-letter code of a US state, or of another state the code without the country, or the whole name.

    In a row of the US, other texts than US states have no canonical form. In a row without a country, names and codes
    of US states count as US states.

    :param home: the country of the row as a lowercase alpha-2 code; ``None``: the row has none.
    """
    if home in {None, "us"}:
        known = us_state(text)
        if known or home:
            return known
    prefixed = _prefixed(text)
    if prefixed:
        country = countries().get(prefixed[1].lower())
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
    """Return the code of a US state by its code or name, with or without the country; empty for other text."""
    if any(map(str.isdigit, text)):
        return ""
    known = us_states().get(letters(text))
    if known:
        return known
    before = _us_before(text)
    if before:
        text = text[before.end() :]
    text = _state_behind.sub("", _us_behind.sub("", text))
    of = _state_of(text)
    if of:
        text = text[of.end() :]
    known = us_states().get(letters(text))
    if known:
        return known
    parts = {us_states().get(letters(part), "") for part in _between_names.split(text) if part.strip()}
    return parts.pop() if len(parts) == 1 else ""


whole_number = re.compile(r"(\d+)\.0+", re.ASCII).fullmatch

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
"""Country whose postal codes may begin with zero → number of digits; a column of numbers loses that zero."""

_ONLY_DIGITS: Final = _LENGTHS.keys() | {
    *(
        "at",
        "be",
        "xk",
        "ch",
        "cz",
        "gr",
        "hr",
        "hu",
        "id",
        "il",
        "in",
        "li",
        "lu",
        "ph",
        "pt",
        "rs",
        "ru",
        "se",
        "si",
        "th",
    ),
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
"""Country → its letters on cars, which people write in front of postal codes."""

_LONGEST_POSTAL: Final = 10
"""Most letters and digits of a postal code."""

_plate = re.compile(r"([A-Za-z]{1,3})[-\s\u2010-\u2014]+(?=\d)").match


def postal_code(settings: IdentifierSettings) -> Canonical:
    """Return a function that converts postal codes.

    It keeps the five digits of US codes and restores zeros that a column of numbers lost. Elsewhere it keeps letters
    and digits in lower case, or only digits, as in the text of Pinterest, if the switch ``letters`` is ``drop``. A
    text without a digit, of zeros only, or too long for a code is not usable.
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
        whole = whole_number(text)
        if whole:
            text = whole[1]
        if home in US_POSTAL or (home is None and _looks_american(text)):
            return _us_postal_code(text)
        prefixed = _prefixed(text)
        if prefixed and home and countries().get(prefixed[1].lower()) == home:
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
    """Return the five digits of a US code; empty for other text."""
    around = None if text.isdigit() else _us_around(text)
    if (
        around
        and {around[1], around[3]} != {None}
        and all(letters(state) in us_states() for state in (around[1], around[3]) if state)
    ):
        text = around[2]
    found = _us_code("".join("-" if unicodedata.category(char) == "Pd" else char for char in text))
    if found is None:
        return ""
    code = found[1].zfill(5) if found[1] else found[2].zfill(9)[:5]
    return code if code.strip("0") else ""


_FLAG: Final = ord("\U0001f1e6") - ord("A")
"""Distance between a letter and its symbol in a flag: a flag is encoded as the two letters of the country code."""

_CAPITALS: Final = range(ord("A"), ord("Z") + 1)


def country(text: str) -> str:
    """Map codes of two and three letters, numeric codes, and names to the lowercase alpha-2 code."""
    whole = whole_number(text)
    number = whole[1] if whole else text
    if not text.isascii():
        text = "".join(chr(ord(char) - _FLAG) if ord(char) - _FLAG in _CAPITALS else char for char in text)
    if number.isdecimal() and number.isascii():
        return countries_by_number().get(number.zfill(3), "")
    known = named_country(text)
    if known:
        return known
    parts = [named_country(part) for part in _between_names.split(text) if part.strip()]
    if len({*parts}) == 1:
        return parts[0]
    in_brackets = re.search(r"\(\s*([A-Za-z]{2})\s*\)", text)
    return countries().get(in_brackets[1].lower(), "") if in_brackets and not parts[0] else ""


def named_country(text: str) -> str:
    """Return the alpha-2 code of a country by one of its names or codes of letters; empty for other text."""
    key = letters(text)
    return (
        countries().get(key)
        or other_countries().get(key)
        or countries_by_words().get(words(text))
        or countries_by_own_name().get(key)
        or countries_by_own_name().get(of_any_script(text), "")
    )
