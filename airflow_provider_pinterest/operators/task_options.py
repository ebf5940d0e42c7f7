"""What the operator's parameters may be, beside the options of a run.

Constants are checked when the DAG file is parsed, and templates when the task runs, as the text they rendered to.
"""

from __future__ import annotations

import datetime as dt
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
)


def is_output(value: object) -> bool:
    """Return whether a value stands for the output of another task."""
    return hasattr(value, "iter_references") and hasattr(value, "resolve")


def is_late(value: object) -> bool:
    """Return whether a value is known only when the task runs: a template, or the output of another task."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    return is_output(value) or callable(value)


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskOptions(SyncOptions):
    """The parameters of one execution, checked; the operator's docstring says what they mean.

    ``events`` is not among them: it is checked while it is read.
    """

    sql: Annotated[str | None, STATEMENT] = None
    sql_conn_id: Annotated[str | None, TEXT] = None
    hook_params: Annotated[Mapping[str, Any] | None, ANY_MAPPING] = None
    parameters: Annotated[Mapping[str, Any] | Sequence[Any] | None, BOUND] = None
    pinterest_conn_id: Annotated[str, TEXT] = "pinterest_default"
    deferrable: Annotated[bool, SWITCH] = False
    resume: Annotated[bool, SWITCH] = True
    defer_after: Annotated[dt.timedelta, WAIT] = dt.timedelta(minutes=1)

    @classmethod
    def of(cls, task: object) -> Self:
        """Read a task's parameters, whose templates are rendered.

        :param task: has them as attributes.
        :raises ParameterError: some cannot work; names all of them.
        """
        return cls(**_rendered(task))

    @classmethod
    def of_what_fits(cls, task: object) -> Self:
        """Read those of a task's parameters that can work, to find out what else cannot; the others have defaults."""
        given = _rendered(task)
        found = {name: value for name, value in given.items() if not problems_with(cls, {name: value})}
        if not found.get("rejects_path"):
            found.pop("on_unknown_outcome", None)
        return cls(**found)


KINDS: Final[Mapping[str, ParameterKind]] = kinds_of(TaskOptions)
"""Parameter → the values it may have."""

DEFAULTS: Final[Mapping[str, Any]] = defaults_of(TaskOptions)


def problems_of_constants(task: object) -> list[str]:
    """Return what is wrong with parameters whose values are known before the task runs."""
    given = {name: value for name in KINDS if not is_late(value := getattr(task, name))}
    given.pop("rejects_path" if given.get("rejects_path") is None else "", None)  # what goes together is checked later
    return problems_with(TaskOptions, given)


def _rendered(task: object) -> dict[str, Any]:
    """Return a task's parameters, text that a template rendered to as what it stands for."""
    found = {name: getattr(task, name) for name in KINDS}
    return {name: KINDS[name].read(value) if isinstance(value, str) else value for name, value in found.items()}
