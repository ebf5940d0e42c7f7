"""Checks that the counts of a result add up, and that a server received the rows of the source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

ROW_SUM: Final = (
    "events_sent",
    "rows_rejected",
    "rows_excluded",
    "duplicates_dropped",
    "already_sent",
    "validated_only",
    "rows_not_sent",
)
"""Counts of a result. Their sum is ``rows_read``."""

EVENT_SUM: Final = ("events_processed", "events_failed", "events_held")
"""Counts of a result. Their sum is ``events_sent``."""


def imbalances(result: Mapping[str, Any]) -> list[str]:
    """Return the sums in the operator's result that are wrong."""
    names = {"rows_read", *ROW_SUM, *EVENT_SUM}
    counts = {name: result.get(name) for name in names}
    counts |= {name: value for name, value in result.items() if name.startswith(("rows_", "events_"))}
    wrong = [f"{name} is {value!r}" for name, value in counts.items() if type(value) is not int or value < 0]
    if wrong:
        return wrong
    return _account_imbalances(result) or [
        f"{whole} is {result[whole]:,}, its parts are {' + '.join(f'{result[name]:,} {name}' for name in parts)}"
        for whole, parts in (("rows_read", ROW_SUM), ("events_sent", EVENT_SUM))
        if result[whole] != sum(result[name] for name in parts)
    ]


def _account_imbalances(result: Mapping[str, Any]) -> list[str]:
    """Return the counts whose sum over the ad accounts is wrong, for a run whose rows name their account."""
    rows = [*result.get("accounts", {}).values(), result.get("other_accounts") or {}]
    sums = {name: sum(row.get(name, 0) for row in rows) for name in (*ROW_SUM, *EVENT_SUM, "rows_read", "calls")}
    negative = [
        f"{name} of ad account {account} is {count:,}"
        for account, row in (result.get("accounts") or {}).items()
        for name, count in row.items()
        if count < 0
    ]
    return negative + [
        f"{name} is {result[name]:,}, the sum of the accounts is {count:,}"
        for name, count in (sums.items() if result.get("accounts") else ())
        if result[name] != count
    ]


@dataclass(frozen=True)
class Arrivals:
    """The events that arrived at a server, compared with the expected events.

    :param rows: events that were expected.
    :param events: events that the server counted, copies included.
    :param missing: expected events that never arrived.
    :param unknown: ids that arrived and were not expected.
    :param twice: the extra copies of all ids.
    """

    rows: int
    events: int
    missing: int
    unknown: int
    twice: int


def arrivals(expected: Iterable[str], copies: Mapping[str, int]) -> Arrivals:
    """Compare the ids of all expected events with the copies of each id that a server counted."""
    rows = missing = 0
    for event_id in expected:
        rows += 1
        missing += event_id not in copies
    return Arrivals(
        rows=rows,
        events=sum(copies.values()),
        missing=missing,
        unknown=len(copies) - (rows - missing),
        twice=sum(number - 1 for number in copies.values()),
    )
