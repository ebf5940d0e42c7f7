"""What is said of a run at its end: whether it is good, and what an event looks like to a person."""

from __future__ import annotations

import re

import orjson

from airflow_provider_pinterest.delivery.result import Tally


def judge(tally: Tally, *, max_rejected: float, min_events: int) -> str | None:
    """Return why a run that came to its end fails all the same, or ``None`` when it is good."""
    if tally.delivered.held:
        return (
            f"{tally.delivered.held:,} events were sent and their outcome is unknown. A second copy of them could not "
            "be told apart, so none was sent; look for them in Ads Manager before you clear the task (reason "
            "outcome_unknown)."
        )
    allowed = max_rejected * tally.rows_read if isinstance(max_rejected, float) else max_rejected
    if tally.rejected > allowed:
        most = ", ".join(f"{code} {count:,}" for code, count in tally.all_reasons.most_common(3))
        return (
            f"{tally.rejected:,} of {tally.rows_read:,} rows were rejected or failed ({most}), more than max_rejected "
            f"{max_rejected} allows. All other rows were delivered; clearing the task sends those again."
        )
    if tally.arrived < min_events:
        return (
            f"Only {tally.arrived:,} events were processed, fewer than min_events {min_events:,}. "
            "Did the source shrink?"
        )
    return None


def shortened(body: bytes) -> str:
    """Return an event as indented JSON in which no identifier can be read."""
    event = orjson.loads(body)
    event["user_data"] = {
        name: [f"{one[:6]}…" for one in value] if isinstance(value, list) else f"{value[:4]}…"
        for name, value in event["user_data"].items()
    }
    if url := event.get("event_source_url"):  # its query may hold an address
        event["event_source_url"] = re.sub(r"[?#].*", "…", url, flags=re.DOTALL)
    return orjson.dumps(event, option=orjson.OPT_INDENT_2).decode()
