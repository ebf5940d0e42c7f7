"""The table of the runs of a backfill, and the check that everything arrived once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from harness.accounting import arrivals, imbalances

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

COLUMNS: Final = {
    "rows": "rows_read",
    "sent": "events_processed",
    "already sent": "already_sent",
    "rejected": "rows_rejected",
    "duplicates": "duplicates_dropped",
}
"""Column → the count of the result."""

_NAME: Final = 26
_NUMBER: Final = 14


class FinishedRun(NamedTuple):
    """A run that has ended.

    :param began: Unix seconds, like ``ended``.
    """

    name: str
    result: Mapping[str, Any]
    began: float
    ended: float


def lines(runs: Sequence[FinishedRun]) -> list[str]:
    """Return the table, a line for each run, in the order of their start, and the sums."""
    ordered = sorted(runs, key=lambda run: run.began)
    sums = {count: sum(run.result[count] for run in runs) for count in COLUMNS.values()}
    head = "run".ljust(_NAME) + "".join(name.rjust(_NUMBER) for name in COLUMNS)
    return [
        head,
        *(_line(run.name, run.result) for run in ordered),
        "-" * len(head),
        _line(f"{len(runs)} runs", sums),
    ]


def faults(
    runs: Sequence[FinishedRun], expected: Collection[str], copies: Mapping[str, int], statuses: Mapping[str, int]
) -> list[str]:
    """Return what is wrong; nothing if every event was accepted exactly once and all counts agree.

    :param expected: the orders that had to arrive.
    :param copies: order → how often the local Pinterest accepted it.
    :param statuses: status → rows of the outcome table.
    """
    found = [f"{run.name}: {wrong}" for run in runs for wrong in imbalances(run.result)]
    sent = sum(run.result["events_processed"] for run in runs)
    arrived = arrivals(expected, copies)
    of_each = {name: getattr(arrived, name) for name in ("missing", "unknown", "twice")}
    found += [f"{number:,} events are {name}" for name, number in of_each.items() if number]
    counted = {"the local Pinterest": sum(copies.values()), "the table": statuses.get("processed", 0)}
    differing = {what: number for what, number in counted.items() if number != sent}
    return [
        *found,
        *(f"The runs sent {sent:,} events, but {what} has {number:,}" for what, number in differing.items()),
    ]


def _line(name: str, counts: Mapping[str, Any]) -> str:
    return name.ljust(_NAME) + "".join(f"{counts[count]:,}".rjust(_NUMBER) for count in COLUMNS.values())
