"""The endpoint for deletion requests: Pinterest deletes the conversion data of people, by e-mail address or click id.

It accepts OAuth tokens only. It is in beta.

https://developers.pinterest.com/docs/api/v5/conversion_deletion_request-create/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from airflow_provider_pinterest.api.ad_account import account_id
from airflow_provider_pinterest.api.client import Client
from airflow_provider_pinterest.api.deletion_states import CANCELLED, SUBMITTED, DeletionRequest
from airflow_provider_pinterest.api.limited_call import MAX_WAIT, Failure, call_limited
from airflow_provider_pinterest.api.rate_limit import RateLimiter
from airflow_provider_pinterest.api.request import Request
from airflow_provider_pinterest.api.responses import (
    OutcomeUnknown,
    Reply,
    Trace,
    json_object,
    retry_after,
    trace_of,
    without_result,
)
from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.redaction import clean

PAGE_SIZE: Final = 250
"""Largest page of the list."""

_ABOUT_THE_REQUEST: Final = frozenset({400, 409, 422})
"""Statuses that say that a request cannot be created or cancelled."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DeletionPage:
    """A page of the list of requests.

    :param bookmark: where the next page starts; ``None``: there is none.
    """

    requests: tuple[DeletionRequest, ...]
    bookmark: str | None


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """Pinterest understood the call and does not do what it asks: the body, or the status of the request, is wrong."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no such request or ad account."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The request is cancelled."""


class DeletionRequestsEndpoint:
    """Creates, shows, lists and cancels deletion requests.

    :param client: makes the calls.
    :param rate_limiter: admits them. Its ``stop`` ends every wait.
    :param max_wait: seconds within which a call is made again, in total.
    :param guard: called before each call; raises ``Stopped`` if this process must stop.
    """

    def __init__(
        self,
        client: Client,
        rate_limiter: RateLimiter,
        *,
        max_wait: float = MAX_WAIT,
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        self.client = client
        self.rate_limiter = rate_limiter
        self.max_wait = max_wait
        self._guard = guard

    def create(self, account: str, body: Callable[[], bytes]) -> DeletionRequest | NotAccepted | Failure:
        """Create a request. The call is made again only if Pinterest did not process it.

        :param body: returns the JSON body.
        """
        return self._call(account, Request(_path(account), body), _created, repeatable=False)

    def get(self, account: str, request_id: str) -> DeletionRequest | Missing | Failure:
        """Return one request."""
        return self._call(account, Request(_path(account, request_id), method="GET"), _shown, repeatable=True)

    def page(self, account: str, bookmark: str | None = None) -> DeletionPage | Failure:
        """Return a page of the account's requests, the newest first."""
        query = {"page_size": str(PAGE_SIZE), "order": "DESCENDING", **({"bookmark": bookmark} if bookmark else {})}
        return self._call(
            account, Request(f"{_path(account)}?{urlencode(query)}", method="GET"), _listed, repeatable=True
        )

    def pages(self, account: str) -> Iterator[DeletionPage | Failure]:
        """Yield all pages, until there are no more or a call fails."""
        bookmark: str | None = None
        seen: set[str | None] = set()
        while bookmark not in seen:
            seen.add(bookmark)
            found = self.page(account, bookmark)
            yield found
            if not isinstance(found, DeletionPage) or found.bookmark is None:
                return
            bookmark = found.bookmark

    def cancel(self, account: str, request_id: str) -> Cancelled | NotAccepted | Missing | Failure:
        """Cancel a pending request.

        A first attempt without an answer may have cancelled it, so the status of the request is looked up after a
        refusal.
        """
        request = Request(_path(account, request_id), method="DELETE")
        answer: Cancelled | NotAccepted | Missing | Failure = self._call(account, request, _cancelled, repeatable=True)
        if isinstance(answer, (NotAccepted, Missing)):
            found = self.get(account, request_id)
            if isinstance(found, DeletionRequest) and found.status == CANCELLED:
                return Cancelled()
        return answer

    def _call(
        self, account: str, request: Request, read: Callable[[Reply, float], T | Failure], *, repeatable: bool
    ) -> T | Failure:
        return call_limited(
            self.client,
            self.rate_limiter,
            account,
            request,
            read,
            repeatable=repeatable,
            max_wait=self.max_wait,
            guard=self._guard,
        )


def checked_request_id(value: object) -> str:
    """Check the id of a deletion request, which becomes part of the URL, and return it.

    :raises ParameterError: it does not have 1 to 18 digits.
    """
    text = str(value).strip()
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ParameterError(f"The id of a deletion request must be 1 to 18 digits, got {clean(text[:40])!r}.")
    return text


def _path(account: str, request_id: str | None = None) -> str:
    path = f"/ad_accounts/{account_id(account)}/conversion_deletion_requests"
    return path if request_id is None else f"{path}/{checked_request_id(request_id)}"


def _created(reply: Reply, now: float) -> DeletionRequest | NotAccepted | Failure:
    document = json_object(reply)
    trace = trace_of(reply, document)
    if reply.status in (200, 201):
        found = _request(document)
        return found or OutcomeUnknown(_said(trace, "the answer does not name the deletion request"))
    if reply.status in _ABOUT_THE_REQUEST:
        return NotAccepted(trace)
    return without_result(reply, trace, now)


def _shown(reply: Reply, now: float) -> DeletionRequest | Missing | Failure:
    document = json_object(reply)
    trace = trace_of(reply, document)
    if reply.status == 200:
        found = _request(document)
        return found or OutcomeUnknown(_said(trace, "the answer does not show the deletion request"))
    return Missing(trace) if reply.status == 404 else without_result(reply, trace, now)


def _listed(reply: Reply, now: float) -> DeletionPage | Failure:
    document = json_object(reply)
    trace = trace_of(reply, document)
    if reply.status != 200:
        return without_result(reply, trace, now)
    items, bookmark = document.get("items"), document.get("bookmark")
    if not isinstance(items, list):
        return OutcomeUnknown(
            _said(trace, "the answer does not list deletion requests"), retry_after(reply.headers, now)
        )
    found = (_request(item) for item in items if isinstance(item, dict))
    return DeletionPage(
        tuple(one for one in found if one), bookmark if isinstance(bookmark, str) and bookmark else None
    )


def _cancelled(reply: Reply, now: float) -> Cancelled | NotAccepted | Missing | Failure:
    document = json_object(reply)
    trace = trace_of(reply, document)
    if 200 <= reply.status < 300:
        shown = _request(document)
        if shown is not None and shown.status == SUBMITTED:
            return NotAccepted(_said(trace, f"the status of the request is {SUBMITTED}"))
        return Cancelled()
    if reply.status in _ABOUT_THE_REQUEST:
        return NotAccepted(trace)
    return Missing(trace) if reply.status == 404 else without_result(reply, trace, now)


def _request(item: Mapping[str, Any]) -> DeletionRequest | None:
    """Read a request; ``None`` if it has no id."""
    found = item.get("request_id")
    text = str(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else ""
    if not re.fullmatch(r"[0-9]{1,18}", text):
        return None
    created, processed = (_date(item.get(name)) for name in ("created_time", "processed_time"))
    return DeletionRequest(text, clean(item.get("status") or "unknown"), created, processed)


def _date(value: object) -> str | None:
    text = str(value)[:32] if isinstance(value, (str, int)) and value else ""
    return text if re.fullmatch(r"[0-9T:.Z+-]+", text) else None


def _said(trace: Trace, message: str) -> Trace:
    return Trace(trace.status, trace.code, message, trace.request_id)
