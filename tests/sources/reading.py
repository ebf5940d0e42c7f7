"""What the tests of sources ask of a query."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_pinterest.exceptions import SourceError
from airflow_provider_pinterest.sources.sql import SqlSource


class Hook:
    """A hook that makes connections of a driver."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self.get_conn = connect

    def split_sql_string(self, sql: str) -> list[str]:
        return sql.split(";")


def read(query: SqlSource) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return the columns and all rows, as tuples."""
    row_batches = list(query.row_batches())
    [columns] = {row_batch.columns for row_batch in row_batches}
    return columns, [tuple(cells) for row_batch in row_batches for cells in row_batch.rows]


def broken(query: SqlSource) -> tuple[str, int]:
    """Return what is said of a query that cannot be read, and how many rows came first."""
    came = [0]
    with pytest.raises(SourceError) as caught:
        came.extend(len(row_batch.rows) for row_batch in query.row_batches())
    return str(caught.value), sum(came)


def cancelled(query: SqlSource) -> str:
    """Cancel a query, whose first row never comes, from another thread; return what is said of it."""
    found: list[BaseException] = []

    def work() -> None:
        with pytest.raises(SourceError) as caught:
            list(query.row_batches())
        found.append(caught.value)

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive() and (query._reader is None or query._reader.cursor is None):
        time.sleep(0.005)
    thread.join(0.3)  # now it runs
    end = time.monotonic() + 20
    while thread.is_alive() and time.monotonic() < end:
        query.cancel()
        thread.join(0.05)
    assert not thread.is_alive()
    return str(found[0])


def growth(query: SqlSource) -> tuple[int, float]:
    """Read a query; return its number of rows, and by how many MiB this process grew at most."""
    before = resident()
    count, most = 0, 0.0
    for row_batch in query.row_batches():
        count += len(row_batch.rows)
        most = max(most, resident() - before)
    return count, most


def resident() -> float:
    """Return this process's memory in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
