"""The hosted CI tries the same versions as `.ci/run`, and those that the metadata promises."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
WORKFLOWS = REPOSITORY / ".github/workflows"
RUN = (REPOSITORY / ".ci/run").read_text("utf-8")
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
RELEASES = runpy.run_path(str(REPOSITORY / ".ci/lock.py"))["releases"]()


def workflow(name):
    return yaml.safe_load((WORKFLOWS / name).read_text("utf-8"))


JOBS = workflow("ci.yml")["jobs"]


def commands(jobs):
    return [step["run"] for job in jobs.values() for step in job.get("steps", ()) if "run" in step]


def promised():
    return re.findall(r"Programming Language :: Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))


def test_the_tests_run_on_every_python_that_the_classifiers_name():
    assert JOBS["tests"]["strategy"]["matrix"]["python"] == promised()


def test_the_oldest_python_named_is_the_one_required():
    assert PROJECT["requires-python"] == f">={promised()[0]}"


def test_the_tests_run_on_the_same_airflows_here_and_there():
    here = re.findall(r"for airflow in ([\d. ]+);", RUN)
    assert here == [" ".join(JOBS["tests"]["strategy"]["matrix"]["airflow"])]


def test_the_wheel_is_checked_under_the_same_pins_here_and_there():
    assert JOBS["wheel"]["strategy"]["matrix"]["pins"] == ["lowest", *RELEASES]
    assert "requirements/pins/days.txt" in RUN
    assert ".ci/check-minor" in RUN


@pytest.mark.parametrize("target", ["lint", "types", "build", "docs", "test"])
def test_what_runs_here_runs_there(target):
    for script in (RUN, "\n".join(commands(JOBS))):
        assert re.search(rf"\bmake\b.*\b{target}\b", script)


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_every_script_and_target_of_a_workflow_exists(name):
    targets = re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE)
    for command in commands(workflow(name)["jobs"]):
        for script in re.findall(r"\.ci/\S+", command):
            assert (REPOSITORY / script).is_file(), command
        for wanted in re.findall(r"^make (.*)$", command, re.MULTILINE):
            assert set(wanted.split()) <= set(targets), command


def test_a_release_publishes_only_after_everything_has_passed():
    jobs = workflow("release.yml")["jobs"]
    assert jobs["publish"]["needs"] == "ci"
    assert jobs["ci"] == {"needs": "agree", "uses": "./.github/workflows/ci.yml"}
    assert jobs["publish"]["permissions"] == {"id-token": "write"}


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_a_workflow_may_read_only_unless_a_job_needs_more(name):
    assert workflow(name)["permissions"] == {"contents": "read"}
