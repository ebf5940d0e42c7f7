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
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.servers import START_ATTEMPTS, comes_up, free_port, stop


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
            stop(process)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def find_program() -> str | None:
    """Find ``mariadbd``; Debian keeps it out of some users' PATH."""
    return shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")


def _start(program: str, directory: Path) -> tuple[subprocess.Popen[bytes], MariaDbServer]:
    log = directory / "log"
    for attempt in range(START_ATTEMPTS):
        server = MariaDbServer("127.0.0.1", free_port())
        data = directory / f"data{attempt}"
        data.mkdir()
        command = (
            f"{program} --no-defaults --user={getpass.getuser()} --bind-address={server.host} --port={server.port} "
            f"--datadir={data} --socket={directory}/socket --pid-file={directory}/pid --skip-grant-tables "
            "--innodb-flush-log-at-trx-commit=0 --character-set-server=utf8mb4"
        )
        with log.open("ab") as output:
            process = subprocess.Popen(command.split(), stdout=output, stderr=output)
        if comes_up(process, partial(_answers, server)):
            return process, server
        process.kill()
        process.wait()
    message = f"MariaDB did not start: {log.read_text()[-2000:]}"
    raise RuntimeError(message)


def _answers(server: MariaDbServer) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((server.host, server.port), 1) as connection:
        return bool(connection.recv(1))
    return False


if __name__ == "__main__":
    sys.exit(find_program() is None)
