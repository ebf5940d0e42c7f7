"""The stored state of a storm's attempts. The storm reads, replaces and damages it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import requests

from airflow_provider_pinterest.delivery.checkpoint import Checkpoint, Finished, UnreadableStateError
from airflow_provider_pinterest.delivery.stored_state import read_state

DAMAGES: Final[Mapping[str, Callable[[dict[str, Any]], object]]] = {
    "another version": lambda state: {**state, "version": 99},
    "a lost field": lambda state: {name: value for name, value in state.items() if name != "delivered"},
    "a list": lambda state: [state],
    "text": lambda state: str(state)[:200],
}


class StoredState:
    """The state of the task, in the state store of the storm's server.

    :param file: the server's copy of it.
    :param url: of the state store.
    """

    def __init__(self, file: Path, url: str) -> None:
        self.url = url
        self._file = file
        self._read: tuple[int, Any] = (0, None)

    def stored(self) -> Any:
        """Return the stored state."""
        try:
            written = self._file.stat().st_mtime_ns
            if written != self._read[0]:
                self._read = written, json.loads(self._file.read_text())
        except FileNotFoundError:
            return None
        return self._read[1]

    def replace(self, value: object) -> None:
        """Replace the stored state."""
        self._put("state", json=value)

    def make_current(self, attempt: int) -> None:
        """Make an attempt the current one: only that one can write."""
        self._put("current", data=str(attempt))

    def state(self) -> Checkpoint | Finished | None:
        """Return the stored state; ``None`` if it cannot be read."""
        try:
            return read_state(self.stored())
        except UnreadableStateError:
            return None

    def rows(self) -> int:
        """Return how many rows the last checkpoint accounts for."""
        stored = self.stored()
        rows = stored.get("rows", 0) if isinstance(stored, dict) else 0
        return rows if isinstance(rows, int) else 0

    def _put(self, path: str, **content: Any) -> None:
        requests.put(f"{self.url}/{path}", timeout=10, **content).raise_for_status()
