"""Groups single rows into row batches of limited size."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from itertools import groupby
from typing import Any, Final

from airflow_provider_pinterest.conversions.outcomes import RowBatch
from airflow_provider_pinterest.conversions.weights import EVERY, weight

MAX_ROWS: Final = 2_000
"""Largest number of rows in a row batch."""

MAX_BYTES: Final = 4_000_000
"""Approximate largest size of a row batch, in bytes."""


def by_columns(rows: Iterable[Mapping[str, Any]]) -> Generator[RowBatch, None, None]:
    """Yield consecutive rows with the same keys in the same order together.

    An exception of the iterable is raised after the rows before it were yielded.
    """
    for columns, same in groupby(rows, key=tuple):
        yield from batched(columns, (list(row.values()) for row in same))


def batched(columns: tuple[str, ...], rows: Iterable[Any]) -> Generator[RowBatch, None, None]:
    """Yield rows with the same columns in row batches.

    An exception of the iterable is raised after the rows before it were yielded.

    :param rows: the cells of each row.
    """
    row_batch: list[Any] = []
    taken = 0
    try:
        for row in rows:
            row_batch.append(row)
            if len(row_batch) % EVERY == 1:
                taken += EVERY * weight(row)
            if len(row_batch) == MAX_ROWS or taken > MAX_BYTES:
                full, row_batch, taken = row_batch, [], 0
                yield RowBatch(columns, full)
    except Exception:
        if row_batch:
            yield RowBatch(columns, row_batch)
        raise
    if row_batch:
        yield RowBatch(columns, row_batch)
