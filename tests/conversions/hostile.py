"""Objects that no reader expects, by name."""

from __future__ import annotations

import array
import datetime as dt
import enum
from collections import UserDict, deque
from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from tests.conversions.rows import NOW


class RaisedByCellError(Exception):
    """What the objects here raise."""


def _raises(*_, **__):
    raise RaisedByCellError("ada@example.com")


class Raising:
    """Whatever is asked of it, it raises."""

    __bool__ = __eq__ = __ne__ = __str__ = __repr__ = __len__ = __iter__ = __contains__ = __format__ = _raises
    __lt__ = __gt__ = __le__ = __ge__ = __int__ = __float__ = __index__ = __getitem__ = __bytes__ = _raises
    __hash__ = _raises
    __reduce_ex__ = __reduce__ = _raises

    def __getattr__(self, name):
        _raises()


class Lying:
    """It says that it is text, and equal to everything."""

    __class__ = str  # type: ignore[assignment]

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0

    def __len__(self):
        return -1  # noqa: PLE0303

    def __bool__(self):
        return False

    def strip(self):
        return self


class TextObject(str):  # noqa: SLOT000
    """Text with methods that raise."""

    strip = lower = encode = isascii = __len__ = __iter__ = __bool__ = __contains__ = __repr__ = _raises
    __eq__ = __hash__ = _raises
    __reduce_ex__ = __reduce__ = __str__ = __format__ = _raises


class NumberObject(int):
    __str__ = __repr__ = __lt__ = __eq__ = __bool__ = __hash__ = __reduce_ex__ = _raises


class Amount(float):
    """Such as numpy's float64."""


class Moment(dt.datetime):
    """Such as pandas' Timestamp and pendulum's DateTime."""

    __str__ = __repr__ = isoformat = __reduce_ex__ = __hash__ = _raises


class Zone(dt.tzinfo):
    utcoffset = tzname = dst = _raises


class Dictionary(dict[str, Any]):
    __iter__ = keys = items = get = __getitem__ = __len__ = __reduce_ex__ = _raises


class Items(list[Any]):
    __iter__ = __getitem__ = __len__ = __bool__ = __reduce_ex__ = _raises


class NAType:
    """Such as pandas' NA."""

    __bool__ = __eq__ = __ne__ = _raises
    __hash__ = None  # type: ignore[assignment]


class NaTType(dt.datetime):
    """Such as pandas' NaT."""

    isoformat = timestamp = _raises


class Scalar:
    """Such as a scalar of numpy."""

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value

    __bool__ = __str__ = _raises


class Array(Scalar):
    """Such as an array of numpy."""

    def tolist(self):
        return self.value

    def item(self):
        raise ValueError("can only convert an array of size 1")


class Meta(type):
    __hash__ = __eq__ = _raises


class Unhashable(metaclass=Meta):
    """Even its type raises."""


class Unloadable:
    """It can be pickled, and not read again."""

    def __setstate__(self, _):
        _raises()

    def __init__(self):
        self.value = 1


class Exiting:
    def __reduce__(self):
        return exit_now, (3,)


class Endless(UserDict[str, Any]):
    def __iter__(self):
        number = 0
        while True:
            yield str(number)
            number += 1

    def __getitem__(self, name):
        return name


class Pair(NamedTuple):
    first: Any
    second: Any


class Colour(enum.Enum):
    RED = "red"


def exit_now(status):
    import os

    os._exit(status)


def _deep(make, depth=20_000):
    found: Any = None
    for _ in range(depth):
        found = make(found)
    return found


def _itself():
    found: list[Any] = []
    found.append(found)
    found.append({"id": found})
    return found


def _bomb():
    found: Any = ["x"]
    for _ in range(60):
        found = [found, found]
    return found


OBJECTS: dict[str, Callable[[], Any]] = {
    "raising": Raising,
    "lying": Lying,
    "text": lambda: TextObject("checkout"),
    "number": lambda: NumberObject(7),
    "amount": lambda: Amount("nan"),
    "moment": lambda: Moment(2026, 11, 20, 10, tzinfo=dt.UTC),
    "zone": lambda: dt.datetime(2026, 11, 20, 10, tzinfo=Zone()),
    "dictionary": lambda: Dictionary(id="a"),
    "items": lambda: Items([1]),
    "na": NAType,
    "nat": lambda: NaTType(2026, 11, 20),
    "scalar": lambda: Scalar("checkout"),
    "scalar of itself": lambda: Scalar(Raising()),
    "array": lambda: Array(["a", Raising(), None]),
    "array of numbers": lambda: array.array("d", [1.0, float("nan")]),
    "unhashable": Unhashable,
    "unloadable": Unloadable,
    "exiting": Exiting,
    "endless": Endless,
    "enum": lambda: Colour.RED,
    "type": lambda: Unloadable,
    "function": lambda: exit_now,
    "module": lambda: enum,
    "exception": lambda: RaisedByCellError("ada@example.com"),
    "generator": lambda: (number for number in range(3)),
    "iterator": lambda: iter([1]),
    "deque": lambda: deque([1]),
    "tuple": lambda: Pair(1, Raising()),
    "proxy": lambda: MappingProxyType({"id": Raising()}),
    "digits": lambda: 10**5_000,
    "negative": lambda: -(10**5_000),
    "decimal": lambda: Decimal("1E+999999"),
    "small": lambda: Decimal("1E-999999"),
    "signal": lambda: Decimal("sNaN"),
    "infinite": lambda: float("-inf"),
    "surrogate": lambda: "\ud800",
    "marks": lambda: "a" + "\u0301\u0323" * 50_000,
    "bytes": lambda: b"\xff\x00",
    "memory": lambda: memoryview(b"\xff"),
    "set": lambda: {1, "a", None},
    "set of a pair": lambda: {(1, NumberObject)},
    "deep list": lambda: _deep(lambda inner: [inner]),
    "deep object": lambda: _deep(lambda inner: {"id": inner, "em": inner}),
    "itself": _itself,
    "bomb": _bomb,
    "keys": lambda: {Raising: 1, None: 2, (1, 2): 3, "\x1b[31mid\n": 4},
    "many keys": lambda: dict.fromkeys(map(str, range(50_000)), 1),
    "spellings": lambda: {" " * count + "id": count for count in range(3_000)},
    "list": lambda: [Raising(), {"id": Raising()}, {Unloadable: 1}, TextObject("a"), NAType()],
    "nested": lambda: {
        "em": Raising(),
        "contents": [{"id": Raising()}, Raising()],
        "value": NumberObject(1),
        Colour: 1,
    },
    "event": lambda: {"event_time": NOW, "user_data": Raising()},
    "uuid": lambda: UUID(int=5),
    "date": lambda: dt.date.min,
    "latest": lambda: dt.datetime.max,  # noqa: DTZ901
}
"""Name → what makes the object anew."""
