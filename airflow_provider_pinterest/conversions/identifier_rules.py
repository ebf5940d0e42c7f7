"""The rule of an identifier: everything that the table of fields says about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

Canonical = Callable[..., str]
"""NFC-normalised, trimmed text, and what it depends on → canonical text; empty: the text is not usable."""

Plain = Callable[[str], bytes]
"""Trimmed text → UTF-8 of the canonical text; empty: the text needs the full rule."""

Hashes = list[str]
"""What Pinterest accepts for one identifier: one or more SHA-256, each 64 lowercase hex digits."""

Taken = tuple[Any, ...] | type
"""The values that a switch accepts, or their type."""

Function = TypeVar("Function", Canonical, Plain)


class Dependency(NamedTuple):
    """Another field of the same row on which a canonical text depends.

    :param path: that field; it is parsed first.
    :param read: its value, ``None`` where the row lacks it → what the canonical text depends on.
    """

    path: str
    read: Callable[[Any], Any]


class IdentifierSettings(NamedTuple):
    """The settings for one identifier.

    :param switches: see :attr:`IdentifierRule.switches`.
    :param placeholders: words that mean "empty", in lower case.
    :param timezone: the time zone of dates that were stored as an instant.
    """

    switches: Mapping[str, Any]
    placeholders: frozenset[str]
    timezone: dt.tzinfo = dt.UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierRule:
    """How an identifier is parsed.

    :param canonical: settings → the function that returns the canonical text, which is sent hashed or unhashed.
    :param plain: settings → a faster function for the simplest texts. It returns UTF-8, or nothing if the text needs
        the full rule, such as placeholders, digests and JSON. Only for identifiers that rarely repeat.
    :param switches: switch of the ``identifiers`` parameter → accepted values.
    :param needs_care: whether encoded texts of a column may need the full rule. Only for identifiers that are sent
        unhashed; without it the texts are only searched for an ``@``, placeholders and JSON.
    :param depends_on: the second argument of ``canonical``.
    :param reads_dates: whether a date is a value. For other identifiers, a cell with a date is not usable.
    :param warnings: further codes under which its cells may be counted → meaning.
    """

    canonical: Callable[[IdentifierSettings], Canonical]
    plain: Callable[[IdentifierSettings], Plain] | None = None
    needs_care: Callable[[bytes], bool] | None = None
    switches: Mapping[str, Taken] = field(default_factory=dict)
    depends_on: Dependency | None = None
    reads_dates: bool = False
    warnings: Mapping[str, str] = field(default_factory=dict)


def always(function: Function) -> Callable[[IdentifierSettings], Function]:
    """Return a rule that ignores the settings."""
    return lambda _: function


class UncertainCanonicalForm(Exception):  # noqa: N818 - a result rather than an error
    """A canonical text that is sent with a warning.

    :param code: the code of the warning.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.code = code
        self.text = text
