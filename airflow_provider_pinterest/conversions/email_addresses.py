"""E-mail addresses in canonical form."""

from __future__ import annotations

import re
import unicodedata

# E-mail

_is_plain_email = re.compile(r"[a-z0-9_+-][a-z0-9_.+-]{0,63}@[a-z0-9][a-z0-9.-]{0,99}\.[a-z]{1,20}", re.ASCII).fullmatch

_is_email = re.compile(
    r"[^\s@<>()\[\],;:\"\\.*]+(?:\.[^\s@<>()\[\],;:\"\\.*]+)*"
    r"@(?:(?!-)[^\s@!-,/:-@\[-^`{-~.]+(?<!-)\.)+(?!-|\d+$)[^\s@!-,/:-@\[-^`{-~.]+(?<!-)"
).fullmatch

_label = re.compile(r"(?:e-?mail|mail|smtp)(?:\s*[:=]\s*|\s+)(?=\S)", re.ASCII | re.IGNORECASE).match

_behind = re.compile(r"(@[^\s@]+\.[^\s@.]{2,})\s+[^@.]*$").search

_angled = re.compile(r"<([^<>]*)>")

_comment = re.compile(r"(?<=[^(])\([^()]*\)$")


def email(text: str) -> str:
    """Remove white space and the surroundings of the address, and lowercase.

    Surroundings are a name, angle brackets, quotation marks, ``mailto:``, invisible characters, and punctuation. The
    rest must be an address with a dot in its domain.
    """
    if not (text.isascii() and text.isprintable()):
        text = unicodedata.normalize("NFKC", text)
        text = "".join(char for char in text if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf"))
    angled = _angled.findall(text)
    if len(angled) == 1:
        text = angled[0]
    label = _label(text)
    if label:
        text = text[label.end() :]
    behind = _behind(text)
    if behind:
        text = text[: behind.end(1)]
    if len(text.partition("@")[0].split()) > 2:
        return ""
    address = "".join(text.split()).lower().replace("\u3002", ".")
    address = _comment.sub("", address)
    for _ in range(3):
        if address[:1] + address[-1:] == "{}":
            address = address[1:-1]
        address = address.lstrip("\"'`<([,;:\u201c\u2018\u00ab").rstrip("\"'`>)],;:.\u201d\u2019\u00bb")
        if address.startswith("mailto:"):
            address = address.removeprefix("mailto:").removeprefix("//").partition("?")[0]
    return address if _is_email(address) else ""


def plain_email(text: str) -> bytes:
    """Lowercase an address that needs no other change; return nothing for others."""
    address = text.lower()
    if (
        _is_plain_email(address)
        and ".." not in address
        and ".@" not in address
        and "-." not in address
        and ".-" not in address
    ):
        return address.encode()
    return b""
