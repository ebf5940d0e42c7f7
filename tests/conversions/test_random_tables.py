"""Tables of random columns and random cells: the run continues, and no row changes the outcome of another.

``RANDOM_TABLES=20000`` makes it a long search, ``RANDOM_SEED`` repeats one.
"""

from __future__ import annotations

import datetime as dt
import os
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson
import pytest

from airflow_provider_pinterest.conversions.field_maps import NAMES
from airflow_provider_pinterest.conversions.fields import WARNINGS
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.outcomes import Duplicate, Event, Outcome, Rejection, RowBatch
from airflow_provider_pinterest.conversions.reasons import REASONS
from airflow_provider_pinterest.conversions.transform import Transform
from tests.conversions.hostile import OBJECTS
from tests.conversions.rows import GOOD, NOW

TABLES: Final = int(os.environ.get("RANDOM_TABLES", "300"))
SEED: Final = int(os.environ.get("RANDOM_SEED", "1"))

PATHS: Final = sorted({*NAMES.values()} - {"event_name", "action_source", "event_time", "event_id"})

SLOW: Final = frozenset(name for name in OBJECTS if "marks" in name or "million" in name or "large" in name)
"""Objects that are slow to create."""

CELLS: Final[tuple[Callable[[random.Random], Any], ...]] = (
    lambda _: None,
    lambda r: r.choice(["", " ", "null", "N/A", "undefined", "(not set)", "\\N", "-", "NaN", "true", "0", "\ufeff"]),
    lambda r: r.choice(
        ["ada@example.com", "Ada <ada@example.com>", "ADA@EXAMPLE.COM.", "ada@example", "mailto:a@b.cd"]
    ),
    lambda r: r.choice(["+49 (0)711 123456", "4155550100", "4.9E+11", "14155552671.0", "2026-11-21", "x" * 300]),
    lambda r: r.choice(["US", "us", "840", "Germany", "DE-BY", "CA-ON", "Calif.", "United States (US)", "XQ"]),
    lambda r: r.choice(["203.0.113.9", "[2001:db8::1]:443", "10.0.0.1", "203.0.113.9, 10.0.0.1", '["203.0.113.9"]']),
    lambda r: r.choice(['"quoted"', "{}", "[]", "[1, 2]", '{"a": 1}', '[{"id": "a", "price": 5}]', "[{", '"null"']),
    lambda r: r.choice([b"ada@example.com", b"\xff", bytes(32), "0x" + "ab" * 32, "\\x" + "ab" * 32, "ab" * 32]),
    lambda r: r.choice([0, 1, -1, 2**63, 10**40, 1.5, 4711.0, float("nan"), float("inf"), Decimal("72.390"), True]),
    lambda r: r.choice(
        [Decimal("NaN"), Decimal("1E+30"), UUID(int=7), dt.date(1990, 4, 3), dt.time(1), dt.timedelta(1)]
    ),
    lambda r: dt.datetime.fromtimestamp(NOW - r.randrange(10**7), r.choice([None, dt.UTC])),
    lambda r: r.choice(["\ud800", "a\x00b", "\u202e", "Ñandú", "İ", "straße", "é" * 50]),
    lambda r: r.choice(
        [["a", "b"], [None], [{}], [{"id": 5, "quantity": 2}], {"id": "x"}, {}, (), {"fn": "Ada"}, {"a"}]
    ),
    lambda r: OBJECTS[r.choice(sorted(set(OBJECTS) - SLOW))](),
)
"""Functions that create cells: usual cells of warehouses, and hostile objects."""


def random_table(chance: random.Random) -> tuple[tuple[str, ...], list[list[Any]]]:
    """Return the columns and the rows of a random table; its first and its last row are good."""
    paths = chance.sample(PATHS, chance.randrange(1, 9))
    columns = (*GOOD, *(path for path in paths if path not in ("user_data.em", "user_data", "custom_data.value")))
    rows = []
    for number in range(chance.randrange(3, 8)):
        row = {**dict.fromkeys(columns), **GOOD, "event_id": f"order-{number}"}
        rows.append(row)
    for row in rows[1:-1]:
        for column in chance.sample(columns, chance.randrange(1, min(6, len(columns)))):
            row[column] = chance.choice(CELLS)(chance)
    return columns, [[row[column] for column in columns] for row in rows]


def without_row_number(outcome: Outcome) -> Any:
    """Return an outcome without its row number."""
    if isinstance(outcome, Event):
        return outcome.body
    return getattr(outcome, "reasons", type(outcome))


def parts() -> list[Any]:
    """Split the tables so that they run in several processes of the tests."""
    size = -(-TABLES // 6)
    ranges = [range(part * size, min(TABLES, (part + 1) * size)) for part in range(6)]
    return [pytest.param(numbers, part % 3, id=f"part {part}") for part, numbers in enumerate(ranges)]


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(("numbers", "processes"), parts())
def test_no_row_of_a_random_table_ends_the_run_or_changes_another(numbers, processes):
    shared = Transform(ColumnMapping(), now=NOW, processes=processes)
    try:
        for number in numbers:
            columns, rows = random_table(random.Random(f"{SEED}/{number}"))  # noqa: S311
            new_transform = Transform(ColumnMapping(), now=NOW) if processes == 0 else shared
            found = (
                list(new_transform.events([RowBatch(columns, rows)]))
                if processes == 0
                else outcomes_in_processes(shared, columns, rows)
            )

            context = f"RANDOM_SEED={SEED}, table {number}"
            assert len(found) == len(rows), context
            for outcome, row in zip(found, rows, strict=True):
                [alone] = Transform(ColumnMapping(), now=NOW).events([RowBatch(columns, [row])])
                if isinstance(outcome, Duplicate):
                    continue
                assert type(outcome) is type(alone), context
                assert without_row_number(outcome) == without_row_number(alone), context
                check(outcome, context)
            assert type(found[0]) is type(found[-1]) is Event, context
            assert set(new_transform.warnings) <= set(WARNINGS), context
    finally:
        shared.close()


def outcomes_in_processes(new_transform: Transform, columns: tuple[str, ...], rows: list[list[Any]]) -> list[Outcome]:
    """Return the outcomes of a table, as if no earlier table had been seen."""
    new_transform._seen.__init__()  # type: ignore[misc]
    return list(new_transform.events([RowBatch(columns, rows)]))


def check(outcome: Outcome, context: str) -> None:
    """Check what must hold for every outcome."""
    if isinstance(outcome, Rejection):
        assert outcome.reasons, context
        assert {reason.code for reason in outcome.reasons} <= REASONS.keys(), context
        assert "ada@example.com" not in repr(outcome.reasons), context
    else:
        assert isinstance(outcome, Event), context
        assert b"@example.com" not in orjson.dumps(orjson.loads(outcome.body).get("user_data")), context
