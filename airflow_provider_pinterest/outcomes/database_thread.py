"""A thread that owns the database connection of a run. Some drivers allow a connection in one thread only."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from typing import Any, Final, TypeVar

from airflow_provider_pinterest.exceptions import OutcomesError, PinterestError
from airflow_provider_pinterest.outcomes.database import SqlDatabase
from airflow_provider_pinterest.outcomes.preparation import RIGHTS
from airflow_provider_pinterest.outcomes.retries import RetriedWork

log = logging.getLogger(__name__)

LOOK_AGAIN: Final = 0.25
"""Seconds between two checks for a stop."""

SAY_SO: Final = 30.0
"""Seconds between two warnings about a job that is not done yet."""

GRACE: Final = 3.0
"""Seconds that a job may take after the run was told to stop."""

T = TypeVar("T")

Work = Callable[[SqlDatabase], T]


class DatabaseThread:
    """Runs jobs one after the other, each with the connection of the thread.

    :param connect: returns a new connection.
    :param name: names the table in errors.
    :param stopped: returns whether the run was told to stop.
    """

    def __init__(self, connect: Callable[[], Any], name: str, *, stopped: Callable[[], bool] = lambda: False) -> None:
        self._connect = connect
        self._name = name
        self._stopped = stopped
        self._jobs: queue.SimpleQueue[tuple[Work[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._database: SqlDatabase | None = None
        self._retried = RetriedWork(
            f"outcome table {name}",
            "Check that the database is running, that no other process has locked it, and that the user of the "
            f"connection has the rights {RIGHTS} on the table. If the rows come from a SQLite file, keep the table in "
            "another file, or set the WAL mode.",
            stopped=stopped,
        )
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="pinterest-outcomes", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise PinterestError(f"A thread for the outcome table could not be started: {error}.") from None

    def call(self, work: Work[T]) -> T:
        """Run a job and return its result.

        :raises OutcomesError: the database does not do it, or not in time after a stop.
        """
        return self.wait(self.start(work))

    def start(self, work: Work[T]) -> Future[T]:
        """Run a job after those that were started before.

        :raises OutcomesError: the run has ended.
        """
        if self._closed:
            raise OutcomesError(f"The run has ended, so {self._name} is no longer used.")
        future: Future[T] = Future()
        self._jobs.put((work, future))
        return future

    def wait(self, future: Future[T]) -> T:
        """Return the result of a job.

        :raises OutcomesError: the database does not do it, or not in time after a stop.
        """
        since: float | None = None
        said = started = time.monotonic()
        while True:
            try:
                return future.result(timeout=LOOK_AGAIN)
            except FutureTimeoutError:
                if future.done():
                    raise
            if time.monotonic() - said >= SAY_SO:
                said = time.monotonic()
                log.warning("The outcome table %s has not answered for %.0f s.", self._name, said - started)
            if self._stopped():
                since = time.monotonic() if since is None else since
                if time.monotonic() - since > GRACE:
                    raise OutcomesError(f"The database of {self._name} did not answer before the run had to stop.")

    def close(self) -> None:
        """Close the connection once the jobs are done; waits for a short time."""
        self._closed = True
        self._jobs.put(None)
        self._thread.join(LOOK_AGAIN if self._stopped() else GRACE)

    def _work(self) -> None:
        while (found := self._jobs.get()) is not None:
            work, future = found
            try:
                future.set_result(self._done(work))
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
                future.set_exception(error)
        self._disconnect()

    def _connected(self) -> SqlDatabase:
        """Return the connection, a new one if there is none."""
        if self._database is None:
            self._database = SqlDatabase(self._connect())
        return self._database

    def _done(self, work: Work[T]) -> T:
        """Run a job; after a failure, the next one gets a new connection."""

        def once(database: SqlDatabase) -> T:
            try:
                return work(database)
            except Exception:
                self._disconnect()
                raise

        return self._retried.result(self._connected, once)

    def _disconnect(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.roll_back()
            with suppress(Exception):
                database.connection.close()
