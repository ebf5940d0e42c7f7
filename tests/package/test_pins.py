"""The wheel can be installed beside every supported Airflow: what we require is no newer than what users have."""

import re
import runpy
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

REPOSITORY = Path(__file__).parents[2]
PINS = REPOSITORY / "requirements/pins"
LOCK = runpy.run_path(str(REPOSITORY / ".ci/lock.py"))
REQUIRED = [Requirement(text) for text in LOCK["requirements"]()]
RELEASES = LOCK["releases"]()
LOCKS = {path.stem.removeprefix("airflow-"): path for path in PINS.glob("*.txt") if path.name != "days.txt"}


def pinned(lock):
    lines = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lock.read_text("utf-8"), re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in lines}


def test_each_release_has_a_lock_file_and_no_other_is_left_over():
    assert LOCKS.keys() == {*RELEASES, "lowest"}


@pytest.mark.parametrize("release", RELEASES)
def test_a_lock_file_pins_its_release(release):
    assert pinned(LOCKS[release])["apache-airflow"] == Version(release)


def test_the_releases_are_in_order_and_begin_with_the_oldest_one_supported():
    [airflow] = [required for required in REQUIRED if required.name == "apache-airflow"]
    [floor] = airflow.specifier
    oldest, *_ = versions = [Version(release) for release in RELEASES]
    assert versions == sorted(versions)
    assert oldest.release[:2] == Version(floor.version).release


def test_every_minor_since_3_0_is_among_the_releases():
    minors = sorted({Version(release).release[:2] for release in RELEASES} - {(2, 11)})
    assert minors == [(3, minor) for minor in range(len(minors))]


@pytest.mark.parametrize("lock", sorted(LOCKS))
@pytest.mark.parametrize("required", REQUIRED, ids=str)
def test_what_is_required_is_no_newer_than_what_came_with_a_release(required, lock):
    version = pinned(LOCKS[lock]).get(canonicalize_name(required.name))
    assert version, f"{lock} has no {required.name}: make lock"
    assert required.specifier.contains(version)


@pytest.mark.parametrize("required", REQUIRED, ids=str)
def test_every_requirement_is_a_floor_and_nothing_more(required):
    assert [one.operator for one in required.specifier] == [">="]


@pytest.mark.parametrize("required", REQUIRED, ids=str)
def test_the_lowest_versions_that_are_allowed_are_tried(required):
    [floor] = required.specifier
    lowest = pinned(PINS / "lowest.txt")[canonicalize_name(required.name)]
    width = len(Version(floor.version).release)
    assert lowest.release[:width] == Version(floor.version).release


@pytest.mark.parametrize("lock", sorted((REPOSITORY / "requirements").rglob("*.txt")), ids=lambda lock: lock.stem)
def test_a_lock_file_names_no_package_host(lock):
    assert "://" not in lock.read_text("utf-8")
