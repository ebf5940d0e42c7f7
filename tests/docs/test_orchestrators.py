"""The examples for Dagster and Prefect run there; ``make others`` installs both, in an environment without Airflow."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sqlite3
import sys

import pytest

from airflow_provider_pinterest.sandbox import Sandbox
from tests.docs.pages import WITHOUT_AIRFLOW, blocks

ACCOUNT = 'ad_account_id="549755885175"'
DAY = "2026-11-24"

# Neither may report its use, and Prefect's own server listens on this machine only.
os.environ |= {"DAGSTER_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


def needs(module):
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"{module} is not installed")


@pytest.fixture
def pinterest(tmp_path, monkeypatch):
    """A local Pinterest, and a shop with three orders."""
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(sqlite3.connect("shop.db")) as shop, shop:
        shop.execute("CREATE TABLE orders (order_id, ordered_at, ordered_on, email)")
        for number in range(3):
            shop.execute("INSERT INTO orders VALUES (?, strftime('%s'), ?, 'jane@example.com')", [number, DAY])
    with Sandbox() as sandbox:
        monkeypatch.setenv("PINTEREST_ACCESS_TOKEN", sandbox.token)
        monkeypatch.setenv("SANDBOX", sandbox.url)
        yield sandbox


@pytest.fixture
def example(request, tmp_path, monkeypatch):
    """The module of an example, whose events go to the local Pinterest and which does not wait."""
    [block] = [block for block in blocks(WITHOUT_AIRFLOW, "python") if block.heading == request.param]
    assert ACCOUNT in block.text
    text = block.text.replace(ACCOUNT, f'{ACCOUNT}, host=os.environ["SANDBOX"]')
    text = text.replace("SyncOptions(\n", 'SyncOptions(\n    max_wait=__import__("datetime").timedelta(0),', 1)
    text = text.replace("or 300", "or 1").replace("retry_delay_seconds=300", "retry_delay_seconds=0")
    path = tmp_path / f"{request.param.lower()}_example.py"
    path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(path.stem)
    assert "airflow" not in sys.modules
    del sys.modules[path.stem]


@needs("dagster")
@pytest.mark.parametrize("example", ["Dagster"], indirect=True)
class TestDagster:
    def materialize(self, example):
        from dagster import DagsterInstance, materialize

        with DagsterInstance.ephemeral() as instance:
            return materialize(
                [example.pinterest_checkouts], partition_key=DAY, instance=instance, raise_on_error=False
            )

    def test_the_asset_is_materialized_and_sends_once(self, example, pinterest):
        results = [self.materialize(example) for _ in range(2)]

        assert [one.success for one in results] == [True, True]
        processed = [
            one.asset_materializations_for_node("pinterest_checkouts")[0].metadata["events_processed"].value
            for one in results
        ]
        assert processed == [3, 0]
        assert sorted(pinterest.copies().values()) == [1, 1, 1]

    def test_it_is_retried_when_pinterest_is_not_available(self, example, pinterest):
        pinterest.fault("status", status=503, times=1)

        assert self.materialize(example).success
        assert sorted(pinterest.copies().values()) == [1, 1, 1]

    def test_it_is_not_retried_when_a_retry_cannot_help(self, example, pinterest):
        pinterest.fault("status", status=403)

        assert not self.materialize(example).success
        assert len(pinterest.calls()) == 1


@pytest.fixture(scope="module")
def prefect_server():
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=300):
        yield


@needs("prefect")
@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("example", ["Prefect"], indirect=True)
class TestPrefect:
    def test_the_task_sends_once(self, example, pinterest):
        results = [example.pinterest(DAY) for _ in range(2)]

        assert [(one["events_processed"], one["already_sent"]) for one in results] == [(3, 0), (0, 3)]
        assert sorted(pinterest.copies().values()) == [1, 1, 1]

    def test_it_is_retried_when_pinterest_is_not_available(self, example, pinterest):
        pinterest.fault("status", status=503, times=1)

        assert example.pinterest(DAY)["events_processed"] == 3
        assert sorted(pinterest.copies().values()) == [1, 1, 1]

    def test_it_is_not_retried_when_a_retry_cannot_help(self, example, pinterest):
        from airflow_provider_pinterest.exceptions import CredentialError

        pinterest.fault("status", status=403)

        with pytest.raises(CredentialError):
            example.pinterest(DAY)
        assert len(pinterest.calls()) == 1
