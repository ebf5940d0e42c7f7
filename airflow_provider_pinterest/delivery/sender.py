"""Sends a batch until every event of it is settled: sends it again, splits it or gives up, as :mod:`.decide` says.

The outcome of each event is recorded at once in the batch's :class:`~.batch_outcome.BatchOutcome`.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Final

from airflow_provider_pinterest.api.events_endpoint import Answer, EventsEndpoint, PerEventResults, Refused
from airflow_provider_pinterest.api.interruptible import Stopped
from airflow_provider_pinterest.api.rate_limit import RateLimiter
from airflow_provider_pinterest.api.responses import AccessDenied, OutcomeUnknown, Trace
from airflow_provider_pinterest.api.token_renewal import TokenRenewal
from airflow_provider_pinterest.conversions.batches import Batch
from airflow_provider_pinterest.conversions.outcomes import Event, Rejection
from airflow_provider_pinterest.delivery.batch_outcome import BatchOutcome, counted, failed, held
from airflow_provider_pinterest.delivery.decide import (
    Deduplicability,
    Deliver,
    Hold,
    HoldSome,
    Isolated,
    Renew,
    Retry,
    Situation,
    Split,
    Stop,
    decide,
)
from airflow_provider_pinterest.delivery.ledger import Claims
from airflow_provider_pinterest.delivery.result import HOUR
from airflow_provider_pinterest.delivery.standings import SAME_REFUSALS, Standings
from airflow_provider_pinterest.exceptions import DeliveryError, OutcomesError, RefusedError

log = logging.getLogger(__name__)

MAX_WAIT: Final = 600.0
"""Seconds that a batch may wait to be accepted, in total."""

Announce = Callable[[Sequence[Event]], None]
"""Called before a request with events that Pinterest cannot deduplicate; returns when the checkpoint names them."""


class OnUnknownOutcome(StrEnum):
    """What to do with events whose outcome is unknown."""

    RESEND = "resend"
    HOLD = "hold"


def may_resend(event: Event, on_unknown_outcome: str | None) -> bool:
    """Return whether an event is sent again when its outcome is unknown."""
    return on_unknown_outcome == OnUnknownOutcome.RESEND or (
        not event.offline and on_unknown_outcome != OnUnknownOutcome.HOLD
    )


class Sender:
    """Gets batches accepted; shared by the threads that send.

    :param endpoint: receives the events.
    :param rate_limiter: admits its calls.
    :param on_unknown_outcome: what to do with events whose outcome is unknown; ``None``: resend those that Pinterest
        can deduplicate, hold the others.
    :param max_wait: seconds that a batch may wait after its first failure before the run ends.
    :param claims: claims events before they are sent; ``None`` without a ledger.
    :param marks: whether a checkpoint must name events that Pinterest cannot deduplicate before they are sent. Not
        needed if every event of the run is claimed.
    :param guard: called before each call; raises ``Stopped`` if this process must stop sending.
    :param clock: monotonic seconds.
    :param wall: Unix seconds.
    :param jitter: returns random numbers from 0 to 1.
    :param standings: decides what a refusal means for the run; ``None``: the run has one account.
    """

    def __init__(
        self,
        endpoint: EventsEndpoint,
        rate_limiter: RateLimiter,
        *,
        on_unknown_outcome: OnUnknownOutcome | None = None,
        max_wait: float = MAX_WAIT,
        claims: Claims | None = None,
        marks: bool = True,
        guard: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        standings: Standings | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._client = endpoint.client
        self._rate_limiter = rate_limiter
        self.on_unknown_outcome = on_unknown_outcome
        self._max_wait = max_wait
        self.claims = claims
        self._marks = marks
        self._guard = guard
        self._clock = clock
        self._wall = wall
        self._jitter = jitter
        self._stopping = self._aborting = False
        self._lock = threading.Lock()
        self._standings = standings or Standings()
        self.max_bytes: int | None = None
        """Largest body to send, in bytes, once a larger one was refused for its size."""
        self.waited = 0.0
        """The longest time, in seconds, that a batch has waited to be sent again."""

    @property
    def may_resend_any(self) -> bool:
        """Whether second copies of any event do no harm, or the user accepts them."""
        return self._endpoint.test or self.on_unknown_outcome is OnUnknownOutcome.RESEND

    def may_resend(self, event: Event) -> bool:
        """Return whether a second copy of the event does no harm soon after the first, or the user accepts it."""
        return self._endpoint.test or may_resend(event, self.on_unknown_outcome)

    def may_resend_all(self, events: Iterable[Event]) -> bool:
        """Return whether :meth:`may_resend` is true for each of the events."""
        return all(map(self.may_resend, events))

    def trust(self) -> None:
        """Record that Pinterest accepted events of this mapping before, so a refusal is about single rows."""
        self._standings.trust()

    def stop(self) -> None:
        """Start no further call; calls in flight continue."""
        if not self._stopping:  # a signal handler may interrupt code that holds the lock of the event
            self._stopping = True
            self._rate_limiter.stop.set()

    @property
    def stopped(self) -> bool:
        """Whether no further call may start."""
        return self._rate_limiter.stop.is_set()

    def abort(self) -> None:
        """Start no further call, and abort the calls in flight. May be called in a signal handler."""
        self.stop()
        if not self._aborting:
            self._aborting = True
            self._client.abort()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def deliver(self, batch: Batch, outcome: BatchOutcome, announce: Announce) -> DeliveryError | Stopped | None:
        """Send a batch until every event is settled or the run must end.

        :param outcome: records the outcome of each event.
        :param announce: called before a request with events that Pinterest cannot deduplicate.
        :return: the reason why the run must end, with events left open; ``None`` if all events are settled.
        """
        account = batch.ad_account_id
        try:
            refusal = self._standings.begin(account, lambda: self._rate_limiter.sleep(0))
        except Stopped as stopped:
            return stopped
        try:
            error = refusal or self._send_all(batch, outcome, announce)
        except BaseException as failure:
            self._standings.end(account, failure)
            raise
        alone = self._standings.end(account, error)
        if error is None or isinstance(error, Stopped):
            return error
        if not alone:
            return self._standings.told(account, error)
        try:
            _fail_open_events(batch, outcome, error)
        except Stopped as stopped:
            return stopped
        return None

    def _send_all(self, batch: Batch, outcome: BatchOutcome, announce: Announce) -> DeliveryError | Stopped | None:
        """Send a batch until every event is settled; return why some are not.

        Single events that Pinterest rejects fail, unless it accepts none, or rejects too many with the same error.
        """
        refused: list[tuple[Event, Trace]] = []
        error: DeliveryError | Stopped | None = None
        waiting = [batch]
        try:
            while waiting:
                waiting += reversed(self._settle(waiting.pop(), outcome, announce, refused))
        except (DeliveryError, Stopped) as raised:
            error = raised
        wrong: DeliveryError | None = None
        if refused and not isinstance(error, RefusedError):
            wrong = self._standings.reject_all(batch.ad_account_id, _all_refused(refused[-1][1]))
            error = error or wrong
        if error is not None and self.claims is not None:
            with suppress(OutcomesError):  # the claims then stay, and a later run takes the outcome for unknown
                self.claims.release(batch, outcome)
        if refused and wrong is None and not isinstance(error, RefusedError):
            try:
                rejections = [failed(event, trace.message, "pinterest_refused") for event, trace in refused]
                outcome.settle([event for event, _ in refused], counted(rejections), rejections)
            except Stopped as stopped:
                error = error or stopped
        return error

    def _settle(
        self, part: Batch, outcome: BatchOutcome, announce: Announce, refused: list[tuple[Event, Trace]]
    ) -> Sequence[Batch]:
        """Settle a part of a batch, or return the smaller parts to settle instead.

        :raises DeliveryError: the run must end, and the part is not settled.
        :raises Stopped: the run was told to stop, and the part is not settled.
        """
        kind = self._kind(part)
        deduplicable = kind is Deduplicability.ALL
        body = part.body
        credential = self._client.credential
        renewal = TokenRenewal(self._client)
        first_failure: float | None = None
        resent = False
        sent = attempt = 0
        while True:
            attempt += 1
            token = credential.token
            answer: Answer | None = renewal.renew()
            asked = answer is None
            if answer is None:
                self._rate_limiter.wait(part.ad_account_id)
                if self.claims is not None:
                    admitted = self._admitted(self.claims, part, outcome)
                    if not admitted or len(admitted[0]) < len(part):
                        return admitted
                if not deduplicable and self._marks:
                    announce(part.events)
                self._guard()
                token = credential.token
                sent += 1
                outcome.called(again=sent > 1)
                answer = self._endpoint.send(
                    part.ad_account_id,
                    body,
                    len(part),
                    fresh=not deduplicable,
                    begin=lambda: outcome.begin(part.events),
                )
            if isinstance(answer, OutcomeUnknown) or (isinstance(answer, Refused) and answer.partly):
                outcome.outcome_unknown()
            elif not isinstance(answer, PerEventResults):
                outcome.not_accepted()
            now = self._clock()
            first_failure = now if first_failure is None else first_failure
            situation = Situation(
                events=len(part),
                attempt=attempt,
                kind=kind,
                time_left=first_failure + self._max_wait - now,
                renewable=renewal.possible,
            )
            action = decide(answer, situation, self._jitter)
            log.debug("%d events sent: %s, so %s", len(part), type(answer).__name__, type(action).__name__)
            match action:
                case Deliver(listed):
                    self._accept(part, listed, outcome)
                    return ()
                case Retry(after, for_all, reason):
                    log.info(
                        "%s; retrying this batch of %d events in %.1f s (try %d, %.0f s waited so far)",
                        reason,
                        len(part),
                        after,
                        attempt + 1,
                        now - first_failure,
                    )
                    if isinstance(answer, OutcomeUnknown) and not resent:
                        resent = True
                        self._warn_of_late_copies(part, outcome)
                    if for_all:
                        self._rate_limiter.pause(after, part.ad_account_id)
                    if self.claims is not None:
                        self.claims.release(part, outcome, wait=after)
                    self._rate_limiter.sleep(after)
                    self.waited = max(self.waited, self._clock() - first_failure)
                case Renew():
                    renewal.refuse(token, answer if isinstance(answer, AccessDenied) else None)
                case Split(smaller=smaller):
                    if smaller:
                        with self._lock:
                            self.max_bytes = min(self.max_bytes or len(body), len(body) // 2)
                    return part.halves()
                case HoldSome(trace):
                    again, others = part.divided(self.may_resend)
                    self._hold(others.events, trace, outcome)
                    return (again,)
                case Hold(trace):
                    self._hold(part.events, trace, outcome)
                    return ()
                case Isolated(trace):
                    self._isolate(part.ad_account_id, part.events[0], trace, refused)
                    return ()
                case Stop(error):
                    if asked and isinstance(answer, AccessDenied):
                        self._standings.deny(part.ad_account_id, answer.trace.status)
                    raise error

    def _admitted(self, claims: Claims, part: Batch, outcome: BatchOutcome) -> Sequence[Batch]:
        """Return the events of a part that this attempt may send, and those to admit later, as the ledger says."""
        return claims.admit(
            part, outcome, may_resend=self.may_resend, may_resend_any=self.may_resend_any, now=self._wall
        )

    def _kind(self, part: Batch) -> Deduplicability:
        others = sum(not self.may_resend(event) for event in part.events)
        if not others:
            return Deduplicability.ALL
        return Deduplicability.NONE if others == len(part) else Deduplicability.SOME

    @staticmethod
    def _hold(events: Sequence[Event], trace: Trace, outcome: BatchOutcome) -> None:
        """Hold events whose outcome stays unknown."""
        rejections = [held(event, trace) for event in events]
        outcome.settle(events, counted(rejections), rejections)

    def _accept(self, part: Batch, listed: PerEventResults, outcome: BatchOutcome) -> None:
        """Record the result that Pinterest gives for each event."""
        now = self._wall()
        times: dict[bool, list[int]] = {True: [], False: []}
        rejections: list[Rejection] = []
        if listed.failed or listed.unknown:
            for position, event in enumerate(part.events):
                if position in listed.failed:
                    rejections.append(failed(event, listed.failed[position]))
                elif position in listed.unknown:
                    rejections.append(held(event, listed.trace))
                else:
                    times[event.offline].append(event.time)
        else:
            for event in part.events:
                times[event.offline].append(event.time)
        delivered = counted(rejections)
        delivered.processed = len(times[True]) + len(times[False])
        for offline, moments in times.items():
            delivered.latencies.add(moments, now, offline=offline)
        if listed.warnings:
            delivered.warnings["pinterest_warning"] = listed.warnings
        outcome.settle(part.events, delivered, rejections)
        self._standings.accept(part.ad_account_id)

    def _warn_of_late_copies(self, part: Batch, outcome: BatchOutcome) -> None:
        """Count events that are sent again and may be so late that Pinterest counts them as offline."""
        now = self._wall()
        late = sum(now - event.time > HOUR for event in part.events)
        if late and not self._endpoint.test:
            outcome.warn(Counter(dedup_uncertain=late))

    def _isolate(self, ad_account_id: str, event: Event, trace: Trace, refused: list[tuple[Event, Trace]]) -> None:
        """Note an event that makes Pinterest reject its request.

        :raises RefusedError: too many consecutive events were rejected with the same error.
        """
        too_many = self._standings.reject_event(ad_account_id, trace.message)
        refused.append((event, trace))
        if too_many:
            raise _all_refused(trace, SAME_REFUSALS)


def _fail_open_events(batch: Batch, outcome: BatchOutcome, error: BaseException) -> None:
    """Settle the open events of a batch whose account is refused. Those that may have arrived are held.

    :raises Stopped: the batch is closed.
    """
    snapshot = outcome.snapshot()
    events = [event for event in batch.events if event.row in snapshot.unsettled]
    rejections = [
        held(event, "the ad account was refused later")
        if event.row in snapshot.outcome_unknown
        else failed(event, str(error).partition("\n")[0], "account_refused")
        for event in events
    ]
    outcome.settle(events, counted(rejections), rejections)


def _all_refused(trace: Trace, consecutive: int | None = None) -> RefusedError:
    """Return the error for a mapping that is probably wrong.

    :param consecutive: number of single events that were rejected with the same error; ``None``: the first batch.
    """
    happened = (
        f"Pinterest rejected {consecutive} consecutive events with the same error"
        if consecutive
        else "Pinterest accepted no event of the first batch"
    )
    return RefusedError(
        f"{happened} ({trace}), so the mapping is probably wrong. The rejected rows count as not sent.",
        advice="Set validate_only=True, inspect the event in the log, and correct field_map, defaults or the SQL.",
        status=trace.status,
        code=trace.code,
        request_id=trace.request_id,
    )
