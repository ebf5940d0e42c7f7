"""The version, the changelog and the tag of a release agree."""

import runpy
from pathlib import Path

import pytest

import airflow_provider_pinterest

REPOSITORY = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(REPOSITORY / ".ci/check_release.py"))
problems, version_of = SCRIPT["problems"], SCRIPT["version_of"]

RELEASED = "# Changelog\n\n## [1.2.3] - 2026-11-25\n\n## [1.2.2] - 2026-10-01\n"
UNRELEASED = RELEASED.replace("2026-11-25", "unreleased")


def test_they_agree_now():
    changelog = (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    assert problems(airflow_provider_pinterest.__version__, changelog, None) == []


def test_the_script_reads_the_version_without_an_import():
    source = Path(airflow_provider_pinterest.__file__).read_text("utf-8")
    assert version_of(source) == airflow_provider_pinterest.__version__


@pytest.mark.parametrize(
    ("version", "changelog", "tag"),
    [
        ("1.2.3", RELEASED, None),
        ("1.2.3", UNRELEASED, None),
        ("1.2.3", RELEASED, "v1.2.3"),
    ],
)
def test_nothing_is_wrong_where_they_agree(version, changelog, tag):
    assert problems(version, changelog, tag) == []


@pytest.mark.parametrize(
    ("version", "changelog", "tag", "said"),
    [
        ("1.2.4", RELEASED, None, "that of 1.2.3, the package's is 1.2.4"),
        ("1.2.3", RELEASED, "v1.2.4", "v1.2.3 is the one"),
        ("1.2.3", RELEASED, "1.2.3", "v1.2.3 is the one"),
        ("1.2.3", UNRELEASED, "v1.2.3", "no day"),
        ("1.2.3", RELEASED.replace("2026-11-25", "soon"), None, "'soon'"),
        ("1.2.3", "# Changelog\n", None, "no section"),
    ],
)
def test_what_does_not_agree_is_named(version, changelog, tag, said):
    [problem] = problems(version, changelog, tag)
    assert said in problem
