"""What every test starts from: an Airflow of its own, and no way out of the machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from harness import airflow
from tests import network

pytest_plugins = ["tests.fixtures"]

# Airflow reads its settings when it is first imported, so they are made here and not in a fixture. Every
# process of a test run, xdist's workers too, gets a home and a metadata database of its own.
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="airflow-home-")).resolve()
DAGS_FOLDER = AIRFLOW_HOME / "dags"


def _start_from_clean_settings() -> None:
    """Drop what the developer's shell says of Airflow and of proxies, and set what the tests rely on."""
    for name in list(os.environ):
        if name.upper().startswith(("AIRFLOW_", "AIRFLOW__")) or name.upper().endswith("_PROXY"):
            del os.environ[name]
    os.environ |= {
        "AIRFLOW_HOME": str(AIRFLOW_HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS_FOLDER),
        **airflow.SETTINGS,
        "AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY": "True",  # As on Airflow 3; 2.11 warns without.
    }
    DAGS_FOLDER.mkdir()


_start_from_clean_settings()
network.forbid()

hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_unconfigure() -> None:
    """Remove the Airflow home of this process."""
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give the tests that share a slow fixture to one xdist worker, so that only that one builds it."""
    for fixture in ("airflow_db", "postgres"):
        if fixture in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(fixture))
            return


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that mostly wait for a whole Airflow, so that other processes work meanwhile."""
    items.sort(key=lambda item: "real_airflow" not in item.nodeid)


@pytest.fixture(autouse=True)
def _isolation(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start without connections and variables in the environment; fail if the test left the machine."""
    for name in list(os.environ):
        if name.startswith(("AIRFLOW_CONN_", "AIRFLOW_VAR_")):
            monkeypatch.delenv(name)
    network.attempts.clear()
    yield
    assert not network.attempts, f"the test tried to reach {', '.join(network.attempts)}"


@pytest.fixture(scope="session")
def airflow_db() -> Path:
    """Migrate this process's metadata database, for DAG runs; return the folder DAG files belong in."""
    from airflow.utils.db import initdb

    initdb()
    return DAGS_FOLDER
