"""The outcome of each event of one batch, at any moment.

The thread that sends the batch records each step here. The run reads it, and closes it when the run must end. A closed
batch records nothing and starts no request, so what the run has read stays true.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Final, NamedTuple

from airflow_provider_pinterest.api.interruptible import Stopped
from airflow_provider_pinterest.conversions.outcomes import Event, Rejection, Stage
from airflow_provider_pinterest.conversions.reasons import Reason
from airflow_provider_pinterest.delivery.result import DeliveryCounters

_NO_ROWS: Final[frozenset[int]] = frozenset()


class Snapshot(NamedTuple):
    """A batch at one moment, by row.

    :param delivered: counts of the settled events.
    :param rejections: events that failed or are held.
    :param unsettled: rows that are not settled.
    :param outcome_unknown: unsettled rows that may have arrived: a request with them was started, and no answer says
        that it was not accepted.
    :param announced: unsettled rows that are about to be sent, or are being sent.
    :param settled: the settled events, in the order in which they were settled.
    """

    delivered: DeliveryCounters
    rejections: Sequence[Rejection]
    unsettled: frozenset[int]
    outcome_unknown: frozenset[int]
    announced: frozenset[int]
    settled: Sequence[Sequence[Event]] = ()


class BatchOutcome:
    """Records for each event of a batch whether it is settled (processed, failed or held) or open.

    The outcome of an open event may be unknown.

    :param events: the events of the batch.
    :param unknown: rows of the events that an earlier attempt may have sent.
    """

    def __init__(self, events: Sequence[Event], unknown: Iterable[int] = ()) -> None:
        self.delivered = DeliveryCounters()
        self.rejections: list[Rejection] = []
        self.claimed: set[int] = set()
        """Rows of the events that the ledger lets this attempt send; used by the thread that sends them."""
        self._events = events
        self._settled: list[Sequence[Event]] = []
        self._settled_count = 0
        self._announced: Sequence[Event] = ()
        self._in_request: Sequence[Event] = ()
        self._unknown = set(unknown)
        self._closed = False
        self._lock = threading.Lock()

    def announce(self, events: Sequence[Event]) -> None:
        """Record that these events are sent next."""
        with self._open():
            self._announced = events

    def begin(self, events: Sequence[Event]) -> None:
        """Record that a request with these events is about to be written.

        :raises Stopped: the batch was closed; nothing may be written.
        """
        with self._open():
            self._in_request = events

    def not_accepted(self) -> None:
        """Record that the last request was not accepted."""
        with self._open():
            self._in_request = self._announced = ()

    def outcome_unknown(self) -> None:
        """Record that the outcome of the last request is unknown."""
        with self._open():
            self._unknown.update(event.row for event in self._in_request)
            self._in_request = self._announced = ()

    def settle(self, events: Sequence[Event], delivered: DeliveryCounters, rejections: Sequence[Rejection]) -> None:
        """Record the final outcome of some events."""
        with self._open():
            self._settled.append(events)
            self._settled_count += len(events)
            self.delivered.merge(delivered)
            self.rejections += rejections
            self._in_request = self._announced = ()

    def warn(self, counts: Mapping[str, int]) -> None:
        """Count warnings about events."""
        with self._open():
            self.delivered.warnings.update(counts)

    def called(self, *, again: bool) -> None:
        """Count a call."""
        with self._open():
            self.delivered.calls += 1
            self.delivered.retries += again

    def close(self) -> None:
        """Record nothing from now on, and let no request start."""
        with self._lock:
            self._closed = True

    def snapshot(self) -> Snapshot:
        """Return the state of the batch."""
        with self._lock:
            unsettled = self._unsettled()
            unknown = self._unknown.union(event.row for event in self._in_request) if unsettled else _NO_ROWS
            announced = frozenset(event.row for event in self._announced) if unsettled else _NO_ROWS
            return Snapshot(
                self.delivered.copy(),
                tuple(self.rejections),
                unsettled,
                unsettled & unknown,
                unsettled & announced,
                tuple(self._settled),
            )

    @property
    def parts(self) -> int:
        """How often events were settled."""
        return len(self._settled)

    @cached_property
    def rows(self) -> frozenset[int]:
        """The rows of all events."""
        return frozenset(event.row for event in self._events)

    def _unsettled(self) -> frozenset[int]:
        if self._settled_count == len(self._events):
            return _NO_ROWS
        return self.rows.difference(event.row for part in self._settled for event in part)

    @contextmanager
    def _open(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise Stopped
            yield


def failed(event: Event, message: str, code: str = "pinterest_failed") -> Rejection:
    """Return the rejection of an event that Pinterest does not accept."""
    return _rejection(event, code, message, Stage.PINTEREST)


def held(event: Event, cause: object) -> Rejection:
    """Return the rejection of an event whose outcome is unknown and that is not sent again."""
    message = f"was sent, and its outcome is unknown ({cause}); look for it in Ads Manager before sending it again"
    return _rejection(event, "outcome_unknown", message, Stage.OUTCOME_UNKNOWN)


def held_by(event: Event, run: str, *, own: bool) -> Rejection:
    """Return the rejection of an event that was being sent by a run that did not record its outcome.

    :param own: whether that is this run.
    """
    return held(event, "an earlier attempt of this run sent it" if own else f"run {run} sent it")


def counted(rejections: Sequence[Rejection]) -> DeliveryCounters:
    """Return the counts of events that failed or are held."""
    delivered = DeliveryCounters()
    for rejection in rejections:
        if rejection.stage is Stage.PINTEREST:
            delivered.failed += 1
        else:
            delivered.held += 1
        delivered.reasons[rejection.reasons[0].code] += 1
    return delivered


def _rejection(event: Event, code: str, message: str, stage: Stage) -> Rejection:
    return Rejection(event.row, event.id, event.keys, (Reason(code, "", message),), stage, event.ad_account_id)
