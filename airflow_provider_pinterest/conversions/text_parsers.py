"""Parsers of text columns: plain text, product ids, and identifiers that are sent as hashes."""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from hashlib import sha256
from typing import Any, Final, TypeVar

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.column_parser import (
    ColumnParser,
    EncodedCells,
    OnError,
    ParseCell,
    as_text,
    to_json,
)
from airflow_provider_pinterest.conversions.personal import has_at_sign
from airflow_provider_pinterest.conversions.reasons import CellError

T = TypeVar("T")

FEW: Final = 3
"""With fewer words than this, searching a column for each word is faster than hashing its texts."""


class TextParser(ColumnParser):
    """Parse text that usually needs only trimming.

    A column is searched as a whole for cells that need more: JSON text of a string or of null, placeholders, and
    e-mail addresses.

    :param parse_cell: parses any cell.
    :param placeholders: texts that mean "empty".
    :param as_code: whether invisible characters are removed.
    :param needs_care: whether encoded members of the field need more for another reason.
    """

    def __init__(
        self,
        name: str,
        parse_cell: ParseCell = values.text,
        unusable: str | None = None,
        placeholders: AbstractSet[str] = frozenset(),
        *,
        as_code: bool = False,
        needs_care: Callable[[bytes], bool] | None = None,
    ) -> None:
        super().__init__(name, parse_cell, unusable)
        self._as_code = as_code
        self._also_needs_care = needs_care
        self._void = frozenset({"null", *placeholders})

    def encode(self, cells: Sequence[Any], on_error: OnError) -> EncodedCells:
        """Return the members of cells."""
        return self._encoded(cells, on_error, super().encode, lambda _, members: members)

    def parse_and_encode(self, cells: Sequence[Any], on_error: OnError) -> tuple[list[Any], EncodedCells]:
        """Return the values of cells and their members."""
        return self._encoded(
            cells, on_error, super().parse_and_encode, lambda texts, members: (_values(texts), members)
        )

    def _encoded(
        self,
        cells: Sequence[Any],
        on_error: OnError,
        carefully: Callable[[Sequence[Any], OnError], T],
        result: Callable[[list[str], EncodedCells], T],
    ) -> T:
        """Return the result for cells.

        :param carefully: parses each cell by itself.
        :param result: trimmed texts, and their members → the result.
        """
        key = self._key
        try:
            texts = _trimmed(cells)
            members = [key + to_json(text) if text else b"" for text in texts]
        except TypeError:
            written = as_text(cells)
            if written is cells:
                return carefully(cells, on_error)
            return self._encoded(written, on_error, carefully, result)
        return carefully(cells, on_error) if self._needs_care(texts, members) else result(texts, members)

    def _needs_care(self, texts: Sequence[str], members: EncodedCells) -> bool:
        if self._has_void(texts):
            return True
        joined = b"".join(members)
        if joined.find(b"\\") >= 0 and (self._as_code or joined.find(self._key + b'"\\"') >= 0):
            return True
        if self._as_code and (not joined.isascii() or joined.find(b"\x7f") >= 0):
            return True
        if self._also_needs_care and self._also_needs_care(joined):
            return True
        return has_at_sign(joined)

    def _has_void(self, texts: Sequence[str]) -> bool:
        """Return whether one of the texts means "empty"."""
        if len(self._void) < FEW:
            return any(word in texts for word in self._void)
        return not self._void.isdisjoint(texts)


class ProductIdParser(TextParser):
    """Parse ids of products; ``0`` means "no product", as in the variation of a product without variations."""

    def encode(self, cells: Sequence[Any], on_error: OnError) -> EncodedCells:
        """Return the members of cells."""
        found = super().encode(cells, on_error)
        none = self._key + b'"0"'
        return [b"" if member == none else member for member in found] if none in found else found


class HashedParser(ColumnParser):
    """Parse identifiers that are sent hashed.

    :param parse_cell: parses any cell.
    :param plain: returns the canonical form of the simplest texts, and nothing for all others.
    :param depends_on: the field on which they depend.
    """

    def __init__(
        self,
        name: str,
        parse_cell: ParseCell,
        plain: Callable[[str], bytes],
        unusable: str | None = None,
        depends_on: str | None = None,
    ) -> None:
        super().__init__(name, parse_cell, unusable)
        self._plain = plain
        self.depends_on = depends_on

    def encode(self, cells: Sequence[Any], on_error: OnError) -> EncodedCells:
        """Return the members of cells."""
        return self.encode_beside(cells, [], on_error)

    def encode_beside(self, cells: Sequence[Any], others: Sequence[Any], on_error: OnError) -> EncodedCells:
        """Return the members of cells, given what each of them depends on."""
        cells = as_text(cells)
        start, end = self._key + b'["', b'"]'
        found = [
            start + hexlify(sha256(canonical).digest()) + end if canonical else b""
            for canonical in self._canonicals(cells)
        ]
        if all(found):
            return found
        for row, cell in enumerate(cells):
            if cell is not None and not found[row]:
                try:
                    found[row] = self.encode_value(self.parse_one(cell, *others[row : row + 1]))
                except CellError as error:
                    found[row] = self.encode_value(on_error(row, error))
        return found

    def _canonicals(self, cells: Sequence[Any]) -> list[bytes]:
        """Return the canonical forms of the simplest texts, and nothing for all other cells."""
        plain = self._plain
        try:
            return [plain(text) if text else b"" for text in _trimmed(cells)]
        except Exception:  # noqa: BLE001 - a strange cell costs the others nothing but time
            return [self._canonical(cell) for cell in cells]

    def _canonical(self, cell: Any) -> bytes:
        try:
            return self._plain(text) if type(cell) is str and (text := cell.strip()) else b""
        except Exception:  # noqa: BLE001 - parsed again, with its error
            return b""


def _values(texts: list[str]) -> list[Any]:
    """Return texts, ``None`` in place of empty ones."""
    return texts if all(texts) else [text or None for text in texts]


def _trimmed(cells: Sequence[Any]) -> list[str]:
    """Return the trimmed texts of cells, empty text where a cell is empty.

    :raises TypeError: one of them is something else.
    """
    try:
        return list(map(str.strip, cells))
    except TypeError:
        return ["" if cell is None else str.strip(cell) for cell in cells]
