from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from airflow_provider_pinterest.sandbox import Sandbox
from tests.mariadb import MariaDbServer, running_mariadb


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDbServer]:
    """Run a MariaDB server while tests need it."""
    if os.environ.get("SKIP_MARIADB"):
        pytest.skip("SKIP_MARIADB is set")
    with running_mariadb() as server:
        yield server
