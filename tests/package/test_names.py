"""One name for one thing, and the terms of the field."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

import pytest

from tests.package.modules import REPOSITORY, name_of, paths, tree

OLD_CLASSES = frozenset(
    """
    Window Shipment Settlement Mark Chunk Piece Made Fields Reader Verdict Unfit Unusable Remembered _Memo
    Plan Keeper Tally Delivered Lags Execution Job Processes Withheld Pace Listed Denied Busy Doubt EventMaker
    EventBuilder Voyage Members Layout Rule
    """.split()  # noqa: SIM905
)
"""Names of classes that other terms have replaced."""

OLD_WORDS = frozenset(
    """
    tally lags lag doubt doubtful doubted uncertain perhaps recognised recognise mend mended shipment
    settlement voyage sail withheld once_only resendable harmful
    """.split()  # noqa: SIM905
)
"""Words that identifiers no longer use."""

ALLOWED = {"_withheld": "hides arguments in the rendered fields"}


def classes(root):
    found = defaultdict(list)
    for path in sorted((REPOSITORY / root).rglob("*.py")):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(str(path.relative_to(REPOSITORY)))
    return found


def identifiers(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


@pytest.mark.parametrize("root", ["airflow_provider_pinterest", "demo", "harness", "scale", "chaos", "benchmarks"])
def test_no_class_name_stands_twice(root):
    package = classes("airflow_provider_pinterest")
    found = classes(root)
    twice = {name: files for name, files in found.items() if len(files) > 1}
    if root != "airflow_provider_pinterest":
        twice |= {name: files + package[name] for name, files in found.items() if name in package}

    assert twice == {}


def test_no_module_name_stands_twice():
    found = defaultdict(list)
    for path in paths():
        if path.stem not in ("__init__", "__main__"):
            found[path.stem].append(name_of(path))

    assert {name: modules for name, modules in found.items() if len(modules) > 1} == {}


@pytest.mark.parametrize("path", list(paths()), ids=name_of)
def test_no_old_name_is_used(path):
    names = set(identifiers(path)) - ALLOWED.keys()
    old = names & OLD_CLASSES
    old |= {name for name in names if OLD_WORDS & set(re.split(r"_+", name.lower()))}
    old |= names & OLD_WORDS

    assert not old
