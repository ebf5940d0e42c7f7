"""What to do with the rows of one set of columns: compiled once, then run for every row.

A loop over columns spends more time on its own bookkeeping than most readers on their cells. So the loop is
written out: a plan's ``read`` is a function with one block per column, made of text as ``dataclasses`` makes
its methods. That text holds numbers and the names of our own field table, nothing that a row brings along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from airflow_provider_pinterest.conversions import identifiers, values
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


Refused = Callable[[Column, Verdict, list[Reason]], Any]
"""Told of a cell that its reader refused and of the row's problems so far; returns the value to send, if any."""

RowReader = Callable[[Iterable[Any], list[Reason], Refused], tuple[Place, int]]
"""A row's cells → a JSON object, and one bit for each of the fields that it could have had and does not have."""

# Of a cell: the value of its field, where no default and no cell before it has given one, ...
_FIRST: Final = """
    if cell_{position} is None:
        {variable} = None
    else:
        try:
            {variable} = {call}
        except Verdict as verdict:
            {variable} = refused(column_{number}, verdict, problems)
"""
# ... or where one may have.
_ANOTHER: Final = """
    if cell_{position} is not None:
        try:
            value = {call}
            if value is not None:
                {variable} = value
        except Verdict as verdict:
            {variable} = refused(column_{number}, verdict, problems)
"""
# Of a field: what is not there is not sent.
_LACKING: Final = """
    if {variable} is None:
        del {place}[{name!r}]
        lacking += {bit}
"""
# How a value is made. Texts are most of the cells, and remembered ones are known: neither needs a call.
_CALL: Final = "read_{number}(cell_{position})"
_BY_COUNTRY: Final = "read_{number}(cell_{position}, {country})"
_TEXT: Final = "(cell_{position}.strip() or None) if type(cell_{position}) is str else " + _CALL
_INTEGER: Final = "cell_{position} if type(cell_{position}) is int and 0 <= cell_{position} <= 1_000_000 else " + _CALL
_PLAIN: Final = (
    "(cell_{position}.strip() or None) if type(cell_{position}) is str and '@' not in cell_{position} else " + _CALL
)
_RECALL: Final = "(type(cell_{position}) is str and recall_{number}(cell_{position})) or " + _CALL


def _call(column: Column) -> str:
    """Return the expression that makes the value of a column's cell."""
    if column.by_country:
        return _BY_COUNTRY
    if column.read is values.text:
        return _TEXT
    if column.read is values.integer:
        return _INTEGER
    if column.read is identifiers.plain:
        return _PLAIN
    return _RECALL if getattr(column.read, "recall", None) else _CALL


def row_reader(columns: Iterable[Column], width: int, before: Mapping[str, Place]) -> tuple[RowReader, tuple[str, ...]]:
    """Write out the reading of a row as a function; return it with the fields' paths, the lowest bit's first.

    Every field is a variable of it, so that the objects are made at once, in their final size.

    :param columns: the fields to read; of two for one field the later wins.
    :param width: cells of a row.
    :param before: place → what stands in it before a cell is read; ``""`` is the object that holds the others.
    """
    scope: dict[str, Any] = {"Verdict": Verdict}
    text = ["def read(cells, problems, refused):\n"]
    text.append(f"    [{', '.join(f'cell_{position}' for position in range(width))}] = cells\n")
    variables: dict[tuple[str, str], str] = {}
    for place, members in before.items():
        for name, value in members.items():
            variables[place, name] = variable = _variable(place, name)
            scope[f"{variable}_before"] = value
            text.append(f"    {variable} = {variable}_before\n")
    for number, column in enumerate(sorted(columns, key=lambda column: column.by_country)):
        variable = _variable(column.place, column.name)
        recall = getattr(column.read, "recall", None)
        scope |= {f"read_{number}": column.read, f"recall_{number}": recall, f"column_{number}": column}
        block = _ANOTHER if (column.place, column.name) in variables else _FIRST
        text.append(
            block.replace("{call}", _call(column)).format(
                position=column.position,
                variable=variable,
                number=number,
                country=variables.get(("user_data", "country")),
            )
        )
        variables[column.place, column.name] = variable
    objects = {place: {name: variable for (at, name), variable in variables.items() if at == place} for place in before}
    whole = objects.pop("") | {place: place for place, members in objects.items() if members}
    for place, members in {**objects, "whole": whole}.items():
        text.append(f"    {place} = {{{', '.join(f'{name!r}: {variable}' for name, variable in members.items())}}}\n")
    text.append("    lacking = 0\n")
    for number, ((place, name), variable) in enumerate(variables.items()):
        text.append(_LACKING.format(variable=variable, place=place or "whole", name=name, bit=1 << number))
    for place, members in objects.items():
        if members:
            text.append(f"    if not {place}:\n        del whole[{place!r}]\n")
    text.append("    return whole, lacking\n")
    exec("".join(text), scope)  # noqa: S102 # nosec B102
    return scope["read"], tuple(_path(place, name) for place, name in variables)


def object_reader(columns: Sequence[Column]) -> Callable[[Mapping[str, Any]], Place] | None:
    """Write out the reading of a JSON object whose keys are the columns, for objects that are as they should be.

    What the function makes is what :func:`row_reader` would; of an object that is not as it should be it raises the
    first verdict, and does not say of what. ``None``: two of the columns are the same field.
    """
    if len({column.name for column in columns}) < len(columns):
        return None
    scope: dict[str, Any] = {}
    cells = ", ".join(f"cell_{number}" for number in range(len(columns)))
    text = [f"def read(item):\n    [{cells}] = item.values()\n"]
    for number, column in enumerate(columns):
        recall = getattr(column.read, "recall", None)
        scope |= {f"read_{number}": column.read, f"recall_{number}": recall}
        value = _call(column).format(position=number, number=number)
        text.append(f"    value_{number} = None if cell_{number} is None else {value}\n")
    members = ", ".join(f"{column.name!r}: value_{number}" for number, column in enumerate(columns))
    lacking = " or ".join(f"value_{number} is None" for number in range(len(columns))) or "False"
    text.append(f"    if {lacking}:\n")
    text.append(f"        return {{name: value for name, value in {{{members}}}.items() if value is not None}}\n")
    text.append(f"    return {{{members}}}\n")
    exec("".join(text), scope)  # noqa: S102 # nosec B102
    reader: Callable[[Mapping[str, Any]], Place] = scope["read"]
    return reader


def _variable(place: str, name: str) -> str:
    return f"{place or 'event'}_{name}"


def _path(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


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
    :param fields: those that it reads, the lowest bit's first.
    :param paths: the fields that an event of such a row can have, which may be made of others.
    :param objects: (index, path) of cells that hold a JSON object of fields.
    :param unknown: what to say of columns that map to nothing.
    :param id_parts: what a missing ``event_id`` is made of; ``None``: a part is in none of the columns.
    :param keys: (name, index) of the columns copied into a rejection.
    """

    names: tuple[str, ...]
    read: RowReader
    fields: tuple[str, ...]
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
