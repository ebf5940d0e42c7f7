"""The deletion requests of an ad account: listed, looked up and cancelled."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from airflow_provider_pinterest.api.connection import PinterestConnection
from airflow_provider_pinterest.api.deletion_requests_endpoint import (
    Cancelled,
    DeletionPage,
    DeletionRequestsEndpoint,
    NotAccepted,
    checked_request_id,
)
from airflow_provider_pinterest.api.deletion_states import DeletionRequest
from airflow_provider_pinterest.erasure.failures import error_of
from airflow_provider_pinterest.exceptions import RefusedError

MAX_WAIT: Final = dt.timedelta(minutes=1)
"""The longest time in which a call is made again."""

FEW: Final = 10
"""Largest number of requests that are looked up one by one."""


class AccountRequests:
    """The deletion requests of one ad account. Used in a ``with`` block.

    :param connection: how to reach Pinterest, with an OAuth token.
    :param account: the ad account; ``None``: that of the connection.
    :raises ParameterError: a field of the connection is wrong.
    """

    def __init__(
        self, connection: PinterestConnection, account: str | int | None = None, *, max_wait: dt.timedelta = MAX_WAIT
    ) -> None:
        self._account = connection.account(account)
        self._endpoint = DeletionRequestsEndpoint(
            connection.client(), connection.rate_limiter(), max_wait=max_wait.total_seconds()
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._endpoint.client.close()

    def listed(self) -> list[DeletionRequest]:
        """Return all requests, the newest first.

        :raises DeliveryError: Pinterest does not list them.
        """
        found: list[DeletionRequest] = []
        for page in self._endpoint.pages(self._account):
            if not isinstance(page, DeletionPage):
                raise error_of(page)
            found += page.requests
        return found

    def get(self, request_id: str) -> DeletionRequest:
        """Return one request.

        :raises ParameterError: the id does not have 1 to 18 digits.
        :raises DeliveryError: there is no such request, or Pinterest does not show it.
        """
        found = self._endpoint.get(self._account, checked_request_id(request_id))
        if not isinstance(found, DeletionRequest):
            raise error_of(found)
        return found

    def get_all(self, request_ids: Sequence[str]) -> list[DeletionRequest]:
        """Return several requests, in any order. Many are looked up in the list, which has 250 on a page.

        :raises ParameterError: an id does not have 1 to 18 digits.
        :raises DeliveryError: there is no such request, or Pinterest does not show it.
        """
        missing = dict.fromkeys(map(checked_request_id, request_ids))
        found = []
        if len(missing) > FEW:
            pages = self._endpoint.pages(self._account)
            for page in itertools.islice(pages, len(missing)):
                if not isinstance(page, DeletionPage):
                    raise error_of(page)
                wanted = [one for one in page.requests if one.request_id in missing]
                found += wanted
                for one in wanted:
                    missing.pop(one.request_id, None)
                if len(missing) <= FEW:
                    break
        return [*found, *map(self.get, missing)]

    def cancel(self, request_id: str) -> None:
        """Cancel a pending request.

        :raises ParameterError: the id does not have 1 to 18 digits.
        :raises RefusedError: it is no longer pending.
        :raises DeliveryError: there is no such request, or Pinterest does not answer.
        """
        answer = self._endpoint.cancel(self._account, checked_request_id(request_id))
        if isinstance(answer, NotAccepted):
            raise RefusedError(
                f"Deletion request {request_id} cannot be cancelled ({answer.trace}).",
                advice="Only a pending request can be cancelled. A request is submitted 72 hours after it was created.",
                status=answer.trace.status,
                code=answer.trace.code,
                request_id=answer.trace.request_id,
            )
        if not isinstance(answer, Cancelled):
            raise error_of(answer)
