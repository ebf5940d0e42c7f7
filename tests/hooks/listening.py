"""A server that keeps what a client sends, byte for byte, and answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

PROCESSED = b'{"num_events_received":1,"num_events_processed":1,"events":[{"status":"processed"}]}'


class ScriptedReply(NamedTuple):
    """One answer.

    :param pause: after that many bytes of the body it says no more, until the server is closed.
    """

    status: int = 200
    body: bytes = PROCESSED
    headers: Mapping[str, str] = {}
    pause: int | None = None


class ReceivedRequest(NamedTuple):
    """One request; ``client`` is the same for all that come over one connection."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    client: tuple[str, int]
    method: str = "POST"


@dataclass
class Listener:
    """What was received."""

    url: str
    requests: list[ReceivedRequest] = field(default_factory=list)

    @property
    def connections(self) -> int:
        return len({request.client for request in self.requests})


@contextmanager
def listening(*replies: ScriptedReply) -> Iterator[Listener]:
    """Serve; the last reply is given for ever."""
    closing = threading.Event()
    left: list[ScriptedReply] = list(replies or (ScriptedReply(),))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            listener.requests.append(
                ReceivedRequest(self.path, dict(self.headers), body, self.client_address, self.command)
            )
            reply = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: reply.pause])
            if reply.pause is not None:
                self.wfile.flush()
                closing.wait()

        def do_GET(self) -> None:
            self.do_POST()

        def do_DELETE(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    listener = Listener(f"http://127.0.0.1:{server.server_port}/v5")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield listener
    finally:
        closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def processed(events: Sequence[object]) -> bytes:
    """Return the body that says all of so many events were processed."""
    one = '{"status":"processed","error_message":"","warning_message":""}'
    return f'{{"events":[{",".join([one] * len(events))}]}}'.encode()
