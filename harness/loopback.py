"""Ports and requests on 127.0.0.1."""

from __future__ import annotations

import json
import socket
import urllib.parse
import urllib.request
from contextlib import ExitStack, suppress
from typing import Any


def free_ports(count: int) -> list[int]:
    """Return different free ports."""
    with ExitStack() as taken:
        sockets = [taken.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


def free_port() -> int:
    """Return a free port."""
    [port] = free_ports(1)
    return port


def get(port: int, path: str, **query: str) -> bytes:
    """Return the response to a GET request that bypasses proxies."""
    address = f"http://127.0.0.1:{port}{path}{'?' if query else ''}{urllib.parse.urlencode(query)}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(address, timeout=120) as answer:
        content: bytes = answer.read()
    return content


def get_json(port: int, path: str, **query: str) -> Any:
    """Return the JSON response to a GET request."""
    return json.loads(get(port, path, **query))


def first_bytes(port: int, question: bytes = b"") -> bytes:
    """Return the first bytes that a server sends, after a question if it needs one; nothing if it does not answer."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
        connection.sendall(question)
        return connection.recv(5)
    return b""
