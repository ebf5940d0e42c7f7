"""Events made by processes of their own, so that one task can use more than one processor core.

Pieces go out, to one process after the other, and what they become comes back in the same order. A process
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
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import cycle
from multiprocessing.connection import Connection
from typing import Any, Final

from airflow_provider_pinterest.conversions.making import EventMaker, Made
from airflow_provider_pinterest.conversions.pieces import Piece
from airflow_provider_pinterest.exceptions import PinterestError

AHEAD: Final = 2
"""Pieces that a process has at most: one that it works on, and the next."""

ROOM: Final = 1_000_000
"""Bytes that a socket takes before whoever writes must wait."""

_START: Final = "import sys; sys.path[:] = {path!r}; from {module} import serve; serve({socket})"


class Processes:
    """Makes events in a few processes.

    :param maker: what they make events with.
    :param count: how many there are.
    """

    def __init__(self, maker: EventMaker, count: int) -> None:
        self._maker = maker
        self.workers = [Worker(maker) for _ in range(count)]

    def made(self, pieces: Iterable[Piece]) -> Iterator[Made]:
        """Yield what the rows become, in their order.

        :raises PinterestError: a process ended.
        """
        waiting: deque[Worker | Made] = deque()
        source = iter(pieces)
        broken: Exception | None = None
        for worker in cycle(self.workers):
            try:
                piece = next(source, None)
            except Exception as error:  # noqa: BLE001 - raised again when what was read before is made
                piece, broken = None, error
            if piece is None:
                break
            if len(waiting) >= AHEAD * len(self.workers):
                yield _received(waiting.popleft())
            waiting.append(worker if worker.take(piece) else self._maker.make(piece))
        while waiting:
            yield _received(waiting.popleft())
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

    def take(self, piece: Piece) -> bool:
        """Hand a piece over; return whether it could be written down.

        :raises PinterestError: the process has ended.
        """
        try:
            self._connection.send(piece)
        except OSError:
            self._gone()
        except Exception:  # noqa: BLE001 - cells of types that cannot be sent to another process, in many ways
            return False
        return True

    def received(self) -> Made:
        """Wait for what the oldest piece has become.

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


def _received(what: Worker | Made) -> Made:
    return what.received() if isinstance(what, Worker) else what


def serve(descriptor: int) -> None:
    """Make events of the pieces that come through a socket, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the task, too
    connection = Connection(descriptor)
    pieces: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def receive() -> None:
        """Take what comes, always: else both sides could wait for the other one to read."""
        with suppress(EOFError, OSError):
            while True:
                pieces.put(connection.recv())
        pieces.put(None)

    threading.Thread(target=receive, daemon=True).start()
    settings = pieces.get()
    if settings is None:
        return
    maker = EventMaker.of(settings)
    gc.freeze()  # what is there by now stays
    while (piece := pieces.get()) is not None:
        made: Any
        try:
            made = maker.make(piece)
        except PinterestError as error:
            made = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the task must know
            made = PinterestError(f"events could not be made: {type(error).__name__}")
        try:
            connection.send(made)
        except OSError:
            return
