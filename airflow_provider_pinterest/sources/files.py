"""The rows of files: Parquet, CSV and NDJSON, on a disk or in an object store. They are streamed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import IO, Any, Final

from airflow_provider_pinterest.conversions.outcomes import UNREADABLE, RowBatch
from airflow_provider_pinterest.exceptions import ParameterError, SourceError
from airflow_provider_pinterest.redaction import clean
from airflow_provider_pinterest.sources.file_listing import PathObject, SourceFile, files_of, is_local, paths_of
from airflow_provider_pinterest.sources.file_patterns import folder_columns
from airflow_provider_pinterest.sources.formats.broken import BrokenFileError

log = logging.getLogger(__name__)

AHEAD: Final = 4 * 1024 * 1024
"""Bytes that are requested from a store at once, for a file that is read from its start to its end."""


_ADVICE: Final = "Write the file again, with the same rows in the same order. The next attempt reads it from the start."


class FileSource:
    """The rows of one or more files. The format of a file follows from its name, see :data:`~.file_formats.FORMATS`.

    A path with ``*``, ``?`` or ``[`` is a pattern; a path that is a folder stands for the files in it. The files are
    read in the order of their paths, and their columns may differ.

    :param path: a local path, or a path object of another store, such as a ``UPath``; or a list of them.
    :raises ParameterError: it is something else.
    """

    def __init__(
        self, path: str | os.PathLike[str] | PathObject | Sequence[str | os.PathLike[str] | PathObject]
    ) -> None:
        self._paths = paths_of(path)

    @property
    def fingerprint(self) -> Mapping[str, object]:
        """The paths and patterns. Changed files are noticed when their rows are read."""
        return {"path": [str(path) for path in self._paths]}

    def open(self) -> FileRows:
        """Find the files.

        :raises SourceError: there is no file for one of the paths.
        :raises ParameterError: the format of a file is unknown.
        """
        return FileRows(files_of(self._paths))


class FileRows:
    """The rows of files that were found.

    :param files: the files, in order.
    """

    ordered = True
    once = False

    def __init__(self, files: Sequence[SourceFile]) -> None:
        self._files = files
        self._cancelled = False
        self._reads: Callable[[str], bool] = lambda _: True
        self._named: Callable[[str], bool] = lambda _: False

    @property
    def columns_complete(self) -> bool:
        """Whether there is only one file, whose rows all have the same columns."""
        return len(self._files) == 1 and self._files[0].format.same_columns

    def select_columns(self, reads: Callable[[str], bool], named: Callable[[str], bool] = lambda _: False) -> None:
        """Leave out columns, in formats where that saves time.

        :param named: returns whether a parameter names a column. Columns in the names of folders are only yielded if
            this is so.
        """
        self._reads = reads
        self._named = named

    def cancel(self) -> None:
        """End the reading before the next row batch."""
        self._cancelled = True

    def row_batches(self) -> Generator[RowBatch, None, None]:
        """Yield the rows of all files.

        :raises SourceError: a file cannot be read to its end. The rows before that were yielded.
        """
        rows = 0
        for number, file in enumerate(self._files, 1):
            log.info("Reading file %d of %d from row %d: %s", number, len(self._files), rows + 1, file.shown)
            for row_batch in self._rows_of(file):
                rows += len(row_batch.rows)
                yield row_batch

    def _rows_of(self, file: SourceFile) -> Generator[RowBatch, None, None]:
        rows = 0
        try:
            with _opened(file) as stream:
                row_batches = file.format.row_batches(stream, file.path.name, self._reads)
                for row_batch in with_columns(row_batches, self._columns_of(file)):
                    if self._cancelled:
                        raise SourceError("The reading of files was cancelled.")
                    rows += len(row_batch.rows)
                    yield row_batch
        except (SourceError, ParameterError):
            raise
        except BrokenFileError as error:
            place = error.place or _after(rows)
            message = f"{file.shown} cannot be read, {place}: {error.problem}"
            raise SourceError(message, advice=error.advice or _ADVICE) from None
        except Exception as error:  # noqa: BLE001 - every store has its own exceptions
            # Not chained: a store's exception may quote a request with its signature.
            place = f" {_after(rows)}" if rows else ""
            raise SourceError(f"{file.shown} cannot be read{place}: {_said(error)}") from None

    def _columns_of(self, file: SourceFile) -> Mapping[str, str | None]:
        """Return the columns in the names of folders that a parameter names."""
        return {name: cell for name, cell in folder_columns(str(file.path)).items() if self._named(name)}


def with_columns(row_batches: Iterable[RowBatch], added: Mapping[str, str | None]) -> Generator[RowBatch, None, None]:
    """Yield row batches with more columns, unless they have a column with the same name."""
    for columns, rows in row_batches:
        new = {} if columns == UNREADABLE else {name: cell for name, cell in added.items() if name not in columns}
        yield RowBatch((*columns, *new), [(*row, *new.values()) for row in rows]) if new else RowBatch(columns, rows)


def _opened(file: SourceFile) -> IO[bytes]:
    """Open a file. Stores are told how much to request at once: their own defaults can be 50 MB."""
    path: Any = file.path
    hints: dict[str, Any] = {}
    if not is_local(path) and hasattr(path, "fs"):
        hints = {"block_size": AHEAD, "cache_type": "readahead"} if file.format.sequential else {"cache_type": "none"}
    try:
        opened: IO[bytes] = path.open("rb", **hints)
    except TypeError:  # a path object of another library
        opened = path.open("rb")
    return opened


def _after(rows: int) -> str:
    return f"after {rows:,} {'row' if rows == 1 else 'rows'}"


def _said(error: Exception) -> str:
    """Return what an error of a store says, without what may be personal or secret."""
    if type(error).__name__ == "FileExpired":  # of fsspec, which need not be installed
        return "the file was replaced while it was read."
    if isinstance(error, OSError) and error.strerror:
        return f"{clean(error.strerror).rstrip('.')}."
    return f"{type(error).__name__}: {clean(error)}"
