"""One run: sections of the source in, outcomes out.

Three things happen at the same time: one thread reads the source, others send batches, and this loop takes sections,
settles batches and writes checkpoints. It never blocks on the source or on a call. See :class:`Phase` for the states
of a run.
"""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from airflow_provider_pinterest.conversions.batches import Batch, Batcher
from airflow_provider_pinterest.conversions.outcomes import Event
from airflow_provider_pinterest.delivery.checkpoint import Checkpoint
from airflow_provider_pinterest.delivery.dispatcher import InFlightBatch
from airflow_provider_pinterest.delivery.progress import Progress
from airflow_provider_pinterest.delivery.reader import Sections
from airflow_provider_pinterest.delivery.result import RunCounters
from airflow_provider_pinterest.delivery.resuming import in_flight
from airflow_provider_pinterest.delivery.sections import Section
from airflow_provider_pinterest.delivery.sender import Sender
from airflow_provider_pinterest.delivery.standings import Standings
from airflow_provider_pinterest.delivery.stop import StopSignal
from airflow_provider_pinterest.exceptions import DeliveryError, OutcomesError, ResendRefusedError, UnavailableError

log = logging.getLogger(__name__)

PROGRESS_EVERY: Final = 10.0
"""Seconds between two progress lines in the log."""

LOOK_AGAIN: Final = 0.5
"""Longest wait of the loop, in seconds, before it checks for work again."""

GRACE: Final = 2.0
"""Seconds that a stopped run waits for the calls that it aborted."""


class Phase(Enum):
    """The phases of a run.

    ::

        SENDING ──▶ DRAINING ──▶ FINISHED
           │           │
           └───────────┴──────▶ BROKEN_OFF
    """

    SENDING = "taking sections and sending them"
    DRAINING = "the source has ended; waiting for batches in flight"
    FINISHED = "every row is accounted for"
    BROKEN_OFF = "ended early; events that are not settled count as not sent"


class Dispatching(Protocol):
    """Sends batches."""

    @property
    def sender(self) -> Sender:
        """Settles one batch."""

    @property
    def size(self) -> int:
        """Largest number of batches in flight."""

    def dispatch(self, flight: InFlightBatch, under_way: int) -> None:
        """Send a batch."""

    def close(self) -> None:
        """Let the threads end."""


class Mailbox:
    """Where the run waits for something to do. Safe to use in a signal handler."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[None] = queue.SimpleQueue()

    def wake(self) -> None:
        """End the wait."""
        self._queue.put(None)

    def wait(self, seconds: float) -> None:
        """Wait until there is something to do, up to `seconds`."""
        try:
            self._queue.get(timeout=seconds)
            while True:  # several wake-ups count as one
                self._queue.get_nowait()
        except queue.Empty:
            return


@dataclass(slots=True)
class PipelineObserver:
    """Callbacks of a run.

    :param first_event: receives the first valid event.
    :param not_deduplicable: called when the run is about to send events that Pinterest cannot deduplicate. May raise
        ``ResendRefusedError``.
    """

    first_event: Callable[[Event], None] = lambda _: None
    not_deduplicable: Callable[[], None] = lambda: None


def _account(flight: InFlightBatch) -> str:
    return flight.batch.ad_account_id


class PipelineRun:
    """One attempt to deliver all rows of a source.

    :param sections: the source.
    :param batcher: makes its batches; its size limit is lowered if Pinterest refuses large bodies.
    :param progress: keeps the counts, and writes checkpoints.
    :param dispatcher: sends batches; ``None`` to validate only.
    :param resume: the checkpoint of an earlier attempt.
    :param stop: ends the run.
    :param observer: receives events of the run.
    :param mailbox: wakes the loop when there is something to do.
    :param clock: monotonic seconds.
    :param wall: Unix seconds.
    """

    def __init__(
        self,
        sections: Sections,
        batcher: Batcher,
        progress: Progress,
        dispatcher: Dispatching | None,
        *,
        resume: Checkpoint | None = None,
        stop: StopSignal | None = None,
        observer: PipelineObserver | None = None,
        mailbox: Mailbox | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.progress = progress
        self.phase = Phase.SENDING
        self._sections = sections
        self._batcher = batcher
        self._dispatcher = dispatcher
        self._resume = resume
        self._stop = stop or StopSignal()
        self._observer = observer or PipelineObserver()
        self._mailbox = mailbox or Mailbox()
        self._clock = clock
        self._wall = wall
        self._started = self._reported = clock()
        self._settled_before = resume.delivered.settled - resume.delivered.already_sent if resume else 0
        self._answered = self._undecided = False
        self._warned = bool(resume and resume.offline and resume.unknown_before is None)
        self._offline = bool(resume and resume.offline)
        self._shown = False
        self._unread: Sequence[Section] = ()
        self._stop.on_set(self._mailbox.wake)

    @property
    def finished(self) -> bool:
        """Whether every row of the source was read and is accounted for."""
        return self.phase is Phase.FINISHED

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return self._clock() - self._started

    @property
    def counters(self) -> RunCounters:
        """Counts of all rows read so far."""
        return self.progress.counters(self._unread)

    def deliver(self) -> None:
        """Deliver all rows of the source.

        After any exception, :attr:`counters` accounts for every row read so far, and the last checkpoint is correct.

        :raises DeliveryError: Pinterest does not accept the events; events that are not settled count as not sent.
        :raises Stopped: the run was told to stop.
        :raises SourceChangedError: the source returns other rows than it returned to an earlier attempt.
        :raises ResendRefusedError: an earlier attempt may have sent some of these events, and Pinterest cannot
            deduplicate them.
        :raises OSError: the rejects cannot be written.
        """
        try:
            self._stop.check()
            if self._dispatcher is not None and self.progress.durable:
                self.progress.checkpoint()  # tells later attempts that this one has started
            self._sections.start()
            while self.phase is not Phase.FINISHED:
                self._step()
        except BaseException as error:
            self.phase = Phase.BROKEN_OFF
            self._end_early(error)
            raise
        finally:
            if self._dispatcher is not None:
                self._dispatcher.close()

    def _step(self) -> None:
        """Do all pending work, and wait for more."""
        self._stop.check()
        moved = self._settle()
        if self.progress.checkpoint_due() or self._becomes_undecided():
            self.progress.checkpoint()
        moved = self._take() or moved
        moved = self._let_send() or moved
        self._report()
        if self._sections.ended:
            self.phase = Phase.DRAINING
            self._source_ended()
        if not moved and self.phase is not Phase.FINISHED:
            self._mailbox.wait(LOOK_AGAIN)

    def _settle(self) -> bool:
        """Move the accounted prefix past the batches that are settled.

        :raises DeliveryError: the oldest batch could not be sent.
        :raises Stopped: the oldest batch was not sent, because the run was stopped.
        """
        flights = self.progress.under_way
        self._answered = self._answered or any(
            flight.done and flight.dispatched and flight.error is None for flight in flights
        )
        sender = self._dispatcher.sender if self._dispatcher else None
        if sender is not None:
            self._fail_set_aside(sender)
        moved = self.progress.settled()
        if sender is not None and sender.claims is not None:
            self.progress.start_record()  # so that other runs, and a later attempt, find few claims without an outcome
        oldest = self.progress.under_way[0] if self.progress.under_way else None
        if oldest is not None and oldest.done and oldest.failure is not None:
            raise oldest.failure
        if oldest is not None and oldest.done and oldest.error is not None and not self._may_turn_out(oldest):
            raise oldest.error
        return moved

    def _fail_set_aside(self, sender: Sender) -> None:
        """Settle the batches of accounts that stay unavailable, unless it is not known whether all accounts do."""
        standings = sender.standings
        if standings.outage or (standings.undecided and not self._stays_undecided(standings)):
            return
        for flight in self.progress.under_way:
            if flight.done and isinstance(flight.error, UnavailableError) and standings.set_aside(_account(flight)):
                sender.fail(flight.batch, flight.outcome, flight.error)
                flight.error = None

    def _stays_undecided(self, standings: Standings) -> bool:
        """Return whether no other account can be asked: there is no room for its batch, or there is none left."""
        if self._sections.ended and not self._is_asking(standings):
            return standings.accepted_any
        return len(self.progress.under_way) >= self._most_while_undecided

    def _becomes_undecided(self) -> bool:
        """Return whether that is not known since a moment ago. More batches than usual are then under way."""
        before, self._undecided = (
            self._undecided,
            bool(self._dispatcher and self._dispatcher.sender.standings.undecided),
        )
        return self._undecided and not before

    def _may_turn_out(self, oldest: InFlightBatch) -> bool:
        """Return whether another account may still show that only the account of this batch is unavailable."""
        if self._dispatcher is None:
            return False
        standings = self._dispatcher.sender.standings
        if not isinstance(oldest.error, UnavailableError) or standings.set_aside(_account(oldest)) is None:
            return False
        if not standings.undecided:
            return not standings.outage  # it was decided a moment ago, and the next step settles the batch
        return not self._sections.ended or self._is_asking(standings)

    def _is_asking(self, standings: Standings) -> bool:
        """Return whether a batch is under way whose account is not known to be unavailable."""
        return any(not flight.done and not standings.is_missing(_account(flight)) for flight in self.progress.under_way)

    @property
    def _most_while_undecided(self) -> int:
        """Batches under way at which no more are taken to find another account."""
        return 2 * self._dispatcher.size if self._dispatcher else 0

    def _take(self) -> bool:
        """Take sections while there is room; return whether any was taken."""
        taken = False
        while self._has_room() and (section := self._sections.take()) is not None:
            taken = True
            self._begin(section)
            if self.progress.checkpoint_due():
                break
        return taken

    def _has_room(self) -> bool:
        """Return whether another batch may be sent. The first batch is sent alone until it is answered.

        So is the next one for another account, if an account stays unavailable and all accounts may be.
        """
        if self._dispatcher is None:
            return True
        standings = self._dispatcher.sender.standings
        if standings.outage:
            return not self.progress.under_way
        if standings.undecided:
            return not self._is_asking(standings) and len(self.progress.under_way) < self._most_while_undecided
        sending = sum(bool(flight.batch.events) for flight in self.progress.under_way)
        if not self._answered and sending:
            return False
        return len(self.progress.under_way) < self._dispatcher.size

    def _begin(self, section: Section) -> None:
        """Start to send a section."""
        if section.prefix:
            self.progress.take_prefix(section)
            if self._dispatcher is not None and self.progress.accounted.delivered.accepted:
                self._dispatcher.sender.trust()
            return
        if section.events and not self._shown:
            self._shown = True
            self._observer.first_event(section.events[0])
        if self._dispatcher is None:
            flight = InFlightBatch(section, Batch(()))
            self.progress.take(flight)
            self.progress.end_validated(flight)
            return
        sender = self._dispatcher.sender
        flight = in_flight(section, sender, self._wall(), self._resume)
        earlier = self._resume.earlier if self._resume else None
        if flight.prior.accepted or (earlier is not None and earlier.delivered.accepted):
            sender.trust()
        if not self._warned and not sender.may_resend_all(flight.batch.events):
            self._warned = True
            self._observer.not_deduplicable()
        self.progress.take(flight)
        unmarked = sender.may_resend_any or sender.claims is not None
        if unmarked and not self._offline and any(event.offline for event in flight.batch.events):
            self._offline = True
            self.progress.checkpoint(offline=True)  # the next attempt may have other parameters, or no ledger
        self._dispatcher.dispatch(flight, len(self.progress.under_way))
        if sender.max_bytes is not None:
            self._batcher.max_bytes = min(self._batcher.max_bytes, sender.max_bytes)

    def _let_send(self) -> bool:
        """Store a checkpoint that names the events about to be sent, and let them be sent."""
        waiting = [
            (flight, written)
            for flight in self.progress.under_way
            if (written := flight.wants_to_send) is not None and not written.is_set()
        ]
        if not waiting:
            return False
        self.progress.checkpoint(offline=True)
        for flight, written in waiting:
            flight.wants_to_send = None
            written.set()
        return True

    def _source_ended(self) -> None:
        """Finish, or raise the error of the source, once no batch is in flight."""
        if self.progress.under_way:
            return
        if self._sections.error is not None:
            raise self._sections.error
        if self._dispatcher is not None:
            self.progress.checkpoint()
        self.progress.flush()
        self.phase = Phase.FINISHED

    def _end_early(self, error: BaseException) -> None:
        """Stop reading and sending, account for the batches in flight, and store a last checkpoint."""
        dispatcher = self._dispatcher
        if dispatcher is None:
            self._unread = self._sections.stop()
            self.progress.flush()
            return
        if isinstance(error, DeliveryError | ResendRefusedError | OutcomesError) and not self._stop.is_set():
            dispatcher.sender.stop()
            patience = float("inf")  # each call has its own time-out
        else:
            dispatcher.sender.abort()
            patience = GRACE
        self._unread = self._sections.stop()
        deadline = self._clock() + patience
        while not all(flight.done or not flight.dispatched for flight in self.progress.under_way):
            if self._clock() >= deadline:
                break
            if self._stop.is_set() and patience > GRACE:
                dispatcher.sender.abort()
                patience, deadline = GRACE, self._clock() + GRACE
            self._mailbox.wait(min(LOOK_AGAIN, max(deadline - self._clock(), 0.01)))
        self.progress.close()

    def _report(self) -> None:
        """Log the progress every ten seconds."""
        now = self._clock()
        if now - self._reported < PROGRESS_EVERY:
            return
        self._reported = now
        counters = self.counters
        done = counters.events_sent + counters.validated_only
        here = max(done - self._settled_before, 0)
        log.info(
            "%s rows read, %s events %s, %s/s in this attempt, %s rejected, %s calls",
            f"{counters.rows_read:,}",
            f"{done:,}",
            "sent" if self._dispatcher else "valid",
            f"{here / max(self.seconds, 0.001):,.0f}",
            f"{counters.rejected:,}",
            f"{counters.delivered.calls:,}",
        )
