"""Reading the cells of one field, those of many rows at once.

A reader is made of a function that reads one cell. It goes down a column of cells and writes what it reads as members
of a JSON object, ``,"em":["…"]``: an event's JSON is the members of its fields, joined. Most columns hold nothing but
what their field expects, and then a cell costs a look-up or a few steps; only a column in which a cell is refused is
read one cell after the other. Each cell is then converted to a known type first, see
:mod:`~airflow_provider_pinterest.conversions.cells`: whatever object it is, it affects no other row.
"""

from __future__ import annotations

import datetime as dt
from binascii import hexlify
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from hashlib import sha256
from itertools import chain, islice
from operator import itemgetter
from typing import Any, Final

import orjson

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.cells import (
    HASHABLE,
    ORDINARY,
    TEXTS,
    all_text,
    by_name,
    kind,
    only,
    ordinary,
    unreadable,
)
from airflow_provider_pinterest.conversions.personal import has_at_sign
from airflow_provider_pinterest.conversions.reasons import Unfit, Unusable, Verdict
from airflow_provider_pinterest.redaction import clean

Read = Callable[..., Any]
"""One non-empty cell, and a member on which it depends → the JSON value, ``None`` for nothing; or Unfit or Unusable."""

Refused = Callable[[int, Verdict], Any]
"""Told which cell of a column was refused, and why; returns the value to send, if any."""

Members = list[bytes]
"""One member of a JSON object for each row, with a comma before it; empty where nothing is to send."""

MEMO_SIZE: Final = 16_384
"""Most distinct cells remembered per field (about 5 MB); later ones are read each time."""

MEMO_BYTES: Final = 4_000_000
"""Most bytes of JSON remembered per field."""

MEMO_CELL: Final = 160
"""Longest cell that is remembered, in characters: most user agents are shorter."""

_dumps: Final = orjson.dumps
_INTEGERS: Final = frozenset({int, type(None)})
_OBJECTS: Final = frozenset({dict})
_READ_AS_THEY_ARE: Final = ORDINARY - {float, Decimal}
_first = itemgetter(0)


class Reader:
    """Reads the cells of one field.

    :param name: the field's JSON key.
    :param read: reads one of them.
    :param unusable: the warning under which a cell that cannot be read is left out; ``None``: its row is rejected.
    """

    depends_on: str | None = None
    """The field of the same row on which the meaning of a cell depends; see :meth:`beside`."""

    def __init__(self, name: str, read: Read, unusable: str | None = None) -> None:
        self.name = name
        self.read = read
        self._unusable = unusable
        self._key = f',"{name}":'.encode()

    def one(self, cell: Any, *beside: bytes) -> Any:
        """Return the value of one cell, of any type; ``None`` where nothing is to send.

        :param beside: the member of the field on which it depends, if there is one.
        :raises Verdict: it has none.
        """
        try:
            if type(cell) not in _READ_AS_THEY_ARE:
                cell = ordinary(cell)
            return None if cell is None else self.read(cell, *beside)
        except Unusable:
            raise
        except Exception as error:  # noqa: BLE001 - one cell must not end the run
            if type(cell) is str:
                plain = values.unquoted(cell.strip())
                if plain != cell.strip():
                    return None if plain is None else self.one(plain, *beside)
            if self._unusable is not None:
                raise Unusable(self._unusable) from None
            raise (error if isinstance(error, Unfit) else unreadable(cell)) from None

    def read_all(self, cells: Sequence[Any], refused: Refused) -> list[Any]:
        """Return the values of cells, ``None`` where nothing is to send."""
        read = self.read
        if only(cells, ORDINARY):
            try:
                return [None if cell is None else read(cell) for cell in cells]
            except Exception:  # noqa: BLE001, S110 - found again below, for each cell by itself
                pass
        return self.read_each(cells, refused)

    def read_each(self, cells: Sequence[Any], refused: Refused) -> list[Any]:
        """Return the values of cells of any types."""
        one = self.one
        found = []
        for row, cell in enumerate(cells):
            try:
                found.append(one(cell))
            except Verdict as verdict:
                found.append(refused(row, verdict))
        return found

    def members(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        if only(cells, ORDINARY):
            read, key = self.read, self._key
            try:
                return [b"" if cell is None or (value := read(cell)) is None else key + _dumps(value) for cell in cells]
            except Exception:  # noqa: BLE001, S110 - found again below, for each cell by itself
                pass
        return self.written(self.read_each(cells, refused), refused)

    def both(self, cells: Sequence[Any], refused: Refused) -> tuple[list[Any], Members]:
        """Return the values of cells and their members."""
        found = self.read_all(cells, refused)
        return found, self.written(found, refused)

    def beside(self, cells: Sequence[Any], others: Members, refused: Refused) -> Members:  # noqa: ARG002
        """Return the members of cells that stand beside other members of their rows, see :attr:`depends_on`."""
        return self.members(cells, refused)

    def written(self, found: Sequence[Any], refused: Refused) -> Members:
        """Return the members of values; text that is no Unicode has none."""
        key = self._key
        try:
            return [b"" if value is None else key + _dumps(value) for value in found]
        except TypeError:
            return [self._written(row, value, refused) for row, value in enumerate(found)]

    def _written(self, row: int, value: Any, refused: Refused) -> bytes:
        try:
            return self.member(value)
        except Unfit as unfit:
            refused(row, unfit)
            return b""

    def member(self, value: Any) -> bytes:
        """Return the member of a value.

        :raises Unfit: it holds text that is no Unicode.
        """
        try:
            return b"" if value is None else self._key + _dumps(value)
        except TypeError:
            raise Unfit("bad_text", "holds a lone surrogate: mend the text's encoding") from None

    def value(self, member: bytes) -> Any:
        """Return the value that a member was written of."""
        return orjson.loads(member[len(self._key) :]) if member else None


class Text(Reader):
    """Reads text that most often needs nothing but trimming.

    A column is looked at as a whole for what needs more: JSON text of a string or of null, placeholders, and addresses.

    :param read: reads any cell.
    :param placeholders: texts that stand for nothing.
    """

    def __init__(
        self,
        name: str,
        read: Read = values.text,
        unusable: str | None = None,
        placeholders: AbstractSet[str] = frozenset(),
    ) -> None:
        super().__init__(name, read, unusable)
        self._nothing = frozenset(self._key + _dumps(word) for word in {"null", *placeholders})
        self._longest_nothing = max(map(len, self._nothing))

    def members(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        key = self._key
        try:
            found = [b"" if cell is None or not (text := str.strip(cell)) else key + _dumps(text) for cell in cells]
        except TypeError:  # some are no text
            return super().members(cells, refused)
        return super().members(cells, refused) if self._needs_care(found) else found

    def both(self, cells: Sequence[Any], refused: Refused) -> tuple[list[Any], Members]:
        """Return the values of cells and their members."""
        try:
            found = [None if cell is None else str.strip(cell) or None for cell in cells]
            members = [b"" if text is None else self._key + _dumps(text) for text in found]
        except TypeError:  # some are no text
            return super().both(cells, refused)
        return super().both(cells, refused) if self._needs_care(members) else (found, members)

    def _needs_care(self, members: Members) -> bool:
        if min(map(len, members), default=0) <= self._longest_nothing and not self._nothing.isdisjoint(members):
            return True
        joined = b"".join(members)
        if joined.find(b"\\") >= 0 and joined.find(self._key + b'"\\"') >= 0:
            return True
        return has_at_sign(joined)


class Hashed(Reader):
    """Reads identifiers that go out hashed.

    :param read: reads any cell.
    :param plain: makes what is hashed of the plainest texts, and nothing of all others.
    :param depends_on: the field beside whose members cells are read.
    """

    def __init__(
        self,
        name: str,
        read: Read,
        plain: Callable[[str], bytes],
        unusable: str | None = None,
        depends_on: str | None = None,
    ) -> None:
        super().__init__(name, read, unusable)
        self._plain = plain
        self.depends_on = depends_on

    def members(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        return self.beside(cells, [], refused)

    def beside(self, cells: Sequence[Any], others: Members, refused: Refused) -> Members:
        """Return the members of cells that stand beside other members of their rows."""
        plain = self._plain
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
                found.append(self.member(self.one(cell, *others[row : row + 1])))
            except Verdict as verdict:
                found.append(self.member(refused(row, verdict)))
        return found


class Remembered(Reader):
    """Reads cells that repeat from row to row, such as cities: what was read once is looked up.

    Only text is remembered: ``1``, ``1.0`` and ``True`` are one key and three different cells.

    :param lists: whether a list of one text is read as that text.
    """

    def __init__(
        self, name: str, read: Read, unusable: str | None = None, size: int = MEMO_SIZE, *, lists: bool = False
    ) -> None:
        super().__init__(name, read, unusable)
        self._known = _Memo(self._read, self._may_keep, size)
        self._lists = lists

    def members(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        kind = type(cells[0]) if cells else None
        if kind is float or kind is Decimal or kind is dt.date:  # most likely none of them is text
            return super().members(cells, refused)
        known = self._known
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
                member = known.get(cell) if keep else None
                if member is None:
                    member = self.member(self.one(cell))
                    if keep:
                        known.keep(cell, member)
                found.append(member)
            except Verdict as verdict:
                found.append(self.member(refused(row, verdict)))
        return found

    def both(self, cells: Sequence[Any], refused: Refused) -> tuple[list[Any], Members]:
        """Return the values of cells and their members."""
        members = self.members(cells, refused)
        found = {member: self.value(member) for member in set(members)}
        return [found[member] for member in members], members

    def _read(self, cell: Any) -> bytes:
        return b"" if cell is None else self.member(self.read(cell))

    @staticmethod
    def _may_keep(cell: Any) -> bool:
        return type(cell) is str and len(cell) <= MEMO_CELL

    @staticmethod
    def _can_be_looked_up(cells: Sequence[Any]) -> bool:
        """Return whether no cell can pass for another one."""
        return all_text(cells) or only(cells, HASHABLE)

    @staticmethod
    def _without_lists(cells: Sequence[Any]) -> Sequence[Any]:
        """Return cells with the text in the place of lists of one text, as ready events have them."""
        return [cell[0] if type(cell) is list and len(cell) == 1 and type(cell[0]) is str else cell for cell in cells]


class Integers(Remembered):
    """Reads whole numbers; small ones repeat."""

    def members(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        if only(cells, _INTEGERS):
            return super().members(cells, refused)
        return Reader.members(self, cells, refused)

    @staticmethod
    def _may_keep(cell: Any) -> bool:
        return type(cell) is int

    @staticmethod
    def _can_be_looked_up(_: Sequence[Any]) -> bool:
        return True  # `members` looked


class Beside(Remembered):
    """Reads cells that repeat and whose meaning depends on another field of their row.

    A cell is a pair here: the row's own cell, and the member that was written of the other field.

    :param read: reads a cell together with that member.
    :param depends_on: the other field.
    """

    def __init__(self, name: str, read: Callable[[Any, bytes], Any], depends_on: str, unusable: str | None) -> None:
        super().__init__(name, self._read_pair, unusable, lists=True)
        self._read_beside = read
        self.depends_on = depends_on

    def beside(self, cells: Sequence[Any], others: Members, refused: Refused) -> Members:
        """Return the members of cells that stand beside other members of their rows."""
        return self.members(list(zip(cells, others, strict=True)), refused)

    def _read_pair(self, pair: tuple[Any, bytes]) -> Any:
        cell, other = pair
        if type(cell) is not str:
            cell = ordinary(cell)
        return None if cell is None else self._read_beside(cell, other)

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


class _Memo(dict[Any, bytes]):
    """Remembers answers of a function for cells that ``may_keep`` allows, a limited number of limited length."""

    def __init__(self, answer: Callable[[Any], bytes], may_keep: Callable[[Any], bool], size: int) -> None:
        super().__init__()
        self._answer = answer
        self._may_keep = may_keep
        self._size = size
        self._room = MEMO_BYTES

    def __missing__(self, cell: Any) -> bytes:
        found = self._answer(cell)
        if self._room > 0 and (cell is None or self._may_keep(cell)):
            self.keep(cell, found)
        return found

    def keep(self, cell: Any, found: bytes) -> None:
        """Remember an answer, if there is room."""
        if self._room > 0 and len(self) < self._size:
            self[cell] = found
            self._room -= len(found)


class Objects(Reader):
    """Reads lists of JSON objects, each key of theirs as a column of its own.

    :param readers: name of a key, in lower case → the reader of its field; of two names for one field the first wins.
    """

    def __init__(self, name: str, readers: Mapping[str, Reader]) -> None:
        super().__init__(name, values.objects)
        self._readers = readers
        self._names = [*dict.fromkeys(reader.name for reader in readers.values())]
        self._in_order = [*reversed([*readers.items()])]
        """The keys, of two for one field the one that wins last."""

    def members(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells; a list with an unfit object has none, and is refused for the first of them."""
        lists, parsed = self._lists(cells, refused)
        objects = list(chain.from_iterable(filter(None, lists)))
        unfit: dict[int, Unfit] = {}
        unusable: list[tuple[int, Unusable]] = []
        written = iter(self._objects(objects, unfit, unusable, parsed=parsed))
        start, end = self._key + b"[{", b"}]"
        members = []
        for found in lists:
            joined = b"},{".join(filter(None, islice(written, len(found)))) if found else b""
            members.append(start + joined + end if joined else b"")
        if unfit or unusable:
            places = [(row, position) for row, found in enumerate(lists) for position, _ in enumerate(found or ())]
            first = {places[at][0]: at for at in sorted(unfit, reverse=True)}
            for row, at in sorted(first.items()):
                why = unfit[at]
                refused(row, Unfit(why.code, why.message, f"[{places[at][1]}]{why.at}"))
                members[row] = b""
            for at, warning in unusable:
                refused(places[at][0], warning)
        return members

    def _lists(self, cells: Sequence[Any], refused: Refused) -> tuple[list[Any], bool]:
        """Return the lists that cells hold, ``None`` where they hold nothing, and whether all were read from JSON."""
        try:
            lists = list(map(orjson.loads, cells))
        except (TypeError, ValueError):  # not all of them are JSON
            return self.read_all(cells, refused), False
        if {*map(type, lists)} == {list}:
            return lists, True
        return self.read_all(cells, refused), False

    def _objects(
        self, objects: Sequence[Any], unfit: dict[int, Unfit], unusable: list[tuple[int, Unusable]], *, parsed: bool
    ) -> Iterable[bytes]:
        """Return what stands between the braces of each object; note what is wrong with them, and what to warn of.

        :param parsed: whether the objects were read from JSON, so that their keys are text.
        """
        present: set[str] = set()
        if only(objects, _OBJECTS) and (parsed or only(chain.from_iterable(objects), TEXTS)):
            present = {*chain.from_iterable(objects)}
        if not present or not present <= self._readers.keys():
            objects = [self._by_name(at, one, unfit) for at, one in enumerate(objects)]
            present = {*chain.from_iterable(objects)}
        columns: dict[str, Members] = {}
        for key, reader in self._in_order:
            if key not in present:
                continue

            def refused(at: int, verdict: Verdict, name: str = reader.name) -> Any:
                if isinstance(verdict, Unusable):
                    unusable.append((at, verdict))
                    return verdict.kept
                if isinstance(verdict, Unfit):
                    unfit.setdefault(at, Unfit(verdict.code, verdict.message, f".{name}{verdict.at}"))
                return None

            late = reader.members([one.get(key) for one in objects], refused)
            early = columns.get(reader.name)
            columns[reader.name] = [one or other for one, other in zip(late, early, strict=True)] if early else late
        if not columns:
            return [b""] * len(objects)
        in_order = [columns[name] for name in self._names if name in columns]
        return map(b"".join, zip(*inside(in_order), strict=True))

    def _by_name(self, at: int, one: Any, unfit: dict[int, Unfit]) -> Mapping[str, Any]:
        """Return an object with names as they stand in the table; an empty one if it is unfit."""
        try:
            found = ordinary(one)
            if found is None:
                return {}
            if type(found) is not dict:
                raise Unfit("bad_json", f"expected a JSON object, got {kind(found)}")
            named = by_name(found)
            for name, key in named.keys.items():
                if name not in self._readers:
                    message = f"Pinterest knows no such name; known are {', '.join(sorted(self._readers))}"
                    raise Unfit("unknown_field", message, f".{clean(key)[:40]}")
        except Unfit as why:
            unfit.setdefault(at, why)
            return {}
        return named.values


def inside(columns: Sequence[Members]) -> list[Members]:
    """Return what is to be joined, row by row, to stand between an object's braces: no comma comes first.

    :param columns: the members of the object, one column at least.
    """
    first, *others = columns
    if all(first):
        return [[member[1:] for member in first], *others]
    return [[members[1:] for members in map(b"".join, zip(*columns, strict=True))]]
