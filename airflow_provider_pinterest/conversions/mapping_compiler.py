"""Compiles a mapping for sets of columns, and caches the results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from airflow_provider_pinterest.conversions.column_errors import clashing_columns
from airflow_provider_pinterest.conversions.compiled_mapping import Column, CompiledMapping, IdPart, NamePositions
from airflow_provider_pinterest.conversions.field_maps import NAMES, OBJECTS, PATHS
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.names import folded

SETS_KEPT: Final = 1_024
"""Most sets of columns whose compiled mapping is kept; rows with ever new keys must not fill the memory."""

NAMES_KEPT: Final = 100_000
"""Most column names in all sets of columns that are kept."""

_PRECEDENCE: Final[dict[str, int]] = {folded(name): rank for rank, name in enumerate(reversed(NAMES))}


class MappingCompiler:
    """Compile a mapping once per set of columns. Each transform has its own compiler.

    :param mapping: how columns become fields.
    """

    def __init__(self, mapping: ColumnMapping) -> None:
        self.mapping = mapping
        self.parsers = mapping.new_parsers()
        """Field path → the parser of its cells."""
        self._positions: dict[str, NamePositions] = {}
        self._compiled: dict[tuple[tuple[str, ...], tuple[int, ...]], CompiledMapping] = {}
        self._names_kept = 0

    def compiled(self, columns: tuple[str, ...]) -> CompiledMapping:
        """Return the compiled mapping of a set of columns."""
        return self._compiled.get((columns, ())) or self._keep(columns, ())

    def with_members(self, compiled: CompiledMapping) -> CompiledMapping:
        """Return the compiled mapping of the same columns behind the members of their JSON objects.

        The members come first, those of one object after another; see :meth:`positions`.
        """
        sizes = tuple([len(self.positions(path)) for _, path in compiled.objects])
        return self._compiled.get((compiled.names, sizes)) or self._keep(compiled.names, sizes)

    def positions(self, path: str) -> NamePositions:
        """Return the positions of the names in the JSON objects of a place, such as ``custom_data``."""
        found = self._positions.get(path)
        if found is None:
            found = self._positions[path] = NamePositions(lambda name: self._is_member(f"{path}.{name}"))
        return found

    def _keep(self, columns: tuple[str, ...], sizes: tuple[int, ...]) -> CompiledMapping:
        compiled = self._compile(columns, with_members=bool(sizes))
        self._names_kept += len(columns)
        if len(self._compiled) >= SETS_KEPT or self._names_kept > NAMES_KEPT:
            self._compiled.clear()
            self._names_kept = len(columns)
        self._compiled[columns, sizes] = compiled
        return compiled

    def _compile(self, columns: tuple[str, ...], *, with_members: bool) -> CompiledMapping:
        mapping = self.mapping
        own = [mapping.target(name) for name in columns]
        objects = tuple((index, path) for index, (_, path) in enumerate(own) if path in OBJECTS)
        nested = (
            [f"{path}.{name}" for _, path in objects for name in self.positions(path).names] if with_members else []
        )
        names = (*nested, *columns)
        paths = [path for _, path in (*map(mapping.target, nested), *own)]
        fields = [
            Column(position, path, self.parsers[path])
            for position, path in enumerate(paths)
            if path is not None and path not in OBJECTS
        ]

        def order(position: int) -> tuple[bool, bool, int, str]:
            """Parse countries before the fields that depend on them, and the name that wins a field last."""
            name = names[position]
            own = position >= len(nested)
            depends = bool(self.parsers[paths[position] or ""].depends_on)
            return depends, own, position if own else self._precedence(name), name

        position = {folded(name): index for index, name in enumerate(names)}
        id_parts = tuple(self._id_part(name, position) for name in mapping.event_id_from)
        return CompiledMapping(
            names=columns,
            columns=tuple(sorted(fields, key=lambda column: order(column.position))),
            objects=objects,
            clashes=clashing_columns(columns, [path for _, path in own]),
            unknown=tuple(name for name, (known, _) in zip(columns, own, strict=True) if not known),
            id_parts=None if not id_parts or None in id_parts else id_parts,  # type: ignore[arg-type]
            keys=tuple((key, position.get(folded(key))) for key in mapping.key_columns),
            consent=position.get(folded(mapping.consent_column)) if mapping.consent_column else None,
        )

    def _is_member(self, name: str) -> bool:
        known, path = self.mapping.target(name)
        return known and path not in OBJECTS

    def _precedence(self, name: str) -> int:
        """Rank the names of one field: a name in ``field_map`` wins over the table, and a path over aliases."""
        return len(NAMES) if self.mapping.is_mapped(name) else _PRECEDENCE.get(folded(name), 0)

    def _id_part(self, name: str, position: Mapping[str, int]) -> IdPart | None:
        """Return the column or field that is a part of the ``event_id``; ``None`` if the rows do not have it."""
        at = position.get(folded(name))
        path = PATHS.get(folded(name)) if at is None else self.mapping.target(name)[1]
        if path is None:
            return None if at is None else IdPart(at, "")
        return IdPart(None, path)
