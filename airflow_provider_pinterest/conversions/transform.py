"""Rows → events, in the order of the source: what depends on the rows before is decided and counted here."""

from __future__ import annotations

import datetime as dt
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from airflow_provider_pinterest.conversions.batch_transformer import (
    BatchTransformer,
    TransformResult,
    fields_of,
    noticed,
)
from airflow_provider_pinterest.conversions.coalescing import pieces
from airflow_provider_pinterest.conversions.duplicates import SeenEvents, event_key
from airflow_provider_pinterest.conversions.event_names import (
    UnlistedName,
    add_names,
    counted_as,
    is_listed,
    most_frequent,
)
from airflow_provider_pinterest.conversions.exclusions import Exclusions
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.outcomes import Duplicate, Event, Outcome, RowBatch

if TYPE_CHECKING:
    from airflow_provider_pinterest.conversions.transform_pool import TransformPool


class Transform:
    """Makes events of rows, and counts what it notices on the way.

    :param mapping: how columns become fields.
    :param now: Unix seconds that "future" and "too old" are measured from.
    :param max_event_age: older rows are rejected; ``None``: none are.
    :param max_event_bytes: larger events are rejected.
    :param exclusions: rules that keep rows from being sent.
    :param processes: so many processes make the events; 0: this one does.
    """

    def __init__(
        self,
        mapping: ColumnMapping,
        *,
        now: float,
        max_event_age: dt.timedelta | None = None,
        max_event_bytes: int = 2_000_000,
        exclusions: Exclusions | None = None,
        processes: int = 0,
    ) -> None:
        self._mapping = mapping
        self._maker = BatchTransformer(
            mapping,
            now=now,
            max_event_age=max_event_age,
            max_event_bytes=max_event_bytes,
            exclusions=exclusions or None,
        )
        self._processes = _processes(self._maker, processes) if processes else None
        self._seen = SeenEvents()
        self._warnings: Counter[str] = Counter()
        self._coverage: Counter[str] = Counter()
        self._unlisted: Counter[str] = Counter()
        self._waiting: deque[Outcome] = deque()
        """What the rows of the piece at hand became, as far as it was not yielded; counted all the same."""

    def events(self, row_batches: Iterable[RowBatch]) -> Iterator[Outcome]:
        """Yield what became of each row, in the order of the source."""
        found = pieces(row_batches, self._mapping)
        all_made = map(self._maker.make, found) if self._processes is None else self._processes.made(found)
        for made in all_made:
            waiting = self._waiting = self._distinct(made)
            while waiting:
                yield waiting.popleft()

    def close(self) -> None:
        """End the processes, if there are any."""
        if self._processes is not None:
            self._processes.close()

    @property
    def warnings(self) -> Counter[str]:
        """Warning code → events that were yielded, or cells that were read."""
        return self._counted(self._warnings, lambda event: noticed(event.name, type(event.time)))

    @property
    def coverage(self) -> Counter[str]:
        """Field path → valid, distinct events that carry it, of those that were yielded."""
        return self._counted(self._coverage, lambda event: fields_of(event.body))

    def unlisted_names(self, most: int = 5) -> list[UnlistedName]:
        """Return the most frequent names of yielded events that Pinterest does not list.

        They may be shown in a log: what may be personal in them is replaced.
        """
        found = self._counted(self._unlisted, lambda event: _unlisted(event.name))
        return most_frequent(found, most)

    def _distinct(self, made: TransformResult) -> deque[Outcome]:
        """Return what the rows of a piece became, of each event only the first; count them."""
        self._warnings += made.warnings
        self._warnings += made.noticed
        self._coverage += made.coverage
        add_names(self._unlisted, made.unlisted)
        outcomes: deque[Outcome] = deque()
        add = self._seen.add
        for outcome in made.outcomes():
            if type(outcome) is Event and not add(event_key(outcome.name, outcome.id)):
                self._warnings.subtract(noticed(outcome.name, type(outcome.time)))
                self._coverage.subtract(fields_of(outcome.body))
                self._unlisted.subtract(_unlisted(outcome.name))
                outcomes.append(Duplicate(outcome.row))
            else:
                outcomes.append(outcome)
        return outcomes

    def _counted(self, counts: Counter[str], of: Callable[[Event], Iterable[str]]) -> Counter[str]:
        """Return counts without those of the events that were not yielded."""
        found = Counter(counts)
        for outcome in self._waiting:
            if type(outcome) is Event:
                found.subtract(of(outcome))
        return +found


def _unlisted(name: str) -> Iterator[str]:
    """Yield the name under which an event is counted, if Pinterest does not list it."""
    if not is_listed(name):
        yield counted_as(name)


def _processes(maker: BatchTransformer, count: int) -> TransformPool:
    """Start processes; their module is loaded only where there are any."""
    from airflow_provider_pinterest.conversions.transform_pool import TransformPool

    return TransformPool(maker, count)
