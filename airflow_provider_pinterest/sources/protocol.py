"""The interface of a source of rows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from airflow_provider_pinterest.conversions.outcomes import RowBatch


class OpenSource(Protocol):
    """Rows that are read once, from the first to the last."""

    @property
    def ordered(self) -> bool:
        """Whether the rows are known to come in the same order each time. If not, a warning is logged."""

    @property
    def columns_complete(self) -> bool:
        """Whether all rows have the columns of the first row batch."""

    @property
    def once(self) -> bool:
        """Whether :meth:`row_batches` can be called only once."""

    def row_batches(self) -> Generator[RowBatch, None, None]:
        """Yield the rows in batches with the same columns. Called in a separate thread.

        :raises SourceError: the rows cannot be read to their end.
        """

    def cancel(self) -> None:
        """Stop reading. Called in another thread; :meth:`row_batches` then raises soon."""


@runtime_checkable
class SelectiveSource(Protocol):
    """An open source that can leave out columns whose cells do not matter."""

    def select_columns(self, reads: Callable[[str], bool], named: Callable[[str], bool]) -> None:
        """Leave out columns. Called before the rows are read.

        The first row batch still has all columns, so that they can be checked.

        :param reads: returns whether the cells of a column matter.
        :param named: returns whether a parameter names a column. Columns that are easily mistaken for something else
            are only yielded if this is so.
        """


class Source(Protocol):
    """A source of rows; each attempt opens it."""

    @property
    def fingerprint(self) -> Mapping[str, object]:
        """The values that decide which rows the source yields, by parameter. Only their hashes are stored."""

    def open(self) -> OpenSource:
        """Return the rows, from the first one. Called in the thread of the caller.

        :raises ParameterError: a parameter of the source is wrong.
        """


@dataclass(frozen=True)
class LazySource:
    """A source that is created when it is opened.

    :param fingerprint: see :attr:`Source.fingerprint`.
    :param open: opens it.
    """

    fingerprint: Mapping[str, object]
    open: Callable[[], OpenSource]
