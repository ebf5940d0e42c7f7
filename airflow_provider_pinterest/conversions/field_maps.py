"""Resolve the ``field_map`` parameter: for columns, for members of objects, and for members of lists.

A dotted name says where a member is. The place in front of the dot is the path of a field, an alias, or a column:
``custom_data.contents.url``, ``items.url`` and, if the column ``basket`` is mapped to contents, ``basket.url`` are one
member. ``*`` means all unknown members.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from airflow_provider_pinterest.conversions.field_types import Field, object_, objects
from airflow_provider_pinterest.conversions.fields import BY_PATH, FIELDS
from airflow_provider_pinterest.conversions.hints import nearest
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.problems import Problems

ANY: Final = "*"

PLACES: Final = ("", *(field.path for field in FIELDS if field.type is object_))
"""The objects in an event; the first is the event itself."""

OBJECTS: Final = frozenset(PLACES[1:])
"""Paths of fields that are JSON objects of other fields."""

LISTS: Final = frozenset(field.path for field in FIELDS if field.type is objects)
"""Paths of fields that are lists of JSON objects."""


def _names() -> dict[str, str]:
    """Return every name a column can have → path; the first field of the table wins a shared name."""
    names = {path.lower(): path for path in BY_PATH}
    for field in FIELDS:
        bare = field.place in ("", "user_data", "custom_data")
        for name in (field.name, *field.aliases):
            if bare:
                names.setdefault(name, field.path)
            names.setdefault(f"{field.place}.{name}".lstrip("."), field.path)
    return {name: path for name, path in names.items() if "[]" not in name}


NAMES: Final[dict[str, str]] = _names()

PATHS: Final[dict[str, str]] = {folded(name): path for name, path in reversed(NAMES.items())}
"""Compared form of every name → path."""


def field_path(name: str, where: str) -> str:
    """Return the path of a field given by path or alias.

    :param where: the parameter that names it, for the message.
    :raises ParameterError: the field does not exist.
    """
    path = PATHS.get(_compared(str(name)))
    if path is None:
        raise ParameterError(f"{where}: {name!r} is not a Pinterest field{suggestion(str(name), NAMES)}")
    return path


def suggestion(name: str, known: Collection[str]) -> str:
    """Return the end of a message that suggests a similar name, if there is one."""
    like = nearest(name, known)
    return f"; did you mean {like!r}?" if like else "."


class FieldMap:
    """The resolved ``field_map`` parameter.

    :param given: column or dotted name → field, or ``None`` to ignore it.
    :param problems: collects fields that do not exist, and entries that contradict each other.
    """

    def __init__(self, given: Mapping[str, Any], problems: Problems) -> None:
        self.columns: dict[str, str | None] = {}
        """Compared form of a column's name, or of a path inside an object → field path."""
        self.members: dict[str, dict[str, str | None]] = {}
        """Path of a list of objects → compared form of a member's name → name of its field."""
        self.open: set[str] = set()
        """Paths of objects and lists whose unknown members are ignored."""
        self._places: dict[str, str] = {}
        """Dotted name → the object or list before the last dot."""
        for name in sorted(given, key=lambda name: name.count(".")):
            problems.checked(self._add, name, given[name], otherwise=None)

    def has_effect(self, name: str, target: Callable[[str], str | None], columns: Collection[str]) -> bool:
        """Return whether a name of the parameter has an effect on rows with these columns.

        :param target: column → path of its field.
        :param columns: all columns of the source.
        """
        compared = _compared(name)
        if any(folded(column) == compared for column in columns):
            return True
        place = self._places.get(name)
        return place is not None and any(
            path is not None and (path == place or place.startswith(f"{path}.")) for path in map(target, columns)
        )

    def _add(self, name: str, target: Any) -> None:
        where = f"field_map[{name!r}]"
        compared = _compared(name)
        before, _, leaf = compared.rpartition(".")
        if compared == ANY:
            raise ParameterError(f"{where}: name each column that is to be ignored; only members can be ignored by '*'")
        place = self._place(before) if before else None
        if place is not None:
            self._places[name] = place
        if leaf == ANY:
            if place is None:
                raise ParameterError(f"{where}: {name[: name.rfind('.')]!r} is not a field that has members")
            if target is not None:
                raise ParameterError(f"{where}: '*' can only be mapped to None, which ignores all unknown members")
            self.open.add(place)
        elif place in LISTS:
            field = None if target is None else self._member(target, place, where)
            _set(self.members.setdefault(place, {}), leaf, field, where)
            if target is None:
                _set(self.columns, compared, None, where)
        else:
            path = None if target is None else field_path(target, where)
            for key in {compared, f"{folded(place)}.{leaf}" if place else compared}:
                _set(self.columns, key, path, where)

    def _place(self, name: str) -> str | None:
        """Return the path of the object or list with a name, given in its compared form."""
        path = self.columns[name] if name in self.columns else PATHS.get(name)
        if path is None and "." in name:
            before, _, leaf = name.rpartition(".")
            parent = self._place(before)
            inner = f"{folded(parent)}.{leaf}" if parent in OBJECTS else ""
            path = self.columns.get(inner, PATHS.get(inner))
        return path if path in OBJECTS or path in LISTS else None

    def _member(self, target: Any, place: str, where: str) -> str:
        """Return the field to which a member of the objects in a list is mapped."""
        before, _, leaf = _compared(str(target)).rpartition(".")
        names = member_names(place)
        if (before and self._place(before) != place) or leaf not in names:
            written = [name for field in members_of(place) for name in field.names]
            raise ParameterError(
                f"{where}: {target!r} is not a field of a member of {place}; choose from "
                f"{', '.join(f'{BY_PATH[place].name}.{field.name}' for field in members_of(place))}"
                f"{suggestion(str(target).rpartition('.')[2], written)}"
            )
        return names[leaf]


def members_of(place: str) -> tuple[Field, ...]:
    """Return the fields of the objects in a list."""
    return tuple(field for field in FIELDS if field.place == f"{place}[]")


def member_names(place: str) -> dict[str, str]:
    """Return the compared form of every name of a member of the objects in a list → the name of its field."""
    return {folded(name): field.name for field in members_of(place) for name in (field.name, *field.names)}


def _compared(name: str) -> str:
    return folded(name.replace("[]", "").replace("[*]", ""))


def _set(found: dict[str, str | None], key: str, target: str | None, where: str) -> None:
    if found.setdefault(key, target) != target:
        raise ParameterError(f"{where}: another entry maps the same name to something else")
