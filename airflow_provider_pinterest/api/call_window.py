"""Counts calls in a moving window, in the memory of this process.

The store in memory of ``limits`` looks at all its keys every ten milliseconds, which takes longer than the calls if a
run has thousands of ad accounts.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from typing import Final

from limits import RateLimitItem

FEW: Final = 1_000
"""Keys up to which those without calls are kept."""


class CallWindow:
    """Counts calls by key for as long as their limit says. Shared by threads."""

    def __init__(self) -> None:
        self._ends: dict[str, list[float]] = {}
        """Key → monotonic seconds at which its calls leave the window, in order."""
        self._many = FEW
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._ends)

    def has_room(self, limit: RateLimitItem, key: str, calls: int) -> bool:
        """Return whether some more calls may be made now."""
        with self._lock:
            return len(self._current(limit.key_for(key), time.monotonic())) + calls <= limit.amount

    def count(self, limit: RateLimitItem, key: str) -> bool:
        """Count a call if it may be made now; return whether it may."""
        name, now = limit.key_for(key), time.monotonic()
        with self._lock:
            ends = self._current(name, now)
            if len(ends) >= limit.amount:
                return False
            ends.append(now + limit.get_expiry())
            if len(self._ends) >= self._many:
                self._forget(now)
            self._ends[name] = ends
            return True

    def seconds_until_free(self, limit: RateLimitItem, key: str) -> float:
        """Return the seconds until the oldest call leaves the window."""
        now = time.monotonic()
        with self._lock:
            ends = self._current(limit.key_for(key), now)
            return max(ends[0] - now, 0.001) if ends else 0.001

    def _current(self, name: str, now: float) -> list[float]:
        """Return the ends of the calls in the window."""
        ends = self._ends.get(name)
        if ends is None:
            return []
        if ends and ends[0] <= now:
            del ends[: bisect_right(ends, now)]
        return ends

    def _forget(self, now: float) -> None:
        """Forget keys without calls in the window."""
        self._ends = {name: ends for name, ends in self._ends.items() if ends and ends[-1] > now}
        self._many = max(FEW, 2 * len(self._ends))
