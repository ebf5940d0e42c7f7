"""A rejected row as one line of JSON, of bounded size, safe to show in a terminal."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from itertools import islice
from typing import Any, Final, NamedTuple

import orjson

from airflow_provider_pinterest.conversions.outcomes import Rejection
from airflow_provider_pinterest.redaction import TEXT_LIMIT, clean

LINE_BYTES: Final = 64 * 1024
"""The largest line, in bytes."""

CUT: Final = "…"
"""Marks the end of a text that was cut."""

_DEPTH: Final = 8
"""Levels of lists and mappings that a key cell keeps."""

_MEMORY_ADDRESS: Final = re.compile(r"\bat 0x[0-9A-Fa-f]+")

_UNSAFE: Final = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that JSON does not escape, and that end a line, control a terminal or reorder text."""


class _LineLimits(NamedTuple):
    """Limits for the content of a line.

    :param event_id: characters of the event id.
    :param reasons: number of reasons.
    :param keys: characters of all key columns together.
    :param cell: characters of one key cell.
    """

    event_id: int
    reasons: int
    keys: int
    cell: int


_LIMITS: Final = (_LineLimits(4_096, 20, 32_768, 4_096), _LineLimits(1_024, 10, 2_048, 256), _LineLimits(256, 3, 0, 0))
"""Tried in this order until the line is short enough; the last one always fits."""


def rejection_line(rejection: Rejection) -> bytes:
    """Return a rejection as one line of JSON with at most :data:`LINE_BYTES` bytes.

    Key cells and the event id are kept unless they are too long; values that JSON cannot hold become text. Fields and
    messages are cleaned. Never raises.
    """
    for limits in _LIMITS:
        try:
            line = orjson.dumps(_document(rejection, limits), option=orjson.OPT_APPEND_NEWLINE)
        except Exception:  # noqa: BLE001, S112 - a cell may run its own code
            continue
        if len(line) <= LINE_BYTES:
            line = _escaped(line)
            if len(line) <= LINE_BYTES:
                return line
    bare: dict[str, Any] = {
        "row": rejection.row,
        "event_id": None,
        "keys": {},
        "reasons": [],
        "stage": str(rejection.stage),
    }
    return orjson.dumps(bare, option=orjson.OPT_APPEND_NEWLINE)


def row_and_stage(line: bytes) -> tuple[int, str] | None:
    """Return the row and the stage of a line; ``None`` if the line is not complete."""
    if not line.endswith(b"\n"):
        return None
    try:
        document = orjson.loads(line)
        row, stage = document["row"], document["stage"]
    except (ValueError, KeyError, TypeError):
        return None
    return (row, stage) if isinstance(row, int) and isinstance(stage, str) else None


def keys_of(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return key columns as values that JSON can hold, of bounded size. Never raises."""
    try:
        return _keys(keys, _LIMITS[1])
    except Exception:  # noqa: BLE001 - a cell may run its own code
        return {}


def _document(rejection: Rejection, limits: _LineLimits) -> dict[str, Any]:
    document: dict[str, Any] = {
        "row": rejection.row,
        "event_id": None if rejection.event_id is None else _text(rejection.event_id, limits.event_id),
        "keys": _keys(rejection.keys, limits),
        "reasons": [
            {"code": reason.code, "field": _cleaned(reason.field), "message": _cleaned(reason.message)}
            for reason in rejection.reasons[: limits.reasons]
        ],
        "stage": str(rejection.stage),
    }
    if len(rejection.reasons) > limits.reasons:
        document["more_reasons"] = len(rejection.reasons) - limits.reasons
    return document


def _keys(keys: Mapping[str, Any], limits: _LineLimits) -> dict[str, Any]:
    left = limits.keys
    written: dict[str, Any] = {}
    for name, cell in keys.items():
        if left <= 0:
            break
        text = _text(name, limits.cell)
        if type(cell) is str and len(cell) <= min(left, limits.cell) and cell.isascii():
            written[text] = cell
            left -= len(text) + len(cell)
            continue
        room = _Room(min(left, limits.cell))
        try:
            written[text] = _json(cell, room)
        except Exception:  # noqa: BLE001 - the cell's own code
            written[text] = f"<{type(cell).__name__}>"
        left -= len(text) + room.used
    return written


class _Room:
    """Counts the characters of one key cell; containers are cut when the limit is reached."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    @property
    def left(self) -> int:
        return max(self.limit - self.used, 0)


def _json(cell: Any, room: _Room, depth: int = 0) -> Any:
    """Return a cell as a value that JSON can hold."""
    room.used += 8
    kind = type(cell)
    if cell is None or kind is bool or (kind is int and -(2**63) <= cell < 2**64):
        return cell
    if kind is float:
        return cell if math.isfinite(cell) else str(cell)
    if depth < _DEPTH and isinstance(cell, Enum):
        return _json(cell.value, room, depth + 1)
    if depth < _DEPTH and isinstance(cell, list | tuple):
        return [_json(inner, room, depth + 1) for inner in islice(cell, _count(len(cell), room)) if room.left]
    if depth < _DEPTH and isinstance(cell, dict):
        return {
            _counted(name, room): _json(inner, room, depth + 1)
            for name, inner in islice(cell.items(), _count(len(cell), room))
            if room.left
        }
    return _counted(cell, room)


def _count(length: int, room: _Room) -> int:
    return min(length, room.left // 8 + 1)


def _counted(cell: Any, room: _Room) -> str:
    text = _text(cell, room.left)
    room.used += len(text)
    return text


def _text(cell: Any, limit: int) -> str:
    """Return any cell as text that UTF-8 can hold, cut after ``limit`` characters."""
    if type(cell) is str and len(cell) <= limit and cell.isascii():
        return cell
    try:
        text = _spelled(cell, limit)
    except Exception:  # noqa: BLE001 - the cell's own code
        text = f"<{type(cell).__name__}>"
    if len(text) > limit:
        text = text[:limit] + CUT
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def _spelled(cell: Any, limit: int) -> str:
    """Return the text of a cell, which may be slightly longer than the limit."""
    if isinstance(cell, str):
        return str.__getitem__(cell, slice(limit + 1))
    if isinstance(cell, bytes | bytearray | memoryview):
        return bytes(memoryview(cell).cast("B")[: limit + 1]).decode("utf-8", "backslashreplace")
    if isinstance(cell, int) and cell.bit_length() > 8_192:  # Python refuses to write out more than 4,300 digits
        return f"<int of {cell.bit_length()} bits>"
    if isinstance(cell, dt.datetime | dt.date | dt.time):
        return str(cell.isoformat())
    return _MEMORY_ADDRESS.sub("", str(cell)[: limit + 32])


def _cleaned(text: str) -> str:
    return _cleaned_short(text) if len(text) <= TEXT_LIMIT else clean(text).encode("utf-8", "replace").decode()


@lru_cache(maxsize=1_024)
def _cleaned_short(text: str) -> str:
    return clean(text).encode("utf-8", "replace").decode()


def _escaped(line: bytes) -> bytes:
    """Escape characters that JSON allows but that are unsafe for terminals and line readers."""
    if line.isascii() and b"\x7f" not in line:
        return line
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", line.decode()).encode()
