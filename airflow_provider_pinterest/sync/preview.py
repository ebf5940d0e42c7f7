"""One event as text for people: its structure, without anything that identifies a person."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

_ADDRESS: Final = re.compile(r"[^\s/]*(?:@|%40)[^\s/]*", re.IGNORECASE)
_NOT_PRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")

LONGEST_TEXT: Final = 200
"""Largest number of characters of a text that are shown."""


def shortened(body: bytes) -> str:
    """Return an event as indented JSON, with identifiers and addresses shortened or removed."""
    event = orjson.loads(body)
    user_data = event.pop("user_data", {})
    shown = {_text(name): _value(_text(name), value) for name, value in event.items()}
    shown["user_data"] = {
        name: [f"{one[:6]}…" for one in value] if isinstance(value, list) else f"{value[:4]}…"
        for name, value in user_data.items()
    }
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode()


def _value(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return _url(value) if name.endswith("url") else _text(value)
    if isinstance(value, list):
        return [_value(name, one) for one in value]
    if isinstance(value, dict):
        return {_text(key): _value(_text(key), one) for key, one in value.items()}
    return value


def _text(text: str) -> str:
    """Return text on one line, shortened and without e-mail addresses."""
    text = _ADDRESS.sub("…", _NOT_PRINTABLE.sub(" ", text))
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def _url(url: str) -> str:
    """Return a URL without user, query and fragment, which may identify a person."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "…"
    return _text(f"{parts.scheme}://{host}{parts.path}") + ("…" if parts.query or parts.fragment else "")
