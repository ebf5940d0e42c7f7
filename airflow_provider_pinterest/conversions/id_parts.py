"""The text of a cell in a deterministic ``event_id``.

The same value gives the same text in every run, with every driver and every session time zone. The texts must stay
stable: a changed id would count a conversion twice.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson

from airflow_provider_pinterest.conversions.cells import bounded, ordinary
from airflow_provider_pinterest.conversions.invisible import visible

DIGITS: Final = 1_000
"""Numbers with more digits than this on either side of the point have an exponent in their text."""

_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def part_of(cell: Any) -> str | None:
    """Return the text of a cell; ``None`` if it is empty, or if its text differs between runs.

    Numbers have no trailing zeros, aware datetimes are written in UTC, and bytes are text if they are UTF-8 and
    hexadecimal digits if not.
    """
    try:
        found = ordinary(cell)
        if type(found) in (list, tuple, dict):
            return orjson.dumps(bounded(found, leaf=_nested), option=_OPTIONS).decode()
        return None if found is None else _text(found) or None
    except Exception:  # noqa: BLE001 - the cell's own methods may raise anything
        return None


def without_zeros(number: str) -> str:
    """Return the text of a number without trailing zeros of a fraction and without the sign of zero."""
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return "0" if number == "-0" else number


def _text(cell: Any) -> str:
    if type(cell) is str:
        return visible(cell.strip())
    if type(cell) is bool:
        return "true" if cell else "false"
    if type(cell) is int:
        return str(cell)
    if type(cell) is float:
        return _number(Decimal(repr(cell)))
    if type(cell) is Decimal:
        return _number(cell)
    if type(cell) is dt.datetime:
        return (cell if cell.tzinfo is None else cell.astimezone(dt.UTC)).isoformat()
    if type(cell) is dt.date or type(cell) is dt.time:
        return cell.isoformat()
    if type(cell) is bytes:
        return cell.hex()
    if type(cell) is UUID or type(cell) is dt.timedelta:
        return str(cell)
    raise TypeError


def _number(number: Decimal) -> str:
    if not number.is_finite():
        raise TypeError
    if number and not -DIGITS <= number.adjusted() <= DIGITS:
        return str(number)
    return without_zeros(format(number, "f")) if number else "0"


def _nested(cell: Any) -> Any:
    """Convert a cell inside a list or a mapping: whole numbers, booleans and ``None`` unchanged, others to text."""
    if cell is None or type(cell) is bool:
        return cell
    text = _text(ordinary(cell))
    if isinstance(cell, int | float | Decimal):
        return int(text) if text.lstrip("-").isdecimal() and len(text) < 19 else text
    return text
