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

from airflow_provider_pinterest.conversions.columns import ByCountry, Reader
from airflow_provider_pinterest.conversions.event_names import mapped_names
from airflow_provider_pinterest.conversions.field_maps import NAMES, OBJECTS, PATHS, FieldMap, field_path, suggestion
from airflow_provider_pinterest.conversions.fields import (
    BY_PATH,
    COUNTRY,
    FIELDS,
    SWITCHES,
    Options,
    reader,
)
from airflow_provider_pinterest.conversions.hints import meant
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.conversions.plans import Column, IdPart, Layout, Plan
from airflow_provider_pinterest.conversions.reasons import Reason, Unfit, Unusable, Verdict
from airflow_provider_pinterest.exceptions import MappingError, ParameterError
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
        event_names: Mapping[str, str] | None = None,
        consent_column: str | None = None,
    ) -> None:
        self.field_map = _mapping("field_map", field_map or {})
        self.event_id_from = _columns("event_id_from", event_id_from)
        self.key_columns = _columns("key_columns", key_columns)
        self.consent_column = consent_column
        others = (*self.key_columns, *self.event_id_from, *([consent_column] if consent_column else []))
        self._extra = frozenset(map(folded, others))
        self._resolved = FieldMap(self.field_map)
        event_names = _mapping("event_names", event_names or {})
        identifiers, defaults = _mapping("identifiers", identifiers or {}), _mapping("defaults", defaults or {})
        self.readers = _readers(
            Options(
                _zone(timezone),
                _switches(identifiers),
                event_names=mapped_names(event_names),
                members=self._resolved.members,
                open_lists=frozenset(self._resolved.open),
            )
        )
        self.defaults = self._written(defaults)
        """Field path → JSON member for rows that lack it."""
        self.parameters = {
            "field_map": self.field_map,
            "identifiers": {name: dict(switches) for name, switches in identifiers.items()},
            "defaults": defaults,
            "event_id_from": self.event_id_from,
            "timezone": timezone,
            "key_columns": self.key_columns,
            "event_names": event_names,
            "consent_column": consent_column,
        }
        """What an equal mapping is made of."""
        self._layouts: dict[str, Layout] = {}
        self._plans: dict[tuple[tuple[str, ...], tuple[int, ...]], Plan] = {}
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
            that is not there.
        """
        unknown = [column for column in columns if not self.target(column)[0]]
        problems = [self._unknown(column) for column in unknown[:PROBLEMS]]
        if len(unknown) > PROBLEMS:
            problems.append(f"So do {len(unknown) - PROBLEMS:,} more columns.")
        plan = self.plan(tuple(columns))
        problems += map(_clash, plan.clashes.items())
        have = {folded(column) for column in columns}
        if self.consent_column and folded(self.consent_column) not in have:
            problems.append(
                f"consent_column names {self.consent_column!r}, which the source does not have"
                f"{suggestion(self.consent_column, columns)}"
            )
        for parameter in ("field_map", "key_columns", "event_id_from") if complete else ():
            for name in getattr(self, parameter):
                field = parameter == "event_id_from" and folded(name) in PATHS
                if parameter == "field_map" and self._resolved.has_effect(
                    name, lambda one: self.target(one)[1], columns
                ):
                    continue
                if folded(name) not in have and not field:
                    problems.append(
                        f"{parameter} names {name!r}, which the source does not have{suggestion(name, columns)}"
                    )
        if problems:
            raise MappingError(" ".join(problems))

    def plan(self, columns: tuple[str, ...]) -> Plan:
        """Compile one set of columns, or return what was compiled before."""
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
        return len(NAMES) if folded(name) in self._resolved.columns else _PRECEDENCE.get(folded(name), 0)

    def _is_member(self, name: str) -> bool:
        known, path = self.target(name)
        return known and path not in OBJECTS

    def _compiled(self, columns: tuple[str, ...], sizes: tuple[int, ...]) -> Plan:
        plan = self._compile(columns, opened=bool(sizes))
        self._names_kept += len(columns)
        if len(self._plans) >= PLANS_KEPT or self._names_kept > NAMES_KEPT:
            self._plans.clear()
            self._names_kept = len(columns)
        self._plans[columns, sizes] = plan
        return plan

    def _compile(self, columns: tuple[str, ...], *, opened: bool) -> Plan:
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
            reads_country = isinstance(self.readers[paths[position] or ""], ByCountry)
            return reads_country, own, position if own else self._precedence(name), name

        position = {folded(name): index for index, name in enumerate(names)} if self._extra else {}
        id_parts = tuple(self._id_part(name, position) for name in self.event_id_from)
        return Plan(
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
        return (
            f"Column {column!r} maps to no field of Pinterest's.{hint} "
            f"Name the field in field_map={{{column!r}: …}}, or ignore the column with {{{column!r}: None}}."
        )

    def _written(self, defaults: Mapping[str, Any]) -> dict[str, bytes]:
        """Read the defaults as if they were cells."""
        found: dict[str, bytes] = {}
        values = {field_path(name, f"defaults[{name!r}]"): value for name, value in defaults.items()}
        for path in sorted(values, key=lambda path: isinstance(self.readers[path], ByCountry)):
            reader, cell = self.readers[path], values[path]
            if cell is None or cell == "":
                continue
            if path in OBJECTS:
                raise ParameterError(f"defaults[{path!r}]: give its fields one by one, such as '{path}.…'")
            if isinstance(reader, ByCountry):
                cell = (cell, found.get(COUNTRY, b""))
            try:
                [member] = reader.members([cell], _raised)
            except Unfit as unfit:
                raise ParameterError(f"defaults[{path!r}]: {unfit.message}") from None
            except Unusable as unusable:
                why = unusable.message or "the value has no canonical form"
                raise ParameterError(f"defaults[{path!r}]: {why}") from None
            if member:
                found[path] = member
        return found


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


def _raised(_: int, verdict: Verdict) -> None:
    raise verdict


def _mapping(parameter: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ParameterError(f"{parameter}: expected a mapping, got {type(value).__name__}")
    return dict(zip(_names_of(parameter, value), value.values(), strict=True))


def _columns(parameter: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ParameterError(f"{parameter}: expected a list of column names, got {type(value).__name__}")
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
        except ImportError:
            raise ParameterError(
                "identifiers: national phone numbers need the phonenumbers library: "
                "install airflow-provider-pinterest with the extra 'phone'."
            ) from None
        except ValueError as error:
            raise ParameterError(
                f"identifiers[{field.name!r}]['country']: {error} is no ISO 3166 alpha-2 code"
            ) from None
    return found
