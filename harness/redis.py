"""A real Redis server without persistence."""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.loopback import first_bytes
from harness.processes import HarnessError, Service, server_on_free_port


@dataclass(frozen=True)
class RedisServer:
    """The address of the server, on loopback.

    :param service: the server's process.
    """

    port: int
    service: Service

    def url(self, database: int = 0) -> str:
        """Return the address of one of its databases."""
        return f"redis://127.0.0.1:{self.port}/{database}"


@contextlib.contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    """Start a server; stop it at the end.

    :raises HarnessError: Redis is not installed, or does not start.
    """
    program = shutil.which("redis-server")
    if program is None:
        raise HarnessError("redis-server was not found: run `make servers`")
    work = folder / "redis"
    work.mkdir()

    def command(port: int) -> list[str]:
        return [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]

    def answers(port: int) -> bool:
        return first_bytes(port, b"PING\r\n") == b"+PONG"

    with server_on_free_port("Redis", command, answers, work, asks=signal.SIGKILL) as (service, port):
        yield RedisServer(port, service)
