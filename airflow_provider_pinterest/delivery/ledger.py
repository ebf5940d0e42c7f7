"""The ledger: it knows which events earlier runs sent, so that none is sent a second time.

Events are looked up twice. :func:`without_sent` drops those that were processed while the source is read, so that
batches stay full. :class:`Claims` claims each event right before it is sent; of two runs at once, one gets the claim.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple, Protocol

from airflow_provider_pinterest.conversions.batches import Batch
from airflow_provider_pinterest.conversions.outcomes import Event, Outcome
from airflow_provider_pinterest.delivery.batch_outcome import BatchOutcome, counted, held_by
from airflow_provider_pinterest.delivery.checkpoint import DEDUPLICATION_WINDOW
from airflow_provider_pinterest.delivery.result import HOUR, DeliveryCounters

log = logging.getLogger(__name__)

LOOKED_UP_AT_ONCE: Final = 500
"""Outcomes that are read from the source before their events are looked up."""

LOOK_AGAIN: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds to wait for another run that is sending the same event, before its outcome counts as unknown."""

ALIVE: Final = 600.0
"""Seconds after which a run that claimed an event does not settle it any more."""

PATIENT: Final = 5.0
"""A batch that waits longer than these seconds gives up its claims meanwhile."""


class Entry(NamedTuple):
    """An event in the ledger that may not simply be sent.

    :param sent: whether it was processed; otherwise its outcome is unknown.
    :param own: whether an attempt of this run sent it.
    :param open: whether the run that sends it may still settle it.
    :param run: the name of that run.
    :param since: when it was sent, in Unix seconds.
    :param offline: whether it was sent as an offline event. Its row may say something else now.
    """

    sent: bool
    own: bool
    open: bool
    run: str
    since: float
    offline: bool = False


class Ledger(Protocol):
    """Knows the events that were sent. Used by several threads."""

    def processed(self, ad_account_id: str, events: Sequence[Event]) -> Mapping[int, Entry]:
        """Return the events that were processed, by row."""

    def claim(self, ad_account_id: str, events: Sequence[Event]) -> Mapping[int, Entry]:
        """Claim events for this attempt, durably; return those that it did not get, by row."""

    def release(self, ad_account_id: str, events: Sequence[Event]) -> None:
        """Give up claims of events that were certainly not accepted."""


@dataclass(frozen=True, slots=True)
class AlreadySent:
    """A row whose event Pinterest processed before.

    :param own: whether an earlier attempt of this run sent it.
    """

    event: Event
    own: bool

    @property
    def row(self) -> int:
        """Its number in the source, from 1."""
        return self.event.row


def without_sent(
    outcomes: Iterator[Outcome],
    ledger: Ledger,
    ad_account_id: Callable[[Event], str],
    *,
    covered: Callable[[int], bool],
    counts_own: bool,
) -> Iterator[Outcome | AlreadySent]:
    """Yield outcomes, with :class:`AlreadySent` in place of each event that was processed before.

    :param covered: returns whether a checkpoint tells what became of a row.
    :param counts_own: whether events that this run sent count as processed by it.
    """
    while chunk := list(islice(outcomes, LOOKED_UP_AT_ONCE)):
        by_account: dict[str, list[Event]] = {}
        for outcome in chunk:
            if type(outcome) is Event and not covered(outcome.row):
                by_account.setdefault(ad_account_id(outcome), []).append(outcome)
        sent: dict[int, Entry] = {}
        for account, events in by_account.items():
            sent.update(ledger.processed(account, events))
        if not sent:
            yield from chunk
            continue
        for outcome in chunk:
            entry = sent.get(outcome.row)
            if entry is None or type(outcome) is not Event:
                yield outcome
            else:
                yield AlreadySent(outcome, entry.own and counts_own)


class Claims:
    """Claims the events of a batch right before they are sent.

    :param ledger: knows the events that were sent.
    :param counts_own: whether events that this run sent count as processed by it.
    :param sleep: waits; raises ``Stopped`` if the run ends meanwhile.
    """

    def __init__(self, ledger: Ledger, *, counts_own: bool, sleep: Callable[[float], None]) -> None:
        self._ledger = ledger
        self._counts_own = counts_own
        self._sleep = sleep

    def admit(
        self,
        part: Batch,
        outcome: BatchOutcome,
        *,
        may_resend: Callable[[Event], bool],
        may_resend_any: bool,
        now: Callable[[], float],
    ) -> Sequence[Batch]:
        """Return the events of a part that may be sent, and those to admit again afterwards; the others are settled.

        A part that waits for another run has no claims, so that no third run waits for this one.

        :param may_resend: returns whether a second copy of an event does no harm soon after the first.
        :param may_resend_any: whether the user accepts second copies of any event.
        """
        account = part.ad_account_id
        new = [event for event in part.events if event.row not in outcome.claimed]
        if not new:
            return (part,)
        busy: list[Event] = []
        for wait in (*LOOK_AGAIN, None):
            entries = self._ledger.claim(account, new)
            busy = [event for event in new if event.row in entries and _is_busy(entries[event.row], now())]
            if wait is None or len(busy) < len(part):
                break
            self._sleep(wait)
        later = busy if len(busy) < len(part) else []
        waits = {event.row for event in later}
        new = [event for event in new if event.row not in waits]
        outcome.claimed.update(event.row for event in new if event.row not in entries)
        if not entries:
            return (part,)
        self._settle_sent(
            [event for event in new if event.row in entries and entries[event.row].sent], entries, outcome
        )
        unknown = [event for event in new if event.row in entries and not entries[event.row].sent]
        moment = now()
        hold = {
            event.row: event
            for event in unknown
            if not may_resend_any
            and (
                not may_resend(event)
                or entries[event.row].offline
                or moment - entries[event.row].since >= DEDUPLICATION_WINDOW
            )
        }
        again = [event for event in unknown if event.row not in hold]
        if again:
            late = sum(moment - event.time > HOUR for event in again)
            outcome.warn(Counter(dedup_uncertain=late) if late else {})
            outcome.claimed.update(event.row for event in again)
        if hold:
            log.warning(
                "%d events are held and not sent again: their outcome is unknown, and Pinterest cannot deduplicate "
                "them.",
                len(hold),
            )
            rejections = [held_by(event, entries[event.row].run, own=entries[event.row].own) for event in hold.values()]
            outcome.settle(list(hold.values()), counted(rejections), rejections)
        gone = waits.union(hold)
        left = [event for event in part.events if event.row not in gone and not _was_sent(event, entries)]
        return tuple(Batch(events, account) for events in (left, later) if events)

    def release(self, part: Batch, outcome: BatchOutcome, *, wait: float | None = None) -> None:
        """Give up the claims of events that were not accepted, and are not sent for some time.

        :param wait: seconds until they are sent again; ``None``: this attempt does not send them again.
        """
        if wait is not None and wait < PATIENT:
            return
        snapshot = outcome.snapshot()
        rows = (snapshot.unsettled - snapshot.outcome_unknown) & outcome.claimed
        events = [event for event in part.events if event.row in rows]
        if events:
            self._ledger.release(part.ad_account_id, events)
            outcome.claimed.difference_update(rows)

    def _settle_sent(self, sent: Sequence[Event], entries: Mapping[int, Entry], outcome: BatchOutcome) -> None:
        """Count events that were processed before."""
        if not sent:
            return
        counts = DeliveryCounters()
        counts.processed = sum(entries[event.row].own and self._counts_own for event in sent)
        counts.already_sent = len(sent) - counts.processed
        outcome.settle(sent, counts, ())


def _is_busy(entry: Entry, now: float) -> bool:
    """Return whether another run is probably sending the event at this moment."""
    return entry.open and not entry.own and now - entry.since < ALIVE


def _was_sent(event: Event, entries: Mapping[int, Entry]) -> bool:
    return event.row in entries and entries[event.row].sent
