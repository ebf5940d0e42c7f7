"""Convert cells of any Python type to the few types that are safe to parse.

Drivers, data frames and DAG authors put all kinds of objects into rows. An object of an unknown type is converted
before any of its methods is used: they may raise, lie or never return.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from itertools import islice
from operator import itemgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.conversions.reasons import InvalidCellError
from airflow_provider_pinterest.redaction import clean

EXACT_FLOAT: Final = 2**53
"""Up to here every whole float is exactly one integer."""

KEY_LIMIT: Final = 1_000
"""Most characters of a key cell."""

ELEMENTS: Final = 10_000
"""Most elements of a set or mapping of an unknown type; it may be endless."""

DEPTH: Final = 100
"""Deepest nesting of a cell that is converted to one text."""

NESTED: Final = 1_000_000
"""Most characters of a nested cell that is converted to one text; each element counts as one more."""

TEXTS: Final = frozenset({str})

_SETTLED: Final = frozenset(
    {type(None), str, bool, int, dt.datetime, dt.date, dt.time, dt.timedelta, UUID, list, tuple, dict}
)
"""Types whose cells are parsed as they are."""

ORDINARY: Final = _SETTLED | {float, Decimal}
"""Types whose cells are parsed as they are, unless they are NaN."""

HASHABLE: Final = ORDINARY - {list, tuple, dict}
"""Types whose cells have an equality and a hash that can be trusted."""

_INTEGERS: Final = frozenset({type(None), int})
_WORDS: Final = frozenset({type(None), str})
_BYTES: Final = (bytes, bytearray, memoryview)
_ADDRESSES: Final = frozenset({IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network})
_MISSING: Final = frozenset({"NAType", "NaTType"})
"""Names of pandas' types of missing cells."""

_EXACT: Final[tuple[tuple[type, Callable[[Any], Any]], ...]] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (Decimal, Decimal),
    (dt.datetime, lambda cell: dt.datetime.combine(dt.datetime.date(cell), dt.datetime.timetz(cell))),
    (dt.date, lambda cell: dt.date.fromordinal(dt.date.toordinal(cell))),
    (dt.timedelta, dt.timedelta.__pos__),
    (UUID, lambda cell: UUID(int=cell.int)),
    (bytes, lambda cell: b"".join([cell])),
    (list, list.copy),
    (tuple, lambda cell: tuple.__getitem__(cell, slice(None))),
    (dict, lambda cell: dict(dict.items(cell))),
    (set, lambda cell: _in_order(set.__iter__(cell))),
    (frozenset, lambda cell: _in_order(frozenset.__iter__(cell))),
    (Enum, lambda cell: _ordinary(cell._value_, known=False)),
    (Mapping, lambda cell: _limited(cell.items())),
)
"""Type → function that converts an instance of a subclass to a known type, without calling methods of the subclass."""

_type_name: Final[Callable[[type], str]] = type.__dict__["__name__"].__get__
_has_address = re.compile(r"\b0x[0-9a-fA-F]{4,}").search


def kind(cell: object) -> str:
    """Name the type of a cell for a message; never its content, which may be personal."""
    return clean(str.__str__(_type_name(type(cell))))[:60]


def only(cells: Iterable[Any], types: AbstractSet[Any]) -> bool:
    """Return whether all cells are exactly of these types."""
    try:
        return {*map(type, cells)} <= types
    except Exception:  # noqa: BLE001 - even a type can have a hash that raises
        return False


def all_text(cells: Iterable[Any]) -> bool:
    """Return whether all cells are text, of subclasses too; five times as fast as :func:`only`."""
    try:
        "".join(cells)
    except Exception:  # noqa: BLE001 - a mapping's own iterator may raise anything
        return False
    return True


def unreadable(cell: object) -> InvalidCellError:
    """Return the error for a cell that cannot be read."""
    return InvalidCellError(
        "bad_cell", f"a cell of type {kind(cell)} cannot be read; cast the column to text or a number"
    )


def ordinary(cell: Any) -> Any:
    """Return a cell of any type as one of a known type; ``None`` if it is NULL, NaN, NaT or NA.

    Scalars and arrays of numpy and pyarrow, instances of subclasses, sets and mappings are converted; bytes that are
    UTF-8 are text. The elements of lists and mappings stay as they are.

    :raises InvalidCellError: its type is unknown, or its conversion fails.
    """
    try:
        return _ordinary(cell, known=False)
    except Exception:  # noqa: BLE001 - the object's own methods may raise anything
        raise unreadable(cell) from None


def _ordinary(cell: Any, *, known: bool) -> Any:
    """Convert a cell.

    :param known: whether it is the result of a conversion, which must be of a known type.
    """
    of = type(cell)
    if of in _SETTLED:
        return cell
    if of is float:
        return None if cell != cell else cell  # noqa: PLR0124
    if of is Decimal:
        return None if cell.is_nan() else cell
    if of in _BYTES:
        return _decoded(bytes(cell))
    if of in _ADDRESSES:
        return str(cell)
    if known:
        raise TypeError
    if _type_name(of) in _MISSING:
        return None
    for base, exact in _EXACT:
        if issubclass(of, base):
            return _ordinary(exact(cell), known=True)
    for name in ("tolist", "item", "as_py"):
        if callable(getattr(of, name, None)):
            return _ordinary(getattr(cell, name)(), known=True)
    raise TypeError


def _decoded(cell: bytes) -> str | bytes:
    """Return UTF-8 as text; other bytes stay bytes."""
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return cell


def _in_order(elements: Iterable[Any]) -> list[Any]:
    """Return the elements of a set in the same order in every process."""
    return sorted(map(ordinary, elements), key=lambda element: (kind(element), repr(element)))


def _limited(items: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    found = list(islice(items, ELEMENTS + 1))
    if len(found) > ELEMENTS:
        raise ValueError
    return dict(found)


class Named(NamedTuple):
    """The values of a mapping by the compared form of their names, and how each name was spelled."""

    values: dict[str, Any]
    keys: dict[str, str]


def by_name(document: Mapping[Any, Any]) -> Named:
    """Return the values of a mapping by the compared form of their names.

    Of two spellings of one name the last in alphabetical order wins, unless it is empty.
    """
    named = Named({}, {})
    written = [(key if type(key) is str else str(shown(key)), value) for key, value in document.items()]
    for key, value in sorted(written, key=itemgetter(0)):
        name = folded(key)
        if name not in named.keys or not (value is None or (type(value) is str and not value.strip())):
            named.values[name] = value
            named.keys[name] = key
    return named


def shown_all(cells: Sequence[Any]) -> Sequence[Any]:
    """Return the cells of a key column, see :func:`shown`."""
    if only(cells, _WORDS) and max(map(len, filter(None, cells)), default=0) <= KEY_LIMIT:
        return cells
    if only(cells, _INTEGERS) and max(map(abs, filter(None, cells)), default=0) < 2**63:
        return cells
    return [shown(cell) for cell in cells]


def shown(cell: Any) -> str | float | None:
    """Return a cell as a person would search for it: numbers unchanged, everything else as text of limited length.

    An object without a text form is shown by its type.
    """
    if cell is None or type(cell) is bool:
        return cell
    if type(cell) is float:
        return _shown_float(cell)
    if type(cell) is int and -(2**63) <= cell < 2**63:
        return cell
    try:
        found = _shown(cell)
    except Exception:  # noqa: BLE001 - the object's own methods may raise anything
        found = f"<{kind(cell)}>"
    return cut(found) if type(found) is str else found


def _shown_float(cell: float) -> float | None:
    """Return a whole number as an integer: a column of integers with gaps often comes as floats."""
    if cell != cell:  # noqa: PLR0124
        return None
    return int(cell) if cell.is_integer() and abs(cell) <= EXACT_FLOAT else cell


def _shown(cell: Any) -> str | float | None:
    if type(cell) is str:
        return cell
    if type(cell) is int:
        return str(cell)
    if type(cell) is Decimal:
        if cell.is_nan():
            return None
        return format(cell, "f") if cell.is_finite() and abs(cell.adjusted()) <= KEY_LIMIT else str(cell)
    if type(cell) in (dt.datetime, dt.date, dt.time):
        return cell.isoformat()  # type: ignore[no-any-return]
    if type(cell) in (UUID, dt.timedelta):
        return str(cell)
    if type(cell) is bytes:
        text = _decoded(cell)
        return text if isinstance(text, str) and _is_readable(text) else cell[:KEY_LIMIT].hex()
    try:
        found = ordinary(cell)
    except InvalidCellError:
        if getattr(type(cell), "__str__", None) is object.__str__ or isinstance(cell, BaseException):
            raise  # its only text is its representation
        said = str.__str__(str(cell)[: KEY_LIMIT + 1])
        return f"<{kind(cell)}>" if _has_address(said) else said
    if type(cell) in _BYTES and not (isinstance(found, str) and _is_readable(found)):
        return bytes(cell[:KEY_LIMIT]).hex()
    if type(found) in (list, tuple, dict):
        document = bounded(found, leaf=shown)
        return orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS).decode()
    return shown(found)


def _is_readable(text: str) -> bool:
    """Return whether text is printable; the bytes of a key such as a UUID may be valid UTF-8 by chance."""
    return all(word.isprintable() for word in text[: KEY_LIMIT + 1].split())


def cut(text: str, limit: int = KEY_LIMIT) -> str:
    """Return text of limited length; text that was longer ends with ``…``."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def bounded(cell: Any, leaf: Callable[[Any], Any] = ordinary) -> Any:
    """Copy a nested cell into plain lists and dictionaries of limited size.

    :param leaf: converts a cell that is not nested.
    :raises InvalidCellError: it is too deep or too large, or something in it cannot be read.
    """
    left = NESTED

    def copied(cell: Any, depth: int) -> Any:
        nonlocal left
        left -= 1 + (len(cell) if type(cell) is str else 0)
        if left < 0 or depth > DEPTH:
            raise unreadable(cell)
        try:
            found = ordinary(cell)
        except InvalidCellError:
            return leaf(cell)
        if type(found) is dict:
            return {copied(name, depth + 1): copied(value, depth + 1) for name, value in found.items()}
        if type(found) in (list, tuple):
            return [copied(element, depth + 1) for element in found]
        return leaf(found)

    return copied(cell, 0)
