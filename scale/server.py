"""A Pinterest that counts: every call with the time it came, every event id with the copies of it.

``python -m scale.server PORT_FILE`` serves ``POST /v5/ad_accounts/{id}/events`` on a free port of the loopback
interface, answers ``processed`` for every event after 50 to 150 ms, and validates nothing: that is what the package's
sandbox is for. ``GET /calls/{id}`` returns each call's arrival (when its head was read, Unix time) and number of
events, ``GET /copies/{id}`` a line for each event id, with how often it came.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

LATENCY: Final = (0.05, 0.15)
"""Seconds that an answer takes, from and to."""

_IDS: Final = re.compile(rb'"event_id": ?"([^"]*)"').findall
_REQUEST: Final = re.compile(rb"([A-Z]+) (/\S+) HTTP/1\.1\r\n", re.ASCII).match
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.ASCII | re.IGNORECASE).search
_EVENTS: Final = re.compile(r"/v5/ad_accounts/(\d+)/events(?:\?.*)?", re.ASCII).fullmatch
_RECORD: Final = re.compile(r"/(calls|copies)/(\d+)", re.ASCII).fullmatch


@dataclass
class Account:
    """What one ad account has received.

    :param calls: when each call came, and with how many events.
    :param copies: how often each event id came.
    """

    calls: list[tuple[float, int]] = field(default_factory=list)
    copies: Counter[bytes] = field(default_factory=Counter)

    def take(self, at: float, body: bytes) -> int:
        """Count a call; return its number of events."""
        ids = _IDS(body)
        self.calls.append((at, len(ids)))
        self.copies.update(ids)
        return len(ids)

    def lines(self) -> bytes:
        """Return a line for each event id, with how often it came."""
        return b"".join(b"%b %d\n" % line for line in self.copies.items())


def read_copies(lines: str) -> dict[str, int]:
    """Read what :meth:`Account.lines` wrote."""
    pairs = (line.rpartition(" ") for line in lines.splitlines())
    return {event_id: int(number) for event_id, _, number in pairs}


@lru_cache(maxsize=4_096)
def answer(events: int) -> bytes:
    """Return the HTTP answer to so many events, all of them processed."""
    item = {"status": "processed", "error_message": "", "warning_message": ""}
    body = {"num_events_received": events, "num_events_processed": events, "events": [item] * events}
    return http(200, json.dumps(body, separators=(",", ":")).encode())


def http(status: int, body: bytes) -> bytes:
    """Return an HTTP answer."""
    head = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, b"OK" if status == 200 else b"Not so", len(body)) + body


@dataclass(frozen=True)
class _Head:
    """The head of a request whose body may still be on its way."""

    method: bytes
    path: str
    length: int
    at: float


class Connection(asyncio.Protocol):
    """One kept-alive connection.

    :param accounts: by their id, shared by all connections.
    :param chance: draws latencies.
    """

    def __init__(self, accounts: defaultdict[str, Account], chance: random.Random) -> None:
        self._accounts = accounts
        self._chance = chance
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        del exc
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Serve all requests that are complete."""
        self._buffer += data
        while self._take():
            pass

    def _take(self) -> bool:
        """Take a head or a whole request off the buffer; return whether there may be more."""
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            self._head = _head(bytes(self._buffer[: end + 2]))
            del self._buffer[: end + 4]
        if len(self._buffer) < self._head.length:
            return False
        head, self._head = self._head, None
        body = bytes(self._buffer[: head.length])
        del self._buffer[: head.length]
        self._serve(head, body)
        return True

    def _serve(self, head: _Head, body: bytes) -> None:
        if head.method == b"POST" and (found := _EVENTS(head.path)):
            events = self._accounts[found[1]].take(head.at, body)
            asyncio.get_running_loop().call_later(self._chance.uniform(*LATENCY), self._write, answer(events))
        elif head.method == b"GET" and (found := _RECORD(head.path)):
            account = self._accounts[found[2]]
            content = json.dumps(account.calls).encode() if found[1] == "calls" else account.lines()
            self._write(http(200, content))
        else:
            self._write(http(404, b"{}"))

    def _write(self, content: bytes) -> None:
        if self._transport is not None:
            self._transport.write(content)


def _head(head: bytes) -> _Head:
    request, length = _REQUEST(head), _LENGTH(head)
    method, path = (request[1], request[2].decode()) if request else (b"", "")
    return _Head(method, path, int(length[1]) if length else 0, time.time())


async def serve(port_file: Path) -> None:
    """Serve until cancelled; the port stands in the file once calls are answered."""
    accounts: defaultdict[str, Account] = defaultdict(Account)
    chance = random.Random(7)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(accounts, chance), "127.0.0.1", 0, backlog=128)
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
