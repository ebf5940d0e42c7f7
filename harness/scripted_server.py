"""Servers on real sockets for tests: they answer as a script says, also as no proper server does.

:func:`serving` takes a handler for each request; the last one repeats. A :class:`ScriptedReply` is a handler that
answers properly and keeps the connection. The handlers below it break off, drip or say nothing.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
WITHOUT_LENGTH = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
PROCESSED = b'{"events":[{"status":"processed","error_message":"","warning_message":""}]}'


class ReceivedRequest(NamedTuple):
    """A request, byte for byte.

    :param client: the same for all requests of one connection.
    """

    head: bytes
    body: bytes
    client: tuple[str, int]

    @classmethod
    def read(cls, stream: Any, client: tuple[str, int]) -> ReceivedRequest | None:
        """Read the next request of a connection; ``None`` at its end."""
        head = b""
        while (line := stream.readline()) != b"\r\n":
            if not line:
                return None
            head += line
        sizes = [line[15:] for line in head.splitlines() if line.lower().startswith(b"content-length:")]
        return cls(head, stream.read(int(sizes[0])) if sizes else b"", client)

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.head.split(b" ", 1)[0].decode()

    @property
    def path(self) -> str:
        """The path, with the query."""
        return self.head.split(b" ", 2)[1].decode()

    @property
    def headers(self) -> dict[str, str]:
        """The headers, with their names as they were written."""
        return dict(line.split(": ", 1) for line in self.head.decode().splitlines()[1:])


@dataclass
class ScriptedServer:
    """A running server.

    :param url: its address; of a server that is not a proxy, the base URL of the API.
    :param over: set when the server is closed.
    :param open: the connections, which are then closed.
    """

    url: str
    requests: list[ReceivedRequest] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    open: list[socket.socket] = field(default_factory=list)

    @property
    def heads(self) -> list[bytes]:
        """The head of each request."""
        return [request.head for request in self.requests]

    @property
    def bodies(self) -> list[bytes]:
        """The body of each request."""
        return [request.body for request in self.requests]

    @property
    def connections(self) -> int:
        """The number of connections with a request."""
        return len({request.client for request in self.requests})


Handler = Callable[[ScriptedServer, Any], object]
"""Answers a request over its connection. The connection is kept if it returns ``True``, and closed otherwise."""


@dataclass(frozen=True)
class ScriptedReply:
    """An answer.

    :param pause: number of bytes of the body after which nothing follows until the server is closed.
    """

    status: int = 200
    body: bytes = PROCESSED
    headers: Mapping[str, str] = field(default_factory=dict)
    pause: int | None = None

    def __call__(self, server: ScriptedServer, connection: Any) -> bool:
        """Answer a request."""
        headers = {**self.headers, "Content-Length": len(self.body)}
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + self.body[: self.pause])
        if self.pause is not None:
            server.over.wait()
        return self.headers.get("Connection") != "close"


def sends(content: bytes) -> Handler:
    """Return a handler that sends these bytes and closes the connection."""
    return lambda _, connection: connection.sendall(content)


def says_nothing(server: ScriptedServer, _: Any) -> None:
    """Wait until the server is closed."""
    server.over.wait()


def drips_its_head(server: ScriptedServer, connection: Any) -> None:
    """Send one byte of a head at a time."""
    for byte in HEAD % len(PROCESSED) * 1_000:
        if server.over.wait(0.01):
            return
        connection.sendall(bytes([byte]))


def drips_its_body(server: ScriptedServer, connection: Any) -> None:
    """Send one byte of a body at a time."""
    connection.sendall(HEAD % 100_000)
    while not server.over.wait(0.01):
        connection.sendall(b" ")


def pours(server: ScriptedServer, connection: Any) -> None:
    """Send a body without an end."""
    connection.sendall(WITHOUT_LENGTH)
    while not server.over.is_set():
        connection.sendall(b" " * 65_536)


def resets(_: ScriptedServer, connection: Any) -> None:
    """Reset the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


accepts_once = sends(HEAD % len(PROCESSED) + PROCESSED)
"""Accepts an event and closes the connection, although the head does not say so."""

BROKEN: Final[Mapping[str, Handler]] = {
    "hangs up": sends(b""),
    "resets": resets,
    "half a body": sends(HEAD % len(PROCESSED) + PROCESSED[:-10]),
    "half a body without a length": sends(WITHOUT_LENGTH + PROCESSED[:-10]),
    "half a chunk": sends(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"eve\r\nzz\r\n'),
    "not gzip": sends(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain"),
    "another protocol": sends(b"220 smtp.example.com ready\r\n"),
}
"""Handlers whose answer is not complete."""


@contextmanager
def _accepting(
    server: ScriptedServer, listener: socket.socket, serve: Callable[[socket.socket], None]
) -> Iterator[None]:
    """Serve each connection in a thread, and end them all."""
    threads: list[threading.Thread] = []

    def accept() -> None:
        while not server.over.wait(0):
            with suppress(OSError):  # also if this process has too many open files for a moment
                thread = threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True)
                threads.append(thread)
                thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield
    finally:
        server.over.set()
        for one in (listener, *server.open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(5)
        for thread in threads:
            thread.join(5)


@contextmanager
def serving(*handlers: Handler, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[ScriptedServer]:
    """Serve each request with the next handler; without handlers, accept one event a request."""
    left: list[Handler] = [*handlers] or [ScriptedReply()]
    listener = socket.create_server((host, 0))
    name = "localhost" if tls else host
    server = ScriptedServer(f"{'https' if tls else 'http'}://{name}:{listener.getsockname()[1]}/v5")

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            secured = tls.wrap_socket(connection, server_side=True) if tls else connection
            server.open.append(secured)
            client = secured.getpeername()
            with secured, secured.makefile("rb") as stream:
                while request := ReceivedRequest.read(stream, client):
                    server.requests.append(request)
                    handler = left.pop(0) if len(left) > 1 else left[0]
                    if not handler(server, secured):
                        return

    with _accepting(server, listener, serve):
        yield server


@contextmanager
def proxying(
    reply: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n", port: int | None = None
) -> Iterator[ScriptedServer]:
    """Serve as a proxy that answers CONNECT like this, and then passes everything on to a port of this machine.

    Without a reply it says nothing.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    server = ScriptedServer(f"http://127.0.0.1:{listener.getsockname()[1]}")

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb", 0) as stream:
            request = ReceivedRequest.read(stream, connection.getpeername())
            if request is None:
                return
            server.requests.append(request)
            if not reply:
                server.over.wait()
                return
            connection.sendall(reply)
            if port is not None:
                with socket.create_connection(("127.0.0.1", port)) as target:
                    back = threading.Thread(target=pump, args=(target, connection), daemon=True)
                    back.start()
                    pump(connection, target)
                    back.join(5)

    with _accepting(server, listener, serve):
        yield server


@contextmanager
def nobody_listening() -> Iterator[str]:
    """Take a port that refuses connections; yield the base URL of an API there."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}/v5"


@contextmanager
def full_backlog() -> Iterator[str]:
    """Listen with a full queue: a connection is neither made nor refused. Yield the base URL of an API there."""
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
