"""Rows of a list or another iterable of mappings, flat or nested as in Pinterest's API."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_pinterest.conversions.outcomes import RowBatch
from airflow_provider_pinterest.exceptions import ParameterError, SourceError
from airflow_provider_pinterest.sources.grouping import by_columns


class IterableSource:
    """The rows of a list or another iterable of mappings.

    Lists inside the list are flattened by one level, because the output of a mapped upstream task is a list of lists.
    A list is checked at once; a generator or the XComs of a mapped task are checked while they are read.

    :param replayable: whether each attempt gets a new iterator; an iterator can be read only once.
    :param name: the parameter that errors name.
    :raises ParameterError: ``events`` is something else; the message says what to pass.
    """

    ordered = True
    columns_complete = False

    def __init__(self, events: object, *, replayable: bool = False, name: str = "events") -> None:
        problem = problem_of(events, replayable=replayable, name=name)
        if problem is not None:
            raise ParameterError(problem)
        rows: Any = events
        if isinstance(rows, (list, tuple)):
            for _ in _rows(rows, name, ParameterError):
                pass
        self._events = rows
        self._name = name
        self.once = isinstance(events, Iterator)
        """Whether the rows can be read only once."""

    @property
    def fingerprint(self) -> Mapping[str, object]:
        """Empty, because changed rows are noticed when they are read."""
        return {}

    def open(self) -> IterableSource:
        """Return the rows, from the first one."""
        return self

    def cancel(self) -> None:
        """Do nothing, because reading the rows does not wait for a warehouse."""

    def row_batches(self) -> Generator[RowBatch, None, None]:
        """Yield consecutive rows with the same keys in the same order together.

        An exception of a generator is raised after the rows that it yielded before.

        :raises SourceError: a row is not a mapping.
        """
        return by_columns(_rows(self._events, self._name, SourceError))


def problem_of(events: object, *, replayable: bool = False, name: str = "events") -> str | None:
    """Return why a value cannot be a source of rows, and what to pass instead. The rows are not read.

    :param replayable: whether each attempt gets the rows anew.
    :param name: the parameter that the message names.
    """
    if isinstance(events, str):
        return f"{name}: expected a list of rows, got text."
    if isinstance(events, Mapping):
        if isinstance(events.get("data"), list):
            return f"{name}: expected a list of rows, got a request body. Pass the list in its 'data'."
        return f"{name}: expected a list of rows, got one mapping. Put it into a list."
    if hasattr(events, "to_dict"):
        return f"{name}: expected a list of rows, got a {type(events).__name__}. Pass its .to_dict('records')."
    if not isinstance(events, Iterable) or isinstance(events, (bytes, bytearray, memoryview)):
        return f"{name}: expected a list of rows, got {type(events).__name__}."
    if isinstance(events, Iterator) and not replayable:
        return (
            f"{name}: got a {type(events).__name__}, which can be read only once: a second attempt would find no "
            "rows. Pass a list, or an object that yields the rows anew each time that it is iterated."
        )
    return None


def _rows(events: Iterable[Any], name: str, error: type[Exception]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows, including those of inner lists.

    :raises error: a row is not a mapping.
    """
    row = 0
    for element in events:
        for found in element if isinstance(element, (list, tuple)) else (element,):
            row += 1
            yield _mapping(found, row, name, error)


def _mapping(row: Any, number: int, name: str, error: type[Exception]) -> Mapping[str, Any]:
    """Return a row, checked."""
    if isinstance(row, Mapping) and all(type(name) is str for name in row):
        return row
    what = "a mapping with a key that is not text" if isinstance(row, Mapping) else f"of type {type(row).__name__}"
    raise error(f"{name}: row {number} is {what}; expected a mapping of column names to values.")
