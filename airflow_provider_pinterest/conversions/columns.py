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
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from hashlib import sha256
from itertools import chain, islice, repeat
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from uuid import UUID

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
    shown,
    unreadable,
)
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.conversions.personal import has_at_sign
from airflow_provider_pinterest.conversions.reasons import CellError, InvalidCellError, UnusableCellError
from airflow_provider_pinterest.conversions.repeats import Repeats
from airflow_provider_pinterest.redaction import clean

Read = Callable[..., Any]
"""One non-empty cell, and the member that it depends on → the JSON value; ``None``: nothing to send.

It may raise :class:`InvalidCellError` or :class:`UnusableCellError`.
"""

Refused = Callable[[int, CellError], Any]
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
_DATES: Final = frozenset({dt.date})
_TEXTLIKE: Final = frozenset({int, UUID})
_OBJECTS: Final = frozenset({dict})
_READ_AS_THEY_ARE: Final = ORDINARY - {float, Decimal}
_AMBIGUOUS: Final = b'",",'
"""In the JSON of a list of texts: ``","`` may be the end of a text, and not only what stands between two."""

_first = itemgetter(0)
_NO_NAMES: Final[Mapping[str, str | None]] = MappingProxyType({})
_MAPPED: Final = 1_000
"""The rank of a name that the author mapped."""


class ColumnParser:
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
        :raises CellError: it has none.
        """
        try:
            if type(cell) not in _READ_AS_THEY_ARE:
                cell = ordinary(cell)
            return None if cell is None else self.read(cell, *beside)
        except UnusableCellError:
            raise
        except Exception as error:  # noqa: BLE001 - one cell must not end the run
            if type(cell) is str:
                seen = cell.strip(values.INVISIBLE)
                plain = values.unquoted(seen)
                if plain != cell.strip() and (seen or not cell.strip()):
                    return None if plain is None else self.one(plain, *beside)
            why = error if isinstance(error, InvalidCellError) else unreadable(cell)
            raise self._left_out(why) from None

    def _left_out(self, why: InvalidCellError) -> CellError:
        """Return what an unfit cell comes to: whether its row is rejected, or only the cell left out."""
        return (
            why
            if self._unusable is None
            else UnusableCellError(self._unusable, message=f"{why.at} {why.message}".strip())
        )

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
            except CellError as verdict:
                found.append(refused(row, verdict))
        return found

    def encode(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        if only(cells, ORDINARY):
            read, key = self.read, self._key
            try:
                return [b"" if cell is None or (value := read(cell)) is None else key + _dumps(value) for cell in cells]
            except Exception:  # noqa: BLE001, S110 - found again below, for each cell by itself
                pass
        return self.written(self.read_each(cells, refused), refused)

    def parse_and_encode(self, cells: Sequence[Any], refused: Refused) -> tuple[list[Any], Members]:
        """Return the values of cells and their members."""
        found = self.read_all(cells, refused)
        return found, self.written(found, refused)

    def beside(self, cells: Sequence[Any], others: Members, refused: Refused) -> Members:  # noqa: ARG002
        """Return the members of cells that stand beside other members of their rows, see :attr:`depends_on`."""
        return self.encode(cells, refused)

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
        except CellError as verdict:
            refused(row, verdict)
            return b""

    def member(self, value: Any) -> bytes:
        """Return the member of a value.

        :raises CellError: it holds text that is not valid Unicode.
        """
        try:
            return b"" if value is None else self._key + _dumps(value)
        except TypeError:
            why = InvalidCellError("bad_text", "holds a lone surrogate: correct the encoding of the text")
            raise self._left_out(why) from None

    def value(self, member: bytes) -> Any:
        """Return the value that a member was written of."""
        return orjson.loads(member[len(self._key) :]) if member else None


class Text(ColumnParser):
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

    def encode(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        try:
            found = self._of_texts(_trimmed(cells))
        except TypeError:
            texts = _as_text(cells)
            return super().encode(cells, refused) if texts is cells else self.encode(texts, refused)
        return super().encode(cells, refused) if self._needs_care(found) else found

    def parse_and_encode(self, cells: Sequence[Any], refused: Refused) -> tuple[list[Any], Members]:
        """Return the values of cells and their members."""
        try:
            trimmed = _trimmed(cells)
            members = self._of_texts(trimmed)
        except TypeError:
            texts = _as_text(cells)
            return super().parse_and_encode(cells, refused) if texts is cells else self.parse_and_encode(texts, refused)
        if self._needs_care(members):
            return super().parse_and_encode(cells, refused)
        return [text or None for text in trimmed], members

    def _of_texts(self, texts: Sequence[str]) -> Members:
        """Return the members of trimmed texts, written at once.

        :raises TypeError: one of them is not valid Unicode.
        """
        written = _dumps(texts)
        if len(texts) > 1 and written.find(_AMBIGUOUS) < 0:
            return cut(written[2:-2], b'","', self._key + b'"', b'"')
        return [self._key + _dumps(text) if text else b"" for text in texts]

    def _needs_care(self, members: Members) -> bool:
        if min(map(len, members), default=0) <= self._longest_nothing and not self._nothing.isdisjoint(members):
            return True
        joined = b"".join(members)
        if joined.find(b"\\") >= 0 and joined.find(self._key + b'"\\"') >= 0:
            return True
        return has_at_sign(joined)


class ProductIds(Text):
    """Reads ids of products; ``0`` stands for no product, as in the variations of products that have none."""

    def encode(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        found = super().encode(cells, refused)
        none = self._key + b'"0"'
        return [b"" if member == none else member for member in found] if none in found else found


class Hashed(ColumnParser):
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

    def encode(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        return self.beside(cells, [], refused)

    def beside(self, cells: Sequence[Any], others: Members, refused: Refused) -> Members:
        """Return the members of cells that stand beside other members of their rows."""
        plain = self._plain
        cells = _as_text(cells)
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
            except CellError as verdict:
                found.append(self.member(refused(row, verdict)))
        return found


def _trimmed(cells: Sequence[Any]) -> list[str]:
    """Return the trimmed texts of cells, empty text where a cell is empty.

    :raises TypeError: one of them is something else.
    """
    try:
        return list(map(str.strip, cells))
    except TypeError:
        return ["" if cell is None else str.strip(cell) for cell in cells]


def _as_text(cells: Sequence[Any], types: AbstractSet[type] = _TEXTLIKE) -> Sequence[Any]:
    """Return a column of one of these types as text, and any other one as it is."""
    if not cells or not only(cells[:1], types) or not only(cells, {type(cells[0]), type(None)}):
        return cells
    try:
        written = _dumps(cells).decode()
    except TypeError:  # an integer of more than 64 bits
        return cells
    return [None if text == "null" else text for text in written[1:-1].replace('"', "").split(",")]


class CachedParser(ColumnParser):
    """Reads cells that repeat from row to row, such as cities: what was read once is looked up.

    Only text is remembered: ``1``, ``1.0`` and ``True`` are one key and three different cells.

    :param lists: whether a list of one text is read as that text.
    """

    def __init__(
        self, name: str, read: Read, unusable: str | None = None, size: int = MEMO_SIZE, *, lists: bool = False
    ) -> None:
        super().__init__(name, read, unusable)
        self._known = _BoundedCache(self._read, self._may_keep, size)
        self._lists = lists

    def encode(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells."""
        kind = type(cells[0]) if cells else None
        if kind is float or kind is Decimal:  # most likely none of them is text
            return super().encode(cells, refused)
        if self._lists:  # an identifier: a date is the same as its text
            cells = _as_text(cells, _DATES)
        return self._looked_up(cells, refused)

    def _looked_up(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells, those of known ones without reading them."""
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
            except CellError as verdict:
                found.append(self.member(refused(row, verdict)))
        return found

    def parse_and_encode(self, cells: Sequence[Any], refused: Refused) -> tuple[list[Any], Members]:
        """Return the values of cells and their members."""
        members = self.encode(cells, refused)
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


class DependentParser(CachedParser):
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
        return self.encode(list(zip(cells, others, strict=True)), refused)

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


class _BoundedCache(dict[Any, bytes]):
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


class Member(NamedTuple):
    """What reads one field of the objects in a list.

    :param reader: reads its cells.
    :param names: its names as they are compared; of two in one object the first wins.
    :param rivals: sets of names that may mean different things.
    """

    reader: ColumnParser
    names: tuple[str, ...]
    rivals: tuple[frozenset[str], ...] = ()


class _Place(NamedTuple):
    """What a name of a member means.

    :param rank: of two names for one field in one object the one with the higher rank wins.
    :param name: the name as it is compared.
    :param reader: reads the cells; ``None``: they are ignored.
    """

    rank: int
    name: str
    reader: ColumnParser | None


_IGNORED: Final = _Place(0, "", None)


class Objects(ColumnParser):
    """Reads lists of JSON objects, each key of theirs as a column of its own.

    :param known: what reads each of their fields.
    :param ignored: names that are ignored, in their compared form.
    :param mapped: name in its compared form → the field's name; ``None``: it is ignored. Comes before ``known``.
    :param is_open: whether names that are not known are ignored.
    :param unusable: the warning under which a list, or an element of it, is left out.
    """

    def __init__(
        self,
        name: str,
        known: Sequence[Member],
        *,
        ignored: AbstractSet[str] = frozenset(),
        mapped: Mapping[str, str | None] = _NO_NAMES,
        is_open: bool = False,
        unusable: str | None = None,
    ) -> None:
        super().__init__(name, _objects, unusable)
        self._known = known
        self._names = [member.reader.name for member in known]
        readers = {member.reader.name: member.reader for member in known}
        self._places: dict[str, _Place] = dict.fromkeys(ignored, _IGNORED)
        for member in known:
            for rank, name_ in enumerate(reversed(member.names)):
                self._places[name_] = _Place(rank, name_, member.reader)
        for name_, field in mapped.items():
            self._places[name_] = _IGNORED if field is None else _Place(_MAPPED, name_, readers[field])
        self._is_open = is_open
        self._spelling: dict[str, str] = {}
        """Names in their compared form → how the first object that had them wrote them."""
        self._meant: dict[str, _Place] = {}
        """Names as the first object that had them wrote them → what they mean."""
        self._repeats = Repeats(self._faultless, self._key)

    def encode(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells; a list with a name that is not known has none."""
        members = self._repeats.encode(cells)
        left = [row for row, member in enumerate(members) if member is None]
        if len(left) == len(cells):
            return self._read_lists(cells, refused)
        read = self._read_lists([cells[row] for row in left], lambda at, verdict: refused(left[at], verdict))
        others = iter(read)
        return [next(others) if member is None else member for member in members]

    def _faultless(self, objects: Sequence[Any]) -> Sequence[bytes]:
        """Return what stands between the braces of objects that were read from JSON; nothing for one with a fault."""
        faults: set[int] = set()
        columns = self._objects(objects, lambda at, _: faults.add(at), parsed=True)
        written = map(b"".join, zip(*inside(columns), strict=True)) if columns else repeat(b"", len(objects))
        return [b"" if at in faults else one for at, one in enumerate(written)]

    def _read_lists(self, cells: Sequence[Any], refused: Refused) -> Members:
        """Return the members of cells, which are all read."""
        lists, parsed = self._lists(cells, refused)
        objects = list(chain.from_iterable(filter(None, lists)))
        problems: list[tuple[int, CellError]] = []
        columns = self._objects(objects, lambda at, verdict: problems.append((at, verdict)), parsed=parsed)
        members = self._joined(lists, columns) if columns else [b""] * len(lists)
        if problems:
            self._report(lists, problems, members, refused)
        return members

    def _joined(self, lists: Sequence[Any], columns: Sequence[Members]) -> Members:
        """Join the members of objects to those of the cells in which the objects stand; empty objects are left out."""
        sizes = [len(found) if found else 0 for found in lists]
        parts = inside(columns)
        if not all(parts[0]):
            [objects] = parts
            left = iter(objects)
            sizes = [sum(map(bool, islice(left, size))) for size in sizes]
            parts = [[*filter(None, objects)]]
        start = self._key + b"[{"
        end = b"}]\n" + start  # JSON that is written without spaces has no line break
        ends = {size: (b"},{",) * (size - 1) + (end,) if size else () for size in set(sizes)}
        after = chain.from_iterable(map(ends.__getitem__, sizes))
        joined = start + b"".join(chain.from_iterable(zip(*parts, after, strict=True)))
        lines = joined.split(b"\n")
        if all(sizes):
            return lines[:-1]
        line = iter(lines)
        return [next(line) if size else b"" for size in sizes]

    @staticmethod
    def _report(
        lists: Sequence[Any], problems: Sequence[tuple[int, CellError]], members: Members, refused: Refused
    ) -> None:
        """Report what is wrong with objects about the cells in which they stand, of each cell one rejection at most."""
        places = [(row, position) for row, found in enumerate(lists) for position, _ in enumerate(found or ())]
        rejected = set()
        for at, verdict in sorted(problems, key=itemgetter(0)):
            row, position = places[at]
            if not isinstance(verdict, InvalidCellError):
                refused(row, verdict)
            elif row not in rejected:
                rejected.add(row)
                refused(row, InvalidCellError(verdict.code, verdict.message, f"[{position}]{verdict.at}"))
                members[row] = b""

    def _lists(self, cells: Sequence[Any], refused: Refused) -> tuple[list[Any], bool]:
        """Return the lists that cells hold, ``None`` where they hold nothing, and whether all were read from JSON."""
        try:
            lists = list(map(orjson.loads, cells))
        except (TypeError, ValueError):  # not all of them are JSON
            return self.read_all(cells, refused), False
        if {*map(type, lists)} == {list}:
            return lists, True
        return self.read_all(cells, refused), False

    def _objects(self, objects: Sequence[Any], refused: Refused, *, parsed: bool) -> list[Members]:
        """Return the members of objects by field, in the order of the fields.

        :param parsed: whether the objects were read from JSON, so that their keys are text.
        """
        if not (only(objects, _OBJECTS) and (parsed or only(chain.from_iterable(objects), TEXTS))):
            objects = [self._plain(at, one, refused) for at, one in enumerate(objects)]
        keys = [*chain.from_iterable(objects)]
        present = set(keys)
        if new := present - self._meant.keys():
            objects = self._learn(new, objects, refused)
            keys = [*chain.from_iterable(objects)]
            present = self._meant.keys() & keys
        known = sorted(place for place in map(self._meant.__getitem__, present) if place.reader is not None)
        cells_of = _cells_by_key(objects, keys)
        columns: dict[str, Members] = {}
        found: dict[str, Members] = {}
        for _, name, reader in known:
            assert reader is not None  # noqa: S101 # nosec B101
            gone: list[int] = []

            def left_out(at: int, verdict: CellError, gone: list[int] = gone, field: str = reader.name) -> Any:
                gone.append(at)
                if isinstance(verdict, InvalidCellError):
                    verdict = InvalidCellError(verdict.code, verdict.message, f".{field}{verdict.at}")
                refused(at, verdict)
                return getattr(verdict, "kept", None)

            late = reader.encode(cells_of(self._spelling[name]), left_out)
            found[name] = _over(late, found.get(name), gone)
            columns[reader.name] = _over(late, columns.get(reader.name), gone)
        self._find_rivals(found, refused)
        return [columns[name] for name in self._names if name in columns]

    def _learn(
        self, new: AbstractSet[str], objects: Sequence[Mapping[str, Any]], refused: Refused
    ) -> Sequence[Mapping[str, Any]]:
        """Learn how names are written; return the objects with each name written in one way.

        Of two spellings of one name in an object the last in alphabetical order wins, unless it is empty.
        """
        unknown, respelt = set(), set()
        for key in sorted(new):
            name = folded(key)
            place = self._places.get(name)
            if place is None:
                unknown.add(key)
            elif name not in self._spelling:
                self._spelling[name] = key
                self._meant[key] = place
            elif place.reader is not None:
                respelt.add(key)
        if unknown and not self._is_open:
            for at, one in enumerate(objects):
                if not unknown.isdisjoint(one):
                    refused(at, self._unknown(min(unknown.intersection(one))))
        return [one if respelt.isdisjoint(one) else self._respelt(one) for one in objects] if respelt else objects

    def _respelt(self, one: Mapping[str, Any]) -> Mapping[str, Any]:
        return {self._spelling.get(name, name): value for name, value in by_name(one).values.items()}

    def _unknown(self, key: str) -> InvalidCellError:
        said = clean(key)[:40]
        return InvalidCellError(
            "unknown_field",
            f"Pinterest has no such field. Ignore it with field_map={{'{self.name}.{said}': None}}, or map it, as in "
            f"{{'{self.name}.{said}': '{self.name}.{self._names[0]}'}}. {{'{self.name}.*': None}} ignores all names "
            "that are not known",
            f".{said}",
        )

    def _find_rivals(self, found: Mapping[str, Members], refused: Refused) -> None:
        """Report objects with different values under names that may mean different things."""
        for member in self._known:
            chosen = [
                members
                for name, members in found.items()
                if self._places[name].rank == _MAPPED and self._places[name].reader is member.reader
            ]
            settled = [any(row) for row in zip(*chosen, strict=True)] if chosen else []
            reported: set[int] = set()
            for rivals in member.rivals:
                names = [name for name in found if name in rivals]
                if len(names) < 2:
                    continue
                for at, row in enumerate(zip(*map(found.__getitem__, names), strict=True)):
                    if len({*filter(None, row)}) > 1 and not (settled and settled[at]) and at not in reported:
                        reported.add(at)
                        refused(at, UnusableCellError("ambiguous_item_id"))

    def _plain(self, at: int, one: Any, refused: Refused) -> Mapping[str, Any]:
        """Return an object as a dictionary whose keys are text; an empty one if it is none."""
        try:
            found = ordinary(one)
            if type(found) is str:
                found = values.json(found)
            if found is None:
                return {}
            if type(found) is not dict:
                raise InvalidCellError("bad_json", f"expected a JSON object, got {kind(found)}")
            return {key if type(key) is str else str(shown(key)): value for key, value in found.items()}
        except InvalidCellError as why:
            refused(at, self._left_out(why))
            return {}


def _objects(cell: Any) -> Sequence[Any] | None:
    """Read a list of JSON objects, or one alone; also where the text of one is itself the text of a JSON string."""
    found = values.objects(cell)
    return values.objects(found[0]) if found and type(cell) is str and type(found[0]) is str else found


def _cells_by_key(objects: Sequence[dict[str, Any]], keys: Sequence[str]) -> Callable[[str], Sequence[Any]]:
    """Return what finds the cells under a key, ``None`` where an object lacks it.

    :param keys: the keys of all objects, one object after the other.
    """
    shape = [*objects[0]] if objects else []
    if len(keys) == len(shape) * len(objects) and keys == shape * len(objects):
        cells = [*chain.from_iterable(map(dict.values, objects))]
        return lambda key: cells[shape.index(key) :: len(shape)]
    return lambda key: [one.get(key) for one in objects]


def _over(late: Members, early: Members | None, gone: Sequence[int]) -> Members:
    """Return what later cells say, or earlier ones where those hold nothing; where a cell was refused, what is left."""
    if early is None:
        return late
    found = [one or other for one, other in zip(late, early, strict=True)]
    for at in gone:
        found[at] = late[at]
    return found


def cut(written: bytes, between: bytes, start: bytes, end: bytes, nothing: bytes = b"") -> Members:
    """Cut a column that was written as JSON without line breaks into members.

    This takes a third of the time of writing one member after the other.

    :param between: what stands between two values.
    :param start: what each member starts with.
    :param end: what it ends with.
    :param nothing: the value that is not sent.
    """
    joined = b"".join([start, written.replace(between, end + b"\n" + start), end])
    empty = start + nothing + end
    members = joined.split(b"\n")
    return [b"" if member == empty else member for member in members] if joined.find(empty) >= 0 else members


def inside(columns: Sequence[Members]) -> list[Members]:
    """Return what is to be joined, row by row, to stand between an object's braces: no comma comes first.

    :param columns: the members of the object, one column at least.
    """
    first, *others = columns
    if all(first):
        return [[member[1:] for member in first], *others]
    return [[members[1:] for members in map(b"".join, zip(*columns, strict=True))]]
