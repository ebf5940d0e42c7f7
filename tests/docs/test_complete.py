"""Everything that can be set, read or met is documented, and nothing that does not exist."""

import argparse
import ast
import importlib
import inspect
import json
import re
import tomllib

import pytest

from airflow_provider_pinterest import exceptions, sandbox
from airflow_provider_pinterest.conversions.field_maps import NAMES
from airflow_provider_pinterest.delivery.result import Result, RunCounters
from airflow_provider_pinterest.get_provider_info import get_provider_info
from airflow_provider_pinterest.hooks.pinterest import PinterestHook
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from airflow_provider_pinterest.operators.task_attempt import AIRFLOW
from airflow_provider_pinterest.sandbox import api, control, faults, settings
from airflow_provider_pinterest.sandbox.__main__ import _parser
from airflow_provider_pinterest.sandbox.local_pinterest import LocalPinterest
from tests.docs.pages import DOCS, README, REPOSITORY, blocks, codes, first_column, headings, lines, prose, section

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]

PARAMETERS = {
    name: parameter
    for name, parameter in inspect.signature(SendConversionsOperator.__init__).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY
}


class TestParameters:
    PAGE = DOCS / "parameters.md"

    def test_every_parameter_has_a_section_and_no_other(self):
        documented = re.findall(r"^### (.*)$", prose(self.PAGE), re.MULTILINE)

        assert sorted(documented) == sorted(PARAMETERS)

    def test_the_overview_names_them_all(self):
        overview = [
            name for line in lines(self.PAGE) if line.heading == "Parameters" for name in codes(str(line.cells))
        ]

        assert sorted(overview) == sorted(PARAMETERS)

    @pytest.mark.parametrize("name", PARAMETERS)
    def test_its_default_is_the_code_s(self, name):
        summary = section(self.PAGE, name).strip().splitlines()[0]

        assert re.findall(r"default `([^`]*)`", summary) == [repr(PARAMETERS[name].default)]

    @pytest.mark.parametrize("name", PARAMETERS)
    def test_it_is_called_templated_if_it_is(self, name):
        summary = section(self.PAGE, name).strip().splitlines()[0]

        assert summary.endswith(("· templated", "· rendered, but never stored or shown")) == (
            name in SendConversionsOperator.template_fields
        )

    def test_the_docstring_names_them_all(self):
        documented = re.findall(r":param (\w+):", SendConversionsOperator.__doc__ or "")

        assert sorted(documented) == sorted(PARAMETERS)


class TestConnection:
    PAGE = DOCS / "connection.md"
    TYPE = get_provider_info()["connection-types"][0]

    def test_every_field_is_documented_and_no_other(self):
        assert sorted(first_column(self.PAGE, "Fields")) == sorted(["password", "host", *self.TYPE["conn-fields"]])
        assert sorted(self.TYPE["conn-fields"]) == sorted(PinterestHook.EXTRAS)

    def test_it_is_called_what_the_form_calls_it(self):
        labels = {name: field["label"] for name, field in self.TYPE["conn-fields"].items()}
        labels |= self.TYPE["ui-field-behaviour"]["relabeling"]

        assert {
            line.cells[0].strip("`"): line.cells[1] for line in lines(self.PAGE) if line.heading == "Fields"
        } == labels

    def test_its_default_is_the_form_s(self):
        for line in lines(self.PAGE):
            field = self.TYPE["conn-fields"].get(line.cells[0].strip("`"), {})
            if line.heading == "Fields" and "default" in field.get("schema", {}):
                assert f"Default {field['schema']['default']}" in line.cells[3].replace("`", "")

    def test_the_readme_names_every_field(self):
        assert sorted(first_column(README, "The connection")) == sorted(first_column(self.PAGE, "Fields"))


class TestDocumentedResult:
    PAGE = DOCS / "result.md"
    VALUES = Result.of(
        RunCounters(), ad_account_id="1", test=False, seconds=0.0, warnings={}, coverage={}, rejects_path=None
    ).values

    def test_every_key_is_documented_in_order_and_no_other(self):
        assert first_column(self.PAGE, "Keys") == list(self.VALUES)

    def test_every_key_of_freshness_is_documented_and_no_other(self):
        assert first_column(self.PAGE, "freshness") == list(self.VALUES["freshness"])

    def test_the_example_has_every_key_and_adds_up(self):
        [example, *_] = blocks(self.PAGE, "json")
        result = json.loads(example.text)

        assert list(result) == list(self.VALUES)
        assert list(result["freshness"]) == list(self.VALUES["freshness"])
        for sum_of in re.findall(r"^(\w+) += (.*)$", blocks(self.PAGE, "text")[0].text, re.MULTILINE):
            assert result[sum_of[0]] == sum(result[name] for name in sum_of[1].split(" + "))

    def test_the_log_in_the_readme_is_that_of_the_example(self):
        result = json.loads(blocks(self.PAGE, "json")[0].text) | {"rejects_path": None, "warnings": {}}
        [log] = (block for block in blocks(README, "text") if block.heading == "The result")

        assert log.text.strip() == Result(result).table()


class TestErrors:
    PAGE = DOCS / "errors.md"
    CLASSES = tuple(name for name in vars(exceptions) if name in exceptions.__all__)

    def test_every_class_has_a_section_and_no_other(self):
        assert headings(self.PAGE)[1:] == [*self.CLASSES, "What the last line says"]

    def test_the_tree_is_that_of_the_code(self):
        [tree] = [block for block in blocks(self.PAGE, "text") if block.text.startswith("PinterestError")]
        depth = {name: len(prefix) // 4 for prefix, name in re.findall(r"^([│├└─ ]*)(\w+)$", tree.text, re.MULTILINE)}
        inherited = dict.fromkeys(self.CLASSES, 0)
        for name in self.CLASSES:  # each stands below its first base
            inherited[name] = inherited.get(getattr(exceptions, name).__bases__[0].__name__, -1) + 1

        assert depth == inherited

    @pytest.mark.parametrize("page", [PAGE, DOCS / "connection.md"], ids=lambda page: page.stem)
    def test_every_message_is_the_code_s(self, page):
        said = "\n".join(messages())
        documented = [
            code
            for line in lines(page)
            if line.head[0] in ("Message", "Answer", "The last line")
            for code in codes(line.cells[0])
        ]

        assert documented
        assert [message for message in documented if not all(part in said for part in parts(message))] == []


def messages():
    """Every text in the package, what f-strings fill in replaced by an ellipsis."""
    for module in (REPOSITORY / "airflow_provider_pinterest").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def parts(message):
    """The parts of a message that are one text in the code: Airflow's terms are filled in."""
    terms = sorted((AIRFLOW.name, AIRFLOW.again, AIRFLOW.clear, AIRFLOW.retry), key=len, reverse=True)
    found = re.split("|".join(("…", ": ", "failed", *terms)), message)
    return [part.strip(" .,()[]") for part in found if re.search(r"\w{2}", part)]


def test_the_limits_of_memory_are_those_of_the_code():
    found = [line.cells for line in lines(DOCS / "performance.md") if line.heading == "Memory in bytes"]
    named = [(bound, name) for _, bound, cell in found for name in codes(cell)]

    assert len(named) > 10
    for bound, name in named:
        module, _, constant = name.rpartition(".")
        value = getattr(importlib.import_module(f"airflow_provider_pinterest.{module}"), constant)
        assert bound.startswith(f"{value:,} "), name


class TestSandbox:
    PAGE = DOCS / "sandbox.md"

    def options(self):
        return [action for action in _parser()._actions if not isinstance(action, argparse._HelpAction)]

    def test_every_option_is_documented_and_no_other(self):
        assert first_column(self.PAGE, "Options") == [action.option_strings[0] for action in self.options()]

    def test_its_default_is_the_code_s(self):
        documented = {line.cells[0]: line.cells[1] for line in lines(self.PAGE) if line.heading == "Options"}

        for action in self.options():
            if action.default not in (None, False, []):
                assert documented[f"`{action.option_strings[0]}`"] == f"`{action.default}`"

    def test_every_endpoint_is_documented_and_no_other(self):
        from aiohttp import web

        pinterest = LocalPinterest(settings.SandboxSettings())
        served = []
        for add_routes in (api.add_routes, control.add_routes):
            app = web.Application()
            add_routes(app, pinterest)
            resources = app.router.resources()
            served.append({f"{route.method} {one.canonical}" for one in resources for route in one} - {"HEAD /"})
        documented = [
            set(first_column(self.PAGE, heading)) for heading in ("Pinterest's endpoints", "Its own endpoints")
        ]

        assert documented == served

    def test_every_fault_is_documented_and_no_other(self):
        [kinds, options] = [
            [line for line in lines(self.PAGE) if line.heading == "Faults" and line.head[0] == head]
            for head in ("Kind", "Option")
        ]
        documented = {line.cells[0].strip("`"): line for line in kinds}
        selecting = {line.cells[0].strip("`") for line in options}

        assert list(documented) == list(faults._OPTIONS)
        for kind, line in documented.items():
            own = faults._OPTIONS[kind] - selecting
            assert own <= set(codes(line.cells[1])), kind
        assert faults._SELECTION | {"after_accepting"} == selecting

    def test_every_setting_is_documented_and_no_other(self):
        documented = {line.cells[0]: line.cells[1] for line in lines(self.PAGE) if line.heading == "Settings"}
        defaults = settings.SandboxSettings()

        assert documented == {
            f"`{name}`": f"`{getattr(defaults, name)!r}`" for name in settings.SandboxSettings.__slots__
        }

    def test_every_member_is_documented_and_no_other(self):
        documented = first_column(self.PAGE, "In a test")
        own = [name for name in vars(sandbox.Sandbox) if not name.startswith("_")]
        methods = {f"{name}()" for name in own if callable(getattr(sandbox.Sandbox, name))}
        constants = {name for name in own if not callable(getattr(sandbox.Sandbox, name))}

        assert set(documented) == methods | constants | {"url", "port"}

    def test_its_tokens_are_those_of_the_code(self):
        pinterest = sandbox.Sandbox
        known = {
            pinterest.token,
            pinterest.oauth_token,
            pinterest.refresh_token,
            pinterest.app_id,
            pinterest.app_secret,
        }

        assert set(codes(section(self.PAGE, "Tokens it knows"))) == known


class TestReadme:
    def test_every_column_it_names_finds_the_field_beside_it(self):
        for line in lines(README):
            if line.heading == "What the columns mean":
                paths = codes(line.cells[1])
                place = paths[0].rpartition(".")[0]
                full = {path if "." in path or not place else f"{place}.{path}" for path in paths}
                assert {NAMES[name] for name in codes(line.cells[0])} == full, line.cells[0]

    def test_every_extra_is_named_and_no_other(self):
        named = "".join(first_column(README, "Install"))

        assert sorted(re.findall(r"\[(\w+)\]", named)) == sorted(PROJECT["optional-dependencies"])

    def test_every_make_target_it_names_exists(self):
        makefile = (REPOSITORY / "Makefile").read_text("utf-8")
        commands = "".join(block.text for block in blocks(README, "bash"))
        named = re.findall(r"^make (\w+)$", commands, re.MULTILINE)

        assert {"demo", "test"} <= set(named)
        assert [target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []

    def test_the_versions_are_those_that_can_be_installed(self):
        versions = section(README, "Versions")

        assert f"Python | {PROJECT['requires-python'].removeprefix('>=')} or later" in versions
        [airflow] = (need for need in PROJECT["dependencies"] if need.startswith("apache-airflow>"))
        assert f"Airflow | {airflow.removeprefix('apache-airflow>=')}, and" in versions
        [tested] = re.findall(r"Tests run on Airflow ([\d.]+) and ([\d.]+)\.", versions)
        assert all((REPOSITORY / f"requirements/airflow-{version}.txt").exists() for version in tested)

    @pytest.mark.parametrize("page", [README, DOCS / "running.md"], ids=lambda page: page.stem)
    def test_every_example_dag_exists(self, page):
        named = [code for code in codes(prose(page)) if re.fullmatch(r"pinterest_(going|sync)\w+", code)]

        assert named
        assert [name for name in named if not (REPOSITORY / "dags" / f"{name}.py").exists()] == []
