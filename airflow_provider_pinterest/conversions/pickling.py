"""Encode rows as bytes for another process, and decode them.

Only cells of known types are encoded, and only those types are decoded: decoding must not import a module, call a
foreign function, or fail because the other process lacks a class.
"""

from __future__ import annotations

import datetime as dt
import io
import pickle  # nosec B403 - between a task and its own processes
from collections.abc import Callable
from decimal import Decimal
from operator import methodcaller
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from airflow_provider_pinterest.conversions.cells import ordinary


def written(cells: Any) -> bytes:
    """Encode nested lists, tuples and mappings of cells.

    :raises Exception: a cell is of a type that cannot be encoded; it may raise anything.
    """
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _REDUCERS
    pickler.dump(cells)
    return buffer.getvalue()


def read(text: bytes) -> Any:
    """Decode the result of :func:`written`.

    :raises Exception: it contains something else.
    """
    return _Unpickler(io.BytesIO(text)).load()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return one of the known types or functions."""
        return _KNOWN[f"{module}.{name}"]


class _Reducers(dict[type, Callable[[Any], Any]]):
    """Type → function that encodes its cells; cells of unknown types are converted to known types first."""

    def __missing__(self, _: type) -> Callable[[Any], Any]:
        return _ordinary


def same(cell: Any) -> Any:
    """Return the cell."""
    return cell


def _ordinary(cell: Any) -> Any:
    return same, (ordinary(cell),)


def _zone(zone: ZoneInfo) -> Any:
    if zone.key is None:
        raise TypeError
    return ZoneInfo, (zone.key,)


_REDUCERS: Final = _Reducers(
    {
        dt.datetime: methodcaller("__reduce_ex__", 4),  # with its fold
        dt.date: dt.date.__reduce__,
        dt.time: methodcaller("__reduce_ex__", 4),
        dt.timedelta: dt.timedelta.__reduce__,
        dt.timezone: lambda zone: (dt.timezone, dt.timezone.__getinitargs__(zone)),  # type: ignore[attr-defined]
        Decimal: Decimal.__reduce__,
        UUID: lambda cell: (UUID, (str(cell),)),
        ZoneInfo: _zone,
    }
)
_KNOWN: Final[dict[str, Any]] = {
    f"{known.__module__}.{known.__qualname__}": known
    for known in (dt.datetime, dt.date, dt.time, dt.timedelta, dt.timezone, Decimal, UUID, ZoneInfo, bytearray, same)
}
