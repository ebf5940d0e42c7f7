"""Objects in lists that repeat, such as the line items of a shop: each is encoded once and looked up by its JSON.

The text of a list is split between its objects, without being parsed. A split inside a text or a nested list leaves a
part that is not the content of a JSON object. If all parts are contents of objects, then the list has these objects.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Final

import orjson

KNOWN_BYTES: Final = 4_000_000
"""Most bytes of cached objects, their JSON before and after; then the cache is cleared."""

OBJECT_LENGTH: Final = 500
"""Longest object that is looked up, in characters. It cannot be nested more deeply than a JSON parser allows."""

MOST_SKIPPED: Final = 128
"""Most columns that are skipped before the next look-up."""


class ObjectCache:
    """Look up the members of cells whose objects were encoded before.

    Looking up a column of new objects takes longer than parsing it. If more than half of the objects are new, the next
    columns are skipped: one at first, then two, four and so on.

    :param write: returns the content between the braces of each encoded object; empty for an object that must not be
        cached.
    :param key: the start of a member.
    """

    def __init__(self, write: Callable[[list[Any]], Sequence[bytes]], key: bytes) -> None:
        self._write = write
        self._start = key + b"[{"
        self._known: dict[str, bytes] = {}
        self._room = KNOWN_BYTES
        self._pause = 0
        self._left = 0

    def encode(self, cells: Sequence[Any]) -> list[bytes | None]:
        """Return the members of cells, ``None`` where a cell must be parsed."""
        if self._left:
            self._left -= 1
            return [None] * len(cells)
        lists = [_cut(cell) if type(cell) is str else () for cell in cells]
        objects = [*chain.from_iterable(lists)]
        new = [text for text in dict.fromkeys(objects) if text not in self._known]
        self._pause = min(2 * self._pause or 1, MOST_SKIPPED) if 2 * len(new) >= len(objects) else 0
        self._left = self._pause
        if new:
            self._learn(new)
        return [self._joined(texts) if texts else None for texts in lists]

    def _joined(self, texts: Sequence[str]) -> bytes | None:
        try:
            return self._start + b"},{".join(map(self._known.__getitem__, texts)) + b"}]"
        except KeyError:
            return None

    def _learn(self, texts: Sequence[str]) -> None:
        """Cache the encoded objects of those texts that are the content of an object."""
        if self._room < 0:
            self._known.clear()
            self._room = KNOWN_BYTES
        objects = {}
        for text in texts:
            if len(text) <= OBJECT_LENGTH:
                with contextlib.suppress(ValueError):
                    objects[text] = orjson.loads("{" + text + "}")
        for text, written in zip(objects, self._write([*objects.values()]), strict=True):
            if written:
                self._known[text] = written
                self._room -= len(text) + len(written)


def _cut(cell: str) -> Sequence[str]:
    """Return the possible contents of the objects in a list; empty if the text is not a list of objects."""
    if cell[:2] != "[{" or cell[-2:] != "}]":
        return ()
    return cell[2:-2].replace("}, {", "},{").split("},{")
