"""The tokens that the sandbox knows, and their permissions."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

APP_ID = "1234567"
APP_SECRET = "sandbox-secret"  # noqa: S105  # nosec B105 - public: it protects nothing
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

    :param scopes: the permissions of an OAuth token. A conversion token may only send events.
    :param ad_account_ids: the accounts it may use; None: all.
    :param expires_at: the Unix time when it expires; None: never.
    """

    value: str = field(repr=False)
    kind: Kind = "conversion"
    scopes: frozenset[str] = frozenset()
    ad_account_ids: frozenset[str] | None = None
    expires_at: float | None = None

    def may_send_events(self) -> bool:
        """Return whether the token may be used for the conversions endpoint."""
        return self.kind == "conversion" or WRITE in self.scopes

    def may_read_accounts(self) -> bool:
        """Return whether the token may read ad accounts."""
        return READ in self.scopes

    def may_mint_conversion_tokens(self) -> bool:
        """Return whether the token may create conversion tokens."""
        return WRITE in self.scopes

    def may_use(self, ad_account_id: str) -> bool:
        """Return whether the token's user has a role on the account."""
        return self.ad_account_ids is None or ad_account_id in self.ad_account_ids


class TokenStore:
    """All known tokens."""

    def __init__(self) -> None:
        both = frozenset({READ, WRITE})
        self._access: dict[str, Token] = {}
        self._refresh = REFRESH_TOKEN
        self.add(Token(CONVERSION_TOKEN))
        self.add(Token(OAUTH_TOKEN, kind="oauth", scopes=both))

    def add(self, token: Token) -> Token:
        """Add a token, or replace the token with the same value."""
        self._access[token.value] = token
        return token

    def find(self, value: str, now: float) -> Token | None:
        """Return the token if it is known and has not expired."""
        token = self._access.get(value)
        if token is None or (token.expires_at is not None and token.expires_at <= now):
            return None
        return token

    def expire(self, now: float, value: str | None = None) -> int:
        """Expire one token, or all OAuth access tokens. Return the number of expired tokens."""
        chosen = [t for t in self._access.values() if (t.kind == "oauth" if value is None else t.value == value)]
        for token in chosen:
            self.add(replace(token, expires_at=now))
        return len(chosen)

    def mint_conversion(self, parent: Token) -> Token:
        """Create a conversion token for the accounts of an OAuth token."""
        return self.add(Token(f"pina_{secrets.token_hex(16)}", ad_account_ids=parent.ad_account_ids))

    def mint_oauth(self, scopes: Collection[str], now: float) -> Token:
        """Create an OAuth access token that expires after thirty days."""
        value = f"pina_{secrets.token_hex(16)}"
        return self.add(Token(value, kind="oauth", scopes=frozenset(scopes), expires_at=now + ACCESS_SECONDS))

    def refresh_token(self) -> str:
        """Return the current refresh token."""
        return self._refresh

    def rotate_refresh_token(self) -> None:
        """Replace the refresh token. The old token is no longer valid."""
        self._refresh = f"pinr_{secrets.token_hex(16)}"
