"""Rows of a CSV file with a header."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable, Iterator
from itertools import chain, groupby
from typing import Any, Final

from airflow_provider_pinterest.conversions.outcomes import UNREADABLE, RowBatch
from airflow_provider_pinterest.sources.formats.broken import BrokenFileError
from airflow_provider_pinterest.sources.formats.lines import LONGEST, UTF8, numbered_lines
from airflow_provider_pinterest.sources.grouping import batched

DELIMITERS: Final = ",;\t|"
"""Characters that may separate cells. The header shows which one a file uses."""


def csv_rows(blocks: Iterable[bytes], name: str) -> Generator[RowBatch, None, None]:
    """Yield the columns of a file as a row batch without rows, then its rows. An empty cell is ``None``.

    A row that is not UTF-8, or that has too few or too many cells, a NUL, or a carriage return outside of quotes, is an
    unreadable row. A file without a single line has no rows.

    :param name: of the file, for reasons.
    :raises BrokenFileError: the header or the quotes are wrong.
    """
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST))
    lines = _TextLines(numbered_lines(blocks))
    above, header = _first_line(lines)
    if not header:
        return
    reader = csv.reader(chain([header], lines), delimiter=delimiter_of(header), strict=True)
    columns = _header(_next(reader, lines, above), above + 1, valid=not lines.invalid)
    yield RowBatch(columns, ())
    rows = _rows(reader, lines, above, len(columns), name)
    for names, some in groupby(rows, key=lambda row: UNREADABLE if isinstance(row, tuple) else columns):
        yield from batched(names, some)


class _TextLines:
    r"""The lines of a file as text, each with its ``\n``.

    :param lines: their numbers and bytes.
    """

    invalid = 0
    """How many lines were not UTF-8."""

    last = ""
    """The line before the next one."""

    def __init__(self, lines: Iterator[tuple[int, bytes]]) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        for _, line in self._lines:
            try:
                self.last = f"{line.decode()}\n"
            except UnicodeDecodeError:
                self.invalid += 1
                self.last = f"{line.decode('latin-1')}\n"  # has the same delimiters and quotes
            yield self.last


def delimiter_of(header: str) -> str:
    """Return the character that separates the names of a header: the most frequent one outside quotes."""
    outside = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def _first_line(lines: Iterable[str]) -> tuple[int, str]:
    """Return how many empty lines there are above the first line, and the line."""
    for number, line in enumerate(lines):
        if line.strip():
            return number, line
    return 0, ""


def _rows(reader: Any, lines: _TextLines, above: int, width: int, name: str) -> Iterator[list[Any] | tuple[str]]:
    """Yield the cells of each row, or the reason why it cannot be read as a tuple.

    :param above: the number of lines above the header.
    """
    begin = above + reader.line_num + 1
    invalid = lines.invalid
    while (cells := _next(reader, lines, above)) is not None:
        if lines.invalid == invalid and len(cells) == width and "\0" not in "".join(cells):
            yield [cell or None for cell in cells]
        elif cells:
            problem = f"has {len(cells):,} {'cell' if len(cells) == 1 else 'cells'}, and the header has {width:,}"
            if lines.invalid > invalid:
                problem = "is not valid UTF-8"
            elif cells is _RETURN:
                problem = "has a carriage return outside of quotes"
            elif len(cells) == width:
                problem = "has a NUL character"
            yield (f"{problem} (line {begin:,} of {name})",)
            invalid = lines.invalid
        begin = above + reader.line_num + 1


_RETURN: Final = ["\0"]
"""Stands for the cells of a row that has a carriage return outside of quotes. Never valid cells."""


def _next(reader: Any, lines: _TextLines, above: int) -> list[str] | None:
    """Return the next row, ``None`` at the end.

    :raises BrokenFileError: its quotes are wrong, so where the rows after it begin is unknown.
    """
    before = above + reader.line_num
    try:
        found: list[str] | None = next(reader, None)
    except csv.Error as error:
        if "new-line" in str(error) and before > above:
            return _RETURN
        problem, advice = _explained(str(error), lines.last)
        raise BrokenFileError(problem, place=f"line {before + 1:,}", advice=advice) from None
    return found


def _explained(error: str, line: str) -> tuple[str, str]:
    """Return what an error of Python's parser means, and what to do."""
    if "expected after" in error and '\\"' in line:
        return (
            "a quote in a quoted cell is escaped with a backslash; expected a doubled quote.",
            """Write the file with doubled quotes, in Spark with .option("escape", "\\"").""",
        )
    if "expected after" in error:
        return "a quote in a quoted cell is not doubled.", "Write the file with doubled quotes in quoted cells."
    if "end of data" in error:
        return "a quoted cell is not closed.", ""
    if "new-line" in error:
        return "the lines end with carriage returns.", r"Write the file with lines that end with \n or \r\n."
    return f"the CSV is not valid: {error}.", ""


def _header(cells: list[str] | None, line: int, *, valid: bool) -> tuple[str, ...]:
    """Return the names of the columns.

    :param valid: whether they are UTF-8.
    :raises BrokenFileError: the line is data. It may be personal, so it must not be shown as names.
    """
    place = f"line {line:,}"
    if not valid:
        raise BrokenFileError("the line is not valid UTF-8.", place=place, advice=UTF8)
    names = [cell.strip() for cell in cells or ()]
    if names[:1] and names[0].startswith(("{", "[")):
        raise BrokenFileError("the file is not CSV but JSON, unlike its name.", place=place)
    if any("@" in name or (name and not any(map(str.isalpha, name))) for name in names) or not any(names):
        raise BrokenFileError("the line is not a header; expected the names of the columns.", place=place)
    return tuple(names)
