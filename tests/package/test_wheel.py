"""The wheel holds the package, its example DAGs and its licence, and says the right things of itself."""

import email
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from airflow_provider_pinterest import __version__

pytestmark = pytest.mark.xdist_group("wheel")  # One worker builds it, once.

REPOSITORY = Path(__file__).parents[2]
PACKAGE = "airflow_provider_pinterest"
DIST_INFO = f"{PACKAGE}-{__version__}.dist-info"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, REPOSITORY]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.fixture(scope="module")
def names(wheel):
    return set(wheel.namelist())


@pytest.fixture(scope="module")
def metadata(wheel):
    return email.message_from_bytes(wheel.read(f"{DIST_INFO}/METADATA"))


def files_under(folder):
    return {
        path.relative_to(REPOSITORY / folder).as_posix()
        for path in (REPOSITORY / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_only_the_package_is_at_the_top(names):
    assert {name.split("/")[0] for name in names} == {PACKAGE, DIST_INFO}


def test_every_file_of_the_package_is_in_it(names):
    assert {f"{PACKAGE}/{name}" for name in files_under(PACKAGE)} <= names
    assert f"{PACKAGE}/py.typed" in names


def test_the_dags_folder_is_shipped_as_example_dags(names):
    shipped = {name for name in names if name.startswith(f"{PACKAGE}/example_dags/")}
    assert shipped == {f"{PACKAGE}/example_dags/{name}" for name in files_under("dags")}
    assert f"{PACKAGE}/example_dags/__init__.py" in shipped


def test_the_licence_is_in_it(wheel):
    assert wheel.read(f"{DIST_INFO}/licenses/LICENSE") == (REPOSITORY / "LICENSE").read_bytes()


def test_nothing_of_tests_or_caches_is_in_it(names):
    assert not [name for name in names if "test" in name or "__pycache__" in name]


def test_the_metadata_names_version_licence_and_python(metadata):
    assert metadata["Name"] == "airflow-provider-pinterest"
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Framework :: Apache Airflow :: Provider" in metadata.get_all("Classifier")
    assert metadata.get_all("License-File") == ["LICENSE"]


def test_the_readme_is_the_description(metadata):
    assert metadata["Description-Content-Type"] == "text/markdown"
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert metadata.get_payload(decode=True).decode().strip() == readme.strip()


def test_what_only_developers_need_is_not_required(metadata):
    required = " ".join(entry for entry in metadata.get_all("Requires-Dist") if "extra ==" not in entry)
    assert "apache-airflow>=" in required
    assert not [name for name in ("pytest", "aiohttp", "psycopg2", "hatchling") if name in required]


def test_airflow_finds_the_provider_by_its_entry_point(wheel):
    entry_points = wheel.read(f"{DIST_INFO}/entry_points.txt").decode()
    assert "[apache_airflow_provider]" in entry_points
    assert f"provider_info = {PACKAGE}.get_provider_info:get_provider_info" in entry_points
