"""Columns → fields, compiled once per distinct set of columns.

A column finds its field by ``field_map``, by the field's path, by its name or by an alias, in any spelling.
A column that finds none is an error of the whole run, because Pinterest refuses a request that holds one
unknown property, and because a mistyped column silently left out is data lost.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from airflow_provider_pinterest.conversions.columns import ColumnParser
from airflow_provider_pinterest.conversions.compiled_mapping import Column, CompiledMapping, IdPart, Layout
from airflow_provider_pinterest.conversions.event_names import mapped_names
from airflow_provider_pinterest.conversions.field_maps import NAMES, OBJECTS, PATHS, FieldMap, field_path, suggestion
from airflow_provider_pinterest.conversions.fields import (
    BY_PATH,
    FIELDS,
    SWITCHES,
    FieldOptions,
    reader,
)
from airflow_provider_pinterest.conversions.hints import meant
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.conversions.placeholders import PLACEHOLDERS
from airflow_provider_pinterest.conversions.placeholders import folded as folded_words
from airflow_provider_pinterest.conversions.reasons import CellError, InvalidCellError, Reason, UnusableCellError
from airflow_provider_pinterest.exceptions import MappingError, ParameterError, problems
from airflow_provider_pinterest.problems import Problems
from airflow_provider_pinterest.redaction import clean

PLANS_KEPT: Final = 1_024
"""Most compiled sets of columns that are remembered; rows with ever new keys must not fill the memory."""

NAMES_KEPT: Final = 100_000
"""Most names in all compiled sets of columns that are remembered."""

PROBLEMS: Final = 10
"""Most columns that an error names."""


HINTS: Final[dict[str, str]] = {
    **{hint: field.path for field in reversed(FIELDS) if "[]" not in field.path for hint in field.hints},
    **{name: path for name, path in NAMES.items() if "." not in name},
}
"""Every name without a place, and the words that suggest a field → path."""

_PRECEDENCE: Final[dict[str, int]] = {folded(name): rank for rank, name in enumerate(reversed(NAMES))}


class ColumnMapping:
    """How columns become fields; checks its parameters when made.

    :param field_map: column → field path or alias, or ``None`` to ignore the column. Dotted names reach into
        JSON cells and ready events: ``{"custom_data.internal": None, "items.ref": "contents.id", "items.*": None}``.
    :param identifiers: switches per identifier, see :data:`~.fields.SWITCHES`.
    :param defaults: field path or alias → value for rows that lack it.
    :param event_id_from: columns or fields that make a deterministic ``event_id`` where a row has none.
    :param timezone: name of the zone that naive times stand in.
    :param key_columns: columns copied into rejections so that a person finds the row; they need not be fields.
    :param consent_column: the column that says whether a row may be sent; it need not be a field.
    :param event_names: name of an event in the source, in any spelling → the name to send. A name that is mapped to
        itself is sent as it is.
    :param placeholders: words that stand for nothing in an identifier or an id, in any case.
    :raises ParameterError: names every field, identifier, switch and zone that does not exist, and unfit defaults.
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
        event_names: Mapping[str, str] | None = None,
        consent_column: str | None = None,
        placeholders: Sequence[str] = PLACEHOLDERS,
    ) -> None:
        found = Problems()
        nothing: Mapping[str, Any] = {}
        none: tuple[str, ...] = ()
        self.field_map = found.checked(_mapping, "field_map", field_map or {}, otherwise=nothing)
        self.event_id_from = found.checked(_columns, "event_id_from", event_id_from, otherwise=none)
        self.key_columns = found.checked(_columns, "key_columns", key_columns, otherwise=none)
        self.consent_column = consent_column
        others = (*self.key_columns, *self.event_id_from, *([consent_column] if consent_column else []))
        self._extra = frozenset(map(folded, others))
        self._resolved = FieldMap(self.field_map, found)
        event_names = found.checked(_mapping, "event_names", event_names or {}, otherwise=nothing)
        identifiers = found.checked(_mapping, "identifiers", identifiers or {}, otherwise=nothing)
        defaults = found.checked(_mapping, "defaults", defaults or {}, otherwise=nothing)
        words = found.checked(_columns, "placeholders", placeholders, "words", otherwise=none)
        options = FieldOptions(
            found.checked(_zone, timezone, otherwise=dt.UTC),
            _switches(identifiers, found),
            placeholders=folded_words(words),
            event_names=mapped_names(event_names, found),
            members=self._resolved.members,
            open_lists=frozenset(self._resolved.open),
        )
        self.readers = _readers(options, found)
        self.defaults = self._written(defaults, found)
        """Field path → JSON member for rows that lack it."""
        found.raise_all()
        self.parameters = {
            "field_map": self.field_map,
            "identifiers": {name: dict(switches) for name, switches in identifiers.items()},
            "defaults": defaults,
            "event_id_from": self.event_id_from,
            "timezone": timezone,
            "key_columns": self.key_columns,
            "event_names": event_names,
            "consent_column": consent_column,
            "placeholders": words,
        }
        """What an equal mapping is made of."""
        self._layouts: dict[str, Layout] = {}
        self._plans: dict[tuple[tuple[str, ...], tuple[int, ...]], CompiledMapping] = {}
        self._names_kept = 0

    def target(self, column: str) -> tuple[bool, str | None]:
        """Return whether a column is known, and the path it maps to (``None``: ignored)."""
        name = folded(column)
        targets = self._resolved.columns
        if name in targets:
            return True, targets[name]
        if name in PATHS:
            return True, PATHS[name]
        return name in self._extra, None

    def ignores_unknown(self, place: str) -> bool:
        """Return whether unknown members of the objects of a place, such as ``custom_data``, are ignored."""
        return place in self._resolved.open

    def check(self, columns: Sequence[str], *, complete: bool = True) -> None:
        """Refuse columns that cannot be mapped.

        :param complete: whether the source has no others, so that a parameter which names another is wrong.
        :raises MappingError: a column maps to nothing, two map to one field, or a parameter names a column
            that is not there. The message lists every such column.
        """
        plan = self.plan(tuple(columns))
        found = [*map(self._unknown, plan.unknown), *map(_clash, plan.clashes.items())]
        have = {folded(column) for column in columns}
        if self.consent_column and folded(self.consent_column) not in have:
            found.append(
                f"consent_column names {self.consent_column!r}, which the source does not have"
                f"{suggestion(self.consent_column, columns)}"
            )
        for parameter in ("field_map", "key_columns", "event_id_from") if complete else ():
            for name in getattr(self, parameter):
                if parameter == "field_map":
                    known = self._resolved.has_effect(name, lambda one: self.target(one)[1], columns)
                else:
                    known = folded(name) in have or (parameter == "event_id_from" and folded(name) in PATHS)
                if not known:
                    found.append(
                        f"{parameter} names {name!r}, which the source does not have{suggestion(name, columns)}"
                    )
        if found:
            raise _mapping_error(found, plan.unknown)

    def plan(self, columns: tuple[str, ...]) -> CompiledMapping:
        """Compile one set of columns, or return what was compiled before."""
        return self._plans.get((columns, ())) or self._compiled(columns, ())

    def opened(self, plan: CompiledMapping) -> CompiledMapping:
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
        return len(NAMES) if folded(name) in self._resolved.columns else _PRECEDENCE.get(folded(name), 0)

    def _is_member(self, name: str) -> bool:
        known, path = self.target(name)
        return known and path not in OBJECTS

    def _compiled(self, columns: tuple[str, ...], sizes: tuple[int, ...]) -> CompiledMapping:
        plan = self._compile(columns, opened=bool(sizes))
        self._names_kept += len(columns)
        if len(self._plans) >= PLANS_KEPT or self._names_kept > NAMES_KEPT:
            self._plans.clear()
            self._names_kept = len(columns)
        self._plans[columns, sizes] = plan
        return plan

    def _compile(self, columns: tuple[str, ...], *, opened: bool) -> CompiledMapping:
        own = [self.target(name) for name in columns]
        objects = tuple((index, path) for index, (_, path) in enumerate(own) if path in OBJECTS)
        nested = [f"{path}.{name}" for _, path in objects for name in self.layout(path).names] if opened else []
        names = (*nested, *columns)
        paths = [path for _, path in (*map(self.target, nested), *own)]
        fields = [
            Column(position, path, self.readers[path])
            for position, path in enumerate(paths)
            if path is not None and path not in OBJECTS
        ]

        def order(position: int) -> tuple[bool, bool, int, str]:
            """Read countries before what depends on them, and what shall win of one field last."""
            name = names[position]
            own = position >= len(nested)
            depends = bool(self.readers[paths[position] or ""].depends_on)
            return depends, own, position if own else self._precedence(name), name

        position = {folded(name): index for index, name in enumerate(names)} if self._extra else {}
        id_parts = tuple(self._id_part(name, position) for name in self.event_id_from)
        return CompiledMapping(
            names=columns,
            columns=tuple(sorted(fields, key=lambda column: order(column.position))),
            objects=objects,
            clashes=_clashes(columns, [path for _, path in own]),
            unknown=tuple(name for name, (known, _) in zip(columns, own, strict=True) if not known),
            id_parts=None if not id_parts or None in id_parts else id_parts,  # type: ignore[arg-type]
            keys=tuple((key, position.get(folded(key))) for key in self.key_columns),
            consent=position.get(folded(self.consent_column)) if self.consent_column else None,
        )

    def _id_part(self, name: str, position: Mapping[str, int]) -> IdPart | None:
        """Find a part of the ``event_id``; ``None`` when the rows do not have it."""
        at = position.get(folded(name))
        path = PATHS.get(folded(name)) if at is None else self.target(name)[1]
        if path is None:
            return None if at is None else IdPart(at, "")
        return IdPart(None, path)

    def _unknown(self, column: str) -> str:
        column = _said(column)
        like = meant(column, HINTS)
        hint = f" The nearest field is {HINTS[like]} ({like})." if like else ""
        return f"Column {column!r} does not match any Pinterest field.{hint}"

    def _written(self, defaults: Mapping[str, Any], problems: Problems) -> dict[str, bytes]:
        """Read the defaults as if they were cells."""
        found: dict[str, bytes] = {}
        paths = {name: problems.checked(field_path, name, f"defaults[{name!r}]", otherwise="") for name in defaults}
        values = {path: defaults[name] for name, path in paths.items() if path in self.readers}
        for path in sorted(values, key=lambda path: bool(self.readers[path].depends_on)):
            other = found.get(self.readers[path].depends_on or "", b"")
            member = problems.checked(self._default, path, values[path], other, otherwise=b"")
            if member:
                found[path] = member
        return found

    def _default(self, path: str, cell: Any, other: bytes) -> bytes:
        """Read one default beside the default of the field on which it depends.

        :raises ParameterError: it is unfit.
        """
        if cell is None or cell == "":
            return b""
        if path in OBJECTS:
            raise ParameterError(f"defaults[{path!r}]: give its fields one by one, such as '{path}.…'")
        try:
            [member] = self.readers[path].beside([cell], [other], _raised)
        except InvalidCellError as unfit:
            raise ParameterError(f"defaults[{path!r}]: {unfit.message}") from None
        except UnusableCellError as unusable:
            why = unusable.message or "the value has no canonical form"
            raise ParameterError(f"defaults[{path!r}]: {why}") from None
        return member


def _mapping_error(found: list[str], unknown: Sequence[str] = ()) -> MappingError:
    """Return the error that lists problems with columns.

    :param unknown: columns that match no field.
    """
    count = len(found)
    if count > PROBLEMS:
        found = [*found[:PROBLEMS], f"{count - PROBLEMS:,} more."]
    advice = ""
    if unknown:
        name = _said(unknown[0])
        field = HINTS.get(meant(name, HINTS) or "", "the field")
        which = "the column" if len(unknown) == 1 else "each column"
        advice = (
            f"Rename {which} in the source, name its field in field_map={{{name!r}: {field!r}}}, or ignore it with "
            f"field_map={{{name!r}: None}}."
        )
    return MappingError(problems(f"{count:,} problems with the columns:", found), advice=advice)


def _clashes(columns: Sequence[str], paths: Sequence[str | None]) -> dict[str, list[str]]:
    """Return the fields that several columns map to, and these columns."""
    found: dict[str, list[str]] = {}
    for column, path in zip(columns, paths, strict=True):
        if path is not None:
            found.setdefault(path, []).append(column)
    return {path: names for path, names in found.items() if len(names) > 1}


def _clash(clash: tuple[str, Sequence[str]]) -> str:
    """Say which columns map to one field, and what to change."""
    path, columns = clash
    names = [repr(_said(column)) for column in columns]
    which, both = ("second", "both") if len(names) == 2 else ("others", "all")
    said = f"Columns {', '.join(names[:-1])} and {names[-1]} {both} map to {path}. Keep one of them: "
    if len({*map(folded, columns)}) < len(columns):
        return f"{said}select only one, or rename the {which} with AS. field_map cannot tell them apart."
    return f"{said}field_map={{{', '.join(f'{name}: None' for name in names[1:])}}} ignores the {which}."


def clash_reason(path: str, columns: Sequence[str]) -> Reason:
    """Say that a row has several columns for one field."""
    names = ", ".join(repr(_said(column)) for column in columns)
    return Reason("ambiguous_columns", path, f"{names} all map to this field; keep one of them, or ignore the others")


def _raised(_: int, verdict: CellError) -> None:
    raise verdict


def _mapping(parameter: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ParameterError(f"{parameter}: expected a mapping, got {type(value).__name__}")
    return dict(zip(_names_of(parameter, value), value.values(), strict=True))


def _target(column: str, target: str | None) -> str | None:
    return None if target is None else field_path(target, f"field_map[{column!r}]")


def _columns(parameter: str, value: Any, what: str = "column names") -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ParameterError(f"{parameter}: expected a list of {what}, got {type(value).__name__}")
    return _names_of(parameter, value)


def _names_of(parameter: str, names: Iterable[Any]) -> tuple[str, ...]:
    for name in names:
        if not isinstance(name, str):
            raise ParameterError(f"{parameter}: expected names, got {type(name).__name__}")
    return tuple(names)


def unknown_field(name: str, place: str = "") -> Reason:
    """Say that a name maps to nothing.

    :param place: the object in which the name stands.
    """
    message = "Pinterest knows no such field; map it, or ignore it, in field_map"
    return Reason("unknown_field", f"{place}.{_said(name)}" if place else _said(name), message)


def _said(name: str) -> str:
    """Return a name that may be data as it may be said in a message."""
    return clean(name)[:80]


def _zone(name: str) -> dt.tzinfo:
    try:
        return dt.UTC if name.strip().lower() == "utc" else ZoneInfo(name)
    except (ValueError, KeyError, AttributeError, OSError):
        raise ParameterError(f"timezone: {name!r} is not an IANA time zone such as 'Europe/Berlin'") from None


def _switches(given: Mapping[str, Any], problems: Problems) -> dict[str, Mapping[str, Any]]:
    """Check the ``identifiers`` parameter and key it by leaf name."""
    found: dict[str, Mapping[str, Any]] = {}
    for identifier, switches in given.items():
        name = problems.checked(_identifier, identifier, otherwise="")
        if not name:
            continue
        if not isinstance(switches, Mapping):
            problems.found.append(
                f"identifiers[{identifier!r}]: expected a mapping such as {{'already_hashed': True}}."
            )
            continue
        wrong = [
            f"identifiers[{identifier!r}][{switch!r}]{wrong}"
            for switch, value in switches.items()
            if (wrong := _wrong_switch(SWITCHES[name], switch, value))
        ]
        problems.found += wrong
        if not wrong:
            found[name] = switches
    return found


def _identifier(name: str) -> str:
    """Return the leaf name of an identifier that is hashed.

    :raises ParameterError: there is none.
    """
    path = field_path(name, f"identifiers[{name!r}]")
    leaf = BY_PATH[path].name
    if not path.startswith("user_data.") or leaf not in SWITCHES:
        raise ParameterError(f"identifiers[{name!r}]: {path} is not hashed; choose from {', '.join(SWITCHES)}.")
    return leaf


def _wrong_switch(allowed: Mapping[str, tuple[Any, ...] | type], switch: str, value: Any) -> str:
    """Return what is wrong with a switch; empty: nothing."""
    if switch not in allowed:
        return f": no such switch; choose from {', '.join(allowed)}."
    values = allowed[switch]
    if (isinstance(values, tuple) and value not in values) or (values is str and not isinstance(value, str)):
        return f": {value!r} is not one of {values}."
    return ""


def _readers(options: FieldOptions, problems: Problems) -> dict[str, ColumnParser]:
    """Make the readers of all fields that can be made with these options."""
    found = {}
    for field in FIELDS:
        if "[]" in field.path:
            continue
        try:
            found[field.path] = reader(field, options)
        except ValueError as error:
            problems.found.append(f"identifiers[{field.name!r}]['country']: {error} is no ISO 3166 alpha-2 code")
    return found
