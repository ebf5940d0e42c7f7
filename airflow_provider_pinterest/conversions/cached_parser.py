"""Parsers of columns whose cells repeat, such as cities: each distinct cell is parsed once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final

from airflow_provider_pinterest.conversions.cells import (
    HASHABLE,
    all_text,
    only,
    ordinary,
)
from airflow_provider_pinterest.conversions.column_parser import ColumnParser, EncodedCells, OnError, ParseCell
from airflow_provider_pinterest.conversions.reasons import CellError

MEMO_SIZE: Final = 16_384
"""Most distinct cells cached per field (about 5 MB); later ones are parsed each time."""

MEMO_BYTES: Final = 4_000_000
"""Most bytes of JSON cached per field."""

MEMO_CELL: Final = 160
"""Longest cell that is cached, in characters: most user agents are shorter."""

_first = itemgetter(0)
_second = itemgetter(1)


class CachedParser(ColumnParser):
    """Parse cells that repeat from row to row, such as cities: the result for each distinct cell is cached.

    Only text and dates are cached: ``1``, ``1.0`` and ``True`` are one key and three different cells.

    :param lists: whether a list of one text is parsed as that text.
    :param shared: value → what other fields of the row depend on; :meth:`parse_and_encode` returns it.
    """

    def __init__(
        self,
        name: str,
        parse_cell: ParseCell,
        unusable: str | None = None,
        size: int = MEMO_SIZE,
        *,
        lists: bool = False,
        shared: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(name, parse_cell, unusable)
        self._known = _BoundedCache(self._member_of, self._may_keep, size)
        self._known_pairs = _PairCache(self._pair_of, self._may_keep, size)
        self._lists = lists
        self._shared = shared

    def encode(self, cells: Sequence[Any], on_error: OnError) -> EncodedCells:
        """Return the members of cells."""
        kind = type(cells[0]) if cells else None
        if kind is float or kind is Decimal:  # the column probably has no text
            return super().encode(cells, on_error)
        return self._look_up(cells, on_error)

    def parse_and_encode(self, cells: Sequence[Any], on_error: OnError) -> tuple[list[Any], EncodedCells]:
        """Return the values of cells, or what other fields depend on, and the members."""
        pairs = self._found(cells, on_error, self._known_pairs, self._pair)
        return list(map(_first, pairs)), list(map(_second, pairs))

    def _look_up(self, cells: Sequence[Any], on_error: OnError) -> EncodedCells:
        """Return the members of cells; cached ones are not parsed again."""
        return self._found(cells, on_error, self._known, self.encode_value)

    def _found(
        self, cells: Sequence[Any], on_error: OnError, known: _BoundedCache, result: Callable[[Any], Any]
    ) -> list[Any]:
        """Return the results for cells.

        :param known: the cache of results.
        :param result: value → result.
        """
        trusted = self._can_be_looked_up(cells)
        if not trusted and self._lists:
            cells = self._without_lists(cells)
            trusted = self._can_be_looked_up(cells)
        if trusted:
            try:
                return list(map(known.__getitem__, cells))
            except Exception:  # noqa: BLE001, S110 - found again below, for each cell by itself
                pass
        found = []
        for row, cell in enumerate(cells):
            try:
                keep = self._may_keep(cell)
                one = known.get(cell) if keep else None
                if one is None:
                    one = result(self.parse_one(cell))
                    if keep:
                        known.keep(cell, one)
                found.append(one)
            except CellError as error:
                found.append(result(on_error(row, error)))
        return found

    def _member_of(self, cell: Any) -> bytes:
        return b"" if cell is None else self.encode_value(self.parse_cell(cell))

    def _pair_of(self, cell: Any) -> tuple[Any, bytes]:
        return (None, b"") if cell is None else self._pair(self.parse_cell(cell))

    def _pair(self, value: Any) -> tuple[Any, bytes]:
        """Return a value, or what other fields depend on, and the member."""
        return self._shared(value) if self._shared else value, self.encode_value(value)

    @staticmethod
    def _may_keep(cell: Any) -> bool:
        return (type(cell) is str and len(cell) <= MEMO_CELL) or type(cell) is dt.date

    @staticmethod
    def _can_be_looked_up(cells: Sequence[Any]) -> bool:
        """Return whether no cell can be mistaken for another one."""
        return all_text(cells) or only(cells, HASHABLE)

    @staticmethod
    def _without_lists(cells: Sequence[Any]) -> Sequence[Any]:
        """Replace each list of one text by the text. Ready events have such lists."""
        return [cell[0] if type(cell) is list and len(cell) == 1 and type(cell[0]) is str else cell for cell in cells]


class DependentParser(CachedParser):
    """Parse cells that repeat and whose meaning depends on another field of their row.

    A cell is a pair here: the cell itself, and what it depends on.

    :param parse_cell: parses a cell, given what it depends on.
    :param depends_on: the other field.
    """

    def __init__(self, name: str, parse_cell: Callable[[Any, Any], Any], depends_on: str, unusable: str | None) -> None:
        super().__init__(name, self._parse_pair, unusable, lists=True)
        self._parse_beside = parse_cell
        self.depends_on = depends_on

    def encode_beside(self, cells: Sequence[Any], others: Sequence[Any], on_error: OnError) -> EncodedCells:
        """Return the members of cells, given what each of them depends on."""
        return self.encode(list(zip(cells, others, strict=True)), on_error)

    def _parse_pair(self, pair: tuple[Any, Any]) -> Any:
        cell, other = pair
        if type(cell) is not str:
            cell = ordinary(cell)
        return None if cell is None else self._parse_beside(cell, other)

    @staticmethod
    def _may_keep(cell: Any) -> bool:
        return type(cell[0]) is str and len(cell[0]) <= MEMO_CELL

    @staticmethod
    def _can_be_looked_up(cells: Sequence[Any]) -> bool:
        return all_text(map(_first, cells)) or only(map(_first, cells), HASHABLE)

    @staticmethod
    def _without_lists(cells: Sequence[Any]) -> Sequence[Any]:
        return [
            (cell[0], other) if type(cell) is list and len(cell) == 1 and type(cell[0]) is str else (cell, other)
            for cell, other in cells
        ]


class _BoundedCache(dict[Any, Any]):
    """Cache the results of a function: a limited number, of limited total size.

    :param answer: cell → result.
    :param may_keep: whether the result for a cell may be cached.
    """

    def __init__(self, answer: Callable[[Any], Any], may_keep: Callable[[Any], bool], size: int) -> None:
        super().__init__()
        self._answer = answer
        self._may_keep = may_keep
        self._size = size
        self._room = MEMO_BYTES

    def __missing__(self, cell: Any) -> Any:
        found = self._answer(cell)
        if self._room > 0 and (cell is None or self._may_keep(cell)):
            self.keep(cell, found)
        return found

    def keep(self, cell: Any, found: Any) -> None:
        """Cache a result if there is room."""
        if self._room > 0 and len(self) < self._size:
            self[cell] = found
            self._room -= self._size_of(found)

    @staticmethod
    def _size_of(found: Any) -> int:
        return len(found)


class _PairCache(_BoundedCache):
    """Cache pairs of a value and its member."""

    @staticmethod
    def _size_of(found: Any) -> int:
        return len(found[1])
