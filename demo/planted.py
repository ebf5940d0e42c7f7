"""The dirty rows of the demo's warehouse, and the expected outcome of each.

A real warehouse has rows that cannot be sent, and rows that only look invalid. Each kind is one line here: its feed,
the number of its rows, their expected outcome, and its story. The demo compares the operator's result of a run with
this table, line by line.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from demo import lake, old_shop
from demo.kinds import Fate, Feed, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping


SENT: Final[Mapping[Feed, int]] = {
    Feed.CHECKOUTS: 1_200,
    Feed.BROWSING: 12_000,
    Feed.STORE_SALES: 11_000,
    Feed.APP_EVENTS: 600,
    Feed.SIGNUPS: 200,
    Feed.BACKFILL: 500,
    Feed.OLD_SHOP: old_shop.SENT,
    Feed.LAKE: lake.SENT,
}
"""Rows of each feed that reach Pinterest, for any seed and hour."""

PHONES: Final = (
    ("030 23125-417", "DE", "493023125417"),
    ("(0171) 39200 55", "DE", "491713920055"),
    ("020 7946 0018", "GB", "442079460018"),
    ("07700 900123", "GB", "447700900123"),
    ("(212) 555-0147", "US", "12125550147"),
    ("314.555.0188", "US", "13145550188"),
)
"""Telephone numbers as typed in their country, and the canonical texts whose hashes must arrive."""

STORE_PHONES: Final = (("0221 4710 123", "492214710123"), ("089/99998-456", "498999998456"))
"""The same for the tills, which are in Germany: the operator adds the country."""

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
    Kind(Feed.CHECKOUTS, "no match key", 3, "no_match_key", "ordered by telephone: a number alone"),
    Kind(Feed.CHECKOUTS, "future time", 2, "future_event_time", "a clock three hours ahead"),
    Kind(Feed.CHECKOUTS, "bad currency", len(CURRENCIES), "bad_currency", "'€' for EUR"),
    Kind(Feed.CHECKOUTS, "text for a number", len(NO_NUMBERS), "bad_type", "'12,90 €' for 12.90"),
    Kind(Feed.CHECKOUTS, "LDP without a state", 2, "ldp_without_region", "it would not count"),
    Kind(Feed.CHECKOUTS, "duplicate id", 4, Fate.DROPPED, "the loader delivered the order twice"),
    Kind(Feed.CHECKOUTS, "national phone number", len(PHONES), Fate.SENT, "020 … for +44 20 …"),
    Kind(Feed.CHECKOUTS, "already hashed", len(HASHED), Fate.SENT, "must not be hashed again"),
    Kind(Feed.CHECKOUTS, "non-ASCII name and city", len(NAMES_AND_CITIES), Fate.SENT, "Zoë in São Paulo"),
    Kind(Feed.BROWSING, "no match key", 3, "no_match_key", "a proxy removed the user agent"),
    Kind(Feed.BROWSING, "duplicate id", 5, Fate.DROPPED, "the browser sent its beacon twice"),
    Kind(Feed.STORE_SALES, "no match key", 2, "no_match_key", "a loyalty card without an address"),
    Kind(Feed.STORE_SALES, "unreadable time", len(NO_TIMES), "bad_time", "typed by hand"),
    Kind(Feed.STORE_SALES, "too old", 3, "too_old", "a till that was offline for weeks"),
    Kind(Feed.STORE_SALES, "duplicate id", 3, Fate.DROPPED, "a till sent its day twice"),
    Kind(Feed.STORE_SALES, "national phone number", len(STORE_PHONES), Fate.SENT, "0221 … for +49 221 …"),
    Kind(Feed.APP_EVENTS, "no event_id", 2, "missing_field", "an old version of the app"),
    Kind(Feed.APP_EVENTS, "bad action_source", 1, "bad_action_source", "'ios' for app_ios"),
    Kind(Feed.APP_EVENTS, "broken JSON", 1, "unusable_device_info", "cut off by a column's length"),
    Kind(Feed.APP_EVENTS, "unknown nested name", 1, "unknown_field", "Pinterest would refuse its whole batch"),
    Kind(Feed.APP_EVENTS, "value out of limits", 1, "unusable_device_info_battery_level", "a battery at 340 %"),
    Kind(Feed.APP_EVENTS, "text too long", 1, "unusable_device_info_locale", "a locale of 40 letters"),
    Kind(Feed.SIGNUPS, "half a character", 1, "unusable_content_name", "an emoji cut in two"),
    Kind(Feed.BACKFILL, "too old", 4, "too_old", "loaded two months late"),
    *old_shop.KINDS,
    *lake.KINDS,
)
"""Every kind of dirty row in the checked windows. Those of the old shop and the data lake are in their modules."""


def of(feed: Feed, fate: Fate) -> int:
    """Count the planted rows of one feed and fate."""
    return sum(kind.rows for kind in KINDS if kind.feed is feed and kind.fate is fate)


def reasons(feed: Feed, *fates: Fate) -> dict[str, int]:
    """Return the expected ``reasons`` in the result of a run over ``feed``, for all fates or for some."""
    found: Counter[str] = Counter()
    for kind in KINDS:
        if kind.feed is feed and kind.reason and kind.fate in (fates or Fate):
            found[kind.reason] += kind.rows
    return dict(found)


def rows_read(feed: Feed) -> int:
    """Return the number of rows of the query of ``feed``."""
    return SENT[feed] + sum(of(feed, fate) for fate in (Fate.REJECTED, Fate.EXCLUDED, Fate.DROPPED))
