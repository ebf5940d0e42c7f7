"""Parse the cells of one field, a column at a time.

A parser is built around a function that parses one cell. It goes down a column and encodes each value as a member of a
JSON object, ``,"em":["…"]``; the JSON of an event is the members of its fields, joined.

Most columns hold what their field expects, and a cell then costs a look-up or a few steps. A column with an invalid
cell is parsed again, one cell at a time. Each cell is first converted to a known type, see
:mod:`~airflow_provider_pinterest.conversions.cells`, so that a strange object affects no other row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.cells import (
    ORDINARY,
    only,
    ordinary,
    unreadable,
)
from airflow_provider_pinterest.conversions.invisible import visible
from airflow_provider_pinterest.conversions.reasons import CellError, InvalidCellError, UnusableCellError

ParseCell = Callable[..., Any]
"""Parses one non-empty cell: receives the cell, and what it depends on, and returns the JSON value or ``None``.

It may raise :class:`InvalidCellError` or :class:`UnusableCellError`.
"""

OnError = Callable[[int, CellError], Any]
"""Error callback: receives the row index and the error, returns a replacement value or None."""

EncodedCells = list[bytes]
"""A member of a JSON object for each row, with a comma before it; empty where the row has no value."""

to_json: Final = orjson.dumps

_TEXTLIKE: Final = frozenset({int, UUID})

_READ_AS_THEY_ARE: Final = ORDINARY - {float, Decimal}


class ColumnParser:
    """Parse the cells of one field.

    :param name: the JSON key of the field.
    :param parse_cell: parses one cell.
    :param unusable: warning code for invalid cells, which are left out; ``None``: their rows are rejected.
    """

    depends_on: str | None = None
    """The field of the same row on which the meaning of a cell depends; see :meth:`encode_beside`."""

    def __init__(self, name: str, parse_cell: ParseCell, unusable: str | None = None) -> None:
        self.name = name
        self.parse_cell = parse_cell
        self._unusable = unusable
        self._key = f',"{name}":'.encode()

    def parse_one(self, cell: Any, *beside: Any) -> Any:
        """Return the value of one cell of any type; ``None`` if it is empty.

        :param beside: what the cell depends on, if anything.
        :raises CellError: the cell has no value.
        """
        try:
            if type(cell) not in _READ_AS_THEY_ARE:
                cell = ordinary(cell)
            return None if cell is None else self.parse_cell(cell, *beside)
        except UnusableCellError:
            raise
        except Exception as error:  # noqa: BLE001 - one cell must not end the run
            if type(cell) is str:
                seen = visible(cell.strip(values.INVISIBLE))
                plain = values.unquoted(seen)
                if plain != cell.strip() and (seen or not cell.strip()):
                    return None if plain is None else self.parse_one(plain, *beside)
            why = error if isinstance(error, InvalidCellError) else unreadable(cell)
            raise self._left_out(why) from None

    def _left_out(self, why: InvalidCellError) -> CellError:
        """Return the error for an invalid cell: its row is rejected, or only the cell is left out."""
        return (
            why
            if self._unusable is None
            else UnusableCellError(self._unusable, message=f"{why.at} {why.message}".strip())
        )

    def parse_all(self, cells: Sequence[Any], on_error: OnError) -> list[Any]:
        """Return the values of cells, ``None`` for empty ones."""
        parse_cell = self.parse_cell
        if only(cells, ORDINARY):
            try:
                return [None if cell is None else parse_cell(cell) for cell in cells]
            except Exception:  # noqa: BLE001, S110 - found again below, for each cell by itself
                pass
        return self.parse_each(cells, on_error)

    def parse_each(self, cells: Sequence[Any], on_error: OnError) -> list[Any]:
        """Return the values of cells of any types."""
        one = self.parse_one
        found = []
        for row, cell in enumerate(cells):
            try:
                found.append(one(cell))
            except CellError as error:
                found.append(on_error(row, error))
        return found

    def encode(self, cells: Sequence[Any], on_error: OnError) -> EncodedCells:
        """Return the members of cells."""
        if only(cells, ORDINARY):
            parse_cell, key = self.parse_cell, self._key
            try:
                return [
                    b"" if cell is None or (value := parse_cell(cell)) is None else key + to_json(value)
                    for cell in cells
                ]
            except Exception:  # noqa: BLE001, S110 - found again below, for each cell by itself
                pass
        return self.encode_values(self.parse_each(cells, on_error), on_error)

    def parse_and_encode(self, cells: Sequence[Any], on_error: OnError) -> tuple[list[Any], EncodedCells]:
        """Return the values of cells and their members."""
        found = self.parse_all(cells, on_error)
        return found, self.encode_values(found, on_error)

    def encode_beside(self, cells: Sequence[Any], others: Sequence[Any], on_error: OnError) -> EncodedCells:  # noqa: ARG002
        """Return the members of cells, given what each of them depends on; see :attr:`depends_on`."""
        return self.encode(cells, on_error)

    def encode_values(self, found: Sequence[Any], on_error: OnError) -> EncodedCells:
        """Return the members of values; invalid Unicode is an error of its cell."""
        key = self._key
        try:
            return [b"" if value is None else key + to_json(value) for value in found]
        except TypeError:
            return [self._written(row, value, on_error) for row, value in enumerate(found)]

    def _written(self, row: int, value: Any, on_error: OnError) -> bytes:
        try:
            return self.encode_value(value)
        except CellError as error:
            on_error(row, error)
            return b""

    def encode_value(self, value: Any) -> bytes:
        """Return the member of a value.

        :raises CellError: the value has text that is not valid Unicode.
        """
        try:
            return b"" if value is None else self._key + to_json(value)
        except TypeError:
            why = InvalidCellError("bad_text", "holds a lone surrogate: correct the encoding of the text")
            raise self._left_out(why) from None

    def decode(self, member: bytes) -> Any:
        """Decode a JSON member back to its value."""
        return orjson.loads(member[len(self._key) :]) if member else None


def as_text(cells: Sequence[Any]) -> Sequence[Any]:
    """Return a column of integers or of UUIDs as text; return other columns unchanged."""
    if not cells or not only(cells[:1], _TEXTLIKE) or not only(cells, {type(cells[0]), type(None)}):
        return cells
    try:
        written = to_json(cells).decode()
    except TypeError:  # an integer of more than 64 bits
        return cells
    return [None if text == "null" else text for text in written[1:-1].replace('"', "").split(",")]


def split_members(written: bytes, between: bytes, start: bytes, end: bytes, nothing: bytes = b"") -> EncodedCells:
    """Split a column that was encoded as JSON without line breaks into members.

    This takes a third of the time of encoding each member.

    :param between: separates two values.
    :param start: start of each member.
    :param end: end of each member.
    :param nothing: the value of an empty cell.
    """
    joined = b"".join([start, written.replace(between, end + b"\n" + start), end])
    empty = start + nothing + end
    members = joined.split(b"\n")
    return [b"" if member == empty else member for member in members] if joined.find(empty) >= 0 else members


def inside(columns: Sequence[EncodedCells]) -> list[EncodedCells]:
    """Return parts that, joined row by row, are the content between the braces of an object, without a leading comma.

    :param columns: the members of the object, at least one column.
    """
    first, *others = columns
    if all(first):
        return [[member[1:] for member in first], *others]
    return [[members[1:] for members in map(b"".join, zip(*columns, strict=True))]]
