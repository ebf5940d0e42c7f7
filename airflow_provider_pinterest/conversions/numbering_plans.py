"""Numbering plans of countries, from the ``phonenumbers`` library, which is loaded when it is first needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple


class NumberingPlan(NamedTuple):
    """The numbering plan of a country code.

    :param prefix: the digits dialled before a national number, such as ``0``.
    :param is_simple: whether no other digits are dialled before or inside it.
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
def library() -> Any:
    """Load the ``phonenumbers`` library."""
    import phonenumbers

    return phonenumbers


@lru_cache(maxsize=1)
def supported_regions() -> frozenset[str]:
    """Return the alpha-2 codes of the countries with a numbering plan."""
    return frozenset(library().SUPPORTED_REGIONS)


def plan_of_number(digits: str) -> NumberingPlan | None:
    """Return the plan of the country code that digits begin with."""
    regions = library().COUNTRY_CODE_TO_REGION_CODE
    for length in (1, 2, 3):
        code = digits[:length]
        if code and int(code) in regions and code[0] != "0":
            return _plan(int(code), regions[int(code)][0])
    return None


def plan_of_region(region: str) -> NumberingPlan:
    """Return the plan of a country, by its alpha-2 code in capitals."""
    return _plan(library().country_code_for_region(region), region)


@lru_cache(maxsize=512)
def _plan(code: int, region: str) -> NumberingPlan:
    """Return the plan of a country code as it is dialled in one of its regions."""
    main = metadata_of(code, region)
    regions = [metadata_of(code, name) for name in library().COUNTRY_CODE_TO_REGION_CODE[code]]
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

    return NumberingPlan(code, main.national_prefix, simple, max(lengths), is_valid, is_possible)


def metadata_of(code: int, region: str) -> Any:
    """Return the metadata of a country code in one of its regions."""
    of = library().PhoneMetadata
    return of.metadata_for_nongeo_region(code) if region == "001" else of.metadata_for_region(region)


def _matcher(descriptions: Sequence[Any]) -> Callable[[str], bool]:
    """Return a function that returns whether a national number has one of the patterns."""
    patterns = dict.fromkeys(
        kind.national_number_pattern for kind in descriptions if kind and kind.national_number_pattern
    )
    match = re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or "(?!)", re.ASCII).fullmatch
    return lambda number: match(number) is not None


class ParsedNumber(NamedTuple):
    """A number as the library parses it."""

    code: int
    rest: str

    @property
    def digits(self) -> str:
        """Country code and number."""
        return f"{self.code}{self.rest}"


def parsed_number(text: str, region: str | None) -> ParsedNumber | None:
    """Return the number as the library parses it; ``None`` if it cannot."""
    numbers = library()
    try:
        number = numbers.parse(text, region)
    except numbers.NumberParseException:
        return None
    return ParsedNumber(number.country_code, str(numbers.national_significant_number(number)))
