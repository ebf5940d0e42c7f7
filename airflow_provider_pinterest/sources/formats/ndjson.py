"""Rows of a file with one JSON object on each line (NDJSON, JSON Lines)."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NoReturn

import orjson

from airflow_provider_pinterest.conversions.outcomes import RowBatch, unreadable_row
from airflow_provider_pinterest.sources.formats.broken import BrokenFileError
from airflow_provider_pinterest.sources.formats.lines import numbered_lines
from airflow_provider_pinterest.sources.grouping import by_columns

_NUMERIC: Final = bytes(ord("0") if chr(byte) in "0123456789." else ord(" ") for byte in range(256))
"""Turns characters of numbers into zeros, and others into spaces."""

_LONG: Final = b"0" * 16
"""Characters of a number that may have more digits than a float keeps."""

_FLOAT: Final = 16
"""Characters of a number with a point up to which a float keeps all digits."""


_lenient: Final = json.JSONDecoder(strict=False, parse_int=str, parse_float=str)

_ADVICE: Final = (
    """Write one JSON object on each line, such as with `jq -c '.[]'`, or in pandas with """
    """to_json(path, orient="records", lines=True)."""
)


def ndjson_rows(blocks: Iterable[bytes], name: str) -> Generator[RowBatch, None, None]:
    """Yield the rows of a file. Empty lines are skipped; a line that is not a JSON object is an unreadable row.

    :param name: of the file, for reasons.
    :raises BrokenFileError: the first line is not a JSON object, so the file is something else.
    """
    return by_columns(_rows(blocks, name))


def _rows(blocks: Iterable[bytes], name: str) -> Iterator[Mapping[str, Any]]:
    first = True
    for number, line in numbered_lines(blocks):
        row = _object(line)
        if row is not None:
            yield row
        elif not line.strip():
            continue
        else:
            problem = _other_format(line.strip()) if first else ""
            if problem:
                expected = "; expected one JSON object on each line."
                raise BrokenFileError(f"the line {problem}{expected}", place=f"line {number:,}", advice=_ADVICE)
            yield unreadable_row(f"is not a JSON object (line {number:,} of {name})")
        first = False


def _other_format(line: bytes) -> str:
    """Return what shows that a file has another format, ``""`` if the line is just an invalid row."""
    if line.startswith(b"["):
        return "is a JSON array"
    text = line.decode(errors="replace")
    try:
        found, end = _lenient.raw_decode(text)
    except (ValueError, RecursionError):
        return "is not a JSON object"
    if end < len(text):
        return "has more than one JSON object" if isinstance(found, dict) else "is not a JSON object"
    return "" if found is None or isinstance(found, dict) else "is not a JSON object"


def _object(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a line, ``None`` if it is not one. Numbers keep all of their digits."""
    try:
        found = orjson.loads(line)
        if _LONG in line.translate(_NUMERIC):
            found = json.loads(line, parse_float=_exact, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _exact(text: str) -> float | Decimal:
    """Return a number with all of its digits."""
    return float(text) if len(text) <= _FLOAT else Decimal(text)


def _refuse(_: str) -> NoReturn:
    """Refuse NaN and infinity, which JSON does not have."""
    raise ValueError
