"""Words that systems write in place of an empty value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

PLACEHOLDERS: Final = (
    *("null", "none", "nil", "nan", "nat", "undefined", "unknown", "n/a", "<na>", "<null>", "[null]", "#n/a", "\\n"),
    *("not set", "not available", "not provided", "not specified", "unspecified", "missing", "empty", "blank"),
    *("(null)", "(none)", "(unknown)", "(not set)", "(not provided)", "(empty)", "(blank)", "[object object]"),
    *("#null!", "#value!", "#ref!", "#name?", "#error!", "''", "-", "?"),
)
"""Words that mean "empty" in an identifier or an id, in any case."""


def folded(words: Iterable[str]) -> frozenset[str]:
    """Return the form in which placeholders are compared."""
    return frozenset(word.strip().lower() for word in words)


def spellings(words: Iterable[str]) -> frozenset[str]:
    """Return placeholders in the cases in which systems write them: ``nan``, ``NAN``, ``Nan`` and ``NaN``."""
    forms = (str.lower, str.upper, str.capitalize, str.title)
    special = {"nan": "NaN", "nat": "NaT", "[object object]": "[object Object]", "<na>": "<NA>"}
    found = {form(word) for word in words for form in forms}
    return frozenset(found | {special[word] for word in words if word in special})
