"""The interface of a task for the code that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Protocol

if TYPE_CHECKING:
    from airflow_provider_pinterest.airflow_versions import Context
    from airflow_provider_pinterest.operators.task_options import TaskOptions
    from airflow_provider_pinterest.sources.protocol import OpenSource


class ConversionsTask(Protocol):
    """A task that sends conversions; its templates are rendered."""

    resume: Any
    outcomes_conn_id: Any
    delivered_to: str | None
    pushes_result: bool

    @property
    def log(self) -> Any:
        """The task's logger."""

    def options(self) -> TaskOptions:
        """Return the parameters, checked."""

    def source(self, context: Context) -> OpenSource:
        """Return the rows."""

    def defer(self, *, trigger: Any, method_name: str, kwargs: dict[str, Any]) -> NoReturn:
        """Defer the task until a trigger fires. Always raises."""
