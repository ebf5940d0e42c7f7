"""The docstring of each folder's ``__init__`` names every module in the folder."""

from __future__ import annotations

import ast
import re

import pytest

from tests.package.modules import ROOT, tree

ROOMS = sorted(path.parent for path in ROOT.rglob("__init__.py") if path.parent != ROOT)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_the_docstring_names_every_module(room):
    docstring = ast.get_docstring(tree(room / "__init__.py")) or ""
    modules = {path.stem for path in room.glob("*.py")} - {"__init__"}
    modules |= {path.parent.name for path in room.glob("*/__init__.py")}

    assert modules - set(re.findall(r"``(\w+)``", docstring)) == set()
    assert set(re.findall(r"^- ``(\w+)``", docstring, re.MULTILINE)) - modules == set()
