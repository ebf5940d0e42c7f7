"""Which format a file has, by its name."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import IO, Final, NamedTuple, Protocol

from airflow_provider_pinterest.conversions.outcomes import RowBatch
from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.sources.formats.compression import gunzipped
from airflow_provider_pinterest.sources.formats.delimited import csv_rows
from airflow_provider_pinterest.sources.formats.lines import blocks_of
from airflow_provider_pinterest.sources.formats.ndjson import ndjson_rows

GZIP: Final = ".gz"

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
    gzip: bool = False
    sequential: bool = True

    def check(self) -> None:
        """Do nothing, because nothing needs to be installed."""

    def row_batches(self, file: IO[bytes], name: str, _reads: Reads) -> Generator[RowBatch, None, None]:
        """Yield the rows of a file."""
        blocks = blocks_of(file)
        return self.rows(gunzipped(blocks) if self.gzip else blocks, name)


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


FORMATS: Final[dict[str, FileFormat]] = {
    ".parquet": Parquet(),
    **{suffix: Text(ndjson_rows, same_columns=False) for suffix in (".ndjson", ".jsonl", ".json")},
    ".csv": Text(csv_rows, same_columns=True),
    **{suffix + GZIP: Text(ndjson_rows, same_columns=False, gzip=True) for suffix in (".ndjson", ".jsonl", ".json")},
    ".csv" + GZIP: Text(csv_rows, same_columns=True, gzip=True),
}
"""End of a file's name, in lower case → its format."""


def format_of(name: str) -> FileFormat | None:
    """Return the format of a file with this name, ``None`` if the name does not say it."""
    low = name.lower()
    return next((found for suffix, found in FORMATS.items() if low.endswith(suffix)), None)
