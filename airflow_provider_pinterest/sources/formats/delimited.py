"""Rows of a CSV file with a header."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable, Iterator
from itertools import groupby
from typing import Any, Final

from airflow_provider_pinterest.conversions.outcomes import UNREADABLE, RowBatch
from airflow_provider_pinterest.sources.formats.broken import BrokenFileError
from airflow_provider_pinterest.sources.formats.lines import LONGEST, numbered_lines
from airflow_provider_pinterest.sources.grouping import batched

DELIMITERS: Final = ",;\t|"
"""Characters that may separate cells. The header shows which one a file uses."""


def csv_rows(blocks: Iterable[bytes], name: str) -> Generator[RowBatch, None, None]:
    """Yield the columns of a file as a row batch without rows, then its rows. An empty cell is ``None``.

    A row with too few or too many cells, or with a NUL, is an unreadable row. A file without a single line has no rows.

    :param name: of the file, for reasons.
    :raises BrokenFileError: the header or the quotes are wrong, or a line is not UTF-8.
    """
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST))
    lines = numbered_lines(blocks)
    first = next(lines, None)
    if first is None:
        return
    header = _decoded(*first)
    reader = csv.reader(_again(header, lines), delimiter=delimiter_of(header), strict=True)
    columns = _header(_next(reader))
    yield RowBatch(columns, ())
    rows = _rows(reader, len(columns), name)
    for names, some in groupby(rows, key=lambda row: UNREADABLE if isinstance(row, tuple) else columns):
        yield from batched(names, some)


def delimiter_of(header: str) -> str:
    """Return the character that separates the names of a header: the most frequent one outside quotes."""
    outside = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def _rows(reader: Any, width: int, name: str) -> Iterator[list[Any] | tuple[str]]:
    """Yield the cells of each row, or the reason why it cannot be read as a tuple."""
    begin = reader.line_num + 1
    while (cells := _next(reader)) is not None:
        if len(cells) == width and "\0" not in "".join(cells):
            yield [cell or None for cell in cells]
        elif cells:
            problem = f"has {len(cells):,} cells, and the header has {width:,}"
            if len(cells) == width:
                problem = "has a NUL character"
            yield (f"{problem} (line {begin:,} of {name})",)
        begin = reader.line_num + 1


def _next(reader: Any) -> list[str] | None:
    """Return the next row, ``None`` at the end.

    :raises BrokenFileError: its quotes are wrong, so where the rows after it begin is unknown.
    """
    before = reader.line_num
    try:
        found: list[str] | None = next(reader, None)
    except csv.Error as error:
        raise BrokenFileError(f"the CSV is not valid: {error}.", place=f"line {before + 1:,}") from None
    return found


def _header(cells: list[str] | None) -> tuple[str, ...]:
    """Return the names of the columns.

    :raises BrokenFileError: the line is data. It may be personal, so it must not be shown as names.
    """
    names = [cell.strip() for cell in cells or ()]
    if any("@" in name or (name and not any(map(str.isalpha, name))) for name in names) or not any(names):
        raise BrokenFileError("the line is not a header; expected the names of the columns.", place="line 1")
    return tuple(names)


def _again(header: str, lines: Iterator[tuple[int, bytes]]) -> Iterator[str]:
    yield header
    for number, line in lines:
        yield _decoded(number, line)


def _decoded(number: int, line: bytes) -> str:
    r"""Return the text of a line, with its ``\n``.

    :raises BrokenFileError: it is not UTF-8.
    """
    try:
        return f"{line.decode()}\n"
    except UnicodeDecodeError:
        raise BrokenFileError("the line is not valid UTF-8.", place=f"line {number:,}") from None
