"""Makes one call within the rate limit, and makes it again where that is safe.

For endpoints that are called now and then. Events have rules of their own, see :mod:`.delivery.sender`.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from airflow_provider_pinterest.api.backoff import wait_before_retry
from airflow_provider_pinterest.api.client import Client
from airflow_provider_pinterest.api.rate_limit import RateLimiter
from airflow_provider_pinterest.api.request import Request
from airflow_provider_pinterest.api.responses import (
    AccessDenied,
    Misconfigured,
    OutcomeUnknown,
    Reply,
    TooLarge,
    Trace,
    Unavailable,
)
from airflow_provider_pinterest.api.token_renewal import TokenRenewal

log = logging.getLogger(__name__)

MAX_WAIT: Final = 600.0
"""Seconds within which a call is made again, counted from its start."""

T = TypeVar("T")

Failure = AccessDenied | Misconfigured | TooLarge | Unavailable | OutcomeUnknown
"""Every result of a call that is not a result of its endpoint."""


def call_limited(
    client: Client,
    rate_limiter: RateLimiter,
    ad_account_id: str,
    request: Request,
    read: Callable[[Reply, float], T | Failure],
    *,
    repeatable: bool,
    max_wait: float = MAX_WAIT,
    guard: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
    jitter: Callable[[], float] = random.random,
) -> T | Failure:
    """Make a call, and make it again if it was not processed.

    The token is renewed once if Pinterest refuses it. No attempt starts later than ``max_wait`` after the start of the
    first one; the last answer is then returned.

    :param rate_limiter: admits each attempt. Its ``stop`` ends every wait.
    :param ad_account_id: the account whose calls are counted.
    :param read: returns the meaning of a response; the second argument is the time in Unix seconds.
    :param repeatable: whether a second copy of the call does no harm. If not, the call goes out over a new connection,
        and an unknown outcome is returned at once.
    :param max_wait: seconds.
    :param guard: called before each attempt; raises ``Stopped`` if this process must stop.
    :param clock: monotonic seconds.
    :param wall: Unix seconds.
    :param jitter: returns random numbers from 0 to 1.
    :raises Stopped: the run was told to stop; the outcome of the call is known, or there was no call.
    :raises CredentialError: Pinterest refuses to issue a token.
    :raises UnavailableError: no thread could be started.
    """
    end = clock() + max_wait
    renewal = TokenRenewal(client)
    attempt = 0
    answer: T | Failure
    while True:
        attempt += 1
        token = client.credential.token
        problem = renewal.renew()
        if problem is not None:
            answer = problem
        elif not rate_limiter.wait(ad_account_id, seconds=end - clock()):
            return Unavailable(Trace(message="the rate limit leaves no room for the call"))
        else:
            guard()
            token = client.credential.token
            reply = client.call(request, fresh=not repeatable)
            answer = read(reply, wall()) if isinstance(reply, Reply) else reply
        if isinstance(answer, AccessDenied) and answer.trace.status == 401 and renewal.possible:
            renewal.refuse(token, answer)
            continue
        if not isinstance(answer, Unavailable) and not (repeatable and isinstance(answer, OutcomeUnknown)):
            return answer
        wait = wait_before_retry(answer.retry_after, attempt, jitter)
        if wait > end - clock():
            return answer
        log.info("%s; retrying in %.1f s (try %d)", answer.trace.place_and_reason, wait, attempt + 1)
        if isinstance(answer, Unavailable) and answer.for_all:
            rate_limiter.pause(wait, ad_account_id)
        rate_limiter.sleep(wait)
