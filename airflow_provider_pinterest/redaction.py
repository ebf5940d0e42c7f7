"""What may be said in a log, an error or a rejects file: text without personal data, secrets or control characters."""

from __future__ import annotations

import re
from typing import Final

TEXT_LIMIT: Final = 300
"""Longest text that is kept, in characters."""

TEXT_READ: Final = 4_000
"""Characters of a text that are examined, so that a long one costs no time."""

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
    """Return text in one line, shortened, without control characters and without what may be personal.

    Words with an ``@``, as it is or as URLs write it, hashes, tokens, IP addresses and long numbers become ``…``.
    """
    found = str(text)
    words = _control.sub(" ", found[:TEXT_READ]).split()
    if len(found) > TEXT_READ:
        words = words[:-1]  # perhaps cut in two
    found = " ".join("…" if _at(word) else word for word in words)
    # A number next to a hash would take the hash's first digits with it, and leave the rest.
    return _numbers.sub("…", _identifiers.sub("…", found))[:TEXT_LIMIT]


class Secret:
    """Text that no ``repr`` shows, so that it may stand in the locals of a frame that raises."""

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
