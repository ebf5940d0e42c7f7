"""Connections to the API's host. A stop interrupts their opening, and they are kept open between calls."""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from typing import Final

from urllib3.connection import HTTPConnection

from airflow_provider_pinterest.api.interruptible import run_interruptibly
from airflow_provider_pinterest.api.route import Route
from airflow_provider_pinterest.api.watchdog import cut

LONGEST_IDLE: Final = 15.0
"""Seconds. Servers and NAT gateways silently drop connections that are idle for longer."""


class Connections:
    """Connections to one host, shared by threads.

    :param most: largest number of idle connections.
    :param stop: interrupts every attempt to connect when it is set.
    """

    def __init__(self, route: Route, most: int, stop: threading.Event) -> None:
        self._route = route
        self._most = most
        self._stop = stop
        self._idle: deque[tuple[HTTPConnection, float]] = deque()
        weakref.finalize(self, _close_all, self._idle)
        self._closed = False

    def take(self, *, fresh: bool, connect: float, seconds: float) -> HTTPConnection:
        """Return an open connection; give it back with :meth:`keep`, or close it.

        :param fresh: whether it must be a new connection.
        :param connect: seconds for each step of connecting.
        :param seconds: seconds for all steps together.
        :raises Stopped: ``stop`` was set.
        :raises TimeoutError: connecting took too long.
        """
        while not fresh and self._idle:
            try:
                connection, since = self._idle.pop()
            except IndexError:  # another thread took the last one
                break
            if connection.is_connected and time.monotonic() - since < LONGEST_IDLE:
                return connection
            connection.close()
        return self._open(connect, seconds)

    def keep(self, connection: HTTPConnection) -> None:
        """Keep a connection for a later call, if there is room."""
        if self._closed or connection.is_closed or len(self._idle) >= self._most:
            connection.close()
        else:
            self._idle.append((connection, time.monotonic()))

    def close(self) -> None:
        """Close the idle connections, and keep no more."""
        self._closed = True
        _close_all(self._idle)

    def _open(self, connect: float, seconds: float) -> HTTPConnection:
        connection = self._route.connection(connect)

        def connected() -> HTTPConnection:
            try:
                connection.connect()
            except BaseException:
                connection.close()
                raise
            return connection

        try:
            return run_interruptibly(connected, seconds=seconds, stop=self._stop, discard=HTTPConnection.close)
        except BaseException:
            cut(connection.sock)  # its thread may still wait for the handshake
            raise


def _close_all(idle: deque[tuple[HTTPConnection, float]]) -> None:
    while idle:
        idle.pop()[0].close()
