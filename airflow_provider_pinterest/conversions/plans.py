"""What to do with the rows of one set of columns: compiled once, then run for every row.

A loop over columns spends more time on its own bookkeeping than most readers on their cells. So the loop is
written out: a plan's ``read`` is a function with one block per column, made of text as ``dataclasses`` makes
its methods. That text holds numbers and the names of our own field table, nothing that a row brings along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from airflow_provider_pinterest.conversions.reasons import Reason, Verdict

Place = dict[str, Any]
"""The members of one JSON object of an event."""

_HEAD: Final = """
def read(cells, problems, refused):
    {places}
    [{cells}] = cells
"""
_BLOCK: Final = """
    if cell_{position} is not None:
        try:
            value = read_{number}(cell_{position}{country})
            if value is not None:
                {place}[{name!r}] = value
        except Verdict as verdict:
            refused(column_{number}, verdict, {place}, problems)
"""
_TAIL: Final = """
    return {places},
"""


class Column(NamedTuple):
    """One cell of a row that becomes one field.

    :param position: which cell.
    :param place: which of the event's objects the field stands in, such as ``user_data``; ``""``: the event.
    :param name: the field's JSON key.
    :param read: makes the value of the cell; with ``by_country`` of the cell and the hashes of the row's country.
    :param path: the field's path, for messages.
    :param by_country: whether it can be read only when the row's country is known.
    """

    position: int
    place: str
    name: str
    read: Callable[..., Any]
    path: str
    by_country: bool = False


Refused = Callable[[Column, Verdict, Place, list[Reason]], None]
"""Told of a cell that its reader refused, the place it would have stood in, and the row's problems so far."""

RowReader = Callable[[Iterable[Any], list[Reason], Refused], tuple[Place, ...]]
"""A row's cells → one object per place."""


def row_reader(columns: Iterable[Column], width: int, places: Mapping[str, Place]) -> RowReader:
    """Write out the reading of a row as a function.

    :param columns: the fields to read; of two for one field the later wins.
    :param width: cells of a row.
    :param places: the objects to make, with what stands in them before a cell is read.
    """
    scope: dict[str, Any] = {"Verdict": Verdict}
    text = [
        _HEAD.format(
            places="; ".join(f"{_variable(place)} = {_variable(place)}_before.copy()" for place in places),
            cells=", ".join(f"cell_{position}" for position in range(width)),
        )
    ]
    for number, column in enumerate(sorted(columns, key=lambda column: column.by_country)):
        scope |= {f"read_{number}": column.read, f"column_{number}": column}
        country = ", user_data.get('country')" if column.by_country else ""
        place = _variable(column.place)
        text.append(
            _BLOCK.format(position=column.position, number=number, country=country, place=place, name=column.name)
        )
    text.append(_TAIL.format(places=", ".join(map(_variable, places))))
    scope |= {f"{_variable(place)}_before": before for place, before in places.items()}
    exec("".join(text), scope)  # noqa: S102 # nosec B102 - see the top
    reader: RowReader = scope["read"]
    return reader


def _variable(place: str) -> str:
    return place or "event"


class IdPart(NamedTuple):
    """One part of a deterministic ``event_id``: a field of the event as sent, or a cell that is no field.

    :param position: which cell; ``None``: it is a field.
    :param place: number of the object the field stands in.
    :param name: the field's JSON key.
    """

    position: int | None
    place: int
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What to do with the rows of one set of columns.

    :param names: the row's columns.
    :param read: reads the fields.
    :param paths: the fields that an event of such a row can have.
    :param objects: (index, path) of cells that hold a JSON object of fields.
    :param unknown: what to say of columns that map to nothing.
    :param id_parts: what a missing ``event_id`` is made of; ``None``: a part is in none of the columns.
    :param keys: (name, index) of the columns copied into a rejection.
    """

    names: tuple[str, ...]
    read: RowReader
    paths: tuple[str, ...]
    objects: tuple[tuple[int, str], ...]
    unknown: tuple[Reason, ...]
    id_parts: tuple[IdPart, ...] | None
    keys: tuple[tuple[str, int], ...]


class Layout:
    """The names that objects of one kind have had so far, each with a place of its own.

    Objects rarely have the same members in the same order; laid out over all known names that were met, absent
    ones empty, they are rows of one set of columns, and a plan is compiled per name and not per combination.

    :param knows: whether a name is known; others get no place.
    """

    def __init__(self, knows: Callable[[str], bool]) -> None:
        self._knows = knows
        self._names: dict[str, None] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order of their places."""
        return tuple(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def has(self, document: Mapping[str, Any]) -> bool:
        """Return whether every name of a document has a place."""
        return document.keys() <= self._names.keys()

    def learn(self, document: Mapping[str, Any]) -> Sequence[str]:
        """Give places to the names of a document; return those that are not known."""
        unknown = []
        for name in document:
            if name in self._names:
                continue
            if isinstance(name, str) and self._knows(name):
                self._names[name] = None
            else:
                unknown.append(str(name))
        return unknown

    def cells(self, document: Mapping[str, Any]) -> Iterable[Any]:
        """Return what a document holds at each place."""
        return map(document.get, self._names)
