"""The interface of a state store, where a run keeps its checkpoint between attempts."""

from __future__ import annotations

from typing import Any, Protocol


class StateStore(Protocol):
    """A store that survives the death of a worker, and Clear, such as Airflow's task state store (3.3 and later)."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key."""

    def set(self, key: str, value: Any) -> None:
        """Store a JSON value under a key."""
