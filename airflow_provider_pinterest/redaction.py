"""Removes personal data, secrets and control characters from text for logs, errors and the rejects file."""

from __future__ import annotations

import re
from typing import Final

TEXT_LIMIT: Final = 300
"""Largest number of characters that are kept."""

TEXT_READ: Final = 4_000
"""Largest number of characters that are examined, so that a long text takes no time."""

_control = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_identifiers = re.compile(
    r"[0-9a-fA-F]{32,}"  # hashes
    r"|\b[\w-]{40,}\b"  # tokens, click ids
    r"|\b[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){3,}\b",  # IPv6
    re.ASCII,
)
_at = re.compile("@|%40|%2540|\uff20").search
_numbers = re.compile(r"\+?\d[\d ().:/-]{5,}\d", re.ASCII)  # phones, card and account numbers, IPv4


def clean(text: object) -> str:
    """Return text on one line, shortened, without control characters and without anything that may be personal.

    Words with an ``@``, plain or URL-encoded, hashes, tokens, IP addresses and long numbers are replaced with ``…``.
    """
    found = str(text)
    words = _control.sub(" ", found[:TEXT_READ]).split()
    if len(found) > TEXT_READ:
        words = words[:-1]  # the last word may be cut in two
    found = " ".join("…" if _at(word) else word for word in words)
    # Hashes first: a number next to a hash would match the first digits of the hash and leave the rest.
    return _numbers.sub("…", _identifiers.sub("…", found))[:TEXT_LIMIT]


class Secret:
    """Text that ``repr`` does not show, so that it may be a local variable of a frame that raises."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __bool__(self) -> bool:
        return bool(self._text)

    def reveal(self) -> str:
        """Return the text; do not keep it in a local variable."""
        return self._text
