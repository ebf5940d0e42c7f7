"""A batch until it is settled: sent, sent again, cut up, or given up, as :mod:`.decide` says.

Whatever happens, every event of the batch ends in exactly one place of its :class:`Settlement`.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from airflow_provider_pinterest.conversions.batches import Batch
from airflow_provider_pinterest.conversions.events import Event, Rejection, Stage
from airflow_provider_pinterest.conversions.reasons import Reason
from airflow_provider_pinterest.delivery.answers import Answer, Denied, Doubt, Listed, Refused, Trace
from airflow_provider_pinterest.delivery.client import Client
from airflow_provider_pinterest.delivery.decide import (
    Deduplicable,
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
from airflow_provider_pinterest.delivery.pace import Pace, Stopped
from airflow_provider_pinterest.delivery.result import HOUR, Delivered
from airflow_provider_pinterest.exceptions import DeliveryError, RefusedError
from airflow_provider_pinterest.redaction import Secret

log = logging.getLogger(__name__)

SAME_REFUSALS: Final = 50
"""So many single events in a row refused with the same words: the mapping is wrong, not the rows."""

MAX_WAIT: Final = 600.0
"""Seconds that a batch may wait to be accepted, all its waits together."""


class OnDoubt(StrEnum):
    """What to do with events whose outcome is unknown."""

    RESEND = "resend"
    HOLD = "hold"


@dataclass(slots=True)
class Settlement:
    """What became of the events of a batch; each is counted in ``delivered`` or stands in ``unsent``.

    :param delivered: counts of what is settled: processed, failed or held.
    :param rejections: of the events that failed or are held.
    :param unsent: not accepted when the run ended; events that cannot be deduplicated stand here only if it is
        certain that they were not.
    :param uncertain: rows of events that were sent, at least once, without an answer that says what became of them.
    :param error: what ended the run, if anything did.
    """

    delivered: Delivered = field(default_factory=Delivered)
    rejections: list[Rejection] = field(default_factory=list)
    unsent: list[Event] = field(default_factory=list)
    uncertain: set[int] = field(default_factory=set)
    error: DeliveryError | Stopped | None = None
    refused: list[tuple[Event, Trace]] = field(default_factory=list)
    """Isolated by bisection, while it is not yet clear whether they or the mapping are wrong; empty at the end."""

    def fail(self, event: Event, message: str, code: str = "pinterest_failed") -> None:
        """Count an event that Pinterest does not take."""
        self.delivered.failed += 1
        self._reject(event, code, message, Stage.PINTEREST)

    def hold(self, event: Event, message: str) -> None:
        """Count an event whose outcome is unknown and stays so."""
        self.delivered.held += 1
        self._reject(event, "outcome_unknown", message, Stage.OUTCOME_UNKNOWN)

    def _reject(self, event: Event, code: str, message: str, stage: Stage) -> None:
        self.delivered.reasons[code] += 1
        self.rejections.append(Rejection(event.row, event.id, event.keys, (Reason(code, "", message),), stage))


def resendable(event: Event, on_doubt: str | None) -> bool:
    """Return whether an event is sent again when its outcome is unknown."""
    return on_doubt == OnDoubt.RESEND or (not event.offline and on_doubt != OnDoubt.HOLD)


class Sender:
    """Gets batches accepted; shared by the threads that send.

    :param client: one ad account's endpoint.
    :param pace: its rate limit.
    :param on_doubt: what to do with events whose outcome is unknown; ``None``: resend those that Pinterest can
        deduplicate, hold the others.
    :param max_wait: seconds that a batch may wait after its first failure before the run ends.
    :param guard: called before each call; raises ``Stopped`` when this process must not send any more.
    :param clock: monotonic seconds.
    :param wall: Unix seconds.
    :param jitter: random numbers from 0 to 1.
    """

    def __init__(
        self,
        client: Client,
        pace: Pace,
        *,
        on_doubt: OnDoubt | None = None,
        max_wait: float = MAX_WAIT,
        guard: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._pace = pace
        self.on_doubt = on_doubt
        self._max_wait = max_wait
        self._guard = guard
        self._clock = clock
        self._wall = wall
        self._jitter = jitter
        self._lock = threading.Lock()
        self._accepted_any = False
        self._last_refusal: str | None = None
        self._same_refusals = 0
        self.max_bytes: int | None = None
        """Bytes of the largest body worth trying, once a larger one was refused for its size."""

    @property
    def resends_all(self) -> bool:
        """Whether second copies of any event do no harm, or the user accepts that they do."""
        return self._client.test or self.on_doubt is OnDoubt.RESEND

    def resendable(self, event: Event) -> bool:
        """Return whether a second copy of the event does no harm soon after the first, or the user accepts it."""
        return self._client.test or resendable(event, self.on_doubt)

    def trust(self) -> None:
        """Know that Pinterest took events of this mapping in an earlier try: what it refuses now is single rows."""
        self._accepted_any = True

    def stop(self) -> None:
        """Let no further call begin; those under way go on."""
        self._pace.stop.set()

    def abort(self) -> None:
        """Let no further call begin, and cut off those under way."""
        self._pace.stop.set()
        self._client.abort()

    def deliver(self, batch: Batch) -> Settlement:
        """Send a batch until every event is settled or the run must end; raises nothing."""
        done = Settlement()
        waiting = [batch]
        while waiting:
            part = waiting.pop()
            try:
                waiting += reversed(self._settle(part, done))
            except (DeliveryError, Stopped) as error:
                done.error = error
                done.unsent += part.events
                for left in reversed(waiting):
                    done.unsent += left.events
                break
        if done.refused and not self._accepted_any and not done.error:
            done.error = _all_refused(done.refused[-1][1])
        if isinstance(done.error, RefusedError):
            done.unsent += (event for event, _ in done.refused)
        else:
            for event, trace in done.refused:
                done.fail(event, trace.message, "pinterest_refused")
        done.refused.clear()
        return done

    def _settle(self, part: Batch, done: Settlement) -> Sequence[Batch]:
        """Settle a part of a batch, or return the smaller parts to settle instead.

        :raises DeliveryError: the run must end, and the part is not settled.
        :raises Stopped: the same, because somebody said so.
        """
        kind = self._kind(part)
        body = part.body
        credential = self._client.credential
        patience: float | None = None
        refused_token: Secret | None = None
        refusal: Denied | None = None
        resent = False
        sent = attempt = 0
        while True:
            attempt += 1
            token = credential.token  # before its age is asked: another thread may renew it in between
            answer: Answer | None = None
            if credential.expired or token == refused_token:
                answer = self._client.renew(token, refusal if token == refused_token else None)
            if answer is None:
                self._pace.wait()
                self._guard()
                token = credential.token
                sent += 1
                done.delivered.calls += 1
                done.delivered.retries += sent > 1
                answer = self._client.post(body, len(part))
            if isinstance(answer, Doubt) or (isinstance(answer, Refused) and answer.partly):
                done.uncertain.update(event.row for event in part.events)
            patience = patience or self._clock() + self._max_wait
            now = Situation(
                events=len(part),
                attempt=attempt,
                kind=kind,
                time_left=patience - self._clock(),
                renewable=credential.renewable and refused_token is None,
            )
            action = decide(answer, now, self._jitter)
            log.debug("%d events sent: %s, so %s", len(part), type(answer).__name__, type(action).__name__)
            match action:
                case Deliver(listed):
                    self._accept(part, listed, done)
                    return ()
                case Retry(after, for_all):
                    log.info("Sending %d events again in %.1f s (%s)", len(part), after, answer.trace)
                    if isinstance(answer, Doubt) and not resent:
                        resent = True
                        self._count_uncertain(part, done)
                    if for_all:
                        self._pace.pause(after)
                    self._pace.sleep(after)
                case Renew():
                    refused_token = token
                    refusal = answer if isinstance(answer, Denied) else None
                case Split(smaller=smaller):
                    if smaller:
                        with self._lock:
                            self.max_bytes = min(self.max_bytes or len(body), len(body) // 2)
                    return part.halves()
                case HoldSome(trace):
                    again, once_only = part.divided(self.resendable)
                    for event in once_only.events:
                        done.hold(event, in_doubt(trace))
                    return (again,)
                case Hold(trace):
                    for event in part.events:
                        done.hold(event, in_doubt(trace))
                    return ()
                case Isolated(trace):
                    self._isolate(part.events[0], trace, done)
                    return ()
                case Stop(error):
                    raise error

    def _kind(self, part: Batch) -> Deduplicable:
        once_only = sum(not self.resendable(event) for event in part.events)
        if not once_only:
            return Deduplicable.ALL
        return Deduplicable.NONE if once_only == len(part) else Deduplicable.SOME

    def _accept(self, part: Batch, listed: Listed, done: Settlement) -> None:
        """Note the outcome that Pinterest gives for each event."""
        now = self._wall()
        times: dict[bool, list[int]] = {True: [], False: []}
        for position, event in enumerate(part.events):
            if position in listed.failed:
                done.fail(event, listed.failed[position])
            elif position in listed.unknown:
                done.hold(event, in_doubt(listed.trace))
            else:
                times[event.offline].append(event.time)
        done.delivered.processed += len(times[True]) + len(times[False])
        for offline, moments in times.items():
            done.delivered.lags.add(moments, now, offline=offline)
        if listed.warnings:
            done.delivered.warnings["pinterest_warning"] += listed.warnings
        with self._lock:
            self._accepted_any = True
            self._last_refusal, self._same_refusals = None, 0

    def _count_uncertain(self, part: Batch, done: Settlement) -> None:
        """Count what is sent again and may be late enough that Pinterest counts it as offline."""
        now = self._wall()
        late = sum(now - event.time > HOUR for event in part.events)
        if late and not self._client.test:
            done.delivered.warnings["dedup_uncertain"] += late

    def _isolate(self, event: Event, trace: Trace, done: Settlement) -> None:
        """Note the event that a request was refused for, unless it is one of too many.

        :raises RefusedError: so many in a row were refused with the same words that the mapping must be wrong.
        """
        with self._lock:
            same = trace.message == self._last_refusal
            self._last_refusal, self._same_refusals = trace.message, self._same_refusals + 1 if same else 1
            too_many = self._same_refusals >= SAME_REFUSALS
        if too_many:
            raise _all_refused(trace)
        done.refused.append((event, trace))


def in_doubt(trace: Trace | str) -> str:
    """Say what a person can do about an event whose outcome is unknown."""
    return f"sent once, and whether it arrived is unknown ({trace}); look for it in Ads Manager before resending"


def _all_refused(trace: Trace) -> RefusedError:
    return RefusedError(
        f"Pinterest refuses event after event with the same words, so the mapping is wrong, not single rows ({trace}). "
        "Look at one event with validate_only=True and mend field_map, defaults or the SQL; the rows it refused "
        "count as not sent.",
        status=trace.status,
        code=trace.code,
        request_id=trace.request_id,
    )
