"""Canonical forms of telephone numbers, genders, names and the ids of an advertiser."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

from airflow_provider_pinterest.conversions import telephones
from airflow_provider_pinterest.conversions.digests import SHORTEST_DIGEST, is_other_digest
from airflow_provider_pinterest.conversions.identifier_rules import (
    Canonical,
    IdentifierSettings,
    Plain,
    UncertainCanonicalForm,
)
from airflow_provider_pinterest.conversions.invisible import visible

WITHOUT_COUNTRY: Final = "phone_without_country"
"""The warning for a telephone number without a country code, in a row without a country."""

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
"""Words of several languages; ambiguous letters are left out."""

_qualified = re.compile(r"(?:gender|sex)\s*[.:=_-]\s*", re.IGNORECASE).match

# Telephone


def phone(settings: IdentifierSettings) -> Canonical:
    """Return a function that converts numbers to digits with the country code.

    It receives the country of the row. Numbers without a country code belong to that country, or to the country in the
    switch ``country``.

    :raises ValueError: the country in the switch has no numbering plan.
    """
    usual: str | None = settings.switches.get("country")
    if usual and not telephones.is_region(usual):
        raise ValueError(repr(usual))
    others = (usual.upper(),) if usual else ()

    def canonical(text: str, home: str | None) -> str:
        own = (home.upper(),) if home else ()
        number = telephones.read(text, own + others if own != others else own)
        if number.digits and not number.certain:
            raise UncertainCanonicalForm(WITHOUT_COUNTRY, number.digits)
        return number.digits

    return canonical


# Person


def gender(text: str) -> str:
    """Map words and letters to ``f``, ``m`` or ``n``."""
    qualified = _qualified(text)
    word = text[qualified.end() :] if qualified else text
    word = word.lower().strip("\"'.,;:()[] ")
    return _GENDERS.get(word) or _GENDERS.get(re.sub(r"[\s_-]", "", word), "")


_JOINERS: Final = "\u200c\u200d"
"""Invisible characters that belong to the spelling of words in some scripts."""


def name(text: str) -> str:
    """Collapse white space to one space each and lowercase.

    A text without a letter, an e-mail address, and a digest of another kind are not names.
    """
    text = unescaped(text)
    if not text.isprintable():
        text = "".join(
            char
            for char in text
            if char.isspace() or char in _JOINERS or unicodedata.category(char) not in ("Cc", "Cf")
        )
    if is_other_digest(text) or "@" in text or not any(map(str.isalpha, text)):
        return ""
    return " ".join(text.split()).lower()


def unescaped(text: str) -> str:
    """Replace HTML entities by their characters: some shops store escaped text."""
    return html.unescape(text) if "&" in text and ";" in text else text


_NOBODY: Final = frozenset({"-1", "true", "false"})
"""Ids that shops give to all guests, beside zeros: all guests would become one person."""


def external_id(settings: IdentifierSettings) -> Canonical:
    """Return a function for the ids of the advertiser; it keeps their case unless the switch ``case`` is ``lower``."""
    lower = settings.switches.get("case") == "lower"

    def canonical(text: str) -> str:
        text = visible(text)
        if not any(map(str.isalnum, text)) or text.lower() in _NOBODY or not text.strip("0-"):
            return ""
        return text.lower() if lower else text

    return canonical


def plain_external_id(settings: IdentifierSettings) -> Plain:
    """Return the same for ids of printable characters that begin and end with a letter or a digit."""
    lower = settings.switches.get("case") == "lower"
    placeholders = settings.placeholders
    void = placeholders | _NOBODY | {"null"}

    def plain(text: str) -> bytes:
        if len(text) >= SHORTEST_DIGEST or not (text[0].isalnum() and text[-1].isalnum() and text.isprintable()):
            return b""
        lowered = text.lower()
        if lowered in void or not text.isascii() or (text[0] == "0" and not text.strip("0-")):
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
