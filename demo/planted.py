"""The dirty rows of the demo's warehouse, and what must become of each.

A real warehouse holds rows that cannot be sent, and rows that only look as if they could not. Each kind is
one line here: in which feed it lies, how many rows of it there are, what must become of them, and its
story. The demo compares the operator's account of a run with this table, line by line.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Feed(StrEnum):
    """What one task of an example DAG reads."""

    CHECKOUTS = "checkouts"
    BROWSING = "browsing"
    STORE_SALES = "store sales"
    APP_EVENTS = "app events"
    SIGNUPS = "sign-ups"
    BACKFILL = "backfill"


class Fate(StrEnum):
    """What becomes of a row."""

    SENT = "sent"
    REJECTED = "rejected"
    DROPPED = "dropped as a duplicate"


class Kind(NamedTuple):
    """One kind of dirty row.

    :param reason: the code among the rejects; empty unless the fate is ``REJECTED``.
    """

    name: str
    feed: Feed
    fate: Fate
    reason: str
    rows: int
    story: str


SENT: Final[Mapping[Feed, int]] = {
    Feed.CHECKOUTS: 1_200,
    Feed.BROWSING: 12_000,
    Feed.STORE_SALES: 11_000,
    Feed.APP_EVENTS: 600,
    Feed.SIGNUPS: 200,
    Feed.BACKFILL: 500,
}
"""Rows of each feed that reach Pinterest, whatever the seed and the hour."""

PHONES: Final = (
    ("030 23125-417", "DE", "493023125417"),
    ("(0171) 39200 55", "DE", "491713920055"),
    ("020 7946 0018", "GB", "442079460018"),
    ("07700 900123", "GB", "447700900123"),
    ("(212) 555-0147", "US", "12125550147"),
    ("314.555.0188", "US", "13145550188"),
)
"""A telephone number as typed in its own country, and the canonical text whose hash Pinterest is to get."""

STORE_PHONES: Final = (("0221 4710 123", "492214710123"), ("089/99998-456", "498999998456"))
"""The same from the tills, which stand in Germany: there the operator adds the country."""

NAMES_AND_CITIES: Final = (
    ("Zoë", "zoë", "São Paulo", "sãopaulo", "BR"),
    ("JÜRGEN", "jürgen", "Łódź", "łódź", "PL"),
    ("Jo\u0308rg", "j\u00f6rg", "Frankfurt (Oder)", "frankfurtoder", "DE"),
    ("Łucja", "łucja", "Saint-Étienne", "saintétienne", "FR"),
)
"""Names and cities as typed (one of them decomposed Unicode), and their canonical texts."""

HASHED: Final = (
    ("pre.hashed.one@example.com", str.lower),
    ("pre.hashed.two@example.com", str.upper),
    ("pre.hashed.three@example.com", str.lower),
)
"""Addresses whose SHA-256 is in the warehouse already, in lower or upper case hex."""

CURRENCIES: Final = ("€", "EURO")
NO_NUMBERS: Final = ("n/a", "12,90 €")
NO_TIMES: Final = ("31.11.2026 25:61", "yesterday")

KINDS: Final = (
    Kind(
        "no match key",
        Feed.CHECKOUTS,
        Fate.REJECTED,
        "no_match_key",
        3,
        "ordered by telephone: a number alone",
    ),
    Kind("future time", Feed.CHECKOUTS, Fate.REJECTED, "future_event_time", 2, "a clock three hours ahead"),
    Kind("bad currency", Feed.CHECKOUTS, Fate.REJECTED, "bad_currency", len(CURRENCIES), "'€' for EUR"),
    Kind("text for a number", Feed.CHECKOUTS, Fate.REJECTED, "bad_type", len(NO_NUMBERS), "'12,90 €' for 12.90"),
    Kind("LDP without a state", Feed.CHECKOUTS, Fate.REJECTED, "ldp_without_region", 2, "it would not count"),
    Kind("duplicate id", Feed.CHECKOUTS, Fate.DROPPED, "", 4, "the loader delivered the order twice"),
    Kind("national phone number", Feed.CHECKOUTS, Fate.SENT, "", len(PHONES), "020 … for +44 20 …"),
    Kind("already hashed", Feed.CHECKOUTS, Fate.SENT, "", len(HASHED), "must not be hashed again"),
    Kind("non-ASCII name and city", Feed.CHECKOUTS, Fate.SENT, "", len(NAMES_AND_CITIES), "Zoë in São Paulo"),
    Kind("no match key", Feed.BROWSING, Fate.REJECTED, "no_match_key", 3, "a proxy removed the user agent"),
    Kind("duplicate id", Feed.BROWSING, Fate.DROPPED, "", 5, "the browser sent its beacon twice"),
    Kind(
        "no match key",
        Feed.STORE_SALES,
        Fate.REJECTED,
        "no_match_key",
        2,
        "a loyalty card without an address",
    ),
    Kind("unreadable time", Feed.STORE_SALES, Fate.REJECTED, "bad_time", len(NO_TIMES), "typed by hand"),
    Kind("too old", Feed.STORE_SALES, Fate.REJECTED, "too_old", 3, "a till that was offline for weeks"),
    Kind("duplicate id", Feed.STORE_SALES, Fate.DROPPED, "", 3, "a till sent its day twice"),
    Kind("national phone number", Feed.STORE_SALES, Fate.SENT, "", len(STORE_PHONES), "0221 … for +49 221 …"),
    Kind("no event_id", Feed.APP_EVENTS, Fate.REJECTED, "missing_field", 2, "an old version of the app"),
    Kind("bad action_source", Feed.APP_EVENTS, Fate.REJECTED, "bad_action_source", 1, "'ios' for app_ios"),
    Kind("broken JSON", Feed.APP_EVENTS, Fate.REJECTED, "bad_json", 1, "cut off by a column's length"),
    Kind(
        "unknown nested name",
        Feed.APP_EVENTS,
        Fate.REJECTED,
        "unknown_field",
        1,
        "Pinterest refuses a whole batch",
    ),
    Kind("value out of limits", Feed.APP_EVENTS, Fate.REJECTED, "bad_value", 1, "a battery at 340 %"),
    Kind("text too long", Feed.APP_EVENTS, Fate.REJECTED, "too_long", 1, "a locale of 40 letters"),
    Kind("half a character", Feed.SIGNUPS, Fate.REJECTED, "bad_text", 1, "an emoji cut in two"),
    Kind("too old", Feed.BACKFILL, Fate.REJECTED, "too_old", 4, "loaded two months late"),
)
"""Every kind of dirty row in the windows that are checked."""


def of(feed: Feed, fate: Fate) -> int:
    """Count the planted rows of one feed and fate."""
    return sum(kind.rows for kind in KINDS if kind.feed is feed and kind.fate is fate)


def reasons(feed: Feed) -> dict[str, int]:
    """Return what the result of a run over ``feed`` must hold under ``reasons``."""
    found: Counter[str] = Counter()
    for kind in KINDS:
        if kind.feed is feed and kind.reason:
            found[kind.reason] += kind.rows
    return dict(found)


def rows_read(feed: Feed) -> int:
    """Return how many rows the query of ``feed`` yields."""
    return SENT[feed] + of(feed, Fate.REJECTED) + of(feed, Fate.DROPPED)


def sha256(canonical: str) -> str:
    """Hash a canonical text by the book: SHA-256 of its UTF-8, in lowercase hex."""
    return hashlib.sha256(canonical.encode()).hexdigest()
