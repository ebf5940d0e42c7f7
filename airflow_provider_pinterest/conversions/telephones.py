"""Telephone numbers as people and systems write them → the digits of E.164, with the country code.

A number keeps its meaning or is not read at all. Numbers that show their country code need no numbering plan unless a
trunk zero follows the code, as in ``+49 (0)30``. Others are read with the numbering plans of the ``phonenumbers``
library, which is loaded for the first of them.

https://www.itu.int/rec/T-REC-E.164/
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Sequence
from enum import Enum, auto
from functools import lru_cache
from socket import AF_INET, inet_pton
from typing import Any, Final, NamedTuple

SHORTEST: Final = 7
"""Fewest digits of a number with its country code."""

SHORTEST_NATIONAL: Final = 4
"""Fewest digits of a number without it."""

LONGEST: Final = 15
"""Most digits of a number with its country code."""

LONGEST_TEXT: Final = 100
"""Longest text that is read, in characters: time grows with its square."""

REMEMBERED: Final = 8_192
"""Numbers whose reading is remembered, because reading one with a numbering plan takes long."""

_SELF_EVIDENT: Final = 12
"""A number of this many digits that does not begin with zero has a country code: no national number is so long."""

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
"""So many equal digits at the end of a number are typed by people who do not want to give theirs."""

_mexican = re.compile(rb"52(?:1|01|04[45])?([2-9]\d{9})", re.ASCII).fullmatch
_mexican_at_home = re.compile(r"(?:52)?(?:1|01|04[45])([2-9]\d{9})", re.ASCII).fullmatch
"""Numbers of Mexico with the prefixes that were dialled there until 2019, and that are still stored with them."""

_ZERO, _ONE = b"01"
_LOST: Final = "00000"
"""How a number ends whose last digits were lost when a spreadsheet wrote it with an exponent."""

_LONGEST_NATIONAL: Final = 10

_FIRST: Final = frozenset("+(0123456789")
_LONGER_THAN_DATE: Final = 9
"""Digits of a text that is no date without a time."""

_BETWEEN: Final = b" ()-"

_LIKE_DASHES: Final = "\u2212\u30fc\u2500"
"""A minus sign, the long vowel sign of Japanese keyboards, and a line: they are written in place of a dash."""

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
    """What a text says.

    :param digits: country code and number; empty if the text is not a usable number.
    :param certain: whether the number shows its country code or its country is known.
    """

    digits: str
    certain: bool = True


UNUSABLE: Final = Number("")


def plain(text: str) -> bytes:
    """Return the digits of a number that shows its country code and needs no second look, otherwise nothing.

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
    """Read a number.

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
    known = [region for region in regions if region in _supported()]
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
    return country.upper() in _supported()


def _dialled(text: str) -> str:
    """Return the digits of a number, with a plus where it shows its country code; nothing if it has another shape."""
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
    """Return the ASCII equivalent of a digit, a dash or a space; nothing for an invisible character."""
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
    """Return the digits of a number that shows its country code, without a trunk prefix after it.

    :param number: a plus and digits.
    """
    digits = plain(number)
    if digits:
        return digits.decode()
    plan = _plan_of(number[1:])
    if plan is None:
        return ""
    code = str(plan.code)
    rest = _without_trunk(number[1 + len(code) :], plan)
    if (rest.startswith("0") and plan.prefix == "0") or len(rest) > plan.longest:
        return ""
    if plan.code == 1 and not plan.is_possible(rest):
        return ""
    return code + rest if SHORTEST <= len(code + rest) <= LONGEST else ""


def _without_trunk(rest: str, plan: _NumberingPlan) -> str:
    """Return what follows the country code as numbers are written after it."""
    if plan.is_valid(rest) or not rest:
        return rest
    if plan.prefix and rest.startswith(plan.prefix):
        without = rest[len(plan.prefix) :]
        if plan.is_simple or plan.is_valid(without):
            return without
    if plan.prefix is None and plan.is_simple and rest[0] == "0":
        return rest[1:] if plan.is_valid(rest[1:]) or not plan.is_possible(rest) else rest
    found = _parsed(f"+{plan.code}{rest}", None)
    return found.rest if found else rest


def _from_abroad(dialled: str, regions: Sequence[str]) -> str:
    """Return the digits of a number that shows its country code after what is dialled for abroad.

    That is ``00`` in most countries; in Korea, for one, it has more digits.
    """
    for region in regions:
        if _metadata(_library().country_code_for_region(region), region).international_prefix != "00":
            found = _parsed(dialled, region)
            if found and _is_valid(found.digits):
                return found.digits
    prefix = "0011" if dialled.startswith("0011") else "00"
    return _international("+" + dialled.removeprefix(prefix))


class _Fit(Enum):
    """How well a number fits into a country's numbering plan."""

    VALID = auto()
    DIALLED = auto()
    """It is written as it is dialled there, and may be assigned to somebody."""


class _Candidate(NamedTuple):
    digits: str
    fit: _Fit


def _national(dialled: str, region: str) -> list[_Candidate]:
    """Return what a number may be in a country: with the country code but no plus, or as it is dialled there."""
    plan = _plan_in(region)
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
        parsed = _parsed(dialled, region)
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
    plan = _plan_of(digits)
    return plan is not None and plan.is_valid(digits[len(str(plan.code)) :])


def _is_possible(digits: str) -> bool:
    plan = _plan_of(digits)
    return plan is not None and plan.is_possible(digits[len(str(plan.code)) :])


class _NumberingPlan(NamedTuple):
    """The numbering plan of a country code.

    :param prefix: what is dialled before a national number, such as ``0``.
    :param is_simple: whether nothing else is ever dialled before or inside it.
    :param longest: most digits of a national number.
    :param is_valid: whether a national number is assigned to somebody.
    :param is_possible: whether it has a length and first digits that numbers have.
    """

    code: int
    prefix: str | None
    is_simple: bool
    longest: int
    is_valid: Callable[[str], bool]
    is_possible: Callable[[str], bool]


@lru_cache(maxsize=1)
def _library() -> Any:
    import phonenumbers

    return phonenumbers


@lru_cache(maxsize=1)
def _supported() -> frozenset[str]:
    return frozenset(_library().SUPPORTED_REGIONS)


def _plan_of(digits: str) -> _NumberingPlan | None:
    """Return the plan of the country code that digits begin with."""
    regions = _library().COUNTRY_CODE_TO_REGION_CODE
    for length in (1, 2, 3):
        code = digits[:length]
        if code and int(code) in regions and code[0] != "0":
            return _plan(int(code), regions[int(code)][0])
    return None


def _plan_in(region: str) -> _NumberingPlan:
    return _plan(_library().country_code_for_region(region), region)


@lru_cache(maxsize=512)
def _plan(code: int, region: str) -> _NumberingPlan:
    """Return the plan of a country code as it is dialled in one of its regions."""
    library = _library()
    main = _metadata(code, region)
    regions = [_metadata(code, name) for name in library.COUNTRY_CODE_TO_REGION_CODE[code]]
    kinds = (
        *("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager"),
        *("uan", "voicemail"),
    )
    valid = _matcher([getattr(metadata, kind) for metadata in regions for kind in kinds])
    possible = _matcher([metadata.general_desc for metadata in regions])
    lengths = {length for metadata in regions for length in metadata.general_desc.possible_length}
    simple = main.national_prefix_for_parsing == main.national_prefix and not main.national_prefix_transform_rule

    def is_possible(number: str) -> bool:
        return len(number) in lengths and possible(number)

    def is_valid(number: str) -> bool:
        return is_possible(number) and valid(number)

    return _NumberingPlan(code, main.national_prefix, simple, max(lengths), is_valid, is_possible)


def _metadata(code: int, region: str) -> Any:
    of = _library().PhoneMetadata
    return of.metadata_for_nongeo_region(code) if region == "001" else of.metadata_for_region(region)


def _matcher(descriptions: Sequence[Any]) -> Callable[[str], bool]:
    """Return a function that says whether a national number is of one of some kinds."""
    patterns = dict.fromkeys(
        kind.national_number_pattern for kind in descriptions if kind and kind.national_number_pattern
    )
    match = re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or "(?!)", re.ASCII).fullmatch
    return lambda number: match(number) is not None


class _Parsed(NamedTuple):
    """A number as the library reads it."""

    code: int
    rest: str

    @property
    def digits(self) -> str:
        return f"{self.code}{self.rest}"


def _parsed(text: str, region: str | None) -> _Parsed | None:
    """Return what the library makes of a number; ``None`` if it can make nothing of it."""
    library = _library()
    try:
        number = library.parse(text, region)
    except library.NumberParseException:
        return None
    return _Parsed(number.country_code, str(library.national_significant_number(number)))
