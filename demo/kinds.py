"""The terms of the demo: feeds, fates of rows, and kinds of troublesome rows."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final, NamedTuple


class Feed(StrEnum):
    """The rows that one task of an example DAG reads."""

    CHECKOUTS = "checkouts"
    BROWSING = "browsing"
    STORE_SALES = "store sales"
    APP_EVENTS = "app events"
    SIGNUPS = "sign-ups"
    BACKFILL = "backfill"
    OLD_SHOP = "old shop"
    LAKE = "data lake"


class Fate(StrEnum):
    """The expected outcome of a row."""

    SENT = "sent"
    LEFT_OUT = "sent without the cell"
    WARNED = "sent with a warning"
    REJECTED = "rejected"
    EXCLUDED = "excluded"
    DROPPED = "dropped as a duplicate"


LEFT_OUT: Final = ("unusable_", "personal_data_in_plain_field")
"""Prefixes of the warnings for cells that are left out of the event."""

WARNINGS: Final = frozenset(
    {"unknown_event_name", "ambiguous_item_id", "phone_without_country", "personal_data_in_url"}
)
"""The warnings for cells that are sent, whole or in part."""

EXCLUSIONS: Final = frozenset({"no_consent", "bot"})
"""The codes of rows that rules of the DAG exclude."""


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
        """The expected outcome of its rows."""
        if isinstance(self.becomes, Fate):
            return self.becomes
        if self.becomes.startswith(LEFT_OUT):
            return Fate.LEFT_OUT
        if self.becomes in WARNINGS:
            return Fate.WARNED
        return Fate.EXCLUDED if self.becomes in EXCLUSIONS else Fate.REJECTED

    @property
    def code(self) -> str:
        """The code of the reason or the warning; empty if there is none."""
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
    """Hash a canonical text: SHA-256 of its UTF-8, in lowercase hex."""
    return hashlib.sha256(canonical.encode()).hexdigest()
