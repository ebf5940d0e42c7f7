"""Who may do what: conversion tokens, OAuth tokens and the app that refreshes them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

APP_ID = "1234567"
APP_SECRET = "sandbox-secret"  # noqa: S105  # nosec B105 - published: the sandbox guards nothing
CONVERSION_TOKEN = "pina_sandbox"  # noqa: S105  # nosec B105
OAUTH_TOKEN = "pina_sandbox_oauth"  # noqa: S105  # nosec B105
REFRESH_TOKEN = "pinr_sandbox"  # noqa: S105  # nosec B105

ACCESS_SECONDS = 30 * 24 * 3600
REFRESH_SECONDS = 60 * 24 * 3600

WRITE = "ads:write"
READ = "ads:read"

Kind = Literal["conversion", "oauth"]


@dataclass(frozen=True, slots=True)
class Token:
    """An access token.

    :param scopes: what an OAuth token may do; a conversion token may send events and nothing else.
    :param ad_account_ids: the accounts it may use, or None for all.
    :param expires_at: Unix time from which it is refused, or None for never.
    """

    value: str = field(repr=False)
    kind: Kind = "conversion"
    scopes: frozenset[str] = frozenset()
    ad_account_ids: frozenset[str] | None = None
    expires_at: float | None = None

    def may_send_events(self) -> bool:
        """Tell whether the token may be used for the conversions endpoint."""
        return self.kind == "conversion" or WRITE in self.scopes

    def may_read_accounts(self) -> bool:
        """Tell whether the token may read ad accounts."""
        return READ in self.scopes

    def may_mint_conversion_tokens(self) -> bool:
        """Tell whether conversion tokens can be made with this one."""
        return WRITE in self.scopes

    def may_use(self, ad_account_id: str) -> bool:
        """Tell whether the token's user has a role on the account."""
        return self.ad_account_ids is None or ad_account_id in self.ad_account_ids


class TokenStore:
    """All tokens this Pinterest knows."""

    def __init__(self) -> None:
        both = frozenset({READ, WRITE})
        self._access: dict[str, Token] = {}
        self._refresh = REFRESH_TOKEN
        self.add(Token(CONVERSION_TOKEN))
        self.add(Token(OAUTH_TOKEN, kind="oauth", scopes=both))

    def add(self, token: Token) -> Token:
        """Make a token known, replacing one of the same value."""
        self._access[token.value] = token
        return token

    def find(self, value: str, now: float) -> Token | None:
        """Return the token if it is known and has not expired."""
        token = self._access.get(value)
        if token is None or (token.expires_at is not None and token.expires_at <= now):
            return None
        return token

    def expire(self, now: float, value: str | None = None) -> int:
        """Expire one token, or all OAuth access tokens, and return how many that were."""
        chosen = [t for t in self._access.values() if (t.kind == "oauth" if value is None else t.value == value)]
        for token in chosen:
            self.add(replace(token, expires_at=now))
        return len(chosen)

    def mint_conversion(self, parent: Token) -> Token:
        """Make a conversion token with the reach of an OAuth token."""
        return self.add(Token(f"pina_{secrets.token_hex(16)}", ad_account_ids=parent.ad_account_ids))

    def mint_oauth(self, scopes: Collection[str], now: float) -> Token:
        """Make an OAuth access token that lives thirty days."""
        value = f"pina_{secrets.token_hex(16)}"
        return self.add(Token(value, kind="oauth", scopes=frozenset(scopes), expires_at=now + ACCESS_SECONDS))

    def refresh_token(self) -> str:
        """Return the refresh token that is valid now."""
        return self._refresh

    def rotate_refresh_token(self) -> None:
        """Replace the refresh token; the old one is refused from now on."""
        self._refresh = f"pinr_{secrets.token_hex(16)}"
