"""Cells of Arrow arrays as Python objects, without loss."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

import pyarrow as pa
from pyarrow import types

Convert = Callable[[Any], Any]

_float32: Final = struct.Struct("f").pack
_float16: Final = struct.Struct("e").pack


def python_cells(array: pa.Array) -> Sequence[Any]:
    """Return the cells of an array.

    Times have microseconds; a float of 32 or 16 bits has the digits that it was written with, such as 72.39; a map is a
    dictionary. A cell that Python cannot hold, such as text that is not UTF-8 or a date in the year 10000, stays an
    Arrow scalar, which costs only its row.
    """
    plain = _plain(array.type)
    if plain != array.type:
        try:
            array = array.cast(plain, safe=False)
        except (pa.ArrowException, NotImplementedError):
            return [_cell(scalar, None) for scalar in array]
    convert = _conversion(array.type)
    try:
        cells: list[Any] = array.to_pylist()
    except (ValueError, OverflowError, TypeError, KeyError, pa.ArrowException):
        return [_cell(scalar, convert) for scalar in array]
    return cells if convert is None else [None if cell is None else convert(cell) for cell in cells]


def _cell(scalar: pa.Scalar, convert: Convert | None) -> Any:
    try:
        found = scalar.as_py()
    except Exception:  # noqa: BLE001 - the parser of the cell rejects the row
        return scalar
    return found if found is None or convert is None else convert(found)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return a type with microseconds instead of nanoseconds, which Python's times do not have."""
    if types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", tz=kind.tz)
    if types.is_time64(kind) and kind.unit == "ns":
        return pa.time64("us")
    if types.is_duration(kind) and kind.unit == "ns":
        return pa.duration("us")
    if types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain(kind.value_type)))
    if types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_plain(kind.value_type)))
    if types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_plain(kind.value_type)), kind.list_size)
    if types.is_map(kind):
        return pa.map_(kind.key_type, kind.item_field.with_type(_plain(kind.item_type)), keys_sorted=kind.keys_sorted)
    if types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    return kind


def _conversion(kind: pa.DataType) -> Convert | None:
    """Return what converts a Python object of an Arrow type further, ``None`` if nothing needs to."""
    if types.is_float32(kind):
        return _shortest
    if types.is_float16(kind):
        return _shortest_half
    if types.is_dictionary(kind):
        return _conversion(kind.value_type)
    if types.is_map(kind):
        value = _conversion(kind.item_type)
        return lambda pairs: {key: _converted(value, item) for key, item in pairs}
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        element = _conversion(kind.value_type)
        return None if element is None else lambda cells: [_converted(element, cell) for cell in cells]
    if types.is_struct(kind):
        members = {field.name: found for field in kind if (found := _conversion(field.type)) is not None}
        if not members:
            return None
        return lambda cell: {name: _converted(members.get(name), value) for name, value in cell.items()}
    return None


def _converted(convert: Convert | None, cell: Any) -> Any:
    return cell if cell is None or convert is None else convert(cell)


def _shortest(number: float) -> float:
    """Return the float with the fewest digits that is the same number in 32 bits."""
    return _fewest_digits(number, _float32, (6, 7, 8), 9)


def _shortest_half(number: float) -> float:
    """Return the float with the fewest digits that is the same number in 16 bits."""
    return _fewest_digits(number, _float16, (1, 2, 3, 4), 5)


def _fewest_digits(number: float, packed: Callable[[float], bytes], tried: Sequence[int], most: int) -> float:
    for digits in tried:
        found = float(f"{number:.{digits}g}")
        try:
            if packed(found) == packed(number):
                return found
        except OverflowError:
            continue
    return float(f"{number:.{most}g}")
