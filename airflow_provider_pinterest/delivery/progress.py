"""The progress of a run: the accounted prefix of the source, and the batches in flight behind it.

:class:`Progress` owns both, and only it writes checkpoints. Its state is one value that is replaced in one step, so it
is consistent if an exception, such as a task time-out, arrives at any moment.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from airflow_provider_pinterest.conversions.outcomes import Event, Rejection, Stage
from airflow_provider_pinterest.delivery import account_counts
from airflow_provider_pinterest.delivery.batch_outcome import Snapshot, counted, held
from airflow_provider_pinterest.delivery.checkpoint import (
    EVERY,
    KEY,
    VERSION,
    Checkpoint,
    Finished,
    PendingBatch,
    RowsHash,
)
from airflow_provider_pinterest.delivery.dispatcher import InFlightBatch
from airflow_provider_pinterest.delivery.outcome_log import OutcomeLog, of_processed, of_rejection, of_unsent
from airflow_provider_pinterest.delivery.rejection_lines import rejection_line
from airflow_provider_pinterest.delivery.rejects import Rejects
from airflow_provider_pinterest.delivery.result import HOUR, DeliveryCounters, LatencyHistogram, RunCounters
from airflow_provider_pinterest.delivery.rowset import RowSet
from airflow_provider_pinterest.delivery.sections import RowCounts, Section
from airflow_provider_pinterest.delivery.sender import OnUnknownOutcome
from airflow_provider_pinterest.state_store import StateStore

log = logging.getLogger(__name__)

EXAMPLES: Final = 5
"""Rejections that are shown in the log."""


class Settled(NamedTuple):
    """The settled events of a section.

    :param delivered: their counts.
    :param failed: rows that Pinterest did not accept.
    :param held: rows whose outcome is unknown.
    """

    delivered: DeliveryCounters
    failed: RowSet = RowSet()
    held: RowSet = RowSet()


class UnknownOutcomes(NamedTuple):
    """Events with unknown outcome, and what the next attempt does with them.

    :param again: number of events that it sends again.
    :param held: number of events that it holds.
    :param deduplicable: whether Pinterest deduplicates all that are sent again.
    """

    again: int = 0
    held: int = 0
    deduplicable: bool = True


@dataclass(frozen=True, slots=True)
class Accounted:
    """The accounted prefix of the source.

    :param rows: number of rows.
    :param hashed: running hash of their outcomes.
    :param counts: counts of the rows before sending.
    :param delivered: counts of their events.
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
        """Return the prefix extended by the next section, all of whose events are settled."""
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
    """Events that an earlier attempt may have sent beyond its batches and that are not read yet."""


class Progress:
    """The accounted prefix of a run, and the batches in flight.

    :param first: the checkpoint to start from.
    :param store: where checkpoints are stored; ``None``: the last one is kept in memory only, for a deferral.
    :param rejects: where rows that did not become processed events are written, if anywhere.
    :param outcomes: where the outcome of each row is recorded, if anywhere.
    :param every_answers: largest number of settled batches between two checkpoints.
    :param may_resend: returns whether a second copy of an event may be sent.
    :param ahead: largest number of events that may be sent between two checkpoints.
    :param on_unknown_outcome: what this attempt does with events whose outcome is unknown.
    :param clock: monotonic seconds.
    :param wall: Unix seconds.
    """

    def __init__(
        self,
        first: Checkpoint,
        store: StateStore | None,
        *,
        rejects: Rejects | None = None,
        outcomes: OutcomeLog | None = None,
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
        self.valid_latencies = LatencyHistogram()
        """Latencies of events that were only validated."""
        self.validated = 0
        self.validated_accounts: account_counts.AccountCounts = Counter()
        self._store = store
        self._rejects = rejects
        self._outcomes = outcomes
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
        """Whether the last checkpoint could be stored."""
        return self._writable

    @property
    def outcome_unknown(self) -> UnknownOutcomes:
        """What the next attempt does with the events of the last checkpoint whose outcome is unknown."""
        last = self.last
        known = {event.row: event for flight in self.under_way for event in flight.section.events}
        again = held = not_deduplicable_count = 0
        for row in (row for batch in last.pending for row in batch.unknown.rows()):
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
        """Take over the prefix that an earlier attempt accounted for."""
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
        self._record_unsent(section, unsent)
        self._add_rejected_rows(section)
        self._flush_full()

    def settled(self) -> bool:
        """Note the batches that are done, and move the prefix past those at its end.

        A batch that ended with an error stays where it is.

        :return: whether the prefix was moved.
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
            self.valid_latencies.add(times, self._wall(), offline=offline)
        accounted = self.accounted.plus(flight.section, Settled(DeliveryCounters()))
        self.validated += len(events)
        if events and events[0].ad_account_id:
            self.validated_accounts[events[0].ad_account_id, account_counts.VALIDATED] += len(events)
        self._state = replace(self._state, accounted=accounted, under_way=())

    def checkpoint_due(self) -> bool:
        """Return whether it is time for a checkpoint."""
        if not self._answers:
            return False
        return self._answers >= self._every_answers or self._clock() - self._written >= EVERY

    def checkpoint(self, *, offline: bool = False) -> None:
        """Write the rejects of the accounted rows, then store a checkpoint.

        Any exception ends the task: this is where an attempt learns that another one has replaced it.

        :param offline: whether events that Pinterest cannot deduplicate are sent from now on.
        """
        self._offline = self._offline or offline
        if not self.durable:
            self._answers = 0
            self._written = self._clock()
            self.record()
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
            first.ledger,
        )

    def counters(self, unread: Sequence[Section] = ()) -> RunCounters:
        """Return the counts of all rows read and of their settled events.

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
            delivered.accounts = delivered.accounts.plus(account_counts.sent_before(section.counts.accounts.total()))
            delivered.processed += section.counts.processed
            if section.pending is not None:
                delivered.merge(section.pending.delivered)
        return RunCounters(
            rows_read=counts.rows,
            events_built=counts.events,
            rows_rejected=counts.rejected,
            duplicates_dropped=counts.duplicates,
            rows_excluded=counts.excluded,
            validated_only=self.validated,
            reasons=counts.reasons,
            delivered=delivered,
            valid_latencies=self.valid_latencies,
            accounts=account_counts.total(counts.accounts.total(), delivered.accounts.total(), self.validated_accounts),
        )

    def flush(self) -> None:
        """Write the waiting rejects and outcomes, if this attempt may still write."""
        if not self._writable:
            return
        if self._rejects is not None and self._rejects.waiting:
            self._fence()
            self._rejects.flush()
        self.record()

    def record(self) -> None:
        """Write the waiting outcomes. An attempt that was replaced may do so too: what it knows stays true."""
        if self._outcomes is not None and self._outcomes.waiting and self._writable:
            self._outcomes.flush()

    def start_record(self) -> None:
        """Start to write the waiting outcomes, also those of batches that are not done."""
        if self._outcomes is None or not self._writable:
            return
        for flight in self.under_way:
            if flight.outcome.parts > flight.recorded:
                self._note(flight)
        if self._outcomes.waiting:
            self._outcomes.start_write()

    def _sweep(self) -> None:
        """Try to remove rejects that replaced attempts wrote late."""
        if self._rejects is None:
            return
        try:
            self._rejects.sweep()
        except OSError as error:
            log.warning(
                "Late files of earlier attempts could not be removed from the rejects folder (%s).",
                type(error).__name__,
            )

    def _note(self, flight: InFlightBatch) -> Snapshot:
        """Return the state of a batch, and pass its new failed and held events to the rejects file."""
        snapshot = flight.outcome.snapshot()
        new = snapshot.rejections[flight.noted :]
        self._add(self._lines(new), new)
        flight.noted = len(snapshot.rejections)
        if self._outcomes is not None and len(snapshot.settled) > flight.recorded:
            self._record_settled(self._outcomes, flight, snapshot)
        return snapshot

    def _record_settled(self, outcomes: OutcomeLog, flight: InFlightBatch, snapshot: Snapshot) -> None:
        """Record the outcomes of events that were settled since the last time."""
        account = flight.batch.ad_account_id
        rejections = {one.row: one for one in snapshot.rejections}
        for part in snapshot.settled[flight.recorded :]:
            others = [event for event in part if event.row in rejections] if rejections else ()
            processed = [event for event in part if event.row not in rejections] if others else part
            for event in others:
                outcomes.add(of_rejection(account, rejections[event.row], event))
            for outcome in of_processed(account, processed):
                outcomes.add(outcome)
        flight.recorded = len(snapshot.settled)

    def _record_unsent(self, section: Section, held: Sequence[Rejection]) -> None:
        """Record the rows of a section that are not sent."""
        if self._outcomes is None:
            return
        events = {event.row: event for event in (*section.events, *section.held)} if held else {}
        for one in held:
            self._outcomes.add(of_rejection(one.ad_account_id or section.ad_account_id, one, events.get(one.row)))
        usual = "" if section.counts.accounts else section.ad_account_id
        for outcome in section.unsent:
            self._outcomes.add(of_unsent(outcome.ad_account_id or usual, outcome))

    def _lines(self, rejections: Sequence[Rejection]) -> Sequence[bytes]:
        return [rejection_line(one) for one in rejections] if self._rejects else ()

    def _add(self, lines: Sequence[bytes], examples: Sequence[Rejection]) -> None:
        """Queue lines for the next part of the rejects file."""
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
        if self._outcomes is not None and self._outcomes.full:
            self.start_record()

    def _fence(self) -> None:
        """Check that no other attempt has replaced this one, before anything is written into the rejects folder."""
        if self._store is not None:
            self._set(self.last)

    def _set(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint. After a failure nothing more is written, because another attempt may be running."""
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
            return  # the earlier attempt's checkpoint covers more until its prefix has been read again
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
        """Return the entry of a batch in the checkpoint."""
        unknown = set(snapshot.outcome_unknown)
        if not final:
            unknown |= snapshot.announced
            if flight.dispatched:
                unknown |= {event.row for event in flight.batch.events if self._may_resend(event)} & snapshot.unsettled
        section, rows = flight.section, flight.outcome.rows
        settled = _settled(flight, snapshot, now)
        return PendingBatch(
            section.first,
            section.last,
            section.digest,
            settled.delivered,
            flight.rows if unknown == rows else RowSet().plus(unknown),
            flight.rows if not unknown and snapshot.unsettled == rows else RowSet().plus(snapshot.unsettled - unknown),
            flight.since,
            settled.failed,
            settled.held,
        )


def _is_settled(flight: InFlightBatch) -> bool:
    return flight.done and flight.error is None and flight.failure is None


def _held(flight: InFlightBatch) -> list[Rejection]:
    """Return the rejections of events that are not sent again."""
    return [
        *(held(event, "an earlier attempt ended while the event was being sent") for event in flight.hold),
        *(held(event, "held by an earlier attempt") for event in flight.section.held),
    ]


def _settled(flight: InFlightBatch, snapshot: Snapshot, now: float) -> Settled:
    """Return the settled events of a section."""
    delivered = flight.prior.copy()
    delivered.merge(snapshot.delivered)
    delivered.already_sent += flight.section.counts.already_sent
    delivered.processed += flight.section.counts.processed
    if flight.section.balance is not None:
        delivered.merge(flight.section.balance)
    unsent = _held(flight)
    delivered.merge(counted(unsent))
    rejections = [*snapshot.rejections, *unsent]
    if flight.section.counts.accounts:
        delivered.accounts = delivered.accounts.plus(
            account_counts.of_batch(
                flight.section.ad_account_id,
                flight.section.counts.accounts.total(),
                processed=snapshot.delivered.processed,
                calls=snapshot.delivered.calls,
                rejections=rejections,
                already_sent=snapshot.delivered.already_sent,
            )
        )
    if flight.unknown and flight.done:
        again = flight.unknown - snapshot.unsettled
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
