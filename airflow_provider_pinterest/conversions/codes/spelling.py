"""Forms in which names of countries and states are compared."""

from __future__ import annotations

import re
import unicodedata

_UNNOTICED = frozenset({"the", "of", "and"})

_WRITTEN_OUT = {
    "&": "and",
    "dem": "democratic",
    "fed": "federation",
    "is": "islands",
    "isl": "islands",
    "rep": "republic",
    "st": "saint",
    "ste": "saint",
}

_dropped = re.compile("['\u2019`\u00b4.]")

_word = re.compile(r"[a-z]+|&")


def letters(text: str) -> str:
    """Return the lowercase base letters of ``text``, for comparing names: ``"Côte d'Ivoire"`` → ``"cotedivoire"``."""
    decomposed = unicodedata.normalize("NFKD", text).lower()
    return re.sub(r"[^a-z]", "", decomposed)


def of_any_script(text: str) -> str:
    """Return the lowercase letters of ``text``, with their marks, for comparing names that are not in Latin letters."""
    return "".join(char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalpha())


def words(text: str) -> str:
    """Return the words of a name in one order: ``"Korea, Republic of"`` and ``"Republic of Korea"`` are the same."""
    decomposed = "".join(
        char for char in unicodedata.normalize("NFKD", text).lower() if not unicodedata.combining(char)
    )
    found = {_WRITTEN_OUT.get(word, word) for word in _word.findall(_dropped.sub("", decomposed))}
    return " ".join(sorted(found - _UNNOTICED))
