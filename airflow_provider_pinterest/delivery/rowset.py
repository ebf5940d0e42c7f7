"""A set of row numbers, stored as ranges. It forgets its rows, and says so, when it grows too large."""

from __future__ import annotations

import base64
import binascii
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

MAX_RANGES: Final = 200_000
"""Largest number of ranges, 16 bytes each."""

MAX_STORED: Final = 40_000
"""Largest number of characters of the stored form."""


class RowSet:
    """Rows in ascending order. Above :data:`MAX_RANGES` it is empty and not :attr:`complete`.

    :param ranges: first and last row of each range, ascending.
    """

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._first: array[int] = array("Q")
        self._last: array[int] = array("Q")
        self.complete = True
        """Whether the set still has every row that was added."""
        for first, last in ranges:
            self._first.append(first)
            self._last.append(last)

    def __bool__(self) -> bool:
        return bool(self._first)

    def __contains__(self, row: int) -> bool:
        at = bisect_right(self._first, row) - 1
        return at >= 0 and row <= self._last[at]

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowSet) and (self._first, self._last, self.complete) == (
            other._first,
            other._last,
            other.complete,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"RowSet({list(self.ranges())})"

    def ranges(self) -> Iterator[tuple[int, int]]:
        """Yield the first and the last row of each range."""
        return zip(self._first, self._last, strict=True)

    def plus(self, rows: Iterable[int]) -> RowSet:
        """Return a set with more rows, which must all come after the last row of this set."""
        rows = sorted(rows)
        if not rows or not self.complete:
            return self
        found = RowSet()
        found._first, found._last = self._first[:], self._last[:]
        for row in rows:
            if found._last and row == found._last[-1] + 1:
                found._last[-1] = row
            else:
                found._first.append(row)
                found._last.append(row)
        return found if len(found._first) <= MAX_RANGES else found.forgotten()

    def union(self, rows: Iterable[int]) -> RowSet:
        """Return a set with more rows, which may come at any place."""
        rows = sorted(rows)
        if not rows or not self.complete:
            return self
        if not self._last or rows[0] > self._last[-1]:
            return self.plus(rows)
        return RowSet().plus({*self.rows(), *rows})

    def rows(self) -> Iterator[int]:
        """Yield each row."""
        for first, last in self.ranges():
            yield from range(first, last + 1)

    @staticmethod
    def forgotten() -> RowSet:
        """Return an empty set that is not complete."""
        found = RowSet()
        found.complete = False
        return found

    def as_json(self) -> str | None:
        """Return the rows as text for :meth:`from_json`; ``None`` if there are too many to store."""
        if not self.complete:
            return None
        end, steps = 0, []
        for first, last in self.ranges():
            steps.append(f"{first - end}" if first == last else f"{first - end}+{last - first}")
            end = last
        text = base64.b64encode(zlib.compress(",".join(steps).encode())).decode() if steps else ""
        return text if len(text) <= MAX_STORED else None

    @classmethod
    def from_json(cls, text: str | None) -> RowSet:
        """Read the set that :meth:`as_json` stored.

        :raises ValueError: the text is not a stored set.
        """
        if text is None:
            return cls.forgotten()
        if not isinstance(text, str):
            raise ValueError("not a set of rows: not a text")  # noqa: TRY004 - the document is wrong, not the program
        found = cls()
        if not text:
            return found
        try:
            opened = zlib.decompressobj()
            steps = opened.decompress(base64.b64decode(text, validate=True), 24 * MAX_RANGES).decode().split(",")
            if not opened.eof or opened.unused_data:
                raise ValueError("not a set of rows: cut off, or too long")
            end = 0
            for step in steps:
                gap, _, length = step.partition("+")
                first = end + int(gap)
                last = first + int(length or 0)
                if first <= end or last < first:
                    raise ValueError("not a set of rows: out of order")
                found._first.append(first)
                found._last.append(last)
                end = last
        except (binascii.Error, zlib.error, UnicodeError, ValueError, OverflowError) as error:
            raise ValueError(f"not a set of rows: {type(error).__name__}") from None
        return found
