"""The parameters of the task that requests deletion, and their allowed values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Final, Self

from airflow_provider_pinterest.erasure.deletion_options import DeletionOptions, problem_of_columns
from airflow_provider_pinterest.operators.task_options import is_late
from airflow_provider_pinterest.operators.templates import unwrapped
from airflow_provider_pinterest.sync.options import (
    ANY_MAPPING,
    BOUND,
    STATEMENT,
    TEXT,
    ParameterKind,
    kinds_of,
    problems_with,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeletionTaskOptions(DeletionOptions):
    """The checked parameters of one attempt; the operator's docstring explains them."""

    sql: Annotated[str | None, STATEMENT] = None
    sql_conn_id: Annotated[str | None, TEXT] = None
    hook_params: Annotated[Mapping[str, Any] | None, ANY_MAPPING] = None
    parameters: Annotated[Mapping[str, Any] | Sequence[Any] | None, BOUND] = None
    pinterest_conn_id: Annotated[str, TEXT] = "pinterest_default"

    @classmethod
    def of(cls, task: object) -> Self:
        """Read the rendered parameters of a task.

        :raises ParameterError: some values are not allowed; the message names all of them.
        """
        given: dict[str, Any] = {name: unwrapped(getattr(task, name)) for name in DELETION_KINDS}
        for name, value in given.items():
            if isinstance(value, str):
                given[name] = DELETION_KINDS[name].read(value)
        return cls(**given)

    def of_run(self) -> DeletionOptions:
        """Return the options that do not need Airflow."""
        return DeletionOptions(**{one.name: getattr(self, one.name) for one in fields(DeletionOptions)})


DELETION_KINDS: Final[Mapping[str, ParameterKind]] = kinds_of(DeletionTaskOptions)
"""Parameter → its allowed values."""


def problems_of_deletion_constants(task: object) -> list[str]:
    """Return the problems with parameters whose values are known before the task runs."""
    given = {name: getattr(task, name) for name in DELETION_KINDS}
    known = {name: value for name, value in given.items() if not is_late(value)}
    return [*problems_with(DeletionTaskOptions, known), *problem_of_columns(given)]
