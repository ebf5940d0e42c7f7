"""Refuses requests with an unknown host name, and requests from other web pages.

A browser lets any web page send requests to this machine. The ``Host`` header has the name that the client
used; an unknown name that resolves to this machine is refused (DNS rebinding). ``Origin`` and ``Sec-Fetch-Site`` say
which page sent the request; pages of other sites are refused.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

_authority = re.compile(
    r"(?:\[(?P<ipv6>[0-9a-f.]*:[0-9a-f:.]*)\]|(?P<name>[a-z0-9._-]+))(?::(?P<port>[0-9]{0,5}))?"
).fullmatch
_default_ports = {"http": 80, "https": 443}
_NOT_FOREIGN = frozenset({"same-origin", "none"})
"""The values of ``Sec-Fetch-Site`` for the sandbox's own pages and for an address that the user typed."""


class Authority(NamedTuple):
    """A host in canonical form, and the port, if given."""

    host: str
    port: int | None

    def at(self, scheme: str) -> tuple[str, int]:
        """Return host and port, with the default port of a scheme."""
        return self.host, _default_ports[scheme] if self.port is None else self.port


def authority(text: str) -> Authority | None:
    """Parse ``host`` or ``host:port``, as in a ``Host`` header. Return None if the text is invalid."""
    found = _authority(text.lower())
    if found is None:
        return None
    host = _canonical(found["ipv6"] or found["name"])
    return None if host is None else Authority(host, int(found["port"]) if found["port"] else None)


def _canonical(host: str) -> str | None:
    """Return the canonical form of a lower-case host, or None if it is not a valid host."""
    if ":" not in host:
        host = host.removesuffix(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host if ":" not in host and all(host.split(".")) else None
    return str(getattr(address, "ipv4_mapped", None) or address)


def is_loopback(host: str) -> bool:
    """Return whether a name or address is a loopback one."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Decides which requests are answered.

    :param listening_on: the address or name that the server listens on.
    :param allow_hosts: more names or addresses that clients may use, such as the name of a container.
    :raises ValueError: one of them is not a host name or an address.
    """

    def __init__(self, listening_on: str, allow_hosts: Iterable[str] = ()) -> None:
        own = _canonical(listening_on.lower().partition("%")[0])
        self._hosts = {own} if own else set()
        for text in allow_hosts:
            found = authority(f"[{text}]" if text.count(":") > 1 and "[" not in text else text)
            if found is None or found.port is not None:
                raise ValueError(f"{text!r} is not a host name or an address; give it without scheme and port")
            self._hosts.add(found.host)

    def refusal(self, method: str, target: str, header: Callable[[str], Sequence[str]]) -> str | None:
        """Return why a request is refused, or None.

        :param target: the target of the request line. It may have a host too.
        :param header: returns the values of a header.
        """
        named = list(header("Host"))
        scheme, absolute, rest = target.partition("://")
        if absolute and "/" not in scheme:
            named.append(re.split(r"[/?#]", rest, maxsplit=1)[0])
        if not header("Host"):
            return "A request needs a Host header."
        for text in named:
            if (refusal := self._unknown_host(text)) is not None:
                return refusal
        return _foreign_page(method, named[0], header)

    def _unknown_host(self, text: str) -> str | None:
        found = authority(text)
        if found is None:
            return "The Host header is not a host name or an address with an optional port."
        if is_loopback(found.host) or found.host in self._hosts:
            return None
        return (
            f"Host {found.host!r} is not allowed. If it is a name of this sandbox, start it with "
            f"--allow-host {found.host}, or Sandbox(allow_hosts=[{found.host!r}])."
        )


def _foreign_page(method: str, host: str, header: Callable[[str], Sequence[str]]) -> str | None:
    """Return why a request from a browser is refused. Programs do not send these headers."""
    for origin in header("Origin"):
        if not _is_own(origin, host):
            return "Requests from web pages of another origin are not allowed."
    if any(site.lower() not in _NOT_FOREIGN for site in header("Sec-Fetch-Site")) and not _is_followed_link(
        method, header
    ):
        return "Requests from web pages of another site are not allowed."
    return None


def _is_own(origin: str, host: str) -> bool:
    scheme, _, rest = origin.partition("://")
    theirs, ours = authority(rest), authority(host)
    if scheme not in _default_ports or theirs is None or ours is None:
        return False
    return theirs.at(scheme) == ours.at(scheme)


def _is_followed_link(method: str, header: Callable[[str], Sequence[str]]) -> bool:
    """Return whether a user followed a link to the sandbox. That is safe: it changes nothing."""
    navigates = list(header("Sec-Fetch-Mode")) == ["navigate"] and list(header("Sec-Fetch-Dest")) == ["document"]
    return method == "GET" and navigates
