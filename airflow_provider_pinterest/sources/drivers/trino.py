"""Trino and Starburst. Rows inside rows are tuples with names; JSON comes as text."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_pinterest.sources.drivers.base import Converter, DriverReader, json_value

_nested = re.compile(r"(?:row|array|map)\(", re.IGNORECASE).match


class Trino(DriverReader):
    """The Trino client: its cursor reads the result in parts."""

    modules = ("trino",)

    def cancel(self) -> None:
        """Cancel the cursor's query."""
        self.cursor.cancel()

    def converters(self) -> dict[int, Converter]:
        """Convert rows inside rows to mappings, and parse JSON cells."""
        found: dict[int, Converter] = {}
        for position, column in enumerate(self.cursor.description or ()):
            kind = str(column[1]).lower()
            if kind == "json":
                found[position] = json_value
            elif _nested(kind):
                found[position] = named
        return found


def named(cell: Any) -> Any:
    """Return a nested cell with its rows as mappings."""
    if isinstance(cell, dict):
        return {name: named(value) for name, value in cell.items()}
    if isinstance(cell, (list, tuple)):
        found = [named(element) for element in cell]
        names = getattr(cell, "__annotations__", {}).get("names") if isinstance(cell, tuple) else None
        return dict(zip(names, found, strict=True)) if names and all(names) else found
    return cell
