"""How long to wait before a call is made again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FIRST_WAIT: Final = 0.5
"""Longest wait of the first retry, in seconds; doubled each time."""

LONGEST_WAIT: Final = 60.0
"""Longest wait of a retry, in seconds, if Pinterest does not say how long to wait."""


def wait_before_retry(asked: float | None, attempt: int, jitter: Callable[[], float]) -> float:
    """Return the seconds to wait: as long as Pinterest says, or with full jitter if it does not say.

    A wait of 0 seconds is followed only once. Otherwise every thread would retry as fast as the rate limit allows.

    :param asked: seconds that Pinterest asks to wait, ``None`` if it does not say.
    :param attempt: number of tries so far, from 1.
    :param jitter: returns a random number from 0 to 1.
    """
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(attempt - 1, 16))
    return asked if asked or (asked == 0 and attempt == 1) else jitter() * longest
