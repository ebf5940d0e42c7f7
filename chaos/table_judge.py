"""Compare the outcome table with the server, the warehouse and the result of the task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chaos.judge import ServerRecord
from chaos.storm_database import TableRow
from chaos.warehouse import StormRow

UNKNOWN: Final = frozenset({"held", "sending"})


@dataclass(frozen=True)
class TableState:
    """What the outcome table has.

    :param rows: its rows.
    :param not_final: ids of events that were processed, and had another status later.
    """

    rows: Sequence[TableRow]
    not_final: Collection[str]

    @property
    def statuses(self) -> Mapping[str, str]:
        """Id of an event → its status. Duplicates have rows of their own."""
        return {row.event_id: row.status for row in self.rows if row.status != "duplicate"}


def at_any_time(table: TableState, copies: ServerRecord) -> Iterator[str]:
    """Yield what must never be, whether or not an attempt still runs."""
    statuses = table.statuses
    processed = {event_id for event_id, status in statuses.items() if status == "processed"}
    accepted = copies.web.keys() | copies.offline.keys()
    several = len([row for row in table.rows if row.status != "duplicate"]) - len(statuses)
    wrong: Sequence[tuple[str, Collection[str]]] = (
        ("events are processed in the table that the server did not accept", processed - accepted),
        (
            "accepted events are not processed, held or sending in the table",
            {one for one in accepted if statuses.get(one) not in {"processed", *UNKNOWN}},
        ),
        ("events were processed in the table and are not any more", table.not_final),
    )
    for what, ids in wrong:
        if ids:
            yield f"{len(ids)} {what}, such as {[(one, statuses.get(one)) for one in sorted(ids)[:5]]}"
    if several:
        yield f"{several} events have two rows in the table"


def after_a_run(
    table: TableState,
    rows: Sequence[StormRow],
    result: Mapping[str, Any],
    *,
    refused: Collection[str],
    held: Collection[str],
    frozen: bool,
    unchanged: bool,
) -> Iterator[str]:
    """Yield where the table and a run that has ended differ.

    :param rows: of the source.
    :param refused: ids of the events that Pinterest refused.
    :param held: ids of the events that are held.
    :param frozen: whether an attempt was frozen once. It may settle its events after the run has held them.
    :param unchanged: whether the rows of the source are those of the first attempt.
    """
    statuses = table.statuses
    duplicates = {row.row for row in table.rows if row.status == "duplicate"}
    counts: Counter[str] = Counter()
    wrong: dict[str, list[tuple[str, str | None]]] = {}
    valid = {row.event_id for row in rows if row.valid}
    seen: set[str] = set()
    invalid = 0
    for number, row in enumerate(rows, 1):
        status = statuses.get(row.event_id)
        if not row.valid:
            invalid += 1
            allowed = {"rejected", "processed", *UNKNOWN} if row.event_id not in valid else {status}
            what = "invalid rows"
        elif row.event_id in seen:
            status, allowed, what = "duplicate" if number in duplicates else None, {"duplicate"}, "duplicates"
            counts["duplicate"] += 1
        elif row.event_id in held:
            allowed, what = {"held", *(("processed", "sending") if frozen else ())}, "held events"
            counts["held"] += 1
        elif row.event_id in refused:
            allowed, what = {"failed", *(("sending",) if frozen else ())}, "refused events"
            counts["failed"] += 1
        else:
            allowed, what = {"processed"}, "other events"
            counts["processed"] += 1
        seen.update({row.event_id} if row.valid else ())
        if status not in allowed:
            wrong.setdefault(what, []).append((row.event_id, status))
    for what, found in wrong.items():
        yield f"{len(found)} {what} have another status in the table, such as {found[:5]}"
    told = {
        "processed": result["events_processed"] + result["already_sent"],
        "failed": result["events_failed"],
        "held": result["events_held"],
        "duplicate": result["duplicates_dropped"],
    }
    if told != {name: counts[name] for name in told}:
        yield f"the table counts {dict(counts)}, the result {told}"
    if unchanged and not frozen:
        stored = Counter(row.status for row in table.rows)
        told["rejected"] = result["rows_rejected"]
        if stored != +Counter(told):
            yield f"the table has {dict(stored)}, the result {told}"
