"""Turns the answer to a failed call into an error that says what to do."""

from __future__ import annotations

from typing import Final

from airflow_provider_pinterest.api.deletion_requests_endpoint import Missing, NotAccepted
from airflow_provider_pinterest.api.limited_call import Failure
from airflow_provider_pinterest.api.responses import AccessDenied, Misconfigured, TooLarge, Trace
from airflow_provider_pinterest.delivery.decide import denied, misconfigured, unavailable
from airflow_provider_pinterest.exceptions import CredentialError, DeliveryError, RefusedError

OAUTH: Final = (
    "Deletion requests need an OAuth access token: with the scope ads:write to create or cancel one, and ads:read to "
    "show one. A conversion token of Ads Manager is not accepted. Put the OAuth token into the connection, with "
    "refresh_token, app_id and app_secret."
)

_HAPPENED: Final = {
    401: "the access token is wrong, is expired, or is a conversion token",
    403: "the token may not be used for deletion requests of this ad account",
    404: "there is no such endpoint or ad account, or the app has no access to it",
}
_ADVICE: Final = {
    401: OAUTH,
    403: f"{OAUTH} Check that the token's user has a role on the ad account, and that Pinterest has opened the "
    "endpoint, which is in beta, to your app.",
    404: "Check ad_account_id and the connection's host. The endpoint is in beta, and not open to all apps.",
}


def error_of(answer: Failure | NotAccepted | Missing) -> DeliveryError:
    """Return the error for a failed call."""
    trace = answer.trace
    if isinstance(answer, AccessDenied) and trace.status in _HAPPENED:
        return _error(
            CredentialError,
            f"Pinterest denies access: {_HAPPENED[trace.status]} ({trace}).",
            _ADVICE[trace.status],
            trace,
        )
    if isinstance(answer, AccessDenied):
        return denied(trace)
    if isinstance(answer, Misconfigured):
        return misconfigured(trace)
    if isinstance(answer, (NotAccepted, TooLarge)):
        return _error(RefusedError, f"Pinterest refuses the deletion request ({trace}).", "", trace)
    if isinstance(answer, Missing):
        return _error(
            CredentialError,
            f"Pinterest has no such deletion request or ad account ({trace}).",
            "Check the id of the request, ad_account_id and the connection.",
            trace,
        )
    return unavailable(answer, "deletion requests")


def _error(kind: type[DeliveryError], message: str, advice: str, trace: Trace) -> DeliveryError:
    return kind(message, advice=advice, status=trace.status, code=trace.code, request_id=trace.request_id)
