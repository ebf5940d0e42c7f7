"""Columns → fields, compiled once per distinct set of columns.

A column finds its field by ``field_map``, by the field's path, by its name or by an alias, whatever the case.
A column that finds none is an error of the whole run, because Pinterest refuses a request that holds one
unknown property, and because a mistyped column silently left out is data lost.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from airflow_provider_pinterest.conversions.columns import Reader
from airflow_provider_pinterest.conversions.fields import (
    BY_PATH,
    FIELDS,
    SWITCHES,
    Options,
    object_,
    reader,
)
from airflow_provider_pinterest.conversions.placeholders import PLACEHOLDERS
from airflow_provider_pinterest.conversions.placeholders import folded as folded_words
from airflow_provider_pinterest.conversions.plans import Column, IdPart, Layout, Plan
from airflow_provider_pinterest.conversions.reasons import Reason, Unfit, Unusable, Verdict
from airflow_provider_pinterest.exceptions import MappingError, ParameterError
from airflow_provider_pinterest.redaction import clean

PLACES: Final = ("", "user_data", "custom_data", "app_info", "device_info")
"""The objects an event is made of; the first is the event itself."""

OBJECTS: Final = frozenset(PLACES[1:])
"""Fields whose cells hold a JSON object of fields."""

PLANS_KEPT: Final = 1_024
"""Most compiled sets of columns that are remembered; rows with ever new keys must not fill the memory."""

NAMES_KEPT: Final = 100_000
"""Most names in all compiled sets of columns that are remembered."""

PROBLEMS: Final = 10
"""Most columns that an error names."""


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

_PRECEDENCE: Final[dict[str, int]] = {name: rank for rank, name in enumerate(reversed(NAMES))}


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return the known name most like ``name``, or ``None`` when nothing is alike."""
    return next(iter(difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.7)), None)


class ColumnMapping:
    """How columns become fields; checks its parameters when made.

    :param field_map: column → field path or alias, or ``None`` to ignore the column. Dotted names reach into
        JSON cells and ready events: ``{"custom_data.internal": None}``.
    :param identifiers: switches per identifier, see :data:`~.fields.SWITCHES`.
    :param defaults: field path or alias → value for rows that lack it.
    :param event_id_from: columns or fields that make a deterministic ``event_id`` where a row has none.
    :param timezone: name of the zone that naive times stand in.
    :param key_columns: columns copied into rejections so that a person finds the row; they need not be fields.
    :param placeholders: words that stand for nothing in an identifier or an id, in any case.
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
        placeholders: Sequence[str] = PLACEHOLDERS,
    ) -> None:
        self.field_map = _mapping("field_map", field_map or {})
        self.event_id_from = _columns("event_id_from", event_id_from)
        self.key_columns = _columns("key_columns", key_columns)
        self._extra = frozenset(folded(name) for name in (*self.key_columns, *self.event_id_from))
        self._targets = {
            folded(column): None if target is None else field_path(target, f"field_map[{column!r}]")
            for column, target in self.field_map.items()
        }
        identifiers, defaults = _mapping("identifiers", identifiers or {}), _mapping("defaults", defaults or {})
        placeholders = _columns("placeholders", placeholders, "words")
        self.readers = _readers(Options(_zone(timezone), _switches(identifiers), folded_words(placeholders)))
        self.defaults = self._written(defaults)
        """Field path → JSON member for rows that lack it."""
        self.parameters = {
            "field_map": self.field_map,
            "identifiers": {name: dict(switches) for name, switches in identifiers.items()},
            "defaults": defaults,
            "event_id_from": self.event_id_from,
            "timezone": timezone,
            "key_columns": self.key_columns,
            "placeholders": placeholders,
        }
        """What an equal mapping is made of."""
        self._layouts: dict[str, Layout] = {}
        self._plans: dict[tuple[tuple[str, ...], tuple[int, ...]], Plan] = {}
        self._names_kept = 0

    def target(self, column: str) -> tuple[bool, str | None]:
        """Return whether a column is known, and the path it maps to (``None``: ignored)."""
        name = folded(column)
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
        unknown = [column for column in columns if not self.target(column)[0]]
        problems = [self._unknown(column) for column in unknown[:PROBLEMS]]
        if len(unknown) > PROBLEMS:
            problems.append(f"So do {len(unknown) - PROBLEMS:,} more columns.")
        have = {folded(column) for column in columns}
        for parameter in ("field_map", "key_columns", "event_id_from") if complete else ():
            for name in getattr(self, parameter):
                field = parameter == "event_id_from" and folded(name) in NAMES
                if folded(name) not in have and not field and "." not in name:
                    problems.append(f"{parameter} names {name!r}, which the source does not have{_or(name, have)}")
        if problems:
            raise MappingError(" ".join(problems))
        self.plan(tuple(columns))

    def plan(self, columns: tuple[str, ...]) -> Plan:
        """Compile one set of columns, or return what was compiled before.

        :raises MappingError: two columns map to the same field.
        """
        return self._plans.get((columns, ())) or self._compiled(columns, ())

    def opened(self, plan: Plan) -> Plan:
        """Return the plan for rows whose JSON cells were laid out, one layout after another, before their own cells."""
        sizes = tuple([len(self.layout(path)) for _, path in plan.objects])
        return self._plans.get((plan.names, sizes)) or self._compiled(plan.names, sizes)

    def layout(self, path: str) -> Layout:
        """Return the layout of the JSON objects of a place, such as ``custom_data``."""
        found = self._layouts.get(path)
        if found is None:
            found = self._layouts[path] = Layout(lambda name: self._is_member(f"{path}.{name}"))
        return found

    def _precedence(self, name: str) -> int:
        """Rank the names of one field: one that the author mapped wins over the table's, its path over aliases."""
        return len(NAMES) if folded(name) in self._targets else _PRECEDENCE.get(folded(name), 0)

    def _is_member(self, name: str) -> bool:
        known, path = self.target(name)
        return known and (path is None or BY_PATH[path].type is not object_)

    def _compiled(self, columns: tuple[str, ...], sizes: tuple[int, ...]) -> Plan:
        plan = self._compile(columns, opened=bool(sizes))
        self._names_kept += len(columns)
        if len(self._plans) >= PLANS_KEPT or self._names_kept > NAMES_KEPT:
            self._plans.clear()
            self._names_kept = len(columns)
        self._plans[columns, sizes] = plan
        return plan

    def _compile(self, columns: tuple[str, ...], *, opened: bool) -> Plan:
        own = {index: self.target(name) for index, name in enumerate(columns)}
        taken: dict[str, int] = {}
        for index, (_, path) in own.items():
            if path is not None and taken.setdefault(path, index) != index:
                first, second = columns[taken[path]], columns[index]
                first, second = _said(first), _said(second)
                raise MappingError(
                    f"Columns {first!r} and {second!r} both map to {path}. Keep one of them: "
                    f"field_map={{{second!r}: None}} ignores the second."
                )
        objects = tuple((index, path) for index, (_, path) in own.items() if path in OBJECTS)
        nested = [f"{path}.{name}" for _, path in objects for name in self.layout(path).names] if opened else []
        names = (*nested, *columns)
        fields = [
            Column(position, path, self.readers[path])
            for position, path in enumerate(self.target(name)[1] for name in names)
            if path is not None and path not in OBJECTS
        ]

        def order(position: int) -> tuple[bool, bool, int, str]:
            """Read countries before what depends on them, and what shall win of one field last."""
            name = names[position]
            own = position >= len(nested)
            path = self.target(name)[1] or ""
            return bool(self.readers[path].depends_on), own, position if own else self._precedence(name), name

        position = {folded(name): index for index, name in enumerate(names)}
        id_parts = tuple(self._id_part(name, position) for name in self.event_id_from)
        return Plan(
            names=columns,
            columns=tuple(sorted(fields, key=lambda column: order(column.position))),
            objects=objects,
            unknown=tuple(columns[index] for index, (known, _) in own.items() if not known),
            id_parts=None if not id_parts or None in id_parts else id_parts,  # type: ignore[arg-type]
            keys=tuple((key, position.get(folded(key))) for key in self.key_columns),
        )

    def _id_part(self, name: str, position: Mapping[str, int]) -> IdPart | None:
        """Find a part of the ``event_id``; ``None`` when the rows do not have it."""
        at = position.get(folded(name))
        path = NAMES.get(folded(name)) if at is None else self.target(name)[1]
        if path is None:
            return None if at is None else IdPart(at, "")
        return IdPart(None, path)

    def _unknown(self, column: str) -> str:
        column = _said(column)
        like = nearest(column, NAMES)
        hint = f" The nearest field is {NAMES[like]} ({like})." if like else ""
        return (
            f"Column {column!r} maps to no field of Pinterest's.{hint} "
            f"Name the field in field_map={{{column!r}: …}}, or ignore the column with {{{column!r}: None}}."
        )

    def _written(self, defaults: Mapping[str, Any]) -> dict[str, bytes]:
        """Read the defaults as if they were cells."""
        found: dict[str, bytes] = {}
        values = {field_path(name, f"defaults[{name!r}]"): value for name, value in defaults.items()}
        for path in sorted(values, key=lambda path: bool(self.readers[path].depends_on)):
            reader, cell = self.readers[path], values[path]
            if cell is None or cell == "":
                continue
            if path in OBJECTS:
                raise ParameterError(f"defaults[{path!r}]: give its fields one by one, such as '{path}.…'")
            try:
                [member] = reader.beside([cell], [found.get(reader.depends_on or "", b"")], _raised)
            except Unfit as unfit:
                raise ParameterError(f"defaults[{path!r}]: {unfit.message}") from None
            except Unusable:
                raise ParameterError(f"defaults[{path!r}]: the value has no canonical form") from None
            if member:
                found[path] = member
        return found


def _raised(_: int, verdict: Verdict) -> None:
    raise verdict


def _mapping(parameter: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ParameterError(f"{parameter}: expected a mapping, got {type(value).__name__}")
    return dict(zip(_names_of(parameter, value), value.values(), strict=True))


def _columns(parameter: str, value: Any, what: str = "column names") -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ParameterError(f"{parameter}: expected a list of {what}, got {type(value).__name__}")
    return _names_of(parameter, value)


def _names_of(parameter: str, names: Iterable[Any]) -> tuple[str, ...]:
    for name in names:
        if not isinstance(name, str):
            raise ParameterError(f"{parameter}: expected names, got {type(name).__name__}")
    return tuple(names)


def folded(name: str) -> str:
    """Return the form in which names are compared."""
    return name.strip().lower()


def unknown_field(name: str, place: str = "") -> Reason:
    """Say that a name maps to nothing.

    :param place: the object in which the name stands.
    """
    message = "Pinterest knows no such field; map it, or ignore it, in field_map"
    return Reason("unknown_field", f"{place}.{_said(name)}" if place else _said(name), message)


def _said(name: str) -> str:
    """Return a name that may be data as it may be said in a message."""
    return clean(name)[:80]


def field_path(name: str, where: str) -> str:
    """Return the path of a field given by path or alias.

    :param where: the parameter that names it, for the message.
    :raises ParameterError: there is no such field.
    """
    path = NAMES.get(folded(str(name)))
    if path is None:
        raise ParameterError(f"{where}: {name!r} is no field of Pinterest's{_or(str(name), NAMES)}")
    return path


def _or(name: str, known: Collection[str]) -> str:
    like = nearest(name, known)
    return f"; did you mean {like!r}?" if like else "."


def _zone(name: str) -> dt.tzinfo:
    try:
        return dt.UTC if folded(name) == "utc" else ZoneInfo(name)
    except (ValueError, KeyError, AttributeError, OSError):
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
    """Make the readers of all fields.

    :raises ParameterError: one of them cannot be made with these options.
    """
    found = {}
    for field in FIELDS:
        if "[]" in field.path:
            continue
        try:
            found[field.path] = reader(field, options)
        except ValueError as error:
            raise ParameterError(
                f"identifiers[{field.name!r}]['country']: {error} is no ISO 3166 alpha-2 code"
            ) from None
    return found
