"""Compare names: ``Order ID``, ``order-id``, ``orderId`` and ``ORDER_ID`` are one name."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from airflow_provider_pinterest.conversions.invisible import visible

NAMES_KEPT: Final = 8_192
"""Most names whose compared form is cached."""

NAME_LIMIT: Final = 100
"""Longest name that is cached, in characters."""

_MISREAD_MARK: Final = "\xef\xbb\xbf"
"""A byte order mark that was decoded as Latin-1."""

_QUOTES: Final = ('"', "'", "`")

_without_gaps = str.maketrans(dict.fromkeys("_- \t\n\r\xa0\u2010\u2011\u2012\u2013\u2014\u2015"))
_between_words = re.compile(r"(?<=[^\s_.\-\u2010-\u2015])[\s_\-\u2010-\u2015]+(?=[^\s_.\-\u2010-\u2015])")
_around_dots = re.compile(r"\s*\.\s*")


def folded(name: str) -> str:
    """Return the form in which names are compared.

    Case, a byte order mark, quotes around the name, and spaces, hyphens and underscores between its words are
    ignored. Dots count, and so do underscores at either end, which mark a name as internal.
    """
    return _kept(name) if len(name) <= NAME_LIMIT else _folded(name)


def _folded(name: str) -> str:
    if not name.isascii():
        name = visible(name.removeprefix(_MISREAD_MARK))
    found = name.strip().lower()
    if len(found) > 1 and found[0] == found[-1] and found[0] in _QUOTES:
        found = found[1:-1].strip()
    if found.isalnum():
        return found
    if "." not in found and found[:1].isalnum() and found[-1:].isalnum():
        joined = found.translate(_without_gaps)
    else:
        joined = _between_words.sub("", _around_dots.sub(".", found))
    return joined if joined.isascii() else visible(joined)  # marks that met are in their canonical order


_kept = lru_cache(NAMES_KEPT)(_folded)
