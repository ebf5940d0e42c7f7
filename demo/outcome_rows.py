"""The rows of the outcome table, and their comparison with what the tasks and the local Pinterest have counted."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

COLUMNS: Final = ("run", "source_row", "status", "reasons", "event_name", "event_id", "key_columns")

Place = tuple[str, str]
"""DAG and task."""


class OutcomeRow(NamedTuple):
    """One row of the table: these columns of it."""

    run: str
    source_row: int
    status: str
    reasons: str | None
    event_name: str | None
    event_id: str | None
    key_columns: str | None

    @property
    def place(self) -> Place:
        """The DAG and the task, from the name of the run. No task of the demo is mapped."""
        dag_id, _, rest = self.run.partition("/")
        return dag_id, rest.partition("/")[2]


class TaskClaim(NamedTuple):
    """What the table must have for one task.

    :param received: name and id of each event that the local Pinterest received.
    :param processed: the events that the result counts as processed.
    :param rejected: row and reason codes of each line of the rejects file.
    :param duplicates: the duplicates that its results count, of all runs.
    """

    place: Place
    received: AbstractSet[tuple[str, str]]
    processed: int
    rejected: AbstractSet[tuple[int, str]]
    duplicates: int


def read(path: Path) -> list[OutcomeRow]:
    """Read the table; it has no rows if there is no file."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as connection:
        query = f"SELECT {', '.join(COLUMNS)} FROM pinterest_outcomes ORDER BY run, source_row"  # noqa: S608 - constants
        return [OutcomeRow(*row) for row in connection.execute(query)]


def differences(outcomes: Sequence[OutcomeRow], claims: Sequence[TaskClaim]) -> list[str]:
    """Return what the table says differently."""
    faults = []
    of: dict[Place, list[OutcomeRow]] = {claim.place: [] for claim in claims}
    for outcome in outcomes:
        of.setdefault(outcome.place, []).append(outcome)
    for claim in claims:
        rows = of.pop(claim.place)
        faults += [f"{'.'.join(claim.place)}: {fault}" for fault in _differences_of_task(rows, claim)]
    return faults + [f"{'.'.join(place)}: {len(rows)} rows of a task that was not run" for place, rows in of.items()]


def _differences_of_task(rows: Sequence[OutcomeRow], claim: TaskClaim) -> list[str]:
    faults = []
    statuses = Counter(row.status for row in rows)
    processed = {(row.event_name, row.event_id) for row in rows if row.status == "processed"}
    if missing := len(claim.received - processed):
        faults.append(f"{missing} events that Pinterest received are not in it as processed")
    if unknown := len(processed - claim.received):
        faults.append(f"{unknown} events are in it as processed that Pinterest did not receive")
    for status, expected in (("processed", claim.processed), ("duplicate", claim.duplicates)):
        if statuses[status] != expected:
            faults.append(f"{statuses[status]} rows are {status}, the results say {expected}")
    rejected = Counter((row.source_row, row.reasons) for row in rows if row.status == "rejected")
    if rejected != Counter(claim.rejected):
        faults.append(f"the rejected rows or their reasons are not those of the rejects file ({len(rejected)} rows)")
    if others := sorted(statuses.keys() - {"processed", "duplicate", "rejected"}):
        faults.append(f"it has rows with the status {', '.join(others)}")
    return faults
