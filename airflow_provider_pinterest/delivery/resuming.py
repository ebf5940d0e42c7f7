"""What a try knows of the one before it: which batches it left, and what is still to be done about them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy

from airflow_provider_pinterest.conversions.batches import Batch, Batcher
from airflow_provider_pinterest.conversions.events import Event, Outcome
from airflow_provider_pinterest.delivery.checkpoint import RECOGNISED, Checkpoint, Mark, hash_of, spans, within
from airflow_provider_pinterest.delivery.result import Delivered
from airflow_provider_pinterest.delivery.sender import Sender, Settlement, in_doubt, resendable
from airflow_provider_pinterest.delivery.window import Shipment

log = logging.getLogger(__name__)


class SourceChanged(Exception):  # noqa: N818 - a finding about the source, which the operator turns into an error
    """The source does not begin with the rows that an earlier try settled.

    :param harmful: whether starting over could send events a second time that cannot be told apart.
    """

    def __init__(self, *, harmful: bool) -> None:
        super().__init__(harmful)
        self.harmful = harmful


def mark_of(shipment: Shipment, now: float, *, noted: bool) -> Mark | None:
    """Return what a checkpoint must know of a batch beyond the prefix; ``None``: nothing.

    Of a batch under way that this try was the first to send, :attr:`Checkpoint.ahead` tells enough.

    :param noted: whether its rejections are, or will be before the checkpoint, written down; a batch with
        rejections that are not counts as not settled. It is the last checkpoint of the try then.
    """
    settled = shipment.settlement
    if settled is not None and not noted and (settled.rejections or settled.unsent or shipment.hold):
        settled = None
    sent = {event.row for event in shipment.batch.events}
    held = {event.row for event in shipment.hold}
    if settled is not None:
        unsent = {event.row for event in settled.unsent}
        again = unsent if shipment.since is not None else unsent & settled.uncertain
        doubt = again if noted else again | held
    elif noted or shipment.covers is not None or shipment.once_only:
        unsent, doubt = sent, sent | held
    else:
        return None
    unsent = unsent - doubt
    events = shipment.covered
    if len(unsent) == len(events):
        return None
    delivered = deepcopy(shipment.prior) if shipment.prior else Delivered()
    if settled is not None:
        delivered.merge(settled.delivered)
        if noted:
            delivered.merge(holding(shipment.hold).delivered)
    return Mark(
        events[0].row,
        events[-1].row,
        hash_of(events),
        delivered,
        spans(events, lambda event: event.row in doubt),
        spans(events, lambda event: event.row in unsent),
        now if shipment.since is None else shipment.since,
    )


def unmarked(events: Sequence[Event], resume: Checkpoint, batcher: Batcher) -> Iterator[Mark]:
    """Mark what an earlier try may have sent after it wrote its last checkpoint.

    :param batcher: an empty one, which cuts it into batches.
    """
    batches: list[Batch | None] = []
    left = resume.ahead
    for event in events:
        if any(mark.first <= event.row <= mark.last for mark in resume.marks):
            batches.append(batcher.rest())
        elif left:
            left -= 1
            batches.append(batcher.add(event))
    for batch in (*batches, batcher.rest()):
        if batch is not None:
            first, last = batch.events[0].row, batch.events[-1].row
            perhaps = spans(batch.events, lambda event: resendable(event, resume.on_doubt))
            surely_not = spans(batch.events, lambda event: not resendable(event, resume.on_doubt))
            yield Mark(first, last, hash_of(batch.events), Delivered(), perhaps, surely_not, resume.written)


def shipment_of(mark: Mark, covered: Sequence[Event], sender: Sender, now: float) -> Shipment:
    """Make of a marked batch what is still to be done about it."""
    late = now - mark.since >= RECOGNISED
    doubt = [event for event in covered if within(event.row, mark.doubt)]
    hold = [event for event in doubt if not sender.resendable(event) or (late and not sender.resends_all)]
    held = {event.row for event in hold}
    send = [event for event in covered if not mark.settles(event.row) and event.row not in held]
    if hold:
        log.warning("%d events were under way when an earlier try ended: held, not sent again", len(hold))
    return Shipment(
        Batch(send),
        mark.last,
        any_once_only(sender, send) or bool(hold),
        covers=covered,
        prior=mark.delivered,
        hold=hold,
        since=mark.since if doubt else None,
    )


def any_once_only(sender: Sender, events: Iterable[Event]) -> bool:
    """Return whether there is an event among them of which no second copy may be sent."""
    return not all(map(sender.resendable, events))


def beyond(outcomes: Iterator[Outcome], resume: Checkpoint) -> Iterator[Outcome]:
    """Yield the outcomes beyond a prefix that an earlier try may have dealt with."""
    yield from through(outcomes, max((mark.last for mark in resume.marks), default=0))
    left = resume.ahead
    while left and (outcome := next(outcomes, None)) is not None:
        left -= type(outcome) is Event
        yield outcome


def through(outcomes: Iterator[Outcome], last: int) -> Iterator[Outcome]:
    """Yield outcomes up to that row, and not take the next from the source."""
    row = 0
    while row < last:
        outcome = next(outcomes, None)
        if outcome is None:
            return
        row = outcome.row
        yield outcome


def holding(events: Sequence[Event]) -> Settlement:
    """Hold events that an earlier try has left in doubt."""
    held = Settlement()
    for event in events:
        held.hold(event, in_doubt("an earlier try ended while it was under way"))
    return held
