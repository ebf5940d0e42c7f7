"""Estimate the memory of rows, to limit how many are kept.

Only a sample of the rows is measured, so that the estimate costs little.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

EVERY: Final = 16
"""One of this many single rows is measured."""

SAMPLE: Final = 16
"""About this many rows of a batch are measured."""

COLUMN_BATCH_BYTES: Final = 4_000_000
"""Most bytes of cells in a column batch."""

_CELL: Final = 50
"""Estimated bytes of a number, and of an element of a list."""

_LOOKED_AT: Final = 10_000
"""Most elements of a nested cell that are measured."""


def weight(cells: Iterable[Any]) -> int:
    """Estimate the bytes of the cells of a row."""
    total = 0
    nested: list[Any] = []
    for cell in cells:
        kind = type(cell)  # compared by identity: even a type can have an equality that raises
        if kind is str or kind is bytes:
            total += _CELL + len(cell)
        elif kind is dict or kind is list or kind is tuple:
            nested.append(cell)
        elif kind is memoryview or kind is bytearray:
            total += memoryview(cell).nbytes
        else:
            total += _CELL
    return total + _nested(nested) if nested else total


def _nested(waiting: list[Any]) -> int:
    """Estimate the bytes of lists and mappings; only the first elements of very large ones are measured."""
    total = 0
    left = _LOOKED_AT
    while waiting and left > 0:
        cell = waiting.pop()
        elements: Iterable[Any] = (*cell, *cell.values()) if type(cell) is dict and len(cell) <= left else cell
        total += _CELL * len(cell)
        for element in islice(elements, left):
            left -= 1
            kind = type(element)
            if kind is str or kind is bytes:
                total += len(element)
            elif kind is dict or kind is list or kind is tuple:
                waiting.append(element)
    return total


def total(rows: Sequence[Sequence[Any]]) -> int:
    """Estimate the bytes of rows."""
    looked_at = rows[:: max(len(rows) // SAMPLE, 1)]
    return sum(map(weight, looked_at)) * len(rows) // max(len(looked_at), 1)


def parts(rows: Sequence[Sequence[Any]], most: int) -> Iterator[Sequence[Sequence[Any]]]:
    """Yield rows in parts of ``most`` rows, or of about :data:`COLUMN_BATCH_BYTES`, whichever is less."""
    begin = 0
    while begin < len(rows):
        part = rows[begin : begin + most]
        if total(part) > COLUMN_BATCH_BYTES:
            part = part[: _fitting(part)]
        yield part
        begin += len(part)


def _fitting(rows: Sequence[Sequence[Any]]) -> int:
    """Return the number of rows that fit into :data:`COLUMN_BATCH_BYTES`, at least one."""
    taken = 0
    for position, row in enumerate(rows):
        taken += weight(row)
        if taken > COLUMN_BATCH_BYTES and position:
            return position
    return len(rows)
