"""What a source of rows has to offer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_pinterest.conversions.outcomes import RowBatch


class OpenSource(Protocol):
    """Rows that are read once, from the first to the last."""

    @property
    def ordered(self) -> bool:
        """Whether the rows are known to come in the same order each time. A warning is logged where they are not."""

    @property
    def columns_complete(self) -> bool:
        """Whether the columns of the first row_batch are those of all rows."""

    @property
    def once(self) -> bool:
        """Whether :meth:`row_batches` can be called only once."""

    def row_batches(self) -> Generator[RowBatch, None, None]:
        """Yield the rows, those with the same columns together, in a thread of its own.

        :raises SourceError: the source cannot be read, or breaks off.
        """

    def cancel(self) -> None:
        """Stop reading, called in another thread: :meth:`row_batches` raises soon."""


class Source(Protocol):
    """Where rows come from; each attempt opens it."""

    @property
    def fingerprint(self) -> Mapping[str, object]:
        """What decides which rows it yields, by the name of the parameter. It is stored as hashes only."""

    def open(self) -> OpenSource:
        """Return the rows from the first on; called in the caller's thread.

        :raises ParameterError: the source cannot work.
        """


@dataclass(frozen=True)
class LazySource:
    """A source that is looked up when it is opened.

    :param fingerprint: see :attr:`Source.fingerprint`.
    :param open: opens it.
    """

    fingerprint: Mapping[str, object]
    open: Callable[[], OpenSource]
