"""Objects in lists that repeat, such as the line items of a shop: what was written once is looked up by their JSON.

The text of a list is cut between its objects, without being parsed. A cut that falls into a text or into a nested list
leaves something that is not the inside of a JSON object. If all pieces of a list are the insides of objects, then the
list has these objects.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Final

import orjson

KNOWN_BYTES: Final = 4_000_000
"""Most bytes of the objects that are remembered, their JSON before and after; then all of them are forgotten."""

OBJECT_LENGTH: Final = 500
"""Longest object that is looked up, in characters. It cannot be nested more deeply than a JSON parser allows."""

MOST_SKIPPED: Final = 128
"""Most columns that are not looked up before another attempt."""


class Repeats:
    """Finds the members of cells whose objects were written before.

    Looking up a column of new objects takes longer than reading it. Where more than half of the objects are new, the
    next columns are not looked up: one at first, then two, four and so on.

    :param write: writes what stands between the braces of each object; nothing for an object that must not be
        remembered.
    :param key: what a member starts with.
    """

    def __init__(self, write: Callable[[list[Any]], Sequence[bytes]], key: bytes) -> None:
        self._write = write
        self._start = key + b"[{"
        self._known: dict[str, bytes] = {}
        self._room = KNOWN_BYTES
        self._pause = 0
        self._left = 0

    def encode(self, cells: Sequence[Any]) -> list[bytes | None]:
        """Return the members of cells, ``None`` where a cell must be read."""
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
        """Remember what is written of objects, of those among the texts that are the inside of one."""
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
    """Return what may stand between the braces of the objects in a list, nothing if the text is something else."""
    if cell[:2] != "[{" or cell[-2:] != "}]":
        return ()
    return cell[2:-2].replace("}, {", "},{").split("},{")
