"""The rule of an identifier: everything that the table of fields says about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

Canonical = Callable[..., str]
"""NFC-normalised, trimmed text, and what it depends on → canonical text, empty where there is none."""

Plain = Callable[[str], bytes]
"""Trimmed text → UTF-8 of the canonical text, empty where the text needs a closer look."""

Hashes = list[str]
"""What Pinterest takes for one identifier: one or more SHA-256, each 64 lowercase hex digits."""

Taken = tuple[Any, ...] | type
"""The values that a switch takes, or their type."""

Function = TypeVar("Function", Canonical, Plain)


class Dependency(NamedTuple):
    """Another field of the same row on which a canonical text depends.

    :param path: that field; it is read first.
    :param read: its value, ``None`` where the row lacks it → what the canonical text depends on.
    """

    path: str
    read: Callable[[Any], Any]


class IdentifierSettings(NamedTuple):
    """What the author of a DAG sets for one identifier.

    :param switches: see :attr:`Rule.switches`.
    :param placeholders: words that stand for nothing, in lower case.
    """

    switches: Mapping[str, Any]
    placeholders: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How an identifier is read.

    :param canonical: makes the function that makes the text that goes out, or whose hash does.
    :param plain: makes a function that returns the same, as UTF-8, for the plainest texts, and nothing for all that
        need a closer look, such as placeholders, digests and JSON. Only for identifiers that seldom repeat.
    :param switches: switch of the ``identifiers`` parameter → values taken.
    :param depends_on: what ``canonical`` takes beside the text.
    :param warnings: further codes under which its cells may be counted → meaning.
    """

    canonical: Callable[[IdentifierSettings], Canonical]
    plain: Callable[[IdentifierSettings], Plain] | None = None
    switches: Mapping[str, Taken] = field(default_factory=dict)
    depends_on: Dependency | None = None
    warnings: Mapping[str, str] = field(default_factory=dict)


def always(function: Function) -> Callable[[IdentifierSettings], Function]:
    """Return a function to use whatever the settings."""
    return lambda _: function


class UncertainCanonicalForm(Exception):  # noqa: N818 - never leaves this module
    """A canonical text that goes out with a warning.

    :param code: under which it is counted.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.code = code
        self.text = text
