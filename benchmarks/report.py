"""What was found, as JSON with every sample and as the Markdown tables that the documentation repeats."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks.experiments import EXPERIMENTS, Section

REPOSITORY: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = Path(__file__).parent / "results"
PAGE: Final = REPOSITORY / "docs" / "performance.md"
IMAGES: Final = REPOSITORY / "docs" / "images"
BEGIN: Final = "<!-- Written by python -m benchmarks: begin -->\n"
END: Final = "<!-- Written by python -m benchmarks: end -->\n"

_DISTRIBUTIONS: Final = ("apache-airflow", "airflow-provider-pinterest", "pinterest-generated-client", "orjson")

Document = dict[str, Any]


def document(sections: Mapping[str, Section]) -> Document:
    """Return all that is kept of a run."""
    return {
        "machine": machine(),
        "sections": {name: _rounded(asdict(section)) for name, section in sections.items()},
    }


def machine() -> dict[str, Any]:
    """Return what the numbers depend on, without what would tell this machine from others of its kind."""
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: found for name in _DISTRIBUTIONS if (found := _version(name))},
    }


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _rounded(value: Any) -> Any:
    """Drop digits that mean nothing."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {name: _rounded(part) for name, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, (list, tuple)) else value


def markdown(found: Document) -> str:
    """Return the tables."""
    facts = found["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    head = (
        f"{facts['cores']} cores ({facts['architecture']}), Python {facts['python']}, {versions}; {facts['date']}.\n"
        "Each number is a median; behind it are the smallest and the largest of the repetitions.\n"
    )
    tables = (
        f"### {section['title']}\n\n{section['note']}\n\n{_table(section['header'], section['lines'])}"
        for section in found["sections"].values()
    )
    return "\n".join((head, *tables))


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    marks = ["---", *("---:" for _ in header[1:])]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, marks, *lines))


def merged(new: Document, folder: Path) -> Document:
    """Return the kept results with the new sections in place of their predecessors."""
    path = folder / "latest.json"
    old = json.loads(path.read_text(encoding="utf-8"))["sections"] if path.exists() else {}
    sections = old | new["sections"]
    return {**new, "sections": {name: sections[name] for name in EXPERIMENTS if name in sections}}


def save(found: Document, folder: Path) -> None:
    """Write ``latest.json`` and ``latest.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, indent=1, ensure_ascii=False)
    (folder / "latest.json").write_text(f"{text}\n", encoding="utf-8")
    (folder / "latest.md").write_text(markdown(found), encoding="utf-8")


def repeat_in(page: Path, tables: str) -> None:
    """Put the tables where a page of the documentation has them."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{tables}\n{END}{after}", encoding="utf-8")
