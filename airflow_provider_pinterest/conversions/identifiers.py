"""Personal identifiers: canonical text, then SHA-256.

Pinterest matches people by SHA-256 hex of the UTF-8 of a canonical text; two senders agree only if their
canonical texts agree to the letter. One function per identifier returns that text for NFC-normalised, trimmed
input, or an empty text if the input is not usable. Everything else about an identifier is in its
:class:`IdentifierRule`.

https://developers.pinterest.com/docs/api-features/conversion-overview/
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from typing import Any, Final

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.cells import ordinary
from airflow_provider_pinterest.conversions.dates import date_of
from airflow_provider_pinterest.conversions.digests import SHORTEST_DIGEST, digest, digest_of_bytes
from airflow_provider_pinterest.conversions.identifier_rules import (
    Hashes,
    IdentifierRule,
    IdentifierSettings,
    UncertainCanonicalForm,
)
from airflow_provider_pinterest.conversions.invisible import visible, visible_words
from airflow_provider_pinterest.conversions.personal import LEFT_OUT, has_at
from airflow_provider_pinterest.conversions.placeholders import spellings
from airflow_provider_pinterest.conversions.reasons import (
    IDENTIFIER_WARNING,
    CellError,
    InvalidCellError,
    UnusableCellError,
)
from airflow_provider_pinterest.conversions.region_hashes import sha

LONGEST: Final = 1_000
"""Longest identifier that is parsed, in characters."""

MOST: Final = 1_000
"""Most identifiers that are parsed in one list."""

_ENDS: Final = frozenset("})")
"""Last characters of arrays that are not JSON."""

_is_sha256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII).fullmatch

_NO_DIGITS: Final = bytes(set(range(256)) - set(b"0123456789"))


def _digits(text: str) -> str:
    return text.encode().translate(None, _NO_DIGITS).decode()


class HashedIdentifier:
    """Parse an identifier that is sent hashed.

    :param name: leaf name such as ``em``, for the warning's code.
    :param rule: how it is parsed.
    :param settings: its settings.
    """

    def __init__(self, name: str, rule: IdentifierRule, settings: IdentifierSettings) -> None:
        self.already: bool | None = settings.switches.get("already_hashed")
        self.plain = rule.plain(settings) if rule.plain and not self.already else None
        self.canonical = rule.canonical(settings)
        self._depends = rule.depends_on is not None
        self._reads_dates = rule.reads_dates
        self._placeholders = settings.placeholders
        self._longest_placeholder = max(map(len, settings.placeholders), default=0)
        self._timezone = settings.timezone
        self._code = f"{IDENTIFIER_WARNING}{name}"

    def __call__(self, cell: Any, beside: Any = None) -> Hashes | None:
        """Return the hashes of a cell, ``None`` if it is empty.

        :param beside: what it depends on.
        :raises UnusableCellError: the cell, or an element of its list, has no canonical form, or an uncertain one.
        """
        if type(cell) is not str:
            single = cell.isoformat() if type(cell) is dt.date and self._reads_dates else _only_text(cell)
            if single is None:
                return self._several(cell, beside)
            cell = single
        text = cell.strip()
        if not text or (len(text) <= self._longest_placeholder and text.lower() in self._placeholders):
            return None
        if text[0] == "[" and text[-1] == "]":
            return self._several(text, beside)
        if text[-1] in _ENDS:
            elements = values.items(text)
            if type(elements) is list:
                return self._several(elements, beside)
        if len(text) > LONGEST or (text[0] == "{" and text[-1] == "}" and '"' in text):
            raise UnusableCellError(self._code)
        if text[0] == '"' or text == "null" or not (text.isascii() and text.isprintable()):
            seen = values.unquoted(visible_words(text).strip(values.INVISIBLE))
            if seen != text:
                return None if seen is None else self(seen, beside)
        if self.already is not False:
            found = digest(text) if len(text) >= SHORTEST_DIGEST else None
            if found:
                return [found]
            if self.already:
                raise UnusableCellError(self._code)
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        try:
            plain = self.canonical(text, beside) if self._depends else self.canonical(text)
            if plain:
                return [sha(plain)]
        except UnicodeEncodeError:
            pass
        except UncertainCanonicalForm as ambiguous:
            raise UnusableCellError(ambiguous.code, [sha(ambiguous.text)]) from None
        raise UnusableCellError(self._code)

    def _several(self, cell: Any, beside: Any) -> Hashes | None:
        """Hash a cell that is not a text; usable elements of a list are kept."""
        kept: dict[str, None] = {}
        code = None
        try:
            items = (cell,) if type(cell) is bytes else values.items(cell)
        except InvalidCellError:
            raise UnusableCellError(self._code) from None
        if self.already is not False:
            found = digest_of_bytes(items)
            if found:
                return [found]
        if len(items) > MOST:
            code = self._code
        for item in items[:MOST]:
            try:
                kept |= dict.fromkeys(self._one(item, beside) or ())
            except UnusableCellError as unusable:
                kept |= dict.fromkeys(unusable.kept or ())
                code = unusable.code if code is None or not unusable.kept else code
            except CellError:
                code = self._code
        if code:
            raise UnusableCellError(code, list(kept) or None)
        return list(kept) or None

    def _one(self, item: Any, beside: Any) -> Hashes | None:
        """Hash an element of a list."""
        plain = item if type(item) is str else ordinary(item)
        if type(plain) is bytes:
            found = None if self.already is False else digest_of_bytes(plain)
            if found is None:
                raise UnusableCellError(self._code)
            return [found]
        if plain is None:
            return None
        if isinstance(plain, dt.date):
            if not self._reads_dates:
                raise UnusableCellError(self._code)
            return self(date_of(plain, self._timezone).isoformat(), beside)
        text = values.text(plain)
        return self(text, beside) if text else None


def _only_text(cell: Any) -> str | None:
    """Return the text of a list of one text. Ready events have such lists."""
    return cell[0] if type(cell) is list and len(cell) == 1 and type(cell[0]) is str else None


# Not hashed


def unhashed(text: str) -> str:
    """Return text that is sent unhashed; an ``@`` may belong to an e-mail address.

    :raises UnusableCellError: it contains an ``@``.
    """
    if has_at(text):
        raise UnusableCellError(LEFT_OUT)
    return text


class PlainIdentifier:
    """Parse an identifier or id that is sent unhashed.

    :param name: leaf name such as ``click_id``, for the warning's code.
    :param rule: how it is parsed.
    :param settings: its settings.
    """

    def __init__(self, name: str, rule: IdentifierRule, settings: IdentifierSettings) -> None:
        self._canonical = rule.canonical(settings)
        self._placeholders = spellings(settings.placeholders)
        self._code = f"{IDENTIFIER_WARNING}{name}"

    def read(self, cell: Any) -> str | None:
        """Return the text of a cell, ``None`` if it is empty.

        :raises UnusableCellError: it cannot be sent.
        :raises InvalidCellError: it is not text.
        """
        found = values.text(cell)
        if found is not None:
            found = values.unquoted(visible(found))
        if found is None or found in self._placeholders:
            return None
        sent = self._canonical(found)
        if not sent:
            raise UnusableCellError(self._code)
        return sent
