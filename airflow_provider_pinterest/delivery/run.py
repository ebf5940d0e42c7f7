"""Rows in, outcomes out: the loop that joins source, events, batches, sender and account.

It knows nothing of where rows come from, and holds no more than a batch of them.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from airflow_provider_pinterest.conversions.batches import Batch, Batcher
from airflow_provider_pinterest.conversions.events import Chunk, Duplicate, Event, EventBuilder, Rejection
from airflow_provider_pinterest.delivery.rejects import Rejects
from airflow_provider_pinterest.delivery.result import Tally
from airflow_provider_pinterest.delivery.sender import Sender, Settlement

log = logging.getLogger(__name__)

PROGRESS_EVERY: Final = 10.0
"""Seconds between two lines of progress."""

EXAMPLES: Final = 5
"""Rejections that are shown in the log."""


class Run:
    """One run of a source's rows.

    :param builder: makes events of rows.
    :param batcher: makes batches of events.
    :param sender: gets batches accepted; ``None`` to validate only.
    :param rejects: where rejections are written, if anywhere.
    :param on_first_event: shown the first valid event.
    :param clock: monotonic seconds.
    :param wall: Unix seconds.
    """

    def __init__(
        self,
        builder: EventBuilder,
        batcher: Batcher,
        sender: Sender | None,
        *,
        rejects: Rejects | None = None,
        on_first_event: Callable[[Event], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.tally = Tally()
        self.examples: list[Rejection] = []
        """The first rejections, for the log."""
        self._builder = builder
        self._batcher = batcher
        self._sender = sender
        self._rejects = rejects
        self._on_first_event = on_first_event
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

        Whatever it raises, :attr:`tally` accounts for every row read so far.

        :raises DeliveryError: Pinterest does not take the events; what is not settled counts as not sent.
        :raises Stopped: the run was told to stop.
        :raises OSError: rejections cannot be written.
        """
        tally = self.tally
        try:
            for outcome in self._builder.events(chunks):
                tally.rows_read += 1
                if type(outcome) is Event:
                    if not tally.events_built and self._on_first_event:
                        self._on_first_event(outcome)
                    tally.events_built += 1
                    full = self._batcher.add(outcome)
                    if full is not None:
                        self._deliver(full)
                elif isinstance(outcome, Duplicate):
                    tally.duplicates_dropped += 1
                elif isinstance(outcome, Rejection):
                    self._reject(outcome)
            rest = self._batcher.rest()
            if rest is not None:
                self._deliver(rest)
        finally:
            if self._rejects is not None:
                self._rejects.flush()

    def _deliver(self, batch: Batch) -> None:
        """Send a batch, or only count it, and note what became of it."""
        if self._sender is None:
            self.tally.validated_only += len(batch)
            self.tally.received(batch.events, self._wall())
        else:
            settled = self._sender.deliver(batch)
            self._note(settled)
            if self._sender.max_bytes is not None:
                self._batcher.max_bytes = min(self._batcher.max_bytes, self._sender.max_bytes)
            if settled.error is not None:
                raise settled.error
        self._progress()

    def _note(self, settled: Settlement) -> None:
        tally = self.tally
        for events, now in settled.processed:
            tally.events_processed += len(events)
            tally.received(events, now)
        for rejection in (*settled.failed, *settled.held):
            self._reject(rejection)
        tally.calls += settled.calls
        tally.retries += settled.retries
        if settled.warnings:
            tally.warnings["pinterest_warning"] += settled.warnings

    def _reject(self, rejection: Rejection) -> None:
        self.tally.rejection(rejection)
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
            "sent" if self._sender else "valid",
            f"{done / max(self.seconds, 0.001):,.0f}",
            f"{tally.rejected:,}",
            f"{tally.calls:,}",
        )
