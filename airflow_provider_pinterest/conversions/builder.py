"""Rows → events, in the order of the source: what depends on the rows before is decided and counted here."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from airflow_provider_pinterest.conversions.duplicates import SeenEvents, event_key
from airflow_provider_pinterest.conversions.events import Chunk, Duplicate, Event, Outcome
from airflow_provider_pinterest.conversions.making import EventMaker, Kind, Made
from airflow_provider_pinterest.conversions.mapping import ColumnMapping

if TYPE_CHECKING:
    from airflow_provider_pinterest.conversions.processes import Processes

PIECE: Final = 500
"""Rows that are made into events at once; so many fit into a processor's own memory."""


class EventBuilder:
    """Makes events of rows, and counts what it notices on the way.

    :param mapping: how columns become fields.
    :param now: Unix seconds that "future" and "too old" are measured from.
    :param max_event_age: older rows are rejected; ``None``: none are.
    :param max_event_bytes: larger events are rejected.
    :param processes: so many processes make the events; 0: this one does.
    """

    def __init__(
        self,
        mapping: ColumnMapping,
        *,
        now: float,
        max_event_age: dt.timedelta | None = None,
        max_event_bytes: int = 2_000_000,
        processes: int = 0,
    ) -> None:
        self.warnings: Counter[str] = Counter()
        """Warning code → rows."""
        self._maker = EventMaker(mapping, now=now, max_event_age=max_event_age, max_event_bytes=max_event_bytes)
        self._processes = _processes(self._maker, processes) if processes else None
        self._seen = SeenEvents()
        self._coverage: Counter[str] = Counter()
        self._counted: tuple[Sequence[Kind], list[int]] = ([], [])
        """The kinds of events in the piece at hand, and how many of each were distinct."""

    def events(self, chunks: Iterable[Chunk]) -> Iterator[Outcome]:
        """Yield what became of each row, in the order of the source.

        :raises MappingError: two columns of a chunk map to the same field.
        """
        pieces = _pieces(chunks)
        if self._processes is not None:
            all_made: Iterable[Made] = self._processes.made(_parcels(pieces))
        else:
            all_made = (self._maker.make(first, piece) for first, piece in pieces)
        for made in all_made:
            yield from self._distinct(made)

    def close(self) -> None:
        """End the processes, if there are any."""
        if self._processes is not None:
            self._processes.close()

    def _distinct(self, made: Made) -> Iterator[Outcome]:
        """Yield the outcomes of a piece, of each event only the first, and count them."""
        self._fold()
        self.warnings += made.warnings
        counts = [0] * len(made.kinds)
        self._counted = made.kinds, counts
        of_kind = iter(made.of_kind)
        add = self._seen.add
        for outcome in made.outcomes:
            if type(outcome) is Event:
                kind = next(of_kind)
                if not add(event_key(outcome.name, outcome.id)):
                    yield Duplicate(outcome.row)
                    continue
                counts[kind] += 1
                for code in made.kinds[kind].warnings:
                    self.warnings[code] += 1
            yield outcome

    @property
    def coverage(self) -> Counter[str]:
        """Field path → valid, distinct events that carry it."""
        self._fold()
        return +self._coverage

    def _fold(self) -> None:
        """Add what was counted of the piece at hand."""
        kinds, counts = self._counted
        for kind, count in zip(kinds, counts, strict=True):
            for path in kind.paths:
                self._coverage[path] += count
            for path in kind.lacking:
                self._coverage[path] -= count
        self._counted = [], []


def _pieces(chunks: Iterable[Chunk]) -> Iterator[tuple[int, Chunk]]:
    """Cut chunks to :data:`PIECE` rows, each with the number of its first row."""
    row = 1
    for columns, rows in chunks:
        for begin in range(0, len(rows), PIECE):
            piece = Chunk(columns, rows[begin : begin + PIECE])
            yield row, piece
            row += len(piece.rows)


def _parcels(pieces: Iterable[tuple[int, Chunk]]) -> Iterator[list[tuple[int, Chunk]]]:
    """Gather pieces to :data:`PIECE` rows or more; those that were read before the source fails come before."""
    parcel: list[tuple[int, Chunk]] = []
    try:
        for first, piece in pieces:
            parcel.append((first, piece))
            if first + len(piece.rows) - parcel[0][0] >= PIECE:
                yield parcel
                parcel = []
    except Exception:
        if parcel:
            yield parcel
        raise
    if parcel:
        yield parcel


def _processes(maker: EventMaker, count: int) -> Processes:
    """Start processes; their module is loaded only where there are any."""
    from airflow_provider_pinterest.conversions.processes import Processes

    return Processes(maker, count)
