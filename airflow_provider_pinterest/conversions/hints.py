"""Find the field that an unknown name may mean, word by word.

``customer_email`` is an e-mail address, not a customer id, and ``address`` is a street, not an ``ip_address``. No hint
is better than a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Final

from airflow_provider_pinterest.conversions.names import folded

LONG: Final = 6
"""Shortest word in which a different letter counts as a typing mistake; ``stage`` and ``state`` are two words."""

ENDING: Final = 3
"""Letters at the end in which long words may differ, such as ``category`` and ``categories``."""

HINT_LIMIT: Final = 100
"""Longest name for which hints are searched, in characters."""

_PERSON: Final = frozenset(
    "customer cust user client buyer purchaser billing bill shipping ship delivery shopper person member "  # noqa: SIM905
    "subscriber visitor guest lead contact account profile recipient payer home my".split()
)
"""Words in front of a name that say whose it is."""

_EVENT: Final = frozenset(
    "order purchase transaction trx checkout conversion event sale sales cart basket session web site page "  # noqa: SIM905
    "grand net gross total final".split()
)
"""Words in front of a name that say which event it belongs to."""

_NEUTRAL: Final = frozenset(
    "raw original clean cleaned normalized normalised lower lowercase hash hashed sha256 sha text str string "  # noqa: SIM905
    "col column field dim fact src source stg primary main default utc iso".split()
)
"""Words that do not change what a name means."""

_SAME: Final = {
    **dict.fromkeys("nr no num number ref".split(), "id"),  # noqa: SIM905
    **dict.fromkeys("mail emails".split(), "email"),  # noqa: SIM905
    **dict.fromkeys("telephone tel cell cellphone msisdn".split(), "phone"),  # noqa: SIM905
}
"""Word → the word with which it is compared."""

_words = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+").findall


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return the known name that is most similar to ``name``, or ``None``.

    Similar names have the same words, each with at most one typing mistake.
    """
    if len(name) > HINT_LIMIT:
        return None
    same, parts = folded(name), _read(name)
    found = {one: _mistakes(parts, _split(one)) for one in known}
    for one in known:
        if folded(one) == same:
            return one
        if found[one] is None:
            found[one] = 1 if _mistyped(same, folded(one), long=HINT_LIMIT) else None
    alike = {one: mistakes for one, mistakes in found.items() if mistakes is not None}
    return min(alike, key=alike.__getitem__, default=None)


def meant(name: str, known: Mapping[str, str]) -> str | None:
    """Return the known name that is similar to ``name``, or that ``name`` contains beside neutral words.

    :param known: name → path of its field.
    """
    found = nearest(name, known)
    if found is not None or len(name) > HINT_LIMIT:
        return found
    parts = _read(name)
    fitting = [one for one, path in known.items() if _contains(parts, _split(one), path)]
    return max(fitting, key=lambda one: (len(_split(one)), parts[-1] in _split(one)), default=None)


def _read(name: str) -> tuple[str, ...]:
    """Return the words of a name in the form in which they are compared."""
    return tuple(_SAME.get(word, word) for word in map(str.lower, _words(name)))


_split = cache(_read)
"""The same for known names, which are few."""


def _mistakes(parts: tuple[str, ...], others: tuple[str, ...]) -> int | None:
    """Return the number of words with a typing mistake; ``None`` if a word is a different one."""
    if len(parts) != len(others):
        return None
    differing = [(one, other) for one, other in zip(parts, others, strict=True) if one != other]
    return len(differing) if all(_mistyped(*pair) or _inflected(*pair) for pair in differing) else None


def _mistyped(one: str, other: str, long: int = LONG) -> bool:
    """Return whether one letter is missing or extra, two are swapped, or one letter of a long word is wrong.

    :param long: fewest letters of a long word.
    """
    less, more = sorted((one, other), key=len)
    if len(more) - len(less) > 1 or len(less) < 4:
        return False
    if len(less) < len(more):
        return any(more[:at] + more[at + 1 :] == less for at in range(len(more)))
    wrong = [at for at, (left, right) in enumerate(zip(one, other, strict=True)) if left != right]
    if len(wrong) == 2:
        first, second = wrong
        return second == first + 1 and one[first] == other[second] and one[second] == other[first]
    return len(wrong) == 1 and len(one) >= long


def _inflected(one: str, other: str) -> bool:
    """Return whether two long words differ only at the end."""
    same = max(LONG, len(one) - ENDING, len(other) - ENDING)
    return one[:same] == other[:same] and min(len(one), len(other)) >= same


def _contains(parts: tuple[str, ...], others: tuple[str, ...], path: str) -> bool:
    if not others or len(others) >= len(parts):
        return False
    beside = list(parts)
    for word in others:
        if word not in beside:
            return False
        beside.remove(word)
    allowed = _PERSON if path.startswith("user_data.") else _EVENT
    return all(word in allowed or word in _NEUTRAL or word.isdigit() for word in beside)
