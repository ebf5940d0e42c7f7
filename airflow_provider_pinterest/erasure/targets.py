"""The people of a deletion request. No ``repr`` shows them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Final

import orjson

from airflow_provider_pinterest.conversions.click_ids import click_id
from airflow_provider_pinterest.conversions.email_addresses import email
from airflow_provider_pinterest.conversions.identifiers import LONGEST
from airflow_provider_pinterest.conversions.invisible import visible
from airflow_provider_pinterest.conversions.reasons import UnusableCellError
from airflow_provider_pinterest.conversions.values import unquoted
from airflow_provider_pinterest.erasure.deletion_options import IdentifierKind

LONGEST_EMAIL: Final = 320
"""Largest number of characters of an address."""

LONGEST_CELL: Final = 20_000
"""Largest number of characters of a text with several addresses."""

_is_hash: Final = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})", re.IGNORECASE | re.ASCII).fullmatch
_between_addresses: Final = re.compile(r"[,;|\r\n\t]+").split
_is_sendable: Final = re.compile(r"[\x21-\x7e]+").fullmatch  # printable ASCII


class Targets:
    """The identifiers of one deletion request, all of one kind.

    :param values: in the form that Pinterest gets.
    :param rows: the row of each, from 1.
    """

    __slots__ = ("_values", "kind", "rows")

    def __init__(self, kind: IdentifierKind, values: list[str], rows: list[int]) -> None:
        self.kind = kind
        self._values = values
        self.rows = rows

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<{self.kind.counted(len(self))}, not shown>"

    def halves(self) -> tuple[Targets, Targets]:
        """Return two parts."""
        middle = (len(self) + 1) // 2
        return (
            Targets(self.kind, self._values[:middle], self.rows[:middle]),
            Targets(self.kind, self._values[middle:], self.rows[middle:]),
        )

    def body(self) -> bytes:
        """Return the body of the request; do not keep it in a local variable."""
        return orjson.dumps({"deletion_targets": {self.kind.value: self._values}})

    def redacted(self, text: str) -> str:
        """Return a text of Pinterest's without the people."""
        for value in self._values:
            if value in text:
                text = text.replace(value, "…")
        return text

    def digest(self, salt: str) -> str:
        """Return a text by which the same people in the same order are recognised, and only they.

        It is slow to compute on purpose: a request may be about one person, and addresses can be guessed.
        """
        return hashlib.scrypt(self.body(), salt=salt.encode(), n=2**12, r=8, p=1, dklen=16).hex()


def emails_of(text: str) -> list[str]:
    """Return the addresses in a text, as Pinterest takes them: plain, trimmed and in lower case.

    Empty if something in it is not an address.
    """
    single = _email(text)
    if single:
        return [single]
    if text.count("@") < 2 or len(text) > LONGEST_CELL:
        return []
    for parts in (_between_addresses(text), text.split()):
        found = [_email(part) for part in parts if part.strip()]
        if found and all(found):
            return found
    return []


def click_ids_of(text: str) -> list[str]:
    """Return the click id in a text, in the form in which it was sent; empty if there is none."""
    try:
        found = click_id(unquoted(visible(text)) or "")
    except UnusableCellError:  # it has an @
        return []
    return [found] if _is_sendable(found) else []


def is_hash(text: str) -> bool:
    """Return whether a text is a hash. Pinterest needs the address itself."""
    return _is_hash(text.strip()) is not None


IDENTIFIERS: Final[dict[IdentifierKind, Callable[[str], list[str]]]] = {
    IdentifierKind.EMAIL: emails_of,
    IdentifierKind.CLICK_ID: click_ids_of,
}
"""Kind → a function that returns the identifiers in a text."""


def _email(text: str) -> str:
    found = email(text) if len(text) <= LONGEST else ""
    try:
        found.encode()
    except UnicodeEncodeError:  # lone surrogates
        return ""
    return found if len(found) <= LONGEST_EMAIL else ""
