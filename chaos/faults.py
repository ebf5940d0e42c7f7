"""The faults of the server in a storm."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from typing import Any, Final

FREQUENT: Final[tuple[dict[str, Any], ...]] = (
    *(
        {"kind": "headers", "share": 0.1, "headers": {"Set-Cookie": f"gateway{number}={'x' * 600}; Path=/"}}
        for number in range(24)
    ),
    {"kind": "status", "status": 500, "share": 0.015},
    {"kind": "status", "status": 500, "share": 0.01, "after_accepting": True},
    {"kind": "status", "status": 502, "share": 0.01, "after_accepting": True},
    {"kind": "status", "status": 504, "share": 0.01},
    {"kind": "status", "status": 408, "share": 0.01, "after_accepting": True},
    {"kind": "status", "status": 499, "share": 0.005, "after_accepting": True},
    {"kind": "status", "status": 503, "share": 0.015},
    {"kind": "status", "status": 409, "share": 0.005},
    {"kind": "status", "status": 425, "share": 0.005},
    {"kind": "drop", "share": 0.01},
    {"kind": "drop", "share": 0.01, "after_accepting": True},
    {"kind": "reset", "share": 0.01, "after_accepting": True},
    {"kind": "close", "share": 0.03},
    {"kind": "close", "share": 0.02, "seconds": 0.02},
    {"kind": "stall", "share": 0.004, "seconds": 1.0},
    {"kind": "stall", "share": 0.004, "seconds": 1.0, "after_accepting": True},
    {"kind": "malformed", "form": "json", "share": 0.005},
    {"kind": "malformed", "form": "html", "share": 0.005},
    {"kind": "malformed", "form": "empty", "share": 0.005},
    {"kind": "malformed", "form": "short_list", "share": 0.005},
    {"kind": "delay", "seconds": 0.05, "share": 0.05},
    {"kind": "drip", "seconds": 0.00001, "share": 0.005},
)
"""Faults of a share of all calls. A client that stores cookies soon sends larger headers than the server accepts."""

ONCE: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "status", "status": 429, "times": 1, "headers": {"X-RateLimit-Reset": "1"}},
    {"kind": "status", "status": 429, "times": 1, "headers": {"Retry-After": "soon"}},
    *({"kind": "status", "status": status, "times": 1} for status in (401, 402, 403, 404, 451)),
    {"kind": "redirect", "times": 1},
    {"kind": "stall", "times": 1, "seconds": 3.0},
)
"""Faults of one call each. The seed selects the call."""

BODY_LIMITS: Final = (5_000_000, 100_000)
"""The most bytes of a body that the server accepts; a full batch has about 130,000."""

FAILURE_SHAPES: Final = ("422-details", "422-top", "200")
"""How the server reports that some events failed."""


def faults(
    chance: random.Random, calls: int, *, poison: Collection[str], failing: Collection[str]
) -> Iterator[dict[str, Any]]:
    """Yield the faults of a storm.

    :param calls: the minimum number of calls of the storm.
    :param poison: ids of events whose whole request is refused.
    :param failing: ids of events that fail by themselves.
    """
    for one in poison:
        yield {"kind": "poison", "event_id": one}
    for one in failing:
        yield {"kind": "fail_event", "event_id": one, "message": "not today"}
    for fault in ONCE:
        yield {**fault, "after": chance.randrange(2, max(calls, 3))}
    for fault in FREQUENT:
        yield {**fault, "seed": chance.randrange(2**31)}
