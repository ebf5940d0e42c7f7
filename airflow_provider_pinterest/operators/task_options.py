"""The operator's parameters and their allowed values.

Constants are checked when the DAG file is parsed. Templates are checked when the task runs, after rendering.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self

from airflow_provider_pinterest.sync.options import (
    ANY_MAPPING,
    BOUND,
    STATEMENT,
    SWITCH,
    TEXT,
    WAIT,
    ParameterKind,
    SyncOptions,
    defaults_of,
    kinds_of,
    problems_with,
    read_structure,
)


def is_output(value: object) -> bool:
    """Return whether a value is a reference to the output of another task."""
    return hasattr(value, "iter_references") and hasattr(value, "resolve")


def is_late(value: object) -> bool:
    """Return whether a value is known only when the task runs: a template, or the output of another task."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    return is_output(value) or callable(value)


def _is_path(value: object) -> bool:
    return (isinstance(value, (str, os.PathLike)) or hasattr(value, "iterdir")) and bool(str(value).strip())


PATHS: Final = ParameterKind(
    "the path or the URL of files, or a list of them",
    lambda value: _is_path(value) or (isinstance(value, (list, tuple)) and bool(value) and all(map(_is_path, value))),
    lambda text: read_structure(text) if text.lstrip().startswith("[") else text,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskOptions(SyncOptions):
    """The checked parameters of one attempt; the operator's docstring explains them.

    ``events`` is not among them, because it is checked while it is read.
    """

    sql: Annotated[str | None, STATEMENT] = None
    sql_conn_id: Annotated[str | None, TEXT] = None
    path: Annotated[Any, PATHS] = None
    hook_params: Annotated[Mapping[str, Any] | None, ANY_MAPPING] = None
    parameters: Annotated[Mapping[str, Any] | Sequence[Any] | None, BOUND] = None
    pinterest_conn_id: Annotated[str, TEXT] = "pinterest_default"
    deferrable: Annotated[bool, SWITCH] = False
    resume: Annotated[bool, SWITCH] = True
    outcomes_conn_id: Annotated[str | None, TEXT] = None
    outcomes_table: Annotated[str, TEXT] = "pinterest_outcomes"
    defer_after: Annotated[dt.timedelta, WAIT] = dt.timedelta(minutes=1)

    @classmethod
    def of(cls, task: object) -> Self:
        """Read the rendered parameters of a task.

        :raises ParameterError: some values are not allowed; the message names all of them.
        """
        return cls(**_rendered(task))

    @classmethod
    def of_what_fits(cls, task: object) -> Self:
        """Read the valid parameters of a task, to find further problems; invalid ones get their defaults."""
        given = _rendered(task)
        found = {name: value for name, value in given.items() if not problems_with(cls, {name: value})}
        if not found.get("rejects_path"):
            found.pop("on_unknown_outcome", None)
        return cls(**found)


KINDS: Final[Mapping[str, ParameterKind]] = kinds_of(TaskOptions)
"""Parameter → its allowed values."""

DEFAULTS: Final[Mapping[str, Any]] = defaults_of(TaskOptions)


def problems_of_constants(task: object) -> list[str]:
    """Return the problems with parameters whose values are known before the task runs."""
    given = {name: value for name in KINDS if not is_late(value := getattr(task, name))}
    given.pop("rejects_path" if given.get("rejects_path") is None else "", None)  # combinations are checked later
    return problems_with(TaskOptions, given)


def _rendered(task: object) -> dict[str, Any]:
    """Return the parameters of a task, with rendered text converted to values."""
    found = {name: getattr(task, name) for name in KINDS}
    return {name: KINDS[name].read(value) if isinstance(value, str) else value for name, value in found.items()}
