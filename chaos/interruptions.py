"""What a storm does to a running attempt: it kills it, asks it to end, or freezes it."""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass
from typing import Final

from chaos.attempt import BATCH, MAX_IN_FLIGHT
from chaos.frozen import FrozenAttempts
from chaos.judge import Tolerance
from chaos.report import StormReport
from chaos.state import StoredState
from chaos.storm_database import StormDatabase

END_SECONDS: Final = 5.0
"""Seconds that an attempt has to end after SIGTERM."""

KINDS: Final = {"kill": "kills", "table kill": "kills", "end": "asked to end", "freeze": "freezes"}
"""Kind of interruption → its name in the report."""


@dataclass
class Interruptions:
    """The interruptions that a storm still has to make.

    :param tolerance: what the interruptions allow is added to it.
    :param deadline: after it, in monotonic seconds, a running attempt is killed.
    :param left: kinds of interruptions.
    :param rows_apart: the most rows between two of them.
    :param database: of the outcome table, if there is one.
    """

    chance: random.Random
    report: StormReport
    tolerance: Tolerance
    frozen: FrozenAttempts
    deadline: float
    left: list[str]
    rows_apart: int
    database: StormDatabase | None = None

    @property
    def next(self) -> str:
        """The next interruption; empty if there is none."""
        return self.left[-1] if self.left else ""

    def watch(self, pid: int, number: int, state: StoredState) -> int | None:
        """Wait for an attempt, or interrupt it. Return its exit code; ``None`` if it is frozen."""
        interruption = self.next
        early = self.chance.random() < 0.15
        target = 0 if early else state.rows() + self.chance.randrange(1, self.rows_apart)
        delay = self.chance.random() * (0.5 if early else 0.05)
        latest = time.monotonic() + (3 if interruption == "end" else 10)
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
                if interruption == "table kill" and code == -signal.SIGKILL:
                    self._count(interruption)
                    self.report.note("killed at a statement")
                    self.tolerance.copies += 2 * MAX_IN_FLIGHT * BATCH
                return code
            self.frozen.look()
            if self.database is not None:
                self.database.look(state.rows())
            now = time.monotonic()
            late = now > self.deadline
            by_itself = interruption in ("", "table kill")
            if late or (not by_itself and (state.rows() >= target or now > latest)):
                time.sleep(delay)
                return self._interrupt(pid, number, "kill" if late else interruption)
            time.sleep(0.002)

    def _interrupt(self, pid: int, number: int, interruption: str) -> int | None:
        self._count(interruption)
        if interruption == "kill":
            self.tolerance.copies += 2 * MAX_IN_FLIGHT * BATCH
            return _kill(pid)
        if interruption == "freeze":
            os.kill(pid, signal.SIGSTOP)
            self.tolerance.copies += 4 * MAX_IN_FLIGHT * BATCH
            time.sleep(0.01)
            self.frozen.add(pid, number, self.chance.uniform(0.02, 4))
            return None
        started = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        code = self.frozen.wait_for(pid, 6 * END_SECONDS)
        took = time.monotonic() - started
        if code is None or took > END_SECONDS:
            self.report.broken.append(f"attempt {number} took {took:.1f} seconds to end when it was asked to")
        return _kill(pid) if code is None else code

    def _count(self, interruption: str) -> None:
        if interruption in self.left:
            self.left.remove(interruption)
        self.report.note(KINDS[interruption])


def _kill(pid: int) -> int:
    """Kill an attempt and return its exit code."""
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
