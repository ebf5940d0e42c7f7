"""Turn row batches into column batches; coalesce rows with different columns before they are parsed.

A column batch has fixed costs: a row that is alone in one costs five times as much as a row among hundreds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from airflow_provider_pinterest.conversions.column_batches import ColumnBatch
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.conversions.outcomes import RowBatch
from airflow_provider_pinterest.conversions.weights import COLUMN_BATCH_BYTES, EVERY, parts, total

COLUMN_BATCH_ROWS: Final = 500
"""Most rows of a column batch; they fit into the cache of a processor."""

FIT_KEPT: Final = 1_024
"""Most sets of columns remembered as compatible; rows with ever new keys must not fill the memory."""


def coalesce(row_batches: Iterable[RowBatch], mapping: ColumnMapping) -> Iterator[ColumnBatch]:
    """Yield the rows of row batches in order, up to :data:`COLUMN_BATCH_ROWS` at a time, or about 4 MB of cells.

    Only rows whose columns differ from those before are delayed. If the source fails, the rows before the failure are
    yielded first.
    """
    gathered = Coalescer(mapping)
    before = None
    try:
        for row_batch in row_batches:
            if not row_batch.rows:
                continue
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
    """Collects rows that can be parsed together; a row is empty in the columns that it lacks.

    Coalescing must not change the outcome of a row. So columns are only combined if each of them is known, and no two
    of them map to the same field or differ only in case.
    """

    def __init__(self, mapping: ColumnMapping) -> None:
        self.size = 0
        self._bytes = 0
        self._mapping = mapping
        self._row = 1
        self._row_batches: list[RowBatch] = []
        self._columns: tuple[str, ...] = ()
        self._fields: set[str] = set()
        self._fit: set[tuple[str, ...]] = set()

    @property
    def full(self) -> bool:
        """Whether the rows should be parsed now."""
        return self.size >= COLUMN_BATCH_ROWS or self._bytes >= COLUMN_BATCH_BYTES

    def takes(self, columns: tuple[str, ...]) -> bool:
        """Return whether rows with these columns can join the collected ones."""
        return columns in self._fit or (bool(self._fit) and self._widen(columns))

    def begin(self, columns: tuple[str, ...]) -> None:
        """Start again with rows that have these columns."""
        self._columns, self._fields, self._fit = (), set(), set()
        if not self._widen(columns):
            self._columns = columns

    def add(self, row_batch: RowBatch) -> None:
        """Add the rows of a row batch."""
        self._row_batches.append(row_batch)
        if len(self._row_batches) % EVERY == 1:
            self._bytes += EVERY * total(row_batch.rows)
        self.size += len(row_batch.rows)

    def emptied(self) -> Iterator[ColumnBatch]:
        """Yield all rows; the columns are kept."""
        row_batches, self._row_batches, self.size, self._bytes = self._row_batches, [], 0, 0
        rows = self._laid_out(row_batches)
        for part in parts(rows, COLUMN_BATCH_ROWS):
            column_batch = ColumnBatch.of(self._row, RowBatch(self._columns, part))
            self._row += column_batch.size
            yield column_batch

    def _widen(self, columns: tuple[str, ...]) -> bool:
        """Add columns, if they are compatible; return whether they are."""
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
        """Return the rows with a cell for each column."""
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
