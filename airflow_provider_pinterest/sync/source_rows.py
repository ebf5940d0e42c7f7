"""The rows of a source during one attempt: from row batches to sections."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Final

from airflow_provider_pinterest.conversions.batches import ENVELOPE, Batcher
from airflow_provider_pinterest.conversions.outcomes import Outcome, RowBatch
from airflow_provider_pinterest.conversions.transform import Transform
from airflow_provider_pinterest.delivery.ledger import without_sent
from airflow_provider_pinterest.delivery.reader import Reading
from airflow_provider_pinterest.delivery.resuming import Start
from airflow_provider_pinterest.delivery.sections import (
    Row,
    Section,
    SectionCutter,
    needs_verification,
    verify_finished,
)
from airflow_provider_pinterest.sources.protocol import SelectiveSource
from airflow_provider_pinterest.sync.call import Call, Parts
from airflow_provider_pinterest.sync.opened import Opened

if TYPE_CHECKING:
    from airflow_provider_pinterest.conversions.event_names import UnlistedName

log = logging.getLogger(__name__)

MOST_RETURNS: Final = 20
"""How often an ad account may come again after another one before a warning advises to sort the rows."""


class SourceRows:
    """Reads, transforms and cuts the rows of a source."""

    def __init__(self, call: Call, parts: Parts, start: Start, opened: Opened) -> None:
        options, checkpoint, sender = call.options, start.checkpoint, opened.sender
        self.reading = Reading()
        self._options = options
        self._parts = parts
        self._ledger = opened.ledger
        self._selection = opened.selection
        self._start = start
        self._clock = checkpoint.clock
        self._source = opened.source
        self._earlier = checkpoint.earlier if start.resume else None
        self._interleaved = False
        self._resends_held = bool(sender and sender.may_resend_any)
        self._verifies = self._earlier is not None and needs_verification(
            self._earlier, resends_held=self._resends_held
        )
        self._first_source = call.source.open() if self._verifies and opened.source.once else opened.source
        for one in {self._source, self._first_source}:
            if isinstance(one, SelectiveSource):
                one.select_columns(parts.mapping.reads, parts.mapping.names)
        self._transform = self._new_transform(options.processes)
        self.cutter = SectionCutter(
            Batcher(
                options.batch_size,
                options.max_batch_bytes,
                ad_account_id=parts.account,
                several_accounts=bool(options.ad_account_id_column),
            ),
            checkpoint if start.resume else None,
            resends_held=self._resends_held,
            unknown_before=checkpoint.unknown_before,
            lines=parts.folder is not None,
            records=opened.table is not None,
        )

    def sections(self) -> Iterator[Section]:
        """Yield the sections of the source."""
        earlier = self._earlier
        if earlier is not None and self._verifies:
            transform = self._new_transform(0)
            with closing(self._first_source.row_batches()) as row_batches:
                outcomes = transform.events(self.reading.unlocked(row_batches))
                self.cutter.expect(verify_finished(outcomes, earlier, resends_held=self._resends_held))
        with closing(self._source.row_batches()) as row_batches:
            yield from self.cutter.sections(self._unsent(self._transform.events(self._counted(row_batches))))

    def _unsent(self, outcomes: Iterator[Outcome]) -> Iterator[Row]:
        """Yield outcomes, without the events that earlier runs sent, if there is a ledger."""
        if self._selection is not None:
            return self._selection.rows(outcomes)
        if self._ledger is None:
            return outcomes
        start, account = self._start, self._parts.account
        return without_sent(
            outcomes,
            self._ledger,
            lambda event: event.ad_account_id or account,
            covered=start.checkpoint.covers if start.resume else lambda _: False,
            counts_own=start.resume,
        )

    @property
    def warnings(self) -> Mapping[str, int]:
        """Warning code → events."""
        return self._transform.warnings

    @property
    def coverage(self) -> Mapping[str, int]:
        """Field → events that carry it."""
        return self._transform.coverage

    def unlisted_names(self) -> Sequence[UnlistedName]:
        """Return the most frequent names of events that Pinterest does not list."""
        return self._transform.unlisted_names()

    def close(self) -> None:
        """End the processes, if there are any."""
        self._transform.close()

    def _new_transform(self, processes: int) -> Transform:
        return Transform(
            self._parts.mapping,
            now=self._clock,
            max_event_age=self._options.max_event_age,
            max_event_bytes=self._options.max_batch_bytes - ENVELOPE,
            exclusions=self._parts.exclusions,
            processes=processes,
        )

    def _counted(self, row_batches: Iterable[RowBatch]) -> Iterator[RowBatch]:
        """Count the rows of the source, and check its columns.

        :raises MappingError: the columns of the first row batch cannot be mapped.
        """
        mapping, complete = self._parts.mapping, self._source.columns_complete
        columns: Sequence[str] = ()
        seen: dict[str, None] = {}
        for position, row_batch in enumerate(self.reading.unlocked(row_batches)):
            if position == 0:
                mapping.check(row_batch.columns, complete=complete)
            if row_batch.columns != columns:
                columns = row_batch.columns
                seen |= dict.fromkeys(columns)
            self.reading.rows += len(row_batch.rows)
            yield row_batch
            self._notice_interleaved_accounts()
        if self.reading.rows and not complete:
            for problem, more in mapping.absent(tuple(seen)):
                log.warning("%s%s", problem, more)

    def _notice_interleaved_accounts(self) -> None:
        """Warn once if batches are small because the rows of the accounts come in turns."""
        if self._interleaved or self.cutter.batcher.returns < MOST_RETURNS:
            return
        self._interleaved = True
        column = self._options.ad_account_id_column
        log.warning(
            "The rows of the ad accounts come in turns: an account came again after another one %s times in %s rows. A "
            "request holds events of one account, so batches are small and the run is slow. Sort the rows by account: "
            "ORDER BY %s, then the columns of the present order.",
            f"{self.cutter.batcher.returns:,}",
            f"{self.cutter.rows:,}",
            column,
        )
