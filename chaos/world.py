"""The warehouse of a storm: rows whose fate is known beforehand."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SQL: Final = (
    "SELECT event_id, event_name, action_source, event_time, email, value, currency FROM events ORDER BY position"
)

INVALID_EVERY: Final = 97
DUPLICATE_EVERY: Final = 211
STRETCH: Final = 700
"""Rows of about so many neighbours are all web or all offline, or mixed, so that batches of every kind occur."""


@dataclass(frozen=True)
class World:
    """What must become of the rows.

    :param rows: in the warehouse.
    :param invalid: rows that must be rejected.
    :param duplicates: rows whose event stands in an earlier row.
    :param web: ids of the valid events that Pinterest deduplicates.
    :param offline: ids of those that it cannot.
    """

    path: Path
    rows: int
    invalid: int
    duplicates: int
    web: frozenset[str]
    offline: frozenset[str]


def build(path: Path, rows: int, seed: int) -> World:
    """Fill a warehouse; the same seed gives the same rows."""
    chance = random.Random(seed)
    web: set[str] = set()
    offline: set[str] = set()
    counts = {"invalid": 0, "duplicates": 0}

    def generate() -> Iterator[tuple[object, ...]]:
        now = int(time.time())
        mix = 0.0
        previous: tuple[object, ...] | None = None
        for position in range(rows):
            if position % STRETCH == 0:
                mix = chance.choice((0.0, 0.0, 0.3, 1.0))
            if position % DUPLICATE_EVERY == DUPLICATE_EVERY - 1 and previous is not None:
                counts["duplicates"] += 1
                yield (position, *previous)
                continue
            event_id = f"e-{position:08d}"
            source = "offline" if chance.random() < mix else "web"
            event = (event_id, "checkout", source, now - chance.randrange(7_000), f"p{position}@example.com", "9.5")
            if position % INVALID_EVERY == INVALID_EVERY - 1:
                counts["invalid"] += 1
                yield (position, *event, "EURO")
                continue
            (offline if source == "offline" else web).add(event_id)
            previous = (*event, "EUR")
            yield (position, *previous)

    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE events (position INTEGER PRIMARY KEY, event_id, event_name, action_source, event_time, "
            "email, value, currency)"
        )
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", generate())
    return World(path, rows, counts["invalid"], counts["duplicates"], frozenset(web), frozenset(offline))
