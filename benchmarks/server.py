"""A server that takes events as cheaply as it can, and counts them: what is left is the sender's own work.

``python -m benchmarks.server PORT_FILE`` serves ``POST /v5/ad_accounts/{id}/events`` on a free port of the
loopback interface; ``/150ms/v5/…`` does so with so much latency. Every event is answered ``processed``. The
totals of an account, whichever processes sent them, are at ``GET /totals/{id}``. Nothing is validated: that is
what the package's sandbox is for.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import defaultdict
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

ROOM: Final = 4 * 1024 * 1024
"""Bytes of a connection's buffer at first: more than the largest body that the operator sends by default."""

_EVENT: Final = b'"event_id":'
"""Every event holds it once, however its JSON is spaced."""

_REQUEST: Final = re.compile(rb"([A-Z]+) (?:/(\d+)ms)?(/\S+) HTTP/1\.1\r\n", re.ASCII).match
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.ASCII | re.IGNORECASE).search
_EVENTS: Final = re.compile(r"/v5/ad_accounts/(\d+)/events(?:\?.*)?", re.ASCII).fullmatch
_TOTALS: Final = re.compile(r"/totals/(\d+)", re.ASCII).fullmatch


@dataclass(slots=True)
class Totals:
    """What one ad account has received.

    :param most_at_once: calls that were waiting for their answer at the same time.
    """

    calls: int = 0
    events: int = 0
    bytes: int = 0
    open: int = 0
    most_at_once: int = 0


@lru_cache(maxsize=4_096)
def answer(events: int) -> bytes:
    """Return the HTTP answer to so many events, all of them processed."""
    item = {"status": "processed", "error_message": "", "warning_message": ""}
    body = {"num_events_received": events, "num_events_processed": events, "events": [item] * events}
    return http(200, json.dumps(body, separators=(",", ":")).encode())


def http(status: int, body: bytes) -> bytes:
    """Return an HTTP answer."""
    return b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        b"OK" if status == 200 else b"Not so",
        len(body),
        body,
    )


class Connection(asyncio.BufferedProtocol):
    """One kept-alive connection; requests are read in place, without copies.

    :param totals: per ad account, shared by all connections.
    """

    def __init__(self, totals: dict[str, Totals]) -> None:
        self._totals = totals
        self._buffer = bytearray(ROOM)
        self._filled = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        del exc
        self._transport = None

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to read into."""
        del sizehint
        if self._filled == len(self._buffer):
            self._buffer = self._buffer + bytes(len(self._buffer))
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Answer all requests that are complete."""
        self._filled += nbytes
        while self._filled and self._take():
            pass

    def _take(self) -> bool:
        """Take one request off the buffer, if one is complete."""
        end = self._buffer.find(b"\r\n\r\n", 0, self._filled)
        if end < 0:
            return False
        head = bytes(self._buffer[: end + 2])
        length = _LENGTH(head)
        begin = end + 4
        stop = begin + (int(length[1]) if length else 0)
        if self._filled < stop:
            return False
        self._serve(head, begin, stop)
        rest = self._filled - stop
        self._buffer[:rest] = self._buffer[stop : self._filled]
        self._filled = rest
        return True

    def _serve(self, head: bytes, begin: int, stop: int) -> None:
        request = _REQUEST(head)
        method, path = (request[1], request[3].decode()) if request else (b"", "")
        if method == b"POST" and (found := _EVENTS(path)):
            events = self._buffer.count(_EVENT, begin, stop)
            totals = self._totals[found[1]]
            totals.calls += 1
            totals.events += events
            totals.bytes += stop - begin
            totals.open += 1
            totals.most_at_once = max(totals.most_at_once, totals.open)
            latency = int(request[2] or 0) / 1_000 if request else 0
            if latency:
                asyncio.get_running_loop().call_later(latency, self._accept, totals, events)
            else:
                self._accept(totals, events)
        elif method == b"GET" and (found := _TOTALS(path)):
            self._write(http(200, json.dumps(asdict(self._totals[found[1]])).encode()))
        else:
            self._write(http(404, b"{}"))

    def _accept(self, totals: Totals, events: int) -> None:
        totals.open -= 1
        self._write(answer(events))

    def _write(self, content: bytes) -> None:
        if self._transport is not None:
            self._transport.write(content)


async def serve(port_file: Path) -> None:
    """Serve until cancelled; the port stands in the file once calls are answered."""
    totals: dict[str, Totals] = defaultdict(Totals)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(totals), "127.0.0.1", 0, backlog=128)
    unfinished = port_file.with_suffix(".new")
    unfinished.write_text(str(server.sockets[0].getsockname()[1]), encoding="ascii")
    unfinished.rename(port_file)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(serve(Path(sys.argv[1])))
    except KeyboardInterrupt:
        sys.exit(130)
