"""Finds templates that have no value in a run, such as the data interval of a run without one.

``'None'`` or an empty text instead of a time makes a query return the wrong rows, or no rows, without an error.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from airflow_provider_pinterest.exceptions import ParameterError, problems

log = logging.getLogger(__name__)

ADVICE: Final = (
    "Start the run with a logical date, or use a parameter of the DAG with a fallback: params.start or "
    "data_interval_start. Runs of partitioned schedules have partition_date instead of an interval."
)

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
