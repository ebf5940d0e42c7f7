"""Columns → fields, compiled once per distinct set of columns.

A column finds its field by ``field_map``, by the field's path, by its name or by an alias, whatever the case.
A column that finds none is an error of the whole run, because Pinterest refuses a request that holds one
unknown property, and because a mistyped column silently left out is data lost.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pendulum

from airflow_provider_pinterest.conversions.fields import (
    BY_PATH,
    FIELDS,
    SWITCHES,
    Field,
    Options,
    Reader,
    hashed_by_country,
    object_,
)
from airflow_provider_pinterest.conversions.reasons import Unfit, Unusable
from airflow_provider_pinterest.exceptions import MappingError, ParameterError

PLACES: Final = ("", "user_data", "custom_data", "app_info", "device_info")
"""The objects an event is made of; the first is the event itself."""

PLANS_KEPT: Final = 1_024
"""Compiled sets of columns remembered; JSON cells with ever new keys must not fill the memory."""


def _names() -> dict[str, str]:
    """Every name a column can have → path; the first field in the table's order wins a shared name."""
    names = {path.lower(): path for path in BY_PATH}
    for field in FIELDS:
        bare = field.place in ("", "user_data", "custom_data")
        for name in (field.name, *field.aliases):
            if bare:
                names.setdefault(name, field.path)
            names.setdefault(f"{field.place}.{name}".lstrip("."), field.path)
    return {name: path for name, path in names.items() if "[]" not in name}


NAMES: Final[dict[str, str]] = _names()


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return the known name most like ``name``, or ``None`` when nothing is alike."""
    return next(iter(difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)), None)


class Column(NamedTuple):
    """One column of a row that becomes one field."""

    position: int
    place: int
    name: str
    read: Reader
    path: str


class IdPart(NamedTuple):
    """One part of a deterministic ``event_id``: a field of the event as sent, or a cell that is no field."""

    position: int | None
    place: int
    name: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with the rows of one set of columns.

    :param names: the row's columns.
    :param columns: fields to read.
    :param by_country: fields to read once the row's country is known.
    :param objects: (index, path) of cells that hold a JSON object of fields.
    :param unknown: names that map to nothing, among nested ones.
    :param id_parts: what a missing ``event_id`` is made of.
    :param keys: (name, index) of the columns copied into a rejection.
    """

    names: tuple[str, ...]
    columns: tuple[Column, ...]
    by_country: tuple[Column, ...]
    objects: tuple[tuple[int, str], ...]
    unknown: tuple[str, ...]
    id_parts: tuple[IdPart, ...]
    keys: tuple[tuple[str, int], ...]


class Default(NamedTuple):
    """A value for events that lack a field."""

    place: int
    name: str
    value: Any


class ColumnMapping:
    """How columns become fields; checks its parameters when made.

    :param field_map: column → field path or alias, or ``None`` to ignore the column. Dotted names reach into
        JSON cells and ready events: ``{"custom_data.internal": None}``.
    :param identifiers: switches per identifier, see :data:`~.fields.SWITCHES`.
    :param defaults: field path or alias → value for rows that lack it.
    :param event_id_from: columns or fields that make a deterministic ``event_id`` where a row has none.
    :param timezone: name of the zone that naive times stand in.
    :param key_columns: columns copied into rejections so that a person finds the row; they need not be fields.
    :raises ParameterError: a field, identifier, switch or zone that does not exist, or an unfit default.
    """

    def __init__(
        self,
        *,
        field_map: Mapping[str, str | None] | None = None,
        identifiers: Mapping[str, Mapping[str, Any]] | None = None,
        defaults: Mapping[str, Any] | None = None,
        event_id_from: Sequence[str] = (),
        timezone: str = "UTC",
        key_columns: Sequence[str] = (),
    ) -> None:
        self.field_map = _checked("field_map", field_map or {}, Mapping)
        self.event_id_from = _checked("event_id_from", event_id_from, Sequence)
        self.key_columns = _checked("key_columns", key_columns, Sequence)
        self._extra = frozenset(name.lower() for name in (*key_columns, *event_id_from))
        self._targets = {
            column.lower(): None if target is None else field_path(target, f"field_map[{column!r}]")
            for column, target in self.field_map.items()
        }
        switches = _switches(_checked("identifiers", identifiers or {}, Mapping))
        self._readers = _readers(Options(_zone(timezone), switches))
        self.defaults = self._canonical(_checked("defaults", defaults or {}, Mapping))
        """Values for events that lack a field, canonical already."""
        self._plans: dict[tuple[tuple[str, ...], tuple[str, ...]], Plan] = {}

    def target(self, column: str) -> tuple[bool, str | None]:
        """Return whether a column is known, and the path it maps to (``None``: ignored)."""
        name = column.strip().lower()
        if name in self._targets:
            return True, self._targets[name]
        if name in NAMES:
            return True, NAMES[name]
        return name in self._extra, None

    def check(self, columns: Sequence[str], *, complete: bool = True) -> None:
        """Refuse columns that cannot be mapped.

        :param complete: whether the source has no others, so that a parameter which names another is wrong.
        :raises MappingError: a column maps to nothing, two map to one field, or a parameter names a column
            that is not there.
        """
        problems = [self._unknown(column) for column in columns if not self.target(column)[0]]
        have = {column.strip().lower() for column in columns}
        for parameter in ("field_map", "key_columns", "event_id_from") if complete else ():
            for name in getattr(self, parameter):
                field = parameter == "event_id_from" and name.lower() in NAMES
                if name.lower() not in have and not field and "." not in name:
                    problems.append(f"{parameter} names {name!r}, which the source does not have{_or(name, have)}.")
        if problems:
            raise MappingError(" ".join(problems))
        self.plan(tuple(columns))

    def plan(self, columns: tuple[str, ...], nested: tuple[str, ...] = ()) -> Plan:
        """Compile one set of columns, or return what was compiled before.

        :param columns: the row's columns.
        :param nested: dotted names of cells that came out of a JSON object, standing before the row's own.
        :raises MappingError: two columns map to the same field.
        """
        key = (columns, nested)
        found = self._plans.get(key)
        if found is None:
            if len(self._plans) >= PLANS_KEPT:
                self._plans.clear()
            found = self._plans[key] = self._compile(columns, nested)
        return found

    def _compile(self, columns: tuple[str, ...], nested: tuple[str, ...]) -> Plan:
        plain: list[Column] = []
        late: list[Column] = []
        objects: list[tuple[int, str]] = []
        unknown: list[str] = []
        taken: dict[str, str] = {}
        for index, name in enumerate((*nested, *columns)):
            known, path = self.target(name)
            if not known:
                unknown.append(name)
            if path is None:
                continue
            field = BY_PATH[path]
            if index >= len(nested):
                if path in taken:
                    raise MappingError(
                        f"Columns {taken[path]!r} and {name!r} both map to {path}. Keep one of them: "
                        f"field_map={{{name!r}: None}} ignores the second."
                    )
                taken[path] = name
            if field.type is object_:
                if index >= len(nested):
                    objects.append((index, path))
                else:
                    unknown.append(name)
                continue
            column = Column(index, PLACES.index(field.place), field.name, self._readers[path], path)
            (late if field.type is hashed_by_country else plain).append(column)
        position = {name.strip().lower(): index for index, name in enumerate((*nested, *columns))}
        return Plan(
            names=columns,
            columns=tuple(plain),
            by_country=tuple(late),
            objects=tuple(objects),
            unknown=tuple(unknown),
            id_parts=tuple(self._id_part(name, position) for name in self.event_id_from),
            keys=tuple((key, position[key.lower()]) for key in self.key_columns if key.lower() in position),
        )

    def _id_part(self, name: str, position: Mapping[str, int]) -> IdPart:
        path = self.target(name)[1] if name.lower() in position else NAMES.get(name.lower())
        if path is None:
            return IdPart(position.get(name.lower(), -1), 0, name)
        return IdPart(None, PLACES.index(BY_PATH[path].place), BY_PATH[path].name)

    def _unknown(self, column: str) -> str:
        like = nearest(column, NAMES)
        hint = f" The nearest field is {NAMES[like]} ({like})." if like else ""
        return (
            f"Column {column!r} maps to no field of Pinterest's.{hint} "
            f"Name the field in field_map={{{column!r}: …}}, or ignore the column with {{{column!r}: None}}."
        )

    def _canonical(self, defaults: Mapping[str, Any]) -> tuple[Default, ...]:
        """Read the defaults as if they were cells."""
        found = []
        values = {field_path(name, f"defaults[{name!r}]"): value for name, value in defaults.items()}
        country = None
        for path in sorted(values, key=lambda path: BY_PATH[path].type is hashed_by_country):
            field, cell = BY_PATH[path], values[path]
            if cell is None or cell == "":
                continue
            if field.type is object_:
                raise ParameterError(f"defaults[{path!r}]: give its fields one by one, such as '{path}.…'")
            read = self._readers[path]
            try:
                value = read(cell, country) if field.type is hashed_by_country else read(cell)  # type: ignore[call-arg]
            except Unfit as unfit:
                raise ParameterError(f"defaults[{path!r}]: {unfit.message}") from None
            except Unusable:
                raise ParameterError(f"defaults[{path!r}]: the value has no canonical form") from None
            country = value if path == "user_data.country" else country
            if value is not None:
                found.append(Default(PLACES.index(field.place), field.name, value))
        return tuple(found)


def _checked(parameter: str, value: Any, wanted: type) -> Any:
    if not isinstance(value, wanted) or isinstance(value, str | bytes):
        kind = "a mapping" if wanted is Mapping else "a list of column names"
        raise ParameterError(f"{parameter}: expected {kind}, got {type(value).__name__}")
    return value


def field_path(name: str, where: str) -> str:
    """Return the path of a field given by path or alias.

    :param where: the parameter that names it, for the message.
    :raises ParameterError: there is no such field.
    """
    path = NAMES.get(str(name).strip().lower())
    if path is None:
        raise ParameterError(f"{where}: {name!r} is no field of Pinterest's{_or(str(name), NAMES)}.")
    return path


def _or(name: str, known: Collection[str]) -> str:
    like = nearest(name, known)
    return f"; did you mean {like!r}?" if like else ""


def _zone(name: str) -> dt.tzinfo:
    try:
        return pendulum.timezone(name)
    except (ValueError, KeyError, TypeError):
        raise ParameterError(f"timezone: {name!r} is no IANA time zone such as 'Europe/Berlin'") from None


def _switches(given: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Check the ``identifiers`` parameter and key it by leaf name."""
    found: dict[str, Mapping[str, Any]] = {}
    for identifier, switches in given.items():
        path = field_path(identifier, f"identifiers[{identifier!r}]")
        name = BY_PATH[path].name
        allowed = SWITCHES.get(name) if path.startswith("user_data.") else None
        if allowed is None:
            raise ParameterError(
                f"identifiers[{identifier!r}]: {path} is not hashed; choose from {', '.join(SWITCHES)}."
            )
        if not isinstance(switches, Mapping):
            raise ParameterError(f"identifiers[{identifier!r}]: expected a mapping such as {{'already_hashed': True}}.")
        for switch, value in switches.items():
            where = f"identifiers[{identifier!r}][{switch!r}]"
            if switch not in allowed:
                raise ParameterError(f"{where}: no such switch; choose from {', '.join(allowed)}.")
            values = allowed[switch]
            if (isinstance(values, tuple) and value not in values) or (values is str and not isinstance(value, str)):
                raise ParameterError(f"{where}: {value!r} is not one of {values}.")
        found[name] = switches
    return found


def _readers(options: Options) -> dict[str, Reader]:
    """Make the readers of all fields."""
    found = {}
    for field in FIELDS:
        if "[]" in field.path:
            continue
        found[field.path] = _reader(field, options)
    return found


def _reader(field: Field, options: Options) -> Reader:
    try:
        return field.type(field, options)
    except ImportError:
        raise ParameterError(
            "identifiers: national phone numbers need the phonenumbers library: "
            "pip install 'airflow-provider-pinterest[phone]'"
        ) from None
    except ValueError as error:
        raise ParameterError(f"identifiers[{field.name!r}]['country']: {error} is no ISO 3166 alpha-2 code") from None
