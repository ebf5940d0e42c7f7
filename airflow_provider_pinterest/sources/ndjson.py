"""Rows of a file with one JSON object on each line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from airflow_provider_pinterest.exceptions import SourceError


class NdjsonFile:
    """The rows of a file, read anew each time that they are iterated, for :class:`~.iterables.IterableSource`.

    :param path: the file, in UTF-8. Empty lines are skipped.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        try:
            with self._path.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        yield self._row(number, line)
        except OSError as error:
            raise SourceError(f"{self._path.name} cannot be read: {error.strerror}.") from None

    def _row(self, number: int, line: bytes) -> Mapping[str, Any]:
        try:
            row = orjson.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            # Not chained: the parser's error quotes the line, which is personal.
            raise SourceError(f"Line {number} of {self._path.name} is not a JSON object.") from None
        return row
