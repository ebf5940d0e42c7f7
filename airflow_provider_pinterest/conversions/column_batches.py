"""Column batches, and the fields that are parsed from them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.cells import all_text, by_name, kind, ordinary, shown_all
from airflow_provider_pinterest.conversions.column_errors import clash_reason, unknown_field
from airflow_provider_pinterest.conversions.column_parser import EncodedCells
from airflow_provider_pinterest.conversions.compiled_mapping import CompiledMapping, IdPart
from airflow_provider_pinterest.conversions.field_types import number
from airflow_provider_pinterest.conversions.fields import BY_PATH, DEPENDENCIES, REQUIRED
from airflow_provider_pinterest.conversions.id_parts import part_of, without_zeros
from airflow_provider_pinterest.conversions.mapping_compiler import MappingCompiler
from airflow_provider_pinterest.conversions.outcomes import RowBatch
from airflow_provider_pinterest.conversions.reasons import CellError, InvalidCellError, Reason, UnusableCellError

Cells = Sequence[Any]
"""The cells of a column, one for each row."""

REASONS_KEPT: Final = 20
"""Most reasons kept per row; the first reason of each code is always kept."""


class ColumnBatch(NamedTuple):
    """Rows of a source with the same columns, stored column by column.

    :param first: the number of the first row.
    :param size: the number of rows.
    :param names: the columns' names.
    :param columns: their cells.
    """

    first: int
    size: int
    names: tuple[str, ...]
    columns: Sequence[Cells]

    @classmethod
    def of(cls, first: int, row_batch: RowBatch) -> ColumnBatch:
        """Create a column batch from a row batch."""
        return cls(first, len(row_batch.rows), row_batch.columns, list(zip(*row_batch.rows, strict=True)))

    def rows(self) -> Iterator[ColumnBatch]:
        """Yield a column batch for each row."""
        for row in range(self.size):
            yield ColumnBatch(self.first + row, 1, self.names, [[cells[row]] for cells in self.columns])


class ParsedColumns:
    """The parsed fields of a column batch, and the reasons why rows cannot be sent.

    :param compiler: compiles the mapping of columns to fields.
    :param column_batch: the rows to parse.
    """

    def __init__(self, compiler: MappingCompiler, column_batch: ColumnBatch) -> None:
        size = self.size = column_batch.size
        defaults = compiler.mapping.default_members
        self.members: dict[str, EncodedCells] = {path: [default.member] * size for path, default in defaults.items()}
        """Field path → its JSON member in each row; empty where the row lacks it."""
        self.values: dict[str, list[Any]] = {
            path: [defaults[path].value if path in defaults else None] * size for path in REQUIRED
        }
        """Required field → its value in each row; ``None`` where the row lacks it."""
        self.shared: dict[str, list[Any]] = {
            path: [defaults[path].shared if path in defaults else None] * size for path in DEPENDENCIES
        }
        """Field on which others depend → what they depend on in each row, such as the country."""
        self.problems: dict[int, list[Reason]] = {}
        """Position of a row → why it cannot be sent: the first reasons, and the first of each code."""
        self.more: Counter[int] = Counter()
        """Position of a row → further reasons."""
        self.warnings: Counter[str] = Counter()
        """Code → cells that were left out."""
        self.excluded: dict[int, str] = {}
        """Position of a row → the code of the rule that excludes it."""
        self._compiler = compiler
        compiled = compiler.compiled(column_batch.names)
        self.keys = _keys(compiled, column_batch)
        """The key columns of each row."""
        for row in range(column_batch.size) if compiled.unknown else ():
            self._reject_unknown(row, compiled.unknown)
        for path, names in compiled.clashes.items():
            for row in range(column_batch.size):
                self.reject(row, clash_reason(path, names))
        columns = column_batch.columns
        if compiled.objects:
            compiled, columns = self._opened(compiled, columns)
        self._compiled, self._columns = compiled, columns
        self._read(compiled, columns)
        if compiled.id_parts and None in self.values[EVENT_ID]:
            self._identify(compiled.id_parts, columns)

    def of(self, path: str) -> EncodedCells:
        """Return the members of a field, all of them empty if no row has it."""
        return self.members.get(path) or [b""] * self.size

    def value(self, path: str, row: int) -> Any:
        """Return a field's value as it is sent, ``None`` if the row lacks it."""
        if path in self.values:
            return self.values[path][row]
        return self._compiler.parsers[path].decode(self.of(path)[row])

    def canonical(self, path: str) -> Callable[[str], str]:
        """Return the function that returns the canonical text of an identifier before it is hashed."""
        read: Any = self._compiler.parsers[path].parse_cell
        found: Callable[[str], str] = read.canonical
        return found

    def cells(self, path: str) -> Cells:
        """Return the cells that a field was parsed from, ``None`` where there is none."""
        found: list[Any] = [None] * self.size
        for position, column, _ in self._compiled.columns:
            if column == path:
                found = [old if new is None else new for old, new in zip(found, self._columns[position], strict=True)]
        return found

    def consents(self) -> Cells:
        """Return the cells of the consent column, ``None`` where there is none."""
        position = self._compiled.consent
        return [None] * self.size if position is None else self._columns[position]

    @property
    def not_events(self) -> Collection[int]:
        """Positions of the rows that do not become events."""
        return self.problems.keys() | self.excluded.keys() if self.excluded else self.problems

    def replace(self, path: str, row: int, value: Any) -> None:
        """Replace the value of a field that the row has."""
        self.members[path][row] = self._compiler.parsers[path].encode_value(value)

    def reject(self, row: int, reason: Reason) -> None:
        """Reject a row for a reason; a row can have several."""
        reasons = self.problems.setdefault(row, [])
        if len(reasons) < REASONS_KEPT or all(one.code != reason.code for one in reasons):
            reasons.append(reason)
        else:
            self.more[row] += 1

    def reasons(self, row: int) -> tuple[Reason, ...]:
        """Return why a row cannot be sent; if reasons were dropped, the last one says how many."""
        found = self.problems[row]
        more = self.more[row]
        last = [Reason(found[-1].code, "", f"and {more:,} more reasons")] if more else []
        return (*found, *last)

    def _reject_unknown(self, row: int, names: Sequence[str], place: str = "") -> None:
        """Reject a row with names that do not match any field."""
        for name in names[:REASONS_KEPT]:
            self.reject(row, unknown_field(name, place))
        if len(names) > REASONS_KEPT:
            self.more[row] += len(names) - REASONS_KEPT

    def _opened(self, compiled: CompiledMapping, columns: Sequence[Cells]) -> tuple[CompiledMapping, Sequence[Cells]]:
        """Put the members of JSON objects into separate columns, before the other columns."""
        opened: list[Cells] = []
        for position, path in compiled.objects:
            names = self._compiler.positions(path)
            documents: list[Mapping[str, Any]] = [
                self._document(row, path, cell) for row, cell in enumerate(columns[position])
            ]
            for row, document in enumerate(documents):
                if not names.has(document):
                    documents[row], unknown = names.learn(document)
                    if unknown and not self._compiler.mapping.ignores_unknown(path):
                        self._reject_unknown(row, unknown, path)
            opened += ([document.get(name) for document in documents] for name in names.spellings)
        return self._compiler.with_members(compiled), [*opened, *columns]

    def _document(self, row: int, path: str, cell: Any) -> dict[str, Any]:
        """Return the JSON object in a cell, an empty one if there is none."""
        try:
            plain: Any = None if cell is None else ordinary(cell)
            document: Any = None if plain is None else values.json(plain)
            if document is None:
                return {}
            if not isinstance(document, dict):
                raise InvalidCellError("bad_json", f"expected a JSON object, got {kind(document)}")
        except InvalidCellError as error:
            warning = BY_PATH[path].warning
            self._on_cell_error(path, row, error if warning is None else UnusableCellError(warning))
            return {}
        known = document is not plain or all_text(document)
        return document if known else by_name(document).values

    def _read(self, compiled: CompiledMapping, columns: Sequence[Cells]) -> None:
        """Parse the columns that become fields; an empty cell leaves what the row already has of the field."""
        for position, path, parser in compiled.columns:
            cells = columns[position]
            gone: list[int] = []

            def on_error(row: int, error: CellError, path: str = path, gone: list[int] = gone) -> Any:
                kept = self._on_cell_error(path, row, error)
                if kept is None:
                    gone.append(row)
                return kept

            before = self.members.get(path)
            if path in self.values:
                found, members = parser.parse_and_encode(cells, on_error)
                for row in gone:
                    found[row] = None
                self.values[path] = _joined(found, self.values[path], gone) if before else found
            elif path in self.shared:
                found, members = parser.parse_and_encode(cells, on_error)
                self.shared[path] = _joined_shared(found, members, self.shared[path], gone) if before else found
            elif parser.depends_on:
                members = parser.encode_beside(cells, self.shared[parser.depends_on], on_error)
            else:
                members = parser.encode(cells, on_error)
            self.members[path] = _joined(members, before, gone) if before else members

    def _on_cell_error(self, path: str, row: int, error: CellError) -> Any:
        """Reject the row of an invalid cell; leave out an unusable cell and count it."""
        if isinstance(error, UnusableCellError):
            self.warnings[error.code] += 1
            return error.kept
        if isinstance(error, InvalidCellError):
            self.reject(row, Reason(error.code, path + error.at, error.message))
        return None

    def _identify(self, parts: Sequence[IdPart], columns: Sequence[Cells]) -> None:
        """Set the ``event_id`` of rows without one, the same in every run; skip rows that lack a part."""
        ids = self.values[EVENT_ID]
        members = self.members[EVENT_ID] = self.of(EVENT_ID)
        parser = self._compiler.parsers[EVENT_ID]
        for row in [row for row, found in enumerate(ids) if found is None]:
            found = [self._part(part, columns, row) for part in parts]
            if None in found:
                continue
            try:
                ids[row] = hashlib.sha256(orjson.dumps(found)).hexdigest()[:32]
            except TypeError:
                continue
            members[row] = parser.encode_value(ids[row])

    def _part(self, part: IdPart, columns: Sequence[Cells], row: int) -> Any:
        """Return one part of an ``event_id``: the value of a field as it is sent, or the text of another cell."""
        if part.position is not None:
            return part_of(columns[part.position][row])
        found = self.value(part.path, row)
        return without_zeros(found) if BY_PATH[part.path].type is number and found else found


EVENT_ID: Final = "event_id"
_NOTHING: Final[Mapping[str, Any]] = {}


def _keys(compiled: CompiledMapping, column_batch: ColumnBatch) -> Sequence[Mapping[str, Any]]:
    """Return the cells of the key columns as a person would search for them: column → cell."""
    if not compiled.keys:
        return [_NOTHING] * column_batch.size
    nothing = [None] * column_batch.size
    names = [name for name, _ in compiled.keys]
    columns = (
        nothing if position is None else shown_all(column_batch.columns[position]) for _, position in compiled.keys
    )
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _joined(late: list[Any], early: list[Any], gone: Sequence[int]) -> list[Any]:
    """Return the later results, or the earlier ones where the later cells are empty.

    :param gone: rows with an error, where only the later result counts.
    """
    found = [one or other for one, other in zip(late, early, strict=True)]
    for row in gone:
        found[row] = late[row]
    return found


def _joined_shared(late: list[Any], members: EncodedCells, early: list[Any], gone: Sequence[int]) -> list[Any]:
    """Return the same for what other fields depend on: the later cell counts where it has a member."""
    found = [one if member else other for one, member, other in zip(late, members, early, strict=True)]
    for row in gone:
        found[row] = late[row]
    return found
