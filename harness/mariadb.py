"""A real MariaDB server in its own folder."""

from __future__ import annotations

import contextlib
import getpass
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.loopback import first_bytes
from harness.processes import HarnessError, server_on_free_port


@dataclass(frozen=True)
class MariaDbServer:
    """The address of the server: on loopback, without authentication."""

    host: str
    port: int
    user: str = "root"


@contextlib.contextmanager
def running_mariadb() -> Iterator[MariaDbServer]:
    """Start a server without databases; stop and remove it at the end.

    :raises HarnessError: MariaDB is not installed, or does not start.
    """
    # On Debian it is not in the PATH of every user.
    program = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
    if program is None:
        raise HarnessError("mariadbd was not found: run `make servers`")
    with tempfile.TemporaryDirectory(prefix="mariadb-", ignore_cleanup_errors=True) as folder:

        def command(port: int) -> list[str]:
            data = Path(folder, f"data-{port}")
            data.mkdir()
            return (
                f"{program} --no-defaults --user={getpass.getuser()} --bind-address=127.0.0.1 --port={port} "
                f"--datadir={data} --socket={folder}/socket --pid-file={folder}/pid --skip-grant-tables "
                "--innodb-flush-log-at-trx-commit=0 --character-set-server=utf8mb4"
            ).split()

        with server_on_free_port("MariaDB", command, first_bytes, Path(folder)) as (_, port):
            yield MariaDbServer("127.0.0.1", port)
