"""Ways to run against the local Pinterest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_pinterest.api.connection import PinterestConnection
from airflow_provider_pinterest.erasure import DeletionOptions, request_deletion
from airflow_provider_pinterest.sandbox import Sandbox
from airflow_provider_pinterest.sources.iterables import IterableSource


@pytest.fixture(autouse=True)
def _information_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Capture INFO, whatever level another test has left."""
    caplog.set_level("INFO", logger="airflow_provider_pinterest")


@pytest.fixture
def connection(pinterest: Sandbox) -> PinterestConnection:
    return PinterestConnection(
        access_token=pinterest.oauth_token, host=pinterest.url, ad_account_id=pinterest.ad_account_id
    )


class Attempt:
    """Runs the request for some rows. ``result`` is that of the last run, even if it failed."""

    def __init__(self, connection: PinterestConnection) -> None:
        self.connection = connection
        self.result: dict[str, Any] = {}

    def __call__(self, rows: Any, **options: Any) -> dict[str, Any]:
        of_run = {name: options.pop(name) for name in ("state", "attempt", "stop") if name in options}
        given = {"email_column": "email", "max_wait": dt.timedelta(), **options}
        source = rows if hasattr(rows, "open") else IterableSource(rows)
        return request_deletion(
            source, DeletionOptions(**given), connection=self.connection, ended=self._keep, **of_run
        )

    def _keep(self, result: dict[str, Any]) -> None:
        self.result = result


@pytest.fixture
def attempt(connection: PinterestConnection) -> Callable[..., dict[str, Any]]:
    return Attempt(connection)


@pytest.fixture
def asked(pinterest: Sandbox) -> Callable[[], list[str]]:
    """Return who is in a request, in order, as often as they are in one."""

    def found() -> list[str]:
        return [one for made in pinterest.deletion_requests() for one in (*made.user_emails, *made.epiks)]

    return found
