"""How long a run waits for a database that fails."""

from __future__ import annotations

from typing import Final

WAITS: Final = (0.1, 0.5, 1.0, 2.0)
"""Seconds before each further try. Another process may hold a lock, or the connection may be too old."""

RESTARTS: Final = (*WAITS, 3.0, 4.0, *(5.0,) * 10)
"""The same if a database that was there before takes no connection: it restarts, or another server takes over."""


def next_wait(tries: int, *, restarts: bool) -> float | None:
    """Return the seconds before the next try; ``None``: no more tries.

    :param tries: how many tries have failed, from 1.
    :param restarts: whether the database takes no connection, and did before.
    """
    waits = RESTARTS if restarts else WAITS
    return waits[tries - 1] if tries <= len(waits) else None
