"""Convert telephone numbers, as people and systems write them, to the digits of E.164 with the country code.

A number keeps its meaning, or it is not usable. Numbers with a country code need no numbering plan unless a trunk zero
follows the code, as in ``+49 (0)30``. Others are parsed with a numbering plan, see :mod:`~.numbering_plans`.

https://www.itu.int/rec/T-REC-E.164/
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Sequence
from enum import Enum, auto
from functools import lru_cache
from socket import AF_INET, inet_pton
from typing import Final, NamedTuple

from airflow_provider_pinterest.conversions.numbering_plans import (
    NumberingPlan,
    library,
    metadata_of,
    parsed_number,
    plan_of_number,
    plan_of_region,
    supported_regions,
)

SHORTEST: Final = 7
"""Fewest digits of a number with its country code."""

SHORTEST_NATIONAL: Final = 4
"""Fewest digits of a number without it."""

LONGEST: Final = 15
"""Most digits of a number with its country code."""

LONGEST_TEXT: Final = 100
"""Longest text that is parsed, in characters: time grows with its square."""

REMEMBERED: Final = 8_192
"""Most numbers that are cached, because parsing a number with a numbering plan is slow."""

_SELF_EVIDENT: Final = 12
"""A number of this many digits that does not begin with zero has a country code. National numbers are shorter."""

_BEYOND_CODE: Final = {
    **{f"7{digit}".encode(): 0 for digit in "012345679"},
    **dict.fromkeys((str(code).encode() for code in (20, 27, *range(30, 35), 36, 39, 40, 41, *range(43, 50))), 2),
    **dict.fromkeys((str(code).encode() for code in (51, 53, *range(55, 59), *range(60, 67))), 2),
    **dict.fromkeys((str(code).encode() for code in (81, 82, 84, 86, *range(90, 96), 98)), 2),
    **dict.fromkeys((str(code).encode() for code in (*range(21, 27), 29, 35, 38, 42, 50, 59, 67, 68)), 3),
    **dict.fromkeys((str(code).encode() for code in (80, 85, 87, 88, 96, 97)), 3),
}
"""First two digits → which digit must not be zero, because the number could then begin with a trunk prefix.

Country codes whose trunk prefix may begin with another digit are left out.
"""

_AMERICAN: Final = 11
"""Digits of a number with the country code 1."""

_VOID: Final = 8
"""Number of equal digits at the end that marks a fake number."""

_mexican = re.compile(rb"52(?:1|01|04[45])?([2-9]\d{9})", re.ASCII).fullmatch

_mexican_at_home = re.compile(r"(?:52)?(?:1|01|04[45])([2-9]\d{9})", re.ASCII).fullmatch
"""Numbers of Mexico with the prefixes that were dialled there until 2019, and that are still stored with them."""

_ZERO, _ONE = b"01"

_LOST: Final = "00000"
"""The end of a number whose last digits were lost when a spreadsheet wrote it with an exponent."""

_LONGEST_NATIONAL: Final = 10

_FIRST: Final = frozenset("+(0123456789")

_LONGER_THAN_DATE: Final = 9
"""Fewest digits of a text that cannot be a date without a time."""

_BETWEEN: Final = b" ()-"

_LIKE_DASHES: Final = "\u2212\u30fc\u2500"
"""A minus sign, the long vowel sign of Japanese keyboards, and a line: people write them instead of a dash."""

_scheme = re.compile(r"p:|(?:tel|phone|mobile|cell|sms|callto|whatsapp)\b[.:\s]*", re.ASCII | re.IGNORECASE).match

_parameter = re.compile(r";\s*[\w-]+=.*", re.ASCII | re.DOTALL)

_extension = re.compile(
    r"[\s,;(-]*(?:(?:ext(?:ension|n)?|durchwahl|poste|anexo|ramal|interno)\b[\s.:#=]*\d{0,7}|(?:ext\.?|x|#)[\s.:]*\d{1,7}"
    r"|,+\s*\d{1,6}#?|(?<=\d)\s?/\s?\d{1,3})\)?",
    re.ASCII | re.IGNORECASE,
)

_whole = re.compile(r"(\+?\d{7,})\.0+", re.ASCII).fullmatch

_is_fraction = re.compile(r"\+?\d{5,}\.\d+", re.ASCII).fullmatch

_is_shape = re.compile(r"\(?\+?\(?\d[\d().\s/-]*", re.ASCII).fullmatch

_is_year_first = re.compile(r"(\d{4})([-/.\s])(\d{1,2})\2(\d{1,2})", re.ASCII).fullmatch

_is_year_last = re.compile(r"(\d{1,2})([-/.\s])(\d{1,2})\2(\d{4})", re.ASCII).fullmatch

_several = re.compile(r"\d{7}\D*/\D*\d{7}", re.ASCII).search

_separators = re.compile(r"[().\s/-]+", re.ASCII)


class Number(NamedTuple):
    """The number in a text.

    :param digits: country code and number; empty if the text is not a usable number.
    :param certain: whether the number has a country code or its country is known.
    """

    digits: str
    certain: bool = True


UNUSABLE: Final = Number("")


def plain(text: str) -> bytes:
    """Return the digits of a simple number with a country code; empty for other text.

    :param text: trimmed.
    """
    if text[0] != "+":
        return b""
    digits = text.encode().translate(None, _BETWEEN)[1:]
    if digits.isdigit() and 8 <= len(digits) <= LONGEST:
        if digits[-1] == digits[-_VOID] and _is_void(digits):
            return b""
        if digits[0] == _ONE:
            return digits if len(digits) == _AMERICAN and digits[1] > _ONE and digits[4] > _ONE else b""
        beyond = _BEYOND_CODE.get(digits[:2])
        if beyond is not None and digits[beyond] != _ZERO:
            return digits
        mexican = _mexican(digits)
        return b"52" + mexican[1] if mexican else b""
    return b""


def _is_void(digits: bytes) -> bool:
    return len({*digits[-_VOID:]}) == 1


@lru_cache(maxsize=REMEMBERED)
def read(text: str, regions: Sequence[str]) -> Number:
    """Parse a number.

    :param text: trimmed, of limited length.
    :param regions: ISO alpha-2 codes in capitals of the countries it may be of, the likeliest first.
    """
    found = _read(text, regions) if len(text) <= LONGEST_TEXT else UNUSABLE
    return UNUSABLE if _is_void(found.digits.encode()) else found


def _read(text: str, regions: Sequence[str]) -> Number:
    dialled = _dialled(text)
    if (
        dialled.endswith(_LOST)
        and len(dialled) > _LONGEST_NATIONAL
        and text[0] != "0"
        and text.partition(".")[0].isdecimal()
    ):
        return UNUSABLE
    if dialled.startswith("+"):
        return Number(_international(dialled))
    if not SHORTEST_NATIONAL <= len(dialled) <= LONGEST + 4:
        return UNUSABLE
    known = [region for region in regions if region in supported_regions()]
    if dialled.startswith("00"):
        return Number(_from_abroad(dialled, known))
    likely = [found for region in known for found in _national(dialled, region)]
    for wanted in (_Fit.VALID, _Fit.DIALLED):
        for found in likely:
            if found.fit == wanted:
                return Number(found.digits)
    if dialled.startswith("011"):
        digits = _international("+" + dialled[3:])
        return Number(digits) if len(dialled) >= 13 and _is_valid(digits) else UNUSABLE
    if dialled[0] == "0" or len(dialled) < SHORTEST:
        return UNUSABLE
    if _is_valid(dialled) or (len(dialled) >= _SELF_EVIDENT and _is_possible(dialled)):
        return Number(dialled, certain=False)
    return UNUSABLE


def is_region(country: str) -> bool:
    """Return whether a country has a numbering plan.

    :param country: its ISO alpha-2 code, in any case.
    """
    return country.upper() in supported_regions()


def _dialled(text: str) -> str:
    """Return the digits of a number, with a plus if it has a country code; empty if the text has another shape."""
    text = text.strip("'\"`")
    digits = text.encode(errors="replace").translate(None, b"+ ()-")
    if digits.isdigit() and len(digits) >= _LONGER_THAN_DATE and text[0] in _FIRST:
        pluses = text.count("+")
        if pluses == 0 or (pluses == 1 and text.find("+") <= 1):
            plus = "+" if pluses else ""
            return plus + digits.decode().removeprefix("00" if plus else "")
    if not text.isascii():
        text = "".join(map(_as_ascii, unicodedata.normalize("NFKC", text)))
    text = text.strip()
    scheme = _scheme(text)
    if scheme:
        text = text[scheme.end() :]
    text = _parameter.sub("", text)
    if _is_date(text) or _is_ip_address(text):
        return ""
    for found in _extension.finditer(text):
        if found.end() == len(text):
            text = text[: found.start()]
            break
    whole = _whole(text)
    if whole:
        text = whole[1]
    if not _is_shape(text) or _is_fraction(text) or _several(text):
        return ""
    plus = "+" if "+" in text else ""
    joined = _separators.sub("", text.replace("+", ""))
    return plus + joined.removeprefix("00" if plus else "")


def _as_ascii(char: str) -> str:
    """Return the ASCII equivalent of a digit, a dash or a space; empty for an invisible character."""
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.digit(char))
    if category == "Cf":
        return ""
    return {"Pd": "-", "Zs": " "}.get(category, "-" if char in _LIKE_DASHES else char)


def _is_date(text: str) -> bool:
    first, last = _is_year_first(text), _is_year_last(text)
    if first:
        return _are_date(int(first[1]), int(first[3]), int(first[4]))
    return last is not None and _are_date(int(last[4]), int(last[1]), int(last[3]))


def _are_date(year: int, one: int, two: int) -> bool:
    if not 1900 <= year <= 2100:
        return False
    for month, day in ((one, two), (two, one)):
        try:
            dt.date(year, month, day)
        except ValueError:
            continue
        return True
    return False


def _is_ip_address(text: str) -> bool:
    try:
        inet_pton(AF_INET, text)
    except (OSError, ValueError):
        return False
    return True


def _international(number: str) -> str:
    """Return the digits of a number with a country code, without a trunk prefix after it.

    :param number: a plus and digits.
    """
    digits = plain(number)
    if digits:
        return digits.decode()
    plan = plan_of_number(number[1:])
    if plan is None:
        return ""
    code = str(plan.code)
    rest = _without_trunk(number[1 + len(code) :], plan)
    if (rest.startswith("0") and plan.prefix == "0") or len(rest) > plan.longest:
        return ""
    if plan.code == 1 and not plan.is_possible(rest):
        return ""
    return code + rest if SHORTEST <= len(code + rest) <= LONGEST else ""


def _without_trunk(rest: str, plan: NumberingPlan) -> str:
    """Return the national number without a trunk prefix."""
    if plan.is_valid(rest) or not rest:
        return rest
    if plan.prefix and rest.startswith(plan.prefix):
        without = rest[len(plan.prefix) :]
        if plan.is_simple or plan.is_valid(without):
            return without
    if plan.prefix is None and plan.is_simple and rest[0] == "0":
        return rest[1:] if plan.is_valid(rest[1:]) or not plan.is_possible(rest) else rest
    found = parsed_number(f"+{plan.code}{rest}", None)
    return found.rest if found else rest


def _from_abroad(dialled: str, regions: Sequence[str]) -> str:
    """Return the digits of a number with an international prefix and a country code.

    The prefix is ``00`` in most countries; in Korea, for example, it has more digits.
    """
    for region in regions:
        if metadata_of(library().country_code_for_region(region), region).international_prefix != "00":
            found = parsed_number(dialled, region)
            if found and _is_valid(found.digits):
                return found.digits
    prefix = "0011" if dialled.startswith("0011") else "00"
    return _international("+" + dialled.removeprefix(prefix))


class _Fit(Enum):
    """How well a number matches the numbering plan of a country."""

    VALID = auto()
    DIALLED = auto()
    """It is written as it is dialled there, and may be assigned to somebody."""


class _Candidate(NamedTuple):
    digits: str
    fit: _Fit


def _national(dialled: str, region: str) -> list[_Candidate]:
    """Return the possible meanings of a number in a country: with a country code without plus, or as dialled there."""
    plan = plan_of_region(region)
    code = str(plan.code)
    mexican = _mexican_at_home(dialled) if plan.code == 52 else None
    if mexican:
        dialled = mexican[1]
    after_code = dialled[len(code) :] if dialled.startswith(code) else ""
    if plan.is_valid(after_code):
        return [_Candidate(dialled, _Fit.VALID)]
    rest = dialled
    for written in (dialled, dialled.removeprefix(plan.prefix or "")):
        if plan.is_valid(written):
            return [_Candidate(code + written, _Fit.VALID)]
    if not plan.is_simple:
        parsed = parsed_number(dialled, region)
        if parsed and parsed.code != plan.code:
            return [_Candidate(parsed.digits, _Fit.VALID)] if _is_valid(parsed.digits) else []
        rest = parsed.rest if parsed else ""
    elif plan.prefix:
        without = dialled.removeprefix(plan.prefix)
        rest = without if plan.is_possible(without) or not plan.is_possible(dialled) else dialled
    if plan.is_valid(rest):
        return [_Candidate(code + rest, _Fit.VALID)]
    if plan.is_possible(rest) and (plan.prefix != "0" or dialled[0] == "0"):
        return [_Candidate(code + rest, _Fit.DIALLED)]
    return [_Candidate(dialled, _Fit.DIALLED)] if plan.is_possible(after_code) else []


def _is_valid(digits: str) -> bool:
    plan = plan_of_number(digits)
    return plan is not None and plan.is_valid(digits[len(str(plan.code)) :])


def _is_possible(digits: str) -> bool:
    plan = plan_of_number(digits)
    return plan is not None and plan.is_possible(digits[len(str(plan.code)) :])
