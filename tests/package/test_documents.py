"""What the documents of the project name exists."""

import re
import runpy
import shlex
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = ("CONTRIBUTING.md", "RELEASE.md", "SECURITY.md", "CHANGELOG.md")
TARGETS = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
VARIABLES = set(re.findall(r"^([A-Z]+) [?:]?=", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
RELEASES = runpy.run_path(str(REPOSITORY / ".ci/lock.py"))["releases"]()
ELSEWHERE = {"dist/", "site/"}
"""Folders that are made."""


def code(document):
    text = (REPOSITORY / document).read_text("utf-8")
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [*re.findall(r"`([^`\n]+)`", text), *(line.strip() for block in blocks for line in block.splitlines())]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_exists(document):
    commands = [shlex.split(words) for words in code(document) if words.startswith("make ")]
    named = {word for command in commands for word in command[1:] if re.fullmatch(r"[a-z]+", word)}

    assert named <= TARGETS


def test_the_variables_of_make_exist():
    named = {name for words in code("CONTRIBUTING.md") for name in re.findall(r"\b([A-Z]{4,})=", words)}

    assert named - {"SKIP_POSTGRES", "WHOLE_BACKFILL"} <= VARIABLES


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_and_folder_exists(document):
    named = {path for words in code(document) for path in re.findall(r"^[.\w]+/[\w./-]*|^[A-Z]+\.md", words)}
    places = (REPOSITORY, REPOSITORY / "airflow_provider_pinterest", REPOSITORY / ".github")

    missing = [path for path in named - ELSEWHERE if not any((place / path).exists() for place in places)]
    assert not missing


def test_the_changelog_names_the_releases_of_airflow_and_python_that_are_checked():
    section = (REPOSITORY / "CHANGELOG.md").read_text("utf-8").split("### Supported\n")[1].split("\n### ")[0]
    pythons = re.findall(r"Programming Language :: Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))

    assert re.findall(r"\d+\.\d+\.\d+", section)[: len(RELEASES)] == list(RELEASES)
    assert f"Python {pythons[0]} to {pythons[-1]}" in section
