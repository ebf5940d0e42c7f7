"""Keep tests on this machine: a connection or a name lookup that would leave it fails the test."""

from __future__ import annotations

import ipaddress
import socket
import sys
from typing import Any


class NetworkAccessError(RuntimeError):
    """A test tried to leave the machine. Not an OSError, which an HTTP client would take for an outage."""


attempts: list[str] = []


def forbid() -> None:
    """Watch every socket of this process from now on, whichever library opens it."""
    sys.addaudithook(_audit)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        address = args[1]
        host = address[0] if isinstance(address, tuple) else None  # Anything else names a local socket.
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    if not _is_local(host):
        attempts.append(str(host))
        message = f"a test tried to reach {host!r}: use the sandbox, `responses`, or a loopback server"
        raise NetworkAccessError(message)


def _is_local(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode()
    if not host or host in {"localhost", socket.gethostname()}:
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False
