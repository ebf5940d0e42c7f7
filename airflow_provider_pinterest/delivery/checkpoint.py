"""Checkpoints: they tell the next attempt how much of the source is accounted for, in a form that it can verify.

A checkpoint names a prefix of the source whose rows are all accounted for, and its counts. The next attempt reads the
source again from its first row. It sends nothing of the prefix, and continues only if each row of the prefix gives the
same outcome as before: an event with the same name, id, kind of source and ad account, a rejection, a duplicate or an
exclusion.
Batches in flight beyond the prefix are listed one by one and verified in the same way.

The end of a run is stored too (:class:`Finished`), so that a cleared task sends only what was not accepted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from airflow_provider_pinterest.conversions.outcomes import Duplicate, Event, Excluded, Outcome, Stage
from airflow_provider_pinterest.delivery import stored
from airflow_provider_pinterest.delivery.account_counts import correction
from airflow_provider_pinterest.delivery.account_sums import AccountSum
from airflow_provider_pinterest.delivery.batch_outcome import UNANSWERED
from airflow_provider_pinterest.delivery.result import DeliveryCounters
from airflow_provider_pinterest.delivery.rowset import RowSet

VERSION: Final = 3

KEY: Final = "airflow_provider_pinterest.checkpoint"
"""The key under which a checkpoint is stored in Airflow's task state store."""

EVERY: Final = 2.0
"""Longest time between two checkpoints, in seconds, while batches are being settled."""

DEDUPLICATION_WINDOW: Final = 23 * 3600.0
"""Seconds for which Pinterest is trusted to deduplicate: its 24 hours, less one hour for clocks that differ."""


class UnreadableStateError(ValueError):
    """The stored state was not written by this version or an earlier one."""


class RowsHash:
    """A running hash of the outcomes of rows."""

    def __init__(self, state: Any = None) -> None:
        self._hash = hashlib.blake2b(digest_size=16) if state is None else state

    def add(self, outcomes: Iterable[str]) -> None:
        """Add the traces of some rows, see :func:`trace_of`."""
        self._hash.update("".join(outcomes).encode("utf-8", "surrogatepass"))

    def copy(self) -> RowsHash:
        """Return an independent hash in the same state."""
        return RowsHash(self._hash.copy())

    def hexdigest(self) -> str:
        """Return the hash of all rows so far."""
        return str(self._hash.hexdigest())


def trace_of(outcome: Outcome) -> str:
    """Return a text that identifies the outcome of a row at its place."""
    if type(outcome) is Event:
        found = f"{'o' if outcome.offline else 'w'}{outcome.name}\0{outcome.id}\0"
    else:
        found = _TRACES.get(type(outcome), "r\0")
    return f"{found}@{outcome.ad_account_id}\0" if outcome.ad_account_id else found


_TRACES: Final[Mapping[type, str]] = {Duplicate: "d\0", Excluded: "x\0"}


V2_DIGEST: Final = "v2:"
"""Prefix of hashes that version 2 made; a later checkpoint may repeat them."""


def _trace_v2(outcome: Outcome) -> str:
    """Return the trace that version 2 used: valid events only, without the kind of their source."""
    return f"{outcome.name}\0{outcome.id}\0" if type(outcome) is Event else ""


def form_of(digest: str) -> Callable[[Outcome], str]:
    """Return the trace function of a stored hash."""
    return _trace_v2 if digest.startswith(V2_DIGEST) else trace_of


def hash_of(outcomes: Iterable[Outcome], trace: Callable[[Outcome], str] = trace_of) -> str:
    """Return the hash of the outcomes of some rows."""
    found = RowsHash()
    found.add(map(trace, outcomes))
    return found.hexdigest()


@dataclass(frozen=True, slots=True)
class PendingBatch:
    """A batch beyond the prefix, with the rows around its events. An event neither open nor unknown is settled.

    :param first: number of its first row.
    :param last: number of its last row.
    :param digest: hash of the outcomes of its rows.
    :param delivered: counts of its settled events.
    :param unknown: rows of the events that may have been sent.
    :param open: rows of the events that were not sent.
    :param since: earliest time at which an event of ``unknown`` may have been sent, in Unix seconds.
    :param failed: rows of the settled events that Pinterest did not accept.
    :param held: rows of the settled events whose outcome is unknown.
    """

    first: int
    last: int
    digest: str
    delivered: DeliveryCounters
    unknown: RowSet = field(default_factory=RowSet)
    open: RowSet = field(default_factory=RowSet)
    since: float = 0.0
    failed: RowSet = field(default_factory=RowSet)
    held: RowSet = field(default_factory=RowSet)

    def settles(self, row: int) -> bool:
        """Return whether an event of that row is settled here."""
        return self.first <= row <= self.last and row not in self.unknown and row not in self.open

    def as_json(self) -> list[Any]:
        """Return it for :meth:`from_json`."""
        delivered = None if self.delivered == DeliveryCounters() else self.delivered.as_json()
        rows = (self.unknown, self.open, self.failed, self.held)
        return [self.first, self.last, self.digest, delivered, self.since, *(one.as_json() for one in rows)]

    @classmethod
    def from_json(cls, values: Sequence[Any]) -> PendingBatch:
        """Return what :meth:`as_json` stored."""
        first, last, digest, delivered, since, *rows = values
        unknown, unsent, failed, held = map(RowSet.from_json, rows)
        if not (unknown.complete and unsent.complete):
            raise ValueError("it is not known which events are settled")
        return cls(
            stored.count(first),
            stored.count(last),
            stored.text(digest),
            DeliveryCounters() if delivered is None else DeliveryCounters.from_json(delivered),
            unknown,
            unsent,
            stored.seconds(since),
            failed,
            held,
        )


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a run.

    :param fingerprint: hashes of everything that decides which events the rows give and where they go, by parameter.
    :param clock: Unix seconds at the start of its first attempt.
    :param rows: rows of the source.
    :param digest: hash of the outcomes of the rows.
    :param delivered: counts of all attempts together.
    :param failed: rows that Pinterest did not accept.
    :param held: rows whose outcome is unknown.
    :param offline: whether events that Pinterest cannot deduplicate were sent.
    :param identity: the same for every retry of the run, and different after Clear; empty if unknown.
    :param result: the run's result.
    :param problem: why the task failed; ``None`` if it succeeded.
    :param written: Unix seconds.
    :param forced: whether it sent everything again by request.
    :param ledger: the ledger that has all its events; empty if there is none.
    :param retryable: whether a retry sends the failed events again, as a cleared task does. It continues the run.
    """

    fingerprint: Mapping[str, str]
    clock: float
    rows: int
    digest: str
    delivered: DeliveryCounters
    failed: RowSet
    held: RowSet
    offline: bool
    identity: Mapping[str, Any]
    result: Mapping[str, Any]
    problem: str | None
    written: float
    forced: bool = False
    ledger: str = ""
    retryable: bool = False

    @property
    def accepted(self) -> int:
        """Events that Pinterest has accepted, in this run or before."""
        return self.delivered.accepted

    @property
    def may_have_arrived(self) -> bool:
        """Whether failed events may have arrived. Pinterest can deduplicate those."""
        return bool(self.delivered.reasons[UNANSWERED])

    def deduplicable(self, now: float) -> bool:
        """Return whether Pinterest deduplicates everything that was sent, if it is sent again now."""
        return not self.offline and now - self.clock < DEDUPLICATION_WINDOW

    def keeps(self, stage: str) -> bool:
        """Return whether lines of the rejects file stay valid because the rows they are about are no longer known."""
        if stage == Stage.PINTEREST:
            return not self.failed.complete
        return stage == Stage.OUTCOME_UNKNOWN and not self.held.complete

    @property
    def counts_on(self) -> bool:
        """Whether the run that sends the rest counts the accepted events as its own, because it is a retry."""
        return self.retryable and not self.delivered.already_sent

    def correction(self) -> DeliveryCounters:
        """Return counts that correct the total when the remaining events of this run are sent.

        Events that failed or are held are counted again when their rows are read. If their rows are no longer known,
        those rows count as accepted.
        """
        counts = DeliveryCounters()
        if not self.failed.complete:
            counts.failed = self.delivered.failed
        if not self.held.complete:
            counts.held = self.delivered.held
        accepted = -(counts.failed + counts.held)
        if self.counts_on:
            counts.processed = accepted
        else:
            counts.already_sent = accepted
        lost = {"failed": not self.failed.complete, "held": not self.held.complete, "own": self.counts_on}
        counts.accounts = AccountSum(correction(self.delivered.accounts.total(), **lost))
        return counts

    def as_json(self) -> dict[str, Any]:
        """Return it for :meth:`from_json`."""
        return {
            "version": VERSION,
            "state": "finished",
            "fingerprint": dict(self.fingerprint),
            "clock": self.clock,
            "rows": self.rows,
            "digest": self.digest,
            "delivered": self.delivered.as_json(),
            "failed": self.failed.as_json(),
            "held": self.held.as_json(),
            "offline": self.offline,
            "identity": dict(self.identity),
            "result": dict(self.result),
            "problem": self.problem,
            "written": self.written,
            "forced": self.forced,
            "ledger": self.ledger,
            "retryable": self.retryable,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Finished:
        """Return what :meth:`as_json` stored."""
        return cls(
            fingerprint=stored.texts(values["fingerprint"]),
            clock=stored.seconds(values["clock"]),
            rows=stored.count(values["rows"]),
            digest=stored.text(values["digest"]),
            delivered=DeliveryCounters.from_json(values["delivered"]),
            failed=RowSet.from_json(values["failed"]),
            held=RowSet.from_json(values["held"]),
            offline=stored.truth(values["offline"]),
            identity=stored.mapping(values["identity"]),
            result=stored.mapping(values["result"]),
            problem=stored.text_or_none(values["problem"]),
            written=stored.seconds(values["written"]),
            forced=stored.truth(values["forced"]),
            ledger=stored.text(values.get("ledger", "")),
            retryable=stored.truth(values.get("retryable", False)),
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How much of a run is accounted for.

    :param fingerprint: hashes of everything that decides which events the rows give and where they go, by parameter.
    :param clock: Unix seconds at the start of the first attempt; "future" and "too old" are measured from it.
    :param rows: all rows up to this number are accounted for.
    :param digest: hash of the outcomes of those rows.
    :param delivered: counts of their events.
    :param failed: rows among them that Pinterest did not accept.
    :param held: rows among them whose outcome is unknown.
    :param offline: whether events that Pinterest cannot deduplicate may have been sent, in the prefix or beyond.
    :param pending: batches beyond the prefix, in order.
    :param ahead: up to this many later events, beyond the prefix and the batches, may already have been sent.
    :param ahead_since: earliest time at which those may have been sent, in Unix seconds.
    :param on_unknown_outcome: what that attempt did if an outcome was unknown. Only events that it would send again
        can be among those sent ahead.
    :param written: Unix seconds.
    :param earlier: the finished run whose remaining events this one sends.
    :param unknown_before: earliest time, in Unix seconds, at which attempts that left no record may have sent events;
        ``None`` if there are no such attempts.
    :param forced: whether the run sends everything again by request.
    :param identity: identity of the attempt that started the run, see :class:`Finished`.
    :param ledger: the ledger that has a claim for every event that was sent; empty if there is none.
    :param parts: the parts of the rejects, see :attr:`~.rejects.Rejects.known`; ``None`` if not known.
    :param version: version of the stored form.
    """

    fingerprint: Mapping[str, str]
    clock: float
    rows: int = 0
    digest: str = field(default_factory=lambda: RowsHash().hexdigest())
    delivered: DeliveryCounters = field(default_factory=DeliveryCounters)
    failed: RowSet = field(default_factory=RowSet)
    held: RowSet = field(default_factory=RowSet)
    offline: bool = False
    pending: Sequence[PendingBatch] = ()
    ahead: int = 0
    ahead_since: float = 0.0
    on_unknown_outcome: str | None = None
    written: float = 0.0
    earlier: Finished | None = None
    unknown_before: float | None = None
    forced: bool = False
    identity: Mapping[str, Any] = field(default_factory=dict)
    ledger: str = ""
    parts: Mapping[str, int] | None = None
    version: int = VERSION

    @property
    def accepted(self) -> int:
        """Events that Pinterest is known to have accepted, in this run or before."""
        if self.earlier is None:
            return self.delivered.accepted
        if self.earlier.counts_on:
            return max(self.delivered.processed, self.earlier.accepted)
        return self.delivered.processed + self.earlier.accepted

    def keeps(self, row: int, stage: str) -> bool:
        """Return whether the line of a row in the rejects file stays valid: no later attempt writes it again."""
        if row <= self.rows:
            return True
        if self.earlier is not None and row <= self.earlier.rows and self.earlier.keeps(stage):
            return True
        return stage != Stage.VALIDATION and any(batch.settles(row) for batch in self.pending)

    def covers(self, row: int) -> bool:
        """Return whether this tells what became of a row, so that no ledger is asked while the row is read."""
        if row <= self.rows or (self.earlier is not None and row <= self.earlier.rows):
            return True
        return any(batch.first <= row <= batch.last for batch in self.pending)

    def deduplicable(self, now: float) -> bool:
        """Return whether Pinterest deduplicates everything that was sent, if it is sent again now."""
        offline = self.offline or bool(self.earlier and self.earlier.offline)
        return not offline and now - self.clock < DEDUPLICATION_WINDOW

    def as_json(self) -> dict[str, Any]:
        """Return it for :func:`read_state`."""
        return {
            "version": VERSION,
            "state": "running",
            "fingerprint": dict(self.fingerprint),
            "clock": self.clock,
            "rows": self.rows,
            "digest": self.digest,
            "delivered": self.delivered.as_json(),
            "failed": self.failed.as_json(),
            "held": self.held.as_json(),
            "offline": self.offline,
            "pending": [batch.as_json() for batch in self.pending],
            "ahead": self.ahead,
            "ahead_since": self.ahead_since,
            "on_unknown_outcome": self.on_unknown_outcome,
            "written": self.written,
            "earlier": self.earlier.as_json() if self.earlier else None,
            "unknown_before": self.unknown_before,
            "forced": self.forced,
            "identity": dict(self.identity),
            "ledger": self.ledger,
            "parts": None if self.parts is None else dict(self.parts),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Checkpoint:
        """Return what :meth:`as_json` stored."""
        earlier, unknown, parts = values["earlier"], values["unknown_before"], values["parts"]
        return cls(
            fingerprint=stored.texts(values["fingerprint"]),
            clock=stored.seconds(values["clock"]),
            rows=stored.count(values["rows"]),
            digest=stored.text(values["digest"]),
            delivered=DeliveryCounters.from_json(values["delivered"]),
            failed=RowSet.from_json(values["failed"]),
            held=RowSet.from_json(values["held"]),
            offline=stored.truth(values["offline"]),
            pending=tuple(map(PendingBatch.from_json, stored.items(values["pending"]))),
            ahead=stored.count(values["ahead"]),
            ahead_since=stored.seconds(values["ahead_since"]),
            on_unknown_outcome=stored.text_or_none(values["on_unknown_outcome"]),
            written=stored.seconds(values["written"]),
            earlier=None if earlier is None else Finished.from_json(earlier),
            unknown_before=None if unknown is None else stored.seconds(unknown),
            forced=stored.truth(values["forced"]),
            identity=stored.mapping(values["identity"]),
            ledger=stored.text(values.get("ledger", "")),
            parts=None if parts is None else dict(stored.counts(parts)),
        )
