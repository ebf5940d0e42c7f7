"""Helpers: good rows, and their outcomes."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.outcomes import Event, Rejection, RowBatch
from airflow_provider_pinterest.conversions.transform import Transform

Row = Mapping[str, Any]

NOW: Final = 1_795_300_000
"""2026-11-21T21:46:40Z, the current time in these tests."""

GOOD: Final[Row] = {
    "event_name": "checkout",
    "action_source": "web",
    "event_time": NOW - 60,
    "event_id": "order-1",
    "email": "ada@example.com",
}
"""A row with all required fields."""

UNIDENTIFIED: Final[Row] = {
    **{name: cell for name, cell in GOOD.items() if name != "email"},
    "ip": "192.0.2.1",
    "user_agent": "Mozilla",
}
"""The same row without an identifier of a person."""

ADA: Final = hashlib.sha256(b"ada@example.com").hexdigest()


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def good(**changes: Any) -> dict[str, Any]:
    """Return a good row; a keyword replaces a cell or adds one."""
    return {**GOOD, **changes}


def new_transform(
    *, max_event_age: dt.timedelta | None = None, max_event_bytes: int = 2_000_000, **mapping: Any
) -> Transform:
    return Transform(ColumnMapping(**mapping), now=NOW, max_event_age=max_event_age, max_event_bytes=max_event_bytes)


def outcomes_of(rows: Iterable[Row], transform: Transform | None = None) -> list[Any]:
    """Return the outcomes of rows; each row can have its own columns."""
    row_batches = [RowBatch(tuple(row), [list(row.values())]) for row in rows]
    return list((transform or new_transform()).events(row_batches))


def outcome_of(row: Row, transform: Transform | None = None) -> Any:
    (found,) = outcomes_of([row], transform)
    return found


def sent(row: Row, transform: Transform | None = None) -> Any:
    """Return the event that is sent for a row."""
    found = outcome_of(row, transform)
    assert isinstance(found, Event), found
    return orjson.loads(found.body)


def reasons(row: Row, transform: Transform | None = None) -> list[tuple[str, str]]:
    """Return (code, field) of each reason why a row is rejected."""
    found = outcome_of(row, transform)
    assert isinstance(found, Rejection), found
    return [(reason.code, reason.field) for reason in found.reasons]


def sent_identifier(name: str, cell: Any, home: Any = None, **switches: Any) -> tuple[Any, dict[str, int]]:
    """Return what is sent for an identifier, and the warnings.

    :param home: the country of the row.
    """
    transform = new_transform(identifiers={name: switches} if switches else {})
    event = sent({**UNIDENTIFIED, "user_data.country": home, f"user_data.{name}": cell}, transform)
    return event["user_data"].get(name), dict(transform.warnings)
