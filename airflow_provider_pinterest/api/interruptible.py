"""Runs blocking work that a stop or a time-out can leave behind.

A name lookup, a connection attempt or a database driver cannot be interrupted from outside. Such work runs in a
separate thread, and the caller waits for its result, for a stop or for a time-out, whichever comes first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

CHECK_EVERY: Final = 0.05
"""Seconds between two checks of the stop event; a result is noticed at once."""

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818 - a signal, not an error
    """The run must stop sending."""


class NoThreadError(RuntimeError):
    """The operating system refused to start a thread."""


class _Work(Generic[T]):
    """Work in a separate thread.

    :param discard: receives a result that comes after :meth:`abandon`.
    """

    def __init__(self, work: Callable[[], T], discard: Callable[[T], object]) -> None:
        self._work = work
        self._discard = discard
        self._lock = threading.Lock()
        self._abandoned = False
        self.done = threading.Event()
        self.result: list[T] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            self.error = error
        else:
            with self._lock:
                abandoned = self._abandoned
                self.result.append(result)
            if abandoned:
                self._discard(result)
        finally:
            self.done.set()

    def abandon(self) -> bool:
        """Stop waiting; return whether there was no result yet."""
        with self._lock:
            self._abandoned = not self.result
            return self._abandoned


def run_interruptibly(
    work: Callable[[], T],
    *,
    seconds: float,
    stop: threading.Event,
    discard: Callable[[T], object] = lambda _: None,
) -> T:
    """Return the result of blocking work, or leave it behind.

    :param seconds: longest time to wait.
    :param stop: ends the wait when it is set.
    :param discard: receives a result that comes too late.
    :raises Stopped: ``stop`` was set before the work was done.
    :raises TimeoutError: the work took too long.
    :raises NoThreadError: no thread could be started.
    """
    running = _Work(work, discard)
    end = time.monotonic() + seconds
    start_thread(running.run, "pinterest-interruptible")
    while not running.done.wait(max(0.0, min(CHECK_EVERY, end - time.monotonic()))):
        stopped = stop.is_set()
        if (stopped or time.monotonic() >= end) and running.abandon():
            raise Stopped if stopped else TimeoutError
    if running.error is not None:
        raise running.error
    return running.result[0]


def start_thread(target: Callable[[], object], name: str) -> threading.Thread:
    """Start a daemon thread.

    :raises NoThreadError: the operating system refused to start it.
    """
    thread = threading.Thread(target=target, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise NoThreadError("The operating system refused to start a thread.") from error
    return thread
