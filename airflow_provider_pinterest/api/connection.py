"""The settings to call Pinterest: a token, a host, a rate limit and usually an ad account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from airflow_provider_pinterest.api.ad_account import account_id
from airflow_provider_pinterest.api.client import Client, base_url
from airflow_provider_pinterest.api.credentials import Credential, Tokens, is_token
from airflow_provider_pinterest.api.events_endpoint import EventsEndpoint
from airflow_provider_pinterest.api.rate_limit import CALLS_PER_MINUTE, MEMORY, RateLimiter, storage
from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.problems import Problems
from airflow_provider_pinterest.redaction import Secret


@dataclass(frozen=True, kw_only=True)
class PinterestConnection:
    """How to call Pinterest, and with which token. ``repr`` does not show tokens and passwords.

    https://developers.pinterest.com/docs/api-features/conversion-overview/

    :param access_token: a conversion token, or an OAuth access token.
    :param ad_account_id: the account that receives events if a run sets none; digits only.
    :param host: the base URL of the API, https only, or http to this machine; ``None``: Pinterest's.
    :param app_id: used with ``app_secret`` and ``refresh_token`` to obtain a new access token when the old one expires.
    :param app_secret: the secret of the app.
    :param refresh_token: the OAuth refresh token.
    :param calls_per_minute: the rate limit per ad account.
    :param rate_limit_storage: where calls are counted: ``memory://``, or ``redis://…`` for several machines.
    :param name: name of the connection in errors, such as ``Connection 'pinterest_default'``.
    :param token_field: name of the field with the access token, in errors.
    :param read_again: returns the current connection, for tokens that were replaced during a run.
    :param on_secret: receives every secret, including tokens that Pinterest issues, so that logs can mask them.
    """

    access_token: str | Secret
    ad_account_id: str | int | None = None
    host: str | None = None
    app_id: str | None = None
    app_secret: str | Secret | None = None
    refresh_token: str | Secret | None = None
    calls_per_minute: int | str | None = None
    rate_limit_storage: str | Secret | None = None
    name: str = "The connection"
    token_field: str = "access_token"  # noqa: S105 - the name of a field
    read_again: Callable[[], Self] | None = field(default=None, repr=False)
    on_secret: Callable[[str], None] = field(default=lambda _: None, repr=False)

    def __post_init__(self) -> None:
        for name in ("access_token", "app_secret", "refresh_token", "rate_limit_storage"):
            value = getattr(self, name)
            if not isinstance(value, Secret):
                object.__setattr__(self, name, Secret(str(value or "").strip()))

    @property
    def _inline_name(self) -> str:
        """The name inside a sentence."""
        return f"{self.name[:1].lower()}{self.name[1:]}"

    def account(self, wanted: str | int | None = None) -> str:
        """Return the ad account to send to, checked.

        :param wanted: the account of the run; ``None``: that of the connection.
        :raises ParameterError: there is none, or it does not have 1 to 18 digits.
        """
        found = self.ad_account_id if wanted is None else wanted
        if found in (None, ""):
            raise ParameterError(f"No ad account is set. Pass ad_account_id, or set it in {self._inline_name}.")
        return account_id(found)

    def url(self) -> str:
        """Return the API's base URL, checked.

        :raises ParameterError: the host is not https, and not http to this machine.
        """
        return base_url(self.host)

    def check(self) -> None:
        """Check the fields that calls need.

        :raises ParameterError: the message names every field that is wrong.
        """
        found = Problems()
        found.checked(self.url, otherwise="")
        found.checked(self.tokens, otherwise=None)
        found.checked(self._calls_per_minute, otherwise=0)
        found.checked(self._storage, otherwise=None)
        found.raise_all()

    def client(self, *, connections: int = 1) -> Client:
        """Return a client.

        :param connections: largest number of calls at the same time.
        :raises ParameterError: a required field is missing or wrong; the message names it.
        """
        read_again = self.read_again
        credential = Credential(
            self.tokens(),
            reread=None if read_again is None else lambda: read_again().tokens(),
            on_new_token=lambda issued: self.on_secret(issued.reveal()),
        )
        return Client(self.url(), credential, connections=connections)

    def events(self, *, test: bool = False, connections: int = 1) -> EventsEndpoint:
        """Return the endpoint that receives events.

        :param test: validate without recording.
        :param connections: largest number of calls at the same time.
        :raises ParameterError: a required field is missing or wrong; the message names it.
        """
        return EventsEndpoint(self.client(connections=connections), test=test)

    def rate_limiter(self, *, test: bool = False) -> RateLimiter:
        """Return the rate limiter of the connection.

        :param test: whether it is for test calls.
        :raises ParameterError: ``calls_per_minute`` or ``rate_limit_storage`` is wrong.
        """
        return RateLimiter(self.url(), calls_per_minute=self._calls_per_minute(), uri=self._uri(), test=test)

    def tokens(self) -> Tokens:
        """Return the tokens, passed to ``on_secret``.

        :raises ParameterError: there is none, or it has characters that are not allowed in a token.
        """
        token = self._secret("access_token") or Secret("")
        if not token:
            raise ParameterError(
                f"{self.name} has no access token. Generate one in Ads Manager (Conversions → Conversions API → "
                f"Generate token) and set it as the {self.token_field}."
            )
        if not is_token(token):
            raise ParameterError(
                f"The access token in {self._inline_name} has characters that are not allowed in a "
                "token, such as spaces or quotes. Paste it again."
            )
        found = Tokens(token, self._secret("refresh_token"), self.app_id, self._secret("app_secret"))
        for secret in (found.access, found.refresh, found.app_secret):
            if secret:
                self.on_secret(secret.reveal())
        return found

    def _secret(self, name: str) -> Secret | None:
        found = getattr(self, name)
        return found if isinstance(found, Secret) and found else None

    def _uri(self) -> Secret:
        return self._secret("rate_limit_storage") or MEMORY

    def _storage(self) -> None:
        storage(self._uri())

    def _calls_per_minute(self) -> int:
        value = self.calls_per_minute
        try:
            calls = int(str(value)) if value not in (None, "") else CALLS_PER_MINUTE
        except (TypeError, ValueError):
            calls = 0
        if calls < 1:
            raise ParameterError(f"calls_per_minute in {self._inline_name} must be a whole number of 1 or more.")
        return calls
