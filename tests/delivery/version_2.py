"""Parts of what version 2 stored."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from airflow_provider_pinterest.conversions.outcomes import Event
from airflow_provider_pinterest.delivery.result import DeliveryCounters


def events_hash(events: Sequence[Event]) -> str:
    return blake2b("".join(f"{one.name}\0{one.id}\0" for one in events).encode(), digest_size=16).hexdigest()


def delivered_by_version_2(counts: DeliveryCounters) -> dict[str, Any]:
    found = counts.as_json()
    found["lags"] = found.pop("latencies")
    del found["already_sent"]
    return found
