"""Transform rows into events, in the order of the source. Decisions that depend on earlier rows are made here."""

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
from airflow_provider_pinterest.conversions.coalescing import coalesce
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
    """Transform rows into events, and count warnings, coverage and unlisted names.

    :param mapping: how columns become fields.
    :param now: the current time in Unix seconds.
    :param max_event_age: older rows are rejected; ``None``: none are.
    :param max_event_bytes: larger events are rejected.
    :param exclusions: rules that keep rows from being sent.
    :param processes: number of processes that transform rows; 0: this process does.
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
        self._transformer = BatchTransformer(
            mapping,
            now=now,
            max_event_age=max_event_age,
            max_event_bytes=max_event_bytes,
            exclusions=exclusions or None,
        )
        self._processes = _processes(self._transformer, processes) if processes else None
        self._seen = SeenEvents()
        self._several_accounts = mapping.ad_account_id_column is not None
        self._warnings: Counter[str] = Counter()
        self._coverage: Counter[str] = Counter()
        self._unlisted: Counter[str] = Counter()
        self._waiting: deque[Outcome] = deque()
        """Outcomes of the current batch that have not been yielded yet; they are counted already."""

    def events(self, row_batches: Iterable[RowBatch]) -> Iterator[Outcome]:
        """Yield the outcome of each row, in the order of the source."""
        found = coalesce(row_batches, self._mapping)
        results = map(self._transformer.transform, found) if self._processes is None else self._processes.results(found)
        for result in results:
            waiting = self._waiting = self._distinct(result)
            while waiting:
                yield waiting.popleft()

    def close(self) -> None:
        """End the processes, if any."""
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

        They may be logged: personal parts are replaced.
        """
        found = self._counted(self._unlisted, lambda event: _unlisted(event.name))
        return most_frequent(found, most)

    def _distinct(self, result: TransformResult) -> deque[Outcome]:
        """Return the outcomes of a column batch, with repeated events as duplicates; count them."""
        self._warnings += result.warnings
        self._warnings += result.noticed
        self._coverage += result.coverage
        add_names(self._unlisted, result.unlisted)
        outcomes: deque[Outcome] = deque()
        add = self._seen.add
        several = self._several_accounts
        for outcome in result.outcomes():
            if type(outcome) is Event and not add(
                event_key(f"{outcome.ad_account_id}\0{outcome.name}" if several else outcome.name, outcome.id)
            ):
                self._warnings.subtract(noticed(outcome.name, type(outcome.time)))
                self._coverage.subtract(fields_of(outcome.body))
                self._unlisted.subtract(_unlisted(outcome.name))
                outcomes.append(Duplicate(outcome.row, outcome.ad_account_id, outcome))
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


def _processes(transformer: BatchTransformer, count: int) -> TransformPool:
    """Start processes; their module is loaded only if it is needed."""
    from airflow_provider_pinterest.conversions.transform_pool import TransformPool

    return TransformPool(transformer, count)
