"""Readers of columns whose cells are numbers, booleans or times: what a driver has typed is written without parsing.

A column of one type is written as a whole. Everything else is read like any other column.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from airflow_provider_pinterest.conversions.cells import only
from airflow_provider_pinterest.conversions.columns import (
    MEMO_CELL,
    CachedParser,
    ColumnParser,
    Members,
    Read,
    Refused,
    cut,
)
from airflow_provider_pinterest.conversions.values import EARLIEST, EXPONENT_LIMIT

_NONE: Final = type(None)
_BOOLEANS: Final = frozenset({bool, _NONE})
_FLOATS: Final = frozenset({float, int, _NONE})
_DECIMALS: Final = frozenset({Decimal, _NONE})
_COUNTS: Final = frozenset({int, str, float, Decimal, _NONE})
_MOMENTS: Final = frozenset({dt.datetime, _NONE})
_TEXTS: Final = frozenset({str, _NONE})
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NAIVE_EPOCH: Final = _EPOCH.replace(tzinfo=None)
_DATE: Final = len("2026-11-21T")
_DAY: Final = 86_400
_IN_NUMBERS: Final = b"0123456789.,-nul"
"""What a column of JSON numbers and nulls is written with, exponents apart."""

_without_digits: Final = str.maketrans(dict.fromkeys("0123456789."))


def first_type(cells: Sequence[Any]) -> type:
    """Return the type of the first cell that is not empty."""
    return next((type(cell) for cell in cells if cell is not None), _NONE)


class Numbers(CachedParser):
    """Reads numbers that travel as text."""

    def encode(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        kind = first_type(cells)
        found = None
        if kind is Decimal and only(cells, _DECIMALS):
            found = self._decimals(cells)
        elif (kind is float or kind is int) and only(cells, _FLOATS):
            found = self._floats(cells)
        elif kind is str and only(cells, _TEXTS):
            found = self._texts(cells)
        return super().encode(cells, refused) if found is None else found

    def _decimals(self, cells: Sequence[Any]) -> Members | None:
        """Return the members of decimals, ``None`` if one is negative, not finite, or written with an exponent."""
        texts = ["" if cell is None else str(cell) for cell in cells]
        if "".join(texts).translate(_without_digits) or max(map(len, texts), default=0) > EXPONENT_LIMIT:
            return None
        return self._cut(",".join(texts).encode())

    def _floats(self, cells: Sequence[Any]) -> Members | None:
        """Return the members of floats and integers, ``None`` if one is infinite or written with an exponent."""
        try:
            written = orjson.dumps(cells)
        except TypeError:  # an integer of more than 64 bits
            return None
        if b"e" in written or b"E" in written or math.inf in cells or -math.inf in cells:
            return None
        return self._cut(written[1:-1], b"null")

    def _texts(self, cells: Sequence[str | None]) -> Members | None:
        """Return the members of texts, ``None`` if one of them is not a usual JSON number without an exponent."""
        texts = ["null" if cell is None else cell for cell in cells]
        try:
            written = ",".join(texts).encode()
            if written.translate(None, _IN_NUMBERS) or max(map(len, texts)) > EXPONENT_LIMIT:
                return None
            found = orjson.loads(b"[" + written + b"]")
        except ValueError:
            return None
        return self._cut(written, b"null") if len(found) == len(texts) else None

    def _cut(self, written: bytes, nothing: bytes = b"") -> Members:
        return cut(written, b",", self._key + b'"', b'"', nothing)


class Integers(CachedParser):
    """Reads whole numbers; small ones repeat, and ``3``, ``3.0`` and a decimal 3.00 are one."""

    def encode(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        if only(cells, _COUNTS):
            return self._looked_up(cells, refused)
        return ColumnParser.encode(self, cells, refused)

    @staticmethod
    def _may_keep(cell: Any) -> bool:
        if type(cell) is str:
            return len(cell) <= MEMO_CELL
        if type(cell) is Decimal:
            return not cell.is_nan()
        return type(cell) in _COUNTS and cell == cell  # noqa: PLR0124 - not NaN

    @staticmethod
    def _can_be_looked_up(_: Sequence[Any]) -> bool:
        return True  # `members` looked


class Booleans(CachedParser):
    """Reads booleans."""

    def encode(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        if only(cells, _BOOLEANS):
            true, false = self._key + b"true", self._key + b"false"
            return [b"" if cell is None else true if cell else false for cell in cells]
        return super().encode(cells, refused)


class Times(ColumnParser):
    """Reads points in time as Unix seconds.

    :param timezone: where naive times stand.
    """

    def __init__(self, name: str, read: Read, timezone: dt.tzinfo, unusable: str | None = None) -> None:
        super().__init__(name, read, unusable)
        self._timezone = timezone

    def read_all(self, cells: Sequence[Any], refused: Refused) -> list[Any]:
        """Return the values of cells, ``None`` where nothing is to send."""
        try:
            found = self._seconds(cells)
        except Exception:  # noqa: BLE001 - found again below, for each cell by itself
            found = None
        return super().read_all(cells, refused) if found is None else found

    def encode(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        return self.written(self.read_all(cells, refused), refused)

    def _seconds(self, cells: Sequence[Any]) -> list[Any] | None:
        """Return the seconds of a column of datetimes, or of their usual text; ``None`` if something else is in it."""
        kind = first_type(cells)
        if kind is str and only(cells, _TEXTS):
            texts = [cell for cell in cells if cell is not None]
            if min(map(len, texts)) <= _DATE or not {text[4] + text[10] for text in texts} <= {"-T", "- "}:
                return None
            cells = [None if cell is None else dt.datetime.fromisoformat(cell) for cell in cells]
        elif kind is not dt.datetime or not only(cells, _MOMENTS):
            return None
        zones = {None if cell.tzinfo is None else type(cell.tzinfo) for cell in cells if cell is not None}
        epoch = _EPOCH
        if zones == {None}:
            if self._timezone is dt.UTC:
                epoch = _NAIVE_EPOCH
            else:
                cells = [None if cell is None else cell.replace(tzinfo=self._timezone) for cell in cells]
        elif None in zones:
            return None
        found = [None if cell is None else (since := cell - epoch).days * _DAY + since.seconds for cell in cells]
        return found if min(second for second in found if second is not None) >= EARLIEST else None
