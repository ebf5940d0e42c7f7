"""A real PostgreSQL server, started for the tests that read from one and removed after them.

``python -m tests.postgres`` says whether the server's programs are on this machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2

from tests.servers import START_ATTEMPTS, comes_up, free_port, stop


@dataclass(frozen=True)
class PostgresServer:
    """Where the server answers: on loopback, trusting everyone."""

    host: str
    port: int
    user: str = "postgres"
    database: str = "postgres"

    @property
    def dsn(self) -> str:
        """The server as libpq, psycopg2 and others take it."""
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
    """Start a server with an empty database in a directory of its own; stop and remove it at the end."""
    programs = find_programs()
    if programs is None:
        message = "PostgreSQL's initdb was not found: run `make postgres`, or leave these out by SKIP_POSTGRES=1"
        raise RuntimeError(message)
    directory = Path(tempfile.mkdtemp(prefix="postgres-"))  # pytest's own are closed to the server's user.
    identity = _server_identity()
    try:
        if identity:
            os.chown(directory, identity["user"], identity["group"])
        data = directory / "data"
        _initialise(programs, data, identity)
        process, server = _start(programs, data, identity)
        try:
            yield server
        finally:
            stop(process)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def find_programs() -> Path | None:
    """Find the directory of ``initdb`` and ``postgres``; Debian keeps them out of the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    candidates = [*debian, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()), None)


def _server_identity() -> dict[str, int]:
    """Return the user to run as, as `subprocess` takes it: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid}
    message = "PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody"
    raise RuntimeError(message)


def _initialise(programs: Path, data: Path, identity: dict[str, int]) -> None:
    command = f"{programs}/initdb --username postgres --auth trust --encoding UTF8 --locale C --no-sync --pgdata"
    done = subprocess.run(
        [*command.split(), data],
        cwd=data.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
        **_as_user(identity),
    )
    if done.returncode:
        message = f"initdb failed: {done.stdout}"
        raise RuntimeError(message)


def _start(programs: Path, data: Path, identity: dict[str, int]) -> tuple[subprocess.Popen[bytes], PostgresServer]:
    log = data.parent / "log"
    for _ in range(START_ATTEMPTS):
        server = PostgresServer("127.0.0.1", free_port())
        command = f"{programs}/postgres -F -h {server.host} -p {server.port} -D"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*command.split(), data, "-k", ""],  # No socket in a directory it may not write to.
                cwd=data.parent,
                stdout=output,
                stderr=output,
                **_as_user(identity),
            )
        if comes_up(process, partial(_answers, server)):
            return process, server
        process.kill()
        process.wait()
    message = f"PostgreSQL did not start: {log.read_text()[-2000:]}"
    raise RuntimeError(message)


def _answers(server: PostgresServer) -> bool:
    with contextlib.suppress(psycopg2.OperationalError):
        psycopg2.connect(server.dsn).close()
        return True
    return False


def _as_user(identity: dict[str, int]) -> dict[str, Any]:
    return {**identity, "extra_groups": []} if identity else {}


if __name__ == "__main__":
    sys.exit(find_programs() is None)
