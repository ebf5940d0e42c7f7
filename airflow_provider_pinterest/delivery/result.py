"""The account of a run: what became of every row, in counts.

Two sums always hold, also for a run that failed in the middle::

    rows_read   = events_sent + rows_rejected + duplicates_dropped + already_sent + validated_only + rows_not_sent
    events_sent = events_processed + events_failed + events_held
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from airflow_provider_pinterest.conversions.events import Event, Rejection, Stage

HOUR: Final = 3_600
STALE: Final = 7 * 24 * HOUR
"""Seconds after which an event may be refused or ignored."""

EXACT_LAG: Final = 7_200
"""Lags up to here are counted to the second, longer ones to one part in 128."""


class Lags:
    """How old events were when they were received, in seconds, without keeping one number per event."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, times: Iterable[int], now: float) -> None:
        """Count events that happened at ``times`` and were received ``now``."""
        for time, count in Counter(times).items():
            lag = max(0, int(now - time))
            if lag > EXACT_LAG:
                shift = lag.bit_length() - 8
                lag = lag >> shift << shift
            self._counts[lag] += count

    def summary(self) -> dict[str, int | None]:
        """Return the median, the 95th percentile and the maximum, and how many were late or stale."""
        total = self._counts.total()
        ordered = sorted(self._counts.items())
        return {
            "p50_s": _quantile(ordered, total * 0.50),
            "p95_s": _quantile(ordered, total * 0.95),
            "max_s": ordered[-1][0] if ordered else None,
            "over_1h": sum(count for lag, count in ordered if lag > HOUR),
            "stale": sum(count for lag, count in ordered if lag > STALE),
        }


def _quantile(ordered: list[tuple[int, int]], rank: float) -> int | None:
    seen = 0
    for lag, count in ordered:
        seen += count
        if seen >= rank:
            return lag
    return None


@dataclass(slots=True)
class Tally:
    """The counts of a run while it runs; every event is counted where it ends, and nowhere else."""

    rows_read: int = 0
    events_built: int = 0
    events_processed: int = 0
    events_failed: int = 0
    events_held: int = 0
    rows_rejected: int = 0
    duplicates_dropped: int = 0
    already_sent: int = 0
    validated_only: int = 0
    calls: int = 0
    retries: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    lags: Lags = field(default_factory=Lags)

    @property
    def events_sent(self) -> int:
        """Events that went out and were answered for, one way or the other."""
        return self.events_processed + self.events_failed + self.events_held

    @property
    def rows_not_sent(self) -> int:
        """Valid events that were made and have not gone anywhere: those of a run that stopped."""
        return self.events_built - self.events_sent - self.already_sent - self.validated_only

    @property
    def rejected(self) -> int:
        """What counts against ``max_rejected``."""
        return self.rows_rejected + self.events_failed

    def rejection(self, rejection: Rejection) -> None:
        """Count a rejection under its stage and each of its codes."""
        match rejection.stage:
            case Stage.VALIDATION:
                self.rows_rejected += 1
            case Stage.PINTEREST:
                self.events_failed += 1
            case Stage.OUTCOME_UNKNOWN:
                self.events_held += 1
        self.reasons.update({reason.code for reason in rejection.reasons})

    def received(self, events: Iterable[Event], now: float) -> None:
        """Count how old events were when Pinterest had them."""
        self.lags.add([event.time for event in events], now)


@dataclass(frozen=True, slots=True)
class Result:
    """The account of a run, as it goes to XCom.

    :param values: the counts by name; every count an int.
    """

    values: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        tally: Tally,
        *,
        ad_account_id: str,
        test: bool,
        seconds: float,
        warnings: Mapping[str, int],
        coverage: Mapping[str, int],
        rejects_path: str | None,
    ) -> Result:
        """Take the account of a tally.

        :param warnings: code → events, from before sending.
        :param coverage: field → valid events that carry it.
        """
        built = max(tally.events_built, 1)
        return cls(
            {
                "ad_account_id": ad_account_id,
                "test": test,
                "rows_read": tally.rows_read,
                "events_sent": tally.events_sent,
                "events_processed": tally.events_processed,
                "events_failed": tally.events_failed,
                "events_held": tally.events_held,
                "rows_rejected": tally.rows_rejected,
                "duplicates_dropped": tally.duplicates_dropped,
                "already_sent": tally.already_sent,
                "validated_only": tally.validated_only,
                "rows_not_sent": tally.rows_not_sent,
                "calls": tally.calls,
                "retries": tally.retries,
                "seconds": round(seconds, 3),
                "reasons": dict(tally.reasons.most_common()),
                "warnings": dict((tally.warnings + Counter(warnings)).most_common()),
                "freshness": tally.lags.summary(),
                "coverage": {
                    name: round(count / built, 4)
                    for name, count in sorted(coverage.items(), key=lambda item: (-item[1], item[0]))
                },
                "rejects_path": rejects_path,
                "resumed_from": None,
            }
        )

    def table(self) -> str:
        """Return the account as a short table for the log."""
        value = self.values
        mode = " (test: validated by Pinterest, not recorded)" if value["test"] else ""
        rows: list[tuple[str, object, str]] = [
            ("rows read", value["rows_read"], ""),
            ("  sent", value["events_sent"], ""),
            ("    processed", value["events_processed"], "accepted by Pinterest"),
            ("    failed", value["events_failed"], "refused by Pinterest"),
            ("    held", value["events_held"], "outcome unknown, not sent again"),
            ("  rejected", value["rows_rejected"], "not valid, never sent"),
            ("  duplicates", value["duplicates_dropped"], "same event_name and event_id earlier in this run"),
            ("  already sent", value["already_sent"], "by an earlier run"),
            ("  validated only", value["validated_only"], "valid, not sent"),
            ("  not sent", value["rows_not_sent"], "read before the run stopped"),
        ]
        shown = [row for row in rows if row[1] or not row[0].startswith("  ") or row[0].strip() in _ALWAYS]
        fresh = value["freshness"]
        lines = [f"Ad account {value['ad_account_id']}{mode}"]
        lines += (f"{name:<18}{count:>12,}  {note}".rstrip() for name, count, note in shown)
        lines.append(f"{value['calls']:,} calls, {value['retries']:,} of them retries, {value['seconds']:,.1f} s")
        if fresh["max_s"] is not None:
            lines.append(
                f"event age: median {_age(fresh['p50_s'])}, 95% {_age(fresh['p95_s'])}, most {_age(fresh['max_s'])}; "
                f"{fresh['over_1h']:,} over one hour (count as offline), {fresh['stale']:,} over 7 days"
            )
        for title in ("reasons", "warnings"):
            if value[title]:
                lines.append(f"{title}: " + ", ".join(f"{code} {count:,}" for code, count in value[title].items()))
        if value["rejects_path"]:
            lines.append(f"rejects: {value['rejects_path']}")
        return "\n".join(lines)


_ALWAYS: Final = frozenset({"sent", "processed", "rejected"})


def _age(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds} s"
