"""Dates that were stored as an instant: midnight in the zone of the shop is another day in UTC."""

from __future__ import annotations

import datetime as dt
import re

_instant = re.compile(
    r"(\d{4}-?\d\d-?\d\d)[T ](\d\d(?::?\d\d){1,2})(?:[.,]0+)?\s?(Z|UTC|GMT|z|[+-]\d\d(?::?\d\d)?)"
    r"(?:\[[\w/+-]{1,40}\])?",
    re.ASCII,
).fullmatch


def date_of(moment: dt.date, timezone: dt.tzinfo) -> dt.date:
    """Return the date of a datetime: its date in the zone if it is the start of a day there, else as written."""
    if not isinstance(moment, dt.datetime):
        return moment
    if moment.tzinfo is None:
        return moment.date()
    try:
        local = moment.astimezone(timezone)
        midnight = dt.datetime.combine(local.date(), dt.time(), timezone)
        if moment in (midnight.astimezone(dt.UTC), midnight.replace(fold=1).astimezone(dt.UTC)):
            return local.date()
    except (ValueError, OverflowError):
        pass
    return moment.date()


def date_in(text: str, timezone: dt.tzinfo) -> dt.date | None:
    """Return the date of the text of an instant, see :func:`date_of`; ``None`` for other text."""
    found = _instant(text) if len(text) > len("19850314T2300") else None
    if found is None:
        return None
    zone = "+00:00" if found[3] in {"Z", "z", "UTC", "GMT"} else found[3]
    try:
        return date_of(dt.datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}"), timezone)
    except ValueError:
        return None
