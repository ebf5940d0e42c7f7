"""Checks whether the placeholders of a statement are those that its driver expects."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_PERCENT = re.compile(r"%(%|\(\w+\)[sbt]|[sbt])?")


@dataclass(frozen=True)
class Style:
    """How a driver takes parameters.

    :param usual: the placeholder to recommend.
    :param mapping: placeholders that it accepts with a mapping, by their first characters; empty if it accepts no
        mapping.
    :param sequence: placeholders that it accepts with a sequence.
    """

    usual: str
    mapping: frozenset[str]
    sequence: frozenset[str]

    @property
    def advice(self) -> str:
        """What to write."""
        return (
            f"Write placeholders as {self.usual} for this driver, and pass parameters as a "
            f"{'dict' if self.mapping and self.usual != '%s' else 'list'}."
        )


_PYFORMAT: Final = Style("%(name)s", frozenset({"%("}), frozenset({"%s"}))

STYLES: Final[Mapping[str, Style]] = {
    "qmark": Style("?", frozenset(), frozenset({"?"})),
    "numeric": Style(":1", frozenset(), frozenset({":1"})),
    "named": Style(":name", frozenset({":a"}), frozenset({":a", ":1", "?"})),
    "dollar": Style("$name", frozenset({"$a"}), frozenset({"$1", "?"})),
    "format": Style("%s", frozenset({"%("}), frozenset({"%s"})),  # some of these drivers take a mapping as well
    "pyformat": _PYFORMAT,
    "replaced": _PYFORMAT,
}
"""The styles of the DB-API; ``dollar`` is DuckDB's style; ``replaced`` is ``pyformat`` without escapes for ``%``."""

_no_placeholder: Final = re.compile(r"'[^']*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|::|\?\?|%%", re.DOTALL).sub
_placeholder: Final = re.compile(r"\?|%\(|%s|(?<!\w)[:$](?:[^\W\d]|\d)").findall


def unfit(style: str | None, sql: str, parameters: Mapping[str, Any] | Sequence[Any] | None) -> str:
    """Return advice if a driver does not accept the placeholders or the parameters; an empty text otherwise.

    :param style: the driver's style, see :data:`STYLES`.
    """
    expected = STYLES.get(style or "")
    if not parameters or expected is None:
        return ""
    taken = expected.mapping if isinstance(parameters, Mapping) else expected.sequence
    found = {_sort(one) for one in _placeholder(_no_placeholder(" ", sql))}
    return expected.advice if not taken or (found and not found & taken) else ""


def _sort(placeholder: str) -> str:
    """Return the kind of a placeholder: ``:a`` for names, ``:1`` for numbers."""
    if placeholder[0] in ":$":
        return placeholder[0] + ("1" if placeholder[1].isdecimal() else "a")
    return placeholder


def literal_percent(style: str | None, sql: str, parameters: Mapping[str, Any] | Sequence[Any] | None) -> bool:
    """Return whether a driver reads a literal percent sign of a statement as a placeholder.

    :param style: the driver's style, see :data:`STYLES`.
    """
    if not parameters or style not in ("format", "pyformat"):
        return False
    found = [match[1] or "" for match in _PERCENT.finditer(sql) if match[1] != "%"]
    if isinstance(parameters, Mapping):
        return not all(one.startswith("(") for one in found)
    return "" in found or len(found) > len(parameters)


def paramstyle(connection: Any) -> str | None:
    """Return the style of a connection's driver: the ``paramstyle`` of the DB-API."""
    for kind in type(connection).__mro__:
        name = kind.__module__
        while name:
            style = getattr(sys.modules.get(name), "paramstyle", None)
            if isinstance(style, str):
                return style
            name = name.rpartition(".")[0]
    return None
