"""Connections of drivers whose servers cannot run here, with the cells that those drivers hand over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Server:
    """What the connections read, and what they were told.

    :param columns: name and type of each column, as the driver describes them.
    :param rows: the cells, as the driver makes them.
    """

    def __init__(self, columns: Sequence[tuple[str, Any]], rows: Sequence[Any]) -> None:
        self.columns = columns
        self.rows = rows
        self.statements: list[str] = []
        self.parameters: list[Any] = []
        self.ended: list[str] = []
        self.settings: dict[str, Any] = {}
        self.fetched: list[Any] = []


class Cursor:
    """A cursor of PEP 249."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.description: Any = None
        self.arraysize = 1

    def execute(self, sql: str, parameters: Any = None) -> None:
        self.server.statements.append(sql)
        self.server.parameters.append(parameters)
        self.rows = iter(self.server.rows)
        self.description = [(name, kind, None, None, None, None, None) for name, kind in self.server.columns]

    def fetchmany(self, size: int) -> list[Any]:
        return [row for _, row in zip(range(size), self.rows, strict=False)]

    def cancel(self) -> None:
        self.server.ended.append("cursor")

    def close(self) -> None: ...


class Connection:
    """A connection of PEP 249."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def cursor(self) -> Any:
        return Cursor(self.server)

    def cancel(self) -> None:
        self.server.ended.append("connection")

    def close(self) -> None: ...


def of_module(module: str, base: type = Connection) -> Any:
    """Return a class of connections that a driver's module seems to define."""
    return type("Connection", (base,), {"__module__": module})
