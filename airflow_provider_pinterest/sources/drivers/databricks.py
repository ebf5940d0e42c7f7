"""Databricks SQL. Arrays come as arrays of numpy, maps as lists of pairs, variants as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_pinterest.sources.drivers.base import (
    FETCH_FROM_SERVER,
    Converter,
    DriverReader,
    json_value,
)


class Databricks(DriverReader):
    """Databricks SQL: its cursor reads the result in parts."""

    modules = ("databricks",)
    fetch_rows = FETCH_FROM_SERVER

    def cancel(self) -> None:
        """Cancel the cursor's command."""
        self.cursor.cancel()

    def converters(self) -> dict[int, Converter]:
        """Convert nested cells to plain lists and mappings."""
        kinds: dict[str, Converter] = {"variant": json_value, "array": plain, "struct": plain, "map": mapping}
        types = [str(column[1]).lower() for column in self.cursor.description or ()]
        return {position: kinds[kind] for position, kind in enumerate(types) if kind in kinds}


def mapping(cell: Any) -> Any:
    """Convert a map, which is a list of pairs or JSON, to a mapping."""
    found = plain(cell)
    return dict(found) if isinstance(found, list) else found


def plain(cell: Any) -> Any:
    """Convert a nested cell, which may have numpy arrays or be JSON, to plain lists and mappings."""
    cell = json_value(cell)
    return _plain(cell)


def _plain(cell: Any) -> Any:
    if isinstance(cell, Mapping):
        return {name: _plain(value) for name, value in cell.items()}
    if hasattr(cell, "tolist"):
        cell = cell.tolist()
    if isinstance(cell, (list, tuple)):
        return [_plain(element) for element in cell]
    return cell
