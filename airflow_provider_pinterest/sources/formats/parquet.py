"""Rows of a Parquet file. Only the columns that matter are read, a few thousand rows at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from typing import IO, Any, Final, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_pinterest.conversions.outcomes import RowBatch
from airflow_provider_pinterest.redaction import clean
from airflow_provider_pinterest.sources.formats.arrow_cells import python_cells
from airflow_provider_pinterest.sources.formats.broken import BrokenFileError
from airflow_provider_pinterest.sources.formats.first_bytes import LONGEST_MARK, foreign_format
from airflow_provider_pinterest.sources.grouping import MAX_BYTES, MAX_ROWS

T = TypeVar("T")

BUFFER: Final = 1024 * 1024
"""Bytes of a column that are read at once. Without it, the whole column of a row group would be in memory."""

MARK, ENCRYPTED = b"PAR1", b"PARE"
"""First bytes of a Parquet file, and of one whose footer is encrypted."""

_pandas_index: Final = re.compile(r"__index_level_\d+__").fullmatch
"""Whether a column is the index of a pandas data frame that has no name."""

LEAST_ROWS: Final = 16
"""Smallest number of rows that are decoded at once."""


def parquet_rows(file: IO[bytes], reads: Callable[[str], bool]) -> Generator[RowBatch, None, None]:
    """Yield all columns of a file as a row batch without rows, then the rows, with the columns that matter.

    :param reads: returns whether the cells of a column matter.
    :raises BrokenFileError: the file is not a Parquet file, or a row group is damaged.
    """
    watched = _Watched(file)
    try:
        opened = pq.ParquetFile(
            watched,
            pre_buffer=False,
            buffer_size=BUFFER,
            coerce_int96_timestamp_unit="us",  # years that nanoseconds cannot hold would become other years
            page_checksum_verification=True,
        )
    except (pa.ArrowException, OSError, ValueError) as error:
        raise watched.failure or _not_parquet(file, error) from None
    names = [name for name in opened.schema_arrow.names if not _pandas_index(name)]
    yield RowBatch((*names,), ())
    wanted = [name for name in dict.fromkeys(names) if reads(name)] or names[:1]
    groups = opened.num_row_groups
    known = 0
    for group in range(groups):
        most = rows_at_once(opened.metadata.row_group(group), {*wanted}, known)
        try:
            for batch in opened.iter_batches(most, row_groups=[group], columns=wanted, use_threads=False):
                known = max(known, batch.nbytes // max(batch.num_rows, 1))
                yield from _row_batches(batch, {*wanted})
        except (pa.ArrowException, OSError, ValueError) as error:
            place = f"row group {group + 1:,} of {groups:,}"
            raise watched.failure or BrokenFileError(f"{clean(error).rstrip('.')}.", place=place) from None


class _Watched:
    """A file that remembers why it could not be read: a store that fails must not look like a damaged file."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.failure: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        """Read bytes."""
        return self._noting(self._file.read, size)

    def seek(self, *place: int) -> int:
        """Go to a place in the file."""
        return self._noting(self._file.seek, *place)

    def tell(self) -> int:
        """Return the place in the file."""
        return self._noting(self._file.tell)

    def close(self) -> None:
        """Do nothing, because the file itself is closed elsewhere."""

    def _noting(self, method: Callable[..., T], *arguments: int) -> T:
        try:
            return method(*arguments)
        except Exception as error:
            self.failure = error
            raise


def _not_parquet(file: IO[bytes], error: Exception) -> BrokenFileError:
    """Return why a file cannot be opened."""
    file.seek(0)
    first = file.read(LONGEST_MARK)
    if first.startswith(ENCRYPTED):
        return BrokenFileError("the file is encrypted.", place="its footer", advice="Write it without encryption.")
    foreign = "" if first.startswith(MARK) else foreign_format(first)
    if foreign:
        return BrokenFileError(f"the file is not Parquet but {foreign}, unlike its name.", place="its start")
    return BrokenFileError(f"it is not a complete Parquet file: {clean(error).rstrip('.')}.", place="its footer")


def rows_at_once(group: Any, wanted: set[str], known: int) -> int:
    """Return how many rows of a row group to decode at once, so that they take a few megabytes.

    :param wanted: the columns that are read.
    :param known: bytes of a decoded row, from row groups before; the size in the file may be far less.
    """
    columns = [group.column(position) for position in range(group.num_columns)]
    taken = sum(one.total_uncompressed_size for one in columns if _is_of(one.path_in_schema, wanted))
    row = max(taken // max(group.num_rows, 1), known, 1)
    return int(max(LEAST_ROWS, min(MAX_ROWS, MAX_BYTES // row)))


def _is_of(path: str, columns: set[str]) -> bool:
    """Return whether a path, such as ``items.list.element.id``, belongs to one of the columns."""
    return path in columns or any(path.startswith(f"{column}.") for column in columns)


def _row_batches(batch: pa.RecordBatch, wanted: set[str]) -> Generator[RowBatch, None, None]:
    """Yield the rows of a record batch, in parts if they are large."""
    chosen = [position for position, name in enumerate(batch.schema.names) if name in wanted]
    columns = tuple(batch.schema.names[position] for position in chosen)
    size = max(1, min(batch.num_rows, MAX_BYTES * batch.num_rows // max(batch.nbytes, 1)))
    for first in range(0, batch.num_rows, size):
        part = batch.slice(first, size)
        cells: Sequence[Sequence[Any]] = [python_cells(part.column(position)) for position in chosen]
        rows = list(zip(*cells, strict=True))
        yield RowBatch(columns, rows)
