"""What an event looks like to a person."""

from __future__ import annotations

import re

import orjson


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
