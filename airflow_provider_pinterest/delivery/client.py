"""One call: a body goes to Pinterest, an answer comes back.

https://developers.pinterest.com/docs/api/v5/events-create/
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
import time
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_pinterest import __version__
from airflow_provider_pinterest.delivery.answers import Answer, Busy, Doubt, Reply, Trace, read_answer, read_failure
from airflow_provider_pinterest.delivery.credentials import Credential
from airflow_provider_pinterest.exceptions import ParameterError

PRODUCTION: Final = "https://api.pinterest.com/v5"

CONNECT_TIMEOUT: Final = 10.0
READ_TIMEOUT: Final = 60.0
TOTAL_TIMEOUT: Final = 120.0
"""Seconds that one call may take, from first byte to last, however slowly the server drips."""

ANSWER_LIMIT: Final = 8_000_000
"""Bytes of an answer that are read; a thousand outcomes take some 80,000."""

USER_AGENT: Final = f"airflow-provider-pinterest/{__version__}"

_current = threading.local()


class _Remembered(HTTPConnection):
    """A connection that its thread can find again, to cut it off."""

    def request(self, *args: Any, **kwargs: Any) -> None:
        _current.connection = self
        super().request(*args, **kwargs)


class _RememberedTLS(HTTPSConnection):
    """The same over TLS."""

    def request(self, *args: Any, **kwargs: Any) -> None:
        _current.connection = self
        super().request(*args, **kwargs)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Remembered


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _RememberedTLS


class _Adapter(HTTPAdapter):
    """No retries of its own: there is one layer of them, and it is not here."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


def base_url(host: str | None) -> str:
    """Return the API's base URL, checked.

    :raises ParameterError: it is not https, and not http to this machine.
    """
    url = (host or PRODUCTION).strip().rstrip("/")
    try:
        parts = urlsplit(url)
        readable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets or a port that cannot be read
        readable = False
    if not readable or any(char in "@?#\\" or char.isspace() for char in url):
        raise ParameterError(f"The connection's host must be a URL such as {PRODUCTION}, without user or query.")
    if parts.scheme == "http" and not _loopback(parts.hostname or ""):
        raise ParameterError(
            f"The connection's host must be https; http goes to this machine only, not {parts.hostname}."
        )
    return url


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def account_id(value: object) -> str:
    """Return an ad account's id, checked: it becomes part of the URL's path.

    :raises ParameterError: it is not one to 18 digits.
    """
    text = str(value).strip()
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ParameterError(
            f"ad_account_id must be 1 to 18 digits, as in Ads Manager's address bar, got {text[:40]!r}."
        )
    return text


class Client:
    """The events endpoint of one ad account, over kept-alive connections; shared by threads.

    :param url: the API's base URL, see :func:`base_url`.
    :param ad_account_id: digits, see :func:`account_id`.
    :param credential: the token.
    :param test: send with ``?test=true``: validated, answered, not recorded.
    :param connections: how many calls may be under way at once.
    :param timeouts: seconds to connect, to receive something, and for the whole call.
    """

    def __init__(
        self,
        url: str,
        ad_account_id: str,
        credential: Credential,
        *,
        test: bool = False,
        connections: int = 1,
        timeouts: tuple[float, float, float] = (CONNECT_TIMEOUT, READ_TIMEOUT, TOTAL_TIMEOUT),
    ) -> None:
        self.ad_account_id = account_id(ad_account_id)
        self.test = test
        self.credential = credential
        self._url = f"{url}/ad_accounts/{self.ad_account_id}/events"
        self._params = {"test": "true"} if test else None
        self._timeouts = timeouts
        self.session = requests.Session()
        self.session.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json"})
        adapter = _Adapter(pool_connections=1, pool_maxsize=connections, max_retries=0)
        self.session.mount("https://", adapter)
        self.session.mount("http://", adapter)
        self._busy: dict[int, dict[str, Any]] = {}
        self._aborted = False

    def post(self, body: bytes, events: int) -> Answer:
        """Send one body of so many events; whatever happens, an answer describes it."""
        headers = {"Content-Type": "application/json"}
        reply = self._exchange(self._url, params=self._params, data=body, headers=headers, auth=self.credential)
        if isinstance(reply, Reply):
            return read_answer(*reply, events, time.time())
        return reply

    def renew(self, used: str) -> Busy | None:
        """Get a new token for all threads, unless one has it already.

        :param used: the token that is too old.
        :return: why it must be asked again later; ``None``: there is a new token.
        :raises CredentialError: Pinterest does not issue one.
        """
        return self.credential.renew(used, lambda url, form, auth: self._exchange(url, data=form, auth=auth))

    def _exchange(self, url: str, **request: Any) -> Reply | Busy | Doubt:
        """Make one call, which ends in time or when it is cut off."""
        if self._aborted:
            return Busy(Trace(message="told to stop"))
        connect, read, total = self._timeouts
        late = threading.Event()
        mine = self._busy[threading.get_ident()] = _current.__dict__
        mine.pop("connection", None)  # the last call's, which may be another thread's by now
        cut = threading.Timer(total, _cut, args=(mine, late))
        cut.daemon = True
        cut.start()
        try:
            response = self.session.post(url, timeout=(connect, read), allow_redirects=False, stream=True, **request)
            with response:
                content = response.raw.read(ANSWER_LIMIT, decode_content=True)
        except Exception as error:  # noqa: BLE001 - requests', urllib3's and http.client's own, all of them
            return self._failed(error, late=late.is_set(), connected="connection" in mine)
        finally:
            cut.cancel()
            self._busy.pop(threading.get_ident(), None)
        return Reply(response.status_code, response.headers, content)

    def abort(self) -> None:
        """Cut off every call under way, whoever made it is left in doubt, and make no further one."""
        self._aborted = True
        for mine in list(self._busy.values()):
            _cut(mine)

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def _failed(self, error: Exception, *, late: bool, connected: bool) -> Busy | Doubt:
        if late:
            return Doubt(Trace(message=f"no complete answer within {self._timeouts[2]:g} seconds"))
        return read_failure(error, connected=connected)


def _cut(mine: dict[str, Any], late: threading.Event | None = None) -> None:
    """Cut a connection off so that whoever reads from it stops waiting."""
    if late is not None:
        late.set()
    connection = mine.get("connection")
    sock = getattr(connection, "sock", None)
    if sock is not None:
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
