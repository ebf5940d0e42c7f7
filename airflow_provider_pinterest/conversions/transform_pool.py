"""Transform column batches in other processes, so that one task can use several processor cores.

Column batches are sent to the processes in turn, and the results come back in the same order. A process ends when its
socket is closed, so it never outlives the task.
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
"""Most column batches that a process has: the current one, and the next."""

ROOM: Final = 1_000_000
"""Bytes that a socket buffers before a writer must wait."""

_START: Final = "import sys; sys.path[:] = {path!r}; from {module} import serve; serve({socket})"


class TransformPool:
    """Transform column batches in several processes.

    :param transformer: the transformer that each process copies.
    :param count: number of processes.
    :raises ParameterError: the mapping holds objects that cannot be passed to another process.
    :raises PinterestError: a process cannot be started.
    """

    def __init__(self, transformer: BatchTransformer, count: int) -> None:
        self._transformer = transformer
        self.workers: list[PoolWorker] = []
        try:
            settings = written(transformer.settings)
        except Exception:  # noqa: BLE001 - the objects' own methods may raise anything
            raise ParameterError(
                "processes: the mapping contains an object that cannot be passed to another process.",
                advice="Use plain values in defaults, or set processes=0.",
            ) from None
        try:
            for _ in range(count):
                self.workers.append(PoolWorker(settings))
        except BaseException:
            self.close()
            raise

    def results(self, column_batches: Iterable[ColumnBatch]) -> Iterator[TransformResult]:
        """Yield the results of column batches, in order.

        :raises PinterestError: a process ended.
        """
        waiting: deque[tuple[PoolWorker, ColumnBatch] | TransformResult] = deque()
        source = iter(column_batches)
        broken: Exception | None = None
        for worker in cycle(self.workers):
            try:
                column_batch = next(source, None)
            except Exception as error:  # noqa: BLE001 - raised again after the earlier results
                column_batch, broken = None, error
            if column_batch is None:
                break
            if len(waiting) >= AHEAD * len(self.workers):
                yield self._received(waiting.popleft())
            waiting.append(
                (worker, column_batch) if worker.take(column_batch) else self._transformer.transform(column_batch)
            )
        while waiting:
            yield self._received(waiting.popleft())
        if broken is not None:
            raise broken

    def close(self) -> None:
        """End the processes."""
        for worker in self.workers:
            worker.close()

    def _received(self, what: tuple[PoolWorker, ColumnBatch] | TransformResult) -> TransformResult:
        """Return the result of a column batch; transform it here if its process could not decode it."""
        if isinstance(what, TransformResult):
            return what
        worker, column_batch = what
        found = worker.received()
        return self._transformer.transform(column_batch) if found is None else found


class PoolWorker:
    """One process, seen from the task.

    :param settings: the encoded settings of its transformer.
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
                    f"A transform process could not be started ({type(error).__name__}: {clean(error)}).",
                    advice="Set processes=0 to transform rows in the task itself.",
                ) from None
        self._connection = Connection(ours.detach())
        self._send(settings)

    def take(self, column_batch: ColumnBatch) -> bool:
        """Send a column batch to the process; return whether it could be encoded.

        :raises PinterestError: the process has ended.
        """
        try:
            text = written(tuple(column_batch))
        except Exception:  # noqa: BLE001 - cells of types that cannot be sent to another process
            return False
        self._send(text)
        return True

    def received(self) -> TransformResult | None:
        """Wait for the result of the oldest column batch; ``None``: the process could not decode it.

        :raises PinterestError: the process has ended, or cannot transform these rows.
        """
        try:
            found = self._connection.recv()
        except (EOFError, OSError):
            self._gone()
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the process."""
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
            f"A transform process has ended ({how}).",
            advice="If the machine is short of memory, lower processes.",
        ) from None


def serve(descriptor: int) -> None:
    """Transform the column batches that arrive through a socket, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the task, too
    connection = Connection(descriptor)
    texts: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def receive() -> None:
        """Receive at any time: otherwise both sides could wait for the other one to read."""
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
    transformer = BatchTransformer.of(read(settings))
    gc.freeze()  # objects that exist now are kept
    while (text := texts.get()) is not None:
        try:
            connection.send(_result(transformer, text))
        except OSError:
            return


def _result(transformer: BatchTransformer, text: bytes) -> TransformResult | Exception | None:
    """Transform an encoded column batch; ``None`` if it cannot be decoded."""
    try:
        column_batch = ColumnBatch(*read(text))
    except Exception:  # noqa: BLE001 - the task has the rows, and transforms them itself
        return None
    try:
        return transformer.transform(column_batch)
    except PinterestError as error:
        return error
    except Exception as error:  # noqa: BLE001 - the task must know about every error
        return PinterestError(f"rows could not be transformed: {type(error).__name__}")
