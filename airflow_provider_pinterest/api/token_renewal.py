"""Keeps the token of one request valid: renewed when it is old, and once after Pinterest has refused it."""

from __future__ import annotations

from airflow_provider_pinterest.api.client import Client
from airflow_provider_pinterest.api.responses import AccessDenied, Misconfigured, Unavailable
from airflow_provider_pinterest.redaction import Secret


class TokenRenewal:
    """The renewals for one request, which may be sent several times.

    :param client: makes the calls.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._refused_token: Secret | None = None
        self._refusal: AccessDenied | None = None

    @property
    def possible(self) -> bool:
        """Whether a refused token can be replaced: there may be another one, and none was refused before."""
        return self._client.credential.renewable and self._refused_token is None

    def refuse(self, token: Secret, answer: AccessDenied | None) -> None:
        """Note that Pinterest refused a token.

        :param token: the token of the call.
        :param answer: the answer of Pinterest, if it came to this request.
        """
        self._refused_token = token
        self._refusal = answer

    def renew(self) -> Unavailable | AccessDenied | Misconfigured | None:
        """Replace the token if it is old or was refused; return why that failed, or ``None``.

        :raises CredentialError: Pinterest refuses to issue a token.
        :raises Stopped: the client was aborted.
        """
        credential = self._client.credential
        token = credential.token  # read before `expired`: another thread may renew it in between
        refused = token == self._refused_token
        if not refused and not credential.expired:
            return None
        return self._client.renew(token, self._refusal if refused else None)
