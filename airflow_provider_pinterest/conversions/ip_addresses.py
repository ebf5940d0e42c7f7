"""Public IP addresses."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from socket import AF_INET, inet_pton
from typing import Any, Final

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.cells import ordinary
from airflow_provider_pinterest.conversions.identifiers import LONGEST, MOST, PlainIdentifier
from airflow_provider_pinterest.conversions.invisible import visible
from airflow_provider_pinterest.conversions.reasons import (
    InvalidCellError,
    UnusableCellError,
)

# Addresses of computers

_LOCAL_4: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.168.0.0/16", "224.0.0.0/3"),
        ),
    )
)

_LOCAL_6: Final = tuple(map(ipaddress.IPv6Network, ("::/127", "fc00::/7", "fe80::/9", "ff00::/8")))
"""Networks whose addresses do not identify a person: private, local, shared by many, or void."""

_LOCAL_FIRST: Final = frozenset({0, 10, 100, 127, 169, 172, 192, *range(224, 256)})
"""First bytes of the IPv4 addresses in these networks."""

_between_addresses = re.compile(r"[ \t,;|]+")

_forwarded = re.compile(r"(for|by|host|proto)\s*=\s*", re.IGNORECASE).match


def public_address(text: str) -> str:
    """Return the first public address of a list, without port, brackets, zone and mask."""
    for part in _between_addresses.split(text):
        found = _address(part)
        if found is not None:
            return found
    return ""


class PlainIpAddress(PlainIdentifier):
    """Parse an IPv4 or IPv6 address."""

    def read(self, cell: Any) -> str | None:
        """Return the address in a cell, ``None`` if it is empty.

        :raises UnusableCellError: no address in it is public.
        """
        text = cell.strip() if type(cell) is str else self._joined(cell)
        try:
            if inet_pton(AF_INET, text)[0] not in _LOCAL_FIRST:
                return text
        except (OSError, ValueError):
            pass
        if len(text) > LONGEST:
            raise UnusableCellError(self._code)
        text = visible(text.strip(values.INVISIBLE))
        if text[:1] + text[-1:] in ("[]", "{}"):
            with suppress(InvalidCellError):
                text = self._joined(values.items(text))
        return super().read(text)

    def _joined(self, cell: Any) -> str:
        """Return the texts of a list as one text."""
        if not isinstance(cell, (list, tuple)):
            raise UnusableCellError(self._code)
        items = [item if type(item) is str else ordinary(item) for item in cell[:MOST]]
        return ",".join(item for item in items if type(item) is str)


def _is_network(text: str) -> bool:
    """Return whether an address with a mask is a whole network."""
    try:
        return ipaddress.ip_network(text).num_addresses > 1
    except ValueError:
        return False


def _address(text: str) -> str | None:
    """Return the public address in one element of a list; ``None`` if it is not one."""
    forwarded = _forwarded(text)
    if forwarded:
        if forwarded[1].lower() != "for":
            return None
        text = text[forwarded.end() :]
    text, slash, mask = text.strip("\"'").partition("/")
    if slash and _is_network(f"{text}/{mask}"):
        return None
    text = text.partition("%")[0]
    if text.startswith("["):
        text = text[1:].partition("]")[0].strip("\"'")
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not port.isdecimal():
            return None
    try:
        inet_pton(AF_INET, text)
        four = ipaddress.IPv4Address(text)
    except (OSError, ValueError):
        try:
            six = ipaddress.IPv6Address(text)
        except ValueError:
            return None
        if six.ipv4_mapped is None:
            return None if any(six in network for network in _LOCAL_6) else str(six)
        four = six.ipv4_mapped
    return None if any(four in network for network in _LOCAL_4) else str(four)
