"""The package's local Pinterest in a separate process, and connections to it or to other servers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from harness.loopback import get_json
from harness.processes import python_server

ACCOUNT: Final = "549755885175"
TOKEN: Final = "pina_sandbox"  # noqa: S105 - the public token of the local Pinterest
UNLIMITED: Final = 1_000_000
"""Calls per minute where the rate limit must not matter."""


class PinterestProcess(NamedTuple):
    """A running local Pinterest.

    :param port: its port on 127.0.0.1.
    """

    port: int

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.port}/v5"

    def events(self, **filters: str) -> list[dict[str, Any]]:
        """Return the accepted events, in order of arrival."""
        return [row["event"] for row in get_json(self.port, "/sandbox/events", limit="1000000", **filters)["events"]]

    def calls(self) -> dict[str, int]:
        """Return the number of calls by HTTP status."""
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
    """Return an Airflow connection to a local server, for ``AIRFLOW_CONN_<ID>``."""
    document = {"conn_type": "pinterest", "host": host, "password": TOKEN}
    return json.dumps(document | {"extra": {"ad_account_id": account, **extra}})
