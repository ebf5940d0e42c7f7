"""Explains to a DAG author why a value cannot be the rows of a task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airflow_provider_pinterest.sources.iterables import problem_of


def problem_of_events(events: object) -> str | None:
    """Return why a value cannot be ``events``, and what to pass instead. The rows are not read."""
    problem = problem_of(events)
    return None if problem is None else f"{problem}{_hint(events)}"


def _hint(events: object) -> str:
    if isinstance(events, str):
        template = "{{" in events or events.lstrip().startswith(("[", "{"))
        hint = " A Jinja template arrives as text: pass the upstream task's output itself, events=upstream.output."
        return hint if template else ""
    if isinstance(events, Iterator):
        return " Or use @task.pinterest_conversions: each attempt calls its function again."
    return "" if isinstance(events, Iterable) else " Does the upstream task return one?"
