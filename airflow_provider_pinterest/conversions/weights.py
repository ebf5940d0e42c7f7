"""How many bytes rows take, about: enough to limit what is kept of them.

Only some of the rows are looked at, so that rows of ordinary size cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

EVERY: Final = 16
"""Of so many rows that come one by one, one is looked at."""

SAMPLE: Final = 16
"""Of rows that come together about so many are looked at."""

COLUMN_BATCH_BYTES: Final = 4_000_000
"""Most bytes of cells that are read, or made into events, at once."""

_CELL: Final = 50
"""Bytes of a cell that is a number, and of an element of a list."""

_LOOKED_AT: Final = 10_000
"""Elements of a nested cell that are looked at."""


def weight(cells: Iterable[Any]) -> int:
    """Return about how many bytes the cells of a row take."""
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
    """Return about how many bytes lists and mappings take; of very large ones the first elements count for all."""
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
    """Return about how many bytes rows take."""
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
    """Return how many rows take no more than :data:`COLUMN_BATCH_BYTES`, one at least."""
    taken = 0
    for position, row in enumerate(rows):
        taken += weight(row)
        if taken > COLUMN_BATCH_BYTES and position:
            return position
    return len(rows)
