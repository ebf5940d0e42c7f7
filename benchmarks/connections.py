"""``python -m benchmarks.connections``: the cost of a call over a new connection, compared with a keep-alive one.

Batches with events that Pinterest cannot deduplicate are sent over new connections. The server is another process on
this machine, so the numbers show processor time and system calls, without network round trips. Over a network, a new
connection costs one more round trip, with TLS two.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median

from airflow_provider_pinterest.api.client import Client
from airflow_provider_pinterest.api.credentials import Credential, Tokens
from airflow_provider_pinterest.api.events_endpoint import EventsEndpoint, PerEventResults
from airflow_provider_pinterest.redaction import Secret
from harness.certificates import certificate
from harness.processes import IMPORTS, python_server

BODIES = {size: b'{"event_id":"%b"}' % (b"x" * length) for size, length in (("2 KB", 2_000), ("1 MB", 1_000_000))}


def main() -> None:
    """Print the median milliseconds per call of several rounds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.connections", description=main.__doc__)
    parser.add_argument("--calls", type=int, default=300, metavar="N", help="calls a round (default: 300)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds (default: 5)")
    options = parser.parse_args()
    print("| | body | kept alive, ms | fresh, ms | more, ms |\n| --- | --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for scheme in ("http", "https"):
            _measure(scheme, Path(folder), options.calls, options.rounds)


def _measure(scheme: str, folder: Path, calls: int, rounds: int) -> None:
    command = ["-m", "harness.counting_server"]
    if scheme == "https":
        os.environ["REQUESTS_CA_BUNDLE"] = str(certificate(folder)[1])
        command += ["--tls", str(folder)]
    with (
        python_server("counting", command, folder, os.environ | IMPORTS) as (_, port),
        closing(Client(f"{scheme}://localhost:{port}/v5", Credential(Tokens(Secret("t"))))) as client,
    ):
        events = EventsEndpoint(client)
        for size, body in BODIES.items():
            kept, fresh = (
                1_000 * median(_seconds(lambda: _post(events, body, fresh=fresh), calls) for _ in range(rounds))  # noqa: B023
                for fresh in (False, True)
            )
            print(f"| {scheme} | {size} | {kept:.2f} | {fresh:.2f} | {fresh - kept:.2f} |")


def _post(events: EventsEndpoint, body: bytes, *, fresh: bool) -> None:
    assert isinstance(events.send("1", body, 1, fresh=fresh), PerEventResults)


def _seconds(action: Callable[[], None], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        action()
    return (time.perf_counter() - started) / times


if __name__ == "__main__":
    main()
