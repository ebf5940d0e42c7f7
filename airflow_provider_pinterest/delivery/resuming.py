"""Decides how an attempt starts: continue, send the rest of a finished run, start over, or refuse.

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

LEDGER_TELLS = "The rows are sent, except for events that are processed in the outcome table."

SEND_AGAIN = "To send every row again and accept that events may be counted twice, set send_everything_again=True."


@dataclass(frozen=True, slots=True)
class Attempt:
    """This attempt, for the comparison with the state that an earlier one left.

    :param number: number of the attempt, from 1.
    :param fingerprint: hashes of everything that decides which events the rows give and where they go, by parameter.
    :param fingerprint_v2: the fingerprint as version 2 stored it.
    :param identity: the same for all retries of a run, and different after Clear.
    :param now: Unix seconds.
    :param remembers: whether there is a state store.
    :param may_be_forgotten: whether the state of an earlier attempt may be gone.
    :param may_resend_any: whether the user accepts second copies of any event.
    :param send_again: whether the user wants every row sent regardless of earlier attempts.
    :param ledger: the ledger that tells which events were sent; empty if there is none.
    :param selects: whether the outcome table tells which rows are sent.
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
    ledger: str = ""
    selects: bool = False

    @property
    def not_deduplicable(self) -> str:
        """What to log about events that Pinterest cannot deduplicate, if it is not known which were sent."""
        if self.may_resend_any:
            return "Offline events are sent again too and may be counted twice (on_unknown_outcome='resend')."
        return "Offline events, which it cannot deduplicate, are refused."

    def begun(self, **changes: Any) -> Checkpoint:
        """Return the checkpoint of a run that starts."""
        return Checkpoint(self.fingerprint, self.now, written=self.now, identity=self.identity, **changes)

    def knows(self, state: Checkpoint | Finished) -> bool:
        """Return whether the ledger has every event that an earlier attempt sent."""
        earlier = state.earlier if isinstance(state, Checkpoint) else None
        return bool(self.ledger) and state.ledger == self.ledger and (earlier is None or self.knows(earlier))

    def is_retry_of(self, identity: Mapping[str, Any]) -> bool:
        """Return whether this attempt belongs to the same run, with no Clear in between."""
        return bool(identity) and all(self.identity.get(name) == value for name, value in identity.items())


@dataclass(frozen=True, slots=True)
class Start:
    """How an attempt starts.

    :param checkpoint: the checkpoint to start from.
    :param resume: whether the checkpoint was left by an earlier attempt.
    :param notice: a message to log; may be empty.
    :param warn: whether the message is a warning.
    """

    checkpoint: Checkpoint
    resume: bool = False
    notice: str = ""
    warn: bool = False


def decide_start(state: Checkpoint | Finished | str | None, attempt: Attempt) -> Start | Finished:
    """Return how an attempt starts; the finished run if it is complete and this is only its retry.

    :param state: the stored state; ``None`` if there is none; a text if it cannot be read, with the reason.
    :raises ResendRefusedError: events may have been sent that Pinterest cannot deduplicate.
    """
    if attempt.send_again:
        return _forced(state, attempt)
    match state:
        case None:
            return _nothing_stored(attempt)
        case str():
            return _unreadable(state, attempt)
        case Finished():
            return _after_the_end(state, attempt)
        case Checkpoint():
            return _unfinished(state, attempt)


def start_over(state: Checkpoint | Finished, attempt: Attempt, what: str) -> Start:
    """Return how an attempt starts if its rows or parameters are not those of the earlier one.

    :param what: what has changed, as the subject of a sentence.
    :raises ResendRefusedError: Pinterest cannot deduplicate everything that was sent.
    """
    if attempt.knows(state):
        begun = attempt.begun(ledger=attempt.ledger, offline=False)
        notice = f"{what} changed since the previous attempt. {LEDGER_TELLS}"
        if attempt.selects:  # with a new selection, the user decides anew
            return Start(begun, notice=notice, warn=True)
        return Start(replace(begun, clock=state.clock), notice=notice, warn=True)
    if not state.deduplicable(attempt.now):
        raise ResendRefusedError(
            f"{what} changed since the previous attempt, which sent {state.accepted:,} events. Pinterest cannot "
            "deduplicate all of them, because they are offline events or the first attempt started 23 hours ago or "
            "earlier. Sending again could count events twice, so nothing was sent.",
            advice="Restore the source and the parameters and run it again; or remove the accepted rows from the "
            f"source. {SEND_AGAIN}",
        )
    notice = (
        f"{what} changed since the previous attempt. All rows are sent again; Pinterest deduplicates by event_name and "
        f"event_id for 24 hours. {attempt.not_deduplicable}"
    )
    begun = attempt.begun(unknown_before=state.clock, offline=False)
    return Start(replace(begun, clock=state.clock), notice=notice, warn=True)


def _forced(state: Checkpoint | Finished | str | None, attempt: Attempt) -> Start | Finished:
    """Start over by request, unless an earlier attempt of the same run already did."""
    if isinstance(state, Checkpoint) and state.forced and attempt.is_retry_of(state.identity):
        return _unfinished(state, attempt)
    if isinstance(state, Finished) and state.forced and attempt.is_retry_of(state.identity):
        return _after_the_end(state, attempt)
    notice = "All rows are sent again, because send_everything_again=True is set." if attempt.number > 1 else ""
    return Start(attempt.begun(forced=True), notice=notice, warn=True)


def _nothing_stored(attempt: Attempt) -> Start:
    if attempt.number == 1:
        return Start(attempt.begun(ledger=attempt.ledger))
    if attempt.remembers and not attempt.may_be_forgotten:
        return Start(
            attempt.begun(ledger=attempt.ledger),
            notice="No earlier attempt sent anything, so this one starts at the first row.",
        )
    if attempt.ledger:
        notice = f"It is not known where earlier attempts ended. {LEDGER_TELLS}"
        return Start(attempt.begun(ledger=attempt.ledger), notice=notice, warn=True)
    notice = (
        "It is not known what earlier attempts sent. All rows are sent; Pinterest deduplicates by event_name and "
        "event_id for 24 hours."
    )
    return Start(
        attempt.begun(unknown_before=None if attempt.may_resend_any else attempt.now), notice=notice, warn=True
    )


def _unreadable(reason: str, attempt: Attempt, *, ledger: bool = True) -> Start:
    """Start over after a state that cannot be read.

    :param ledger: whether the attempts that stored it may have used the ledger.
    """
    said = f"The state that an earlier attempt stored cannot be read ({reason})."
    if attempt.ledger and ledger:
        return Start(attempt.begun(ledger=attempt.ledger), notice=f"{said} {LEDGER_TELLS}", warn=True)
    notice = (
        f"{said} All rows are sent again; Pinterest deduplicates by event_name and event_id for 24 hours. "
        f"{attempt.not_deduplicable}"
    )
    return Start(attempt.begun(unknown_before=attempt.now), notice=notice, warn=True)


def _after_the_end(finished: Finished, attempt: Attempt) -> Start | Finished:
    """Start after a complete run: after Clear the rest is sent. Most retries have nothing to do."""
    retry = attempt.is_retry_of(finished.identity)
    if retry and not finished.retryable:
        return finished
    if not finished.fingerprint:  # version 2 stored only the result
        return _unreadable("an earlier version stored it without the sent events", attempt, ledger=False)
    if attempt.selects:
        return Start(attempt.begun(ledger=attempt.ledger))
    changed = changes(finished.fingerprint, attempt)
    if changed:
        return start_over(finished, attempt, changed)
    return Start(
        replace(
            attempt.begun(
                earlier=replace(finished, retryable=False) if finished.retryable and not retry else finished,
                ledger=attempt.ledger,
                forced=retry and finished.forced,
            ),
            clock=finished.clock,
        ),
        resume=True,
        notice=f"This run had already completed: {finished.delivered.accepted:,} of its events were accepted. Its "
        f"{finished.rows:,} rows are read again and compared; accepted events are not sent again.",
    )


def _unfinished(checkpoint: Checkpoint, attempt: Attempt) -> Start:
    """Continue, if the parameters are the same."""
    changed = changes(checkpoint.fingerprint, attempt)
    if not changed and checkpoint.ledger and not attempt.knows(checkpoint):
        changed = "The ledger (skip_already_sent or the outcome table)"
    if changed:
        return start_over(checkpoint, attempt, changed)
    if attempt.selects:
        return _looked_up_again(checkpoint, attempt)
    if no_account_accepted(checkpoint):
        notice = "No ad account accepted an event in the previous attempt, so this one starts at row 1."
        return Start(attempt.begun(forced=checkpoint.forced, ledger=attempt.ledger), notice=notice)
    batches = f" Batches in flight when it ended: {len(checkpoint.pending)}." if checkpoint.pending else ""
    notice = f"Resuming: {checkpoint.rows:,} rows were already accounted for by the previous attempt.{batches}"
    return Start(replace(checkpoint, fingerprint=attempt.fingerprint), resume=True, notice=notice)


def _looked_up_again(checkpoint: Checkpoint, attempt: Attempt) -> Start:
    """Start at the first row: the outcome table has what an earlier attempt did with the selected rows.

    A retry keeps the time of the user's decision. Clear is a new one.
    """
    begun = attempt.begun(ledger=checkpoint.ledger, unknown_before=checkpoint.unknown_before)
    retry = not checkpoint.identity or attempt.is_retry_of(checkpoint.identity)
    notice = "The rows are looked up in the outcome table again. It shows what the previous attempt sent."
    return Start(replace(begun, clock=checkpoint.clock) if retry else begun, notice=notice)


def no_account_accepted(checkpoint: Checkpoint) -> bool:
    """Return whether an attempt with several ad accounts ended because it was refused everywhere."""
    known = [checkpoint.delivered, *(batch.delivered for batch in checkpoint.pending)]
    return (
        bool(checkpoint.delivered.accounts)
        and not any(one.accepted or one.held for one in known)
        and not any(batch.unknown for batch in checkpoint.pending)
        and not checkpoint.ahead
        and checkpoint.earlier is None
        and checkpoint.unknown_before is None
    )


def changes(fingerprint: Mapping[str, str], attempt: Attempt) -> str:
    """Return which parameters have changed, as the subject of a sentence; empty if none has."""
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
    """Return the batch of a section: the events to send, and the events to hold.

    With a ledger that has every claim of the earlier attempt, nothing is held here: the claims tell what was sent.

    :param resume: the checkpoint of an earlier attempt.
    """
    pending = section.pending
    if resume is not None and resume.ledger and sender.claims is not None:
        flight = _batch(section, section.events, (), (), since=now)
        if pending is not None:
            flight.prior = pending.delivered.copy()
        return flight
    if pending is not None:
        unknown = [event for event in section.events if event.row in pending.unknown]
        earlier = resume.earlier if resume else None
        hold = _not_sendable(unknown, sender, now - pending.since, earlier)
        flight = _batch(section, section.events, hold, unknown, since=pending.since if unknown else now)
        flight.prior = pending.delivered.copy()
        return flight
    if section.since is None:
        return _batch(section, section.events, (), (), since=now)
    how = resume.on_unknown_outcome if resume else None
    failed_may = bool(resume and resume.earlier and resume.earlier.may_have_arrived)
    maybe_sent = [
        event for event in section.events if may_resend(event, how) or (failed_may and may_resend(event, None))
    ]
    hold = _not_sendable(maybe_sent, sender, now - section.since)
    return _batch(section, section.events, hold, maybe_sent, since=section.since)


def _not_sendable(
    unknown: Sequence[Event], sender: Sender, age: float, earlier: Finished | None = None
) -> Sequence[Event]:
    """Return the events with unknown outcome that may not be sent again.

    :param age: seconds since they may have been sent for the first time.
    :param earlier: the finished run whose remaining events are sent.
    """
    if sender.may_resend_any:
        return ()
    hold = [
        event
        for event in unknown
        if age >= DEDUPLICATION_WINDOW
        or not sender.may_resend(event)
        or (earlier is not None and event.row in earlier.held)
    ]
    if hold:
        log.warning(
            "%d events are held and not sent again: they were being sent when an earlier attempt ended, and Pinterest "
            "cannot deduplicate them.",
            len(hold),
        )
    return hold


def _batch(
    section: Section, events: Sequence[Event], hold: Sequence[Event], unknown: Sequence[Event], *, since: float
) -> InFlightBatch:
    held = {event.row for event in hold}
    if held:
        events = [event for event in events if event.row not in held]
    rows = frozenset(event.row for event in unknown if event.row not in held)
    return InFlightBatch(section, Batch(events, section.ad_account_id), hold, since=since, unknown=rows)
