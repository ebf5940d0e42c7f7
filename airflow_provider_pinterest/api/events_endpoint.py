"""The endpoint that receives events: 1 to 1,000 of one ad account.

Every HTTP response and every network failure becomes exactly one :data:`Answer`.

https://developers.pinterest.com/docs/api/v5/events-create/
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_pinterest.api.ad_account import account_id
from airflow_provider_pinterest.api.client import Client
from airflow_provider_pinterest.api.request import Request
from airflow_provider_pinterest.api.responses import (
    AccessDenied,
    Misconfigured,
    OutcomeUnknown,
    Reply,
    TooLarge,
    Trace,
    Unavailable,
    json_object,
    retry_after,
    trace_of,
    without_result,
)
from airflow_provider_pinterest.redaction import clean


@dataclass(frozen=True, slots=True)
class PerEventResults:
    """An outcome for every event of the request, by position; events that are not listed were processed.

    :param failed: position → Pinterest's message.
    :param unknown: positions whose status is neither processed nor failed.
    :param warnings: events processed with a warning.
    """

    trace: Trace
    failed: Mapping[int, str]
    unknown: frozenset[int]
    warnings: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The request was understood and not accepted, and the answer has no outcomes of single events.

    :param partly: whether some of its events may have been accepted (422).
    """

    trace: Trace
    partly: bool


Answer = PerEventResults | Refused | AccessDenied | Misconfigured | TooLarge | Unavailable | OutcomeUnknown
"""Every possible result of a call."""

_ABOUT_EVENTS: Final = frozenset({400, 422})
"""The only statuses that are about events. Other 4xx statuses come from gateways or are about the whole request."""


class EventsEndpoint:
    """Sends events; shared by threads.

    :param client: makes the calls.
    :param test: send with ``?test=true``: Pinterest validates the events and does not record them.
    """

    def __init__(self, client: Client, *, test: bool = False) -> None:
        self.client = client
        self.test = test

    def send(
        self,
        ad_account_id: str,
        body: bytes,
        events: int,
        *,
        fresh: bool = False,
        begin: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Send one body. Network failures are returned as answers too.

        :param ad_account_id: the account that receives the events, see :func:`~.ad_account.account_id`.
        :param events: number of events in the body.
        :param fresh: see :meth:`~.client.Client.call`.
        :param begin: see :meth:`~.client.Client.call`.
        :raises Stopped: ``begin`` raised it, or the client was aborted before ``begin``; nothing was written.
        :raises UnavailableError: no thread could be started for the deadline of the call; nothing was written.
        """
        path = f"/ad_accounts/{account_id(ad_account_id)}/events{'?test=true' if self.test else ''}"
        reply = self.client.call(Request(path, lambda: body), fresh=fresh, begin=begin)
        return read_answer(reply, events, time.time()) if isinstance(reply, Reply) else reply


def read_answer(reply: Reply, sent: int, now: float) -> Answer:
    """Read an HTTP response to a request of ``sent`` events.

    :param now: Unix seconds, for a ``Retry-After`` that is a date.
    """
    status = reply.status
    document = json_object(reply)
    trace = trace_of(reply, document)
    if status != 200 and status not in _ABOUT_EVENTS:
        return without_result(reply, trace, now)
    if reply.content is None and status != 400:
        broken_off = Trace(status, None, "the answer is incomplete", trace.request_id)
        return OutcomeUnknown(broken_off, retry_after(reply.headers, now))
    outcomes = _outcomes(document, sent) if status != 400 else None
    if outcomes is not None:
        return _listed(trace, outcomes)
    if status == 200:
        return OutcomeUnknown(Trace(200, None, "the answer does not list an outcome for every event", trace.request_id))
    return Refused(trace, partly=status == 422)


def _outcomes(document: Mapping[str, Any], sent: int) -> list[Any] | None:
    """Find the list of outcomes: at the top level, in ``details``, or one level below it."""
    details = document.get("details")
    places = [document, details]
    if isinstance(details, dict):
        places += details.values()
    for place in places:
        for found in (place, place.get("events") if isinstance(place, dict) else None):
            if isinstance(found, list) and len(found) == sent and _are_outcomes(found):
                return found
    return None


def _are_outcomes(found: list[Any]) -> bool:
    """Return whether a list has outcomes and not something else, such as errors of an event, which have no status."""
    return all(isinstance(item, dict) for item in found) and any("status" in item for item in found)


def _listed(trace: Trace, outcomes: list[dict[str, Any]]) -> PerEventResults:
    failed: dict[int, str] = {}
    unknown = set()
    warnings = 0
    for position, outcome in enumerate(outcomes):
        status = outcome.get("status")
        if status == "processed":
            warnings += bool(outcome.get("warning_message"))
        elif status == "failed":
            failed[position] = clean(outcome.get("error_message") or "Pinterest gave no message")
        else:
            unknown.add(position)
    return PerEventResults(trace, failed, frozenset(unknown), warnings)
