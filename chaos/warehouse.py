"""The warehouse of a storm: rows that change between attempts, and the outcome that each must have."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

SQL: Final = (
    "SELECT event_id, event_name, action_source, event_time, email, value, currency FROM events "
    "WHERE pause(position) ORDER BY position"
)
"""``pause`` is a function that the connection defines: it sometimes stalls."""

INVALID_EVERY: Final = 97
DUPLICATE_EVERY: Final = 211
STRETCH_ROWS: Final = 700
"""About this many adjacent rows are all web, all offline or mixed, so that batches of every kind occur."""

VALID: Final = "EUR"
INVALID: Final = "EURO"


class StormRow(NamedTuple):
    """A row of the warehouse. It is invalid if its currency is invalid."""

    position: float
    event_id: str
    event_name: str
    action_source: str
    event_time: int
    email: str
    value: str
    currency: str

    @property
    def valid(self) -> bool:
        """Whether the row becomes an event."""
        return self.currency == VALID


@dataclass(frozen=True)
class ExpectedOutcome:
    """The outcome that the rows must have.

    :param rows: in the warehouse.
    :param invalid: rows that must be rejected.
    :param duplicates: rows with the same event as an earlier row.
    :param web: ids of the valid events that Pinterest deduplicates.
    :param offline: ids of the valid events that it does not deduplicate.
    """

    rows: int
    invalid: int
    duplicates: int
    web: frozenset[str]
    offline: frozenset[str]


@dataclass(frozen=True)
class RowChange:
    """A change of some rows.

    :param kind: a key of the table of changes.
    :param rows: the rows before the change.
    :param first: index of the first row that changed.
    :param last: index of the last such row.
    :param flipped: ids of web events that became offline events.
    """

    kind: str
    rows: Sequence[StormRow]
    first: int
    last: int
    flipped: frozenset[str] = frozenset()


class ChangingWarehouse:
    """The rows, in memory and in a SQLite database that attempts read.

    :param path: of the database, which is created.
    :param rows: how many; the same seed gives the same rows.
    """

    def __init__(self, path: Path, rows: int, seed: int) -> None:
        self.path = path
        self._chance = random.Random(seed)
        self.rows: Sequence[StormRow] = tuple(self._generate(rows))
        self._made = 0
        with closing(sqlite3.connect(path)) as connection, connection:
            # The rows can change while a frozen attempt reads them.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(
                "CREATE TABLE events (position REAL PRIMARY KEY, event_id, event_name, action_source, event_time, "
                "email, value, currency)"
            )
            connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self.rows)

    def expected(self) -> ExpectedOutcome:
        """Return the outcome that the rows must have as they are now."""
        sources: dict[str, str] = {}
        invalid = duplicates = 0
        for row in self.rows:
            if not row.valid:
                invalid += 1
            elif row.event_id in sources:
                duplicates += 1
            else:
                sources[row.event_id] = row.action_source
        offline = frozenset(one for one, source in sources.items() if source == "offline")
        return ExpectedOutcome(len(self.rows), invalid, duplicates, frozenset(sources) - offline, offline)

    def change(self, kind: str, index: int, *, unchanged: Collection[str] = ()) -> RowChange | None:
        """Change some rows from an index on. Return the change; ``None``: no row can be changed.

        :param unchanged: ids of events whose rows must not change.
        """
        before = self.rows
        rows = list(before)
        near = [
            at
            for at in range(index, min(index + 3 * INVALID_EVERY, len(rows)))
            if rows[at].event_id not in unchanged and (at == 0 or rows[at - 1].event_id not in unchanged)
        ]
        chosen = _CHANGES[kind](self, rows, near) if near or kind == "append" else ()
        if not chosen:
            return None
        flipped = frozenset(
            before[at].event_id for at in chosen if kind == "flip" and before[at].action_source == "web"
        )
        self._store(rows)
        return RowChange(kind, before, min(chosen), max(chosen), flipped)

    def undo(self, change: RowChange) -> None:
        """Put the rows back."""
        self._store(change.rows)

    def ids(self, numbers: Collection[int], source: str) -> Iterator[str]:
        """Yield the ids of the rows with these numbers, from 1, and this kind of source."""
        for number in numbers:
            if number <= len(self.rows) and self.rows[number - 1].action_source == source:
                yield self.rows[number - 1].event_id

    def _store(self, rows: Sequence[StormRow]) -> None:
        """Replace the rows, in one transaction."""
        gone, new = set(self.rows) - set(rows), set(rows) - set(self.rows)
        with closing(sqlite3.connect(self.path, timeout=30)) as connection, connection:
            connection.executemany("DELETE FROM events WHERE position = ?", [(row.position,) for row in gone])
            connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", sorted(new))
        self.rows = tuple(rows)

    def _generate(self, rows: int) -> Iterator[StormRow]:
        chance = self._chance
        now = int(time.time())
        mix = 0.0
        previous: StormRow | None = None
        for position in range(rows):
            if position % STRETCH_ROWS == 0:
                mix = chance.choice((0.0, 0.0, 0.3, 1.0))
            if position % DUPLICATE_EVERY == DUPLICATE_EVERY - 1 and previous is not None:
                yield previous._replace(position=float(position))
                continue
            source = "offline" if chance.random() < mix else "web"
            currency = INVALID if position % INVALID_EVERY == INVALID_EVERY - 1 else VALID
            row = StormRow(
                float(position),
                f"e-{position:08d}",
                "checkout",
                source,
                now - chance.randrange(7_000),
                f"p{position}@example.com",
                "9.5",
                currency,
            )
            if row.valid:
                previous = row
            yield row

    def insert(self, rows: list[StormRow], near: Sequence[int]) -> Sequence[int]:
        """Insert some rows before one."""
        at = self._chance.choice(near)
        before = rows[at - 1].position if at else rows[at].position - 1
        for _ in range(self._chance.randrange(1, 4)):
            self._made += 1
            before = (before + rows[at].position) / 2
            source = self._chance.choice(("web", "offline"))
            rows.insert(at, rows[at]._replace(position=before, event_id=f"n-{self._made:08d}", action_source=source))
            rows[at] = rows[at]._replace(currency=VALID)
            at += 1
        return range(near[0], at)

    def append(self, rows: list[StormRow], near: Sequence[int]) -> Sequence[int]:
        """Add rows behind the last one."""
        del near
        first = len(rows)
        for _ in range(self._chance.randrange(1, 900)):
            self._made += 1
            last, source = rows[-1], self._chance.choice(("web", "web", "offline"))
            rows.append(
                last._replace(
                    position=last.position + 1,
                    event_id=f"n-{self._made:08d}",
                    action_source=source,
                    currency=VALID,
                )
            )
        return range(first - 1, len(rows))

    def delete(self, rows: list[StormRow], near: Sequence[int]) -> Sequence[int]:
        """Delete some rows."""
        chosen = self._chance.sample(near, min(len(near), 3))
        for at in sorted(chosen, reverse=True):
            del rows[at]
        return chosen

    def swap(self, rows: list[StormRow], near: Sequence[int]) -> Sequence[int]:
        """Swap two rows."""
        if len(near) < 2:
            return ()
        one, other = chosen = self._chance.sample(near, 2)
        rows[one], rows[other] = (
            rows[other]._replace(position=rows[one].position),
            rows[one]._replace(position=rows[other].position),
        )
        return chosen

    def correct(self, rows: list[StormRow], near: Sequence[int]) -> Sequence[int]:
        """Make invalid rows valid."""
        return self._set(rows, [at for at in near if not rows[at].valid], currency=VALID)

    def spoil(self, rows: list[StormRow], near: Sequence[int]) -> Sequence[int]:
        """Make valid rows invalid."""
        return self._set(rows, [at for at in near if rows[at].valid], currency=INVALID)

    def flip(self, rows: list[StormRow], near: Sequence[int]) -> Sequence[int]:
        """Turn web events into offline events, or the reverse."""
        source = self._chance.choice(("web", "offline"))
        return self._set(rows, [at for at in near if rows[at].action_source != source], action_source=source)

    def _set(self, rows: list[StormRow], near: Sequence[int], **values: str) -> Sequence[int]:
        chosen = self._chance.sample(near, min(len(near), 2))
        for at in chosen:
            rows[at] = rows[at]._replace(**values)  # type: ignore[arg-type]
        return chosen


_CHANGES: Final[Mapping[str, Callable[[ChangingWarehouse, list[StormRow], Sequence[int]], Sequence[int]]]] = {
    "insert": ChangingWarehouse.insert,
    "append": ChangingWarehouse.append,
    "delete": ChangingWarehouse.delete,
    "swap": ChangingWarehouse.swap,
    "correct": ChangingWarehouse.correct,
    "spoil": ChangingWarehouse.spoil,
    "flip": ChangingWarehouse.flip,
}
CHANGES: Final = tuple(_CHANGES)
