"""The metadata is what Airflow's schemas ask for, and all it names exists."""

import importlib
import json
from pathlib import Path

import airflow
import jsonschema
import pytest
from packaging.version import Version

import airflow_provider_pinterest
from airflow_provider_pinterest.get_provider_info import get_provider_info

AIRFLOW_3_2_OR_LATER = Version(airflow.__version__) >= Version("3.2")
# A provider.yaml holds these beside what Airflow reads when it runs.
ONLY_IN_THE_YAML = {"state": "ready", "lifecycle": "production", "source-date-epoch": 1767225600}


def schema(name):
    return json.loads((Path(airflow.__path__[0]) / name).read_text(encoding="utf-8"))


def named_classes(info):
    yield from (connection["hook-class-name"] for connection in info["connection-types"])
    yield from (decorator["class-name"] for decorator in info["task-decorators"])
    yield from info["extra-links"]


def named_modules(info):
    for kind in ("hooks", "operators", "sensors", "triggers"):
        for entry in info[kind]:
            yield from entry["python-modules"]


def resolve(path):
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.mark.skipif(not AIRFLOW_3_2_OR_LATER, reason="the strict schema knows connection forms since 3.2")
def test_it_satisfies_the_strict_schema():
    jsonschema.validate(get_provider_info() | ONLY_IN_THE_YAML, schema("provider.yaml.schema.json"))


@pytest.mark.skipif(not AIRFLOW_3_2_OR_LATER, reason="the strict schema knows connection forms since 3.2")
def test_the_strict_schema_would_find_a_typing_error_in_the_connection_form():
    info = get_provider_info() | ONLY_IN_THE_YAML
    info["connection-types"][0]["conn-fields"]["app_id"]["lable"] = "App ID"
    with pytest.raises(jsonschema.ValidationError, match="lable"):
        jsonschema.validate(info, schema("provider.yaml.schema.json"))


def test_it_satisfies_the_schema_airflow_checks_when_it_runs():
    jsonschema.validate(get_provider_info(), schema("provider_info.schema.json"))


def test_it_is_plain_data_and_made_anew_for_each_caller():
    info = get_provider_info()
    assert json.loads(json.dumps(info)) == info
    info["connection-types"][0].clear()
    assert get_provider_info()["connection-types"][0]


def test_the_newest_version_is_the_package_s():
    assert get_provider_info()["versions"][0] == airflow_provider_pinterest.__version__


@pytest.mark.parametrize("path", sorted(set(named_classes(get_provider_info()))))
def test_every_named_class_exists(path):
    assert callable(resolve(path))


@pytest.mark.parametrize("path", sorted(set(named_modules(get_provider_info()))))
def test_every_named_module_exists(path):
    importlib.import_module(path)


def test_every_integration_named_is_declared():
    info = get_provider_info()
    declared = {integration["integration-name"] for integration in info["integrations"]}
    assert {
        entry["integration-name"] for kind in ("hooks", "operators", "sensors", "triggers") for entry in info[kind]
    } <= declared


def test_the_hook_says_of_itself_what_the_metadata_says():
    for connection in get_provider_info()["connection-types"]:
        hook = resolve(connection["hook-class-name"])
        assert hook.conn_type == connection["connection-type"]
        assert hook.hook_name == connection["hook-name"]
        assert hook.conn_name_attr
        assert hook.default_conn_name == f"{hook.conn_type}_default"


def test_every_connection_field_is_labelled_and_described():
    for connection in get_provider_info()["connection-types"]:
        for name, field in connection["conn-fields"].items():
            assert field["label"], name
            assert field["description"].endswith("."), name


def test_secrets_are_entered_hidden():
    fields = get_provider_info()["connection-types"][0]["conn-fields"]
    hidden = {name for name, field in fields.items() if field["schema"].get("format") == "password"}
    assert hidden == {"app_secret", "refresh_token"}
