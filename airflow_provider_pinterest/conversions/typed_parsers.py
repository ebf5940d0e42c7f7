"""Parsers of numbers, booleans and times; cells that a driver has typed are encoded without parsing.

A column of one type is encoded as a whole. Other columns are parsed cell by cell.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from airflow_provider_pinterest.conversions.cached_parser import MEMO_CELL, CachedParser
from airflow_provider_pinterest.conversions.cells import only
from airflow_provider_pinterest.conversions.column_parser import (
    ColumnParser,
    EncodedCells,
    OnError,
    ParseCell,
    split_members,
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
"""Characters of a column of JSON numbers and nulls, without exponents."""

_without_digits: Final = str.maketrans(dict.fromkeys("0123456789."))


def first_type(cells: Sequence[Any]) -> type:
    """Return the type of the first cell that is not empty."""
    return next((type(cell) for cell in cells if cell is not None), _NONE)


class NumberParser(CachedParser):
    """Parse numbers that are sent as text."""

    def encode(self, cells: Sequence[Any], on_error: OnError) -> EncodedCells:
        """Return the members of cells."""
        kind = first_type(cells)
        found = None
        if kind is Decimal and only(cells, _DECIMALS):
            found = self._decimals(cells)
        elif (kind is float or kind is int) and only(cells, _FLOATS):
            found = self._floats(cells)
        elif kind is str and only(cells, _TEXTS):
            found = self._texts(cells)
        return super().encode(cells, on_error) if found is None else found

    def _decimals(self, cells: Sequence[Any]) -> EncodedCells | None:
        """Return the members of decimals, ``None`` if one is negative, not finite, or written with an exponent."""
        texts = ["" if cell is None else str(cell) for cell in cells]
        if "".join(texts).translate(_without_digits) or max(map(len, texts), default=0) > EXPONENT_LIMIT:
            return None
        return self._cut(",".join(texts).encode())

    def _floats(self, cells: Sequence[Any]) -> EncodedCells | None:
        """Return the members of floats and integers, ``None`` if one is infinite or written with an exponent."""
        try:
            written = orjson.dumps(cells)
        except TypeError:  # an integer of more than 64 bits
            return None
        if b"e" in written or b"E" in written or math.inf in cells or -math.inf in cells:
            return None
        return self._cut(written[1:-1], b"null")

    def _texts(self, cells: Sequence[str | None]) -> EncodedCells | None:
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

    def _cut(self, written: bytes, nothing: bytes = b"") -> EncodedCells:
        return split_members(written, b",", self._key + b'"', b'"', nothing)


class IntegerParser(CachedParser):
    """Parse whole numbers. Small ones repeat; ``3``, ``3.0`` and a decimal 3.00 are the same number."""

    def encode(self, cells: Sequence[Any], on_error: OnError) -> EncodedCells:
        """Return the members of cells."""
        if only(cells, _COUNTS):
            return self._look_up(cells, on_error)
        return ColumnParser.encode(self, cells, on_error)

    @staticmethod
    def _may_keep(cell: Any) -> bool:
        if type(cell) is str:
            return len(cell) <= MEMO_CELL
        if type(cell) is Decimal:
            return not cell.is_nan()
        return type(cell) in _COUNTS and cell == cell  # noqa: PLR0124 - not NaN

    @staticmethod
    def _can_be_looked_up(cells: Sequence[Any]) -> bool:
        return only(cells, _COUNTS)


class BooleanParser(CachedParser):
    """Parse booleans."""

    def encode(self, cells: Sequence[Any], on_error: OnError) -> EncodedCells:
        """Return the members of cells."""
        if only(cells, _BOOLEANS):
            true, false = self._key + b"true", self._key + b"false"
            return [b"" if cell is None else true if cell else false for cell in cells]
        return super().encode(cells, on_error)


class TimeParser(ColumnParser):
    """Parse points in time as Unix seconds.

    :param timezone: time zone of naive times.
    """

    def __init__(self, name: str, parse_cell: ParseCell, timezone: dt.tzinfo, unusable: str | None = None) -> None:
        super().__init__(name, parse_cell, unusable)
        self._timezone = timezone

    def parse_all(self, cells: Sequence[Any], on_error: OnError) -> list[Any]:
        """Return the values of cells, ``None`` for empty ones."""
        try:
            found = self._seconds(cells)
        except Exception:  # noqa: BLE001 - found again below, for each cell by itself
            found = None
        return super().parse_all(cells, on_error) if found is None else found

    def encode(self, cells: Sequence[Any], on_error: OnError) -> EncodedCells:
        """Return the members of cells."""
        return self.encode_values(self.parse_all(cells, on_error), on_error)

    def _seconds(self, cells: Sequence[Any]) -> list[Any] | None:
        """Return the seconds of a column of datetimes or of their usual text; ``None`` if there is anything else."""
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
