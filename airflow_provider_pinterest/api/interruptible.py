"""Blocking work that a stop or a time-out can leave behind.

A name lookup, a connection attempt or a database driver cannot be interrupted from outside. Such work runs in a
thread of its own, and the caller waits for its result, for a stop or for a time-out, whichever comes first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

CHECK_EVERY: Final = 0.05
"""Seconds between two looks at the stop event; a result is noticed at once."""

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818 - a signal, not an error
    """The run must not send any more."""


class NoThreadError(RuntimeError):
    """The operating system refuses to start a thread."""


class _Work(Generic[T]):
    """Work in a thread of its own.

    :param discard: receives a result that nobody waits for any more.
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
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
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

    :param seconds: how long to wait.
    :param stop: ends the wait when it is set.
    :param discard: receives a result that comes too late.
    :raises Stopped: ``stop`` was set first.
    :raises TimeoutError: the time was over first.
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

    :raises NoThreadError: the operating system refuses.
    """
    thread = threading.Thread(target=target, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise NoThreadError("The operating system refuses to start a thread.") from error
    return thread
