"""Batches under way: sent by a few threads, settled in the order in which they were cut.

At most ``size`` batches are beyond the oldest unsettled one, so that memory, and what a crash leaves in doubt,
are bounded. The first batch goes alone, so that a wrong token or mapping costs one call.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from airflow_provider_pinterest.conversions.batches import Batch
from airflow_provider_pinterest.conversions.events import Event
from airflow_provider_pinterest.delivery.result import Delivered
from airflow_provider_pinterest.delivery.sender import Settlement


@dataclass(eq=False, slots=True)
class Shipment:
    """A batch on its way, and what moves on with it.

    :param batch: the events to send; may be empty.
    :param rows: once it is settled, all rows up to this number are accounted for.
    :param once_only: whether it holds events of which no second copy may be sent.
    :param covers: the events that are accounted for with it, in the order of the source; ``None``: those sent.
    :param prior: counts of covered events that an earlier try has settled.
    :param hold: covered events that an earlier try has left in doubt, and that are not sent again.
    :param since: when an earlier try may have sent some of the events, in Unix seconds; ``None``: none did.
    :param settlement: what became of the events sent, once it is known.
    """

    batch: Batch
    rows: int
    once_only: bool
    covers: Sequence[Event] | None = None
    prior: Delivered | None = None
    hold: Sequence[Event] = ()
    since: float | None = None
    settlement: Settlement | None = None
    failure: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def covered(self) -> Sequence[Event]:
        """The events that are accounted for with it."""
        return self.batch.events if self.covers is None else self.covers


class Window:
    """Sends batches with a few threads and hands them back in order.

    :param deliver: settles one batch; called by several threads at once.
    :param size: batches under way at most.
    """

    def __init__(self, deliver: Callable[[Batch], Settlement], size: int) -> None:
        self.size = size
        self._deliver = deliver
        self._under_way: deque[Shipment] = deque()
        self._queue: queue.SimpleQueue[Shipment | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._open = 1

    @property
    def under_way(self) -> tuple[Shipment, ...]:
        """What was put in and not taken out, the oldest first; some of it may be settled."""
        return tuple(self._under_way)

    @property
    def full(self) -> bool:
        """Whether the oldest must be taken out before another can be put in."""
        return len(self._under_way) >= self._open

    @property
    def ready(self) -> bool:
        """Whether the oldest is settled; taking it out frees its memory."""
        return bool(self._under_way) and self._under_way[0].done.is_set()

    def put(self, shipment: Shipment) -> None:
        """Send a batch, or only keep its place in the order if there is nothing to send."""
        self._under_way.append(shipment)
        if not shipment.batch.events:
            shipment.settlement = Settlement()
            shipment.done.set()
            return
        if len(self._threads) < min(self.size, len(self._under_way)):
            thread = threading.Thread(target=self._work, name=f"pinterest-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._queue.put(shipment)

    def oldest(self) -> tuple[Shipment, Settlement]:
        """Wait for the oldest batch and return it with what became of it; it stays until :meth:`drop`."""
        shipment = self._under_way[0]
        shipment.done.wait()
        if shipment.failure is not None:
            raise shipment.failure
        if shipment.settlement is None:
            raise RuntimeError("a batch was marked done without an outcome")
        return shipment, shipment.settlement

    def drop(self) -> None:
        """Take the oldest out; once one was answered, more may go at a time."""
        if self._under_way.popleft().batch.events:
            self._open = self.size

    def wait(self, seconds: float | None) -> None:
        """Wait so long at most for all batches."""
        end = None if seconds is None else time.monotonic() + seconds
        for shipment in self._under_way:
            shipment.done.wait(None if end is None else max(0.0, end - time.monotonic()))

    def drain(self, seconds: float) -> Sequence[Shipment]:
        """Wait so long at most for all batches and take them out, some perhaps not settled."""
        self.wait(seconds)
        shipments, self._under_way = self._under_way, deque()
        return shipments

    def close(self) -> None:
        """Let the threads end when they have sent what they are sending; does not wait for them."""
        for _ in self._threads:
            self._queue.put(None)

    def _work(self) -> None:
        while (shipment := self._queue.get()) is not None:
            try:
                shipment.settlement = self._deliver(shipment.batch)
            except BaseException as error:  # noqa: BLE001 - raised again where the run waits for it
                shipment.failure = error
            shipment.done.set()
