"""Compare what the server accepted with the warehouse and the result of the task."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.attempt import result_of
from chaos.warehouse import ExpectedOutcome
from harness.accounting import imbalances


@dataclass
class ServerRecord:
    """The events that the server has accepted.

    :param web: id → accepted copies of an event that Pinterest deduplicates.
    :param offline: id → accepted copies of an event that it does not deduplicate.
    """

    web: Mapping[str, int]
    offline: Mapping[str, int]

    def __contains__(self, event_id: str) -> bool:
        return event_id in self.web or event_id in self.offline

    @property
    def distinct(self) -> int:
        """The number of accepted events."""
        return len(self.web.keys() | self.offline.keys())


def received(folder: Path) -> ServerRecord:
    """Return the events that the server has accepted so far."""
    counts: tuple[dict[str, int], dict[str, int]] = ({}, {})
    with closing(sqlite3.connect(folder / "pinterest.db", timeout=30)) as connection:
        asked = "SELECT event_id, action_source = 'offline', count(*) FROM events GROUP BY 1, 2"
        for event_id, offline, copies in connection.execute(asked):
            counts[offline][event_id] = copies
    return ServerRecord(*counts)


def events_in_unclear_calls(folder: Path) -> int:
    """Return the number of events that were accepted by calls whose response did not say so."""
    with closing(sqlite3.connect(folder / "pinterest.db", timeout=30)) as connection:
        asked = (
            "SELECT coalesce(sum(accepted), 0) FROM calls "
            "WHERE status NOT IN (200, 422) OR fault LIKE '%malformed%' OR fault LIKE '%drip%'"
        )
        return int(connection.execute(asked).fetchone()[0])


def not_accepted(folder: Path) -> frozenset[str]:
    """Return the ids of events that were requested and not accepted."""
    return frozenset((folder / "seen.txt").read_text().split())


@dataclass
class Findings:
    """The counters after a storm."""

    lost: int = 0
    web_twice: int = 0
    allowed: int = 0
    offline_twice: int = 0
    held: int = 0
    rejects: int = 0
    late_lines: int = 0
    refused_ids: frozenset[str] = frozenset()
    held_ids: frozenset[str] = frozenset()
    broken: list[str] = field(default_factory=list)


@dataclass
class Tolerance:
    """What may have happened to events because of what the storm did.

    :param copies: web events that may have been sent twice.
    :param unknown: ids of offline events with an unknown outcome, because the attempt was killed.
    :param formerly_web: ids of events that were sent as web events before their row changed.
    """

    copies: int = 0
    unknown: set[str] = field(default_factory=set)
    formerly_web: set[str] = field(default_factory=set)


def judge(
    folder: Path,
    expected: ExpectedOutcome,
    result: Mapping[str, Any],
    tolerance: Tolerance,
    *,
    unaccepted: Collection[str],
    frozen: Collection[int] = (),
) -> Findings:
    """Check a run that has ended.

    :param result: the result of the task.
    :param unaccepted: ids of the events that Pinterest does not accept.
    :param frozen: numbers of attempts that were frozen when the last one began. An attempt that is frozen just before
        it writes a part of the rejects writes it when it continues. Until another attempt starts, its lines may be
        there twice.
    """
    copies = received(folder)
    lines = list(_rejects(folder))
    late = [(line["row"], line["stage"]) for part, line in lines if part in frozen]
    others = Counter((line["row"], line["stage"]) for _, line in lines)
    twice = {about for about in late if others[about] > 1}
    rejects = [line for _, line in lines if (line["row"], line["stage"]) not in twice]
    rejects += {
        (line["row"], line["stage"]): line for _, line in lines if (line["row"], line["stage"]) in twice
    }.values()
    stages = Counter(line["stage"] for line in rejects)
    refused = {line["event_id"] for line in rejects if line["stage"] == "pinterest"}
    held = {line["event_id"] for line in rejects if line["stage"] == "outcome_unknown"}
    found = Findings(allowed=tolerance.copies + events_in_unclear_calls(folder), rejects=len(rejects))
    found.refused_ids, found.held_ids = frozenset(refused), frozenset(held)
    found.late_lines = len(lines) - len(rejects)
    found.lost = sum(one not in copies and one not in refused | held for one in expected.web | expected.offline)
    found.web_twice = sum(count - 1 for count in copies.web.values() if count > 1)
    both = copies.web.keys() & copies.offline.keys() - tolerance.formerly_web
    found.offline_twice = sum(count - 1 for count in copies.offline.values() if count > 1) + len(both)
    found.held = result["events_held"]
    never_sent = (
        {one for one in held & expected.offline if one not in copies} - tolerance.unknown - not_accepted(folder)
    )
    failed = result["events_failed"]
    sums: Sequence[tuple[str, object, object]] = (
        ("rows are lost", found.lost, 0),
        ("offline events were sent twice", found.offline_twice, 0),
        ("events are held that were never sent", len(never_sent), 0),
        ("rows_read", result["rows_read"], expected.rows),
        ("rows_rejected", result["rows_rejected"], expected.invalid),
        ("duplicates_dropped", result["duplicates_dropped"], expected.duplicates),
        ("rows_not_sent", result["rows_not_sent"], 0),
        ("what does not add up", imbalances(result), []),
        (
            "lines of the rejects",
            dict(stages),
            dict(+Counter(validation=result["rows_rejected"], pinterest=failed, outcome_unknown=result["events_held"])),
        ),
        ("rows with two lines in the rejects", len(rejects) - len({line["row"] for line in rejects}), 0),
        ("events that failed and should not", len(refused - set(unaccepted)), 0),
        ("events that should fail and did not", len(set(unaccepted) - refused - held), 0),
    )
    found.broken = [f"{what}: {value}, expected {wanted}" for what, value, wanted in sums if value != wanted]
    if found.web_twice > found.allowed:
        found.broken.append(f"{found.web_twice} web events were sent twice, {found.allowed} may be")
    if result["events_processed"] + result["already_sent"] > copies.distinct:
        found.broken.append("more events were processed than accepted")
    return found


def sent_again(before: ServerRecord, after: ServerRecord) -> int:
    """Return the number of accepted events that were accepted again."""
    return sum(
        later[one] > count
        for earlier, later in ((before.web, after.web), (before.offline, after.offline))
        for one, count in earlier.items()
    ) + sum(one in before.web for one in after.offline.keys() - before.offline.keys())


def result(folder: Path, number: int) -> Mapping[str, Any]:
    """Return the result that an attempt has pushed or returned."""
    found: Mapping[str, Any] = json.loads(result_of(folder, number).read_text())
    return found


def _rejects(folder: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the lines of the rejects, each with the number of the attempt that wrote it."""
    for part in sorted((folder / "rejects").glob("*/part-*.ndjson")):
        attempt = int(part.name.split("-")[1])
        for line in part.read_text().splitlines():
            yield attempt, json.loads(line)
