"""Find the warning codes that the function of an identifier can raise, so that a code without a meaning is noticed."""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from airflow_provider_pinterest.conversions.identifier_rules import UncertainCanonicalForm

UNKNOWN: Final = ""
"""Stands for a code that is only known when the function runs."""

_DEPTH: Final = 6
"""Deepest chain of calls that is followed."""


def codes_of(function: Callable[..., Any]) -> frozenset[str]:
    """Return the codes with which a function, or a function of the package that it calls, raises the exception."""
    return frozenset(_codes(function, set(), _DEPTH))


def _codes(function: Any, seen: set[CodeType], depth: int) -> Iterator[str]:
    while not isinstance(function, FunctionType) and hasattr(function, "func"):
        function = function.func
    if not isinstance(function, FunctionType):
        function = type(function).__dict__.get("__call__")
    if not isinstance(function, FunctionType) or depth == 0:
        return
    names = {**function.__globals__}
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        try:
            names[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    yield from _in_code(function.__code__, names, seen, depth)


def _in_code(code: CodeType, names: dict[str, Any], seen: set[CodeType], depth: int) -> Iterator[str]:
    if code in seen:
        return
    seen.add(code)
    used = [names.get(name) for name in (*code.co_names, *code.co_freevars)]
    modules = [value for value in used if isinstance(value, ModuleType) and value.__name__.startswith(_PACKAGE)]
    used += [getattr(module, name, None) for module in modules for name in code.co_names]
    if any(value is UncertainCanonicalForm for value in used):
        yield from _raised(code, names)
    for value in used:
        if isinstance(value, FunctionType) and value.__module__.startswith(_PACKAGE):
            yield from _codes(value, seen, depth - 1)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _in_code(constant, names, seen, depth)


def _raised(code: CodeType, names: dict[str, Any]) -> Iterator[str]:
    """Yield the first argument of each call of the exception."""
    steps = [step for step in dis.get_instructions(code) if step.opname not in _SKIPPED]
    values = _with_attributes([_loaded(step, names) for step in steps], steps)
    for value, argument in pairwise(values):
        if value is UncertainCanonicalForm:
            yield argument if isinstance(argument, str) else UNKNOWN


_PACKAGE: Final = __name__.partition(".")[0]
_SKIPPED: Final = frozenset({"PUSH_NULL", "CACHE", "EXTENDED_ARG", "RESUME", "NOP", "COPY_FREE_VARS", "PRECALL"})


class _Nothing:
    """Stands for a value that is not known before the function runs."""


def _loaded(step: dis.Instruction, names: dict[str, Any]) -> Any:
    """Return the value that a step loads."""
    if step.opname.startswith(("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF")):
        return names.get(str(step.argval), _Nothing)
    if step.opname.startswith(("LOAD_CONST", "LOAD_SMALL")):
        return step.argval
    return _Nothing


def _with_attributes(loaded: list[Any], steps: list[dis.Instruction]) -> list[Any]:
    """Return the values with each attribute of a module in place of the module."""
    found: list[Any] = []
    for value, step in zip(loaded, steps, strict=True):
        if step.opname in {"LOAD_ATTR", "LOAD_METHOD"} and found and isinstance(found[-1], ModuleType):
            found[-1] = getattr(found[-1], str(step.argval), _Nothing)
        else:
            found.append(value)
    return found
