"""A real MariaDB server, started for the tests that read from one and removed after them.

``python -m tests.mariadb`` says whether the server's program is on this machine.
"""

from __future__ import annotations

import contextlib
import getpass
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_START_SECONDS = 60
_START_ATTEMPTS = 3


@dataclass(frozen=True)
class MariaDbServer:
    """Where the server answers: on loopback, without asking who calls."""

    host: str
    port: int
    user: str = "root"


@contextlib.contextmanager
def running_mariadb() -> Iterator[MariaDbServer]:
    """Start a server without databases in a directory of its own; stop and remove it at the end."""
    program = find_program()
    if program is None:
        message = "mariadbd was not found: run `make servers`"
        raise RuntimeError(message)
    directory = Path(tempfile.mkdtemp(prefix="mariadb-"))
    try:
        process, server = _start(program, directory)
        try:
            yield server
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def find_program() -> str | None:
    """Find ``mariadbd``; Debian keeps it out of some users' PATH."""
    return shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")


def _start(program: str, directory: Path) -> tuple[subprocess.Popen[bytes], MariaDbServer]:
    log = directory / "log"
    for attempt in range(_START_ATTEMPTS):  # Another process may take the free port before the server does.
        server = MariaDbServer("127.0.0.1", _free_port())
        data = directory / f"data{attempt}"
        data.mkdir()
        command = (
            f"{program} --no-defaults --user={getpass.getuser()} --bind-address={server.host} --port={server.port} "
            f"--datadir={data} --socket={directory}/socket --pid-file={directory}/pid --skip-grant-tables "
            "--innodb-flush-log-at-trx-commit=0 --character-set-server=utf8mb4"
        )
        with log.open("ab") as output:
            process = subprocess.Popen(command.split(), stdout=output, stderr=output)
        if _answers(process, server):
            return process, server
        process.kill()
        process.wait()
    message = f"MariaDB did not start: {log.read_text()[-2000:]}"
    raise RuntimeError(message)


def _answers(process: subprocess.Popen[bytes], server: MariaDbServer) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((server.host, server.port), 1) as connection:
            if connection.recv(1):
                return True
        time.sleep(0.05)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(find_program() is None)
