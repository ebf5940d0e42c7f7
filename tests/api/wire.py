"""Real sockets: servers that answer as no proper one does, and runs that go over the wire."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from airflow_provider_pinterest.api.client import Client
from airflow_provider_pinterest.api.credentials import Credential, Tokens
from airflow_provider_pinterest.api.events_endpoint import Answer, EventsEndpoint
from airflow_provider_pinterest.api.rate_limit import RateLimiter
from airflow_provider_pinterest.conversions.batches import Batcher
from airflow_provider_pinterest.conversions.outcomes import RowBatch
from airflow_provider_pinterest.delivery.checkpoint import KEY, Checkpoint
from airflow_provider_pinterest.delivery.dispatcher import Dispatcher
from airflow_provider_pinterest.delivery.pipeline import Mailbox, PipelineRun
from airflow_provider_pinterest.delivery.progress import Progress
from airflow_provider_pinterest.delivery.rejects import Rejects
from airflow_provider_pinterest.delivery.sections import SectionCutter
from airflow_provider_pinterest.delivery.sender import OnUnknownOutcome, Sender
from airflow_provider_pinterest.delivery.stop import StopSignal
from airflow_provider_pinterest.delivery.stored_state import read_state
from airflow_provider_pinterest.redaction import Secret
from airflow_provider_pinterest.sandbox import Sandbox
from tests.delivery.world import NOW, FailingStateStore, MemoryFolder, read_ahead, row_batches

ACCOUNT = Sandbox.ad_account_id
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
PROCESSED = b'{"events":[{"status":"processed","error_message":"","warning_message":""}]}'


class Wire:
    """A server's side: what arrived, and the event that is set when the test is over."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[bytes] = []
        self.heads: list[bytes] = []
        self.over = threading.Event()


Handler = Callable[[Wire, Any], None]


def answers(wire: Wire, connection: Any, reply: bytes = PROCESSED) -> None:
    connection.sendall(HEAD % len(reply) + reply)


def drips_its_head(wire: Wire, connection: Any) -> None:
    for byte in HEAD % len(PROCESSED) * 1_000:
        if wire.over.wait(0.01):
            return
        connection.sendall(bytes([byte]))


def drips_its_body(wire: Wire, connection: Any) -> None:
    connection.sendall(HEAD % 100_000)
    while not wire.over.wait(0.01):
        connection.sendall(b" ")


def says_nothing(wire: Wire, connection: Any) -> None:
    wire.over.wait()


def hangs_up(wire: Wire, connection: Any) -> None: ...


def resets(wire: Wire, connection: Any) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answers_by_half(wire: Wire, connection: Any) -> None:
    connection.sendall(HEAD % len(PROCESSED) + PROCESSED[:-10])


def answers_by_half_without_a_length(wire: Wire, connection: Any) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + PROCESSED[:-10])


def breaks_a_chunk(wire: Wire, connection: Any) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"eve\r\nzz\r\n')


def says_it_is_gzip(wire: Wire, connection: Any) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain")


def speaks_something_else(wire: Wire, connection: Any) -> None:
    connection.sendall(b"220 smtp.example.com ready\r\n")


@contextmanager
def _accepting(listener: socket.socket, serve: Callable[[socket.socket], None], wire: Wire) -> Iterator[None]:
    """Serve each connection in a thread, and end them all."""
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                thread = threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True)
                threads.append(thread)
                thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield
    finally:
        wire.over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(5)
        for thread in threads:
            thread.join(5)


@contextmanager
def serving(*handlers: Handler, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Wire]:
    """Serve one request a connection, each with the next handler; the last one stays."""
    left = list(handlers)
    listener = socket.create_server((host, 0))
    wire = Wire(f"{'https' if tls else 'http'}://{'localhost' if tls else host}:{listener.getsockname()[1]}/v5")

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            secured = tls.wrap_socket(connection, server_side=True) if tls else connection
            with secured, secured.makefile("rb") as request:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = request.readline()
                    if not line:
                        return
                    head += line
                head = head.removesuffix(b"\r\n")
                size = next(int(line[15:]) for line in head.splitlines() if line.lower().startswith(b"content-length:"))
                wire.heads.append(head)
                wire.bodies.append(request.read(size))
                handler = left.pop(0) if len(left) > 1 else left[0]
                handler(wire, secured)

    with _accepting(listener, serve, wire):
        yield wire


@contextmanager
def proxying(reply: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n", port: int | None = None) -> Iterator[Wire]:
    """Serve as a proxy that answers CONNECT like this, and then passes everything on to a port of this machine.

    ``Wire.heads`` are the CONNECT requests; without a reply it says nothing.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    wire = Wire(f"http://127.0.0.1:{listener.getsockname()[1]}")

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                byte = connection.recv(1)
                if not byte:
                    return
                head += byte
            wire.heads.append(head)
            if not reply:
                wire.over.wait()
                return
            connection.sendall(reply)
            if port is not None:
                with socket.create_connection(("127.0.0.1", port)) as target:
                    back = threading.Thread(target=pump, args=(target, connection), daemon=True)
                    back.start()
                    pump(connection, target)
                    back.join(5)

    with _accepting(listener, serve, wire):
        yield wire


@contextmanager
def full_backlog() -> Iterator[str]:
    """Listen without accepting, with a full queue: a connection is neither made nor refused. Yield a base URL."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):
            yield f"http://127.0.0.1:{full.getsockname()[1]}/v5"


@contextmanager
def accepts_and_says_nothing() -> Iterator[int]:
    """Listen with room for connections that nobody ever reads from; yield the port."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        yield silent.getsockname()[1]


class OneAccount(EventsEndpoint):
    """The events endpoint with an account, and what its client can do."""

    def __init__(
        self, url: str, credential: Any, *, account: str = ACCOUNT, test: bool = False, **options: Any
    ) -> None:
        super().__init__(Client(url, credential, **options), test=test)
        self.account = account
        self.credential = self.client.credential
        self.renew = self.client.renew
        self.abort = self.client.abort
        self.close = self.client.close

    def send(self, ad_account_id: str, body: bytes, events: int, **options: Any) -> Answer:
        return super().send(ad_account_id or self.account, body, events, **options)

    def post(self, body: bytes, events: int, **options: Any) -> Answer:
        return self.send(self.account, body, events, **options)


@contextmanager
def client(url: str, **options: Any) -> Iterator[OneAccount]:
    """Return a client with short time-outs."""
    options = {"timeouts": (2.0, 5.0, 10.0), **options}
    credential = options.pop("credential", None) or Credential(Tokens(Secret(options.pop("token", Sandbox.token))))
    made = OneAccount(url, credential, **options)
    try:
        yield made
    finally:
        made.close()


class WireScenario:
    """Runs of one source over the wire; what an attempt leaves behind stays for the next.

    :param kinds: what the source's rows become, in order.
    """

    def __init__(self, url: str, kinds: Sequence[str], **options: Any) -> None:
        self.url = url
        self.kinds = list(kinds)
        self.on_unknown_outcome: OnUnknownOutcome | None = options.pop("on_unknown_outcome", None)
        self.batch_size: int = options.pop("batch_size", 10)
        self.in_flight: int = options.pop("in_flight", 4)
        self.max_wait: float = options.pop("max_wait", 20.0)
        self.client_options = options
        self.store = FailingStateStore()
        self.folder = MemoryFolder()
        self.stop = StopSignal()

    def run_attempt(self, source: Iterator[RowBatch] | None = None) -> PipelineRun:
        """Make one attempt."""
        stored = self.store.get(KEY)
        resume = read_state(stored) if stored else None
        assert resume is None or isinstance(resume, Checkpoint)
        with client(self.url, connections=self.in_flight, **self.client_options) as pinterest:
            sender = Sender(
                pinterest,
                RateLimiter(f"{self.url}/{uuid.uuid4()}", calls_per_minute=10**6),
                on_unknown_outcome=self.on_unknown_outcome,
                max_wait=self.max_wait,
                wall=lambda: NOW,
                jitter=lambda: 0.01,
            )
            self.stop.on_set(sender.abort)
            mailbox = Mailbox()
            progress = Progress(
                resume or Checkpoint({"f": "1"}, NOW),
                self.store,
                rejects=Rejects(self.folder, attempt=1, keep=resume.keeps if resume else None),
                every_answers=self.in_flight,
                may_resend=sender.may_resend,
                ahead=2 * self.in_flight * self.batch_size,
                on_unknown_outcome=self.on_unknown_outcome,
            )
            batcher = Batcher(self.batch_size)
            cutter = SectionCutter(batcher, resume)
            self.run = PipelineRun(
                read_ahead(cutter, source or row_batches(self.kinds), mailbox),
                batcher,
                progress,
                Dispatcher(sender, self.in_flight, mailbox.wake),
                resume=resume,
                stop=self.stop,
                mailbox=mailbox,
            )
            self.run.deliver()
            self.run.counters.check(len(self.kinds))
            self.store.delete(KEY)
            return self.run
