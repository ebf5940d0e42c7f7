"""Percent signs in statements whose driver writes bound values with a percent sign."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

_PERCENT = re.compile(r"%(%|\(\w+\)[sbt]|[sbt])?")


def literal_percent(style: str | None, sql: str, parameters: Mapping[str, Any] | Sequence[Any] | None) -> bool:
    """Return whether a driver would take a literal percent sign of a statement for a placeholder.

    :param style: how it writes placeholders.
    """
    if not parameters or style not in ("format", "pyformat"):
        return False
    found = [match[1] or "" for match in _PERCENT.finditer(sql) if match[1] != "%"]
    if isinstance(parameters, Mapping):
        return not all(one.startswith("(") for one in found)
    return "" in found or len(found) > len(parameters)


def paramstyle(connection: Any) -> str | None:
    """Return how the driver of a connection writes placeholders: the ``paramstyle`` of the DB-API."""
    for kind in type(connection).__mro__:
        name = kind.__module__
        while name:
            style = getattr(sys.modules.get(name), "paramstyle", None)
            if isinstance(style, str):
                return style
            name = name.rpartition(".")[0]
    return None
