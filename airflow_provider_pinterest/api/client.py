"""Makes one call to Pinterest's API: a request goes out, a response comes back. Each endpoint has its own module.

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
"""Largest duration of one call in seconds, including the time to connect."""

ANSWER_LIMIT: Final = 8_000_000
"""Largest answer that is read, in bytes, both compressed and decompressed; 1,000 outcomes take about 80,000 bytes."""

USER_AGENT: Final = f"airflow-provider-pinterest/{__version__}"

_CHUNK: Final = 65_536
_WRONG_CONNECTION: Final = frozenset({408, 421})
"""Statuses after which a connection is not reused."""


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
        raise ParameterError(
            f"The connection's host is not a valid URL. Use a URL such as {PRODUCTION}, without user or query, or "
            "leave it empty."
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ParameterError(
            f"The connection's host must start with https://. http:// is allowed for this machine only, not for "
            f"{parts.hostname}."
        )
    return url


class Client:
    """Makes calls with one access token; shared by threads.

    It does not send cookies, follow redirects or retry.

    :param url: the API's base URL, see :func:`base_url`.
    :param credential: the token.
    :param connections: largest number of idle connections; one for each thread that sends.
    :param timeouts: seconds for each step of connecting, between two reads, and for the whole call.
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
        """Make one call. It ends when it is complete, late or aborted. Network failures are returned, not raised.

        :param fresh: send over a new connection that is closed afterwards. A server may close a kept-alive
            connection at any moment, which leaves the outcome of the next request unknown.
        :param begin: called once, when the connection is ready and just before the first byte of the request is
            written. If it raises, nothing is written. Failures before it are never :class:`OutcomeUnknown`.
        :raises Stopped: ``begin`` raised it, or :meth:`abort` was called before ``begin``; nothing was written.
        :raises UnavailableError: no thread could be started for the deadline of the call; nothing was written.
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
        :return: ``None`` if there is a new token; ``refused`` if there is none; otherwise why the request failed.
        :raises CredentialError: Pinterest refuses to issue a token.
        :raises Stopped: :meth:`abort` was called.
        """
        return self.credential.renew(used, partial(request_token, self.call), refused=refused, stop=self._aborted)

    def abort(self) -> None:
        """Abort all calls in flight and make no more; returns at once.

        Calls that had started to send return :class:`OutcomeUnknown`; the others raise ``Stopped``.
        """
        self._aborted.set()
        self._watchdog.cut_all()

    def close(self) -> None:
        """Close the idle connections."""
        self._connections.close()
        self._watchdog.close()

    def _connect(self, *, fresh: bool) -> HTTPConnection | Unavailable | Misconfigured:
        """Return a connection that is ready, or why it could not be opened.

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
        except Exception as error:  # noqa: BLE001 - of urllib3, http.client or the system
            return connect_failure(error, self._route)
        # Raised here, errors are not chained to those of the library, whose frames hold headers.
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
        except Exception as error:  # noqa: BLE001 - of urllib3, http.client or the system
            return self._cut_off(call) or exchange_failure(error, self._route), False
        except BaseException as interruption:  # noqa: BLE001 - raised again, without the library's frames, which hold the token
            raise interruption.with_traceback(None)  # noqa: B904
        status = response.status
        log.debug(
            "%s %s: HTTP %d, %d bytes", request.method, self._route.path + request.path, status, len(content or b"")
        )
        reply = Reply(status, response.headers, content)
        return reply, complete and status >= 200 and status not in _WRONG_CONNECTION and not connection.is_closed

    def _send(self, connection: HTTPConnection, request: Request, *, fresh: bool) -> HTTPResponse:
        # The server may answer and close before it has read the whole body.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(
                request.method,
                self._route.path + request.path,
                body=None if request.body is None else request.body(),
                headers={
                    "User-Agent": USER_AGENT,
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                    **({} if request.body is None else {"Content-Type": request.content_type}),
                    **({"Connection": "close"} if fresh else {}),
                    "Authorization": (request.authorization or self.credential.bearer)(),
                },
                preload_content=False,
                decode_content=False,
            )
        return connection.getresponse()

    def _cut_off(self, call: WatchedCall) -> OutcomeUnknown | None:
        """Return why a call was aborted; ``None`` if it was not."""
        if call.late:
            return OutcomeUnknown(
                Trace(message=f"no complete answer within {self._timeouts[2]:g} seconds", host=self._route.address)
            )
        if self._aborted.is_set():
            return OutcomeUnknown(Trace(message="aborted because the run was stopped", host=self._route.address))
        return None


def _content(response: HTTPResponse) -> tuple[bytes | None, bool]:
    """Read a body, up to :data:`ANSWER_LIMIT`; return it decoded, and whether it was read to its end.

    The body is ``None`` if it is incomplete or cannot be decoded.
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
    except Exception:  # the status is known in any case
        if response.status in (200, 422):
            raise
    return None, False


def _decoded(content: bytes, encoding: str) -> bytes | None:
    """Decode a body; ``None`` if it cannot be decoded or is longer than :data:`ANSWER_LIMIT`."""
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
        "The operating system refused to start a thread, so no call could be made.",
        advice="Raise the worker's limits for processes, threads and memory.",
    )
