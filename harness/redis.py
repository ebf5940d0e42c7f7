"""A real Redis server without persistence."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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

    with server_on_free_port("Redis", command, _answers, work, asks=signal.SIGKILL) as (service, port):
        yield RedisServer(port, service)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(5) == b"+PONG"
    return False
