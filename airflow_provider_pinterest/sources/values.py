"""Rows of an XCom value or a literal: a list of mappings, flat or nested as in Pinterest's API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, Final

from airflow_provider_pinterest.conversions.events import Chunk
from airflow_provider_pinterest.exceptions import ParameterError, SourceError

CHUNK: Final = 2_000
"""Rows of a chunk at most."""


class Values:
    """The rows of a list or another iterable of mappings.

    :raises ParameterError: it is something else; the message says what to pass.
    """

    def __init__(self, events: object) -> None:
        if isinstance(events, str):
            template = "{{" in events or events.lstrip().startswith(("[", "{"))
            hint = " A Jinja template arrives as text: pass the upstream task's output itself, events=upstream.output."
            raise ParameterError(f"events: expected a list of rows, got text.{hint if template else ''}")
        if isinstance(events, Mapping):
            if isinstance(events.get("data"), list):
                raise ParameterError("events: got a request body; pass the list under its 'data'.")
            raise ParameterError("events: expected a list of rows, got one mapping; put it into a list.")
        if events is None or not isinstance(events, Iterable) or isinstance(events, (bytes, bytearray)):
            raise ParameterError(
                f"events: expected a list of rows, got {type(events).__name__}. Does the upstream task return one?"
            )
        if isinstance(events, Sequence):
            for position, row in enumerate(events):
                _mapping(row, position, ParameterError)
        self._events = events

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows, those with the same keys in the same order together.

        :raises SourceError: one of them is no mapping.
        """
        rows = (_mapping(row, position, SourceError) for position, row in enumerate(self._events))
        for columns, same in groupby(rows, key=tuple):
            cells = (list(row.values()) for row in same)
            while chunk := list(islice(cells, CHUNK)):
                yield Chunk(columns, chunk)


def _mapping(row: Any, position: int, error: type[Exception]) -> Mapping[str, Any]:
    """Return the row if it is one."""
    if isinstance(row, Mapping) and all(type(name) is str for name in row):
        return row
    what = "a mapping with a key that is no text" if isinstance(row, Mapping) else type(row).__name__
    raise error(f"events: row {position + 1} is {what}; expected a mapping of column names to values.")
