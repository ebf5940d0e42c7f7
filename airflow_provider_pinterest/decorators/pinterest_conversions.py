"""``@task.pinterest_conversions``: a function that returns rows becomes a task that delivers them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow_provider_pinterest.airflow_versions import (
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)
from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from airflow_provider_pinterest.operators.templates import RedactedRows

if TYPE_CHECKING:
    from airflow_provider_pinterest.airflow_versions import Context, TaskDecorator
    from airflow_provider_pinterest.sources.protocol import OpenSource

__all__ = ["pinterest_conversions_task"]

_SHOWN: Final = (str, int, float, dt.date, dt.timedelta, type(None))
"""Arguments of these types are shown in the rendered fields. Other arguments may be rows of an upstream task."""


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
        for source in ("sql", "events", "path"):
            if kwargs.get(source) is not None:
                raise ParameterError(
                    f"@task.pinterest_conversions takes its rows from the function, so remove the parameter {source}."
                )
        super().__init__(python_callable=python_callable, op_args=op_args, op_kwargs=op_kwargs, **kwargs)

    def execute(self, context: Context) -> dict[str, Any]:
        """Call the function and deliver its rows."""
        return super(DecoratedOperator, self).execute(context)

    def source(self, context: Context) -> OpenSource:
        """Call the function. It is called again each time that the rows are read from the first one."""
        self.op_args = [_unwrapped(value) for value in self.op_args]
        self.op_kwargs = {name: _unwrapped(value) for name, value in self.op_kwargs.items()}
        context_merge(context, self.op_kwargs)
        kwargs = determine_kwargs(self.python_callable, self.op_args, context)
        self.events = self.python_callable(*self.op_args, **kwargs)
        if self.events is None:
            raise ParameterError(
                f"The function {self.python_callable.__name__} returned None. It must return or yield rows, or return "
                "an empty list."
            )
        from airflow_provider_pinterest.sources.iterables import IterableSource

        return IterableSource(self.events, replayable=True)

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: Any,
        seen_oids: set[int],
    ) -> None:
        """Render the fields, and hide arguments of the function that may be rows of an upstream task."""
        super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
        parent.op_args = [_withheld(value) for value in parent.op_args]
        parent.op_kwargs = {name: _withheld(value) for name, value in parent.op_kwargs.items()}


def _withheld(value: Any) -> Any:
    return value if isinstance(value, (*_SHOWN, RedactedRows)) else RedactedRows(value)


def _unwrapped(value: Any) -> Any:
    return value.rows if isinstance(value, RedactedRows) else value


def pinterest_conversions_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Make a function that returns rows into a task that delivers them.

    :param python_callable: returns or yields rows like those of the operator's parameter ``events``.
    :param kwargs: parameters of ``SendConversionsOperator``.
    """
    return task_decorator_factory(
        python_callable=python_callable,
        decorated_operator_class=_SendConversionsDecorated,
        **kwargs,
    )
