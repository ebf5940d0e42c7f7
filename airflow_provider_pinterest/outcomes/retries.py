"""Tries work on a database again if it fails, and decides how long a run waits for the database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from airflow_provider_pinterest.exceptions import OutcomesError, PinterestError
from airflow_provider_pinterest.redaction import clean

log = logging.getLogger(__name__)

C = TypeVar("C")
T = TypeVar("T")

WAITS: Final = (0.1, 0.5, 1.0, 2.0)
"""Seconds before each further try. Another process may hold a lock, or the connection may be too old."""

RESTARTS: Final = (*WAITS, 3.0, 4.0, *(5.0,) * 10)
"""The same if a database that was there before takes no connection: it restarts, or another server takes over."""


def next_wait(tries: int, *, restarts: bool) -> float | None:
    """Return the seconds before the next try; ``None``: no more tries.

    :param tries: how many tries have failed, from 1.
    :param restarts: whether the database takes no connection, and did before.
    """
    waits = RESTARTS if restarts else WAITS
    return waits[tries - 1] if tries <= len(waits) else None


class RetriedWork:
    """Work on one table that is done again if it fails. Doing it twice must do no harm.

    :param table: what it is and its name, for messages.
    :param advice: what to do if the table cannot be used.
    :param stopped: returns whether the run was told to stop.
    """

    def __init__(self, table: str, advice: str, *, stopped: Callable[[], bool] = lambda: False) -> None:
        self._table = table
        self._advice = advice
        self._stopped = stopped
        self._reached = False

    def result(self, connect: Callable[[], C], work: Callable[[C], T]) -> T:
        """Return the result of some work with a connection.

        :param connect: returns a connection; called before each try.
        :raises OutcomesError: all tries failed.
        """
        tries = 0
        while True:
            connected = False
            try:
                connection = connect()
                connected = self._reached = True
                return work(connection)
            except PinterestError:
                raise
            except Exception as error:  # noqa: BLE001 - each driver has exceptions of its own
                problem = f"{type(error).__name__}: {clean(error)}"
            tries += 1
            wait = next_wait(tries, restarts=self._reached and not connected)
            if wait is None or self._stopped():
                break
            log.info("The %s could not be used (%s). Trying again", self._table, problem)
            time.sleep(wait)
        raise OutcomesError(f"The {self._table} cannot be used ({problem}).", advice=self._advice)
