"""Cuts the outcomes of rows into sections: neighbouring rows with the batch of their events.

Sections follow one another without gaps, so that a run is accounted for section by section. If an earlier attempt left
a checkpoint, its prefix becomes one section without events, and each of its pending batches becomes one section.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_pinterest.conversions.batches import Batcher
from airflow_provider_pinterest.conversions.outcomes import Duplicate, Event, Excluded, Outcome, Rejection
from airflow_provider_pinterest.delivery.account_counts import ALREADY_SENT, PROCESSED, AccountCounts, kind_of
from airflow_provider_pinterest.delivery.account_sums import AccountSum
from airflow_provider_pinterest.delivery.checkpoint import (
    V2_DIGEST,
    Checkpoint,
    Finished,
    PendingBatch,
    RowsHash,
    form_of,
    trace_of,
)
from airflow_provider_pinterest.delivery.ledger import AlreadySent
from airflow_provider_pinterest.delivery.rejection_lines import rejection_line
from airflow_provider_pinterest.delivery.result import DeliveryCounters
from airflow_provider_pinterest.delivery.selection import NOT_SELECTED, NotSelected, StillHeld

EXAMPLES: Final = 5
"""Largest number of rejections of a section that are kept for the log."""

LINES_BYTES: Final = 4_000_000
"""Bytes of reject lines above which a section ends."""

RECORD_BYTES: Final = 500
"""Approximate size of a row that is recorded without a reject line."""

HASHED_AT_ONCE: Final = 500
"""Rows whose outcomes are hashed together."""


Row = Outcome | AlreadySent | NotSelected | StillHeld
"""What a row became before it is sent."""


class SourceChangedError(Exception):
    """The rows are not those that an earlier attempt read.

    :param row: at least one of the rows up to this one has changed.
    """

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.row = row
        self.checkpoint = Checkpoint({}, 0.0, offline=True)
        """The last checkpoint of the attempt that noticed the change; set by the caller of the run."""


@dataclass(slots=True)
class RowCounts:
    """Counts of rows by outcome, before sending."""

    rows: int = 0
    events: int = 0
    rejected: int = 0
    duplicates: int = 0
    already_sent: int = 0
    excluded: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Codes of rejected and excluded rows."""
    accounts: AccountSum = field(default_factory=AccountSum)
    """Counts per ad account; empty if the rows do not name their account."""
    processed: int = 0
    """Events that an earlier attempt of this run sent, as the ledger says."""

    def plus(self, other: RowCounts) -> RowCounts:
        """Return the sum of both."""
        return RowCounts(
            self.rows + other.rows,
            self.events + other.events,
            self.rejected + other.rejected,
            self.duplicates + other.duplicates,
            self.already_sent + other.already_sent,
            self.excluded + other.excluded,
            self.reasons + other.reasons,
            self.accounts.plus(other.accounts),
            self.processed + other.processed,
        )


@dataclass(frozen=True, slots=True)
class Section:
    """Neighbouring rows.

    :param first: number of the first row.
    :param last: number of the last row.
    :param counts: counts of its rows.
    :param events: the events to settle with it, at most one batch.
    :param held: events whose outcome an earlier run left unknown, and that are not sent again.
    :param digest: hash of the outcomes of its rows.
    :param hashed: running hash of all rows up to the last one.
    :param lines: lines about its rejected rows for the rejects file.
    :param examples: some of its rejections.
    :param pending: the batch as an earlier attempt left it.
    :param prefix: whether an earlier attempt accounted for all of it.
    :param since: earliest time at which an earlier attempt may have sent its events, in Unix seconds; ``None`` if no
        attempt sent them.
    :param balance: counts to add, see :meth:`~.checkpoint.Finished.correction`.
    :param ad_account_id: the account that receives its events.
    :param unsent: its rejected rows and duplicates, if they are recorded.
    """

    first: int
    last: int
    counts: RowCounts
    events: Sequence[Event]
    held: Sequence[Event]
    digest: str
    hashed: RowsHash
    lines: Sequence[bytes] = ()
    examples: Sequence[Rejection] = ()
    pending: PendingBatch | None = None
    prefix: bool = False
    since: float | None = None
    balance: DeliveryCounters | None = None
    ad_account_id: str = ""
    unsent: Sequence[Rejection | Duplicate] = ()

    @property
    def size(self) -> int:
        """Its approximate size in bytes."""
        return sum(len(event.body) for event in (*self.events, *self.held)) + sum(map(len, self.lines))


class SectionCutter:
    """Cuts the rows of a source into sections.

    :param batcher: makes batches of events.
    :param resume: the checkpoint of an earlier attempt; its rows are verified.
    :param resends_held: whether events that a finished run held are sent again.
    :param unknown_before: see :class:`~.checkpoint.Checkpoint`.
    :param lines: whether to make lines for the rejects file.
    :param records: whether to keep rejected rows and duplicates, to record them.
    """

    def __init__(
        self,
        batcher: Batcher,
        resume: Checkpoint | None = None,
        *,
        resends_held: bool = False,
        unknown_before: float | None = None,
        lines: bool = True,
        records: bool = False,
    ) -> None:
        self.batcher = batcher
        self.rows = 0
        """Rows taken from the source so far."""
        self._resume = resume
        self._earlier = resume.earlier if resume else None
        self._resends_held = resends_held
        self._expected: Iterator[int] = iter(())
        self._unknown_before = unknown_before
        self._wants_lines = lines
        self._several_accounts = batcher.several_accounts
        self._wants_records = records
        self._hash = RowsHash()
        self._section_hash = RowsHash()
        self._traces: list[str] = []
        self._since: float | None = None
        self._balance: DeliveryCounters | None = None
        self._begin()

    def sections(self, outcomes: Iterator[Row]) -> Iterator[Section]:
        """Yield the sections of a source.

        :raises SourceChangedError: the rows are not those of the earlier attempt.
        """
        if self._resume is not None:
            yield from self._resumed(outcomes, self._resume)
        for outcome in outcomes:
            section = self._take(outcome)
            if section is not None:
                yield section
        if self._earlier is not None and self.rows < self._earlier.rows:
            raise SourceChangedError(self.rows)
        rest = self.rest()
        if rest is not None:
            yield rest

    def expect(self, hashes: Iterable[int]) -> None:
        """Set the hashes that :func:`verify_finished` returned; needed if events of a finished run are sent again."""
        self._expected = iter(hashes)

    def rest(self) -> Section | None:
        """Return the current section, if it has any row."""
        batch = self.batcher.rest()
        return self._cut(batch.events if batch else ()) if self._counts.rows else None

    def _take(self, outcome: Row, since: float | None = None) -> Section | None:
        """Add a row; return the section that it completes or no longer fits into."""
        if type(outcome) is not Event:
            self._note(outcome)
            many = self._lines_size > LINES_BYTES or self._holds_many()
            return self._cut_with_batch() if many else None
        if self._earlier is not None and outcome.row <= self._earlier.rows and not self._reopens(outcome):
            self._note(outcome)
            return self._cut_with_batch() if self._holds_many() else None
        section = None
        full = self.batcher.add(outcome)
        if full is not None and full.events[-1] is not outcome:
            section, full = self._cut(full.events), None
        self._note(outcome)
        since = self._unknown_before if since is None else since
        earlier = self._earlier
        if earlier is not None and earlier.may_have_arrived and outcome.row <= earlier.rows:
            since = earlier.clock if since is None else min(since, earlier.clock)
        if since is not None:
            self._since = since if self._since is None else min(since, self._since)
        return section if full is None else self._cut(full.events)

    def _holds_many(self) -> bool:
        """Return whether the held events fill a section."""
        return len(self._held) >= self.batcher.max_events or self._held_size > self.batcher.max_bytes

    def _hold(self, event: Event) -> None:
        self._held.append(event)
        self._held_size += len(event.body)

    def _reopens(self, event: Event) -> bool:
        """Return whether an event of a finished run is sent again; count or hold it if not.

        :raises SourceChangedError: it is not the event that was verified.
        """
        earlier = self._earlier
        if earlier is None or self._verifies(event, earlier):
            return True
        if event.row in earlier.held:
            self._hold(event)
        else:
            if earlier.counts_on:
                self._counts.processed += 1
            else:
                self._counts.already_sent += 1
            if event.ad_account_id:
                self._accounts[event.ad_account_id, PROCESSED if earlier.counts_on else ALREADY_SENT] += 1
        return False

    def _verifies(self, event: Event, earlier: Finished) -> bool:
        """Return whether an event is one of those set by :meth:`expect`.

        :raises SourceChangedError: it is not the event that was verified.
        """
        if event.row > earlier.rows or not reopened(event, earlier, resends_held=self._resends_held):
            return False
        if next(self._expected, None) != hash(trace_of(event)):
            raise SourceChangedError(event.row)
        return True

    def _note(self, outcome: Row) -> None:
        """Count and hash a row.

        :raises SourceChangedError: this is the last row of a finished run, and its rows have changed.
        """
        counts = self._counts
        counts.rows += 1
        self.rows = outcome.row
        plain = _plain(outcome)
        self._traces.append(trace_of(plain))
        if len(self._traces) >= HASHED_AT_ONCE:
            self._hash_traces()
        if self._several_accounts:
            self._accounts[kind_of(outcome.excluded if isinstance(outcome, NotSelected) else plain)] += 1
            if isinstance(outcome, AlreadySent):
                self._accounts[plain.ad_account_id, PROCESSED if outcome.own else ALREADY_SENT] += 1
        if type(outcome) is Event:
            counts.events += 1
        elif type(outcome) is AlreadySent:
            counts.events += 1
            if outcome.own:
                counts.processed += 1
            else:
                counts.already_sent += 1
        elif type(outcome) is NotSelected:
            counts.excluded += 1
            counts.reasons[NOT_SELECTED] += 1
        elif type(outcome) is StillHeld:
            counts.events += 1
            self._hold(outcome.event)
        elif isinstance(outcome, Duplicate):
            counts.duplicates += 1
            self._record(outcome)
        elif isinstance(outcome, Excluded):
            counts.excluded += 1
            counts.reasons[outcome.code] += 1
        elif isinstance(outcome, Rejection):
            counts.rejected += 1
            counts.reasons.update({reason.code for reason in outcome.reasons})
            if len(self._examples) < EXAMPLES:
                self._examples.append(outcome)
            if self._wants_lines:
                self._lines.append(rejection_line(outcome))
                self._lines_size += len(self._lines[-1])
            self._record(outcome)
        if self._earlier is not None and outcome.row == self._earlier.rows:
            self._hash_traces()
            if self._hash.hexdigest() != self._earlier.digest:
                raise SourceChangedError(outcome.row)
            self._balance = self._earlier.correction()

    def _record(self, outcome: Rejection | Duplicate) -> None:
        """Keep a row that is not sent, to record it."""
        if self._wants_records:
            self._unsent.append(outcome)
            self._lines_size += RECORD_BYTES

    def _hash_traces(self) -> None:
        self._hash.add(self._traces)
        self._section_hash.add(self._traces)
        self._traces = []

    def _begin(self) -> None:
        self._first = self.rows + 1
        self._counts = RowCounts()
        self._accounts: AccountCounts = Counter()
        self._held: list[Event] = []
        self._held_size = 0
        self._lines: list[bytes] = []
        self._lines_size = 0
        self._unsent: list[Rejection | Duplicate] = []
        self._examples: list[Rejection] = []
        self._section_hash = RowsHash()
        self._since = None
        self._balance = None

    def _cut_with_batch(self) -> Section:
        batch = self.batcher.rest()
        return self._cut(batch.events if batch else ())

    def _cut(self, events: Sequence[Event], pending: PendingBatch | None = None, *, prefix: bool = False) -> Section:
        """End the section here."""
        self._hash_traces()
        self._counts.accounts = AccountSum(self._accounts)
        section = Section(
            self._first,
            self.rows,
            self._counts,
            events,
            self._held,
            self._section_hash.hexdigest(),
            self._hash.copy(),
            () if prefix else self._lines,
            () if prefix else self._examples,
            pending,
            prefix,
            self._since,
            self._balance,
            (events[0].ad_account_id if events else "") or self.batcher.ad_account_id,
            () if prefix else self._unsent,
        )
        self._begin()
        return section

    def _resumed(self, outcomes: Iterator[Row], resume: Checkpoint) -> Iterator[Section]:
        """Verify the rows of an earlier attempt, and yield them as sections."""
        if resume.rows:
            verify = _Verified(resume.digest)
            wanted = self._wants_lines, self._wants_records
            self._wants_lines = self._wants_records = False
            earlier, self._earlier = self._earlier, None
            for outcome in verify.through(outcomes, resume.rows):
                if earlier is not None and type(outcome) is Event:
                    self._verifies(outcome, earlier)
                self._note(outcome)
            (self._wants_lines, self._wants_records), self._earlier = wanted, earlier
            verify.check()
            yield self._cut((), prefix=True)
        for pending in resume.pending:
            for outcome in _through(outcomes, pending.first - 1, self.rows):
                yield from filter(None, [self._take(outcome, resume.ahead_since)])
            yield from filter(None, [self.rest()])
            verify = _Verified(pending.digest)
            events: list[Event] = []
            for outcome in verify.through(outcomes, pending.last, self.rows):
                self._note(outcome)
                if type(outcome) is Event:
                    if not pending.settles(outcome.row):  # settled ones may belong to other ad accounts
                        events.append(outcome)
                    if self._earlier is not None:
                        self._verifies(outcome, self._earlier)
            verify.check()
            self._balance = None  # the earlier attempt counted it with the batch
            yield self._cut(events, pending)
        ahead = resume.ahead
        while ahead and (found := next(outcomes, None)) is not None:
            ahead -= type(found) in (Event, AlreadySent)
            yield from filter(None, [self._take(found, resume.ahead_since)])


def _plain(row: Row) -> Outcome:
    """Return the outcome of a row, whatever the outcome table says about it."""
    if isinstance(row, AlreadySent | StillHeld):
        return row.event
    return row.outcome if isinstance(row, NotSelected) else row


class _Verified:
    """Compares rows with those that an earlier attempt read.

    :param digest: hash of their outcomes then.
    """

    def __init__(self, digest: str) -> None:
        self._digest = digest.removeprefix(V2_DIGEST)
        self._trace = form_of(digest)
        self._hash = RowsHash()
        self._row = 0
        self._last = 0

    def through(self, outcomes: Iterator[Row], last: int, row: int = 0) -> Iterator[Row]:
        """Yield outcomes up to the row `last`; the next one stays in the source."""
        self._last = last
        traces: list[str] = []
        for outcome in _through(outcomes, last, row):
            self._row = outcome.row
            traces.append(self._trace(_plain(outcome)))
            if len(traces) >= HASHED_AT_ONCE:
                self._hash.add(traces)
                traces = []
            yield outcome
        self._hash.add(traces)

    def check(self) -> None:
        """Compare.

        :raises SourceChangedError: the outcomes of the rows differ, or there are fewer rows.
        """
        if self._row != self._last or self._hash.hexdigest() != self._digest:
            raise SourceChangedError(self._last)


def _through(outcomes: Iterator[Row], last: int, row: int = 0) -> Iterator[Row]:
    """Yield outcomes up to the row `last`; the next one stays in the source."""
    while row < last:
        outcome = next(outcomes, None)
        if outcome is None:
            return
        row = outcome.row
        yield outcome


def reopened(event: Event, finished: Finished, *, resends_held: bool) -> bool:
    """Return whether an event of a finished run is sent again when the task is cleared."""
    return event.row in finished.failed or (resends_held and event.row in finished.held)


def needs_verification(finished: Finished, *, resends_held: bool) -> bool:
    """Return whether events of a finished run are sent again before all its rows have been read."""
    return bool(finished.failed) or (resends_held and bool(finished.held))


def verify_finished(outcomes: Iterable[Outcome], finished: Finished, *, resends_held: bool) -> Sequence[int]:
    """Read the rows of a finished run again, before any of its events is sent again.

    :return: a hash of each event that is sent again, in order.
    :raises SourceChangedError: the outcomes of the rows differ, or there are fewer rows.
    """
    hashes = array("q")
    verify = _Verified(finished.digest)
    for outcome in verify.through(iter(outcomes), finished.rows):
        if type(outcome) is Event and reopened(outcome, finished, resends_held=resends_held):
            hashes.append(hash(trace_of(outcome)))
    verify.check()
    return hashes
