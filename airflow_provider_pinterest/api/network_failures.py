"""Network failures: what failed, and whether a retry can help.

The text of an exception is not kept, because it may have the URL and, with a proxy, even headers.
"""

from __future__ import annotations

import errno
import http.client
import re
import socket
import ssl
from typing import Final

from urllib3 import exceptions as urllib3_errors

from airflow_provider_pinterest.api.responses import Misconfigured, OutcomeUnknown, Trace, Unavailable
from airflow_provider_pinterest.api.route import CA_VARIABLES, Route
from airflow_provider_pinterest.redaction import clean

_ERRNO: Final = {
    errno.EMFILE: "too many open files in this process",
    errno.ENFILE: "too many open files on this machine",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ENETUNREACH: "network unreachable",
    errno.EADDRNOTAVAIL: "no free local port",
    errno.EPIPE: "connection reset",
}
_TUNNEL: Final = re.compile(r"Tunnel connection failed: (\d{3})")
_TRANSIENT_4XX: Final = frozenset({408, 425, 429})


def connect_failure(error: BaseException, route: Route) -> Unavailable | Misconfigured:
    """Classify an exception that was raised before the first byte of the request was sent."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _misconfigured(route, *_certificate(cause, route))
        if isinstance(cause, (urllib3_errors.LocationValueError, UnicodeError)):
            return _misconfigured(route, "the host is not a valid name", "Correct the connection's host.")
        if type(cause).__name__ == "SOCKS5AuthError":  # the library is optional
            return _misconfigured(route, *_proxy_denies(407, route))
        status = _refused_by_proxy(cause)
        if status is not None and 400 <= status < 500 and status not in _TRANSIENT_4XX:
            return _misconfigured(route, *_proxy_denies(status, route))
    return Unavailable(Trace(message=_through_proxy(error, route), host=route.address))


def exchange_failure(error: BaseException, route: Route) -> OutcomeUnknown:
    """Classify an exception that was raised after the first byte of the request was sent."""
    return OutcomeUnknown(Trace(message=_through_proxy(error, route), host=route.address))


def _misconfigured(route: Route, what: str, advice: str) -> Misconfigured:
    return Misconfigured(Trace(message=what, host=route.address, advice=advice))


def _through_proxy(error: BaseException, route: Route) -> str:
    """Describe an exception, and name the proxy if there is one."""
    what = describe(error)
    return what if route.proxy is None else f"{what}, through the proxy {route.proxy.address}"


def describe(error: BaseException) -> str:
    """Return a few words for an exception of the network."""
    causes = _causes(error)
    for cause in causes:
        status = _refused_by_proxy(cause)
        if status is not None:
            return f"the proxy answered HTTP {status}"
        words = _words(cause)
        if words:
            return words
    return f"connection failed ({type(causes[-1]).__name__})"


def _words(cause: BaseException) -> str | None:
    match cause:
        case socket.gaierror():
            return "DNS lookup failed"
        case ConnectionRefusedError():
            return "connection refused"
        case http.client.RemoteDisconnected():
            return "connection closed without an answer"
        case ConnectionError():
            return "connection reset"
        case urllib3_errors.ConnectTimeoutError() if not isinstance(cause, urllib3_errors.NewConnectionError):
            return "connection timed out"
        case TimeoutError():
            return "timed out"
        case ssl.SSLError():
            return f"TLS failed ({clean(getattr(cause, 'reason', None) or type(cause).__name__)})"
        case OSError() if cause.errno in _ERRNO:
            return _ERRNO[cause.errno]
        case http.client.IncompleteRead() | urllib3_errors.IncompleteRead():
            return "the answer is incomplete"
        case http.client.BadStatusLine() | http.client.LineTooLong():
            return "the answer is not HTTP"
    return None


def _refused_by_proxy(cause: BaseException) -> int | None:
    """Return the HTTP status of a proxy that refused to open a tunnel; ``None`` for other failures."""
    found = _TUNNEL.match(str(cause)) if isinstance(cause, OSError) else None
    return int(found[1]) if found else None


def _certificate(error: ssl.SSLCertVerificationError, route: Route) -> tuple[str, str]:
    advice = (
        f"If a proxy or a firewall on the way replaces certificates, set the environment variable {CA_VARIABLES[0]} to "
        f"a file that includes its CA certificate. The current file is {route.ca_bundle}."
    )
    return f"the TLS certificate could not be verified: {clean(error.verify_message)}", advice


def _proxy_denies(status: int, route: Route) -> tuple[str, str]:
    address = route.proxy.address if route.proxy else ""
    if status == 407:
        return (
            f"the proxy {address} requires a valid user and password (HTTP 407)",
            "Set them in the environment variable HTTPS_PROXY: http://user:password@host:port.",
        )
    return (
        f"the proxy {address} does not allow connections to this host (HTTP {status})",
        "Allow the host in the proxy, or add it to the environment variable NO_PROXY.",
    )


def _causes(error: BaseException) -> list[BaseException]:
    """List an exception and what it wraps, the outermost first."""
    found: list[BaseException] = []
    queue: list[object] = [error]
    while queue and len(found) < 20:
        cause = queue.pop(0)
        if isinstance(cause, BaseException) and cause not in found:
            found.append(cause)
            queue += (*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__)
    return found
