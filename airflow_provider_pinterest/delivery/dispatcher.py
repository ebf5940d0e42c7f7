"""Sends batches with a few threads. Each batch records the outcome of its events, and the run reads it there."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_pinterest.api.interruptible import Stopped
from airflow_provider_pinterest.conversions.batches import Batch
from airflow_provider_pinterest.conversions.outcomes import Event
from airflow_provider_pinterest.delivery.batch_outcome import BatchOutcome
from airflow_provider_pinterest.delivery.result import DeliveryCounters
from airflow_provider_pinterest.delivery.rowset import RowSet
from airflow_provider_pinterest.delivery.sections import Section
from airflow_provider_pinterest.delivery.sender import Sender
from airflow_provider_pinterest.exceptions import DeliveryError, PinterestError

LOOK_AGAIN: Final = 0.25
"""Seconds between two checks for a stop, while a batch waits for the checkpoint."""


@dataclass(eq=False, slots=True)
class InFlightBatch:
    """A section that was taken from the source and is not yet part of the accounted prefix.

    :param section: its rows.
    :param batch: the events to send; may be empty.
    :param hold: events that are not sent again, because an earlier attempt left their outcome unknown.
    :param prior: counts of its events that an earlier attempt settled.
    :param since: earliest time at which its events may have been sent, in Unix seconds.
    :param unknown: rows of the events that an earlier attempt may have sent.
    """

    section: Section
    batch: Batch
    hold: Sequence[Event] = ()
    prior: DeliveryCounters = field(default_factory=DeliveryCounters)
    since: float = 0.0
    unknown: frozenset[int] = frozenset()
    outcome: BatchOutcome = field(init=False)
    dispatched: bool = False
    done: bool = False
    """Whether the sending is over; `error` and `failure` are final then."""
    error: DeliveryError | Stopped | None = None
    failure: BaseException | None = None
    noted: int = 0
    """Rejections of its events that were passed to the rejects file."""
    recorded: int = 0
    """Settled parts of the batch whose outcomes were recorded."""
    wants_to_send: threading.Event | None = None
    """Set by the run when the checkpoint names the events that are about to be sent."""

    rows: RowSet = field(init=False)
    """Rows of the events to send."""

    def __post_init__(self) -> None:
        self.outcome = BatchOutcome(self.batch.events, self.unknown)
        self.rows = RowSet().plus(event.row for event in self.batch.events)


class Dispatcher:
    """Sends batches with at most `size` threads.

    :param sender: settles one batch; used by several threads at once.
    :param size: largest number of batches in flight.
    :param wake: called when the run has something to do: a batch is done, or waits for the checkpoint.
    """

    def __init__(self, sender: Sender, size: int, wake: Callable[[], None] = lambda: None) -> None:
        self.size = size
        self.sender = sender
        self._wake = wake
        self._queue: queue.SimpleQueue[InFlightBatch | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def dispatch(self, flight: InFlightBatch, under_way: int) -> None:
        """Send a batch. A batch without events is done at once.

        :param under_way: batches in flight, including this one.
        :raises PinterestError: no thread can be started.
        """
        if not flight.batch.events:
            flight.done = True
            return
        if len(self._threads) < min(self.size, under_way):
            thread = threading.Thread(target=self._work, name=f"pinterest-{len(self._threads)}", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                if not self._threads:
                    raise PinterestError(f"A thread to send events could not be started: {error}.") from None
            else:
                self._threads.append(thread)
        flight.dispatched = True
        self._queue.put(flight)

    def close(self) -> None:
        """Let the threads end after their current batch; does not wait for them."""
        for _ in self._threads:
            self._queue.put(None)

    def _work(self) -> None:
        while (flight := self._queue.get()) is not None:
            self.deliver(flight)
            self._wake()

    def deliver(self, flight: InFlightBatch) -> None:
        """Send a batch in this thread."""
        try:
            flight.error = self.sender.deliver(
                flight.batch, flight.outcome, lambda events: self._announce(flight, events)
            )
        except BaseException as failure:  # noqa: BLE001 - raised again where the run looks at the batch
            flight.failure = failure
        flight.done = True

    def _announce(self, flight: InFlightBatch, events: Sequence[Event]) -> None:
        """Wait until the checkpoint names the events that are about to be sent.

        :raises Stopped: the run was stopped before that.
        """
        flight.outcome.announce(events)
        written = threading.Event()
        flight.wants_to_send = written
        self._wake()
        while not written.wait(LOOK_AGAIN):
            if self.sender.stopped:
                break
        if self.sender.stopped:
            raise Stopped
