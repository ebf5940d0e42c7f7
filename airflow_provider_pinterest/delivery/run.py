"""Rows in, outcomes out: the loop that joins source, events, batches, senders, checkpoint and account.

It knows nothing of where rows come from, and holds no more than the batches under way. Batches are settled in the
order in which they were cut; the rows up to the last settled one are the prefix that a checkpoint names.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_pinterest.conversions.batches import Batch, Batcher
from airflow_provider_pinterest.conversions.builder import EventBuilder
from airflow_provider_pinterest.conversions.events import Chunk, Duplicate, Event, Outcome, Rejection
from airflow_provider_pinterest.delivery.checkpoint import Checkpoint, EventsHash, Keeper, Mark, hash_of
from airflow_provider_pinterest.delivery.pace import Stopped
from airflow_provider_pinterest.delivery.rejects import Rejects
from airflow_provider_pinterest.delivery.result import HOUR, Delivered, Tally
from airflow_provider_pinterest.delivery.resuming import (
    SourceChanged,
    any_once_only,
    beyond,
    holding,
    mark_of,
    shipment_of,
    through,
    unmarked,
)
from airflow_provider_pinterest.delivery.sender import Sender, Settlement
from airflow_provider_pinterest.delivery.window import Shipment, Window
from airflow_provider_pinterest.exceptions import DeliveryError

log = logging.getLogger(__name__)

PROGRESS_EVERY: Final = 10.0
"""Seconds between two lines of progress."""

EXAMPLES: Final = 5
"""Rejections that are shown in the log."""

GRACE: Final = 4.0
"""Seconds that a run which was told to stop waits for the calls it has cut off."""


@dataclass(slots=True)
class Plan:
    """What a run that sends works with.

    :param sender: gets batches accepted.
    :param window: batches under way.
    :param keeper: writes checkpoints.
    :param resume: what an earlier try left behind.
    """

    sender: Sender
    window: Window
    keeper: Keeper
    resume: Checkpoint | None = None


@dataclass(slots=True)
class _Prefix:
    """All rows up to ``rows`` are accounted for."""

    rows: int = 0
    events: EventsHash = field(default_factory=EventsHash)
    delivered: Delivered = field(default_factory=Delivered)


class Run:
    """One run of a source's rows.

    :param builder: makes events of rows.
    :param batcher: makes batches of events.
    :param plan: how to send; ``None`` to validate only.
    :param rejects: where rejections are written, if anywhere.
    :param on_first_event: shown the first valid event.
    :param on_once_only: told of the first event of which no second copy may be sent.
    :param clock: monotonic seconds.
    :param wall: Unix seconds.
    """

    def __init__(
        self,
        builder: EventBuilder,
        batcher: Batcher,
        plan: Plan | None,
        *,
        rejects: Rejects | None = None,
        on_first_event: Callable[[Event], None] = lambda _: None,
        on_once_only: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.tally = Tally()
        self.examples: list[Rejection] = []
        """The first rejections, for the log."""
        self.finished = False
        """Whether every row of the source was read and settled."""
        self._builder = builder
        self._batcher = batcher
        self._plan = plan
        self._rejects = rejects
        self._on_first_event = on_first_event
        self._on_once_only = on_once_only
        self._once_only = bool(plan and plan.resume and plan.resume.offline)
        self._prefix = _Prefix()
        self._begun = False
        """Whether this try has sent anything."""
        self._not_taken_over: list[Mark] = []
        self._fenced = False
        """Whether memory does not hold what a checkpoint must say: an exception then leaves the last one alone."""
        self._clock = clock
        self._wall = wall
        self._started = self._reported = clock()

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return self._clock() - self._started

    @property
    def warnings(self) -> Counter[str]:
        """Warning code → events, found before sending."""
        return self._builder.warnings

    @property
    def coverage(self) -> Counter[str]:
        """Field → valid, distinct events that carry it."""
        return self._builder.coverage

    def feed(self, chunks: Iterable[Chunk]) -> None:
        """Deliver all rows of a source.

        Whatever it raises, :attr:`tally` accounts for every row read so far, and the last checkpoint is true.

        :raises DeliveryError: Pinterest does not take the events; what is not settled counts as not sent.
        :raises Stopped: the run was told to stop.
        :raises SourceChanged: an earlier try settled other rows than the source has now; nothing was sent.
        :raises OSError: rejections cannot be written.
        """
        outcomes = self._builder.events(chunks)
        plan = self._plan
        try:
            try:
                if plan is not None and plan.resume is not None:
                    self._replay(outcomes, plan.resume, plan)
                for outcome in outcomes:
                    self._take(outcome)
                self._ship(self._batcher.rest(), self.tally.rows_read)
            except (DeliveryError, Stopped, SourceChanged):
                raise
            except Exception:  # the source's, above all: what was read before is good
                if not self._fenced:
                    self._settle_all()
                raise
            self._settle_all()
            self.finished = True
        except SourceChanged:
            raise
        except BaseException:
            self._break_off()
            raise
        finally:
            self._builder.close()
            if plan is not None:
                plan.window.close()
            if self._rejects is not None:
                self._rejects.flush()

    def _take(self, outcome: Outcome) -> None:
        """Count a row, and send its batch when it completes one."""
        self._count(outcome)
        if type(outcome) is Event:
            if self.tally.events_built == 1:
                self._on_first_event(outcome)
            full = self._batcher.add(outcome)
            if full is not None:
                self._ship(full, outcome.row if full.events[-1] is outcome else outcome.row - 1)
        elif isinstance(outcome, Rejection):
            self._write([outcome])

    def _ship(self, batch: Batch | None, rows: int) -> None:
        """Send a batch, or only count it.

        :param rows: all rows up to this number are in it or were dealt with before.
        """
        if batch is None:
            return
        plan = self._plan
        if plan is None:
            self.tally.validated_only += len(batch)
            for offline in (True, False):
                times = [event.time for event in batch.events if event.offline is offline]
                self.tally.valid_lags.add(times, self._wall(), offline=offline)
            self._progress()
            return
        self._put(plan, Shipment(batch, rows, any_once_only(plan.sender, batch.events)))
        if plan.sender.max_bytes is not None:
            self._batcher.max_bytes = min(self._batcher.max_bytes, plan.sender.max_bytes)

    def _put(self, plan: Plan, shipment: Shipment, taken_over: Mark | None = None) -> None:
        """Send a shipment, once there is room, and once it is written down if the next try must know of it."""
        while plan.window.full or plan.window.ready:
            self._settle_oldest(plan)
        if taken_over is not None:
            self._fenced = True  # until it is among the batches under way
            self._not_taken_over.remove(taken_over)
        if shipment.once_only and not self._once_only:
            self._on_once_only()
            self._once_only = True
        if shipment.once_only or taken_over is not None or not self._begun:
            self._checkpoint(plan, also=shipment)
        self._begun = True
        plan.window.put(shipment)
        self._fenced = False

    def _settle_oldest(self, plan: Plan) -> None:
        """Wait for the oldest batch under way and move the prefix past it.

        :raises DeliveryError: it could not be sent, and the run ends.
        :raises Stopped: the run was told to stop.
        """
        shipment, settled = plan.window.oldest()
        if settled.error is not None:
            self._end(plan, settled.error)
        self._fenced = True  # until the prefix has taken in what the window has given out
        plan.window.drop()
        delivered = self._note(shipment, settled)
        prefix = self._prefix
        prefix.rows = shipment.rows
        prefix.events.add(shipment.covered)
        prefix.delivered.merge(delivered)
        self._fenced = False
        if plan.keeper.answered():
            self._checkpoint(plan)
        self._progress()

    def _settle_all(self) -> None:
        """Wait for all batches under way."""
        plan = self._plan
        if plan is None:
            return
        while plan.window.under_way:
            self._settle_oldest(plan)
        self._checkpoint(plan)

    def _end(self, plan: Plan, error: DeliveryError | Stopped) -> None:
        """End the run at the oldest batch, which could not be sent; let those behind it finish what they are at.

        :raises DeliveryError: always one of the two.
        :raises Stopped: always one of the two.
        """
        if isinstance(error, Stopped):
            plan.sender.abort()
        else:
            plan.sender.stop()
        self._account_for(plan, None if isinstance(error, DeliveryError) else GRACE)
        raise error

    def _break_off(self) -> None:
        """End the run at once: the process is told to go, or nothing may be written any more."""
        plan = self._plan
        if plan is None:
            return
        plan.sender.abort()
        if not self._fenced:
            self._account_for(plan, GRACE)
            return
        self._rejects = None
        for shipment in plan.window.drain(GRACE):
            if shipment.settlement is not None:
                self._note(shipment, shipment.settlement)

    def _account_for(self, plan: Plan, seconds: float | None) -> None:
        """Count what becomes of the batches under way within so many seconds, and leave a last checkpoint."""
        plan.window.wait(seconds)
        self._fenced = True  # the next checkpoint is the last, or the one before it was
        shipments = plan.window.drain(0)
        marks = [mark for shipment in shipments if (mark := mark_of(shipment, self._wall(), noted=True)) is not None]
        for shipment in shipments:
            if shipment.settlement is not None:
                self._note(shipment, shipment.settlement)
        self._checkpoint(plan, marks=marks)

    def _checkpoint(self, plan: Plan, *, also: Shipment | None = None, marks: Sequence[Mark] | None = None) -> None:
        """Write down how far the run is settled, after the rejections of that prefix are safe.

        :param also: a batch about to be sent.
        :param marks: what is known of batches beyond the prefix; ``None``: see what is under way.
        """
        if not plan.keeper.durable and marks is None:
            return
        ahead = 0
        if marks is None:
            shipments = (*plan.window.under_way, also) if also else plan.window.under_way
            marks = [mark for one in shipments if (mark := mark_of(one, self._wall(), noted=False)) is not None]
            ahead = (plan.window.size + plan.keeper.every_answers) * self._batcher.max_events
        prefix = self._prefix
        try:
            if self._rejects is not None:
                self._rejects.flush()
            plan.keeper.write(
                rows=prefix.rows,
                events_hash=prefix.events.hexdigest(),
                delivered=deepcopy(prefix.delivered),
                offline=self._once_only,
                marks=(*marks, *self._not_taken_over),
                ahead=ahead,
                on_doubt=plan.sender.on_doubt,
            )
        except BaseException:
            self._fenced = True
            self._rejects = None  # another try may be writing there
            raise

    def _replay(self, outcomes: Iterator[Outcome], resume: Checkpoint, plan: Plan) -> None:
        """Read again what an earlier try settled, and take over what it knew of the batches beyond.

        :raises SourceChanged: these are not the rows of that try.
        """
        tally, prefix = self.tally, self._prefix
        self._fenced = True  # until all is known again that the earlier try's checkpoint says
        for outcome in through(outcomes, resume.rows):
            self._count(outcome)
            if type(outcome) is Event:
                prefix.events.add((outcome,))
        harmful = not (plan.sender.resends_all or resume.recognised(self._wall()))
        if tally.rows_read != resume.rows or prefix.events.hexdigest() != resume.events_hash:
            raise SourceChanged(harmful=harmful)
        prefix.rows = resume.rows
        prefix.delivered = deepcopy(resume.delivered)
        tally.delivered.merge(resume.delivered)

        later = list(beyond(outcomes, resume))
        events = [outcome for outcome in later if type(outcome) is Event]
        for mark in resume.marks:
            if hash_of(event for event in events if mark.first <= event.row <= mark.last) != mark.events_hash:
                raise SourceChanged(harmful=harmful)
        batcher = Batcher(self._batcher.max_events, self._batcher.max_bytes)
        marks = sorted((*resume.marks, *unmarked(events, resume, batcher)), key=lambda mark: mark.first)
        self._not_taken_over = list(marks)
        self._fenced = False
        if resume.delivered.processed or any(mark.delivered.processed for mark in marks):
            plan.sender.trust()
        self._take_over(later, marks, plan)

    def _take_over(self, later: Sequence[Outcome], marks: Sequence[Mark], plan: Plan) -> None:
        """Send what the marks leave open, keep what they settle, hold what they leave in doubt."""
        covered: list[Event] = []
        for outcome in later:
            mark = next((mark for mark in marks if mark.first <= outcome.row <= mark.last), None)
            if mark is None or type(outcome) is not Event:
                self._take(outcome)
                continue
            if outcome.row == mark.first:
                self._ship(self._batcher.rest(), mark.first - 1)
            self._count(outcome)
            covered.append(outcome)
            if outcome.row == mark.last:
                self._put(plan, shipment_of(mark, covered, plan.sender, self._wall()), taken_over=mark)
                covered = []

    def _count(self, outcome: Outcome) -> None:
        """Count a row as it was read, whether this try or an earlier one settles it."""
        tally = self.tally
        tally.rows_read += 1
        if type(outcome) is Event:
            tally.events_built += 1
        elif isinstance(outcome, Duplicate):
            tally.duplicates_dropped += 1
        elif isinstance(outcome, Rejection):
            tally.rows_rejected += 1
            tally.reasons.update({reason.code for reason in outcome.reasons})

    def _note(self, shipment: Shipment, settled: Settlement) -> Delivered:
        """Count what became of a batch, and of what moved on with it."""
        held = holding(shipment.hold)
        delivered = deepcopy(shipment.prior) if shipment.prior else Delivered()
        delivered.merge(settled.delivered)
        delivered.merge(held.delivered)
        if shipment.since is not None:
            unsent, soon = {event.row for event in settled.unsent}, self._wall() - HOUR
            late = sum(event.time < soon and event.row not in unsent for event in shipment.batch.events)
            delivered.warnings += Counter(dedup_uncertain=late)
        self.tally.delivered.merge(delivered)
        self._write([*settled.rejections, *held.rejections])
        return delivered

    def _write(self, rejections: Sequence[Rejection]) -> None:
        for rejection in rejections:
            if len(self.examples) < EXAMPLES:
                self.examples.append(rejection)
            if self._rejects is not None:
                self._rejects.add(rejection)

    def _progress(self) -> None:
        now = self._clock()
        if now - self._reported < PROGRESS_EVERY:
            return
        self._reported = now
        tally = self.tally
        done = tally.events_sent + tally.validated_only
        log.info(
            "%s rows read, %s events %s (%s/s), %s rejected, %s calls",
            f"{tally.rows_read:,}",
            f"{done:,}",
            "sent" if self._plan else "valid",
            f"{done / max(self.seconds, 0.001):,.0f}",
            f"{tally.rejected:,}",
            f"{tally.delivered.calls:,}",
        )
