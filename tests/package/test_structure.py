"""Imports have one direction, and no circle. Imports inside functions and for type checkers count too."""

from __future__ import annotations

import pytest

from tests.package.modules import PACKAGE, ROOT, imports, name_of, paths, top_level_imports

PLAIN = {"exceptions", "logs", "problems", "redaction", "state_store", "__version__"}
"""Modules at the top that every folder may import."""

MAY_IMPORT: dict[str, set[str]] = {
    "conversions": set(),
    "api": set(),
    "sources": {"conversions"},
    "delivery": {"conversions", "api"},
    "outcomes": {"conversions", "sources", "delivery"},
    "sync": {"conversions", "api", "sources", "delivery", "outcomes"},
    "erasure": {"conversions", "api", "sources", "delivery", "sync", "outcomes"},
    "airflow_versions": set(),
    "links": {"airflow_versions"},
    "triggers": {"airflow_versions"},
    "policies": {"airflow_versions"},
    "get_provider_info": set(),
    "hooks": {"conversions", "api", "delivery", "erasure", "airflow_versions", "get_provider_info"},
    "operators": {
        "conversions",
        "api",
        "sources",
        "delivery",
        "outcomes",
        "sync",
        "erasure",
        "airflow_versions",
        "hooks",
        "links",
        "triggers",
    },
    "sensors": {"api", "erasure", "sync", "airflow_versions", "hooks", "operators", "triggers"},
    "decorators": {"sources", "operators", "airflow_versions"},
    "sandbox": set(),
    "__main__": {"delivery", "sources", "sync"},
    **{name: set() for name in PLAIN},
}
"""Folder or module → the others that it may import, besides the plain ones."""

AIRFLOW = {"airflow_versions", "links", "triggers", "policies", "hooks", "operators", "sensors", "decorators"}
"""The only folders and modules that import Airflow."""

MODULES = {name_of(path): path for path in paths()}


def room(name: str) -> str:
    """Return the folder of a module, or the module itself at the top."""
    return name.split(".")[1] if "." in name else "__init__"


def module_of(imported: str) -> str | None:
    """Return the module of the package that an import loads."""
    return next((name for name in (imported, imported.rpartition(".")[0]) if name in MODULES), None)


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_in_one_direction(name):
    here = room(name)
    found = {room(one) for one in imports(MODULES[name]) if one.startswith(f"{PACKAGE}.")}

    if here == "__init__":
        assert not found
    else:
        plain = set() if here == "sandbox" else PLAIN
        assert found - {here} <= MAY_IMPORT[here] | plain


@pytest.mark.parametrize("name", MODULES)
def test_only_the_airflow_modules_import_airflow(name):
    airflow = {one for one in imports(MODULES[name]) if one.split(".")[0] == "airflow"}

    assert not airflow or room(name) in AIRFLOW


def test_every_folder_is_in_the_list():
    rooms = {room(name) for name in MODULES} - {"__init__"}

    assert rooms == set(MAY_IMPORT) - {"__version__"}


def test_no_module_imports_itself_through_others():
    graph = {
        name: {found for one in top_level_imports(path) if (found := module_of(one)) not in (None, name, PACKAGE)}
        for name, path in MODULES.items()
        if path != ROOT / "__init__.py" and path.name != "__init__.py"
    }
    remaining = dict(graph)
    while leaves := [name for name, needed in remaining.items() if not needed & remaining.keys()]:
        for name in leaves:
            del remaining[name]

    assert not remaining
