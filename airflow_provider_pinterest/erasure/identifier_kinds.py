"""How people are named in a deletion request."""

from __future__ import annotations

from enum import Enum
from typing import Final


class IdentifierKind(Enum):
    """How people are named; the value is the name of the list in the API."""

    EMAIL = "user_emails"
    CLICK_ID = "epiks"


NAMES: Final = {IdentifierKind.EMAIL: "e-mail addresses", IdentifierKind.CLICK_ID: "click ids"}
