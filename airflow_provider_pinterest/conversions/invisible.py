"""Characters that cannot be seen: byte order marks, zero-width characters, marks of the writing direction, controls."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST_COMPOSED: Final = 1_000
"""Most characters of a text that is normalised; the time that it takes can grow with the square of the length."""

_CONTROLS: Final = "\x00\x7f-\x84\x86-\x9f"
_FORMATS: Final = (
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
)
_JOINERS: Final = "\u200c\u200d"
"""They belong to the spelling of words in some scripts."""

_FILLERS: Final = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0"

_unseen_in_words = re.compile(f"[{_CONTROLS}{_FORMATS}]")
_unseen = re.compile(f"[{_CONTROLS}{_FORMATS}{_JOINERS}{_FILLERS}]")


def visible(text: str) -> str:
    """Return an id, a name or a code without invisible characters, trimmed and in NFC.

    Two texts that look the same are the same text afterwards. White space inside is kept.
    """
    if text.isascii() and text.isprintable():
        return text
    found = _unseen.sub("", text).strip()
    return unicodedata.normalize("NFC", found) if len(found) <= LONGEST_COMPOSED else found


def visible_words(text: str) -> str:
    """Return text without invisible characters, except those that belong to the spelling of words."""
    return text if text.isascii() and text.isprintable() else _unseen_in_words.sub("", text)
