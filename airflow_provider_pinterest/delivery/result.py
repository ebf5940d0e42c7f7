"""The result of a run: counts that account for every row.

Two sums always hold, even for a run that failed in the middle::

    rows_read   = events_sent + rows_rejected + rows_excluded + duplicates_dropped + already_sent + validated_only
                  + rows_not_sent
    events_sent = events_processed + events_failed + events_held
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from airflow_provider_pinterest.conversions.reasons import EXCLUSIONS
from airflow_provider_pinterest.delivery import account_counts, stored
from airflow_provider_pinterest.delivery.account_counts import AccountCounts
from airflow_provider_pinterest.delivery.account_sums import AccountSum
from airflow_provider_pinterest.exceptions import AccountingError

HOUR: Final = 3_600
STALE: Final = 7 * 24 * HOUR
"""Seconds after which an event may be refused or ignored."""

LATENCY_BITS: Final = 6
"""Binary digits that a latency keeps: exact to the second below 64 s, and to 1.6 % or better above."""


@dataclass(slots=True)
class LatencyHistogram:
    """How old events were when they were received, in seconds, without one number per event.

    :param counts: rounded latency → events.
    :param longest: the longest latency, not rounded.
    :param late: web and app events received more than an hour after they happened, which count as offline.
    :param stale: events received more than seven days after they happened.
    """

    counts: Counter[int] = field(default_factory=Counter)
    longest: int | None = None
    late: int = 0
    stale: int = 0

    def add(self, times: Iterable[int], now: float, *, offline: bool = False) -> None:
        """Count events that happened at ``times`` and were received ``now``.

        :param offline: whether they are offline events, for which being late makes no difference.
        """
        for time, count in Counter(times).items():
            latency = max(0, int(now - time))
            shift = max(latency.bit_length() - LATENCY_BITS, 0)
            self.counts[latency >> shift << shift] += count
            self.longest = max(self.longest or 0, latency)
            self.late += count if latency > HOUR and not offline else 0
            self.stale += count if latency > STALE else 0

    def copy(self) -> LatencyHistogram:
        """Return an independent copy."""
        return LatencyHistogram(self.counts.copy(), self.longest, self.late, self.stale)

    def merge(self, other: LatencyHistogram) -> None:
        """Add the counts of another."""
        self.counts.update(other.counts)
        if other.longest is not None:
            self.longest = max(self.longest or 0, other.longest)
        self.late += other.late
        self.stale += other.stale

    def as_json(self) -> dict[str, Any]:
        """Return the counts as JSON, for :meth:`from_json`."""
        counts = {str(latency): count for latency, count in self.counts.items()}
        return {"counts": counts, "longest": self.longest, "late": self.late, "stale": self.stale}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LatencyHistogram:
        """Read what :meth:`as_json` returned."""
        counts = Counter({int(latency): count for latency, count in stored.counts(values["counts"]).items()})
        longest = values["longest"]
        return cls(
            counts,
            None if longest is None else stored.count(longest),
            stored.count(values["late"]),
            stored.count(values["stale"]),
        )

    def summary(self) -> dict[str, int | None]:
        """Return the median, the 95th percentile and the maximum, and how many were late or stale."""
        total = self.counts.total()
        ordered = sorted(self.counts.items())
        return {
            "p50_s": _quantile(ordered, total * 0.50),
            "p95_s": _quantile(ordered, total * 0.95),
            "max_s": self.longest,
            "over_1h": self.late,
            "stale": self.stale,
        }


def _quantile(ordered: list[tuple[int, int]], rank: float) -> int | None:
    seen = 0
    for latency, count in ordered:
        seen += count
        if seen >= rank:
            return latency
    return None


@dataclass(slots=True)
class DeliveryCounters:
    """Counts of sent events by outcome; a checkpoint carries them from one attempt to the next."""

    processed: int = 0
    failed: int = 0
    held: int = 0
    already_sent: int = 0
    calls: int = 0
    retries: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    latencies: LatencyHistogram = field(default_factory=LatencyHistogram)
    accounts: AccountSum = field(default_factory=AccountSum)
    """Counts per ad account; empty if the rows do not name their account."""

    @property
    def accepted(self) -> int:
        """Events that Pinterest has accepted, in this run or before."""
        return self.processed + self.already_sent

    @property
    def settled(self) -> int:
        """Events with a final outcome."""
        return self.accepted + self.failed + self.held

    def copy(self) -> DeliveryCounters:
        """Return an independent copy."""
        return replace(
            self,
            reasons=self.reasons.copy(),
            warnings=self.warnings.copy(),
            latencies=self.latencies.copy(),
        )

    def merge(self, other: DeliveryCounters) -> None:
        """Add another part of the run."""
        self.processed += other.processed
        self.failed += other.failed
        self.held += other.held
        self.already_sent += other.already_sent
        self.calls += other.calls
        self.retries += other.retries
        self.reasons.update(other.reasons)
        self.warnings.update(other.warnings)
        self.accounts = self.accounts.plus(other.accounts)
        self.latencies.merge(other.latencies)

    def as_json(self) -> dict[str, Any]:
        """Return it for :meth:`from_json`."""
        return {
            "processed": self.processed,
            "failed": self.failed,
            "held": self.held,
            "already_sent": self.already_sent,
            "calls": self.calls,
            "retries": self.retries,
            "reasons": dict(self.reasons),
            "warnings": dict(self.warnings),
            "latencies": self.latencies.as_json(),
            **({"accounts": self.accounts.written()} if self.accounts else {}),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> DeliveryCounters:
        """Read what :meth:`as_json` returned."""
        return cls(
            processed=stored.count(values["processed"]),
            failed=stored.count(values["failed"]),
            held=stored.count(values["held"]),
            already_sent=stored.whole(values.get("already_sent", 0)),
            calls=stored.count(values["calls"]),
            retries=stored.count(values["retries"]),
            reasons=stored.counts(values["reasons"]),
            warnings=stored.counts(values["warnings"]),
            latencies=LatencyHistogram.from_json(values["latencies"]),
            accounts=AccountSum(account_counts.read(values.get("accounts", ""))),
        )


@dataclass(slots=True)
class RunCounters:
    """The counts of a run; every row is counted exactly once, where it ended."""

    rows_read: int = 0
    events_built: int = 0
    rows_rejected: int = 0
    duplicates_dropped: int = 0
    rows_excluded: int = 0
    validated_only: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Codes of rows rejected or excluded before sending."""
    delivered: DeliveryCounters = field(default_factory=DeliveryCounters)
    valid_latencies: LatencyHistogram = field(default_factory=LatencyHistogram)
    """Latencies of events that were only validated."""
    accounts: AccountCounts = field(default_factory=Counter)
    """All counts per ad account; empty if the rows do not name their account."""

    @property
    def events_sent(self) -> int:
        """Events that were sent and have a final outcome."""
        return self.delivered.processed + self.delivered.failed + self.delivered.held

    @property
    def rows_not_sent(self) -> int:
        """Valid events that were read and have no final outcome, because the run stopped."""
        return self.events_built - self.delivered.settled - self.validated_only

    @property
    def rejected(self) -> int:
        """Rows that count against ``max_rejected``."""
        return self.rows_rejected + self.delivered.failed

    @property
    def all_reasons(self) -> Counter[str]:
        """Codes of rows that were rejected, excluded, failed or are held."""
        return self.reasons + self.delivered.reasons

    @property
    def reasons_of_rejections(self) -> Counter[str]:
        """Codes of rows that were rejected or failed."""
        return Counter({code: count for code, count in self.all_reasons.items() if code not in EXCLUSIONS})

    @property
    def arrived(self) -> int:
        """Events that count towards ``min_events``."""
        return self.delivered.accepted + self.validated_only

    def check(self, rows_yielded: int) -> None:
        """Check that every row of a completed run is accounted for.

        :param rows_yielded: rows that the source yielded, counted there.
        :raises AccountingError: a row is not accounted for.
        """
        parts = self.events_built + self.rows_rejected + self.duplicates_dropped + self.rows_excluded
        if not rows_yielded == self.rows_read == parts or self.rows_not_sent:
            raise AccountingError(
                f"The counts of this run do not add up: the source yielded {rows_yielded:,} rows, {self.rows_read:,} "
                f"were read, {parts:,} became an event, a rejection, a duplicate or an exclusion, and "
                f"{self.rows_not_sent:,} events have no outcome.",
                advice="This is a bug: report it with this message. Compare the result with the source before you run "
                "it again.",
            )


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a run, as it goes to XCom.

    :param values: the counts by name; every count is an int.
    """

    values: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        counters: RunCounters,
        *,
        ad_account_id: str,
        test: bool,
        seconds: float,
        warnings: Mapping[str, int],
        coverage: Mapping[str, int],
        rejects_path: str | None,
        resumed_from: int | None = None,
        unlisted: Mapping[str, int] | None = None,
        left_out: int = 0,
        selection: Mapping[str, Any] | None = None,
    ) -> Result:
        """Make the result from the counters of a run.

        :param warnings: code → events, from before sending.
        :param coverage: field → valid events that carry it.
        :param resumed_from: rows that earlier attempts had accounted for; ``None`` if there are none.
        :param unlisted: event name that Pinterest does not list → events.
        :param left_out: valid events that were not selected; `coverage` counts them.
        :param selection: the counts of a run that sends again; ``None`` for other runs.
        """
        sent = counters.delivered
        latencies = counters.valid_latencies if counters.validated_only else sent.latencies
        built = max(counters.events_built + left_out, 1)
        return cls(
            {
                "ad_account_id": ad_account_id,
                "test": test,
                "rows_read": counters.rows_read,
                "events_sent": counters.events_sent,
                "events_processed": sent.processed,
                "events_failed": sent.failed,
                "events_held": sent.held,
                "rows_rejected": counters.rows_rejected,
                "duplicates_dropped": counters.duplicates_dropped,
                "rows_excluded": counters.rows_excluded,
                "already_sent": sent.already_sent,
                "validated_only": counters.validated_only,
                "rows_not_sent": counters.rows_not_sent,
                "calls": sent.calls,
                "retries": sent.retries,
                "seconds": round(seconds, 3),
                "reasons": dict(counters.all_reasons.most_common()),
                "warnings": dict((sent.warnings + Counter(warnings)).most_common()),
                "freshness": latencies.summary(),
                "coverage": {
                    name: round(count / built, 4)
                    for name, count in sorted(coverage.items(), key=lambda item: (-item[1], item[0]))
                },
                "unlisted_event_names": dict(unlisted or {}),
                "selection": dict(selection or {}),
                **account_counts.result(counters.accounts),
                "rejects_path": rejects_path,
                "resumed_from": resumed_from,
            }
        )

    def table(self) -> str:
        """Return the result as a short table for the log."""
        value = self.values
        mode = " (test: validated by Pinterest, not recorded)" if value["test"] else ""
        excluded = "excluded by your rules, never sent"
        if value["selection"]:
            excluded = "not selected by only, or excluded by your rules; not sent in this run"
        rows: list[tuple[str, object, str]] = [
            ("rows read", value["rows_read"], ""),
            ("  sent", value["events_sent"], ""),
            ("    processed", value["events_processed"], "accepted by Pinterest"),
            ("    failed", value["events_failed"], "rejected by Pinterest"),
            ("    held", value["events_held"], "outcome unknown, not sent again"),
            ("  rejected", value["rows_rejected"], "not valid, never sent"),
            ("  duplicates", value["duplicates_dropped"], "same event_name and event_id earlier in this run"),
            ("  excluded", value["rows_excluded"], excluded),
            ("  already sent", value["already_sent"], "accepted by Pinterest in an earlier run"),
            ("  validated only", value["validated_only"], "valid, not sent"),
            ("  not sent", value["rows_not_sent"], "read before the run stopped"),
        ]
        shown = [row for row in rows if row[1] or not row[0].startswith("  ") or row[0].strip() in _ALWAYS]
        fresh = value["freshness"]
        several = value["accounts_read"]
        accounts = f"{several:,} ad account{'' if several == 1 else 's'}" if value["accounts"] else ""
        lines = [f"{accounts or 'Ad account ' + value['ad_account_id']}{mode}"]
        lines += (f"{name:<18}{count:>12,}  {note}".rstrip() for name, count, note in shown)
        lines.append(f"calls: {value['calls']:,}, including {value['retries']:,} retries, {value['seconds']:,.1f} s")
        if fresh["max_s"] is not None:
            lines.append(
                f"event age: median {_age(fresh['p50_s'])}, 95% {_age(fresh['p95_s'])}, max {_age(fresh['max_s'])}; "
                f"{fresh['over_1h']:,} web or app events over 1 hour (Pinterest counts them as offline), "
                f"{fresh['stale']:,} events over 7 days"
            )
        for title in ("reasons", "warnings"):
            if value[title]:
                lines.append(f"{title}: " + ", ".join(f"{code} {count:,}" for code, count in value[title].items()))
        if value["selection"]:
            lines.append(_selected(**value["selection"]))
        if value["resumed_from"]:
            lines.append(f"resumed at row {value['resumed_from'] + 1:,}; the counts cover all attempts together")
        if value["rejects_path"]:
            lines.append(f"rejects: {value['rejects_path']}")
        return "\n".join(lines)


def _selected(*, only: str, found: int, processed: int, still_refused: int, gone: int | None) -> str:
    said = f"only={only!r}: {found:,} found again, {processed:,} processed, {still_refused:,} still refused"
    return said if gone is None else f"{said}, {gone:,} not in this source"


_ALWAYS: Final = frozenset({"sent", "processed", "rejected"})


def _age(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds} s"
