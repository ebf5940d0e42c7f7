"""How the parameters of a task are rendered.

The rows of a task are not rendered, because Airflow stores and shows rendered values. Templates that have no value in a
run, such as the data interval of a run without one, are noticed: ``'None'`` or an empty text instead of a time makes a
query return the wrong rows, or no rows, without an error.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow_provider_pinterest.airflow_versions import in_any_thread
from airflow_provider_pinterest.exceptions import ParameterError, problems
from airflow_provider_pinterest.operators.task_options import is_late, is_output

if TYPE_CHECKING:
    from airflow_provider_pinterest.airflow_versions import Context

log = logging.getLogger(__name__)

ADVICE: Final = (
    "Start the run with a logical date, or use a parameter of the DAG with a fallback: params.start or "
    "data_interval_start. Runs of partitioned schedules have partition_date instead of an interval."
)

_address: Final = re.compile(r"[^\s\"'<>(),;:=\[\]{}\\]+@[^\s\"'<>(),;:=\[\]{}\\]+")

_WINDOW: Final = re.compile(
    r"'(?:data_interval\w*|logical_date|execution_date|partition\w*|ds\w*|ts\w*|prev_\w+|next_\w+)'"
)

EMPTY_INTERVAL: Final = (
    "The data interval of this run is empty: it starts and ends at the same time, so a query from its start to its end "
    "selects no rows. On Airflow 3 a cron string or a timedelta as schedule gives empty intervals; use "
    "CronDataIntervalTimetable or DeltaDataIntervalTimetable."
)

_EXPRESSION: Final = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)

MAY_BE_NONE: Final = frozenset({"on_unknown_outcome", "max_event_age"})
"""Parameters that a template may set to ``None``."""


class RedactedRows:
    """Wraps rows in a parameter, because Airflow stores and shows the parameters of a task."""

    def __init__(self, rows: object) -> None:
        self.rows = rows

    def __repr__(self) -> str:
        size = len(self.rows) if isinstance(self.rows, Sequence) and not isinstance(self.rows, str) else "some"
        return f"<{size} rows, not shown>"


class RedactedValue:
    """Wraps a rendered value with e-mail addresses, which Airflow would store and show."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return _address.sub("…", str(self.value))


def without_addresses(value: Any) -> Any:
    """Return a value that Airflow may show: wrapped if it has e-mail addresses."""
    return RedactedValue(value) if isinstance(value, (str, Mapping, list, tuple)) and _has_address(value) else value


def unwrapped(value: Any) -> Any:
    """Return the value itself."""
    return value.value if isinstance(value, RedactedValue) else value


class RedactsRows:
    """An operator with rows in one of its parameters. Neither the serialized DAG nor the rendered fields show them.

    :cvar rows_parameter: the name of that parameter.
    """

    rows_parameter: ClassVar[str]
    _lost: LostValues
    log: Any

    def _redact_rows(self) -> None:
        """Hide rows that are constants. Outputs of other tasks stay visible, because they are dependencies."""
        rows = getattr(self, self.rows_parameter)
        if not (rows is None or is_output(rows) or isinstance(rows, RedactedRows)):
            setattr(self, self.rows_parameter, RedactedRows(rows))

    def _problem_of_rows(self) -> str | None:
        """Return why the rows cannot be read; ``None`` if they can, or if that is known only when the task runs."""
        rows = self._given_rows()
        if rows is None or is_late(rows):
            return None
        from airflow_provider_pinterest.operators.task_events import problem_of_rows

        return problem_of_rows(rows, self.rows_parameter)

    def _rows(self, context: Context) -> Any:
        """Return the rows; those of another task are fetched.

        :raises ParameterError: the value cannot be rows.
        """
        from airflow_provider_pinterest.operators.task_events import problem_of_rows

        rows = self._given_rows()
        if is_output(rows):
            rows = in_any_thread(rows.resolve(context))
        problem = problem_of_rows(rows, self.rows_parameter)
        if problem is not None:
            raise ParameterError(problem)
        return rows

    def _given_rows(self) -> Any:
        rows = getattr(self, self.rows_parameter)
        return rows.rows if isinstance(rows, RedactedRows) else rows

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: Any,
        seen_oids: set[int],
    ) -> None:
        """Render all parameters except the rows."""
        parent._lost = LostValues()  # noqa: SLF001
        render: Any = super()
        for name in template_fields:
            if name != self.rows_parameter:
                with parent._lost.watch(parent, name, jinja_env, context) as watched:  # noqa: SLF001
                    render._do_render_template_fields(parent, [name], context, watched, seen_oids)  # noqa: SLF001
        parent._redact_rows()  # noqa: SLF001


class LostValues:
    """Collects the templates of a task that rendered to nothing."""

    def __init__(self) -> None:
        self._problems: list[str] = []
        self._of_windows = False
        self._empty_interval = False

    @contextmanager
    def watch(self, parent: object, name: str, environment: Any, context: Mapping[str, Any]) -> Iterator[Any]:
        """Yield a Jinja environment that notices expressions without a value while one field is rendered.

        :raises ParameterError: a template names a variable that this run does not have.
        """
        from jinja2 import UndefinedError

        before = getattr(parent, name, None)
        values: list[Any] = []
        inner = environment.finalize or _same

        def finalize(value: Any) -> Any:
            values.append(value)
            return inner(value)

        try:
            yield environment.overlay(finalize=finalize)
        except UndefinedError as error:
            self._problems.append(f"A template in {name} cannot be rendered in this run: {error}.")
            self._of_windows |= bool(_WINDOW.search(str(error)))
            return
        rendered = getattr(parent, name, None)
        none = any(value is None for value in values) and name not in MAY_BE_NONE
        empty = any(isinstance(value, str) and not value.strip() for value in values)
        start, end = context.get("data_interval_start"), context.get("data_interval_end")
        if (
            start is not None
            and start == end
            and (sum(value in (start, str(start)) for value in values) > 1 or _spans_interval(before))
        ):
            self._empty_interval = True
        places = list(_places(name, before, rendered))
        if none or (empty and name == "parameters" and places) or (empty and _quotes_nothing(before, rendered)):
            self._problems.append(
                f"A template in {', '.join(places) or name} has no value in this run; it rendered to None or to empty "
                "text."
            )
            self._of_windows = True

    def check(self) -> None:
        """Refuse to run if a template has no value, and warn if the data interval is empty and the task uses it.

        :raises ParameterError: the message names the parameters.
        """
        if self._problems:
            text = problems("Several templates have no value:", self._problems)
            raise ParameterError(text, advice=ADVICE if self._of_windows else "")
        if self._empty_interval:
            log.warning("%s", EMPTY_INTERVAL)


def _has_address(value: object) -> bool:
    return _address.search(str(value)) is not None


def _same(value: Any) -> Any:
    return value


def _quotes_nothing(before: object, rendered: object) -> bool:
    """Return whether rendering left nothing between the quotes of a statement."""
    return isinstance(before, str) and isinstance(rendered, str) and rendered.count("''") > before.count("''")


def _places(name: str, before: object, rendered: object) -> Iterator[str]:
    """Yield the members of a parameter whose templates rendered to nothing."""
    if isinstance(before, Mapping) and isinstance(rendered, Mapping):
        pairs = [(key, before.get(key), value) for key, value in rendered.items()]
    elif _is_list(before) and _is_list(rendered):
        pairs = [(at, old, new) for at, (old, new) in enumerate(zip(before, rendered, strict=False))]  # type: ignore[call-overload]
    else:
        return
    for key, old, new in pairs:
        if isinstance(old, str) and old != new and (new is None or not str(new).strip() or "None" in str(new)):
            yield f"{name}[{key!r}]"
        else:
            yield from _places(f"{name}[{key!r}]", old, new)


def _spans_interval(template: object) -> bool:
    """Return whether a template writes both ends of the data interval in the same way."""
    found = {"".join(expression.split()) for text in _texts(template) for expression in _EXPRESSION.findall(text)}
    ends = {one.replace("data_interval_start", "data_interval_end") for one in found if "data_interval_start" in one}
    return not found.isdisjoint(ends)


def _texts(template: object) -> Iterator[str]:
    """Yield the texts in a template, which may be nested."""
    if isinstance(template, str):
        yield template
    elif isinstance(template, Mapping):
        yield from _texts(list(template.values()))
    elif isinstance(template, Sequence) and not isinstance(template, bytes):
        for one in template:
            yield from _texts(one)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))
