"""Find personal data in fields that are sent unhashed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from airflow_provider_pinterest.conversions import url_people
from airflow_provider_pinterest.conversions.reasons import UnusableCellError

LEFT_OUT: Final = "personal_data_in_plain_field"
SENT: Final = "personal_data_sent"
CUT: Final = "personal_data_in_url"

Handle = Callable[[str], str]
"""Text with an ``@`` → the part that may be sent; raises UnusableCellError to warn."""

_at = re.compile("@|%40|%2540|\uff20")
_AT_SIGNS: Final = (b"@", b"%40", b"%2540", "\uff20".encode())
_domain = re.compile(r"[^\s@/?&#=;,:<>\"'()%]+\.[^\s@/?&#=;,.:<>\"'()%]{2}").match
_BEFORE: Final = frozenset("@/?&#=;,:<>\"'()")
_url = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)?([^/?#]*)([^?#]*)(.*)", re.DOTALL)


def has_at(text: str) -> bool:
    """Return whether a text contains an ``@``, plain or URL-encoded."""
    return _at.search(text) is not None


def has_at_sign(data: bytes) -> bool:
    """Return the same for UTF-8."""
    if data.find(b"@") >= 0 or not data.isascii():
        return any(data.find(sign) >= 0 for sign in _AT_SIGNS)
    return data.find(b"%") >= 0 and (data.find(b"%40") >= 0 or data.find(b"%2540") >= 0)


def has_address(text: str) -> bool:
    """Return whether a text contains an e-mail address, plain or URL-encoded."""
    for at in _at.finditer(text):
        before = text[at.start() - 1 : at.start()]
        if before and not before.isspace() and before not in _BEFORE and _domain(text, at.end()):
            return True
    return False


def left_out(text: str) -> str:
    """Leave out text that contains an address."""
    if has_address(text):
        raise UnusableCellError(LEFT_OUT)
    return text


def sent(text: str) -> str:
    """Warn about an address in text that must be sent because it identifies the event."""
    if has_address(text):
        raise UnusableCellError(SENT, text)
    return text


def cut(text: str) -> str:
    """Remove personal data from a URL: the user name before the host, the path from there on, and the query."""
    found = _url.fullmatch(text)
    if found is None:
        return text
    scheme, host, path, query = found[1] or "", found[2], found[3], found[4]
    kept_host = host.rpartition("@")[2]
    segments = path.split("/")
    clean = next((at for at, segment in enumerate(segments) if has_address(segment)), len(segments))
    named = url_people.in_segments(segments)
    clean = clean if named is None else min(clean, named)
    is_cut = clean < len(segments) or has_at(query) or url_people.in_query(query)
    kept = scheme + kept_host + "/".join(segments[:clean]) + ("" if is_cut else query)
    if clean < len(segments) and clean:
        kept += "/"
    if kept == text:
        return text
    raise UnusableCellError(CUT, kept or None)
