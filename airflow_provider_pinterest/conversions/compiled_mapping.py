"""What to do with the rows of one set of columns: decided once, then done for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from airflow_provider_pinterest.conversions.cells import by_name
from airflow_provider_pinterest.conversions.columns import ColumnParser


class Column(NamedTuple):
    """A column whose cells become a field.

    :param position: which column.
    :param path: the field.
    :param reader: reads the cells.
    """

    position: int
    path: str
    reader: ColumnParser


class IdPart(NamedTuple):
    """One part of a deterministic ``event_id``: a field of the event as sent, or a cell that is no field.

    :param position: which column; ``None``: it is a field.
    :param path: the field.
    """

    position: int | None
    path: str


@dataclass(frozen=True, slots=True, eq=False)
class CompiledMapping:
    """What to do with the rows of one set of columns.

    :param names: the columns.
    :param columns: those that become fields, in the order in which they are read; of two for one field the later wins.
    :param objects: (position, path) of columns that hold JSON objects of fields.
    :param clashes: path → columns that map to it, where there are several.
    :param unknown: the columns that map to nothing.
    :param id_parts: what a missing ``event_id`` is made of; ``None``: a part is in none of the columns.
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


class Layout:
    """The names that objects of one kind have had so far, each with a place of its own.

    Objects rarely have the same members in the same order; laid out over all known names that were met, absent
    ones empty, they are rows of one set of columns, and a plan is made per name and not per combination.

    :param knows: whether a name is known; others get no place.
    """

    def __init__(self, knows: Callable[[str], bool]) -> None:
        self._knows = knows
        self._names: dict[str, str] = {}
        self._written: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """The names as they are compared, in the order of their places."""
        return tuple(self._names)

    @property
    def written(self) -> tuple[str, ...]:
        """The names as the first document that had them wrote them, in the order of their places."""
        return tuple(self._names.values())

    def __len__(self) -> int:
        return len(self._names)

    def has(self, document: Mapping[str, Any]) -> bool:
        """Return whether every name of a document has a place, written as in the first document that had it."""
        return document.keys() <= self._written

    def learn(self, document: Mapping[Any, Any]) -> tuple[Mapping[str, Any], list[str]]:
        """Give places to the names of a document.

        :return: the document with names as :attr:`written`, and its names that are not known.
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
                self._written.add(key)
            found[self._names[name]] = value
        return found, unknown
