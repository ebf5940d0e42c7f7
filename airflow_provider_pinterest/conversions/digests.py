"""Detect SHA-256 digests in the forms in which databases and programs write them."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any, Final

BYTES: Final = 32
"""Bytes of a digest."""

SHORTEST_DIGEST: Final = 43
"""Fewest characters in which a digest can be written."""

_prefixed = re.compile(
    r"(?:(?:\\\\?x|0x|sha-?256\s*[:=$-]\s*|\{sha-?256\})([0-9a-f]{64})|x'([0-9a-f]{64})'"
    r"|([0-9a-f]{2}([: -])[0-9a-f]{2}(?:\4[0-9a-f]{2}){30}))",
    re.ASCII | re.IGNORECASE,
).fullmatch
_is_hex = re.compile(r"[0-9a-f]{64}", re.ASCII | re.IGNORECASE).fullmatch
_base64 = re.compile(r"(?:sha-?256[:=$-]|\{sha-?256\})?([A-Za-z0-9+/_-]{43})=?", re.ASCII | re.IGNORECASE).fullmatch
_is_other = re.compile(
    r"b'.*\\x.*'|b\".*\\x.*\"|(?:\\\\?x|0x)?(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{128})", re.ASCII | re.IGNORECASE
).fullmatch


def digest(text: str) -> str | None:
    """Return a digest that was written as text, in lowercase hexadecimal digits; ``None`` for other text.

    :param text: trimmed, of limited length.
    """
    if len(text) < SHORTEST_DIGEST:
        return None
    if _is_hex(text):
        return text.lower()
    found = _prefixed(text)
    if found:
        return re.sub(r"[^0-9a-f]", "", (found[1] or found[2] or found[3]).lower())
    encoded = _base64(text)
    if encoded:
        return _decoded(encoded[1])
    return None


def digest_of_bytes(data: Sequence[Any]) -> str | None:
    """Return a digest given as bytes, or as a list of their numbers; ``None`` for anything else."""
    if len(data) != BYTES or not all(type(one) is int and -128 <= one < 256 for one in data):
        return None
    return bytes(one & 255 for one in data).hex()


def is_other_digest(text: str) -> bool:
    """Return whether text is the text form of bytes, or a digest that is not SHA-256."""
    return len(text) >= 32 and _is_other(text) is not None


def _decoded(text: str) -> str | None:
    """Decode 43 characters of base64, unless they are probably a word."""
    if not (any(map(str.isdigit, text)) and text.lower() != text and text.upper() != text):
        return None
    standard = text.replace("-", "+").replace("_", "/") + "="
    data = b64decode(standard)
    return data.hex() if b64encode(data).decode() == standard else None
