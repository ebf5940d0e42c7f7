"""The page "Public names" lists all that is public, and nothing else is."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
from pathlib import Path

import pytest

from airflow_provider_pinterest.conversions.fields import WARNINGS
from airflow_provider_pinterest.conversions.reasons import EXCLUSIONS, REASONS
from airflow_provider_pinterest.delivery.result import Result, RunCounters
from airflow_provider_pinterest.hooks.pinterest import PinterestHook
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from tests.docs.pages import DOCS, PAGES, REPOSITORY, codes, headings, lines, section

PAGE = DOCS / "api.md"
PACKAGE = "airflow_provider_pinterest"
MODULES = [heading.strip("`") for heading in headings(PAGE) if heading.startswith(f"`{PACKAGE}")]
NO_MEMBERS = (
    "SendConversionsOperator",
    "RequestDeletionOperator",
    "DeletionRequestSensor",
    "AdsManagerConversionsLink",
    "PinterestRetryPolicy",
    "Sandbox",
)
"""Classes whose interface is Airflow's, or is listed on another page that a test compares."""


def listed(module):
    """The names of a module on the page, each with its members."""
    found = [line for line in lines(PAGE) if line.heading == f"`{module}`"]
    return {codes(line.cells[0])[0]: [name.rstrip("()") for name in codes(line.cells[1])] for line in found}


def members_of(value):
    """The public attributes that a class defines itself, and those of its exceptions or fields."""
    fields = {field.name for field in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else set()
    own = {name for name in vars(value) if not name.startswith("_")}
    given = set(inspect.signature(value.__init__).parameters) - {"self", "args", "kwargs"}
    set_by_init = {name for name in given if re.search(rf"self\.{name} = ", inspect.getsource(value))}
    return own | fields | (set_by_init if value.__init__ is vars(value).get("__init__") else set())


@pytest.mark.parametrize("module", MODULES)
def test_the_names_of_a_module_are_those_of_the_page(module):
    if module.endswith(".policies"):
        pytest.importorskip("airflow.sdk.definitions.retry_policy")
    names = importlib.import_module(module).__all__

    assert sorted(listed(module)) == sorted(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("module", MODULES)
def test_a_class_has_the_members_that_the_page_lists(module):
    """All other members are internal, as the page says."""
    if module.endswith(".policies"):
        pytest.importorskip("airflow.sdk.definitions.retry_policy")
    for name, documented in listed(module).items():
        value = getattr(importlib.import_module(module), name)
        if inspect.isclass(value) and name not in NO_MEMBERS:
            assert set(documented) <= members_of(value), name


def test_exactly_the_public_modules_say_what_is_public_in_them():
    found = set()
    for file in (REPOSITORY / PACKAGE).rglob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            parts = file.relative_to(REPOSITORY).with_suffix("").parts
            found.add(".".join(part for part in parts if part != "__init__"))
    lists_what_it_imports = {f"{PACKAGE}.airflow_versions", f"{PACKAGE}.api.rate_limit", f"{PACKAGE}.sync.state"}

    assert found - lists_what_it_imports == set(MODULES)


def imports(text):
    """Module and name of everything that a program imports from the package."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names if alias.name.startswith(PACKAGE))


def programs():
    """All that shows users what to write."""
    for file in sorted((REPOSITORY / "dags").rglob("*.py")):
        yield file.name, file.read_text("utf-8")
    for page in PAGES:
        if page.parent != REPOSITORY or page.name == "README.md":
            for number, text in enumerate(
                re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
            ):
                yield f"{page.name} {number}", text


def test_examples_use_public_names_only():
    used = [(where, module, name) for where, text in programs() for module, name in imports(text)]

    assert used
    assert [one for one in used if one[1] not in MODULES or (one[2] and one[2] not in listed(one[1]))] == []


KEYWORDS = [
    name
    for name, parameter in inspect.signature(SendConversionsOperator.__init__).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY
]
RESULT = Result.of(
    RunCounters(), ad_account_id="1", test=False, seconds=0.0, warnings={}, coverage={}, rejects_path=None
)


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("Parameters of the operator", KEYWORDS),
        ("Fields of the connection", ["password", "host", *PinterestHook.EXTRAS]),
        ("Keys of the result", list(RESULT.values)),
        ("Codes of reasons", [*REASONS, *(code for code in EXCLUSIONS if code not in REASONS)]),
        ("Codes of warnings", list(WARNINGS)),
    ],
)
def test_the_names_of_a_list_are_those_of_the_page(heading, names):
    assert sorted(codes(section(PAGE, heading))) == sorted(names)


def test_the_package_says_that_the_rest_is_internal():
    package = importlib.import_module(PACKAGE)

    assert "docs/api.md" in (package.__doc__ or "")
    assert Path(PAGE).exists()
