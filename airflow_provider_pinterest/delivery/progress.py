"""How far a run is: the accounted prefix of the source, and the batches under way behind it.

:class:`Progress` owns both and alone writes checkpoints. Its state is one value that is replaced in one step, so that
an exception at any moment, a time-out of the task's for one, finds it whole.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from airflow_provider_pinterest.conversions.outcomes import Event, Rejection, Stage
from airflow_provider_pinterest.delivery.batch_outcome import Snapshot, counted, held
from airflow_provider_pinterest.delivery.checkpoint import (
    EVERY,
    KEY,
    VERSION,
    Checkpoint,
    Finished,
    PendingBatch,
    RowsHash,
    StateStore,
)
from airflow_provider_pinterest.delivery.dispatcher import InFlightBatch
from airflow_provider_pinterest.delivery.rejection_lines import rejection_line
from airflow_provider_pinterest.delivery.rejects import Rejects
from airflow_provider_pinterest.delivery.result import HOUR, DeliveryCounters, LatencyHistogram, RunCounters
from airflow_provider_pinterest.delivery.rowset import RowSet
from airflow_provider_pinterest.delivery.sections import RowCounts, Section
from airflow_provider_pinterest.delivery.sender import OnUnknownOutcome

log = logging.getLogger(__name__)

EXAMPLES: Final = 5
"""Rejections that are shown in the log."""


class Settled(NamedTuple):
    """What became of a section's settled events.

    :param failed: rows that Pinterest did not accept.
    :param held: rows whose outcome is unknown.
    """

    delivered: DeliveryCounters
    failed: RowSet = RowSet()
    held: RowSet = RowSet()


class UnknownOutcomes(NamedTuple):
    """Events that may have been sent, for the next attempt.

    :param again: how many it sends again.
    :param held: how many it holds.
    :param recognised: whether Pinterest recognises all of those that are sent again.
    """

    again: int = 0
    held: int = 0
    recognised: bool = True


@dataclass(frozen=True, slots=True)
class Accounted:
    """The rows up to one of them, each accounted for.

    :param rows: how many there are.
    :param hashed: the running hash of what they have become.
    :param counts: of the rows before sending.
    :param delivered: what became of their events.
    :param failed: rows that Pinterest did not accept.
    :param held: rows whose outcome is unknown.
    """

    rows: int = 0
    hashed: RowsHash = field(default_factory=RowsHash)
    counts: RowCounts = field(default_factory=RowCounts)
    delivered: DeliveryCounters = field(default_factory=DeliveryCounters)
    failed: RowSet = field(default_factory=RowSet)
    held: RowSet = field(default_factory=RowSet)

    def plus(self, section: Section, settled: Settled) -> Accounted:
        """Return the same with the next section, all of whose events are settled."""
        total = self.delivered.copy()
        total.merge(settled.delivered)
        return Accounted(
            section.last,
            section.hashed,
            self.counts.plus(section.counts),
            total,
            self.failed.union(settled.failed.rows()) if settled.failed.complete else RowSet.forgotten(),
            self.held.union(settled.held.rows()) if settled.held.complete else RowSet.forgotten(),
        )


@dataclass(frozen=True, slots=True)
class _State:
    accounted: Accounted = field(default_factory=Accounted)
    under_way: tuple[InFlightBatch, ...] = ()
    not_taken_over: tuple[PendingBatch, ...] = ()
    ahead: int = 0
    """Events that an earlier attempt may have sent beyond its batches, and that were not read yet."""


class Progress:
    """The accounted prefix of a run, and what is under way.

    :param first: the checkpoint to begin from.
    :param store: where checkpoints are stored; ``None``: the last one is only kept, for a deferral.
    :param rejects: where rows that did not become processed events are written, if anywhere.
    :param every_answers: settled batches between two checkpoints at most.
    :param may_resend: whether a second copy of an event may be sent.
    :param ahead: events that may be sent between two checkpoints.
    :param on_unknown_outcome: what this attempt does in doubt.
    :param clock: monotonic seconds.
    :param wall: Unix seconds.
    """

    def __init__(
        self,
        first: Checkpoint,
        store: StateStore | None,
        *,
        rejects: Rejects | None = None,
        every_answers: int = 1,
        may_resend: Callable[[Event], bool] = lambda _: True,
        ahead: int = 0,
        on_unknown_outcome: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.last = first
        """The last checkpoint."""
        self.durable = store is not None
        """Whether checkpoints outlive this process."""
        self.examples: list[Rejection] = []
        """The first rejections, for the log."""
        self.valid_lags = LatencyHistogram()
        """LatencyHistogram of events that were only validated."""
        self.validated = 0
        self._store = store
        self._rejects = rejects
        self._every_answers = every_answers
        self._may_resend = may_resend
        self._ahead = ahead
        self._on_unknown_outcome = on_unknown_outcome
        self._may_resend_any = on_unknown_outcome == OnUnknownOutcome.RESEND
        self._clock = clock
        self._wall = wall
        self._answers = 0
        self._written = clock()
        self._writable = True
        self._offline = first.offline
        self._state = _State(Accounted(), (), tuple(first.pending), first.ahead)

    @property
    def accounted(self) -> Accounted:
        """The prefix all of whose rows are accounted for."""
        return self._state.accounted

    @property
    def under_way(self) -> tuple[InFlightBatch, ...]:
        """Batches beyond the prefix, in order; some of them may be done."""
        return self._state.under_way

    @property
    def saved(self) -> bool:
        """Whether the last checkpoint says all that was done."""
        return self._writable

    @property
    def outcome_unknown(self) -> UnknownOutcomes:
        """What the next attempt does with the events of the last checkpoint that may have been sent."""
        last = self.last
        known = {event.row: event for flight in self.under_way for event in flight.section.events}
        again = held = not_deduplicable_count = 0
        for row in (row for batch in last.pending for row in batch.doubt.rows()):
            event = known.get(row)
            if self._may_resend(event) if event else self._may_resend_any or not last.offline:
                again += 1
                not_deduplicable_count += event is not None and event.offline
            else:
                held += 1
        earlier = last.earlier
        if earlier is not None and self._may_resend_any:
            ends = [(batch.first, batch.last) for batch in last.pending]
            later = sum(
                row > last.rows and not any(first <= row <= end for first, end in ends) for row in earlier.held.rows()
            )
            again, not_deduplicable_count = again + later, not_deduplicable_count + later
        return UnknownOutcomes(again, held, not not_deduplicable_count)

    def take_prefix(self, section: Section) -> None:
        """Take over what an earlier attempt has accounted for."""
        first = self.last
        accounted = Accounted(
            section.last, section.hashed, section.counts, first.delivered.copy(), first.failed, first.held
        )
        self._state = replace(self._state, accounted=accounted)

    def take(self, flight: InFlightBatch) -> None:
        """Add a batch; its rejected rows go to the rejects file."""
        state, section = self._state, flight.section
        self._state = replace(
            state,
            under_way=(*state.under_way, flight),
            not_taken_over=tuple(one for one in state.not_taken_over if one is not section.pending),
            ahead=state.ahead if section.pending is not None else max(0, state.ahead - len(section.events)),
        )
        unsent = _held(flight)
        self._add(self._lines(unsent), unsent)
        self._add_rejected_rows(section)
        self._flush_full()

    def settled(self) -> bool:
        """Note the batches that are done, and move the prefix past those at its end; return whether any was moved.

        A batch that ended with an error stays where it is.
        """
        before = len(self.under_way)
        for flight in self.under_way:
            if flight.done:
                self._note(flight)
        while self.under_way and _is_settled(self.under_way[0]):
            flight, *others = self.under_way
            accounted = self.accounted.plus(flight.section, _settled(flight, self._note(flight), self._wall()))
            self._state = replace(self._state, accounted=accounted, under_way=tuple(others))
            self._answers += bool(flight.batch.events)
        return len(self.under_way) < before

    def end_validated(self, flight: InFlightBatch) -> None:
        """Move the prefix past the section just taken, whose events are valid and are not sent."""
        events = flight.section.events
        for offline in (True, False):
            times = [event.time for event in events if event.offline is offline]
            self.valid_lags.add(times, self._wall(), offline=offline)
        accounted = self.accounted.plus(flight.section, Settled(DeliveryCounters()))
        self.validated += len(events)
        self._state = replace(self._state, accounted=accounted, under_way=())

    def checkpoint_due(self) -> bool:
        """Return whether it is time for a checkpoint."""
        if not self._answers:
            return False
        return self._answers >= self._every_answers or self._clock() - self._written >= EVERY

    def checkpoint(self, *, offline: bool = False) -> None:
        """Store how far the run is, after the rejects of those rows are safe.

        Whatever this raises ends the task: an attempt that was replaced by another one learns it here.

        :param offline: whether events that Pinterest cannot deduplicate are sent from now on.
        """
        self._offline = self._offline or offline
        if not self.durable:
            self._answers = 0
            return
        self._save(final=False)

    def close(self) -> None:
        """Store the last checkpoint of an attempt that ends before the run; all batches are closed."""
        for flight in self.under_way:
            flight.outcome.close()
        self._save(final=True)

    def finish(self, finished: Finished) -> None:
        """Store the end of the run in place of its checkpoint."""
        if self._store is not None and self._writable:
            self._store.set(KEY, finished.as_json())
            self._sweep()

    def finished(self, *, identity: Mapping[str, Any], result: Mapping[str, Any], problem: str | None) -> Finished:
        """Return the end of the run."""
        accounted, first = self.accounted, self.last
        return Finished(
            first.fingerprint,
            first.clock,
            accounted.rows,
            accounted.hashed.hexdigest(),
            accounted.delivered,
            accounted.failed,
            accounted.held,
            self._offline or bool(first.earlier and first.earlier.offline),
            identity,
            result,
            problem,
            self._wall(),
            first.forced,
        )

    def tally(self, unread: Sequence[Section] = ()) -> RunCounters:
        """Return the counts of the run: of all rows read, and of their events as far as they are settled.

        :param unread: sections that were read and not taken.
        """
        accounted = self.accounted
        counts, delivered = accounted.counts, accounted.delivered.copy()
        for flight in self.under_way:
            counts = counts.plus(flight.section.counts)
            delivered.merge(_settled(flight, flight.outcome.snapshot(), self._wall()).delivered)
        for section in unread:
            counts = counts.plus(section.counts)
            delivered.already_sent += section.counts.already_sent
        return RunCounters(
            rows_read=counts.rows,
            events_built=counts.events,
            rows_rejected=counts.rejected,
            duplicates_dropped=counts.duplicates,
            rows_excluded=counts.excluded,
            validated_only=self.validated,
            reasons=counts.reasons,
            delivered=delivered,
            valid_lags=self.valid_lags,
        )

    def flush(self) -> None:
        """Write the rejects that wait, if they still may be written."""
        if self._rejects is None or not self._rejects.waiting or not self._writable:
            return
        self._fence()
        self._rejects.flush()

    def _sweep(self) -> None:
        """Remove rejects that replaced attempts have written late, if that is possible."""
        if self._rejects is None:
            return
        try:
            self._rejects.sweep()
        except OSError as error:
            log.warning("The rejects folder could not be looked through for late files (%s).", type(error).__name__)

    def _note(self, flight: InFlightBatch) -> Snapshot:
        """Return the state of a batch; what it says of failed and held events is passed to the rejects file, once."""
        snapshot = flight.outcome.snapshot()
        new = snapshot.rejections[flight.noted :]
        self._add(self._lines(new), new)
        flight.noted = len(snapshot.rejections)
        return snapshot

    def _lines(self, rejections: Sequence[Rejection]) -> Sequence[bytes]:
        return [rejection_line(one) for one in rejections] if self._rejects else ()

    def _add(self, lines: Sequence[bytes], examples: Sequence[Rejection]) -> None:
        """Let lines wait for the next part of the rejects file."""
        self.examples += examples[: EXAMPLES - len(self.examples)]
        if self._rejects is not None:
            for line in lines:
                self._rejects.add(line)

    def _add_rejected_rows(self, section: Section) -> None:
        """Write the lines of a section's rejected rows, part by part."""
        self._add((), section.examples)
        for line in section.lines:
            self._flush_full()
            self._add((line,), ())

    def _flush_full(self) -> None:
        if self._rejects is not None and self._rejects.full:
            self.flush()

    def _fence(self) -> None:
        """Learn whether this attempt was replaced by another, before anything is written into the rejects folder."""
        if self._store is not None:
            self._set(self.last)

    def _set(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint; after a failure nothing more is written, because another attempt may be under way."""
        if self._store is None:
            return
        try:
            self._store.set(KEY, checkpoint.as_json())
        except Exception:
            self._writable = False
            raise

    def _save(self, *, final: bool) -> None:
        state = self._state
        accounted = state.accounted
        if not self._writable or accounted.rows < self.last.rows:
            return  # until the prefix is read again, the earlier attempt's checkpoint says more
        now = self._wall()
        snapshots = [self._note(flight) for flight in state.under_way]
        made = replace(
            self.last,
            rows=accounted.rows,
            digest=accounted.hashed.hexdigest(),
            delivered=accounted.delivered.copy(),
            failed=accounted.failed,
            held=accounted.held,
            offline=self._offline,
            pending=(
                *(
                    self._pending(flight, snapshot, now, final=final)
                    for flight, snapshot in zip(state.under_way, snapshots, strict=True)
                ),
                *state.not_taken_over,
            ),
            ahead=state.ahead if final else max(self._ahead, state.ahead),
            ahead_since=self.last.ahead_since if state.ahead else now,
            on_unknown_outcome=self._on_unknown_outcome,
            version=VERSION,
            written=now,
        )
        try:
            self.flush()
        except Exception:
            self._writable = False
            raise
        if self._rejects is not None:
            made = replace(made, parts=dict(self._rejects.known))
        self._set(made)
        self.last = made
        self._answers = 0
        self._written = self._clock()

    def _pending(self, flight: InFlightBatch, snapshot: Snapshot, now: float, *, final: bool) -> PendingBatch:
        """Return what the next attempt must know of a batch."""
        doubt = set(snapshot.outcome_unknown)
        if not final:
            doubt |= snapshot.announced
            if flight.dispatched:
                doubt |= {event.row for event in flight.batch.events if self._may_resend(event)} & snapshot.unsettled
        section, rows = flight.section, flight.outcome.rows
        settled = _settled(flight, snapshot, now)
        return PendingBatch(
            section.first,
            section.last,
            section.digest,
            settled.delivered,
            flight.rows if doubt == rows else RowSet().plus(doubt),
            flight.rows if not doubt and snapshot.unsettled == rows else RowSet().plus(snapshot.unsettled - doubt),
            flight.since,
            settled.failed,
            settled.held,
        )


def _is_settled(flight: InFlightBatch) -> bool:
    return flight.done and flight.error is None and flight.failure is None


def _held(flight: InFlightBatch) -> list[Rejection]:
    """Return the rejections of events that are not sent again."""
    return [
        *(held(event, "an earlier attempt ended while it was being sent") for event in flight.hold),
        *(held(event, "held by an earlier attempt") for event in flight.section.held),
    ]


def _settled(flight: InFlightBatch, snapshot: Snapshot, now: float) -> Settled:
    """Return what became of a section's events, those that are settled."""
    delivered = flight.prior.copy()
    delivered.merge(snapshot.delivered)
    delivered.already_sent += flight.section.counts.already_sent
    if flight.section.balance is not None:
        delivered.merge(flight.section.balance)
    unsent = _held(flight)
    delivered.merge(counted(unsent))
    rejections = [*snapshot.rejections, *unsent]
    if flight.uncertain and flight.done:
        again = flight.uncertain - snapshot.unsettled
        late = sum(event.time < now - HOUR and event.row in again for event in flight.batch.events)
        if late:
            delivered.warnings["dedup_uncertain"] += late
    failed = [one.row for one in rejections if one.stage is Stage.PINTEREST]
    unknown = [one.row for one in rejections if one.stage is Stage.OUTCOME_UNKNOWN]
    pending, balance = flight.section.pending, flight.section.balance
    if pending is not None:
        return Settled(delivered, pending.failed.union(failed), pending.held.union(unknown))
    return Settled(
        delivered,
        RowSet.forgotten() if balance and balance.failed else RowSet().plus(failed),
        RowSet.forgotten() if balance and balance.held else RowSet().plus(unknown),
    )
