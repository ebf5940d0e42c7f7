"""The people of a deletion request. No ``repr`` shows them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Final

import orjson

from airflow_provider_pinterest.conversions.email_addresses import email
from airflow_provider_pinterest.erasure.deletion_options import IdentifierKind

LONGEST: Final = {"email": 320, "click_id": 2_000}
"""Largest number of characters."""

_is_hash: Final = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})", re.IGNORECASE | re.ASCII).fullmatch
_is_click_id: Final = re.compile(r"[\x21-\x3f\x41-\x7e]+").fullmatch  # printable ASCII without @


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
        return f"<{len(self)} {self.kind.plural}, not shown>"

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

    def digest(self, salt: str) -> str:
        """Return a text by which the same people in the same order are recognised, and no one else.

        It is slow to compute on purpose: a request may be about one person, and addresses can be guessed.
        """
        return hashlib.scrypt(self.body(), salt=salt.encode(), n=2**12, r=8, p=1, dklen=16).hex()


def email_of(text: str) -> str:
    """Return an address as Pinterest takes it, plain, trimmed and in lower case; or ``""`` if it is not an address."""
    found = email(text) if len(text) <= LONGEST["email"] else ""
    return found if _can_be_sent(found) else ""


def click_id_of(text: str) -> str:
    """Return a click id, trimmed; or ``""`` if it is not one."""
    found = text.strip()
    return found if len(found) <= LONGEST["click_id"] and _is_click_id(found) else ""


def is_hash(text: str) -> bool:
    """Return whether a text is a hash. Pinterest needs the address itself."""
    return _is_hash(text.strip()) is not None


CANONICAL: Final[dict[IdentifierKind, Callable[[str], str]]] = {
    IdentifierKind.EMAIL: email_of,
    IdentifierKind.CLICK_ID: click_id_of,
}


def _can_be_sent(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates
        return False
    return True
