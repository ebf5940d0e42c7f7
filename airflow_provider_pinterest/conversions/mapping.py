"""The mapping of columns to fields: configuration, checked once and immutable.

A column finds its field by ``field_map``, by the path of the field, by its name or by an alias, in any spelling. A
column without a field is an error of the whole run: Pinterest refuses a request with an unknown property, and a
mistyped column that is silently left out is lost data.

Compiled mappings are kept in :mod:`~.mapping_compiler`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from airflow_provider_pinterest.conversions.column_errors import (
    clash_message,
    clashing_columns,
    mapping_error,
    unknown_column,
)
from airflow_provider_pinterest.conversions.column_parser import ColumnParser
from airflow_provider_pinterest.conversions.event_names import mapped_names
from airflow_provider_pinterest.conversions.field_maps import OBJECTS, PATHS, FieldMap, field_path, suggestion
from airflow_provider_pinterest.conversions.field_parsers import parser_of
from airflow_provider_pinterest.conversions.field_types import FieldOptions
from airflow_provider_pinterest.conversions.fields import DEPENDENCIES, FIELDS, SWITCHES  # noqa: F401
from airflow_provider_pinterest.conversions.mapping_parameters import (
    checked_mapping,
    checked_names,
    checked_switches,
    checked_zone,
)
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.conversions.placeholders import PLACEHOLDERS
from airflow_provider_pinterest.conversions.placeholders import folded as folded_words
from airflow_provider_pinterest.conversions.reasons import CellError, InvalidCellError, UnusableCellError
from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.problems import Problems


class Default(NamedTuple):
    """The default of a field, which is sent in rows without the field.

    :param value: its value.
    :param member: its JSON member.
    :param shared: what other fields of the row depend on, see :class:`~.identifier_rules.Dependency`.
    """

    value: Any
    member: bytes
    shared: Any = None


@dataclass(frozen=True, kw_only=True)
class ColumnMapping:
    """How columns become fields; the parameters are checked when it is created.

    :param field_map: column → field path or alias, or ``None`` to ignore the column. Dotted names reach into
        JSON cells and ready events: ``{"custom_data.internal": None, "items.ref": "contents.id", "items.*": None}``.
    :param identifiers: switches per identifier, see :data:`~.fields.SWITCHES`.
    :param defaults: field path or alias → value for rows that lack it.
    :param event_id_from: columns or fields from which an ``event_id`` is computed for rows without one.
    :param timezone: name of the time zone of naive times.
    :param key_columns: columns copied into rejections so that a person finds the row; they need not be fields.
    :param consent_column: the column that says whether a row may be sent; it need not be a field.
    :param ad_account_id_column: the column that names the ad account of each row; it need not be a field.
    :param ad_account_id: the ad account of rows whose cell in that column is empty; empty: they are rejected.
    :param event_names: name of an event in the source, in any spelling → the name to send. A name that is mapped to
        itself is sent as it is.
    :param placeholders: words that mean "empty" in an identifier or an id, in any case.
    :raises ParameterError: names every unknown field, identifier, switch and time zone, and every invalid default.
    """

    field_map: Mapping[str, str | None] = field(default_factory=dict)
    identifiers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    event_id_from: Sequence[str] = ()
    timezone: str = "UTC"
    key_columns: Sequence[str] = ()
    event_names: Mapping[str, str] = field(default_factory=dict)
    consent_column: str | None = None
    ad_account_id_column: str | None = None
    ad_account_id: str = ""
    placeholders: Sequence[str] = PLACEHOLDERS
    default_members: Mapping[str, Default] = field(init=False, repr=False, compare=False)
    """Field path → its default."""
    _targets: FieldMap = field(init=False, repr=False, compare=False)
    _options: FieldOptions = field(init=False, repr=False, compare=False)
    _other_columns: frozenset[str] = field(init=False, repr=False, compare=False)
    """Compared form of the columns that parameters name and that need not be fields."""

    def __post_init__(self) -> None:
        """Check the parameters."""
        problems = Problems()
        empty: Mapping[str, Any] = {}
        none: tuple[str, ...] = ()
        for name in ("field_map", "event_names", "identifiers", "defaults"):
            self._set(name, problems.checked(checked_mapping, name, getattr(self, name) or {}, otherwise=empty))
        for name in ("event_id_from", "key_columns"):
            self._set(name, problems.checked(checked_names, name, getattr(self, name), otherwise=none))
        words = problems.checked(checked_names, "placeholders", self.placeholders, "words", otherwise=none)
        self._set("placeholders", words)
        named = [name for name in (self.consent_column, self.ad_account_id_column) if name]
        others = (*self.key_columns, *self.event_id_from, *named)
        self._set("_other_columns", frozenset(map(folded, others)))
        self._set("_targets", FieldMap(self.field_map, problems))
        options = FieldOptions(
            problems.checked(checked_zone, self.timezone, otherwise=dt.UTC),
            checked_switches(self.identifiers, problems),
            placeholders=folded_words(self.placeholders),
            event_names=mapped_names(self.event_names, problems),
            members=self._targets.members,
            open_lists=frozenset(self._targets.open),
        )
        self._set("_options", options)
        self._set("default_members", _encoded(self.defaults, _parsers(options, problems), problems))
        problems.raise_all()
        self._set("identifiers", {name: dict(switches) for name, switches in self.identifiers.items()})

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that an equal mapping is created from."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.init}

    def new_parsers(self) -> dict[str, ColumnParser]:
        """Return new parsers of all fields: field path → parser. A parser remembers cells that it has parsed."""
        return _parsers(self._options, Problems())

    def target(self, column: str) -> tuple[bool, str | None]:
        """Return whether a column is known, and the path it maps to (``None``: ignored)."""
        name = folded(column)
        targets = self._targets.columns
        if name in targets:
            return True, targets[name]
        if name in PATHS:
            return True, PATHS[name]
        return name in self._other_columns, None

    def reads(self, column: str) -> bool:
        """Return whether the cells of a column matter, or the column is unknown and must be reported."""
        known, path = self.target(column)
        return not known or path is not None or folded(column) in self._other_columns

    def names(self, column: str) -> bool:
        """Return whether a parameter names a column."""
        return self.is_mapped(column) or folded(column) in self._other_columns

    def is_mapped(self, column: str) -> bool:
        """Return whether ``field_map`` names a column."""
        return folded(column) in self._targets.columns

    def ignores_unknown(self, place: str) -> bool:
        """Return whether unknown members of the objects of a place, such as ``custom_data``, are ignored."""
        return place in self._targets.open

    def check(self, columns: Sequence[str], *, complete: bool = True) -> None:
        """Check that all columns can be mapped.

        :param complete: whether the source has no other columns, so that a parameter must not name another one.
        :raises MappingError: a column maps to nothing, two columns map to one field, or a parameter names a column
            that does not exist. The message lists every such column.
        """
        targets = [self.target(column) for column in columns]
        unknown = [column for column, (known, _) in zip(columns, targets, strict=True) if not known]
        clashes = clashing_columns(columns, [path for _, path in targets])
        found = [*map(unknown_column, unknown), *(clash_message(path, names) for path, names in clashes.items())]
        have = {folded(column) for column in columns}
        for parameter in ("consent_column", "ad_account_id_column"):
            name = getattr(self, parameter)
            if name and folded(name) not in have:
                found.append(f"{parameter} names {name!r}, which the source does not have{suggestion(name, columns)}")
        if complete:
            found += [f"{problem}{more}" for problem, more in self.absent(columns)]
        if found:
            raise mapping_error(found, unknown)

    def absent(self, columns: Sequence[str]) -> list[tuple[str, str]]:
        """Return a problem, and a suggestion, for each name in a parameter that none of all columns has."""
        have = {folded(column) for column in columns}
        found = []
        for parameter in ("field_map", "key_columns", "event_id_from"):
            for name in getattr(self, parameter):
                if parameter == "field_map":
                    known = self._targets.has_effect(name, lambda one: self.target(one)[1], columns)
                else:
                    known = folded(name) in have or (parameter == "event_id_from" and folded(name) in PATHS)
                if not known:
                    problem = f"{parameter} names {name!r}, which the source does not have"
                    found.append((problem, suggestion(name, columns)))
        return found

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


def _parsers(options: FieldOptions, problems: Problems) -> dict[str, ColumnParser]:
    """Return parsers of all fields for which the options are valid."""
    found = {}
    for field_ in FIELDS:
        if "[]" in field_.path:
            continue
        try:
            found[field_.path] = parser_of(field_, options)
        except ValueError as error:
            problems.found.append(
                f"identifiers[{field_.name!r}]['country']: {error} is not an ISO 3166 alpha-2 country code"
            )
    return found


def _encoded(
    defaults: Mapping[str, Any], parsers: Mapping[str, ColumnParser], problems: Problems
) -> dict[str, Default]:
    """Parse the defaults in the same way as cells."""
    found: dict[str, Default] = {}
    paths = {name: problems.checked(field_path, name, f"defaults[{name!r}]", otherwise="") for name in defaults}
    values = {path: defaults[name] for name, path in paths.items() if path in parsers}
    for path in sorted(values, key=lambda path: bool(parsers[path].depends_on)):
        parser = parsers[path]
        other = found.get(parser.depends_on or "")
        shared = other.shared if other else None
        member = problems.checked(_default_member, parser, path, values[path], shared, otherwise=b"")
        if member:
            value = parser.decode(member)
            found[path] = Default(value, member, DEPENDENCIES[path](value) if path in DEPENDENCIES else None)
    return found


def _default_member(parser: ColumnParser, path: str, cell: Any, shared: Any) -> bytes:
    """Return the JSON member of a default.

    :param shared: what the field depends on.
    :raises ParameterError: the default is invalid.
    """
    if cell is None or cell == "":
        return b""
    if path in OBJECTS:
        raise ParameterError(f"defaults[{path!r}]: give its fields one by one, such as '{path}.…'")
    try:
        [member] = parser.encode_beside([cell], [shared], _raise)
    except InvalidCellError as error:
        raise ParameterError(f"defaults[{path!r}]: {error.message}") from None
    except UnusableCellError as error:
        why = error.message or "the value has no canonical form"
        raise ParameterError(f"defaults[{path!r}]: {why}") from None
    return member


def _raise(_: int, error: CellError) -> None:
    raise error
