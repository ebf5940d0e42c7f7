"""A fast replacement for Pinterest that only counts events.

``python -m harness.counting_server --port-file FILE`` serves ``POST /v5/ad_accounts/{id}/events`` on a free port of
127.0.0.1 and answers ``processed`` for every event. ``/150ms/v5/…`` answers after 150 ms, ``/50-150ms/v5/…`` after 50
to 150 ms. It does not validate events; the package's sandbox does.

``GET /totals/{id}`` returns the totals of an account, from all processes. With ``--remember`` the server
also stores each call and each event id: ``GET /calls/{id}`` returns the arrival of each call (Unix time, when its head
was read) and its number of events, ``GET /copies/{id}`` returns a line for each event id with the number of its copies.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from harness.certificates import server_context
from harness.processes import write_port

ROOM: Final = 256 * 1024
"""Bytes of a connection's buffer at first; it grows to the size of the largest body."""

_EVENT: Final = b'"event_id":'
"""Every event has it once, with any spacing of the JSON."""

_IDS: Final = re.compile(rb'"event_id": ?"([^"]*)"').findall
_REQUEST: Final = re.compile(rb"([A-Z]+) (?:/(?:(\d+)-)?(\d+)ms)?(/\S+) HTTP/1\.1\r\n", re.ASCII).match
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.ASCII | re.IGNORECASE).search
_EVENTS: Final = re.compile(r"/v5/ad_accounts/(\d+)/events(?:\?.*)?", re.ASCII).fullmatch
_RECORD: Final = re.compile(r"/(totals|calls|copies)/(\d+)", re.ASCII).fullmatch
_TOTALS: Final = ("calls", "events", "body_bytes", "open", "most_at_once")


@dataclass(slots=True)
class AccountRecord:
    """The events that an ad account has received.

    :param open: calls that wait for their answer.
    :param most_at_once: the most calls that waited for their answer at the same time.
    :param arrivals: the time and the number of events of each call; empty without ``--remember``.
    :param copies: the number of copies of each event id; empty without ``--remember``.
    """

    calls: int = 0
    events: int = 0
    body_bytes: int = 0
    open: int = 0
    most_at_once: int = 0
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    copies: Counter[bytes] = field(default_factory=Counter)

    def begin(self, events: int, size: int) -> None:
        """Count a call."""
        self.calls += 1
        self.events += events
        self.body_bytes += size
        self.open += 1
        self.most_at_once = max(self.most_at_once, self.open)

    def written(self, what: str) -> bytes:
        """Return totals, calls or copies in the format of the HTTP responses."""
        if what == "totals":
            return json.dumps({name: getattr(self, name) for name in _TOTALS}).encode()
        if what == "calls":
            return json.dumps(self.arrivals).encode()
        return b"".join(b"%b %d\n" % line for line in self.copies.items())


def read_copies(lines: str) -> dict[str, int]:
    """Parse the response to ``GET /copies/{id}``."""
    pairs = (line.rpartition(" ") for line in lines.splitlines())
    return {event_id: int(number) for event_id, _, number in pairs}


@lru_cache(maxsize=4_096)
def answer(events: int) -> bytes:
    """Return the HTTP response for a number of processed events."""
    item = {"status": "processed", "error_message": "", "warning_message": ""}
    body = {"num_events_received": events, "num_events_processed": events, "events": [item] * events}
    return http(200, json.dumps(body, separators=(",", ":")).encode())


def http(status: int, body: bytes) -> bytes:
    """Return an HTTP response."""
    return b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        b"OK" if status == 200 else b"Not so",
        len(body),
        body,
    )


class RequestHead(NamedTuple):
    """The head of a request.

    :param latency: the minimum and maximum seconds to the response.
    :param length: the length of the body in bytes.
    :param begin: the position of the body in the buffer.
    :param at: the Unix time when it was read.
    """

    method: bytes
    path: str
    latency: tuple[float, float]
    length: int
    begin: int
    at: float

    @classmethod
    def read(cls, head: bytes) -> RequestHead:
        """Read the head of a request, up to the empty line."""
        request, length = _REQUEST(head), _LENGTH(head)
        method, least, most, path = request.groups() if request else (b"", None, None, b"")
        latency = int(least or most or 0) / 1_000, int(most or 0) / 1_000
        return cls(method, path.decode(), latency, int(length[1]) if length else 0, len(head) + 2, time.time())


class CountingConnection(asyncio.BufferedProtocol):
    """A keep-alive connection. Requests are parsed in the buffer, without copies.

    :param records: per ad account, shared by all connections.
    :param remember: also store each call and each event id.
    """

    def __init__(self, records: MutableMapping[str, AccountRecord], chance: random.Random, *, remember: bool) -> None:
        self._records = records
        self._chance = chance
        self._remember = remember
        self._buffer = bytearray(ROOM)
        self._filled = 0
        self._head: RequestHead | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport for responses."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop the transport."""
        del exc
        self._transport = None

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the free part of the buffer."""
        del sizehint
        if self._filled == len(self._buffer):
            self._buffer = self._buffer + bytes(len(self._buffer))
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Answer all complete requests."""
        self._filled += nbytes
        while self._filled and self._take():
            pass

    def _take(self) -> bool:
        """Remove a complete request from the buffer, if there is one."""
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n", 0, self._filled)
            if end < 0:
                return False
            self._head = RequestHead.read(bytes(self._buffer[: end + 2]))
        stop = self._head.begin + self._head.length
        if self._filled < stop:
            return False
        head, self._head = self._head, None
        self._serve(head, stop)
        rest = self._filled - stop
        self._buffer[:rest] = self._buffer[stop : self._filled]
        self._filled = rest
        return True

    def _serve(self, head: RequestHead, stop: int) -> None:
        if head.method == b"POST" and (found := _EVENTS(head.path)):
            record = self._records[found[1]]
            if self._remember:
                ids = _IDS(self._buffer, head.begin, stop)
                events = len(ids)
                record.arrivals.append((head.at, events))
                record.copies.update(ids)
            else:
                events = self._buffer.count(_EVENT, head.begin, stop)
            record.begin(events, head.length)
            if head.latency[1]:
                latency = self._chance.uniform(*head.latency)
                asyncio.get_running_loop().call_later(latency, self._accept, record, events)
            else:
                self._accept(record, events)
        elif head.method == b"GET" and (found := _RECORD(head.path)):
            self._write(http(200, self._records[found[2]].written(found[1])))
        else:
            self._write(http(404, b"{}"))

    def _accept(self, record: AccountRecord, events: int) -> None:
        record.open -= 1
        self._write(answer(events))

    def _write(self, content: bytes) -> None:
        if self._transport is not None:
            self._transport.write(content)


async def serve(port_file: Path, *, remember: bool = False, tls: Path | None = None) -> None:
    """Serve until cancelled. The port is written to the file when the server is ready.

    :param tls: the folder of :func:`certificate`, to serve HTTPS.
    """
    records: defaultdict[str, AccountRecord] = defaultdict(AccountRecord)
    chance = random.Random(7)
    server = await asyncio.get_running_loop().create_server(
        lambda: CountingConnection(records, chance, remember=remember),
        "127.0.0.1",
        0,
        backlog=128,
        ssl=server_context(tls) if tls else None,
    )
    write_port(port_file, server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m harness.counting_server", description="Count events.")
    parser.add_argument("--port-file", type=Path, required=True, help="write the port to this file when ready")
    parser.add_argument("--remember", action="store_true", help="keep each call and each event id")
    parser.add_argument("--tls", type=Path, help="serve HTTPS with the certificate in this folder")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(**vars(options)))


if __name__ == "__main__":
    main()
