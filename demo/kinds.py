"""The words of the demo's books: the feeds, what may become of a row, and a kind of troublesome row."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final, NamedTuple


class Feed(StrEnum):
    """What one task of an example DAG reads."""

    CHECKOUTS = "checkouts"
    BROWSING = "browsing"
    STORE_SALES = "store sales"
    APP_EVENTS = "app events"
    SIGNUPS = "sign-ups"
    BACKFILL = "backfill"
    OLD_SHOP = "old shop"


class Fate(StrEnum):
    """What becomes of a row."""

    SENT = "sent"
    LEFT_OUT = "sent without the cell"
    WARNED = "sent with a warning"
    REJECTED = "rejected"
    EXCLUDED = "excluded"
    DROPPED = "dropped as a duplicate"


LEFT_OUT: Final = ("unusable_", "personal_data_in_plain_field")
"""How the warnings begin that count cells that are left out of the event."""

WARNINGS: Final = frozenset(
    {"unknown_event_name", "ambiguous_item_id", "phone_without_country", "personal_data_in_url"}
)
"""The warnings about cells that go out, whole or in part."""

EXCLUSIONS: Final = frozenset({"no_consent", "bot"})
"""The codes of rows that the DAG's own rules keep from being sent."""


class Kind(NamedTuple):
    """One kind of troublesome row.

    :param becomes: the code among the rejects, the code of a warning, ``Fate.SENT`` or ``Fate.DROPPED``.
    """

    feed: Feed
    name: str
    rows: int
    becomes: str
    story: str

    @property
    def fate(self) -> Fate:
        """What becomes of its rows."""
        if isinstance(self.becomes, Fate):
            return self.becomes
        if self.becomes.startswith(LEFT_OUT):
            return Fate.LEFT_OUT
        if self.becomes in WARNINGS:
            return Fate.WARNED
        return Fate.EXCLUDED if self.becomes in EXCLUSIONS else Fate.REJECTED

    @property
    def code(self) -> str:
        """The code of the reason or the warning; empty where there is none."""
        return "" if isinstance(self.becomes, Fate) else self.becomes

    @property
    def reason(self) -> str:
        """The code among the result's reasons; empty for rows that are neither rejected nor excluded."""
        return self.becomes if self.fate in {Fate.REJECTED, Fate.EXCLUDED} else ""

    @property
    def warning(self) -> str:
        """The code among the result's warnings; empty for rows without one."""
        return self.becomes if self.fate in {Fate.LEFT_OUT, Fate.WARNED} else ""


def sha256(canonical: str) -> str:
    """Hash a canonical text by the book: SHA-256 of its UTF-8, in lowercase hex."""
    return hashlib.sha256(canonical.encode()).hexdigest()
