"""Gets a deletion request created for each batch of people, or finds that it exists."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Final, TypeVar

from airflow_provider_pinterest.api.backoff import wait_before_retry
from airflow_provider_pinterest.api.deletion_requests_endpoint import (
    DeletionRequestsEndpoint,
    Missing,
    NotAccepted,
)
from airflow_provider_pinterest.api.deletion_states import CANCELLED, DeletionRequest
from airflow_provider_pinterest.api.interruptible import Stopped
from airflow_provider_pinterest.api.limited_call import Failure
from airflow_provider_pinterest.api.responses import AccessDenied, OutcomeUnknown, TooLarge, Trace
from airflow_provider_pinterest.erasure.created_requests import OUTCOME_UNKNOWN, CreatedRequests
from airflow_provider_pinterest.erasure.deletion_counts import CHECK_REFUSALS, DeletionCounts
from airflow_provider_pinterest.erasure.failures import error_of
from airflow_provider_pinterest.erasure.targets import Targets
from airflow_provider_pinterest.exceptions import PinterestError, RefusedError

log = logging.getLogger(__name__)

Refusal = TypeVar("Refusal", bound=NotAccepted | Failure)

SAME_REFUSALS: Final = 10
"""Consecutive single identifiers that are refused with the same error before the fault is not theirs."""

LOGGED_REFUSALS: Final = 20
"""Largest number of refused identifiers that are logged one by one."""

WAITS_LIKE_TRY: Final = 4
"""A request whose outcome is unknown is repeated after up to 4 seconds, as after that number of tries."""


class Requester:
    """Creates the requests of a run.

    :param endpoint: creates and shows them.
    :param account: the ad account.
    :param created: what earlier attempts created.
    :param counts: counts identifiers and requests.
    :param resend: whether a request is created once more if it is unknown whether it exists.
    :param jitter: returns random numbers from 0 to 1.
    """

    def __init__(
        self,
        endpoint: DeletionRequestsEndpoint,
        account: str,
        created: CreatedRequests,
        counts: DeletionCounts,
        *,
        resend: bool,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._endpoint = endpoint
        self._account = account
        self._created = created
        self._counts = counts
        self._resend = resend
        self._jitter = jitter
        self._largest: int | None = None
        self._last_refusal: str | None = None
        self._same_refusals = 0
        self._may_look = True

    def request(self, targets: Targets) -> bool:
        """Get a request for these people. A request that Pinterest refuses is split, to find what it refuses.

        :return: whether one request covers them all.
        :raises DeliveryError: the run must end.
        :raises Stopped: the run was told to stop.
        """
        found = self._created.find(targets)
        if found:
            return self._exists(targets, found)
        if self._largest is not None and len(targets) > self._largest:
            return self._split(targets)
        if found == OUTCOME_UNKNOWN and not self._resend:
            self._counts.unknown += len(targets)
            return True
        answer = self._create(targets, may_exist=found == OUTCOME_UNKNOWN)
        if isinstance(answer, DeletionRequest):
            self._accept(targets, answer.request_id)
            return True
        if isinstance(answer, OutcomeUnknown):
            self._counts.unknown += len(targets)
            if self._resend:
                raise error_of(answer)
            log.warning("It is unknown whether a request for %r was created: %s.", targets, answer.trace)
            return True
        if not isinstance(answer, (NotAccepted, TooLarge)):
            raise error_of(answer)
        if len(targets) == 1:
            self._refuse(targets, answer.trace)
            return True
        return self._split(targets, learn=True)

    def _create(self, targets: Targets, *, may_exist: bool) -> DeletionRequest | NotAccepted | Failure:
        """Create a request; once more if it is unknown whether the first was created.

        :param may_exist: whether an earlier attempt has sent it, and it is unknown whether it exists.
        """
        answer = self._send(targets, may_exist=may_exist)
        may_wait = isinstance(answer, OutcomeUnknown) and (answer.retry_after or 0) <= self._endpoint.max_wait
        if isinstance(answer, OutcomeUnknown) and may_wait and self._resend and not may_exist:
            wait = wait_before_retry(answer.retry_after, WAITS_LIKE_TRY, self._jitter)
            log.info("%s; sending it again in %.1f s", answer.trace.place_and_reason, wait)
            try:
                self._endpoint.rate_limiter.sleep(min(wait, self._endpoint.max_wait))
            except Stopped:
                self._counts.unknown += len(targets)
                raise
            answer = self._send(targets, may_exist=True)
        return answer

    def _send(self, targets: Targets, *, may_exist: bool) -> DeletionRequest | NotAccepted | Failure:
        """Send a request, and note what is known about it afterwards.

        :param may_exist: whether it has been sent before, and it is unknown whether it exists.
        """
        if may_exist:
            self._counts.repeated += 1
            log.warning(
                "It is unknown whether a request for %r exists, so it is created again. A second request for the same "
                "people does no harm.",
                targets,
            )
        self._created.begin(targets)
        try:
            answer = self._endpoint.create(self._account, targets.body)
        except (Stopped, PinterestError):  # this copy was not sent
            self._not_sent(targets, may_exist=may_exist)
            raise
        if isinstance(answer, (DeletionRequest, OutcomeUnknown)):
            pass
        elif isinstance(answer, (NotAccepted, TooLarge)):
            self._created.not_created(targets)
        else:
            self._not_sent(targets, may_exist=may_exist)
        return answer if isinstance(answer, DeletionRequest) else self._without_people(answer, targets)

    def _not_sent(self, targets: Targets, *, may_exist: bool) -> None:
        """Note that Pinterest has not processed this copy of a request."""
        if may_exist:
            self._counts.unknown += len(targets)
        else:
            self._created.not_created(targets)

    @staticmethod
    def _without_people(answer: Refusal, targets: Targets) -> Refusal:
        """Return an answer without the people, whom Pinterest may repeat in its message."""
        return replace(answer, trace=replace(answer.trace, message=targets.redacted(answer.trace.message)))

    def _accept(self, targets: Targets, request_id: str) -> None:
        self._counts.requested += len(targets)
        self._counts.created += 1
        self._counts.request_ids.append(request_id)
        self._created.created(targets, request_id)
        self._last_refusal, self._same_refusals = None, 0
        log.info("Created deletion request %s for %s.", request_id, targets.kind.counted(len(targets)))

    def _exists(self, targets: Targets, request_id: str) -> bool:
        """Count a request that an earlier attempt created.

        :raises DeliveryError: it cannot be looked up.
        """
        found = self._endpoint.get(self._account, request_id) if self._may_look else None
        if isinstance(found, AccessDenied) and found.trace.status == HTTPStatus.FORBIDDEN:
            self._may_look = False
            log.warning("The token may not show deletion requests, so those of earlier attempts are not checked.")
            found = None
        if isinstance(found, Missing):
            log.warning("Deletion request %s no longer exists, so it is created again.", request_id)
            return self._replace(targets, request_id)
        if not (found is None or isinstance(found, DeletionRequest)):
            raise error_of(found)
        self._counts.request_ids.append(request_id)
        if found is not None and found.status == CANCELLED:
            log.warning("Deletion request %s was cancelled. It is not created again.", request_id)
            self._counts.cancelled += len(targets)
        else:
            self._counts.already_requested += len(targets)
        return True

    def _replace(self, targets: Targets, request_id: str) -> bool:
        """Get a new request for people whose request is gone. Its id is kept if that fails."""
        self._created.not_created(targets)
        try:
            return self.request(targets)
        except BaseException:
            if self._created.find(targets) is None:
                self._created.created(targets, request_id)
            raise

    def _split(self, targets: Targets, *, learn: bool = False) -> bool:
        """Request both halves.

        :param learn: whether Pinterest refused the whole. If it accepts both halves, the whole was too large.
        """
        halves = targets.halves()
        before = self._counts.refused
        whole = [self.request(half) for half in halves]
        if learn and all(whole) and self._counts.refused == before:
            self._largest = max(map(len, halves))
        return False

    def _refuse(self, targets: Targets, trace: Trace) -> None:
        """Count an identifier that Pinterest refuses.

        :raises RefusedError: many are refused with the same error.
        """
        self._counts.refused += 1
        self._counts.refused_rows.add(targets.rows[0])
        self._counts.refusal = str(trace)
        if self._counts.refused <= LOGGED_REFUSALS:
            log.warning("Pinterest refused the %s of row %d: %s.", targets.kind.singular, targets.rows[0], trace)
        self._same_refusals = self._same_refusals + 1 if trace.message == self._last_refusal else 1
        self._last_refusal = trace.message
        if self._same_refusals >= SAME_REFUSALS:
            raise RefusedError(
                f"Pinterest refused {SAME_REFUSALS} consecutive {targets.kind.plural} with the same error ({trace}).",
                advice=CHECK_REFUSALS,
                status=trace.status,
                code=trace.code,
                request_id=trace.request_id,
            )
