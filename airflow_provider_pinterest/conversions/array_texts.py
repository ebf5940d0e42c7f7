"""Arrays that were written as text by a database or a program: ``{a,b}``, ``['a', 'b']``, ``a,b``.

JSON is read elsewhere. A text that may be something else than an array is not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

LONGEST: Final = 100_000
"""Longest text that is read as an array, in characters."""

_NOTHING: Final = frozenset({"NULL", "null", "None", "nan", "NaN", "<NA>", "NaT"})

_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)

_SINGLE: Final = r"[bru]?'(?:[^'\\]|\\.)*'"
_DOUBLE: Final = r'[bru]?"(?:[^"\\]|\\.)*"'
_BARE: Final = r"[^\s,\"'{}\[\]()\\=:;][^,\"'{}\[\]()\\=:;\n]*"
_BARE_IN_BRACES: Final = r"[^\s,\"'{}\[\]\\=:;][^\s,\"{}\[\]\\=:;]*"
_BEHIND: Final = r"\s*(?:,|(?=[\"'])|$)"
_element = re.compile(rf"\s*(?:({_SINGLE}|{_DOUBLE})|({_BARE})){_BEHIND}", re.DOTALL).match
_element_in_braces = re.compile(rf"\s*(?:({_SINGLE}|{_DOUBLE})|({_BARE_IN_BRACES})){_BEHIND}", re.DOTALL).match
_called = re.compile(
    r"(?:array|set|frozenset|list|tuple|deque|List|Set|Vector|WrappedArray|ArraySeq|ArrayBuffer|ARRAY)\s*"
    r"(\(.*\)|\[.*\])",
    re.DOTALL,
).fullmatch
_typed = re.compile(r",\s*dtype=[^\])]*$")
_bounds = re.compile(r"\[-?\d+:-?\d+\](?==\{)=").match
_php = re.compile(r'a:(\d+):\{((?:i:\d+;(?:s:\d+:"[^"]*"|i:-?\d+);)*)\}').fullmatch
_php_element = re.compile(r'i:\d+;(?:s:\d+:"([^"]*)"|i:(-?\d+));').findall

OPENING: Final = frozenset("[{(")
"""First characters of most arrays in brackets."""

_CLOSING: Final = {"[": "]", "{": "}", "(": ")"}
_SEPARATORS: Final = (",", ";", "\n")


def in_brackets(text: str) -> list[str] | None:
    """Return the elements of an array in brackets or braces; ``None`` if the text is not plainly one.

    It reads the arrays of PostgreSQL, Python, numpy, Spark and ClickHouse. In brackets, texts
    must be in quotation marks.

    :param text: trimmed.
    """
    if len(text) > LONGEST:
        return None
    bounds = _bounds(text)
    if bounds:
        text = text[bounds.end() :]
    called = _called(text)
    if called:
        inner = called[1][1:-1].strip()
        inner = _typed.sub("", inner).strip()
        text = inner if inner[:1] in OPENING and inner else f"[{inner}]"
    if len(text) < 2 or _CLOSING.get(text[0]) != text[-1]:
        return None
    inner = text[1:-1].strip()
    if not inner:
        return None if text[0] == "(" else []
    found = _elements(inner, _element_in_braces if text[0] == "{" else _element)
    if found is None:
        return None
    quoted = any(was_quoted for _, was_quoted in found)
    if text[0] == "(" and not all(was_quoted for _, was_quoted in found):
        return None
    if text[0] == "[" and not called and not all(was_quoted or _is_bare(element) for element, was_quoted in found):
        return None
    if text[0] == "{" and len(found) == 1 and not quoted and _is_uuid(found[0][0]):
        return None
    return [element for element, was_quoted in found if was_quoted or element not in _NOTHING]


def separated(text: str) -> Sequence[str] | None:
    """Return the parts of a list without brackets, such as ``a,b``; ``None`` if the text may be a single value.

    It is a list if it has only one kind of separator, and no part is empty or has white space inside.
    """
    found = [mark for mark in _SEPARATORS if mark in text]
    if len(found) != 1 or len(text) > LONGEST:
        return None
    parts = [part.strip() for part in text.rstrip(f"{found[0]} ").split(found[0])]
    return parts if len(parts) > 1 and all(len(part.split()) == 1 for part in parts) else None


def of_php(text: str) -> list[str] | None:
    """Return the elements of a serialised array of PHP; ``None`` if the text is not one."""
    whole = _php(text) if len(text) <= LONGEST and text.startswith("a:") else None
    if whole is None:
        return None
    found = [one or other for one, other in _php_element(whole[2])]
    return found if len(found) == int(whole[1][:9]) else None


def _elements(inner: str, element: Callable[[str, int], re.Match[str] | None]) -> list[tuple[str, bool]] | None:
    """Return the elements and whether each was quoted; ``None`` if the text is not a row of elements."""
    found = []
    at = 0
    while at < len(inner):
        one = element(inner, at)
        if one is None or one.end() == at:
            return None
        if one[1] is not None:
            said = one[1].lstrip("bru") if one[1][0] in "bru" else one[1]
            if one[1][0] == "b" and "\\x" in said:
                return None
            found.append((_ESCAPE.sub(r"\1", said[1:-1]), True))
        else:
            found.append((one[2].strip(), False))
        at = one.end()
    return found


_is_number = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII).fullmatch


def _is_bare(element: str) -> bool:
    """Return whether Python writes a value without quotation marks."""
    return element in _NOTHING or _is_number(element) is not None


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
