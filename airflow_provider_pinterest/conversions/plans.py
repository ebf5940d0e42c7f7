"""What to do with the rows of one set of columns: compiled once, then run for every row.

A loop over columns spends more time on its own bookkeeping than most readers on their cells. So the loop is
written out: a plan's ``read`` is a function with one block per column, made of text as ``dataclasses`` makes
its methods. That text holds numbers and the names of our own field table, nothing that a row brings along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.reasons import Reason, Verdict

Place = dict[str, Any]
"""The members of one JSON object of an event."""


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

RowReader = Callable[[Iterable[Any], list[Reason], Refused], tuple[Place, bool]]
"""A row's cells → a JSON object, and whether every field that it can have is there."""

_HEAD: Final = """
def read(cells, problems, refused):
    [{cells}] = cells
"""
_BLOCK: Final = """
    if cell_{position} is not None:
        try:
            value = {call}
            if value is not None:
                {place}[{name!r}] = value
        except Verdict as verdict:
            refused(column_{number}, verdict, {place}, problems)
"""
_CALL: Final = "read_{number}(cell_{position})"
_CALL_BY_COUNTRY: Final = "read_{number}(cell_{position}, user_data.get('country'))"
_TEXT: Final = "(cell_{position}.strip() or None) if type(cell_{position}) is str else read_{number}(cell_{position})"
_RECALL: Final = "(type(cell_{position}) is str and recall_{number}(cell_{position})) or read_{number}(cell_{position})"


def row_reader(columns: Iterable[Column], width: int, before: Mapping[str, Place]) -> RowReader:
    """Write out the reading of a row as a function.

    :param columns: the fields to read; of two for one field the later wins.
    :param width: cells of a row.
    :param before: place → what stands in it before a cell is read; the first place holds the others.
    """
    columns = sorted(columns, key=lambda column: column.by_country)
    names = {
        place: {*members, *(column.name for column in columns if column.place == place)}
        for place, members in before.items()
    }
    places = {place: place or "event" for place in before if names[place] or not place}
    scope: dict[str, Any] = {"Verdict": Verdict}
    text = [_HEAD.format(cells=", ".join(f"cell_{position}" for position in range(width)))]
    for place, variable in places.items():
        scope[f"{variable}_before"] = before[place]
        text.append(f"    {variable} = {f'{variable}_before.copy()' if before[place] else '{}'}\n")
    for number, column in enumerate(columns):
        recall = getattr(column.read, "recall", None)
        call = (
            _CALL_BY_COUNTRY
            if column.by_country
            else _TEXT
            if column.read is values.text
            else _RECALL
            if recall
            else _CALL
        )
        scope |= {f"read_{number}": column.read, f"recall_{number}": recall, f"column_{number}": column}
        block = _BLOCK.replace("{call}", call)
        text.append(block.format(number=number, position=column.position, place=places[column.place], name=column.name))
    complete = " and ".join(f"len({variable}) == {len(names[place])}" for place, variable in places.items())
    text.append(f"    complete = {complete}\n")
    for place, variable in places.items():
        if place:
            text.append(f"    if {variable}:\n        event[{place!r}] = {variable}\n")
    text.append("    return event, complete\n")
    exec("".join(text), scope)  # noqa: S102 # nosec B102 - see the top
    reader: RowReader = scope["read"]
    return reader


class IdPart(NamedTuple):
    """One part of a deterministic ``event_id``: a field of the event as sent, or a cell that is no field.

    :param position: which cell; ``None``: it is a field.
    :param place: the object the field stands in, as in :class:`Column`.
    :param name: the field's JSON key.
    """

    position: int | None
    place: str
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
