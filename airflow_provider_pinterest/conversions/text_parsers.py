"""Parsers of text columns: plain text, product ids, and identifiers that are sent as hashes."""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from hashlib import sha256
from typing import Any, Final

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.column_parser import (
    ColumnParser,
    Members,
    OnError,
    ParseCell,
    as_text,
    split_members,
    to_json,
)
from airflow_provider_pinterest.conversions.personal import has_at_sign
from airflow_provider_pinterest.conversions.reasons import CellError

_AMBIGUOUS: Final = b'",",'
"""In the JSON of a list of texts, the ``","`` of this sequence may be part of a text and not a separator."""


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
        self._void = frozenset(self._key + to_json(word) for word in {"null", *placeholders})
        self._longest_void = max(map(len, self._void))

    def encode(self, cells: Sequence[Any], on_error: OnError) -> Members:
        """Return the members of cells."""
        try:
            found = self._of_texts(_trimmed(cells))
        except TypeError:
            texts = as_text(cells)
            return super().encode(cells, on_error) if texts is cells else self.encode(texts, on_error)
        return super().encode(cells, on_error) if self._needs_care(found) else found

    def parse_and_encode(self, cells: Sequence[Any], on_error: OnError) -> tuple[list[Any], Members]:
        """Return the values of cells and their members."""
        try:
            trimmed = _trimmed(cells)
            members = self._of_texts(trimmed)
        except TypeError:
            texts = as_text(cells)
            return (
                super().parse_and_encode(cells, on_error) if texts is cells else self.parse_and_encode(texts, on_error)
            )
        if self._needs_care(members):
            return super().parse_and_encode(cells, on_error)
        return [text or None for text in trimmed], members

    def _of_texts(self, texts: Sequence[str]) -> Members:
        """Return the members of trimmed texts, encoded at once.

        :raises TypeError: one of them is not valid Unicode.
        """
        written = to_json(texts)
        if len(texts) > 1 and written.find(_AMBIGUOUS) < 0:
            return split_members(written[2:-2], b'","', self._key + b'"', b'"')
        return [self._key + to_json(text) if text else b"" for text in texts]

    def _needs_care(self, members: Members) -> bool:
        if min(map(len, members), default=0) <= self._longest_void and not self._void.isdisjoint(members):
            return True
        joined = b"".join(members)
        if joined.find(b"\\") >= 0 and joined.find(self._key + b'"\\"') >= 0:
            return True
        if self._as_code and (not joined.isascii() or joined.find(b"\x7f") >= 0 or joined.find(b"\\u0000") >= 0):
            return True
        if self._also_needs_care and self._also_needs_care(joined):
            return True
        return has_at_sign(joined)


class ProductIdParser(TextParser):
    """Parse ids of products; ``0`` means "no product", as in the variation of a product without variations."""

    def encode(self, cells: Sequence[Any], on_error: OnError) -> Members:
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

    def encode(self, cells: Sequence[Any], on_error: OnError) -> Members:
        """Return the members of cells."""
        return self.encode_beside(cells, [], on_error)

    def encode_beside(self, cells: Sequence[Any], others: Sequence[Any], on_error: OnError) -> Members:
        """Return the members of cells, given what each of them depends on."""
        plain = self._plain
        cells = as_text(cells)
        start, end = self._key + b'["', b'"]'
        found = []
        for row, cell in enumerate(cells):
            if cell is None:
                found.append(b"")
                continue
            try:
                if type(cell) is str and (text := cell.strip()) and (canonical := plain(text)):
                    found.append(start + hexlify(sha256(canonical).digest()) + end)
                    continue
            except Exception:  # noqa: BLE001, S110 - found again below
                pass
            try:
                found.append(self.encode_value(self.parse_one(cell, *others[row : row + 1])))
            except CellError as error:
                found.append(self.encode_value(on_error(row, error)))
        return found


def _trimmed(cells: Sequence[Any]) -> list[str]:
    """Return the trimmed texts of cells, empty text where a cell is empty.

    :raises TypeError: one of them is something else.
    """
    try:
        return list(map(str.strip, cells))
    except TypeError:
        return ["" if cell is None else str.strip(cell) for cell in cells]
