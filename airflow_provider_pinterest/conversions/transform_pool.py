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
from typing import Final, NoReturn

from airflow_provider_pinterest.conversions.batch_transformer import BatchTransformer, TransformResult
from airflow_provider_pinterest.conversions.column_batches import ColumnBatch
from airflow_provider_pinterest.conversions.pickling import read, written
from airflow_provider_pinterest.exceptions import ParameterError, PinterestError
from airflow_provider_pinterest.redaction import clean

AHEAD: Final = 2
"""Pieces that a process has at most: one that it works on, and the next."""

ROOM: Final = 1_000_000
"""Bytes that a socket takes before whoever writes must wait."""

_START: Final = "import sys; sys.path[:] = {path!r}; from {module} import serve; serve({socket})"


class TransformPool:
    """Makes events in a few processes.

    :param maker: what they make events with.
    :param count: how many there are.
    :raises ParameterError: the mapping holds objects that cannot be passed to another process.
    :raises PinterestError: a process cannot be started.
    """

    def __init__(self, maker: BatchTransformer, count: int) -> None:
        self._maker = maker
        self.workers: list[PoolWorker] = []
        try:
            settings = written(maker.settings)
        except Exception:  # noqa: BLE001 - the objects' own methods may raise anything
            raise ParameterError(
                "processes: the mapping holds an object that cannot be passed to another process.",
                advice="Use plain values in defaults, or set processes=0.",
            ) from None
        try:
            for _ in range(count):
                self.workers.append(PoolWorker(settings))
        except BaseException:
            self.close()
            raise

    def made(self, pieces: Iterable[ColumnBatch]) -> Iterator[TransformResult]:
        """Yield what the rows become, in their order.

        :raises PinterestError: a process ended.
        """
        waiting: deque[tuple[PoolWorker, ColumnBatch] | TransformResult] = deque()
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
                yield self._received(waiting.popleft())
            waiting.append((worker, piece) if worker.take(piece) else self._maker.make(piece))
        while waiting:
            yield self._received(waiting.popleft())
        if broken is not None:
            raise broken

    def close(self) -> None:
        """End the processes."""
        for worker in self.workers:
            worker.close()

    def _received(self, what: tuple[PoolWorker, ColumnBatch] | TransformResult) -> TransformResult:
        """Return what a piece has become; a piece that its process could not read is made here."""
        if isinstance(what, TransformResult):
            return what
        worker, piece = what
        found = worker.received()
        return self._maker.make(piece) if found is None else found


class PoolWorker:
    """One process, seen from the task.

    :param settings: what it makes events with, written down.
    :raises PinterestError: it cannot be started.
    """

    def __init__(self, settings: bytes) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
            text = _START.format(path=[str(path) for path in sys.path], module=__name__, socket=theirs.fileno())
            try:
                self.process = subprocess.Popen(  # noqa: S603  # nosec B603 - this interpreter, this module
                    [sys.executable, "-c", text], stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
                )
            except (OSError, ValueError, RuntimeError) as error:
                ours.close()
                raise PinterestError(
                    f"A process that makes events could not be started ({type(error).__name__}: {clean(error)}).",
                    advice="Set processes=0 to work without.",
                ) from None
        self._connection = Connection(ours.detach())
        self._send(settings)

    def take(self, piece: ColumnBatch) -> bool:
        """Hand a piece over; return whether it could be written down.

        :raises PinterestError: the process has ended.
        """
        try:
            text = written(tuple(piece))
        except Exception:  # noqa: BLE001 - cells of types that are not sent to another process
            return False
        self._send(text)
        return True

    def received(self) -> TransformResult | None:
        """Wait for what the oldest piece has become; ``None``: the process could not read it.

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

    def _send(self, text: bytes) -> None:
        try:
            self._connection.send_bytes(text)
        except OSError:
            self._gone()

    def _gone(self) -> NoReturn:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        status = self.process.returncode
        how = f"signal {-status}" if status and status < 0 else f"status {status}"
        raise PinterestError(
            f"A process that makes events has ended ({how}).",
            advice="If the machine is short of memory, lower processes.",
        ) from None


def serve(descriptor: int) -> None:
    """Make events of the pieces that come through a socket, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the task, too
    connection = Connection(descriptor)
    texts: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def receive() -> None:
        """Take what comes, always: otherwise both sides could wait for the other one to read."""
        try:
            while True:
                texts.put(connection.recv_bytes())
        except (EOFError, OSError):
            pass
        finally:
            texts.put(None)

    threading.Thread(target=receive, daemon=True).start()
    settings = texts.get()
    if settings is None:
        return
    maker = BatchTransformer.of(read(settings))
    gc.freeze()  # what is there by now stays
    while (text := texts.get()) is not None:
        try:
            connection.send(_made(maker, text))
        except OSError:
            return


def _made(maker: BatchTransformer, text: bytes) -> TransformResult | Exception | None:
    """Make events of a piece; ``None`` if it cannot be read."""
    try:
        piece = ColumnBatch(*read(text))
    except Exception:  # noqa: BLE001 - the task has the rows, and makes them itself
        return None
    try:
        return maker.make(piece)
    except PinterestError as error:
        return error
    except Exception as error:  # noqa: BLE001 - whatever it is, the task must know
        return PinterestError(f"events could not be made: {type(error).__name__}")
