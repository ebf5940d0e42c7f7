"""Find telephone numbers, names and encoded e-mail addresses of people in URLs.

They are recognised by the names of parameters, such as ``phone``, and numbers also by a plus before them.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import unquote

DECODED: Final = 2
"""Most layers of URL encoding."""

_PHONES: Final = frozenset(
    {
        *(
            "phone",
            "phonenumber",
            "telephone",
            "telephonenumber",
            "tel",
            "telnumber",
            "mobile",
            "mobilephone",
            "mobilenumber",
            "cellphone",
            "cell",
            "cellnumber",
            "msisdn",
            "telefon",
            "telefono",
            "telefone",
            "handy",
            "handynummer",
            "rufnummer",
            "whatsapp",
        ),
    }
)
_PEOPLE: Final = frozenset(
    {
        *(
            "name",
            "fname",
            "lname",
            "firstname",
            "lastname",
            "fullname",
            "givenname",
            "familyname",
            "surname",
            "middlename",
            "customername",
            "username",
            "displayname",
            "realname",
            "vorname",
            "nachname",
            "familienname",
            "prenom",
            "nom",
            "nombre",
            "apellido",
            "apellidos",
            "cognome",
            "nome",
            "sobrenome",
            "voornaam",
            "achternaam",
        ),
    }
)
_EMAILS: Final = frozenset(("email", "mail", "emailaddress", "mailaddress"))
_KEYS: Final = _PHONES | _PEOPLE | _EMAILS
_SHORTEST: Final = 4
_SEPARATORS: Final = "&?;#_.-["

_owner = re.compile(r"user|customer|billing|shipping|contact|buyer|client|member|recipient|delivery|order|guest")
_is_short_key = re.compile(r"(?:.*[^A-Za-z])?[A-Za-z]{1,3}\W*", re.DOTALL).fullmatch
_between_parameters = re.compile(r"[&;?#]")
_number_with_plus = re.compile(r"[=/:]\+[1-9]\d?(?:[\s().-]{0,2}\d){6,13}(?!\d)").search
_number = re.compile(r"[+(]{0,2}\d(?:[\s()./+-]{0,3}\d){6,17}").fullmatch


def _either_case(letters: str) -> str:
    return "".join(f"[{char}{char.upper()}]" if char.isalpha() else re.escape(char) for char in letters)


def _ends(keys: Iterable[str]) -> Iterable[str]:
    """Yield the last four characters of keys, as they stand before an equals sign."""
    for key in keys:
        yield from (key[-4:],) if len(key) >= _SHORTEST else (mark + key for mark in _SEPARATORS)
        yield key[-3:] + "]"


def _any_of(letters: Iterable[str]) -> str:
    """Return a character class of letters in either case."""
    return f"[{''.join(re.escape(char) for one in sorted({*letters}) for char in sorted({one, one.upper()}))}]"


_BEFORE_EQUALS: Final = sorted({*_ends(_KEYS)})
_LAST: Final = _any_of(end[-1] for end in _BEFORE_EQUALS)
_named = re.compile(
    # Three character classes come first, because most parameters have other letters at their end.
    f"=(?:(?<={_LAST}=)(?<={_any_of(end[-2] for end in _BEFORE_EQUALS)}.=)"
    f"(?<={_any_of(end[-3] for end in _BEFORE_EQUALS)}..=)(?<=(?:{'|'.join(map(_either_case, _BEFORE_EQUALS))})=)"
    f"|(?<=%5[Dd]=)(?<={_LAST}...=))".encode()
).search
_with_plus = re.compile(rb"\+(?<=[=/:FfAaDd]\+)[1-9]").search
_ENCODED: Final = (b"%2B", b"%2b", b"%3D", b"%3d", b"%25")
"""Encoded signs before a number or a value, and the sign of a second layer of encoding."""


def may_have_person(data: bytes) -> bool:
    """Return whether one of the encoded URLs may have what :func:`in_query` and :func:`in_segments` find.

    It is fast for URLs that have nothing like it.
    """
    return (
        (data.find(b"=") >= 0 and _named(data) is not None)
        or (data.find(b"+") >= 0 and _with_plus(data) is not None)
        or (data.find(b"%") >= 0 and any(data.find(sign) >= 0 for sign in _ENCODED))
    )


def in_query(query: str) -> bool:
    """Return whether the query or the fragment of a URL names a person or has a telephone number."""
    plain = _decoded(query)
    if _number_with_plus(plain):
        return True
    return any(
        _is_personal(key, value)
        for key, mark, value in (part.partition("=") for part in _between_parameters.split(plain))
        if mark
    )


def in_segments(segments: Sequence[str]) -> int | None:
    """Return the position of the first segment of a path that is a telephone number, or has a personal parameter."""
    for at, segment in enumerate(segments):
        plain = _decoded(segment)
        if _number_with_plus(f"/{plain}"):
            return at
        if "=" in plain and in_query(plain):
            return at
    return None


def _decoded(text: str) -> str:
    for _ in range(DECODED):
        if "%" in text:
            text = unquote(text)
    return text


def _is_personal(key: str, value: str) -> bool:
    name = re.sub(r"[^a-z]", "", key.lower())
    owner = _owner.match(name)
    if name not in _KEYS and owner:
        name = name[owner.end() :]
    if len(name) < _SHORTEST and not _is_short_key(key):
        return False
    value = value.replace("+", " ").strip()
    if name in _PHONES:
        return _number(value) is not None
    if name in _PEOPLE:
        return any(map(str.isalpha, value))
    return name in _EMAILS and _has_encoded_address(value)


def _has_encoded_address(value: str) -> bool:
    """Return whether a value is the base64 of text with an ``@``."""
    try:
        data = urlsafe_b64decode(
            value.replace("+", "-").replace("/", "_").rstrip("=") + "=" * (-len(value.rstrip("=")) % 4)
        )
    except ValueError:
        return False
    return b"@" in data and data.isascii()
