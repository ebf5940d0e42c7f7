"""Deadlines of calls: one thread cuts the connections of calls that take too long."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import Any, Final

from airflow_provider_pinterest.api.interruptible import start_thread

LINGER: Final = 10.0
"""Seconds that the thread stays when it has nothing to watch."""


def cut(sock: Any) -> None:
    """Shut a socket down, so that the thread that uses it stops waiting; never blocks."""
    plain = getattr(sock, "socket", sock)  # TLS inside TLS wraps the socket
    if isinstance(plain, socket.socket):
        with suppress(OSError):
            socket.socket.shutdown(plain, socket.SHUT_RDWR)  # not SSLSocket's, which discards its state


class WatchedCall:
    """A call whose connection can be cut from another thread.

    :param sock: the connected socket.
    """

    __slots__ = ("late", "sock")

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.late = False


class Watchdog:
    """Cuts calls at their deadline. The thread starts with the first call, and ends when there is nothing to do."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._deadlines: dict[WatchedCall, float] = {}
        self._running = False
        self._closed = False
        self._wakes_at = 0.0

    def watch(self, call: WatchedCall, deadline: float) -> None:
        """Cut the call at a moment of the monotonic clock, unless it is forgotten before.

        :raises NoThreadError: the thread cannot be started.
        """
        with self._changed:
            if not self._running:
                start_thread(self._run, "pinterest-watchdog")
                self._running = True
                self._wakes_at = 0.0
            self._deadlines[call] = deadline
            if deadline < self._wakes_at:
                self._changed.notify()

    def forget(self, call: WatchedCall) -> None:
        """End the watch over a call."""
        with self._changed:
            self._deadlines.pop(call, None)
            if self._closed:
                self._changed.notify()

    def cut_all(self) -> None:
        """Cut every call under way."""
        with self._changed:
            calls = list(self._deadlines)
        for call in calls:
            cut(call.sock)

    def close(self) -> None:
        """End the thread as soon as nothing is watched."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while late := self._wait():
            for call in late:
                cut(call.sock)

    def _wait(self) -> list[WatchedCall]:
        """Return the calls that are late, once there are some; none: the thread shall end."""
        with self._changed:
            while True:
                now = time.monotonic()
                late = [call for call, deadline in self._deadlines.items() if deadline <= now]
                for call in late:
                    call.late = True
                    del self._deadlines[call]
                if late:
                    return late
                idle = not self._deadlines
                if not (idle and self._closed):
                    self._wakes_at = min(self._deadlines.values(), default=now + LINGER)
                    self._changed.wait(self._wakes_at - now)
                if idle and not self._deadlines:
                    self._running = False
                    return []
