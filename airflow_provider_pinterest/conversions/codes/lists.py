"""Load the lists of codes from their data files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from airflow_provider_pinterest.conversions.codes.spelling import letters, of_any_script, words


@cache
def countries() -> dict[str, str]:
    """Return alpha-2 codes, alpha-3 codes and English names, as :func:`letters` → lowercase alpha-2 code."""
    return _by_name("countries.txt", 3)


@cache
def other_countries() -> dict[str, str]:
    """Return codes that ISO 3166-1 does not assign, as :func:`letters` → lowercase alpha-2 code."""
    return _by_name("other_countries.txt", 1)


@cache
def countries_by_words() -> dict[str, str]:
    """Return the same names as :func:`words` → lowercase alpha-2 code."""
    return _by_name("countries.txt", 3, words)


@cache
def countries_by_number() -> dict[str, str]:
    """Return three-digit codes → lowercase alpha-2 code."""
    return {line.split(" ", 3)[2]: line[:2].lower() for line in _lines("countries.txt")}


@cache
def countries_by_own_name() -> dict[str, str]:
    """Return names in other languages, as :func:`letters` and :func:`of_any_script` → lowercase alpha-2 code."""
    return {**_by_name("country_names.txt", 1), **_by_name("country_names.txt", 1, of_any_script)}


@cache
def us_states() -> dict[str, str]:
    """Return two-letter codes and full names of US states, as :func:`letters` → lowercase two-letter code."""
    return _by_name("us_states.txt", 1)


@cache
def currencies() -> frozenset[str]:
    """Return the ISO 4217 codes that are accepted: those in force, and the withdrawn ones in the list."""
    return frozenset(code for codes in currency_sections().values() for code in codes)


@cache
def currency_sections() -> dict[str, tuple[str, ...]]:
    """Return the sections of the list of currencies, ``in force`` and ``withdrawn`` → their codes."""
    found: dict[str, tuple[str, ...]] = {}
    section = ""
    for line in _lines("currencies.txt"):
        if line.startswith("["):
            section = line.strip("[]")
        else:
            found[section] = (*found.get(section, ()), *line.split())
    return found


@cache
def _text(file: str) -> str:
    from importlib.resources import files  # takes longer to load than all lists together

    return files(__package__).joinpath(file).read_text(encoding="utf-8")


def _lines(file: str) -> Iterator[str]:
    """Yield the lines of a data file without comments; a line that begins with ``  |`` continues the one before."""
    lines = _text(file).replace("\n  |", "|").splitlines()
    return (line for line in lines if line and not line.startswith("#"))


def _by_name(file: str, codes: int, key: Callable[[str], str] = letters) -> dict[str, str]:
    """Read lines of ``CODE [CODE …] name|name``.

    :param codes: number of codes in front of the names.
    :param key: returns the form in which a code or a name is compared.
    :return: each code and name in that form → the first code, in lowercase.
    """
    found: dict[str, str] = {}
    for line in _lines(file):
        *keys, names = line.split(" ", codes)
        for name in (*keys, *names.split("|")):
            if key(name):
                found[key(name)] = keys[0].lower()
    return found
