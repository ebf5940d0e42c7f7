"""Reads the source in a separate thread, a few sections ahead of sending.

Batches are settled, checkpoints are written and a stop is noticed even while the source is slow or blocked.
"""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol, TypeVar

from airflow_provider_pinterest.api.interruptible import Stopped
from airflow_provider_pinterest.delivery.sections import Section
from airflow_provider_pinterest.exceptions import PinterestError

MOST_SECTIONS: Final = 3
"""Largest number of sections that wait to be taken."""

MOST_BYTES: Final = 8_000_000
"""Bytes of waiting sections above which no further section is read."""

STOP_SECONDS: Final = 1.0
"""Seconds to wait for the thread when the run ends early."""

T = TypeVar("T")


class Sections(Protocol):
    """A source of sections."""

    @property
    def ended(self) -> bool:
        """Whether there are no more sections to take."""

    @property
    def error(self) -> BaseException | None:
        """The error that ended the source early; final once :attr:`ended` is true."""

    def start(self) -> None:
        """Start to read."""

    def take(self) -> Section | None:
        """Return the next section, or ``None`` if none is ready or the source has ended."""

    def stop(self) -> Sequence[Section]:
        """Stop reading; return the sections that were read and not taken."""


class Reading:
    """Lets the run inspect the state of a source that another thread reads.

    The thread holds the lock while it works. It releases the lock while it waits for the source or for room.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.stopped = False
        self.rows = 0
        """Rows that the source has yielded."""

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def pause(self) -> bool:
        """Take the lock; return whether that succeeded in time. Pair it with :meth:`resume`."""
        return self._lock.acquire(timeout=STOP_SECONDS)

    def resume(self) -> None:
        """Release the lock, so that the thread works again."""
        self._lock.release()

    def unlocked(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items, and release the lock while waiting for the next one.

        :raises Stopped: the reading was stopped while waiting.
        """
        iterator = iter(items)
        while True:
            self._lock.release()
            try:
                item = next(iterator, self)
            finally:
                self._lock.acquire()
            if self.stopped:
                raise Stopped
            if item is self:
                return
            yield item  # type: ignore[misc]


class ReadAhead:
    """Reads sections in a thread.

    :param sections: yields them; runs in the thread, which holds the lock of `reading`.
    :param reading: shared with `sections`, which release the lock while they wait for the source.
    :param rest: returns a section with the rows that were read last, if any; called when the reading stops.
    :param wake: called when the run can take a section, and at the end of the source.
    :param cancel: interrupts the source while the thread waits for it.
    """

    def __init__(
        self,
        sections: Callable[[], Iterator[Section]],
        reading: Reading,
        *,
        rest: Callable[[], Section | None] = lambda: None,
        wake: Callable[[], None] = lambda: None,
        cancel: Callable[[], None] = lambda: None,
    ) -> None:
        self._sections = sections
        self._reading = reading
        self._rest = rest
        self._wake = wake
        self._cancel = cancel
        self._waiting: deque[Section] = deque()
        self._room = threading.Semaphore(0)
        self._done = threading.Event()
        self.error: BaseException | None = None

    @property
    def ended(self) -> bool:
        """Whether there are no more sections to take."""
        return self._done.is_set() and not self._waiting

    def start(self) -> None:
        """Start to read.

        :raises PinterestError: no thread can be started.
        """
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(self._read,), name="pinterest-source", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._done.set()
            raise PinterestError(f"A thread to read the source could not be started: {error}.") from None

    def take(self) -> Section | None:
        """Return the next section, or ``None`` if none is ready or the source has ended."""
        if not self._waiting:
            return None
        section = self._waiting.popleft()
        self._room.release()
        return section

    def stop(self) -> Sequence[Section]:
        """Stop reading; return the sections that were read and not taken."""
        self._reading.stopped = True
        self._room.release()
        if not self._done.is_set():
            self._cancel()
        unread = []
        if self._reading.pause():
            try:
                unread = [*self._waiting, *filter(None, [self._rest()])]
                self._waiting.clear()
            finally:
                self._reading.resume()
        return unread

    def _read(self) -> None:
        try:
            with self._reading:
                for section in self._sections():
                    self._hand_over(section)
        except BaseException as error:  # noqa: BLE001 - raised again where the run takes its sections
            self.error = error
        self._done.set()
        self._wake()

    def _hand_over(self, section: Section) -> None:
        """Let the run take a section; wait for room for the next one.

        :raises Stopped: the reading was stopped while waiting.
        """
        self._waiting.append(section)
        self._wake()
        while self._full():
            self._reading.resume()
            try:
                self._room.acquire(timeout=STOP_SECONDS)
            finally:
                self._reading.__enter__()
            if self._reading.stopped:
                raise Stopped

    def _full(self) -> bool:
        waiting = tuple(self._waiting)  # the run takes from it at the same time
        return len(waiting) >= MOST_SECTIONS or (len(waiting) > 1 and sum(one.size for one in waiting) > MOST_BYTES)
