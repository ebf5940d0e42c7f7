"""Ends a run soon after it is told to stop, from a thread of its own, because a signal handler must not wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from airflow_provider_pinterest.api.interruptible import NoThreadError, start_thread
from airflow_provider_pinterest.delivery.stop import StopSignal
from airflow_provider_pinterest.exceptions import PinterestError

GRACE: Final = 3.0
"""Seconds for the call in flight, so that its outcome is known."""

CHECK_EVERY: Final = 0.1


@contextmanager
def stopping(
    stop: StopSignal, at_once: Callable[[], object], after_grace: Callable[[], object], *, grace: float = GRACE
) -> Iterator[None]:
    """Watch for a stop during a block.

    :param at_once: called when the stop is requested.
    :param after_grace: called some seconds later, if the block has not ended.
    :raises PinterestError: no thread can be started.
    """
    ended = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            if ended.wait(CHECK_EVERY):
                return
        at_once()
        if not ended.wait(grace):
            after_grace()

    try:
        start_thread(watch, "pinterest-stop")
    except NoThreadError as error:
        raise PinterestError(f"A thread that waits for a stop could not be started: {error}") from None
    try:
        yield
    finally:
        ended.set()
