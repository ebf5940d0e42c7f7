"""``@task.pinterest_conversions``: a function that returns rows becomes a task that delivers them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)

from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, TaskDecorator


class _SendConversionsDecorated(DecoratedOperator, SendConversionsOperator):
    """Calls the function when the task runs, and delivers the rows it returns or yields."""

    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *SendConversionsOperator.template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **SendConversionsOperator.template_fields_renderers,
    }
    custom_operator_name = "@task.pinterest_conversions"

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        for source in ("sql", "events"):
            if kwargs.get(source) is not None:
                raise ParameterError(f"@task.pinterest_conversions: the function is the source; remove {source}.")
        super().__init__(python_callable=python_callable, op_args=op_args, op_kwargs=op_kwargs, **kwargs)

    def execute(self, context: Context) -> dict[str, Any]:
        """Call the function and deliver its rows."""
        context_merge(context, self.op_kwargs)
        kwargs = determine_kwargs(self.python_callable, self.op_args, context)
        self.events = self.python_callable(*self.op_args, **kwargs)
        return super(DecoratedOperator, self).execute(context)


def pinterest_conversions_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Make a function that returns rows into a task that delivers them.

    :param python_callable: returns or yields rows, as ``SendConversionsOperator``'s ``events`` takes them.
    :param kwargs: as for :class:`~airflow_provider_pinterest.operators.send_conversions.SendConversionsOperator`.
    """
    return task_decorator_factory(
        python_callable=python_callable,
        decorated_operator_class=_SendConversionsDecorated,
        **kwargs,
    )
