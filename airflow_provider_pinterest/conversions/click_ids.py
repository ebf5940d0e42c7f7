"""Pinterest's click id: the value of the cookie ``_epik``, or of the URL parameter ``epik``."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from airflow_provider_pinterest.conversions.identifiers import LONGEST, unhashed
from airflow_provider_pinterest.conversions.placeholders import PLACEHOLDERS

LONGEST_SOURCE: Final = 20_000
"""Longest cell in which a click id is searched, in characters: a cookie header can have several thousand."""

_named = re.compile(
    r"(?<![A-Za-z0-9_-])_?epik[\"']?\s*(?:=|:(?=[\s\"']))\s*(?:[\"']\s*)?([A-Za-z0-9._~+/-]*=*)(?![^\s\"'&;#,}\])?])",
    re.IGNORECASE,
).finditer
_is_other = re.compile(r"[=;?&#\s{}<>]|://").search
_padded = re.compile(r"[A-Za-z0-9._~+/-]+={1,2}").fullmatch

DECODED: Final = 2
"""Most layers of URL encoding."""


def click_id(text: str) -> str:
    """Return the click id in a text, which may be a URL, a cookie or a cookie header; empty if it has none.

    :raises UnusableCellError: the click id contains an ``@``.
    """
    for _ in range(DECODED + 1):
        if len(text) > LONGEST_SOURCE:
            return ""
        named = [one[1] for one in _named(text)]
        found = [one for one in named if one and one.lower() not in PLACEHOLDERS]
        if named and not found:
            return ""
        if found:
            return unhashed(found[0]) if len(found[0]) <= LONGEST else ""
        decoded = unquote(text)
        if decoded == text:
            break
        text = decoded
    if _padded(text):
        return text
    sent = unhashed(text)
    return "" if _is_other(text) else sent


def needs_care(members: bytes) -> bool:
    """Return whether one of the encoded ids may be more than an id."""
    return not members.isascii() or any(members.find(sign) >= 0 for sign in _SIGNS)


_SIGNS: Final = tuple(bytes([byte]) for byte in b"=%/;?&#{}<> \\")
"""Single characters, because searching longer ones takes a hundred times as long."""
