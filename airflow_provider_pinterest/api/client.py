"""One call of Pinterest's API: a request goes out, a response comes back. Each endpoint has a module of its own.

https://developers.pinterest.com/docs/api/v5/
"""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection
from urllib3.exceptions import LocationValueError
from urllib3.response import HTTPResponse
from urllib3.util.url import parse_url

from airflow_provider_pinterest import __version__
from airflow_provider_pinterest.api.connections import Connections
from airflow_provider_pinterest.api.credentials import Credential
from airflow_provider_pinterest.api.interruptible import NoThreadError, Stopped
from airflow_provider_pinterest.api.network_failures import connect_failure, exchange_failure
from airflow_provider_pinterest.api.oauth_endpoint import request_token
from airflow_provider_pinterest.api.request import Request
from airflow_provider_pinterest.api.responses import (
    AccessDenied,
    Misconfigured,
    OutcomeUnknown,
    Reply,
    Trace,
    Unavailable,
)
from airflow_provider_pinterest.api.route import find_route, is_loopback
from airflow_provider_pinterest.api.watchdog import Watchdog, WatchedCall
from airflow_provider_pinterest.exceptions import ParameterError, UnavailableError
from airflow_provider_pinterest.redaction import Secret

log = logging.getLogger(__name__)

PRODUCTION: Final = "https://api.pinterest.com/v5"

CONNECT_TIMEOUT: Final = 10.0
READ_TIMEOUT: Final = 60.0
TOTAL_TIMEOUT: Final = 120.0
"""Seconds for one call, connecting included, however slowly the server answers."""

ANSWER_LIMIT: Final = 8_000_000
"""Bytes of an answer that are read, compressed and decompressed; a thousand outcomes take about 80,000."""

USER_AGENT: Final = f"airflow-provider-pinterest/{__version__}"

_CHUNK: Final = 65_536
_WRONG_CONNECTION: Final = frozenset({408, 421})
"""Statuses after which a connection is not used again."""


def base_url(host: str | None) -> str:
    """Return the API's base URL, checked.

    :raises ParameterError: it is not https, and not http to this machine.
    """
    url = (host or PRODUCTION).strip().rstrip("/")
    try:
        parts = urlsplit(url)
        readable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        parse_url(url)
        (parts.hostname or "").encode("idna")
    except (ValueError, LocationValueError):  # brackets, a port or a name that cannot be read
        readable = False
    if not readable or any(char in "@?#\\" or char.isspace() for char in url):
        raise ParameterError(f"The connection's host must be a URL such as {PRODUCTION}, without user or query.")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ParameterError(
            f"The connection's host must be https; http goes to this machine only, not {parts.hostname}."
        )
    return url


class Client:
    """Makes calls with one access token; shared by threads.

    It sends no cookies, follows no redirects and retries nothing.

    :param url: the API's base URL, see :func:`base_url`.
    :param credential: the token.
    :param connections: how many idle connections are kept alive: one for each thread that sends.
    :param timeouts: seconds for each step of connecting, to receive something, and for the whole call.
    :raises ConfigurationError: the environment's proxy or CA bundle cannot be used.
    """

    def __init__(
        self,
        url: str,
        credential: Credential,
        *,
        connections: int = 1,
        timeouts: tuple[float, float, float] = (CONNECT_TIMEOUT, READ_TIMEOUT, TOTAL_TIMEOUT),
    ) -> None:
        self.credential = credential
        self._timeouts = timeouts
        self._route = find_route(url)
        self._aborted = threading.Event()
        self._connections = Connections(self._route, connections, self._aborted)
        self._watchdog = Watchdog()

    def call(
        self, request: Request, *, fresh: bool = False, begin: Callable[[], None] = lambda: None
    ) -> Reply | Unavailable | OutcomeUnknown | Misconfigured:
        """Make one call, which ends in time or when it is aborted. Network failures are returned, not raised.

        :param fresh: send over a new connection that is closed afterwards. A server may close a kept-alive
            connection at any moment, which leaves the outcome of the next request unknown.
        :param begin: called once, when the connection is ready and just before the first byte of the request is
            written. If it raises, nothing is written. Failures before it are never :class:`OutcomeUnknown`.
        :raises Stopped: ``begin`` raised it, or :meth:`abort` came before ``begin``: nothing was written.
        :raises UnavailableError: no thread could be started to watch over the call: nothing was written.
        """
        deadline = time.monotonic() + self._timeouts[2]
        connection = self._connect(fresh=fresh)
        if not isinstance(connection, HTTPConnection):
            return connection
        call = WatchedCall(connection.sock)
        reusable = False
        try:
            self._watch(call, deadline)
            if self._aborted.is_set():
                raise Stopped
            begin()
            reply, reusable = self._talk(connection, request, call, fresh=fresh)
        finally:
            self._watchdog.forget(call)
            if reusable and not fresh:
                self._connections.keep(connection)
            else:
                connection.close()
        return reply

    def renew(
        self, used: Secret, refused: AccessDenied | None = None
    ) -> Unavailable | AccessDenied | Misconfigured | None:
        """Replace a token for all threads, unless another thread has replaced it already.

        :param used: the token that was refused or is too old.
        :param refused: the answer that refused it.
        :return: ``None``: there is another token. ``refused``: there is none. Otherwise why it could not be asked for.
        :raises CredentialError: Pinterest refuses to issue one.
        :raises Stopped: :meth:`abort` was called.
        """
        return self.credential.renew(used, partial(request_token, self.call), refused=refused, stop=self._aborted)

    def abort(self) -> None:
        """Cut every call under way and make no more; returns at once.

        Calls that had begun to send end as :class:`OutcomeUnknown`; the others raise ``Stopped``.
        """
        self._aborted.set()
        self._watchdog.cut_all()

    def close(self) -> None:
        """Close the idle connections."""
        self._connections.close()
        self._watchdog.close()

    def _connect(self, *, fresh: bool) -> HTTPConnection | Unavailable | Misconfigured:
        """Return a connection that is ready, or why there is none.

        :raises Stopped: the client was aborted.
        :raises UnavailableError: no thread can be started.
        """
        connect, read, total = self._timeouts
        if self._aborted.is_set():
            raise Stopped
        stopped = no_thread = False
        try:
            connection = self._connections.take(fresh=fresh, connect=connect, seconds=total)
        except Stopped:
            stopped = True
        except NoThreadError:
            no_thread = True
        except Exception as error:  # noqa: BLE001 - urllib3's, http.client's, the system's: all of them
            return connect_failure(error, self._route)
        # Raised here, errors do not refer to those of the library, whose frames hold headers.
        if stopped:
            raise Stopped
        if no_thread:
            raise _no_thread()
        connection.timeout = read
        return connection

    def _watch(self, call: WatchedCall, deadline: float) -> None:
        try:
            self._watchdog.watch(call, deadline)
        except NoThreadError:
            pass
        else:
            return
        raise _no_thread()

    def _talk(
        self, connection: HTTPConnection, request: Request, call: WatchedCall, *, fresh: bool
    ) -> tuple[Reply | OutcomeUnknown, bool]:
        """Send a request and read the answer; return it, and whether the connection can be used again."""
        try:
            with closing(self._send(connection, request, fresh=fresh)) as response:
                content, complete = _content(response)
        except Exception as error:  # noqa: BLE001 - urllib3's, http.client's, the system's: all of them
            return self._cut_off(call) or exchange_failure(error, self._route), False
        except BaseException as interruption:  # noqa: BLE001 - raised again, without the library's frames, which hold the token
            raise interruption.with_traceback(None)  # noqa: B904
        status = response.status
        log.debug("POST %s: HTTP %d, %d bytes", self._route.path + request.path, status, len(content or b""))
        reply = Reply(status, response.headers, content)
        return reply, complete and status >= 200 and status not in _WRONG_CONNECTION and not connection.is_closed

    def _send(self, connection: HTTPConnection, request: Request, *, fresh: bool) -> HTTPResponse:
        # The server may answer and close before it has read the whole body.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(
                "POST",
                self._route.path + request.path,
                body=request.body(),
                headers={
                    "User-Agent": USER_AGENT,
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                    "Content-Type": request.content_type,
                    **({"Connection": "close"} if fresh else {}),
                    "Authorization": (request.authorization or self.credential.bearer)(),
                },
                preload_content=False,
                decode_content=False,
            )
        return connection.getresponse()

    def _cut_off(self, call: WatchedCall) -> OutcomeUnknown | None:
        """Return why a call was cut, if it was."""
        if call.late:
            return OutcomeUnknown(
                Trace(message=f"no complete answer within {self._timeouts[2]:g} seconds", host=self._route.address)
            )
        if self._aborted.is_set():
            return OutcomeUnknown(Trace(message="cut off because the run was stopped", host=self._route.address))
        return None


def _content(response: HTTPResponse) -> tuple[bytes | None, bool]:
    """Read a body, up to :data:`ANSWER_LIMIT`; return it decoded, and whether it was read to its end.

    What breaks off or cannot be decoded is ``None``.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        while size <= ANSWER_LIMIT:
            chunk = response.read(_CHUNK, decode_content=False)
            if not chunk:
                return _decoded(b"".join(chunks), response.headers.get("Content-Encoding", "")), True
            chunks.append(chunk)
            size += len(chunk)
    except Exception:  # the status is known, whatever broke
        if response.status in (200, 422):
            raise
    return None, False


def _decoded(content: bytes, encoding: str) -> bytes | None:
    """Decode a body; ``None`` if that is impossible or it is longer than :data:`ANSWER_LIMIT`."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return content
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return None
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        plain = decoder.decompress(content, ANSWER_LIMIT)
    except zlib.error:
        return None
    return plain if decoder.eof else None


def _no_thread() -> UnavailableError:
    return UnavailableError(
        "The operating system refuses to start a thread, so no call can be made.",
        advice="Raise the worker's limit of processes and threads, or its memory.",
    )
