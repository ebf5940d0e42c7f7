"""Explains to a DAG author why a value cannot be the rows of a task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airflow_provider_pinterest.sources.iterables import problem_of


def problem_of_rows(rows: object, name: str) -> str | None:
    """Return why a value cannot be the rows of a task, and what to pass instead. The rows are not read.

    :param name: the parameter.
    """
    problem = problem_of(rows, name=name)
    return None if problem is None else f"{problem}{_hint(rows, name)}"


def _hint(rows: object, name: str) -> str:
    if isinstance(rows, str):
        template = "{{" in rows or rows.lstrip().startswith(("[", "{"))
        hint = f" A Jinja template arrives as text: pass the upstream task's output itself, {name}=upstream.output."
        return hint if template else ""
    if isinstance(rows, Iterator):
        return " Or use @task.pinterest_conversions: each attempt calls its function again." if name == "events" else ""
    return "" if isinstance(rows, Iterable) else " Does the upstream task return one?"
