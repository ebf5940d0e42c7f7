"""A warehouse with three months of store sales, and the runs that backfill it.

Every day has the same kinds of rows: sales, a sale that a till loaded twice, sales of the day before that a till loaded
again, and sales that cannot be sent. One run repeats a day. One run covers a week: others have sent its first days, one
is sending its fourth, and the rest follow. One day is sent by two runs at once.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAYS: Final = 92
SALES: Final = 120
"""Valid sales of a day, each of which has to arrive once."""

AGAIN: Final = 5
"""Sales of the day before that are loaded a second time."""

UNSENDABLE: Final = 3
"""Sales of a day without a usable address, or with a wrong currency, or too old."""

SQL: Final = """
SELECT receipt AS order_id, store, sold_at AS event_time, total AS value, currency, email
FROM sales
WHERE loaded_at >= :start AND loaded_at < :end
ORDER BY loaded_at, receipt
"""

_DAY: Final = dt.timedelta(days=1)


class BackfillRun(NamedTuple):
    """One run of the backfill.

    :param name: names the run, such as its day.
    :param start: the start of its window, as text in UTC.
    :param end: the end of its window, not included.
    """

    name: str
    start: str
    end: str


def build(path: Path, end: dt.datetime, days: int = DAYS) -> set[str]:
    """Build the warehouse, a SQLite file, and return the receipts that have to arrive.

    :param end: the end of the last day.
    """
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE sales (receipt, store, sold_at, total, currency, email, loaded_at)")
        for day in range(days):
            rows = _rows(day, end - (days - day) * _DAY)
            database.executemany("INSERT INTO sales VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        database.execute("CREATE INDEX loaded ON sales (loaded_at)")
    return {_receipt(day, number) for day in range(days) for number in range(SALES)}


def rounds(end: dt.datetime, days: int = DAYS) -> list[tuple[BackfillRun, ...]]:
    """Return the runs, in the order of their start. Those of one round run at the same time.

    :param days: at least 20.
    """
    first = end - days * _DAY

    def window(start: int, stop: int, remark: str = "") -> BackfillRun:
        begin, last = first + start * _DAY, first + stop * _DAY
        name = f"{begin:%Y-%m-%d}" if stop - start == 1 else f"{begin:%Y-%m-%d} to {last - _DAY:%Y-%m-%d}"
        return BackfillRun(name + remark, _text(begin), _text(last))

    planned = [window(day, day + 1) for day in range(days)]
    repeated, week, twice = days // 3, days * 4 // 9, days * 2 // 3
    special = {
        repeated: (window(repeated, repeated + 1, " again"),),
        week + 3: (window(week, week + 7), planned[week + 3]),
        twice: (planned[twice], window(twice, twice + 1, " at once")),
    }
    found: list[tuple[BackfillRun, ...]] = []
    waiting: list[BackfillRun] = []
    for day, run in enumerate(planned):
        pair = special.get(day, ())
        if run not in pair:
            waiting.append(run)
        if len(waiting) == 2 or (pair and waiting):
            found.append(tuple(waiting))
            waiting = []
        if pair:
            found.append(pair)
    return [*found, tuple(waiting)] if waiting else found


def _rows(day: int, start: dt.datetime) -> Iterator[tuple[Any, ...]]:
    """Yield the rows that are loaded on a day."""
    step = _DAY / (SALES + 1)
    for number in range(SALES):
        yield _sale(day, number, start + number * step, start + number * step)
    yield _sale(day, 0, start, start + step)
    if day:
        for number in range(AGAIN):
            yield _sale(day - 1, number, start - _DAY + number * step, start + number * step)
    unsendable = ("EUR", None), ("€", "ada@example.com"), ("EUR", "ada@example.com")
    for number, (currency, email) in enumerate(unsendable):
        sold = start - 200 * _DAY if number == UNSENDABLE - 1 else start
        yield (f"bad-{day:03d}-{number}", "S1", _text(sold), "9.99", currency, email, _text(start + number * step))


def _sale(day: int, number: int, sold: dt.datetime, loaded: dt.datetime) -> tuple[Any, ...]:
    receipt = _receipt(day, number)
    store, email = f"S{number % 3 + 1}", f"{receipt}@example.com"
    return receipt, store, _text(sold), f"{5 + number % 90}.50", "EUR", email, _text(loaded)


def _receipt(day: int, number: int) -> str:
    return f"R{day:03d}-{number:04d}"


def _text(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
