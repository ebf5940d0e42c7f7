"""Reads the source in a thread of its own, a little ahead of the sending.

While the source is slow or stands still, batches are settled and checkpoints are written all the same, and a stop is
noticed at once.
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
"""Sections that wait to be taken at most."""

MOST_BYTES: Final = 8_000_000
"""Bytes of waiting sections beyond which no further one is read."""

PATIENCE: Final = 1.0
"""Seconds to wait for the thread when the run ends early."""

T = TypeVar("T")


class Sections(Protocol):
    """Where a run gets its sections from."""

    @property
    def ended(self) -> bool:
        """Whether there are no more sections to take."""

    @property
    def error(self) -> BaseException | None:
        """What ended the source early; final once :attr:`ended` is true."""

    def start(self) -> None:
        """Begin to read."""

    def take(self) -> Section | None:
        """Return the next section; ``None``: there is none yet, or no more."""

    def stop(self) -> Sequence[Section]:
        """Stop reading; return what was read and not taken."""


class Reading:
    """Lets the run look at the state of a source that another thread reads.

    The thread holds the lock while it works, and not while it waits: for the source, or for room.
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

    def waits(self) -> bool:
        """Wait until the thread does not work; return whether that was soon. Pair it with :meth:`goes_on`."""
        return self._lock.acquire(timeout=PATIENCE)

    def goes_on(self) -> None:
        """Let the thread work again."""
        self._lock.release()

    def unlocked(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items, and let go of the lock while the next one is waited for.

        :raises Stopped: the reading was stopped meanwhile.
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

    :param sections: yields them; run in the thread, with the lock of `reading` held.
    :param reading: shared with `sections`, which let go of the lock while they wait for the source.
    :param rest: returns a section of the rows that were read last, if there are any; called when the reading stops.
    :param wake: called when the run can take a section, or there are no more.
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
        """Begin to read.

        :raises PinterestError: no thread can be started.
        """
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(self._read,), name="pinterest-source", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._done.set()
            raise PinterestError(f"No thread could be started to read the source: {error}.") from None

    def take(self) -> Section | None:
        """Return the next section; ``None``: there is none yet, or no more."""
        if not self._waiting:
            return None
        section = self._waiting.popleft()
        self._room.release()
        return section

    def stop(self) -> Sequence[Section]:
        """Stop reading; return what was read and not taken."""
        self._reading.stopped = True
        self._room.release()
        if not self._done.is_set():
            self._cancel()
        unread = []
        if self._reading.waits():
            try:
                unread = [*self._waiting, *filter(None, [self._rest()])]
                self._waiting.clear()
            finally:
                self._reading.goes_on()
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

        :raises Stopped: the reading was stopped meanwhile.
        """
        self._waiting.append(section)
        self._wake()
        while self._full():
            self._reading.goes_on()
            try:
                self._room.acquire(timeout=PATIENCE)
            finally:
                self._reading.__enter__()
            if self._reading.stopped:
                raise Stopped

    def _full(self) -> bool:
        waiting = tuple(self._waiting)  # the run takes from it meanwhile
        return len(waiting) >= MOST_SECTIONS or (len(waiting) > 1 and sum(one.size for one in waiting) > MOST_BYTES)
