"""The route to the API's host: the address, the proxy, and the certificates to trust.

The environment is read once: ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` like in ``requests``, and
``REQUESTS_CA_BUNDLE`` or ``CURL_CA_BUNDLE``. Hosts on this machine are never reached through a proxy.
"""

from __future__ import annotations

import base64
import importlib
import importlib.util
import ipaddress
import os
import ssl
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.exceptions import LocationValueError
from urllib3.util.ssl_ import create_urllib3_context
from urllib3.util.url import Url, parse_url

from airflow_provider_pinterest.exceptions import ConfigurationError
from airflow_provider_pinterest.redaction import Secret

PORTS: Final = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}
"""Default port by the scheme of a URL."""

CA_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy.

    :param url: its URL, without user and password.
    :param user: user and password, as written in the URL.
    """

    url: Url
    user: Secret | None

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self.url.host}:{self.url.port}"

    def headers(self) -> dict[str, str]:
        """Return the headers that the proxy requires."""
        if self.user is None:
            return {}
        plain = unquote(self.user.reveal()).encode()
        return {"Proxy-Authorization": f"Basic {base64.b64encode(plain).decode()}"}


@dataclass(frozen=True, slots=True)
class Route:
    """The address of the API, and how to connect to it.

    :param host: the API's host.
    :param path: the path of the API's base URL.
    :param tls: trusted certificates; ``None`` for plain HTTP to this machine.
    :param ca_bundle: file or folder of the certificates.
    """

    host: str
    port: int
    path: str
    tls: ssl.SSLContext | None
    ca_bundle: str
    proxy: Proxy | None

    @property
    def address(self) -> str:
        """The API's host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def connection(self, timeout: float) -> HTTPConnection:
        """Return a connection that is not open yet.

        :param timeout: seconds for each step of connecting.
        """
        if self.tls is None:
            return HTTPConnection(self.host, self.port, timeout=timeout)
        if self.proxy is None:
            return HTTPSConnection(self.host, self.port, timeout=timeout, ssl_context=self.tls)
        if self.proxy.url.scheme in ("http", "https"):
            made = HTTPSConnection(
                self.proxy.url.host or "",
                self.proxy.url.port,
                timeout=timeout,
                ssl_context=self.tls,
                proxy=self.proxy.url,
                proxy_config=ProxyConfig(
                    self.tls, use_forwarding_for_https=False, assert_hostname=None, assert_fingerprint=None
                ),
            )
            made.set_tunnel(self.host, self.port, self.proxy.headers(), scheme=self.proxy.url.scheme)
            return made
        return _socks_connection(self.proxy, self.host, self.port, timeout=timeout, ssl_context=self.tls)


def find_route(url: str) -> Route:
    """Return the route to the API's base URL, from the current environment.

    :raises ConfigurationError: the proxy or the CA bundle cannot be used; the message says what to change.
    """
    parts = parse_url(url)
    host = (parts.host or "").strip("[]")
    port = parts.port or PORTS[parts.scheme or ""]
    tls, ca_bundle = _trusted() if parts.scheme == "https" else (None, "")
    proxy = None if is_loopback(host) else _proxy(url)
    return Route(host, port, parts.path or "", tls, ca_bundle, proxy)


def _trusted() -> tuple[ssl.SSLContext, str]:
    """Return a TLS context with the certificates to trust, and their file or folder."""
    variable = next((name for name in CA_VARIABLES if os.environ.get(name)), None)
    path = os.environ[variable] if variable else DEFAULT_CA_BUNDLE_PATH
    context = create_urllib3_context()
    problem = None
    try:
        if os.path.isdir(path):  # noqa: PTH112 - OpenSSL takes a text
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        problem = "it has no certificates in PEM format"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem is None:
        return context, path
    advice = f"Correct or unset the environment variable {variable}" if variable else "Reinstall the package certifi"
    raise ConfigurationError(f"The CA bundle {path} cannot be used: {problem}.", advice=f"{advice}.")


def _proxy(url: str) -> Proxy | None:
    """Return the proxy for a URL.

    :raises ConfigurationError: its URL is invalid, or its library is missing.
    """
    found = _environment_proxy(url)
    if found is None:
        return None
    proxy = _parsed(found)
    if proxy is None:
        raise ConfigurationError(
            "The proxy in the environment is not a valid URL such as http://proxy.example.com:3128.",
            advice="Correct the environment variable HTTPS_PROXY or ALL_PROXY.",
        )
    if (proxy.url.scheme or "").startswith("socks") and importlib.util.find_spec("socks") is None:
        raise ConfigurationError(
            f"The environment sets the SOCKS proxy {proxy.address}, and the library for SOCKS is not installed.",
            advice="Run pip install 'requests[socks]', or change the environment variable HTTPS_PROXY or ALL_PROXY.",
        )
    return proxy


def _environment_proxy(url: str) -> Secret | None:
    found = select_proxy(url, get_environ_proxies(url, no_proxy=None))
    return Secret(found) if found else None


def _parsed(proxy: Secret) -> Proxy | None:
    """Read the URL of a proxy; ``None`` if it is not valid. Never raises, because its locals hold the password."""
    text = proxy.reveal().strip()
    try:
        url = parse_url(text if "://" in text else f"http://{text}")
    except (LocationValueError, UnicodeError):
        return None
    scheme = url.scheme or ""
    if not url.host or scheme not in PORTS or url.port == 0:
        return None
    plain = Url(scheme=scheme, host=url.host.strip("[]"), port=url.port or PORTS[scheme])
    return Proxy(plain, Secret(url.auth) if url.auth else None)


def _socks_connection(proxy: Proxy, host: str, port: int, **options: Any) -> HTTPConnection:
    from urllib3.contrib.socks import SOCKSHTTPSConnection

    return SOCKSHTTPSConnection(_socks_options(proxy), host, port, **options)


def _socks_options(proxy: Proxy) -> Any:
    socks = importlib.import_module("socks")
    scheme = proxy.url.scheme or ""
    name, _, password = (proxy.user or Secret("")).reveal().partition(":")
    return {
        "socks_version": socks.PROXY_TYPE_SOCKS4 if scheme.startswith("socks4") else socks.PROXY_TYPE_SOCKS5,
        "proxy_host": proxy.url.host,
        "proxy_port": proxy.url.port,
        "username": unquote(name) or None,
        "password": unquote(password) or None,
        "rdns": scheme in ("socks4a", "socks5h"),
    }
