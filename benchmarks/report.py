"""The results, as JSON with every sample and as Markdown tables for the documentation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks.experiments import EXPERIMENTS, ReportSection
from harness.processes import REPOSITORY
from harness.tables import machine, machine_line, table

RESULTS: Final = Path(__file__).parent / "results"
PAGE: Final = REPOSITORY / "docs" / "performance.md"
IMAGES: Final = REPOSITORY / "docs" / "images"
BEGIN: Final = "<!-- Written by python -m benchmarks: begin -->\n"
END: Final = "<!-- Written by python -m benchmarks: end -->\n"

_DISTRIBUTIONS: Final = ("apache-airflow", "airflow-provider-pinterest", "pinterest-generated-client", "orjson")

Document = dict[str, Any]


def document(sections: Mapping[str, ReportSection]) -> Document:
    """Return the data of a run that is saved."""
    return {
        "machine": machine(_DISTRIBUTIONS),
        "sections": {name: _rounded(asdict(section)) for name, section in sections.items()},
    }


def _rounded(value: Any) -> Any:
    """Drop insignificant digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {name: _rounded(part) for name, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, (list, tuple)) else value


def markdown(found: Document) -> str:
    """Return the tables."""
    head = (
        f"{machine_line(found['machine'])}\n"
        "Each number is a median; behind it are the smallest and the largest of the repetitions.\n"
    )
    tables = (
        f"### {section['title']}\n\n{section['note']}\n\n{table(section['header'], section['lines'])}"
        for section in found["sections"].values()
    )
    return "\n".join((head, *tables))


def merged(new: Document, folder: Path) -> Document:
    """Return the saved results, with their sections replaced by the new ones."""
    path = folder / "latest.json"
    old = json.loads(path.read_text(encoding="utf-8"))["sections"] if path.exists() else {}
    sections = old | new["sections"]
    return {**new, "sections": {name: sections[name] for name in EXPERIMENTS if name in sections}}
