"""What is shared lies in the harness: it imports none of its users, and nothing but a test imports the tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import harness

REPOSITORY = Path(__file__).parents[2]
USERS = {"benchmarks", "chaos", "demo", "scale", "tests"}


def imported(file: Path) -> set[str]:
    """Return the top-level packages that a file imports, wherever it does so."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("airflow_provider_pinterest", USERS | {"harness"}),
        ("dags", USERS | {"harness"}),
        ("harness", USERS),
        *((user, {"tests"}) for user in sorted(USERS - {"tests"})),
    ],
)
def test_nothing_imports_what_builds_on_it(folder, forbidden):
    files = sorted((REPOSITORY / folder).rglob("*.py"))

    assert files
    assert {str(file): found for file in files if (found := imported(file) & forbidden)} == {}


def test_the_harness_lists_its_modules():
    assert harness.__doc__
    modules = {file.stem for file in Path(harness.__file__).parent.glob("*.py")} - {"__init__"}

    assert {module for module in modules if f"``{module}``" not in harness.__doc__} == set()
