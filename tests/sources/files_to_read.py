"""Files for tests: written as other programs write them, and read as a run reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow_provider_pinterest.conversions.outcomes import UNREADABLE
from airflow_provider_pinterest.exceptions import SourceError
from airflow_provider_pinterest.sync import FileSource


def write_ndjson(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def read(path: Any) -> list[dict[str, Any]]:
    """Return all rows of a source, each as a dictionary."""
    return [
        dict(zip(row_batch.columns, cells, strict=True))
        for row_batch in FileSource(path).open().row_batches()
        for cells in row_batch.rows
    ]


def broken_off(path: Any) -> tuple[int, SourceError]:
    """Read a source that breaks off; return how many rows it yielded before, and the error."""
    rows = 0
    try:
        for row_batch in FileSource(path).open().row_batches():
            rows += len(row_batch.rows)
    except SourceError as error:
        return rows, error
    raise AssertionError("the source was read to its end")


def unreadable(reason: str) -> dict[str, str]:
    """Return how a row that cannot be read looks."""
    return {UNREADABLE[0]: reason}
