"""ClickHouse, through clickhouse-connect (Airflow's own hook) and clickhouse-driver.

Their cursors load the whole result. A ``DateTime`` is a point in time, which both drivers return without its zone. Text
of fixed length is padded with zeros.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final
from uuid import uuid4
from zoneinfo import ZoneInfo

from airflow_provider_pinterest.sources.drivers.base import FIRST_FETCH, Converter, DriverReader, Parameters, run_beside

BLOCK_ROWS: Final = 8_192
"""Rows in a block that the server sends."""

SEND_TIMEOUT: Final = 86_400
"""Seconds that the server waits until the next rows are taken."""

_SETTINGS: Final = {"max_block_size": BLOCK_ROWS, "http_send_timeout": SEND_TIMEOUT}

_wrapped = re.compile(r"(?:Nullable|LowCardinality)\((.*)\)", re.DOTALL).fullmatch
_moment = re.compile(r"DateTime(?:64\(\d+\)|\(\)|32)?", re.DOTALL).fullmatch


class _ClickHouse(DriverReader):
    """What both drivers share."""

    paramstyle = "pyformat"
    zone: dt.tzinfo = dt.UTC
    """The zone of times that come without one."""

    def __init__(self, hook: Any, connection: Any, sql: str) -> None:
        super().__init__(hook, connection, sql)
        self.query_id = f"pinterest_{uuid4().hex}"

    def cancel(self) -> None:
        """Kill the query through a second connection."""
        run_beside(self.hook, f"KILL QUERY WHERE query_id = '{self.query_id}' ASYNC")

    def types(self) -> Sequence[str]:
        """Return ClickHouse's names for the types of the columns."""
        return [str(column[1]) for column in self.cursor.description or ()]

    def converters(self) -> dict[int, Converter]:
        """Set the zone of times, and remove the padding of text of fixed length."""
        found: dict[int, Converter] = {}
        for position, name in enumerate(self.types()):
            plain = unwrapped(name)
            if _moment(plain):
                found[position] = self._aware
            elif plain.startswith("FixedString("):
                found[position] = fixed_text
        return found

    def _aware(self, cell: Any) -> Any:
        return cell.replace(tzinfo=self.zone) if cell.tzinfo is None else cell


class ClickHouseConnect(_ClickHouse):
    """clickhouse-connect: the stream of the query is read instead of the cursor."""

    modules = ("airflow.providers.clickhousedb", "clickhouse_connect")
    _stream: Any = None
    _names: Sequence[str] = ()
    _types: Sequence[str] = ()
    _rows: Iterator[Any]

    def start(self, parameters: Parameters) -> Sequence[Sequence[Any]] | None:
        """Run the query and return the first rows of its stream."""
        self.cursor = self.open()
        stream = self.cursor.client.query_rows_stream(self.sql, parameters, settings=self._settings())
        self._rows = stream.__enter__()
        self._stream = stream
        self._describe(stream.source)
        if not self._names:
            with suppress(Exception):  # a statement without a result cannot be in parentheses
                probe = f"SELECT * FROM (\n{self.sql}\n) LIMIT 0"  # noqa: S608  # nosec B608 - the author's own statement
                self._describe(self.cursor.client.query(probe, parameters))
        return self.fetch(FIRST_FETCH) if self._names else None

    def _describe(self, result: Any) -> None:
        """Read the columns of a result. A result without rows may have none."""
        self._names = result.column_names
        self._types = [kind.name for kind in result.column_types]

    def columns(self) -> tuple[str, ...]:
        """Return the names of the stream's columns."""
        return tuple(self._names)

    def types(self) -> Sequence[str]:
        """Return the types of the stream's columns."""
        return self._types

    def fetch_cells(self, size: int) -> Sequence[Any]:
        """Return the next rows of the stream."""
        return list(islice(self._rows, size))

    def close(self) -> None:
        """Close the stream, cursor and connection."""
        with suppress(Exception):
            if self._stream is not None:
                self._stream.__exit__(None, None, None)
        super().close()

    def _settings(self) -> dict[str, Any]:
        """Return the settings for the query that this user may change on the server."""
        client = self.cursor.client
        settings: dict[str, Any] = {"query_id": self.query_id} if "query_id" in client.valid_transport_settings else {}
        for name, value in _SETTINGS.items():
            known = client.server_settings.get(name)
            if known is not None and not known.readonly:
                settings[name] = value
        return settings


class ClickHouseDriver(_ClickHouse):
    """clickhouse-driver: its cursor streams if it is configured to."""

    modules = ("clickhouse_driver",)

    def open(self) -> Any:
        """Open a cursor that streams."""
        cursor = self.connection.cursor()
        cursor.set_stream_results(stream_results=True, max_row_buffer=BLOCK_ROWS)
        cursor.set_query_id(self.query_id)
        return cursor

    def execute(self, parameters: Parameters) -> None:
        """Run the query, and read the zone of the server, which times are in."""
        super().execute(parameters)
        with suppress(Exception):
            self.zone = ZoneInfo(self.cursor._client.connection.server_info.timezone)  # noqa: SLF001


def unwrapped(name: str) -> str:
    """Return a type without ``Nullable`` and ``LowCardinality``."""
    while match := _wrapped(name):
        name = match[1]
    return name


def fixed_text(cell: Any) -> Any:
    """Return text of fixed length without its padding; bytes that are not text are returned as they are."""
    if isinstance(cell, str):
        return cell.rstrip("\0")
    text = cell.rstrip(b"\0").decode()
    return text if text.isprintable() else cell
