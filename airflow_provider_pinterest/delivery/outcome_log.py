"""Where the outcome of each row is recorded beside the counts, so that other programs and later runs can read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from airflow_provider_pinterest.conversions.outcomes import Duplicate, Event, Rejection, Stage


class Status(StrEnum):
    """What became of a row. ``SENDING``: a run has claimed the event and not settled it."""

    SENDING = "sending"
    PROCESSED = "processed"
    FAILED = "failed"
    HELD = "held"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"


class EventOutcome(NamedTuple):
    """The outcome of one row.

    :param reasons: codes, for rows that were rejected, failed or are held.
    :param body: the JSON of a valid event.
    """

    ad_account_id: str
    row: int
    status: Status
    name: str | None
    id: str | None
    time: int | None
    keys: Mapping[str, Any]
    reasons: Sequence[str] = ()
    body: bytes | None = None


class OutcomeLog(Protocol):
    """Records outcomes. They are durable before a checkpoint covers their rows."""

    @property
    def waiting(self) -> bool:
        """Whether outcomes wait to be written."""

    @property
    def full(self) -> bool:
        """Whether enough outcomes wait. Call :meth:`start_write` before adding many more."""

    def add(self, outcome: EventOutcome) -> None:
        """Add an outcome; :meth:`flush` writes it."""

    def start_write(self) -> None:
        """Start to write the outcomes that wait, once an earlier write is done.

        :raises OutcomesError: the outcomes of the earlier write cannot be written; they still wait.
        """

    def flush(self) -> None:
        """Write the outcomes that wait.

        :raises OutcomesError: they cannot be written; they still wait.
        """


def of_processed(ad_account_id: str, events: Sequence[Event]) -> Iterator[EventOutcome]:
    """Yield the outcomes of events that Pinterest processed."""
    for event in events:
        yield EventOutcome(
            ad_account_id, event.row, Status.PROCESSED, event.name, event.id, event.time, event.keys, (), event.body
        )


def of_unsent(ad_account_id: str, outcome: Rejection | Duplicate) -> EventOutcome:
    """Return the outcome of a row that did not become an event to send."""
    if isinstance(outcome, Duplicate):
        event = outcome.event
        if event is None:
            return EventOutcome(ad_account_id, outcome.row, Status.DUPLICATE, None, None, None, {})
        return EventOutcome(
            ad_account_id, outcome.row, Status.DUPLICATE, event.name, event.id, event.time, event.keys, (), event.body
        )
    return EventOutcome(
        ad_account_id,
        outcome.row,
        Status.REJECTED,
        outcome.event_name,
        outcome.event_id,
        outcome.time,
        outcome.keys,
        _codes(outcome),
    )


def of_rejection(ad_account_id: str, rejection: Rejection, event: Event | None) -> EventOutcome:
    """Return the outcome of an event that failed or is held.

    :param event: the event; ``None`` if it is not known any more.
    """
    status = Status.FAILED if rejection.stage is Stage.PINTEREST else Status.HELD
    if event is None:
        return EventOutcome(
            ad_account_id, rejection.row, status, None, rejection.event_id, None, rejection.keys, _codes(rejection)
        )
    return EventOutcome(
        ad_account_id, event.row, status, event.name, event.id, event.time, event.keys, _codes(rejection), event.body
    )


def _codes(rejection: Rejection) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reason.code for reason in rejection.reasons))
