"""What a try leaves behind for the next: how far the source is settled, in a form that can be verified.

A checkpoint names a prefix of the source, all of whose rows are accounted for, and the counts of that prefix.
The next try reads the source again from its first row, makes the same events, sends none of the prefix, and goes
on only if their names and ids hash to the same value. Batches under way or settled beyond the prefix are marked
one by one, so that events which Pinterest cannot deduplicate are not sent a second time in doubt.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import orjson

from airflow_provider_pinterest.conversions.events import Event, Stage
from airflow_provider_pinterest.delivery.result import Delivered

VERSION: Final = 2

KEY: Final = "airflow_provider_pinterest.checkpoint"
"""The key under which a checkpoint stands in Airflow's task state store."""

EVERY: Final = 2.0
"""Seconds between two checkpoints at most, while batches are being answered."""

RECOGNISED: Final = 23 * 3600.0
"""Seconds after which Pinterest is not trusted to recognise a second copy: its 24 hours, less one for slow clocks."""


class StateStore(Protocol):
    """Airflow's task state store (3.3): survives the death of a worker, and Clear."""

    def get(self, key: str, default: Any = None) -> Any: ...  # noqa: D102
    def set(self, key: str, value: Any) -> None: ...  # noqa: D102
    def delete(self, key: str) -> None: ...  # noqa: D102


class EventsHash:
    """A running hash of the names and ids of events, whatever batches they come in."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, events: Iterable[Event]) -> None:
        """Take some more events in."""
        self._hash.update("".join([f"{event.name}\0{event.id}\0" for event in events]).encode())

    def hexdigest(self) -> str:
        """Return the hash of all events so far."""
        return self._hash.hexdigest()


def hash_of(events: Iterable[Event]) -> str:
    """Return the hash of some events."""
    found = EventsHash()
    found.add(events)
    return found.hexdigest()


Spans = tuple[tuple[int, int], ...]
"""Rows of some events among others, as (first, last) of each stretch of neighbours."""


def spans(events: Iterable[Event], test: Callable[[Event], bool]) -> Spans:
    """Return where among the events those stand that pass a test."""
    found: list[tuple[int, int]] = []
    joined = False
    for event in events:
        passes = test(event)
        if passes and joined:
            found[-1] = (found[-1][0], event.row)
        elif passes:
            found.append((event.row, event.row))
        joined = passes
    return tuple(found)


def within(row: int, stretches: Spans) -> bool:
    """Return whether a row lies in one of the stretches."""
    return any(first <= row <= last for first, last in stretches)


@dataclass(frozen=True, slots=True)
class Mark:
    """A batch beyond the prefix. What is neither open nor in doubt in it is settled.

    :param first: row of its first event.
    :param last: row of its last event.
    :param events_hash: of its events' names and ids.
    :param delivered: counts of what is settled in it.
    :param doubt: rows of events that may have been sent.
    :param open: rows of events that were not.
    :param since: no event in doubt was sent before, in Unix seconds.
    """

    first: int
    last: int
    events_hash: str
    delivered: Delivered
    doubt: Spans = ()
    open: Spans = ()
    since: float = 0.0

    def settles(self, row: int) -> bool:
        """Return whether an event of that row is settled here."""
        return self.first <= row <= self.last and not within(row, self.doubt) and not within(row, self.open)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a run is settled.

    :param fingerprint: of everything that decides what the rows become.
    :param clock: Unix seconds at the start of the first try; "future" and "too old" are measured from it.
    :param rows: all rows up to this number are accounted for.
    :param events_hash: of the valid events among those rows.
    :param delivered: what became of them.
    :param offline: whether events that cannot be deduplicated were sent, in the prefix or beyond.
    :param marks: batches beyond the prefix.
    :param ahead: some of so many events, the next beyond the prefix and outside the marks, may have been sent since.
    :param on_doubt: what that try did in doubt: only what it would send again can be among those.
    :param written: Unix seconds.
    """

    fingerprint: str
    clock: float
    rows: int = 0
    events_hash: str = field(default_factory=lambda: EventsHash().hexdigest())
    delivered: Delivered = field(default_factory=Delivered)
    offline: bool = False
    marks: Sequence[Mark] = ()
    ahead: int = 0
    on_doubt: str | None = None
    written: float = 0.0

    def settles(self, row: int, stage: str) -> bool:
        """Return whether the rejects file's line about a row stands: nothing will write it again."""
        if row <= self.rows:
            return True
        return stage != Stage.VALIDATION and any(mark.settles(row) for mark in self.marks)

    def recognised(self, now: float) -> bool:
        """Return whether Pinterest would recognise all that was sent, if it were sent again."""
        return not self.offline and now - self.clock < RECOGNISED

    def as_json(self) -> dict[str, Any]:
        """Return it for :meth:`from_json`."""
        return {
            "version": VERSION,
            "fingerprint": self.fingerprint,
            "clock": self.clock,
            "rows": self.rows,
            "events_hash": self.events_hash,
            "delivered": self.delivered.as_json(),
            "offline": self.offline,
            "marks": [
                [
                    mark.first,
                    mark.last,
                    mark.events_hash,
                    mark.delivered.as_json(),
                    [list(span) for span in mark.doubt],
                    [list(span) for span in mark.open],
                    mark.since,
                ]
                for mark in self.marks
            ],
            "ahead": self.ahead,
            "on_doubt": self.on_doubt,
            "written": self.written,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Checkpoint:
        """Return what :meth:`as_json` wrote down.

        :raises ValueError: it is not of this version, or no checkpoint at all.
        """
        try:
            if values["version"] != VERSION:
                raise ValueError(f"checkpoint of version {values['version']}, expected {VERSION}")
            return cls(
                fingerprint=values["fingerprint"],
                clock=float(values["clock"]),
                rows=int(values["rows"]),
                events_hash=values["events_hash"],
                delivered=Delivered.from_json(values["delivered"]),
                offline=bool(values["offline"]),
                marks=tuple(
                    Mark(first, last, digest, Delivered.from_json(settled), _spans(doubt), _spans(unsent), since)
                    for first, last, digest, settled, doubt, unsent, since in values["marks"]
                ),
                ahead=int(values["ahead"]),
                on_doubt=values["on_doubt"],
                written=float(values["written"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a checkpoint: {type(error).__name__}") from None


def _spans(values: Iterable[Sequence[int]]) -> Spans:
    return tuple((first, last) for first, last in values)


def fingerprint(**decisive: Any) -> str:
    """Hash everything that decides what the rows become and where they go."""
    try:
        written = orjson.dumps(decisive, default=_stable, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except TypeError:  # integers beyond 64 bits, lone surrogates
        written = repr(decisive).encode("utf-8", "backslashreplace")
    return hashlib.blake2b(written, digest_size=16).hexdigest()


def _stable(value: object) -> object:
    """Write down what JSON cannot hold the same way in every process."""
    return sorted(map(repr, value)) if isinstance(value, set | frozenset) else repr(value)


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended, for a try that comes because the worker died before Airflow knew.

    Airflow raises a task's ``max_tries`` when it is cleared, and only then: a try that finds the number of the run's
    end is a retry, and has nothing to do; with another number the run is to be made again.

    :param result: its account.
    :param problem: why the task had to fail, if it had to.
    :param max_tries: of the task instance; ``None``: not known.
    """

    result: Mapping[str, Any]
    problem: str | None
    max_tries: int | None

    def as_json(self) -> dict[str, Any]:
        """Return it for :meth:`from_json`."""
        return {"finished": VERSION, "result": self.result, "problem": self.problem, "max_tries": self.max_tries}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Finished | None:
        """Return what :meth:`as_json` wrote down, or ``None`` if this is something else."""
        if values.get("finished") != VERSION:
            return None
        return cls(values["result"], values["problem"], values["max_tries"])


class Keeper:
    """Writes checkpoints down; where there is no store it remembers the last one, for a deferral.

    :param first: the checkpoint to begin from.
    :param store: Airflow's, or ``None``.
    :param every_answers: settled batches between two checkpoints at most.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        first: Checkpoint,
        store: StateStore | None,
        *,
        every_answers: int = 1,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.last = first
        self.durable = store is not None
        self._store = store
        self.every_answers = every_answers
        self._clock = clock
        self._wall = wall
        self._answers = 0
        self._written = clock()

    def answered(self) -> bool:
        """Count a settled batch; return whether it is time to write."""
        self._answers += 1
        return self._answers >= self.every_answers or self._clock() - self._written >= EVERY

    def write(self, **changes: Any) -> None:
        """Write the checkpoint with these changes.

        Whatever this raises ends the task: a try that is stale or orphaned is told so here.
        """
        self.last = replace(self.last, written=self._wall(), **changes)
        if self._store is not None:
            self._store.set(KEY, self.last.as_json())
        self._answers = 0
        self._written = self._clock()

    def finish(self, finished: Finished) -> None:
        """Write the end of the run in place of how far it is, or nothing where it cannot be told from another run's."""
        if finished.max_tries is None:
            self.forget()
        elif self._store is not None:
            self._store.set(KEY, finished.as_json())

    def forget(self) -> None:
        """Delete what was written: the run is complete."""
        if self._store is not None:
            self._store.delete(KEY)
