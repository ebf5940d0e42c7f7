"""A real PostgreSQL server in its own folder.

``python -m harness.postgres`` says whether the server's programs are installed.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from harness.processes import HarnessError, server_on_free_port


@dataclass(frozen=True)
class PostgresServer:
    """The address of the server: on loopback, without authentication.

    :param pid: process id of the server.
    """

    host: str
    port: int
    pid: int
    user: str = "postgres"
    database: str = "postgres"

    @property
    def dsn(self) -> str:
        """The URL of the server for libpq, psycopg2 and others."""
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.database}"

    @property
    def connection_json(self) -> str:
        """The server as an Airflow connection, for ``AIRFLOW_CONN_<ID>``."""
        return json.dumps(
            {
                "conn_type": "postgres",
                "host": self.host,
                "port": self.port,
                "login": self.user,
                "schema": self.database,
            }
        )


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a server with an empty database; stop and remove it at the end.

    :raises HarnessError: PostgreSQL is not installed, or does not start.
    """
    programs = find_programs()
    if programs is None:
        raise HarnessError("PostgreSQL's initdb was not found: run `make servers`, or set SKIP_POSTGRES=1 for tests")
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as name:
        folder, user = Path(name), _server_user()
        if user:
            os.chown(folder, user["user"], user["group"])
        _initialise(programs, folder, user)
        with server_on_free_port(
            "PostgreSQL",
            # No socket: it may not have write access to the default folder.
            lambda port: [programs / "postgres", "-F", "-h", "127.0.0.1", "-p", str(port), "-D", "data", "-k", ""],
            lambda port: _answers(PostgresServer("127.0.0.1", port, 0)),
            folder,
            asks=signal.SIGINT,  # the server ends without waiting for clients
            **user,
        ) as (running, port):
            yield PostgresServer("127.0.0.1", port, running.pid)


def find_programs() -> Path | None:
    """Find the folder of ``initdb`` and ``postgres``. On Debian it is not in the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    candidates = [*debian, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()), None)


def _server_user() -> dict[str, Any]:
    """Return the `user` argument for `subprocess`. PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise HarnessError("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody")


def _initialise(programs: Path, folder: Path, user: dict[str, Any]) -> None:
    command = f"{programs}/initdb --username postgres --auth trust --encoding UTF8 --locale C --no-sync --pgdata data"
    done = subprocess.run(command.split(), cwd=folder, capture_output=True, check=False, text=True, **user)
    if done.returncode:
        raise HarnessError(f"initdb failed: {done.stdout}{done.stderr}")


def _answers(server: PostgresServer) -> bool:
    with contextlib.suppress(psycopg2.OperationalError):
        psycopg2.connect(server.dsn).close()
        return True
    return False


if __name__ == "__main__":
    sys.exit(find_programs() is None)
