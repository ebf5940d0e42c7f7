"""What an attempt does about the ones before it: continue, send the rest of a finished run, start over, or refuse.

Pure decisions: nothing is read or written here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_pinterest.conversions.batches import Batch
from airflow_provider_pinterest.conversions.outcomes import Event
from airflow_provider_pinterest.delivery.checkpoint import DEDUPLICATION_WINDOW, Checkpoint, Finished
from airflow_provider_pinterest.delivery.checkpoint_v2 import WHOLE
from airflow_provider_pinterest.delivery.dispatcher import InFlightBatch
from airflow_provider_pinterest.delivery.sections import Section
from airflow_provider_pinterest.delivery.sender import Sender, may_resend
from airflow_provider_pinterest.exceptions import ResendRefusedError

log = logging.getLogger(__name__)

SEND_AGAIN = (
    "To send every row again regardless, and accept that events may be counted twice, set send_everything_again=True."
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What this attempt is, for the comparison with what an earlier one has left.

    :param number: of the attempt, from 1.
    :param fingerprint: of everything that decides what the rows become and where they go, by parameter.
    :param fingerprint_v2: the same as version 2 made it.
    :param identity: the same for all retries of a run, another one after Clear.
    :param now: Unix seconds.
    :param remembers: whether there is a state store.
    :param may_be_forgotten: whether something that an earlier attempt stored may be gone.
    :param may_resend_any: whether the user accepts second copies of any event.
    :param send_again: whether the user wants every row sent regardless of earlier attempts.
    """

    number: int
    fingerprint: Mapping[str, str]
    fingerprint_v2: str
    identity: Mapping[str, Any]
    now: float
    remembers: bool = True
    may_be_forgotten: bool = False
    may_resend_any: bool = False
    send_again: bool = False

    @property
    def not_deduplicable(self) -> str:
        """What to log about events that Pinterest cannot deduplicate, where it is not known which were sent."""
        if self.may_resend_any:
            return (
                "Events that it cannot deduplicate are sent, too, and may be counted twice "
                "(on_unknown_outcome='resend')."
            )
        return "Events that it cannot deduplicate are refused."

    def begun(self, **changes: Any) -> Checkpoint:
        """Return the checkpoint of a run that begins."""
        return Checkpoint(self.fingerprint, self.now, written=self.now, identity=self.identity, **changes)

    def is_retry_of(self, identity: Mapping[str, Any]) -> bool:
        """Return whether this attempt belongs to the same run, and no Clear lies between."""
        return bool(identity) and all(self.identity.get(name) == value for name, value in identity.items())


@dataclass(frozen=True, slots=True)
class Start:
    """How an attempt begins.

    :param checkpoint: where the run stands.
    :param resume: whether the checkpoint tells what earlier attempts did.
    :param notice: what to log about it, if anything.
    :param warn: whether the notice is a warning.
    """

    checkpoint: Checkpoint
    resume: bool = False
    notice: str = ""
    warn: bool = False


def decide_start(state: Checkpoint | Finished | str | None, attempt: Attempt) -> Start | Finished:
    """Return how an attempt begins; a finished run if it has ended and this is only its retry.

    :param state: what is stored; ``None``: nothing; text: why it cannot be read.
    :raises ResendRefusedError: events may have been sent that Pinterest would not recognise.
    """
    if attempt.send_again:
        return _forced(state, attempt)
    match state:
        case None:
            return _nothing_stored(attempt)
        case str():
            notice = (
                f"The state that an earlier attempt stored cannot be read ({state}). All rows are sent again; "
                f"Pinterest deduplicates by event_name and event_id for 24 hours. {attempt.not_deduplicable}"
            )
            return Start(attempt.begun(unknown_before=attempt.now), notice=notice, warn=True)
        case Finished():
            return _after_the_end(state, attempt)
        case Checkpoint():
            return _unfinished(state, attempt)


def start_over(state: Checkpoint | Finished, attempt: Attempt, what: str) -> Start:
    """Return how an attempt begins when its rows or parameters are not those of the earlier one.

    :param what: what has changed, as the subject of a sentence.
    :raises ResendRefusedError: Pinterest would not recognise all of what was sent.
    """
    if not state.recognised(attempt.now):
        raise ResendRefusedError(
            f"{what} changed since the previous attempt, which sent {state.accepted:,} events. Pinterest cannot "
            "recognise all of them: they are offline events, or were sent 23 hours ago or earlier. Sending again could "
            "count them twice, so nothing was sent.",
            advice="Restore the source and the parameters and run it again; or leave out of the source what was "
            f"accepted. {SEND_AGAIN}",
        )
    notice = (
        f"{what} changed since the previous attempt. All rows are sent again; Pinterest deduplicates by event_name and "
        f"event_id for 24 hours. {attempt.not_deduplicable}"
    )
    begun = attempt.begun(unknown_before=state.clock, offline=False)
    return Start(replace(begun, clock=state.clock), notice=notice, warn=True)


def _forced(state: Checkpoint | Finished | str | None, attempt: Attempt) -> Start | Finished:
    """Begin anew by request, unless the request was followed by an earlier attempt of this very run."""
    if isinstance(state, Checkpoint) and state.forced and attempt.is_retry_of(state.identity):
        return _unfinished(state, attempt)
    if isinstance(state, Finished) and state.forced and attempt.is_retry_of(state.identity):
        return state
    notice = (
        "send_everything_again=True: all rows are sent, whatever earlier attempts have sent."
        if attempt.number > 1
        else ""
    )
    return Start(attempt.begun(forced=True), notice=notice, warn=True)


def _nothing_stored(attempt: Attempt) -> Start:
    if attempt.number == 1:
        return Start(attempt.begun())
    if attempt.remembers and not attempt.may_be_forgotten:
        return Start(attempt.begun(), notice="No earlier attempt sent anything: beginning with the first row.")
    notice = (
        "Nothing is known of what earlier attempts sent. All rows are sent; Pinterest deduplicates by event_name and "
        "event_id for 24 hours."
    )
    return Start(
        attempt.begun(unknown_before=None if attempt.may_resend_any else attempt.now), notice=notice, warn=True
    )


def _after_the_end(finished: Finished, attempt: Attempt) -> Start | Finished:
    """Begin after a run that came to its end: a retry has nothing to do; after Clear the rest is sent."""
    if attempt.is_retry_of(finished.identity):
        return finished
    if not finished.fingerprint:  # version 2 stored only the result
        return decide_start("it was stored by an earlier version, without what was sent", attempt)
    changed = changes(finished.fingerprint, attempt)
    if changed:
        return start_over(finished, attempt, changed)
    return Start(
        replace(attempt.begun(earlier=finished), clock=finished.clock),
        resume=True,
        notice=f"This run came to its end before: {finished.delivered.accepted:,} of its events were accepted. Its "
        f"{finished.rows:,} rows are read again and compared; accepted events are not sent again.",
    )


def _unfinished(checkpoint: Checkpoint, attempt: Attempt) -> Start:
    """Continue, if the parameters are the same."""
    changed = changes(checkpoint.fingerprint, attempt)
    if changed:
        return start_over(checkpoint, attempt, changed)
    under_way = f"; batches that were being sent: {len(checkpoint.pending)}" if checkpoint.pending else ""
    notice = (
        f"Resuming: the first {checkpoint.rows:,} rows are already accounted for by the previous attempt{under_way}."
        if checkpoint.rows or checkpoint.pending
        else "Resuming: the previous attempt had not accounted for any row."
    )
    return Start(replace(checkpoint, fingerprint=attempt.fingerprint), resume=True, notice=notice)


def changes(fingerprint: Mapping[str, str], attempt: Attempt) -> str:
    """Return which parameters have changed, as the subject of a sentence; empty: none."""
    if WHOLE in fingerprint:
        same = fingerprint[WHOLE] == attempt.fingerprint_v2
        return "" if same else "The parameters or the connection"
    names = sorted(
        name for name in {*fingerprint, *attempt.fingerprint} if fingerprint.get(name) != attempt.fingerprint.get(name)
    )
    if not names:
        return ""
    return f"The parameter {names[0]}" if len(names) == 1 else f"The parameters {', '.join(names)}"


def in_flight(section: Section, sender: Sender, now: float, resume: Checkpoint | None = None) -> InFlightBatch:
    """Return the batch of a section: what is to be sent of it, and what is held.

    :param resume: what an earlier attempt left.
    """
    pending = section.pending
    if pending is not None:
        events = [event for event in section.events if event.row in pending.doubt or event.row in pending.open]
        doubt = [event for event in events if event.row in pending.doubt]
        earlier = resume.earlier if resume else None
        hold = _not_sendable(doubt, sender, now - pending.since, earlier)
        flight = _batch(section, events, hold, doubt, since=pending.since if doubt else now)
        flight.prior = pending.delivered.copy()
        return flight
    if section.since is None:
        return _batch(section, section.events, (), (), since=now)
    perhaps_sent = [
        event for event in section.events if may_resend(event, resume.on_unknown_outcome if resume else None)
    ]
    hold = _not_sendable(perhaps_sent, sender, now - section.since)
    return _batch(section, section.events, hold, perhaps_sent, since=section.since)


def _not_sendable(
    doubt: Sequence[Event], sender: Sender, age: float, earlier: Finished | None = None
) -> Sequence[Event]:
    """Return the events in doubt that may not be sent again.

    :param age: seconds since they may have been sent for the first time.
    :param earlier: the finished run whose remaining events are sent.
    """
    if sender.may_resend_any:
        return ()
    hold = [
        event
        for event in doubt
        if age >= DEDUPLICATION_WINDOW
        or not sender.may_resend(event)
        or (earlier is not None and event.row in earlier.held)
    ]
    if hold:
        log.warning(
            "%d events were being sent when an earlier attempt ended, and Pinterest would not recognise second copies: "
            "they are held and not sent again",
            len(hold),
        )
    return hold


def _batch(
    section: Section, events: Sequence[Event], hold: Sequence[Event], doubt: Sequence[Event], *, since: float
) -> InFlightBatch:
    held = {event.row for event in hold}
    if held:
        events = [event for event in events if event.row not in held]
    uncertain = frozenset(event.row for event in doubt if event.row not in held)
    batch = Batch(events, section.ad_account_id)
    return InFlightBatch(section, batch, hold, since=since, uncertain=uncertain)
