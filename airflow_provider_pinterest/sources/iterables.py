"""Rows of a list or another iterable of mappings, flat or nested as in Pinterest's API."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from airflow_provider_pinterest.conversions.outcomes import RowBatch
from airflow_provider_pinterest.conversions.weights import EVERY, weight
from airflow_provider_pinterest.exceptions import ParameterError, SourceError

MAX_ROWS: Final = 2_000
"""Most rows of a row_batch."""

MAX_BYTES: Final = 4_000_000
"""Most bytes of a row_batch, about."""


class IterableSource:
    """The rows of a list or another iterable of mappings.

    Lists among them are laid out one level deep: the output of a mapped upstream task is a list of lists.
    Lists are checked to their end at once, what is read piece by piece (a generator, the XComs of a mapped task)
    while it is read.

    :param replayable: whether each attempt gets the rows anew; an iterator can be read only once.
    :raises ParameterError: it is something else; the message says what to pass.
    """

    ordered = True
    columns_complete = False

    def __init__(self, events: object, *, replayable: bool = False) -> None:
        problem = problem_of(events, replayable=replayable)
        if problem is not None:
            raise ParameterError(problem)
        rows: Any = events
        if isinstance(rows, (list, tuple)):
            for _ in _rows(rows, ParameterError):
                pass
        self._events = rows
        self.once = isinstance(events, Iterator)
        """Whether the rows can be read only once."""

    @property
    def fingerprint(self) -> Mapping[str, object]:
        """Nothing: changed rows are noticed when they are read."""
        return {}

    def open(self) -> IterableSource:
        """Return the rows, to be read from the first."""
        return self

    def cancel(self) -> None:
        """Do nothing: reading the rows does not wait for a warehouse."""

    def row_batches(self) -> Generator[RowBatch, None, None]:
        """Yield the rows, those with the same keys in the same order together.

        A generator's own exceptions come after the rows that it yielded before.

        :raises SourceError: one of them is no mapping.
        """
        for columns, same in groupby(_rows(self._events, SourceError), key=tuple):
            row_batch: list[list[Any]] = []
            taken = 0
            try:
                for row in same:
                    row_batch.append(list(row.values()))
                    if len(row_batch) % EVERY == 1:
                        taken += EVERY * weight(row_batch[-1])
                    if len(row_batch) == MAX_ROWS or taken > MAX_BYTES:
                        full, row_batch, taken = row_batch, [], 0
                        yield RowBatch(columns, full)
            except Exception:
                if row_batch:
                    yield RowBatch(columns, row_batch)
                raise
            if row_batch:
                yield RowBatch(columns, row_batch)


def problem_of(events: object, *, replayable: bool = False) -> str | None:
    """Return why a value cannot be a source of rows, and what to pass instead. The rows are not looked at.

    :param replayable: whether each attempt gets the rows anew.
    """
    if isinstance(events, str):
        return "events: expected a list of rows, got text."
    if isinstance(events, Mapping):
        if isinstance(events.get("data"), list):
            return "events: got a request body; pass the list under its 'data'."
        return "events: expected a list of rows, got one mapping; put it into a list."
    if hasattr(events, "to_dict"):
        return f"events: got a {type(events).__name__}; pass a list of rows: .to_dict('records')."
    if not isinstance(events, Iterable) or isinstance(events, (bytes, bytearray, memoryview)):
        return f"events: expected a list of rows, got {type(events).__name__}."
    if isinstance(events, Iterator) and not replayable:
        return (
            f"events: got a {type(events).__name__}, which can be read only once: a second attempt would find no "
            "rows. Pass a list, or an object that yields the rows anew each time that it is iterated."
        )
    return None


def _rows(events: Iterable[Any], error: type[Exception]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows, those of lists in their place.

    :raises error: one of them is no mapping.
    """
    row = 0
    for element in events:
        for found in element if isinstance(element, (list, tuple)) else (element,):
            row += 1
            yield _mapping(found, row, error)


def _mapping(row: Any, number: int, error: type[Exception]) -> Mapping[str, Any]:
    """Return the row if it is one."""
    if isinstance(row, Mapping) and all(type(name) is str for name in row):
        return row
    what = "a mapping with a key that is no text" if isinstance(row, Mapping) else type(row).__name__
    raise error(f"events: row {number} is {what}; expected a mapping of column names to values.")
