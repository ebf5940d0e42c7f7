"""A database connection that kills its process or breaks at chosen statements."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Any, Final

from airflow.providers.postgres.hooks.postgres import PostgresHook

KILL: Final = ("kill before", "kill after")
LOSE: Final = ("lose before", "lose after")


class BrokenSteps:
    """Counts the statements and commits of a process, and interrupts some of them.

    :param planned: number of the step, from 1 → one of :data:`KILL` or :data:`LOSE`.
    """

    def __init__(self, planned: MutableMapping[int, str]) -> None:
        self._planned = planned
        self._number = 0

    def run(self, connection: Any, call: Callable[..., Any], *arguments: Any) -> Any:
        """Run a statement or a commit, or interrupt it.

        :raises ConnectionError: the connection is lost, before or after the database has done it.
        """
        self._number += 1
        fault = self._planned.pop(self._number, "")
        if fault.endswith("before"):
            _interrupt(fault, connection)
        found = call(*arguments)
        if fault.endswith("after"):
            _interrupt(fault, connection)
        return found


class FragileConnection:
    """A connection or cursor whose statements can be interrupted."""

    def __init__(self, inner: Any, steps: BrokenSteps, connection: Any = None) -> None:
        self._inner = inner
        self._steps = steps
        self._connection = connection or inner

    def cursor(self) -> FragileConnection:
        """Return a cursor."""
        return FragileConnection(self._inner.cursor(), self._steps, self._connection)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        return partial(self._steps.run, self._connection, value) if name in ("execute", "commit") else value


def break_connections(planned: MutableMapping[int, str]) -> None:
    """Interrupt some steps of all PostgreSQL connections of this process."""
    steps, connect = BrokenSteps(planned), PostgresHook.get_conn

    def get_conn(hook: PostgresHook) -> Any:
        inner: Any = connect(hook)
        # The task looks at the module to find out which database it is.
        kind: Any = type("Fragile", (FragileConnection,), {"__module__": type(inner).__module__})
        return kind(inner, steps)

    PostgresHook.get_conn = get_conn  # type: ignore[assignment,method-assign]


def _interrupt(fault: str, connection: Any) -> None:
    if fault in KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    connection.close()
    raise ConnectionError("the connection to the database is lost")
