"""Hashes of the codes of countries and US states, and the codes themselves."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import Final

from airflow_provider_pinterest.conversions.codes.lists import countries, other_countries, us_states
from airflow_provider_pinterest.conversions.identifier_rules import Dependency, Hashes


def sha(canonical: str) -> str:
    """Return the SHA-256 of the UTF-8 of a text, in hexadecimal digits."""
    return sha256(canonical.encode()).hexdigest()


def country_of(hashes: Hashes | None) -> str | None:
    """Return the country with one of these hashes, as a lowercase alpha-2 code.

    If there are several countries, the US comes first, then the order of the hashes. Without hashes the result is
    ``None``; if no hash is that of a country, the result is an empty text.
    """
    if not hashes:
        return None
    known = _country_codes()
    codes = [known[one] for one in hashes if one in known]
    return "us" if "us" in codes else codes[0] if codes else ""


def has_us_state(hashes: Hashes) -> bool:
    """Return whether one of the hashes is that of a US state."""
    return not _us_state_codes().keys().isdisjoint(hashes)


def in_both_cases(hashes: Hashes) -> Hashes:
    """Return the hashes of codes of countries and US states in lower and in upper case; other hashes as they are."""
    found: dict[str, None] = {}
    for one in hashes:
        code = _country_codes().get(one) or _us_state_codes().get(one)
        found |= dict.fromkeys((sha(code), sha(code.upper())) if code else (one,))
    return [*found]


@cache
def _country_codes() -> dict[str, str]:
    """Return the hash of each country's code, in lower and upper case → the code."""
    return {
        one: code
        for code in {*countries().values(), *other_countries().values()}
        for one in (sha(code), sha(code.upper()))
    }


@cache
def _us_state_codes() -> dict[str, str]:
    """Return the hashes of codes, in lower and upper case, and of names of US states → the code."""
    return {
        one: code
        for name, code in us_states().items()
        for one in ((sha(name), sha(name.upper())) if len(name) == 2 else (sha(name),))
    }


IN_COUNTRY: Final = Dependency("user_data.country", country_of)
"""The dependence on the country of the row."""
