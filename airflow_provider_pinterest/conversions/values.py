"""Convert cells to JSON values without loss: text, numbers, booleans, lists, times.

Each function receives one non-empty cell of any type that a database driver, a JSON document or a DAG author produces.
It returns the value in the form of Pinterest, or ``None`` if the cell is empty after all. It may raise
:class:`~airflow_provider_pinterest.conversions.reasons.InvalidCellError`.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

import orjson

from airflow_provider_pinterest.conversions import array_texts
from airflow_provider_pinterest.conversions.cells import EXACT_FLOAT, kind, ordinary
from airflow_provider_pinterest.conversions.reasons import InvalidCellError

_is_plain_number = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?", re.ASCII).fullmatch
_zone_behind = re.compile(r"\s*(?:(?:UTC|GMT)|\[[\w/+-]{1,40}\])$", re.ASCII).sub
_offset_behind = re.compile(r"(?:Z|[+-]\d\d:?(?:\d\d)?)$", re.ASCII).search
_is_compact = re.compile(r"20\d\d[01]\d[0-3]\d[0-2]\d[0-5]\d[0-5]\d", re.ASCII).fullmatch
"""A date and a time of day in 14 digits; as milliseconds they would be a time after the year 2600."""

_gap_before_offset = re.compile(r" (?=(?:Z|[+-]\d\d:?(?:\d\d)?)$)", re.ASCII).sub
_is_digits = re.compile(r"-?\d{1,20}", re.ASCII).fullmatch
INVISIBLE: Final = "".join(
    char
    for char in map(chr, (*range(0x21), *range(0x7F, 0xA1), 0xAD, 0x61C, 0x180E, *range(0x2000, 0x2070), 0xFEFF))
    if unicodedata.category(char) in ("Cc", "Cf", "Zs", "Zl", "Zp")
)
"""White space and invisible characters around a text."""

EXPONENT_LIMIT: Final = 30
"""Most digits on either side of the point; longer numbers are not prices or quantities."""

NUMBER_LIMIT: Final = 200
"""Longest text that is parsed as a number, in characters."""

TIME_LIMIT: Final = 100
"""Longest text that is parsed as a time, in characters."""

JSON_DEPTH: Final = 3
"""Most layers of JSON encoding of a text."""

_SMALL: Final = 2**30 - 1
"""Up to here Python compares integers fastest."""

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
EARLIEST: Final = 946_684_800
"""2000-01-01: a smaller number is not a Unix time; it may be a date such as 20261121."""

_UNITS: Final = ((10**11, 1), (10**14, 1_000), (10**17, 1_000_000), (10**20, 1_000_000_000))
"""Below the first number it is seconds; then milliseconds, microseconds, nanoseconds: no two can be confused."""

_TRUE: Final = frozenset({"true", "t", "yes", "y", "1", "1.0", "1.00"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "0", "0.0", "0.00"})

_CLOSING: Final = frozenset({"}", ")", "]"})
_BRACKETS: Final = frozenset("[{")
_NUMBERS: Final = (int, float, Decimal)
_WRITTEN_PLAINLY: Final = frozenset({int, Decimal})
"""Types whose text is most often digits with a point or without."""


def text(cell: Any) -> str | None:
    """Convert a cell to text; JSON text of a string is decoded, see :func:`unquoted`.

    Numbers lose the zeros that end a fraction: ``4711.0`` may be an integer column with gaps.
    """
    if isinstance(cell, str):
        trimmed = cell.strip()
        return unquoted(trimmed) if trimmed[:1] == '"' or trimmed == "null" else trimmed or None
    if isinstance(cell, UUID):
        return str(cell)
    if isinstance(cell, bool) or not isinstance(cell, _NUMBERS):
        raise InvalidCellError("bad_type", f"expected text, got {kind(cell)}; cast the column to text")
    if isinstance(cell, float) and cell.is_integer():
        if abs(cell) > EXACT_FLOAT:
            raise InvalidCellError("bad_type", "a float this large may have lost digits; cast the column to text")
        return str(int(cell))
    found = number(cell)
    if found and isinstance(cell, Decimal) and "." in found:
        return found.rstrip("0").rstrip(".")
    return found


def unquoted(text: str) -> str | None:
    """Decode trimmed JSON text of a string; return ``None`` for ``null`` and for empty text, and other text unchanged.

    Databases return members of JSON documents in this form: ``doc -> '$.email'`` is ``"jane@example.com"``, with the
    quotation marks.
    """
    for _ in range(JSON_DEPTH):
        if text == "null":
            return None
        if len(text) < 2 or text[0] != '"' or text[-1] != '"':
            break
        try:
            found = orjson.loads(text)
        except ValueError:
            break
        if not isinstance(found, str):
            break
        text = found.strip()
    return text or None


def number(cell: Any) -> str | None:
    """Convert a decimal number to its text without losing digits: ``Decimal("72.390")`` → ``"72.390"``."""
    if type(cell) is str:
        if _is_plain_number(cell):
            return cell
    elif type(cell) is float:
        written = orjson.dumps(cell).decode()  # its repr, three times as fast
        if "e" not in written and "n" not in written:
            return written
    elif type(cell) in _WRITTEN_PLAINLY:
        try:
            written = str(cell)
        except ValueError:  # an integer of more digits than Python writes
            written = ""
        whole, _, fraction = written.partition(".")
        if whole.isdecimal() and (fraction or "0").isdecimal() and len(written) <= EXPONENT_LIMIT and written.isascii():
            return written if fraction else whole
    if isinstance(cell, str):
        cell = cell.strip()
        if not cell or _is_plain_number(cell):
            return cell or None
        if len(cell) > NUMBER_LIMIT:
            raise InvalidCellError(
                "bad_type", f"expected a number such as 72.39, got more than {NUMBER_LIMIT} characters of text"
            )
        try:
            cell = Decimal(cell if cell.isascii() and "_" not in cell else "-")
        except InvalidOperation:
            raise InvalidCellError(
                "bad_type", "expected a number such as 72.39, got other text (no currency sign, no comma)"
            ) from None
    if isinstance(cell, bool) or not isinstance(cell, _NUMBERS):
        raise InvalidCellError("bad_type", f"expected a number, got {kind(cell)}")
    if isinstance(cell, int):
        if abs(cell) >= 10**EXPONENT_LIMIT:
            raise InvalidCellError("bad_value", f"the number has more than {EXPONENT_LIMIT} digits")
        return str(cell)
    exact = cell if isinstance(cell, Decimal) else Decimal(repr(float(cell)))
    if not exact.is_finite():
        raise InvalidCellError("bad_type", "expected a number, got NaN or Infinity")
    if exact and exact.adjusted() >= EXPONENT_LIMIT:
        raise InvalidCellError("bad_value", f"the number has more than {EXPONENT_LIMIT} digits")
    digits = exact.as_tuple()
    if exact and -int(digits.exponent) > EXPONENT_LIMIT:
        raise InvalidCellError("bad_value", f"the number has more than {EXPONENT_LIMIT} digits")
    return format(exact, "f") if exact or -EXPONENT_LIMIT <= int(digits.exponent) <= 0 else "0"


def integer(cell: Any) -> int | None:
    """Convert a cell to a 64-bit integer; whole floats, decimals and digit strings are integers."""
    if type(cell) is int and 0 <= cell <= _SMALL:
        return cell
    plain = number(cell)
    if plain is None:
        return None
    whole, _, fraction = plain.partition(".")
    if fraction.strip("0"):
        raise InvalidCellError("bad_type", "expected a whole number, got a fraction")
    if not INT64_MIN <= int(whole) <= INT64_MAX:
        raise InvalidCellError("bad_value", "the number does not fit into 64 bits")
    return int(whole)


def boolean(cell: Any) -> bool | None:
    """Convert a cell to a boolean: ``True``, ``1``, ``"true"``, ``"t"``, ``"yes"``, ``"y"`` and their opposites."""
    if cell is True or cell is False:
        return cell
    if isinstance(cell, Decimal) and cell.is_finite() and cell in (0, 1):
        return cell == 1
    if cell in ("\x00", "\x01"):  # a bit from one of MySQL's drivers
        return bool(cell == "\x01")
    word = str(cell).strip().lower() if isinstance(cell, (str, *_NUMBERS)) else None
    if word == "":
        return None
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise InvalidCellError("bad_type", "expected a boolean: true or false, 1 or 0, yes or no")


def items(cell: Any) -> Sequence[Any]:
    """Return the elements of a list-valued cell: a list, the text of a JSON array, or a single value."""
    if isinstance(cell, (list, tuple)):
        return cell
    if isinstance(cell, (set, frozenset)):
        return sorted(cell, key=repr)
    if isinstance(cell, str):
        text = cell.strip()
        if text[:1] == "[" and text[-1:] == "]":
            try:
                found = json(text)
            except InvalidCellError:
                found = array_texts.in_brackets(text)
                if found is None:
                    raise
            if isinstance(found, list):
                return found
        elif text[:2] == "a:" and (elements := array_texts.of_php(text)) is not None:
            return elements
        elif text[-1:] in _CLOSING and (text == "{}" or not _is_json(text)):
            elements = array_texts.in_brackets(text)
            if elements is not None:
                return elements
    return (cell,)


def _is_json(text: str) -> bool:
    try:
        return orjson.loads(text) is not None
    except ValueError:
        return False


def texts(cell: Any) -> list[str] | None:
    """Convert a cell to a list of texts; empty elements are left out."""
    found = []
    for position, item in enumerate(items(cell)):
        try:
            plain = item if type(item) is str else ordinary(item)
            value = None if plain is None else text(plain)
        except InvalidCellError as error:
            raise InvalidCellError(error.code, error.message, f"[{position}]{error.at}") from None
        if value is not None:
            found.append(value)
    return found or None


def json(cell: Any) -> Any:
    """Parse a JSON cell: text is parsed, mappings and lists are returned unchanged; blank text is ``None``."""
    if not isinstance(cell, str):
        if isinstance(cell, (dict, list, tuple, Mapping)):
            return cell
        raise InvalidCellError("bad_json", f"expected JSON text, a mapping or a list, got {kind(cell)}")
    try:
        found = orjson.loads(cell) if cell and not cell.isspace() else None
        return orjson.loads(found) if isinstance(found, str) and found[:1] in _BRACKETS else found
    except (ValueError, TypeError):
        raise InvalidCellError("bad_json", "the text is not valid JSON") from None


def objects(cell: Any) -> Sequence[Any] | None:
    """Convert a cell to a list of JSON objects; a single object is a list of one."""
    document = json(cell)
    return document if document is None or isinstance(document, (list, tuple)) else [document]


class Midnight(int):
    """Unix seconds of a date that came without a time of day."""


def unix_time(cell: Any, timezone: dt.tzinfo) -> int | None:
    """Convert a point in time to Unix seconds; a date without a time becomes :class:`Midnight`.

    Accepted are aware and naive datetimes (naive ones are in ``timezone``), dates (midnight in ``timezone``),
    ISO 8601 text of either, and numbers or digit strings of seconds, milliseconds, microseconds or
    nanoseconds since 1970, which cannot be confused with one another for any time since 2000.
    """
    if type(cell) is int and EARLIEST <= cell < _UNITS[0][0]:
        return cell
    if isinstance(cell, str):
        if len(cell) > len("2026-11-21T") and cell[10] in "T " and cell[4] == "-":
            try:  # the form of most databases; other forms and errors are handled below
                moment = dt.datetime.fromisoformat(cell)
                whole = moment.replace(microsecond=0)  # which a float of seconds could round up
                seconds = int((whole if whole.tzinfo else whole.replace(tzinfo=timezone)).timestamp())
                if seconds >= EARLIEST:
                    return seconds
            except (ValueError, OverflowError):
                pass
        cell = cell.strip()
        if not cell:
            return None
        if len(cell) > TIME_LIMIT:
            raise InvalidCellError("bad_time", f"expected a time, got more than {TIME_LIMIT} characters of text")
        if _is_compact(cell):
            cell = f"{cell[:8]}T{cell[8:]}"
        if _is_digits(cell) and len(cell) != len("20261121"):
            return _from_number(int(cell))
        if _is_plain_number(cell) and "." in cell:
            return _from_number(float(cell))
        cell = _parsed(cell)
    if isinstance(cell, dt.datetime):
        try:
            aware = cell if cell.tzinfo is not None else cell.replace(tzinfo=timezone)
            return _checked(int(aware.replace(microsecond=0).timestamp()))
        except (ValueError, OverflowError):
            raise InvalidCellError("bad_time", "the datetime is not a time (NaT) or out of range") from None
    if isinstance(cell, dt.date):
        midnight = dt.datetime.combine(cell, dt.time(), timezone)
        return Midnight(_checked(int(midnight.timestamp())))
    if type(cell) is int and _is_compact(str(cell) if abs(cell) < INT64_MAX else ""):
        return unix_time(str(cell), timezone)
    if isinstance(cell, bool) or not isinstance(cell, _NUMBERS):
        raise InvalidCellError("bad_time", f"expected a datetime, ISO 8601 text or Unix time, got {kind(cell)}")
    return _from_number(cell)


def _parsed(cell: str) -> dt.date:
    """Parse ISO 8601 text into a date or a datetime."""
    parsers: tuple[Callable[[str], dt.date], ...]
    if len(cell) == len("2026-11-21"):
        parsers = (dt.date.fromisoformat, _pendulum)
    elif len(cell) == len("20261121") and cell.isdigit():
        parsers = (dt.date.fromisoformat,)
    else:
        parsers = (dt.datetime.fromisoformat, _pendulum)
        cell = _gap_before_offset("", _with_offset(cell))
    for parse in parsers:
        try:
            return parse(cell)
        except (ValueError, OverflowError):
            continue
    raise InvalidCellError("bad_time", "expected ISO 8601 text such as 2026-11-21T09:30:00+01:00 or Unix seconds")


def _with_offset(cell: str) -> str:
    """Remove the name of the time zone: UTC becomes ``Z``; other names are only removed after an offset."""
    bare = _zone_behind("", cell)
    if bare == cell or _offset_behind(bare):
        return bare
    return f"{bare}Z" if cell.endswith(("UTC", "GMT", "[UTC]", "[GMT]", "[Etc/UTC]")) else cell


def _pendulum(cell: str) -> dt.date:
    """Parse formats that the standard library does not support, such as ``2026-11-21T09:30:00,5 +01:00``."""
    import pendulum  # rarely needed and slow to load

    found = pendulum.parse(cell, exact=True, tz=None)
    if not isinstance(found, dt.date) or len(cell) < len("2026-325"):
        raise ValueError("a time of day, a duration, a month or a year is not a point in time")
    return found


def _from_number(cell: float | Decimal) -> int:
    """Tell seconds, milliseconds, microseconds and nanoseconds apart by their size."""
    try:
        size = cell if cell >= 0 else -cell
        for limit, unit in _UNITS:
            if size < limit:
                return _checked(int(cell // unit))
    except (ValueError, OverflowError, InvalidOperation):
        pass  # NaN and Infinity
    raise InvalidCellError("bad_time", "the number is not a Unix time")


def _checked(seconds: int) -> int:
    if seconds < EARLIEST:
        raise InvalidCellError("bad_time", "the time is before the year 2000; expected Unix seconds or ISO 8601 text")
    return seconds
