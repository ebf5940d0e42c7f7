"""Canonical forms of cities, without the state, country and postal code that are written beside them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from airflow_provider_pinterest.conversions.codes.lists import us_states
from airflow_provider_pinterest.conversions.codes.spelling import letters
from airflow_provider_pinterest.conversions.digests import is_other_digest
from airflow_provider_pinterest.conversions.person_identifiers import unescaped
from airflow_provider_pinterest.conversions.places import named_country

_CODE: Final = r"(?:\d{5}-\d{3,4}|\d{4}\s?[A-Z]{2}|\d{2}-\d{3}|\d{3}\s\d{2}|\d{4,6})"
_LETTERED: Final = r"(?:[A-Za-z]\d[A-Za-z]\s?\d[A-Za-z]\d|[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2})"
"""Postal codes of Canada and Britain."""

_before = re.compile(rf"(?:[A-Z]{{1,2}}[-\s])?{_CODE}[,\s]\s*(?=[^\W\d_])").match
"""A postal code before a city, with or without the sign of the country."""

_behind = re.compile(rf"(?<=\w)[,\s]\s*(?:[A-Z]{{1,2}}-)?(?:{_CODE}|{_LETTERED})$")
_state_behind = re.compile(r"[,\s]\s*([A-Z]{2})\s+\d{5}(?:-\d{4})?$", re.ASCII).search
_only_code = re.compile(rf"(?:[A-Za-z]{{1,3}}[-\s])?\d[\d\s-]{{2,9}}|{_LETTERED}").fullmatch
_in_brackets = re.compile(r"\s*[(\[]([^()\[\]]+)[)\]]$").search
_dashed = re.compile(r"\s+[-\u2013\u2014/|]\s+([^-\u2013\u2014/|,]+)$").search
_between = re.compile(r"[,;\uff0c\u3001\u060c]")
_state_and_code = re.compile(
    r"([A-Za-z]{2,3}|[^\W\d_][^\W\d_.\s]+(?:\s[^\W\d_]+)*)\.?\s+(?:\d[\d\s-]{3,9}|" + _LETTERED + ")"
).fullmatch
_code_of_two = re.compile(r"[A-Za-z]{2}").fullmatch
_initials = re.compile(r"(?:[A-Za-z]\.\s?){2,3}").fullmatch

_ARTICLES: Final = frozenset(("the", "las", "los", "les", "den", "le", "l'", "a", "o", "os", "as", "het", "'s"))
"""Articles that some lists put behind the name: ``Hague, The``. They are not codes of states or countries."""

_AMBIGUOUS: Final = frozenset({"La", "la", "El", "el", "Al", "al", "De"})
"""Articles that are also codes of states or countries, when they are not in capitals."""

_REGIONS: Final = frozenset(
    map(
        letters,
        """
        Alberta|British Columbia|Manitoba|New Brunswick|Nouveau-Brunswick|Newfoundland and Labrador|Newfoundland
        Nova Scotia|Ontario|Prince Edward Island|Quebec|Saskatchewan|Northwest Territories|Nunavut|Yukon
        New South Wales|NSW|Queensland|QLD|South Australia|Tasmania|TAS|Victoria|VIC|Western Australia|ACT
        Northern Territory|Australian Capital Territory
        Baden-W\u00fcrttemberg|Bayern|Bavaria|Brandenburg|Hessen|Hesse|Mecklenburg-Vorpommern|Niedersachsen|Lower Saxony
        Nordrhein-Westfalen|North Rhine-Westphalia|NRW|Rheinland-Pfalz|Saarland|Sachsen|Saxony|Sachsen-Anhalt
        Schleswig-Holstein|Th\u00fcringen|Thuringia
        K\u00e4rnten|Nieder\u00f6sterreich|Ober\u00f6sterreich|Steiermark|Tirol|Vorarlberg|Burgenland
        \u00cele-de-France|Provence-Alpes-C\u00f4te d'Azur|Occitanie|Nouvelle-Aquitaine|Bretagne|Normandie
        Catalu\u00f1a|Catalunya|Andaluc\u00eda|Comunidad de Madrid|Lombardia|Lazio|Toscana|Piemonte|Veneto|Sicilia
        Maharashtra|Karnataka|Tamil Nadu|Telangana|Kerala|Gujarat|Uttar Pradesh|West Bengal
        Jalisco|Nuevo Le\u00f3n|CDMX|Greater London|Deutschland
        """.replace("\n", "|").split("|"),
    )
) - {""}
"""Names and codes of states that are often written behind a city."""


def city(text: str) -> str:
    """Keep letters (with their marks) and digits of any script, in lower case.

    A postal code, a state and a country beside the city are dropped. A text that may be a city with an article or a
    city with a state is not usable.
    """
    text = unescaped(text)
    if is_other_digest(text) or "@" in text or not any(map(str.isalpha, text)):
        return ""
    if text.isalpha():
        return text.lower()
    text = _alone(text)
    return "".join(char for char in text.lower() if char.isalnum() or unicodedata.category(char)[0] == "M")


def _alone(text: str) -> str:
    """Return a city without what is written beside it; empty if that is uncertain."""
    before = _before(text)
    if before:
        text = text[before.end() :]
    parts = [part for part in map(str.strip, _between.split(text)) if part]
    if len(parts) > 1 and _only_code(parts[0]):
        del parts[0]
    if len(parts) == 2 and (article := _article(parts)) is not None:
        return article
    while len(parts) > 1 and _is_beside(parts[-1]):
        del parts[-1]
    if len(parts) != 1:
        return ",".join(parts)
    found = _without_end(parts[0])
    return "" if found != text and _code_of_two(found) else found


def _article(parts: list[str]) -> str | None:
    """Return a city with its article before it; ``None`` if there is no article, empty if that is uncertain."""
    name, end = parts
    if end in _AMBIGUOUS:
        return ""
    return f"{end} {name}" if end.lower() in _ARTICLES else None


def _is_beside(part: str) -> bool:
    """Return whether a part behind a comma is a state, a country or a postal code."""
    with_code = _state_and_code(part)
    if with_code:
        part = with_code[1]
    return bool(_only_code(part) or _code_of_two(part) or _initials(part) or _is_region(part))


def _is_region(part: str) -> bool:
    """Return whether a text is the name or the code of a state or a country."""
    key = letters(part)
    return bool(named_country(part) or key in us_states() or key in _REGIONS)


def _without_end(text: str) -> str:
    """Drop a postal code, or a state or country in brackets or behind a dash, from the end of a city."""
    state = _state_behind(text)
    text = text[: state.start()] if state and letters(state[1]) in us_states() else _behind.sub("", text)
    end = _in_brackets(text) or _dashed(text)
    if end and end.start() and (_is_region(end[1]) or (_code_of_two(end[1]) and end[1].isupper())):
        return text[: end.start()]
    return text
