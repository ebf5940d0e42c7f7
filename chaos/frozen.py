"""Attempts that are frozen, and continue after another attempt has replaced them."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import Final

from chaos.attempt import Exit
from chaos.report import PromiseBrokenError, StormReport

END_SECONDS: Final = 30.0
"""Seconds that an attempt has to end after it continues."""


@dataclass
class FrozenAttempt:
    """An attempt that is frozen.

    :param until: when it continues, in monotonic seconds.
    """

    pid: int
    number: int
    until: float
    continued: bool = False


class FrozenAttempts:
    """All attempts that were frozen and have not ended."""

    def __init__(self, report: StormReport) -> None:
        self._report = report
        self._frozen: list[FrozenAttempt] = []

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of the attempts."""
        return frozenset(one.number for one in self._frozen)

    def add(self, pid: int, number: int, seconds: float) -> None:
        """Add a frozen attempt. It continues later."""
        self._frozen.append(FrozenAttempt(pid, number, time.monotonic() + seconds))

    def look(self) -> None:
        """Continue the attempts whose time has come, and check how they end."""
        for one in tuple(self._frozen):
            now = time.monotonic()
            if not one.continued and now >= one.until:
                os.kill(one.pid, signal.SIGCONT)
                one.continued = True
            if not one.continued:
                continue
            done, status = os.waitpid(one.pid, os.WNOHANG)
            if done:
                self._frozen.remove(one)
                code = os.waitstatus_to_exitcode(status)
                # Any error may come before it learns that it was replaced; what it sends is checked in the end.
                if code == Exit.FAILED_FOR_GOOD or code < 0:
                    self._report.broken.append(f"attempt {one.number} thawed and ended with {code}")
            elif now > one.until + END_SECONDS:
                raise PromiseBrokenError(f"attempt {one.number} does not end although another attempt replaced it")

    def wait_for_all(self) -> None:
        """Wait until all of them have ended."""
        while self._frozen:
            self.look()
            time.sleep(0.01)

    def wait_for(self, pid: int, seconds: float) -> int | None:
        """Wait for another attempt to end, up to `seconds`; return its exit code."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            self.look()
            time.sleep(0.005)
        return None

    def kill(self) -> None:
        """Kill all of them."""
        for one in self._frozen:
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)
