"""The fields of some rows, read column by column."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.cells import all_text, by_name, kind, ordinary, shown_all
from airflow_provider_pinterest.conversions.columns import Members
from airflow_provider_pinterest.conversions.compiled_mapping import CompiledMapping, IdPart
from airflow_provider_pinterest.conversions.fields import BY_PATH, REQUIRED, number
from airflow_provider_pinterest.conversions.id_parts import part_of, without_zeros
from airflow_provider_pinterest.conversions.mapping import ColumnMapping, clash_reason, unknown_field
from airflow_provider_pinterest.conversions.outcomes import RowBatch
from airflow_provider_pinterest.conversions.reasons import CellError, InvalidCellError, Reason, UnusableCellError

Cells = Sequence[Any]
"""A column's cells, one for each row."""

REASONS_KEPT: Final = 20
"""Reasons of a row that are kept, beside the first of each further code."""


class ColumnBatch(NamedTuple):
    """Some rows of a source that share their columns, turned into those.

    :param first: the number of the first row.
    :param size: how many there are.
    :param names: the columns' names.
    :param columns: their cells.
    """

    first: int
    size: int
    names: tuple[str, ...]
    columns: Sequence[Cells]

    @classmethod
    def of(cls, first: int, row_batch: RowBatch) -> ColumnBatch:
        """Turn rows into columns."""
        return cls(first, len(row_batch.rows), row_batch.columns, list(zip(*row_batch.rows, strict=True)))

    def rows(self) -> Iterator[ColumnBatch]:
        """Yield each row as a piece of its own."""
        for row in range(self.size):
            yield ColumnBatch(self.first + row, 1, self.names, [[cells[row]] for cells in self.columns])


class ParsedColumns:
    """The fields of a piece's rows as they are sent, and what is wrong with the rows.

    :param mapping: how columns become fields.
    :param piece: the rows.
    """

    def __init__(self, mapping: ColumnMapping, piece: ColumnBatch) -> None:
        self.size = piece.size
        self.members: dict[str, Members] = {path: [one] * piece.size for path, one in mapping.defaults.items()}
        """Field path → its JSON member in each row; empty where the row lacks it."""
        self.values: dict[str, list[Any]] = {
            path: [mapping.readers[path].value(self.members[path][0]) if path in self.members else None] * piece.size
            for path in REQUIRED
        }
        """Required field → its value in each row; ``None`` where the row lacks it."""
        self.problems: dict[int, list[Reason]] = {}
        """Position of a row → why it cannot be sent: the first reasons, and the first of each code."""
        self.more: Counter[int] = Counter()
        """Position of a row → further reasons."""
        self.warnings: Counter[str] = Counter()
        """Code → cells that were left out."""
        self.excluded: dict[int, str] = {}
        """Position of a row → the code of the rule that keeps it from being sent."""
        self._mapping = mapping
        plan = mapping.plan(piece.names)
        self.keys = _keys(plan, piece)
        """The key columns of each row."""
        for row in range(piece.size) if plan.unknown else ():
            self._refuse_unknown(row, plan.unknown)
        for path, names in plan.clashes.items():
            for row in range(piece.size):
                self.refuse(row, clash_reason(path, names))
        columns = piece.columns
        if plan.objects:
            plan, columns = self._opened(plan, columns)
        self._plan, self._columns = plan, columns
        self._read(plan, columns)
        if plan.id_parts and None in self.values[EVENT_ID]:
            self._identify(plan.id_parts, columns)

    def of(self, path: str) -> Members:
        """Return the members of a field, all of them empty if no row has it."""
        return self.members.get(path) or [b""] * self.size

    def value(self, path: str, row: int) -> Any:
        """Return a field's value as it is sent, ``None`` if the row lacks it."""
        if path in self.values:
            return self.values[path][row]
        return self._mapping.readers[path].value(self.of(path)[row])

    def canonical(self, path: str) -> Callable[[str], str]:
        """Return what makes the canonical text of an identifier, before it is hashed."""
        read: Any = self._mapping.readers[path].read
        found: Callable[[str], str] = read.canonical
        return found

    def cells(self, path: str) -> Cells:
        """Return the cells that a field was read from, ``None`` where there is none."""
        found: list[Any] = [None] * self.size
        for position, column, _ in self._plan.columns:
            if column == path:
                found = [old if new is None else new for old, new in zip(found, self._columns[position], strict=True)]
        return found

    def consents(self) -> Cells:
        """Return the cells of the consent column, ``None`` where there is none."""
        position = self._plan.consent
        return [None] * self.size if position is None else self._columns[position]

    @property
    def not_events(self) -> Collection[int]:
        """Positions of the rows that do not become events."""
        return self.problems.keys() | self.excluded.keys() if self.excluded else self.problems

    def replace(self, path: str, row: int, value: Any) -> None:
        """Replace the value of a field that the row has."""
        self.members[path][row] = self._mapping.readers[path].member(value)

    def refuse(self, row: int, reason: Reason) -> None:
        """Note why a row cannot be sent."""
        reasons = self.problems.setdefault(row, [])
        if len(reasons) < REASONS_KEPT or all(one.code != reason.code for one in reasons):
            reasons.append(reason)
        else:
            self.more[row] += 1

    def reasons(self, row: int) -> tuple[Reason, ...]:
        """Return why a row cannot be sent; the last of very many reasons says how many more there are."""
        found = self.problems[row]
        more = self.more[row]
        last = [Reason(found[-1].code, "", f"and {more:,} more reasons")] if more else []
        return (*found, *last)

    def _refuse_unknown(self, row: int, names: Sequence[str], place: str = "") -> None:
        """Note that a row has names that map to nothing."""
        for name in names[:REASONS_KEPT]:
            self.refuse(row, unknown_field(name, place))
        if len(names) > REASONS_KEPT:
            self.more[row] += len(names) - REASONS_KEPT

    def _opened(self, plan: CompiledMapping, columns: Sequence[Cells]) -> tuple[CompiledMapping, Sequence[Cells]]:
        """Lay the members of JSON objects out as columns of their own, before the rows' own."""
        opened: list[Cells] = []
        for position, path in plan.objects:
            layout = self._mapping.layout(path)
            documents: list[Mapping[str, Any]] = [
                self._document(row, path, cell) for row, cell in enumerate(columns[position])
            ]
            for row, document in enumerate(documents):
                if not layout.has(document):
                    documents[row], unknown = layout.learn(document)
                    if unknown and not self._mapping.ignores_unknown(path):
                        self._refuse_unknown(row, unknown, path)
            opened += ([document.get(name) for document in documents] for name in layout.written)
        return self._mapping.opened(plan), [*opened, *columns]

    def _document(self, row: int, path: str, cell: Any) -> dict[str, Any]:
        """Return the JSON object in a cell, an empty one if there is none."""
        try:
            plain: Any = None if cell is None else ordinary(cell)
            document: Any = None if plain is None else values.json(plain)
            if document is None:
                return {}
            if not isinstance(document, dict):
                raise InvalidCellError("bad_json", f"expected a JSON object, got {kind(document)}")
        except InvalidCellError as unfit:
            warning = BY_PATH[path].warning
            self._refused(path, row, unfit if warning is None else UnusableCellError(warning))
            return {}
        known = document is not plain or all_text(document)
        return document if known else by_name(document).values

    def _read(self, plan: CompiledMapping, columns: Sequence[Cells]) -> None:
        """Read the columns that become fields; a cell that holds nothing leaves what its row has of the field."""
        for position, path, reader in plan.columns:
            cells = columns[position]
            gone: list[int] = []

            def refused(row: int, verdict: CellError, path: str = path, gone: list[int] = gone) -> Any:
                kept = self._refused(path, row, verdict)
                if kept is None:
                    gone.append(row)
                return kept

            before = self.members.get(path)
            if path in self.values:
                found, members = reader.parse_and_encode(cells, refused)
                for row in gone:
                    found[row] = None
                self.values[path] = _joined(found, self.values[path], gone) if before else found
            elif reader.depends_on:
                members = reader.beside(cells, self.of(reader.depends_on), refused)
            else:
                members = reader.encode(cells, refused)
            self.members[path] = _joined(members, before, gone) if before else members

    def _refused(self, path: str, row: int, verdict: CellError) -> Any:
        """Reject the row for a cell that is wrong; leave out what is merely unusable, and count it."""
        if isinstance(verdict, UnusableCellError):
            self.warnings[verdict.code] += 1
            return verdict.kept
        if isinstance(verdict, InvalidCellError):
            self.refuse(row, Reason(verdict.code, path + verdict.at, verdict.message))
        return None

    def _identify(self, parts: Sequence[IdPart], columns: Sequence[Cells]) -> None:
        """Make the same ``event_id`` for the same row in every run; none if a part is missing."""
        ids = self.values[EVENT_ID]
        members = self.members[EVENT_ID] = self.of(EVENT_ID)
        reader = self._mapping.readers[EVENT_ID]
        for row in [row for row, found in enumerate(ids) if found is None]:
            found = [self._part(part, columns, row) for part in parts]
            if None in found:
                continue
            try:
                ids[row] = hashlib.sha256(orjson.dumps(found)).hexdigest()[:32]
            except TypeError:
                continue
            members[row] = reader.member(ids[row])

    def _part(self, part: IdPart, columns: Sequence[Cells], row: int) -> Any:
        """Return one part of an ``event_id``: a field's value as it is sent, or what a cell that is no field holds."""
        if part.position is not None:
            return part_of(columns[part.position][row])
        found = self.value(part.path, row)
        return without_zeros(found) if BY_PATH[part.path].type is number and found else found


EVENT_ID: Final = "event_id"
_NOTHING: Final[Mapping[str, Any]] = {}


def _keys(plan: CompiledMapping, piece: ColumnBatch) -> Sequence[Mapping[str, Any]]:
    """Return the cells of the key columns as a person would search for them, by the columns' names."""
    if not plan.keys:
        return [_NOTHING] * piece.size
    nothing = [None] * piece.size
    names = [name for name, _ in plan.keys]
    columns = (nothing if position is None else shown_all(piece.columns[position]) for _, position in plan.keys)
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _joined(late: list[Any], early: list[Any], gone: Sequence[int]) -> list[Any]:
    """Return what later cells say, or earlier ones where those say nothing; of a refused cell what is left of it."""
    found = [one or other for one, other in zip(late, early, strict=True)]
    for row in gone:
        found[row] = late[row]
    return found
