"""Advertising ids of mobile devices in canonical form."""

from __future__ import annotations

import re

# Device

_is_uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII).fullmatch

_is_bare_uuid = re.compile(r"[0-9a-f]{12}[1-8][0-9a-f]{3}[89ab][0-9a-f]{15}", re.ASCII).fullmatch


def advertising_id(text: str) -> str:
    """Lowercase a UUID. Return an empty text for other text, and for the void ids of people who limit tracking.

    Missing dashes are inserted, unless the text may be a digest.
    """
    found = text.lower().strip("{}").removeprefix("urn:uuid:")
    if _is_bare_uuid(found):
        found = "-".join((found[:8], found[8:12], found[12:16], found[16:20], found[20:]))
    return found if _is_uuid(found) and not _is_void(found) else ""


def plain_advertising_id(text: str) -> bytes:
    """Lowercase a UUID with dashes. Return nothing for other text."""
    found = text.lower()
    return found.encode() if _is_uuid(found) and not _is_void(found) else b""


def _is_void(uuid: str) -> bool:
    """Return whether a UUID repeats one digit, usually zero. Devices return such ids if tracking is limited."""
    return uuid[0] == uuid[-1] and len({*uuid}) == 2
