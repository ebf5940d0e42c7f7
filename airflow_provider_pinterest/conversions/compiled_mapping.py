"""A mapping that is compiled for one set of columns. It is compiled once and used for all rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from airflow_provider_pinterest.conversions.cells import by_name
from airflow_provider_pinterest.conversions.column_parser import ColumnParser


class Column(NamedTuple):
    """A column that becomes a field.

    :param position: which column.
    :param path: the field.
    :param parser: parses its cells.
    """

    position: int
    path: str
    parser: ColumnParser


class IdPart(NamedTuple):
    """One part of a deterministic ``event_id``: a field of the event as sent, or another cell.

    :param position: which column; ``None``: it is a field.
    :param path: the field.
    """

    position: int | None
    path: str


@dataclass(frozen=True, slots=True, eq=False)
class CompiledMapping:
    """A mapping that is compiled for one set of columns.

    :param names: the columns.
    :param columns: columns that become fields, in the order of parsing; of two for one field the later wins.
    :param objects: (position, path) of columns that hold JSON objects of fields.
    :param clashes: path → columns that map to it, where there are several.
    :param unknown: the columns that do not match any field.
    :param id_parts: the parts of a missing ``event_id``; ``None``: a part is missing.
    :param consent: which column says whether a row may be sent; ``None``: there is none.
    :param keys: (name, position) of the columns copied into a rejection; ``None``: the rows do not have it.
    """

    names: tuple[str, ...]
    columns: tuple[Column, ...]
    objects: tuple[tuple[int, str], ...]
    clashes: Mapping[str, Sequence[str]]
    unknown: tuple[str, ...]
    id_parts: tuple[IdPart, ...] | None
    keys: tuple[tuple[str, int | None], ...]
    consent: int | None = None


class NamePositions:
    """The names that objects of one kind have had so far, each with a fixed position.

    Objects rarely have the same members in the same order. Laid out over all names seen so far, they become rows of one
    set of columns, and a mapping is compiled per new name, not per combination of names.

    :param knows: returns whether a name is known; unknown names get no position.
    """

    def __init__(self, knows: Callable[[str], bool]) -> None:
        self._knows = knows
        self._names: dict[str, str] = {}
        self._known_spellings: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """The compared forms of the names, in order of position."""
        return tuple(self._names)

    @property
    def spellings(self) -> tuple[str, ...]:
        """The names as the first document spelled them, in order of position."""
        return tuple(self._names.values())

    def __len__(self) -> int:
        return len(self._names)

    def has(self, document: Mapping[str, Any]) -> bool:
        """Return whether every name of a document has a position and its usual spelling."""
        return document.keys() <= self._known_spellings

    def learn(self, document: Mapping[Any, Any]) -> tuple[Mapping[str, Any], list[str]]:
        """Give positions to the names of a document.

        :return: the document with the usual spellings, and its unknown names.
        """
        named = by_name(document)
        found, unknown = {}, []
        for name, value in named.values.items():
            key = named.keys[name]
            if name not in self._names:
                if not self._knows(name):
                    unknown.append(key)
                    continue
                self._names[name] = key
                self._known_spellings.add(key)
            found[self._names[name]] = value
        return found, unknown
