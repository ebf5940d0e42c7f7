"""Deadlines of calls: one thread shuts down the connections of calls that take too long."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import Any, Final

from airflow_provider_pinterest.api.interruptible import start_thread

LINGER: Final = 10.0
"""Seconds after which the idle thread ends."""


def cut(sock: Any) -> None:
    """Shut a socket down, so that the thread that uses it stops waiting; never blocks."""
    plain = getattr(sock, "socket", sock)  # TLS inside TLS wraps the socket
    if isinstance(plain, socket.socket):
        with suppress(OSError):
            socket.socket.shutdown(plain, socket.SHUT_RDWR)  # not SSLSocket's, which discards its state


class WatchedCall:
    """A call whose connection can be shut down from another thread.

    :param sock: the connected socket.
    """

    __slots__ = ("late", "sock")

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.late = False


class Watchdog:
    """Aborts calls at their deadline. The thread starts with the first call, and ends when it is idle."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._deadlines: dict[WatchedCall, float] = {}
        self._running = False
        self._closed = False
        self._wakes_at = 0.0

    def watch(self, call: WatchedCall, deadline: float) -> None:
        """Abort the call at a time of the monotonic clock, unless :meth:`forget` is called before.

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
        """Stop watching a call."""
        with self._changed:
            self._deadlines.pop(call, None)
            if self._closed:
                self._changed.notify()

    def cut_all(self) -> None:
        """Abort all calls in flight."""
        with self._changed:
            calls = list(self._deadlines)
        for call in calls:
            cut(call.sock)

    def close(self) -> None:
        """End the thread as soon as it is idle."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while late := self._wait():
            for call in late:
                cut(call.sock)

    def _wait(self) -> list[WatchedCall]:
        """Wait for calls that are late and return them; an empty list if the thread must end."""
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
