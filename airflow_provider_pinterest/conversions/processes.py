"""Events made by processes of their own, so that one task can use more than one processor core.

Rows go out in parcels, to one process after the other, and what they become comes back in the same order. A process
ends when its socket is closed: with the task, however that ends.
"""

from __future__ import annotations

import gc
import queue
import signal
import socket
import subprocess  # nosec B404
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Final

from airflow_provider_pinterest.conversions.making import EventMaker, Made
from airflow_provider_pinterest.conversions.pieces import Piece
from airflow_provider_pinterest.exceptions import PinterestError

AHEAD: Final = 2
"""Parcels that a process has at most: one that it works on, and the next."""

ROOM: Final = 1_000_000
"""Bytes that a socket takes before whoever writes must wait."""

_START: Final = "import sys; sys.path[:] = {path!r}; from {module} import serve; serve({socket})"

Parcel = list[Piece]


class Processes:
    """Makes events in a few processes.

    :param maker: what they make events with.
    :param count: how many there are.
    """

    def __init__(self, maker: EventMaker, count: int) -> None:
        self._maker = maker
        self.workers = [Worker(maker) for _ in range(count)]

    def made(self, parcels: Iterable[Parcel]) -> Iterator[Made]:
        """Yield what the rows become, in their order.

        :raises PinterestError: a process ended.
        """
        waiting: deque[Worker | list[Made]] = deque()
        turn = 0
        source = iter(parcels)
        broken: Exception | None = None
        while True:
            try:
                parcel = next(source, None)
            except Exception as error:  # noqa: BLE001 - raised again when what was read before is made
                parcel, broken = None, error
            if parcel is None:
                break
            if len(waiting) >= AHEAD * len(self.workers):
                yield from _received(waiting.popleft())
            worker = self.workers[turn % len(self.workers)]
            turn += 1
            waiting.append(worker if worker.take(parcel) else list(map(self._maker.make, parcel)))
        while waiting:
            yield from _received(waiting.popleft())
        if broken is not None:
            raise broken

    def close(self) -> None:
        """End the processes."""
        for worker in self.workers:
            worker.close()


class Worker:
    """One process, seen from the task."""

    def __init__(self, maker: EventMaker) -> None:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
        with theirs:
            text = _START.format(path=sys.path, module=__name__, socket=theirs.fileno())
            self.process = subprocess.Popen(  # noqa: S603  # nosec B603 - this interpreter, this module
                [sys.executable, "-c", text], stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
            )
        self._connection = Connection(ours.detach())
        self._connection.send(maker.settings)

    def take(self, parcel: Parcel) -> bool:
        """Hand a parcel over; return whether it could be written down.

        :raises PinterestError: the process has ended.
        """
        try:
            self._connection.send(parcel)
        except OSError:
            self._gone()
        except Exception:  # noqa: BLE001 - cells of types that cannot be sent to another process, in many ways
            return False
        return True

    def received(self) -> Sequence[Made]:
        """Wait for what the oldest parcel has become.

        :raises PinterestError: the process has ended, or cannot make events of these rows.
        """
        try:
            found = self._connection.recv()
        except (EOFError, OSError):
            self._gone()
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]

    def close(self) -> None:
        """End it."""
        self._connection.close()
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _gone(self) -> Any:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        status = self.process.returncode
        how = f"signal {-status}" if status and status < 0 else f"status {status}"
        raise PinterestError(
            f"A process that makes events has ended ({how}). If the machine is short of memory, lower processes."
        ) from None


def _received(what: Worker | list[Made]) -> Sequence[Made]:
    return what.received() if isinstance(what, Worker) else what


def serve(descriptor: int) -> None:
    """Make events of the parcels that come through a socket, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the task, too
    connection = Connection(descriptor)
    parcels: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def receive() -> None:
        """Take what comes, always: else both sides could wait for the other one to read."""
        with suppress(EOFError, OSError):
            while True:
                parcels.put(connection.recv())
        parcels.put(None)

    threading.Thread(target=receive, daemon=True).start()
    settings = parcels.get()
    if settings is None:
        return
    maker = EventMaker.of(settings)
    gc.freeze()  # what is there by now stays
    while (parcel := parcels.get()) is not None:
        made: Any
        try:
            made = list(map(maker.make, parcel))
        except PinterestError as error:
            made = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the task must know
            made = PinterestError(f"events could not be made: {type(error).__name__}")
        try:
            connection.send(made)
        except OSError:
            return
