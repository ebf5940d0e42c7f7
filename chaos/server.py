"""The servers of a storm, in a separate process: the local Pinterest, and Airflow's task state store.

The state store behaves as Airflow's does for attempts that are no longer the current one: what they write is
refused, what they read is not there.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from aiohttp import web

from airflow_provider_pinterest.sandbox.local_pinterest import LocalPinterest, Visit
from airflow_provider_pinterest.sandbox.server import serve
from airflow_provider_pinterest.sandbox.settings import SandboxSettings
from airflow_provider_pinterest.sandbox.store import ReceivedCall
from harness.processes import write_port

_event_ids = re.compile(rb'"event_id":"([^"]+)"').findall


class RecordingPinterest(LocalPinterest):
    """A local Pinterest that also records the events that it received and did not accept.

    :param seen: a line for each call, with the ids of its events.
    """

    def __init__(self, settings: SandboxSettings, *, db: Path, seen: TextIO) -> None:
        super().__init__(settings, db=db)
        self._seen = seen

    def record(self, request: web.Request, visit: Visit, status: int, faults: Sequence[str] = ()) -> ReceivedCall:
        """Record a call, and the ids of its events if some were not accepted."""
        body: bytes = getattr(request, "_read_bytes", None) or b""
        ids = _event_ids(body)
        if len(ids) > visit.accepted:
            self._seen.write(b" ".join(ids).decode() + "\n")
        return super().record(request, visit, status, faults)


class AttemptStates:
    """The state that the attempts have stored.

    :param file: a copy, for the storm to read.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._current = 0
        self._value: Any = None

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        """Return the routes: with the number of the attempt for attempts, without it for the storm."""
        return (
            web.get("/attempts/{number}/state", self._get),
            web.put("/attempts/{number}/state", self._put),
            web.put("/current", self._begin),
            web.put("/state", self._replace),
        )

    async def _begin(self, request: web.Request) -> web.Response:
        """Make an attempt the current one."""
        self._current = int(await request.text())
        return web.Response()

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self._value if self._is_current(request) else None)

    async def _put(self, request: web.Request) -> web.Response:
        if not self._is_current(request):
            return web.Response(status=409)
        return await self._replace(request)

    async def _replace(self, request: web.Request) -> web.Response:
        self._value = await request.json()
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(self._value))
        new.replace(self._file)
        return web.Response()

    def _is_current(self, request: web.Request) -> bool:
        return int(request.match_info["number"]) == self._current


async def _serve(folder: Path, port_file: Path, settings: SandboxSettings) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    with (folder / "seen.txt").open("w", buffering=1) as seen:
        pinterest = RecordingPinterest(settings, db=folder / "pinterest.db", seen=seen)
        runner, port = await serve(pinterest, "127.0.0.1", 0)
        app = web.Application(client_max_size=2**30)
        app.add_routes(AttemptStates(folder / "state.json").routes())
        other = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await other.setup()
        await web.TCPSite(other, "127.0.0.1", 0).start()
        write_port(folder / "state.port", other.addresses[0][1])
        write_port(port_file, port)
        await ended.wait()
        await runner.cleanup()
        await other.cleanup()
        pinterest.store.close()


def main() -> None:
    """Serve until terminated."""
    parser = argparse.ArgumentParser(prog="python -m chaos.server", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--partial-failure", default="422-details")
    parser.add_argument("--max-body-bytes", type=int, default=5_000_000)
    options = parser.parse_args()
    gc.set_threshold(100_000, 20, 100)
    settings = SandboxSettings().changed(
        {
            "partial_failure": options.partial_failure,
            "max_body_bytes": options.max_body_bytes,
            "calls_per_window": 0,
            "keep_json": False,
        }
    )
    asyncio.run(_serve(options.folder, options.port_file, settings))


if __name__ == "__main__":
    main()
