"""Reads single values of a stored document. A value of another type or out of range raises ``ValueError``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

LARGEST: Final = 2**63 - 1
"""The largest number that is accepted."""


def whole(value: object, least: int = -LARGEST) -> int:
    """Return a whole number."""
    if type(value) is not int or not least <= value <= LARGEST:
        raise ValueError("not a whole number in range")
    return value


def count(value: object) -> int:
    """Return a count: a whole number of zero or more."""
    return whole(value, 0)


def seconds(value: object) -> float:
    """Return a finite number."""
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise ValueError("not a number of seconds")
    return float(value)  # type: ignore[arg-type]


def text(value: object) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 - the document is wrong, not the program
    return value


def text_or_none(value: object) -> str | None:
    """Return a text, or nothing."""
    return None if value is None else text(value)


def items(value: object) -> list[Any]:
    """Return a list."""
    if not isinstance(value, list | tuple):
        raise ValueError("not a list")  # noqa: TRY004 - the document is wrong, not the program
    return list(value)


def truth(value: object) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise ValueError("not true or false")  # noqa: TRY004 - the document is wrong, not the program
    return value


def counts(value: object) -> Counter[str]:
    """Return how often each name occurred."""
    return Counter({name: count(found) for name, found in mapping(value).items()})


def texts(value: object) -> dict[str, str]:
    """Return a text for each name."""
    return {name: text(found) for name, found in mapping(value).items()}


def mapping(value: object) -> dict[str, Any]:
    """Return a mapping of names."""
    if not isinstance(value, Mapping):
        raise ValueError("not a mapping")  # noqa: TRY004 - the document is wrong, not the program
    return {text(name): found for name, found in value.items()}
