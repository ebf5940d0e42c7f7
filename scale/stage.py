"""The servers of the example besides Airflow: PostgreSQL with a full warehouse, Redis, and a server that counts."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import psycopg2
from redis import Redis

from benchmarks import rows
from harness import pinterest
from harness.counting_server import read_copies
from harness.loopback import get, get_json
from harness.postgres import PostgresServer, running_postgres
from harness.processes import IMPORTS, Service, python_server, say
from harness.redis import RedisServer, running_redis

WAREHOUSE: Final = "warehouse"
METADATA: Final = "airflow"
BROKER, LIMITS = 0, 1
"""The Redis databases of Celery and of the rate limit."""

LATENCY: Final = "50-150ms"
"""The latency of the server that counts."""


@dataclass(frozen=True)
class ScaleStage:
    """The running servers.

    :param folder: a temporary folder.
    :param postgres: the server; see :meth:`database`.
    :param counting: the process of the server that counts.
    :param counting_port: its port.
    """

    folder: Path
    postgres: PostgresServer
    redis: RedisServer
    counting: Service
    counting_port: int

    def database(self, name: str) -> PostgresServer:
        """Return the address of one of the server's databases."""
        return replace(self.postgres, database=name)

    @property
    def store(self) -> Redis:
        """A client of the rate limit's database."""
        return Redis(host="127.0.0.1", port=self.redis.port, db=LIMITS)

    def connection(self, *, calls_per_minute: int | None = None, shared: bool = True) -> str:
        """Return a Pinterest connection to the server that counts.

        :param calls_per_minute: the limit; by default Pinterest's.
        :param shared: whether calls are counted in Redis, for all workers together.
        """
        extra: dict[str, Any] = {}
        if calls_per_minute is not None:
            extra["calls_per_minute"] = calls_per_minute
        if shared:
            extra["rate_limit_storage"] = self.redis.url(LIMITS)
        return pinterest.connection(f"http://127.0.0.1:{self.counting_port}/{LATENCY}/v5", **extra)

    def calls(self, account: str) -> list[tuple[float, int]]:
        """Return the arrival of each call to an account, and its number of events."""
        return [(at, events) for at, events in get_json(self.counting_port, f"/calls/{account}")]

    def copies(self, account: str) -> dict[str, int]:
        """Return the number of copies of each event id for an account."""
        return read_copies(get(self.counting_port, f"/copies/{account}").decode())

    def event_ids(self, count: int) -> Iterator[str]:
        """Yield the ids of the warehouse's first rows."""
        with closing(psycopg2.connect(self.database(WAREHOUSE).dsn)) as database, database.cursor("ids") as cursor:
            cursor.itersize = 50_000
            cursor.execute(f"SELECT event_id FROM {rows.TABLE} WHERE row <= %s", [count])  # noqa: S608 - a constant
            for (event_id,) in cursor:
                yield event_id


@contextlib.contextmanager
def set_up(count: int) -> Iterator[ScaleStage]:
    """Start the servers and fill the warehouse. Remove everything afterwards."""
    with contextlib.ExitStack() as stack:
        made = tempfile.TemporaryDirectory(prefix="pinterest-scale-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(made)).resolve()
        postgres = stack.enter_context(running_postgres())
        store = stack.enter_context(running_redis(folder))
        command = ("-m", "harness.counting_server", "--remember")
        counting, port = stack.enter_context(python_server("counting", command, folder, os.environ | IMPORTS))
        stage = ScaleStage(folder, postgres, store, counting, port)
        _run(postgres, *(f"CREATE DATABASE {name}" for name in (WAREHOUSE, METADATA)))
        say(f"writing {count:,} rows into the warehouse")
        rows.write_postgres(stage.database(WAREHOUSE).dsn, count, now=dt.datetime.now(dt.UTC))
        _run(stage.database(WAREHOUSE), f"VACUUM ANALYZE {rows.TABLE}")
        yield stage


def _run(database: PostgresServer, *statements: str) -> None:
    """Run statements, each outside of a transaction."""
    with closing(psycopg2.connect(database.dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
