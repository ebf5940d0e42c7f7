"""Chunks → pieces: rows that come with ever other keys are put together before they are read.

A piece has fixed costs, so that a row that is alone in one costs five times as much as among hundreds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from airflow_provider_pinterest.conversions.column_batches import ColumnBatch
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.conversions.outcomes import RowBatch
from airflow_provider_pinterest.conversions.weights import EVERY, PIECE_BYTES, parts, total

PIECE: Final = 500
"""Rows that are made into events at once; so many fit into a processor's own memory."""

FIT_KEPT: Final = 1_024
"""Sets of columns remembered as fitting together; rows with ever new keys must not fill the memory."""


def pieces(row_batches: Iterable[RowBatch], mapping: ColumnMapping) -> Iterator[ColumnBatch]:
    """Yield the rows of row_batches in their order, up to :data:`PIECE` at a time, or about 4 MB of cells.

    Only row_batches that differ from the one before are waited for. Those that were read before the source fails come
    before its exception.
    """
    gathered = Coalescer(mapping)
    before = None
    try:
        for row_batch in row_batches:
            if not gathered.takes(row_batch.columns):
                yield from gathered.emptied()
                gathered.begin(row_batch.columns)
            gathered.add(row_batch)
            if before in (None, row_batch.columns) or gathered.full:
                yield from gathered.emptied()
            before = row_batch.columns
    except Exception:
        yield from gathered.emptied()
        raise
    yield from gathered.emptied()


class Coalescer:
    """Rows that can be read together: what one of them lacks of the others' columns is empty in it.

    A row must become what it becomes by itself. So a column that maps to nothing is not put beside others, nor is one
    beside another that maps to the same field or has the same name but for its case.
    """

    def __init__(self, mapping: ColumnMapping) -> None:
        self.size = 0
        self._bytes = 0
        self._mapping = mapping
        self._row = 1
        self._chunks: list[RowBatch] = []
        self._columns: tuple[str, ...] = ()
        self._fields: set[str] = set()
        self._fit: set[tuple[str, ...]] = set()

    @property
    def full(self) -> bool:
        """Whether the rows are to be read now."""
        return self.size >= PIECE or self._bytes >= PIECE_BYTES

    def takes(self, columns: tuple[str, ...]) -> bool:
        """Return whether rows with these columns can be put beside those that are there."""
        return columns in self._fit or (bool(self._fit) and self._widen(columns))

    def begin(self, columns: tuple[str, ...]) -> None:
        """Begin anew, with rows that have these columns."""
        self._columns, self._fields, self._fit = (), set(), set()
        if not self._widen(columns):
            self._columns = columns

    def add(self, row_batch: RowBatch) -> None:
        """Add the rows of a row_batch that was taken, or begun with."""
        self._chunks.append(row_batch)
        if len(self._chunks) % EVERY == 1:
            self._bytes += EVERY * total(row_batch.rows)
        self.size += len(row_batch.rows)

    def emptied(self) -> Iterator[ColumnBatch]:
        """Yield all rows; the columns stay."""
        row_batches, self._chunks, self.size, self._bytes = self._chunks, [], 0, 0
        rows = self._laid_out(row_batches)
        for part in parts(rows, PIECE):
            piece = ColumnBatch.of(self._row, RowBatch(self._columns, part))
            self._row += piece.size
            yield piece

    def _widen(self, columns: tuple[str, ...]) -> bool:
        """Make room for columns; return whether there can be."""
        new = [name for name in columns if name not in self._columns]
        targets = [self._mapping.target(name) for name in new]
        fields = [path or folded(name) for name, (_, path) in zip(new, targets, strict=True)]
        if len({*columns}) < len(columns) or not all(known for known, _ in targets):
            return False
        if len({*fields}) < len(fields) or not self._fields.isdisjoint(fields):
            return False
        self._columns += (*new,)
        self._fields |= {*fields}
        if len(self._fit) >= FIT_KEPT:
            self._fit.clear()
        self._fit.add(columns)
        return True

    def _laid_out(self, row_batches: Iterable[RowBatch]) -> list[Sequence[Any]]:
        """Return the rows of row_batches with a cell for each column."""
        rows: list[Sequence[Any]] = []
        positions: dict[tuple[str, ...], list[int | None]] = {}
        for columns, some in row_batches:
            if columns == self._columns:
                rows += some
                continue
            if columns not in positions:
                at = {name: position for position, name in enumerate(columns)}
                positions[columns] = [at.get(name) for name in self._columns]
            order = positions[columns]
            rows += ([None if position is None else row[position] for position in order] for row in some)
        return rows
