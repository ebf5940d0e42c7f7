"""Decides what to do after an answer: one pure function.

The decision depends on the answer, the number of tries, whether Pinterest deduplicates the events of the batch, and how
long the run may still wait. The page "What is guaranteed" has the same rules as a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, assert_never

from airflow_provider_pinterest.api.backoff import wait_before_retry
from airflow_provider_pinterest.api.events_endpoint import Answer, PerEventResults, Refused
from airflow_provider_pinterest.api.responses import (
    AccessDenied,
    Misconfigured,
    OutcomeUnknown,
    TooLarge,
    Trace,
    Unavailable,
)
from airflow_provider_pinterest.exceptions import (
    ConfigurationError,
    CredentialError,
    DeliveryError,
    UnavailableError,
)


class Deduplicability(Enum):
    """Which events of a batch Pinterest deduplicates."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Deliver:
    """Every event has its outcome."""

    answer: PerEventResults


@dataclass(frozen=True, slots=True)
class Retry:
    """Send the same batch again.

    :param after: seconds to wait.
    :param for_all: whether every sender to the account waits.
    :param reason: why, in a few words, such as ``HTTP 503`` or ``api.pinterest.com:443: connection refused``.
    """

    after: float
    for_all: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """Cut the batch in two and send both halves, to find the refused event or to make the body smaller.

    :param smaller: whether later batches must be smaller too.
    """

    trace: Trace
    smaller: bool = False


@dataclass(frozen=True, slots=True)
class HoldSome:
    """Hold the events that may not be sent twice, and send the others again."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class Hold:
    """Do not send again; the outcome stays unknown."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class Isolated:
    """Pinterest refuses the single event that is left."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class Renew:
    """Get a new token and send again."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End the run; the cause is not a single event."""

    error: DeliveryError


Action = Deliver | Retry | Split | HoldSome | Hold | Isolated | Renew | Stop


@dataclass(frozen=True, slots=True)
class Situation:
    """What the decision depends on besides the answer.

    :param events: size of the batch.
    :param attempt: number of tries so far, including this answer; from 1.
    :param kind: which events Pinterest deduplicates. In test mode nothing is recorded, so all count as deduplicable.
    :param time_left: seconds that the batch may still wait, in total.
    :param renewable: whether a new token can be obtained and was not obtained for this batch yet.
    """

    events: int
    attempt: int
    kind: Deduplicability
    time_left: float
    renewable: bool = False


def decide(answer: Answer, now: Situation, jitter: Callable[[], float]) -> Action:
    """Return what to do next.

    :param jitter: returns a random number from 0 to 1, for the length of a wait.
    """
    match answer:
        case PerEventResults():
            return Deliver(answer)
        case AccessDenied(trace):
            if trace.status == 401 and now.renewable:
                return Renew()
            return Stop(denied(trace))
        case Misconfigured(trace):
            return Stop(misconfigured(trace))
        case TooLarge(trace):
            if now.events > 1:
                return Split(trace, smaller=True)
            return Isolated(trace)
        case Refused(trace, partly=True) if now.kind is not Deduplicability.ALL:
            return HoldSome(trace) if now.kind is Deduplicability.SOME else Hold(trace)
        case Refused(trace):
            return Split(trace) if now.events > 1 else Isolated(trace)
        case Unavailable():
            return _again(answer, now, jitter)
        case OutcomeUnknown(trace):
            if now.kind is Deduplicability.ALL:
                return _again(answer, now, jitter)
            return HoldSome(trace) if now.kind is Deduplicability.SOME else Hold(trace)
    assert_never(answer)


def _again(answer: Unavailable | OutcomeUnknown, now: Situation, jitter: Callable[[], float]) -> Retry | Stop:
    """Wait and send again; give up if the wait is too long."""
    wait = wait_before_retry(answer.retry_after, now.attempt, jitter)
    if wait > now.time_left:
        return Stop(unavailable(answer))
    return Retry(wait, for_all=isinstance(answer, Unavailable) and answer.for_all, reason=answer.trace.place_and_reason)


def unavailable(answer: Unavailable | OutcomeUnknown, what: str = "events") -> DeliveryError:
    """Return the error for a host that cannot be reached, or for a Pinterest that is unavailable.

    :param what: what Pinterest does not accept.
    """
    trace = answer.trace
    advice = ""
    if trace.status is not None:
        message = f"Pinterest cannot accept {what} now ({trace})."
    elif isinstance(answer, OutcomeUnknown):
        message = f"The request to {_host(trace)} got no complete answer: {trace.message}."
    else:
        message = f"Cannot connect to {_host(trace)}: {trace.message}."
        advice = "Check the worker's network, DNS and proxy settings, and the connection's host."
    if answer.retry_after is not None:
        message += f" Pinterest asks to retry after {answer.retry_after:.0f} seconds."
    return _error(UnavailableError, message, trace, advice=advice, retry_after=answer.retry_after)


def misconfigured(trace: Trace) -> DeliveryError:
    """Return the error for a wrong network setting of the worker."""
    return _error(ConfigurationError, f"Cannot connect to {_host(trace)}: {trace.message}.", trace, advice=trace.advice)


def denied(trace: Trace) -> DeliveryError:
    """Return the error for a wrong token, role, account or host, or for a gateway that refuses the request."""
    status = trace.status or 0
    what = _DENIED.get(status) or _REFUSED.get(status) or (_REDIRECT if 300 <= status < 400 else _GATEWAY)
    who = "The request was refused as a whole" if status in _REFUSED or what is _GATEWAY else "Pinterest denies access"
    return _error(CredentialError, f"{who}: {what.happened} ({trace}).", trace, advice=what.advice)


class _Why(NamedTuple):
    happened: str
    advice: str


_NO_ENDPOINT: Final = _Why("there is no such endpoint or ad account", "Check the connection's host and ad_account_id.")
_REDIRECT: Final = _Why(
    "the host answered with a redirect, which is never followed",
    "Check the connection's host, and whether a gateway or proxy on the way redirects requests.",
)
_GATEWAY: Final = _Why(
    "a gateway or proxy between the worker and Pinterest rejects it",
    "Check the connection's host, and the gateways and proxies of the network.",
)
_FORMAT: Final = _Why(
    "the server does not accept the request's format",
    "Check that the connection's host is the Pinterest API, and that no gateway changes requests.",
)
_HEADERS: Final = _Why(
    "the server does not accept the request's headers",
    "Check that the connection's access token is the token alone, and that no proxy adds headers.",
)

_DENIED: Final[Mapping[int, _Why]] = {
    401: _Why(
        "the access token is wrong or expired",
        "Generate a new token in Ads Manager (Conversions → Conversions API → Generate token) and put it into the "
        "connection.",
    ),
    403: _Why(
        "the token may not send events to this ad account",
        "Check ad_account_id. Check that the token's user has the role Owner, Admin, Analyst, Audience or Campaign on "
        "this account. An OAuth token needs the scope ads:write.",
    ),
    404: _NO_ENDPOINT,
    405: _NO_ENDPOINT,
    410: _NO_ENDPOINT,
}

_REFUSED: Final[Mapping[int, _Why]] = {
    402: _Why("a payment is required", "Check the billing of the ad account, or of the gateway on the way."),
    406: _FORMAT,
    407: _Why(
        "a proxy asks for a user and password",
        "Set them in the environment variable HTTPS_PROXY: http://user:password@host:port.",
    ),
    411: _FORMAT,
    414: _NO_ENDPOINT,
    415: _FORMAT,
    417: _FORMAT,
    426: _FORMAT,
    428: _FORMAT,
    431: _HEADERS,
    451: _Why("access is blocked for legal reasons", "Ask the administrator of the network or of the gateway."),
    501: _FORMAT,
    505: _FORMAT,
    511: _Why(
        "the network asks for a login first",
        "Log the worker in to its network, or allow the host without a login.",
    ),
}
"""Statuses that are about the request as a whole, from gateways or servers."""


def _host(trace: Trace) -> str:
    return trace.host or "Pinterest"


def _error(
    kind: type[DeliveryError], message: str, trace: Trace, *, advice: str = "", retry_after: float | None = None
) -> DeliveryError:
    return kind(
        message,
        advice=advice,
        status=trace.status,
        code=trace.code,
        request_id=trace.request_id,
        retry_after=retry_after,
    )
