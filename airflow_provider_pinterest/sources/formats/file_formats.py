"""Which format a file has, by its name."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import IO, Final, NamedTuple, Protocol

from airflow_provider_pinterest.conversions.outcomes import RowBatch
from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.sources.formats.compression import SUFFIXES, decompressed
from airflow_provider_pinterest.sources.formats.delimited import csv_rows
from airflow_provider_pinterest.sources.formats.lines import blocks_of
from airflow_provider_pinterest.sources.formats.ndjson import ndjson_rows

Reads = Callable[[str], bool]
"""Returns whether the cells of a column matter."""


class FileFormat(Protocol):
    """A format of files."""

    @property
    def same_columns(self) -> bool:
        """Whether all rows of a file have the same columns."""

    @property
    def sequential(self) -> bool:
        """Whether a file is read from its first byte to its last."""

    def check(self) -> None:
        """Check that files of the format can be read here.

        :raises ParameterError: a package is not installed.
        """

    def row_batches(self, file: IO[bytes], name: str, reads: Reads) -> Generator[RowBatch, None, None]:
        """Yield the rows of a file.

        :raises BrokenFileError: the file cannot be read to its end.
        """


class Text(NamedTuple):
    """A format with one row on each line.

    :param rows: yields the row batches of the blocks of a file.
    """

    rows: Callable[..., Generator[RowBatch, None, None]]
    same_columns: bool
    sequential: bool = True

    def check(self) -> None:
        """Do nothing, because nothing needs to be installed."""

    def row_batches(self, file: IO[bytes], name: str, _reads: Reads) -> Generator[RowBatch, None, None]:
        """Yield the rows of a file."""
        return self.rows(decompressed(blocks_of(file)), name)


@dataclass(frozen=True)
class Parquet:
    """Parquet files, which pyarrow reads."""

    same_columns: bool = True
    sequential: bool = False

    def check(self) -> None:
        """Check that pyarrow is installed.

        :raises ParameterError: it is not.
        """
        if find_spec("pyarrow") is None:
            raise ParameterError(
                "Parquet files need the package pyarrow, which is not installed.",
                advice="Install airflow-provider-pinterest[parquet].",
            )

    def row_batches(self, file: IO[bytes], _name: str, reads: Reads) -> Generator[RowBatch, None, None]:
        """Yield the rows of a file."""
        from airflow_provider_pinterest.sources.formats.parquet import parquet_rows

        return parquet_rows(file, reads)


_TEXT: Final = {
    **dict.fromkeys((".ndjson", ".jsonl", ".json"), Text(ndjson_rows, same_columns=False)),
    **dict.fromkeys((".csv", ".tsv"), Text(csv_rows, same_columns=True)),
}

FORMATS: Final[dict[str, FileFormat]] = {
    **dict.fromkeys((".parquet", ".parq", ".pq"), Parquet()),
    **_TEXT,
    **{name + suffix: found for name, found in _TEXT.items() for suffix in SUFFIXES},
}
"""End of a file's name, in lower case → its format."""

ENDS: Final = (
    f"{', '.join(name for name in FORMATS if name.count('.') == 1)}. "
    f"Text files may be compressed: {', '.join(f'.csv{suffix}' for suffix in SUFFIXES)}."
)
"""The ends of names, as an end of a sentence."""


def format_of(name: str) -> FileFormat | None:
    """Return the format of a file with this name, ``None`` if the name does not say it."""
    low = name.lower()
    return next((found for suffix, found in FORMATS.items() if low.endswith(suffix)), None)
