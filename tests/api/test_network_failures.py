"""Every exception of the network, in few words, and whether a retry can help."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from typing import Any

import pytest
from urllib3 import exceptions as urllib3_errors
from urllib3.util.url import Url

from airflow_provider_pinterest.api.network_failures import connect_failure, describe, exchange_failure
from airflow_provider_pinterest.api.responses import Misconfigured, OutcomeUnknown, Unavailable
from airflow_provider_pinterest.api.route import Proxy, Route
from airflow_provider_pinterest.redaction import Secret

POOL: Any = None
ROUTE = Route("api.example.com", 443, "/v5", None, "/certs.pem", None)
PROXY = Proxy(Url(scheme="http", host="proxy.example.com", port=3128), Secret("someone:p4ss"))
PROXIED = Route("api.example.com", 443, "/v5", None, "/certs.pem", PROXY)


class SOCKS5AuthError(OSError):
    """The optional library's."""


def caused(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


def untrusted(words="self-signed certificate") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] {words}")
    error.verify_message = words
    return error


WORDS: dict[str, Exception] = {
    "connection refused": caused(
        urllib3_errors.NewConnectionError(POOL, "Failed"), ConnectionRefusedError(111, "refused")
    ),
    "DNS lookup failed": caused(
        urllib3_errors.NameResolutionError("h", POOL, socket.gaierror(-2, "unknown")), socket.gaierror(-2, "unknown")
    ),
    "connection timed out": urllib3_errors.ConnectTimeoutError(POOL, "https://u:p4ss@h"),
    "timed out": TimeoutError("The read operation timed out"),
    "connection closed without an answer": http.client.RemoteDisconnected("Remote end closed"),
    "connection reset": ConnectionResetError(104, "reset"),
    "too many open files in this process": caused(
        urllib3_errors.NewConnectionError(POOL, "Failed"), OSError(errno.EMFILE, "Too many open files")
    ),
    "network unreachable": OSError(errno.ENETUNREACH, "unreachable"),
    "host unreachable": OSError(errno.EHOSTUNREACH, "unreachable"),
    "no free local port": OSError(errno.EADDRNOTAVAIL, "Cannot assign"),
    "TLS failed (WRONG_VERSION_NUMBER)": ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"),
    "the answer is incomplete": urllib3_errors.IncompleteRead(1, 2),
    "the answer is not HTTP": http.client.BadStatusLine("220 smtp ada@example.com"),
    "the proxy answered HTTP 502": OSError("Tunnel connection failed: 502 Bad Gateway"),
    "connection failed (RuntimeError)": RuntimeError("https://u:p4ss@h Bearer pina_x"),
}


@pytest.mark.parametrize(("words", "error"), WORDS.items(), ids=WORDS)
def test_words(words, error):
    if words.startswith("TLS"):
        error.reason = "WRONG_VERSION_NUMBER"

    assert describe(error) == words


@pytest.mark.parametrize("error", WORDS.values(), ids=WORDS)
def test_before_the_request_it_may_be_tried_again_and_after_it_has_an_unknown_outcome(error):
    before, after = connect_failure(error, ROUTE), exchange_failure(error, ROUTE)

    assert isinstance(before, Unavailable)
    assert isinstance(after, OutcomeUnknown)
    assert before.trace.host == after.trace.host == "api.example.com:443"
    assert "p4ss" not in repr((before, after))
    assert "pina_x" not in repr((before, after))


def test_the_proxy_is_named_without_its_password():
    answer = connect_failure(ConnectionRefusedError(), PROXIED)

    assert answer.trace.message == "connection refused, through the proxy proxy.example.com:3128"


SETTINGS: dict[str, tuple[Exception, str]] = {
    "an untrusted certificate": (untrusted(), "REQUESTS_CA_BUNDLE"),
    "an untrusted certificate, wrapped": (caused(urllib3_errors.SSLError("x"), untrusted()), "/certs.pem"),
    "a host name that cannot be encoded": (urllib3_errors.LocationParseError("label too long"), "host"),
    "a host name that is no text": (UnicodeError("label too long"), "host"),
    "a proxy that asks for a password": (OSError("Tunnel connection failed: 407 Auth"), "HTTPS_PROXY"),
    "a proxy that refuses a password": (SOCKS5AuthError("0x01"), "HTTPS_PROXY"),
    "a proxy that denies": (OSError("Tunnel connection failed: 403 Forbidden"), "NO_PROXY"),
}


@pytest.mark.parametrize(("error", "words"), SETTINGS.values(), ids=SETTINGS)
def test_settings_that_no_retry_can_help_say_what_to_change(error, words):
    answer = connect_failure(error, PROXIED)

    assert isinstance(answer, Misconfigured)
    said = f"{answer.trace.message} {answer.trace.advice}"
    assert words in said
    assert "p4ss" not in said


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_proxy_that_is_busy_is_tried_again(status):
    assert isinstance(connect_failure(OSError(f"Tunnel connection failed: {status} x"), PROXIED), Unavailable)


def test_causes_are_found_wherever_they_hide_and_loops_end():
    inner, outer = ConnectionRefusedError(), RuntimeError()
    outer.__cause__, inner.__context__ = inner, outer

    assert describe(outer) == "connection refused"
