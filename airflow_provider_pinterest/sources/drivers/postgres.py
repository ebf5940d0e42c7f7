"""Postgres, through psycopg 2 and psycopg 3: the rows stay on the server, behind a named cursor.

Both drivers abort a whole fetch if Python cannot represent one cell, such as a date after the year 9999 or a JSON
number of more than 4,300 digits. Loaders on the reader's own connection return such cells as text.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

from airflow_provider_pinterest.sources.drivers.base import (
    FETCH_FROM_SERVER,
    FIRST_FETCH,
    DriverReader,
    Parameters,
    one_statement,
)

_first_word = re.compile(r"(?:[\s(]|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)", re.DOTALL).match
_QUERIES: Final = frozenset({"select", "with", "values", "table"})
"""First words of statements that can have a named cursor."""

_INFINITE: Final = frozenset({"infinity", "-infinity"})

_TIMES: Final[Mapping[str, tuple[str, int, int]]] = {
    "DATE": ("PYDATE", 1082, 1182),
    "TIMESTAMP": ("PYDATETIME", 1114, 1115),
    "TIMESTAMPTZ": ("PYDATETIMETZ", 1184, 1185),
    "INTERVAL": ("PYINTERVAL", 1186, 1187),
}
"""Type → psycopg 2's function that reads it, the number of the type and the number of its array type."""

_JSON: Final = {"JSON": (114, 199), "JSONB": (3802, 3807)}
_TIMES_OF_DAY: Final = (1083, 1266)
_TEXTS: Final = (18, 19, 25, 1042, 1043)


class Postgres(DriverReader):
    """The common part of both drivers."""

    named = False
    """Whether the rows stay on the server until they are fetched."""

    def start(self, parameters: Parameters) -> Sequence[Sequence[Any]] | None:
        """Run the statement. A named cursor of psycopg 2 knows its columns only after the first fetch."""
        self.cursor = self.open()
        self.execute(parameters)
        return self.fetch(FIRST_FETCH) if self.named or self.cursor.description else None

    def open(self) -> Any:
        """Open a named cursor if the statement can have one.

        :raises ParameterError: there are several statements; the server would run all and return the rows of the last.
        """
        if ";" in self.sql:
            one_statement(self.hook.split_sql_string(self.sql))
        with suppress(AttributeError):
            self.connection.autocommit = False
        with suppress(Exception):  # rows can be read without them
            self.register_loaders()
        found = _first_word(self.sql)
        if found is None or found[1].lower() not in _QUERIES:
            return self.connection.cursor()
        self.named = True
        self.fetch_rows = FETCH_FROM_SERVER
        cursor = self.connection.cursor(f"pinterest_{uuid4().hex}")
        cursor.itersize = FETCH_FROM_SERVER
        return cursor

    def register_loaders(self) -> None:
        """Return cells that Python cannot represent as text, on this connection only."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Cancel the statement that the connection runs."""
        self.connection.cancel()


class Psycopg2(Postgres):
    """psycopg 2."""

    modules = ("psycopg2",)

    def register_loaders(self) -> None:
        """Register typecasters."""
        extensions = sys.modules["psycopg2.extensions"]
        connection = self.connection
        for name, (reads, oid, array) in _TIMES.items():
            cast = extensions.new_type((oid,), name, _cast_or_text(getattr(extensions, reads)))
            extensions.register_type(cast, connection)
            extensions.register_type(extensions.new_array_type((array,), f"{name}[]", cast), connection)
        for name, (oid, array) in _JSON.items():
            cast = extensions.new_type((oid,), name, _cast_json)
            extensions.register_type(cast, connection)
            extensions.register_type(extensions.new_array_type((array,), f"{name}[]", cast), connection)
        if connection.encoding in ("SQLASCII", "SQL_ASCII"):
            # The database does not know how its texts are encoded, and ASCII may be wrong.
            extensions.register_type(extensions.new_type(_TEXTS, "TEXT", _cast_bytes), connection)
            connection.set_client_encoding("LATIN1")


class Psycopg(Postgres):
    """psycopg 3."""

    modules = ("psycopg",)

    def register_loaders(self) -> None:
        """Wrap each loader that may fail."""
        driver = sys.modules["psycopg"]
        adapters = self.connection.adapters
        oids = [oid for _, oid, _ in _TIMES.values()] + [oid for oid, _ in _JSON.values()]
        for oid in (*oids, *_TIMES_OF_DAY):
            for form in (driver.pq.Format.TEXT, driver.pq.Format.BINARY):
                inner = adapters.get_loader(oid, form)
                if inner is not None:
                    adapters.register_loader(oid, _loader_or_text(driver.adapt.Loader, inner, form))


def _cast_or_text(cast: Callable[[str | None, Any], Any]) -> Callable[[str | None, Any], Any]:
    """Return a psycopg 2 typecaster that returns the text of values that Python cannot represent."""

    def cast_or_text(text: str | None, cursor: Any) -> Any:
        if text in _INFINITE:
            return text
        try:
            return cast(text, cursor)
        except (ValueError, OverflowError, sys.modules["psycopg2"].Error):
            return text

    return cast_or_text


def _cast_json(text: str | None, _cursor: Any) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _cast_bytes(text: str | None, _cursor: Any) -> str | bytes | None:
    """Return the original bytes of a text that was decoded as LATIN1; ASCII stays text."""
    if text is None or text.isascii():
        return text
    return text.encode("latin-1")


def _loader_or_text(base: Any, inner: Any, form: Any) -> Any:
    """Return a psycopg 3 loader that returns the text of values that Python cannot represent."""

    class LoaderOrText(base):  # type: ignore[misc]
        format = form

        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            self._load = inner(oid, context).load

        def load(self, data: Any) -> Any:
            try:
                return self._load(data)
            except Exception:  # noqa: BLE001 - DataError, or an error of the json module
                return bytes(data).decode(errors="replace")

    return LoaderOrText
