"""Reading the cells of one field, those of many rows at once.

A reader is made of a function that reads one cell. It goes down a column of cells and writes what it reads as members
of a JSON object, ``,"em":["…"]``: an event's JSON is the members of its fields, joined. Most columns hold nothing but
what their field expects, and then a cell costs a look-up or a few steps; only a column in which a cell is refused is
read one cell after the other.
"""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import chain, islice
from typing import Any, Final

import orjson

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.reasons import Unfit, Verdict

Read = Callable[[Any], Any]
"""One non-empty cell → the JSON value, ``None`` for nothing to send; raises Unfit or Unusable."""

Refused = Callable[[int, Verdict], Any]
"""Told which cell of a column was refused, and why; returns the value to send, if any."""

Members = list[bytes]
"""One member of a JSON object for each row, with a comma before it; empty where nothing is to send."""

MEMO_SIZE: Final = 16_384
"""Distinct cells remembered per field (about 5 MB); later ones are read each time."""

HASH_DIGITS: Final = 64
"""Digits of a SHA-256 in hexadecimal."""

_dumps: Final = orjson.dumps
_INTEGERS: Final = frozenset({int, type(None)})


class Reader:
    """Reads the cells of one field.

    :param name: the field's JSON key.
    :param read: reads one of them.
    """

    def __init__(self, name: str, read: Read) -> None:
        self.name = name
        self.read = read
        self._key = f',"{name}":'.encode()

    def read_all(self, cells: Sequence[Any], refused: Refused) -> list[Any]:
        """Return the values of cells, ``None`` where nothing is to send."""
        read = self.read
        found = []
        for row, cell in enumerate(cells):
            try:
                found.append(None if cell is None else read(cell))
            except Verdict as verdict:
                found.append(refused(row, verdict))
        return found

    def members(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        return self.written(self.read_all(cells, refused), refused)

    def both(self, cells: Sequence[Any], refused: Refused) -> tuple[list[Any], Members]:
        """Return the values of cells and their members."""
        found = self.read_all(cells, refused)
        return found, self.written(found, refused)

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
    """Reads text that needs nothing but trimming."""

    def __init__(self, name: str) -> None:
        super().__init__(name, values.text)

    def read_all(self, cells: Sequence[Any], refused: Refused) -> list[Any]:
        """Return the values of cells, ``None`` where nothing is to send."""
        try:
            return [None if cell is None else str.strip(cell) or None for cell in cells]
        except TypeError:  # some are no text
            return super().read_all(cells, refused)

    def members(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        key = self._key
        try:
            return [b"" if cell is None or not (text := str.strip(cell)) else key + _dumps(text) for cell in cells]
        except TypeError:
            return super().members(cells, refused)


class Hashed(Reader):
    """Reads identifiers that go out hashed.

    :param read: reads any cell.
    :param canonical: makes the text to hash of text that is neither hashed already nor a list nor beyond ASCII.
    """

    def __init__(self, name: str, read: Read, canonical: Callable[[str], str]) -> None:
        super().__init__(name, read)
        self._canonical = canonical

    def members(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        canonical = self._canonical
        start, end = self._key + b'["', b'"]'
        found = []
        for row, cell in enumerate(cells):
            if cell is None:
                found.append(b"")
                continue
            if (
                type(cell) is str
                and cell.isascii()
                and (text := cell.strip())
                and len(text) < HASH_DIGITS
                and text[0] != "["
                and (plain := canonical(text))
            ):
                found.append(start + hexlify(sha256(plain.encode()).digest()) + end)
                continue
            try:
                found.append(self.member(self.read(cell)))
            except Verdict as verdict:
                found.append(self.member(refused(row, verdict)))
        return found


class Remembered(Reader):
    """Reads cells that repeat from row to row, such as cities: what was read once is looked up.

    Only text is remembered: ``1``, ``1.0`` and ``True`` are one key and three different cells.
    """

    def __init__(self, name: str, read: Read, size: int = MEMO_SIZE) -> None:
        super().__init__(name, read)
        self._known = _Memo(self._read, self._may_keep, size)

    def members(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        known = self._known
        try:
            return list(map(known.__getitem__, cells))
        except (Verdict, TypeError):  # one is refused, or is a list
            pass
        found = []
        for row, cell in enumerate(cells):
            try:
                found.append(known[cell] if self._may_keep(cell) else self._read(cell))
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
        return type(cell) is str


class Integers(Remembered):
    """Reads whole numbers; small ones repeat."""

    def members(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        if {*map(type, cells)} <= _INTEGERS:
            return super().members(cells, refused)
        return Reader.members(self, cells, refused)

    @staticmethod
    def _may_keep(cell: Any) -> bool:
        return type(cell) is int


class ByCountry(Remembered):
    """Reads cells whose meaning depends on the country of their row.

    A cell is a pair here: the row's own cell, and the member that was written of its country.

    :param read: reads a cell together with whether the country is the one that matters; ``None``: it is not known.
    :param country: the hash of the country that matters.
    """

    def __init__(self, name: str, read: Read, country: str) -> None:
        super().__init__(name, self._read_pair)
        self._read_known = read
        self._country = country.encode()

    def _read_pair(self, pair: tuple[Any, bytes]) -> Any:
        cell, country = pair
        return None if cell is None else self._read_known((cell, self._country in country if country else None))

    @staticmethod
    def _may_keep(cell: Any) -> bool:
        return type(cell[0]) is str


class _Memo(dict[Any, bytes]):
    """Remembers up to ``size`` answers of a function, for cells that ``may_keep`` allows."""

    def __init__(self, answer: Callable[[Any], bytes], may_keep: Callable[[Any], bool], size: int) -> None:
        super().__init__()
        self._answer = answer
        self._may_keep = may_keep
        self._size = size

    def __missing__(self, cell: Any) -> bytes:
        found = self._answer(cell)
        if cell is None or (self._may_keep(cell) and len(self) < self._size):
            self[cell] = found
        return found


class Objects(Reader):
    """Reads lists of JSON objects, each key of theirs as a column of its own.

    :param readers: name of a key, in lower case → the reader of its field; of two names for one field the first wins.
    """

    def __init__(self, name: str, readers: Mapping[str, Reader]) -> None:
        super().__init__(name, values.objects)
        self._readers = readers
        self._names = [*dict.fromkeys(reader.name for reader in readers.values())]
        self._order = {key: order for order, key in enumerate(reversed([*readers]), 1)}

    def members(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells; a list with an unfit object has none, and is refused for the first of them."""
        lists = self._lists(cells, refused)
        objects = list(chain.from_iterable(filter(None, lists)))
        unfit: dict[int, Unfit] = {}
        written = iter(self._objects(objects, unfit))
        start, end = self._key + b"[{", b"}]"
        members = []
        for found in lists:
            joined = b"},{".join(filter(None, islice(written, len(found)))) if found else b""
            members.append(start + joined + end if joined else b"")
        if unfit:
            places = [(row, position) for row, found in enumerate(lists) for position, _ in enumerate(found or ())]
            first = {places[at][0]: at for at in sorted(unfit, reverse=True)}
            for row, at in sorted(first.items()):
                why = unfit[at]
                refused(row, Unfit(why.code, why.message, f"[{places[at][1]}]{why.at}"))
                members[row] = b""
        return members

    def _lists(self, cells: Sequence[Any], refused: Refused) -> list[Any]:
        """Return the lists that cells hold, ``None`` where they hold nothing."""
        try:
            lists = list(map(orjson.loads, cells))
        except (TypeError, ValueError):  # not all of them are JSON
            return self.read_all(cells, refused)
        return lists if {*map(type, lists)} == {list} else self.read_all(cells, refused)

    def _objects(self, objects: Sequence[Any], unfit: dict[int, Unfit]) -> Iterable[bytes]:
        """Return what stands between the braces of each object; note of each unfit one what is the matter."""
        if not {*map(type, objects)} <= {dict}:
            objects = [{} if one is None else one for one in objects]
            unfit |= {
                at: Unfit("bad_json", f"expected a JSON object, got {values.kind(one)}")
                for at, one in enumerate(objects)
                if not isinstance(one, Mapping)
            }
            objects = [{} if at in unfit else one for at, one in enumerate(objects)]
        columns: dict[str, Members] = {}
        keys = {key: str(key).strip().lower() for key in dict.fromkeys(chain.from_iterable(objects))}
        for key, name in sorted(keys.items(), key=lambda both: (self._order.get(both[1], 0), str(both[0]))):
            reader = self._readers.get(name)
            if reader is None:
                message = f"Pinterest knows no such name; known are {', '.join(sorted(self._readers))}"
                for at, one in enumerate(objects):
                    if key in one:
                        unfit.setdefault(at, Unfit("unknown_field", message, f".{str(key)[:40]}"))
                continue

            def refused(at: int, verdict: Verdict, name: str = reader.name) -> None:
                if isinstance(verdict, Unfit):
                    unfit.setdefault(at, Unfit(verdict.code, verdict.message, f".{name}{verdict.at}"))

            late = reader.members([one.get(key) for one in objects], refused)
            early = columns.get(reader.name)
            columns[reader.name] = [one or other for one, other in zip(late, early, strict=True)] if early else late
        if not columns:
            return [b""] * len(objects)
        in_order = [columns[name] for name in self._names if name in columns]
        return map(b"".join, zip(*inside(in_order), strict=True))


def inside(columns: Sequence[Members]) -> list[Members]:
    """Return what is to be joined, row by row, to stand between an object's braces: no comma comes first.

    :param columns: the members of the object, one column at least.
    """
    first, *others = columns
    if all(first):
        return [[member[1:] for member in first], *others]
    return [[members[1:] for members in map(b"".join, zip(*columns, strict=True))]]
