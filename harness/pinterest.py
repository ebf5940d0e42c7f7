"""The package's local Pinterest in a process of its own, asked over HTTP, and connections to any stand-in."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from harness.loopback import get_json
from harness.processes import python_server

ACCOUNT: Final = "549755885175"
TOKEN: Final = "pina_sandbox"  # noqa: S105 - the local Pinterest's, known to everybody
UNLIMITED: Final = 1_000_000
"""Calls a minute, where the rate limit is not what is looked at."""


class PinterestProcess(NamedTuple):
    """A running local Pinterest.

    :param port: where it listens on 127.0.0.1.
    """

    port: int

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.port}/v5"

    def events(self, **filters: str) -> list[dict[str, Any]]:
        """Return the accepted events as they came."""
        return [row["event"] for row in get_json(self.port, "/sandbox/events", limit="1000000", **filters)["events"]]

    def calls(self) -> dict[str, int]:
        """Return how many calls were answered with each HTTP status."""
        counts: dict[str, int] = get_json(self.port, "/sandbox/calls", limit="0")["by_status"]
        return counts


@contextlib.contextmanager
def running_pinterest(folder: Path, environment: Mapping[str, str]) -> Iterator[PinterestProcess]:
    """Start the local Pinterest on a free port, and stop it afterwards.

    :raises HarnessError: it does not start.
    """
    command = ("-m", "airflow_provider_pinterest.sandbox", "--port", "0")
    with python_server("sandbox", command, folder, environment) as (_, port):
        yield PinterestProcess(port)


def connection(host: str, *, account: str = ACCOUNT, **extra: object) -> str:
    """Return an Airflow connection to a stand-in for Pinterest, for ``AIRFLOW_CONN_<ID>``."""
    document = {"conn_type": "pinterest", "host": host, "password": TOKEN}
    return json.dumps(document | {"extra": {"ad_account_id": account, **extra}})
