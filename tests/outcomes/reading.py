"""Reads the outcome table, as a person would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

from airflow_provider_pinterest.outcomes.records import COLUMNS


def query(connect: Callable[[], Any], sql: str) -> list[tuple[Any, ...]]:
    with closing(connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()]


def table(connect: Callable[[], Any], name: str = "pinterest_outcomes") -> list[dict[str, Any]]:
    """Return the rows of the table, in the order of the source."""
    rows = query(connect, f"SELECT {', '.join(COLUMNS)} FROM {name} ORDER BY run, source_row")  # noqa: S608 - constant names
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def statuses(connect: Callable[[], Any]) -> dict[str, int]:
    return dict(Counter(row["status"] for row in table(connect)))
