"""What the example needs besides Airflow: a PostgreSQL with a full warehouse, a Redis, a Pinterest that counts."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import psycopg2
import redis

from benchmarks import rows
from scale.processes import ScaleError, Service, free_port, service, wait_for
from scale.server import read_copies
from tests.postgres import PostgresServer, running_postgres

REPOSITORY: Final = Path(__file__).resolve().parent.parent
WAREHOUSE: Final = "warehouse"
METADATA: Final = "airflow"
BROKER, LIMITS = 0, 1
"""Redis databases: of Celery, and of the rate limit."""


@dataclass(frozen=True)
class Stage:
    """What runs.

    :param folder: goes away afterwards.
    :param postgres: the server; see :meth:`database`.
    :param postmaster: process id of that server.
    :param redis_port: of the Redis.
    :param pinterest_port: of the server that counts.
    """

    folder: Path
    postgres: PostgresServer
    postmaster: int
    redis_server: Service
    redis_port: int
    pinterest: Service
    pinterest_port: int

    def database(self, name: str) -> PostgresServer:
        """Return the address of one of the server's databases."""
        return replace(self.postgres, database=name)

    def redis_url(self, database: int) -> str:
        """Return the address of one of the Redis' databases."""
        return f"redis://127.0.0.1:{self.redis_port}/{database}"

    @property
    def store(self) -> redis.Redis:
        """A client of the rate limit's database."""
        return redis.Redis(host="127.0.0.1", port=self.redis_port, db=LIMITS)

    def connection(self, *, calls_per_minute: int | None = None, shared: bool = True) -> str:
        """Return a Pinterest connection to the server that counts.

        :param calls_per_minute: the limit; Pinterest's, if not given.
        :param shared: count calls in the Redis, for all workers together.
        """
        extra: dict[str, Any] = {"ad_account_id": "549755885175"}
        if calls_per_minute is not None:
            extra["calls_per_minute"] = calls_per_minute
        if shared:
            extra["rate_limit_storage"] = self.redis_url(LIMITS)
        host = f"http://127.0.0.1:{self.pinterest_port}/v5"
        return json.dumps({"conn_type": "pinterest", "host": host, "password": "pina_scale", "extra": extra})

    def calls(self, account: str) -> list[tuple[float, int]]:
        """Return when each call to an account came, and with how many events."""
        return [(at, events) for at, events in json.loads(self._get(f"/calls/{account}"))]

    def copies(self, account: str) -> dict[str, int]:
        """Return how often each event id came to an account."""
        return read_copies(self._get(f"/copies/{account}"))

    def event_ids(self, count: int) -> Iterator[str]:
        """Yield the ids of the warehouse's first rows."""
        with closing(psycopg2.connect(self.database(WAREHOUSE).dsn)) as database, database.cursor("ids") as cursor:
            cursor.itersize = 50_000
            cursor.execute(f"SELECT event_id FROM {rows.TABLE} WHERE row <= %s", [count])  # noqa: S608 - a constant
            for (event_id,) in cursor:
                yield event_id

    def _get(self, path: str) -> str:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, whatever the shell says
        with direct.open(f"http://127.0.0.1:{self.pinterest_port}{path}", timeout=120) as found:
            return str(found.read(), "utf-8")


@contextlib.contextmanager
def set_up(count: int) -> Iterator[Stage]:
    """Start everything but Airflow and fill the warehouse; take all away afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="pinterest-scale-")).resolve()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = stack.enter_context(running_postgres())
        store, store_port = stack.enter_context(_redis(folder))
        pinterest, pinterest_port = stack.enter_context(_pinterest(folder))
        postmaster = _make_databases(postgres)
        stage = Stage(folder, postgres, postmaster, store, store_port, pinterest, pinterest_port)
        say(f"writing {count:,} rows into the warehouse")
        rows.write_postgres(stage.database(WAREHOUSE).dsn, count, now=dt.datetime.now(dt.UTC))
        with closing(psycopg2.connect(stage.database(WAREHOUSE).dsn)) as database:
            database.autocommit = True
            with database.cursor() as cursor:
                cursor.execute(f"VACUUM ANALYZE {rows.TABLE}")
        yield stage


def _make_databases(postgres: PostgresServer) -> int:
    """Make the two databases; return the server's process id."""
    with closing(psycopg2.connect(postgres.dsn)) as server:
        server.autocommit = True
        with server.cursor() as cursor:
            for name in (WAREHOUSE, METADATA):
                cursor.execute(f"CREATE DATABASE {name}")
            cursor.execute("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int")
            found = cursor.fetchone()
    assert found is not None
    return int(found[0])


@contextlib.contextmanager
def _redis(folder: Path) -> Iterator[tuple[Service, int]]:
    """Run a Redis that keeps nothing."""
    program = shutil.which("redis-server")
    if program is None:
        raise ScaleError("redis-server is not installed: `make scale` installs it")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with service("Redis", [*command, "--dir", str(folder)], folder / "redis.log", os.environ, folder) as running:
        client = redis.Redis(host="127.0.0.1", port=port)

        def answers() -> bool:
            with contextlib.suppress(redis.RedisError):
                return bool(client.ping())
            return False

        wait_for(answers, "Redis to answer", services=[running])
        yield running, port


@contextlib.contextmanager
def _pinterest(folder: Path) -> Iterator[tuple[Service, int]]:
    """Run the server that counts."""
    port_file = folder / "pinterest.port"
    command = [sys.executable, "-m", "scale.server", str(port_file)]
    with service("the Pinterest that counts", command, folder / "pinterest.log", os.environ, REPOSITORY) as running:
        wait_for(port_file.exists, "the server to listen", services=[running])
        yield running, int(port_file.read_text(encoding="ascii"))


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"{dt.datetime.now():%H:%M:%S} {line}", file=sys.stderr, flush=True)  # noqa: DTZ005 - the reader's clock
