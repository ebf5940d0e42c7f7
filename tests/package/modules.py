"""The modules of the package as syntax trees, and their imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PACKAGE = "airflow_provider_pinterest"
ROOT = REPOSITORY / PACKAGE


def paths() -> Iterator[Path]:
    """Yield the files of all modules."""
    return (path for path in sorted(ROOT.rglob("*.py")))


def name_of(path: Path) -> str:
    """Return the dotted name of a module."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Yield the modules and names that a module imports anywhere, also inside functions and for type checkers."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def top_level_imports(path: Path) -> Iterator[str]:
    """Yield the modules and names that are imported with the module itself, or for type checkers."""
    for node in tree(path).body:
        inner = node.body + node.orelse if isinstance(node, ast.If) else [node]
        for one in inner:
            if isinstance(one, ast.Import):
                yield from (alias.name for alias in one.names)
            elif isinstance(one, ast.ImportFrom):
                yield from (f"{one.module}.{alias.name}" for alias in one.names)
