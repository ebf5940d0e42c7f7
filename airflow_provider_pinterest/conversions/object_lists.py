"""The parser of lists of JSON objects, such as line items. Each key becomes a separate column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, islice, repeat
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import orjson

from airflow_provider_pinterest.conversions import shop_items, values
from airflow_provider_pinterest.conversions.cells import (
    TEXTS,
    by_name,
    kind,
    only,
    ordinary,
    shown,
)
from airflow_provider_pinterest.conversions.column_parser import ColumnParser, EncodedCells, OnError, inside
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.conversions.object_cache import ObjectCache
from airflow_provider_pinterest.conversions.reasons import CellError, InvalidCellError, UnusableCellError
from airflow_provider_pinterest.redaction import clean

MOST_NAMES: Final = 10_000
"""Most names of members that are remembered."""

_OBJECTS: Final = frozenset({dict})

_NO_NAMES: Final[Mapping[str, str | None]] = MappingProxyType({})

_MAPPED: Final = 1_000
"""The rank of a name in ``field_map``."""


class MemberParser(NamedTuple):
    """The parser of one field of the objects in a list.

    :param parser: parses its cells.
    :param names: the compared forms of its names; of two in one object the first wins.
    :param rivals: sets of names that may mean different things.
    """

    parser: ColumnParser
    names: tuple[str, ...]
    rivals: tuple[frozenset[str], ...] = ()


class _Place(NamedTuple):
    """The meaning of the name of a member.

    :param rank: of two names for one field in one object the one with the higher rank wins.
    :param name: its compared form.
    :param parser: parses the cells; ``None``: they are ignored.
    """

    rank: int
    name: str
    parser: ColumnParser | None


_IGNORED: Final = _Place(0, "", None)


class ObjectListParser(ColumnParser):
    """Parse lists of JSON objects. Each key is parsed as a separate column.

    :param known: the parsers of the fields.
    :param ignored: names that are ignored, in their compared form.
    :param mapped: name in its compared form → the field's name; ``None``: it is ignored. It overrides ``known``.
    :param is_open: whether unknown names are ignored.
    :param unusable: the warning under which a list, or an element of it, is left out.
    """

    def __init__(
        self,
        name: str,
        known: Sequence[MemberParser],
        *,
        ignored: AbstractSet[str] = frozenset(),
        mapped: Mapping[str, str | None] = _NO_NAMES,
        is_open: bool = False,
        unusable: str | None = None,
    ) -> None:
        super().__init__(name, _objects, unusable)
        self._known = known
        self._names = [member.parser.name for member in known]
        parsers = {member.parser.name: member.parser for member in known}
        self._places: dict[str, _Place] = dict.fromkeys(ignored, _IGNORED)
        for member in known:
            for rank, name_ in enumerate(reversed(member.names)):
                self._places[name_] = _Place(rank, name_, member.parser)
        for name_, field in mapped.items():
            self._places[name_] = _IGNORED if field is None else _Place(_MAPPED, name_, parsers[field])
        self._is_open = is_open
        self._spelling: dict[str, str] = {}
        """Compared form of a name → its spelling in the first object that had it."""
        self._meant: dict[str, _Place] = {}
        """Name as the first object spelled it → its meaning."""
        self._flat: set[str] = set()
        """Names that only flat objects have, as objects spelled them."""
        self._repeats = ObjectCache(self._faultless, self._key)

    def encode(self, cells: Sequence[Any], on_error: OnError) -> EncodedCells:
        """Return the members of cells; a list with an unknown name is an error."""
        members = self._repeats.encode(cells)
        left = [row for row, member in enumerate(members) if member is None]
        if len(left) == len(cells):
            return self._read_lists(cells, on_error)
        read = self._read_lists([cells[row] for row in left], lambda at, error: on_error(left[at], error))
        others = iter(read)
        return [next(others) if member is None else member for member in members]

    def _faultless(self, objects: Sequence[Any]) -> Sequence[bytes]:
        """Return the encoded contents of objects that were parsed from JSON; empty for an object with an error."""
        faults: set[int] = set()
        columns = self._objects(objects, lambda at, _: faults.add(at), parsed=True)
        written = map(b"".join, zip(*inside(columns), strict=True)) if columns else repeat(b"", len(objects))
        return [b"" if at in faults else one for at, one in enumerate(written)]

    def _read_lists(self, cells: Sequence[Any], on_error: OnError) -> EncodedCells:
        """Return the members of cells without the cache."""
        lists, parsed = self._lists(cells, on_error)
        objects = list(chain.from_iterable(filter(None, lists)))
        problems: list[tuple[int, CellError]] = []
        sizes = [len(found) if found else 0 for found in lists]
        columns = self._objects(objects, lambda at, error: problems.append((at, error)), parsed=parsed, sizes=sizes)
        members = self._joined(lists, columns) if columns else [b""] * len(lists)
        if problems:
            self._report(lists, problems, members, on_error)
        return members

    def _joined(self, lists: Sequence[Any], columns: Sequence[EncodedCells]) -> EncodedCells:
        """Join the members of objects to the members of their cells; empty objects are left out."""
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
        lists: Sequence[Any], problems: Sequence[tuple[int, CellError]], members: EncodedCells, on_error: OnError
    ) -> None:
        """Report the errors of objects for their cells; each cell is rejected once at most."""
        places = [(row, position) for row, found in enumerate(lists) for position, _ in enumerate(found or ())]
        rejected = set()
        for at, error in sorted(problems, key=itemgetter(0)):
            row, position = places[at]
            if not isinstance(error, InvalidCellError):
                on_error(row, error)
            elif row not in rejected:
                rejected.add(row)
                on_error(row, InvalidCellError(error.code, error.message, f"[{position}]{error.at}"))
                members[row] = b""

    def _lists(self, cells: Sequence[Any], on_error: OnError) -> tuple[list[Any], bool]:
        """Return the lists in cells, ``None`` for empty cells, and whether all were parsed from JSON."""
        try:
            lists = list(map(orjson.loads, cells))
        except (TypeError, ValueError):  # not all of them are JSON
            return self.parse_all(cells, on_error), False
        if {*map(type, lists)} == {list}:
            return lists, True
        return self.parse_all(cells, on_error), False

    def _objects(
        self, objects: Sequence[Any], on_error: OnError, *, parsed: bool, sizes: Sequence[int] | None = None
    ) -> list[EncodedCells]:
        """Return the members of objects by field, in the order of the fields.

        :param parsed: whether the objects were parsed from JSON, so that their keys are text.
        :param sizes: how many objects each list has; ``None``: the lists are unknown.
        """
        if not (only(objects, _OBJECTS) and (parsed or only(chain.from_iterable(objects), TEXTS))):
            objects = [self._plain(at, one, on_error) for at, one in enumerate(objects)]
        keys = [*chain.from_iterable(objects)]
        present = set(keys)
        if not present <= self._flat:
            objects = self._flattened(objects, present, sizes, on_error)
            keys = [*chain.from_iterable(objects)]
            present = set(keys)
        if new := present - self._meant.keys():
            objects = self._learn(new, objects, on_error)
            keys = [*chain.from_iterable(objects)]
            present = self._meant.keys() & keys
        known = sorted(place for place in map(self._meant.__getitem__, present) if place.parser is not None)
        cells_of = _cells_by_key(objects, keys)
        columns: dict[str, EncodedCells] = {}
        found: dict[str, EncodedCells] = {}
        for _, name, parser in known:
            assert parser is not None  # noqa: S101 # nosec B101
            gone: list[int] = []

            def left_out(at: int, error: CellError, gone: list[int] = gone, field: str = parser.name) -> Any:
                gone.append(at)
                if isinstance(error, InvalidCellError):
                    error = InvalidCellError(error.code, error.message, f".{field}{error.at}")
                on_error(at, error)
                return getattr(error, "kept", None)

            late = parser.encode(cells_of(self._spelling[name]), left_out)
            found[name] = _over(late, found.get(name), gone)
            columns[parser.name] = _over(late, columns.get(parser.name), gone)
        self._find_rivals(found, on_error)
        return [columns[name] for name in self._names if name in columns]

    def _flattened(
        self,
        objects: Sequence[dict[str, Any]],
        present: AbstractSet[str],
        sizes: Sequence[int] | None,
        on_error: OnError,
    ) -> Sequence[dict[str, Any]]:
        """Return objects without nested products and prices, and without the variants of other items of their list."""
        marks = {name for name in present if folded(name) in shop_items.MARKS}
        self._flat |= present - marks
        if len(self._flat) > MOST_NAMES:
            self._flat.clear()
        if not shop_items.need_change(objects, marks):
            return objects
        found = list(map(shop_items.flat, objects))
        if sizes is None:
            for at in range(len(objects)):
                on_error(at, UnusableCellError(""))
            return found
        cut = iter(zip(shop_items.shapes(objects), found, strict=True))
        return list(chain.from_iterable(shop_items.without_variants([*islice(cut, size)]) for size in sizes))

    def _learn(
        self, new: AbstractSet[str], objects: Sequence[Mapping[str, Any]], on_error: OnError
    ) -> Sequence[Mapping[str, Any]]:
        """Learn the spellings of names; return the objects with one spelling for each name.

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
            elif place.parser is not None:
                respelt.add(key)
        if unknown and not self._is_open:
            for at, one in enumerate(objects):
                if not unknown.isdisjoint(one):
                    on_error(at, self._unknown(min(unknown.intersection(one))))
        return [one if respelt.isdisjoint(one) else self._respelt(one) for one in objects] if respelt else objects

    def _respelt(self, one: Mapping[str, Any]) -> Mapping[str, Any]:
        return {self._spelling.get(name, name): value for name, value in by_name(one).values.items()}

    def _unknown(self, key: str) -> InvalidCellError:
        said = clean(key)[:40]
        return InvalidCellError(
            "unknown_field",
            f"Pinterest has no such field. Ignore it with field_map={{'{self.name}.{said}': None}}, or map it, as in "
            f"{{'{self.name}.{said}': '{self.name}.{self._names[0]}'}}. {{'{self.name}.*': None}} ignores all unknown "
            "names",
            f".{said}",
        )

    def _find_rivals(self, found: Mapping[str, EncodedCells], on_error: OnError) -> None:
        """Report objects with different values under rival names."""
        for member in self._known:
            chosen = [
                members
                for name, members in found.items()
                if self._places[name].rank == _MAPPED and self._places[name].parser is member.parser
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
                        on_error(at, UnusableCellError("ambiguous_item_id"))

    def _plain(self, at: int, one: Any, on_error: OnError) -> Mapping[str, Any]:
        """Return an object as a dictionary with text keys; an empty one if it is not an object."""
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
            on_error(at, self._left_out(why))
            return {}


def _objects(cell: Any) -> Sequence[Any] | None:
    """Parse a list of JSON objects, or a single one; also if an object is encoded as a JSON string."""
    found = shop_items.connected(values.objects(cell))
    return values.objects(found[0]) if found and type(cell) is str and type(found[0]) is str else found


def _cells_by_key(objects: Sequence[dict[str, Any]], keys: Sequence[str]) -> Callable[[str], Sequence[Any]]:
    """Return a function that returns the cells of a key, ``None`` where an object lacks it.

    :param keys: the keys of all objects, one object after the other.
    """
    shape = [*objects[0]] if objects else []
    if len(keys) == len(shape) * len(objects) and keys == shape * len(objects):
        cells = [*chain.from_iterable(map(dict.values, objects))]
        return lambda key: cells[shape.index(key) :: len(shape)]
    return lambda key: [one.get(key) for one in objects]


def _over(late: EncodedCells, early: EncodedCells | None, gone: Sequence[int]) -> EncodedCells:
    """Return the later members, or the earlier ones where the later cells are empty.

    :param gone: positions with an error, where only the later member counts.
    """
    if early is None:
        return late
    found = [one or other for one, other in zip(late, early, strict=True)]
    for at in gone:
        found[at] = late[at]
    return found
