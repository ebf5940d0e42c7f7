"""Any Python object in any column costs at most its own row."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from airflow_provider_pinterest.conversions.field_maps import NAMES
from airflow_provider_pinterest.conversions.fields import WARNINGS
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.outcomes import Event, Rejection, RowBatch
from airflow_provider_pinterest.conversions.reasons import REASONS
from airflow_provider_pinterest.conversions.transform import Transform
from tests.conversions.hostile import OBJECTS
from tests.conversions.rows import GOOD, NOW
from tests.tracing import SLOWER

MAPPING: dict[str, Any] = {
    "key_columns": ["order_key"],
    "event_id_from": ["part", "user_data.em"],
    "field_map": {"ignored": None, "part": None, "order_key": None},
}
COLUMNS = ("order_key", "part", "ignored", *sorted({*NAMES.values()}))
"""Key columns, parts of an id, ignored columns, every field, and every object of fields."""


@pytest.fixture(params=[0, 1])
def transforms(request):
    """Create transforms, with and without another process."""
    made = []

    def create(**parameters):
        made.append(Transform(ColumnMapping(**(MAPPING | parameters)), now=NOW, processes=request.param))
        return made[-1]

    yield create
    for one in made:
        one.close()


def neighbours(*columns):
    """Two good rows with something in every column."""
    usual = {
        "order_key": "k",
        "part": 5,
        "ignored": 1,
        "user_data": {"fn": "Ada"},
        "custom_data": {"np": "x"},
        "app_info": None,
        "device_info": None,
    }
    return [{**dict.fromkeys(columns), **GOOD, **usual, "event_id": f"order-{number}"} for number in (1, 2)]


def outcomes(new_transform, rows):
    columns = tuple(rows[0])
    return list(new_transform.events([RowBatch(columns, [[row[name] for name in columns] for row in rows])]))


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_an_object_in_any_column_costs_at_most_its_own_row(transforms, name):
    cells = {"event_id": None}  # so that an id is made of its parts
    first, second = neighbours(*(column for column in COLUMNS if column != "user_data.em"))
    rows = [first]
    for column in COLUMNS:
        replaced = "email" if column == "user_data.em" else column
        rows += [{**first, **cells, "part": column, replaced: OBJECTS[name]()}]
    rows.append(second)

    new_transform = transforms()
    begun = time.monotonic()
    found = outcomes(new_transform, rows)

    assert time.monotonic() - begun < 20 * SLOWER
    assert [outcome.row for outcome in found] == [*range(1, len(rows) + 1)]
    alone = outcomes(transforms(), [first, second])
    assert (found[0], found[-1].body) == (alone[0], alone[1].body)
    events = [outcome for outcome in found if isinstance(outcome, Event)]
    assert sum(new_transform.coverage[path] for path in ("event_name",)) == len(events)
    assert new_transform.warnings.keys() <= WARNINGS.keys()
    for outcome in found:
        if isinstance(outcome, Rejection):
            said = repr(outcome.reasons)
            assert {reason.code for reason in outcome.reasons} <= REASONS.keys()
            assert len(outcome.reasons) <= 40
            assert len(said) < 20_000
            assert "ada@example.com" not in said
            assert "\x1b" not in said
        else:
            orjson.loads(outcome.body)
        assert len(repr(outcome.keys)) < 5_000
