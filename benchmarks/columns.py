"""The cost of each column: cells as text, and cells as the types that drivers return."""

from __future__ import annotations

import datetime as dt
import gc
import json
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from statistics import quantiles
from typing import Any, Final

from benchmarks import rows

CHUNK: Final = 500
"""Rows that are parsed at once."""

Convert = Callable[[Any], Any]

AS_TEXT: Final[dict[str, Convert]] = {"value": "{:.2f}".format, "num_items": str}
"""Columns that the rows hold typed, and how they are written as text."""

TYPED: Final[dict[str, tuple[str, Convert]]] = {
    "event_time": ("datetime", dt.datetime.fromisoformat),
    "date_of_birth": ("date", dt.date.fromisoformat),
    "value": ("Decimal", lambda cell: Decimal(f"{cell:.2f}")),
    "num_items": ("int", int),
    "contents": ("list of dicts", json.loads),
}
"""Column → the type that drivers return, and how a cell gets it."""


def columns(count: int) -> dict[str, float]:
    """Parse each column alone, as text and typed in turn; return the microseconds of a cell of each.

    The number is the lower quartile of all laps, because other programs on the machine only ever add to it.
    """
    from airflow_provider_pinterest.conversions.column_batches import ColumnBatch, ParsedColumns
    from airflow_provider_pinterest.conversions.mapping import ColumnMapping
    from airflow_provider_pinterest.conversions.mapping_compiler import MappingCompiler
    from airflow_provider_pinterest.conversions.outcomes import RowBatch

    compiler = MappingCompiler(ColumnMapping(defaults=rows.DEFAULTS))
    compiled = compiler.compiled(rows.COLUMNS).columns
    laps: dict[str, list[float]] = {}
    gc.collect()
    gc.freeze()
    for some in rows.laps(count, CHUNK, now=dt.datetime.now(dt.UTC)):
        for kind, conversions in (("text", AS_TEXT), ("typed", {name: one for name, (_, one) in TYPED.items()})):
            batch = ColumnBatch.of(1, RowBatch(rows.COLUMNS, _converted(some, conversions)))
            parsed = ParsedColumns(compiler, batch)
            for position, path, parser in compiled:
                name = rows.COLUMNS[position]
                if kind == "typed" and name not in TYPED:
                    continue
                cells = batch.columns[position]
                begin = time.process_time()
                if path in parsed.values or path in parsed.shared:
                    parser.parse_and_encode(cells, _not_refused)
                elif parser.depends_on:
                    parser.encode_beside(cells, parsed.shared[parser.depends_on], _not_refused)
                else:
                    parser.encode(cells, _not_refused)
                laps.setdefault(f"{kind}:{name}", []).append((time.process_time() - begin) / len(some))
    return {"events": count, **{name: quantiles(taken, n=4)[0] * 1e6 for name, taken in laps.items()}}


def _converted(some: Sequence[rows.Row], conversions: dict[str, Convert]) -> list[list[Any]]:
    """Return rows with converted cells."""
    converters = [conversions.get(name) for name in rows.COLUMNS]
    return [
        [cell if convert is None else convert(cell) for cell, convert in zip(row, converters, strict=True)]
        for row in some
    ]


def _not_refused(row: int, verdict: Exception) -> None:
    raise AssertionError(f"row {row}: {verdict!r}")
