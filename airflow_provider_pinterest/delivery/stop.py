"""Tells a run to stop, from any thread or from a signal handler."""

from __future__ import annotations

import threading
from collections.abc import Callable

from airflow_provider_pinterest.api.interruptible import Stopped


class StopSignal:
    """A request to stop that is set once and stays set.

    A signal handler may set it. ``threading.Event`` alone could deadlock there, because the code that the handler
    interrupted may hold its lock.
    """

    def __init__(self) -> None:
        self._requested = False
        self._event = threading.Event()
        self._callbacks: list[Callable[[], None]] = []

    def set(self) -> None:
        """Request the stop and run the callbacks."""
        if self._requested:
            return
        self._requested = True
        self._event.set()
        for callback in tuple(self._callbacks):
            callback()

    def is_set(self) -> bool:
        """Return whether a stop was requested."""
        return self._requested

    def wait(self, seconds: float | None = None) -> bool:
        """Wait up to `seconds`; return whether a stop was requested."""
        return self._event.wait(seconds)

    def check(self) -> None:
        """Raise if a stop was requested.

        :raises Stopped: it was.
        """
        if self._requested:
            raise Stopped

    def on_set(self, callback: Callable[[], None]) -> None:
        """Run `callback` when the stop is requested; at once if it already was."""
        self._callbacks.append(callback)
        if self._requested:
            callback()
