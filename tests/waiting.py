"""Waiting for what another thread does."""

from __future__ import annotations

import time
from collections.abc import Callable

SOON = 5.0
"""Seconds within which everything here happens."""


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.001)
