"""A batch until it is settled: sent, sent again, cut up, or given up, as :mod:`.decide` says.

Whatever happens, every event of the batch ends in exactly one place of its :class:`Settlement`.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_pinterest.conversions.batches import Batch
from airflow_provider_pinterest.conversions.events import Event, Rejection, Stage
from airflow_provider_pinterest.conversions.reasons import Reason
from airflow_provider_pinterest.delivery.answers import Listed, Trace
from airflow_provider_pinterest.delivery.client import Client
from airflow_provider_pinterest.delivery.decide import (
    Deduplicable,
    Deliver,
    Hold,
    Isolated,
    Renew,
    Retry,
    Situation,
    Split,
    SplitByKind,
    Stop,
    decide,
)
from airflow_provider_pinterest.delivery.pace import Pace, Stopped
from airflow_provider_pinterest.exceptions import DeliveryError, RefusedError

log = logging.getLogger(__name__)

SAME_REFUSALS: Final = 50
"""So many single events in a row refused with the same words: the mapping is wrong, not the rows."""

MAX_WAIT: Final = 600.0
"""Seconds that a batch may wait to be accepted, all its waits together."""


@dataclass(slots=True)
class Settlement:
    """What became of the events of a batch; each is in exactly one list.

    :param processed: accepted, each part with the Unix time of its answer.
    :param failed: refused one by one.
    :param held: sent, outcome unknown, not sent again.
    :param unsent: not known to be accepted when the run ended; safe to send again.
    :param warnings: processed events that Pinterest attached a warning to.
    :param calls: requests made.
    :param retries: those among them that repeated one before.
    :param error: what ended the run, if anything did.
    """

    processed: list[tuple[Sequence[Event], float]] = field(default_factory=list)
    failed: list[Rejection] = field(default_factory=list)
    held: list[Rejection] = field(default_factory=list)
    unsent: list[Event] = field(default_factory=list)
    warnings: int = 0
    calls: int = 0
    retries: int = 0
    error: DeliveryError | Stopped | None = None
    refused: list[tuple[Event, Trace]] = field(default_factory=list)
    """Isolated by bisection, while it is not yet clear whether they or the mapping are wrong; empty at the end."""


class Sender:
    """Gets batches accepted.

    :param client: one ad account's endpoint.
    :param pace: its rate limit.
    :param max_wait: seconds that a batch may wait after its first failure before the run ends.
    :param clock: monotonic seconds.
    :param wall: Unix seconds.
    :param jitter: random numbers from 0 to 1.
    """

    def __init__(
        self,
        client: Client,
        pace: Pace,
        *,
        max_wait: float = MAX_WAIT,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._pace = pace
        self._max_wait = max_wait
        self._clock = clock
        self._wall = wall
        self._jitter = jitter
        self._accepted_any = False
        self._last_refusal: str | None = None
        self._same_refusals = 0
        self.max_bytes: int | None = None
        """Bytes of the largest body worth trying, once a larger one was refused for its size."""

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
            done.failed += (_rejection(event, "pinterest_refused", trace.message) for event, trace in done.refused)
        done.refused.clear()
        return done

    def _settle(self, part: Batch, done: Settlement) -> Sequence[Batch]:
        """Settle a part of a batch, or return the smaller parts to settle instead.

        :raises DeliveryError: the run must end, and the part is not settled.
        :raises Stopped: the same, because somebody said so.
        """
        kind = self._kind(part)
        body = part.body
        patience: float | None = None
        renewed = False
        attempt = 0
        while True:
            credential = self._client.credential
            if credential.expired:
                self._client.renew(credential.token)
            self._pace.wait()
            token = credential.token
            attempt += 1
            done.calls += 1
            done.retries += attempt > 1
            answer = self._client.post(body, len(part))
            patience = patience or self._clock() + self._max_wait
            now = Situation(
                events=len(part),
                attempt=attempt,
                kind=kind,
                time_left=patience - self._clock(),
                renewable=credential.renewable and not renewed,
            )
            action = decide(answer, now, self._jitter)
            log.debug("%d events sent: %s, so %s", len(part), type(answer).__name__, type(action).__name__)
            match action:
                case Deliver(listed):
                    self._accept(part, listed, done)
                    return ()
                case Retry(after, for_all):
                    log.info("Sending %d events again in %.1f s (%s)", len(part), after, answer.trace)
                    if for_all:
                        self._pace.pause(after)
                    self._pace.sleep(after)
                case Renew():
                    self._client.renew(token)
                    renewed = True
                case Split(smaller=smaller):
                    if smaller:
                        self.max_bytes = min(self.max_bytes or len(body), len(body) // 2)
                    return part.halves()
                case SplitByKind():
                    return part.by_offline()
                case Hold(trace):
                    done.held += (_held(event, trace) for event in part.events)
                    return ()
                case Isolated(trace):
                    self._isolate(part.events[0], trace, done)
                    return ()
                case Stop(error):
                    raise error

    def _kind(self, part: Batch) -> Deduplicable:
        offline = sum(event.offline for event in part.events)
        if self._client.test or not offline:
            return Deduplicable.ALL
        return Deduplicable.NONE if offline == len(part) else Deduplicable.SOME

    def _accept(self, part: Batch, listed: Listed, done: Settlement) -> None:
        """Note the outcome that Pinterest gives for each event."""
        processed: Sequence[Event] = part.events
        if listed.failed or listed.unknown:
            processed = []
            for position, event in enumerate(part.events):
                if position in listed.failed:
                    done.failed.append(_rejection(event, "pinterest_failed", listed.failed[position]))
                elif position in listed.unknown:
                    done.held.append(_held(event, listed.trace))
                else:
                    processed.append(event)
        done.processed.append((processed, self._wall()))
        done.warnings += listed.warnings
        self._accepted_any = True
        self._last_refusal, self._same_refusals = None, 0

    def _isolate(self, event: Event, trace: Trace, done: Settlement) -> None:
        """Note the event that a request was refused for, unless it is one of too many.

        :raises RefusedError: so many in a row were refused with the same words that the mapping must be wrong.
        """
        same = trace.message == self._last_refusal
        self._last_refusal, self._same_refusals = trace.message, self._same_refusals + 1 if same else 1
        done.refused.append((event, trace))
        if self._same_refusals >= SAME_REFUSALS:
            done.refused.pop()
            raise _all_refused(trace)


def _rejection(event: Event, code: str, message: str) -> Rejection:
    return Rejection(event.row, event.id, event.keys, (Reason(code, "", message),), Stage.PINTEREST)


def _held(event: Event, trace: Trace) -> Rejection:
    message = f"sent once, and whether it arrived is unknown ({trace}); look for it in Ads Manager before resending"
    return Rejection(event.row, event.id, event.keys, (Reason("outcome_unknown", "", message),), Stage.OUTCOME_UNKNOWN)


def _all_refused(trace: Trace) -> RefusedError:
    return RefusedError(
        f"Pinterest refuses event after event with the same words, so the mapping is wrong, not single rows ({trace}). "
        "Look at one event with validate_only=True and mend field_map, defaults or the SQL; the rows it refused "
        "count as not sent.",
        status=trace.status,
        code=trace.code,
        request_id=trace.request_id,
    )
