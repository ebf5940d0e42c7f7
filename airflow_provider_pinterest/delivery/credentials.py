"""The token: kept out of every repr, and refreshed where Pinterest's OAuth allows it.

https://developers.pinterest.com/docs/getting-started/set-up-authentication-and-authorization/
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import orjson
import requests
from requests.auth import AuthBase, HTTPBasicAuth

from airflow_provider_pinterest.delivery.answers import Busy, Doubt, Reply, Trace, retry_after
from airflow_provider_pinterest.exceptions import CredentialError

Ask = Callable[[str, Mapping[str, str], AuthBase], Reply | Busy | Doubt]
"""Sends a form to an address, with a name and a password."""

_LATER: Final = frozenset({408, 429})
"""Statuses below 500 with which Pinterest says nothing about the tokens themselves."""


class Credential(AuthBase):
    """A bearer token for ``requests``, which can renew itself if it is OAuth's.

    :param token: the access token.
    :param refresh: the refresh token, with ``app_id`` and ``app_secret`` what a new access token is got with.
    :param token_url: address of the OAuth token endpoint.
    :param on_new_token: told every token that Pinterest issues, so that logs can mask it.
    """

    def __init__(
        self,
        token: str,
        *,
        refresh: str | None = None,
        app_id: str | None = None,
        app_secret: str | None = None,
        token_url: str = "",
        on_new_token: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._token = token
        self._refresh = refresh
        self._app = (app_id, app_secret)
        self._token_url = token_url
        self._on_new_token = on_new_token
        self._expires = float("inf")
        self._lock = threading.Lock()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token into a request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    @property
    def token(self) -> str:
        """The access token in use; compare, never print."""
        return self._token

    @property
    def renewable(self) -> bool:
        """Whether a new token can be had."""
        return bool(self._refresh and all(self._app))

    @property
    def expired(self) -> bool:
        """Whether the token's time, where it is known, is over."""
        return time.monotonic() >= self._expires

    def renew(self, used: str, ask: Ask) -> Busy | None:
        """Get a new access token, unless another thread has done so since ``used`` was read.

        :param ask: sends a form to the token endpoint.
        :return: why it must be asked again later; ``None``: there is a new token.
        :raises CredentialError: Pinterest does not issue one.
        """
        with self._lock:
            if self._token != used:
                return None
            app_id, app_secret = self._app
            form = {"grant_type": "refresh_token", "refresh_token": self._refresh or ""}
            reply = ask(self._token_url, form, HTTPBasicAuth(app_id or "", app_secret or ""))
            if not isinstance(reply, Reply):
                return Busy(_for_token(reply.trace), reply.retry_after)
            if reply.status in _LATER or reply.status >= 500:
                return Busy(_for_token(Trace(reply.status)), retry_after(reply.headers, time.time()))
            try:
                document = orjson.loads(reply.content) if reply.status == 200 else {}
                token = document["access_token"]
                if not isinstance(token, str) or not token.strip():
                    raise ValueError("access_token")
            except (ValueError, KeyError, TypeError):
                raise CredentialError(
                    f"The access token is expired and could not be refreshed (HTTP {reply.status}). Check app_id, "
                    "app_secret and refresh_token in the connection, or put a new token into its password.",
                    status=reply.status,
                ) from None
            issued = (token, document.get("refresh_token"))
            for secret in filter(None, issued):
                self._on_new_token(secret)
            self._token, self._refresh = token, issued[1] or self._refresh
            lifetime = document.get("expires_in")
            if isinstance(lifetime, int) and lifetime > 0:
                self._expires = time.monotonic() + 0.9 * lifetime
            return None


def _for_token(trace: Trace) -> Trace:
    """Say that it was not the events that could not be sent."""
    return Trace(trace.status, message=f"{trace.message or 'the answer'}, asked for a new access token")
