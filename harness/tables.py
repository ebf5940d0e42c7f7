"""Markdown tables of measurements, and the facts that the numbers depend on."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are numbers."""
    marks = ["---", *("---:" for _ in head[1:])]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, marks, *lines))


def machine(distributions: Iterable[str]) -> dict[str, Any]:
    """Return the facts that numbers depend on, without anything that identifies this machine."""
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: found for name in distributions if (found := _version(name))},
    }


def machine_line(facts: Mapping[str, Any]) -> str:
    """Return the facts of :func:`machine` as one sentence."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return f"{facts['cores']} cores ({facts['architecture']}), Python {facts['python']}, {versions}; {facts['date']}."


def save(folder: Path, name: str, document: Mapping[str, Any], tables: str) -> None:
    """Write results into a folder, as JSON and as Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(f"{json.dumps(document, indent=1, ensure_ascii=False)}\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(tables, encoding="utf-8")


def put_between(page: Path, begin: str, end: str, tables: str) -> None:
    """Write tables into a page of the documentation, between two marks."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{tables}\n{end}{after}", encoding="utf-8")


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
