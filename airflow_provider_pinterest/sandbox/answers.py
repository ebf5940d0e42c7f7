"""The responses of the sandbox: status, headers and body."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

import orjson

from airflow_provider_pinterest.sandbox.judge import Judgement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_pinterest.sandbox.faults import Fault
    from airflow_provider_pinterest.sandbox.settings import PartialFailure, RetryHeader

_RATE_LIMITED = (
    "This request exceeded a rate limit. This can happen if the client exceeds one of the published rate "
    "limits within a short time window."
)
_PARTIAL = "Not all events were successfully processed."

ERRORS: Mapping[int, tuple[int, str]] = {
    400: (4196, "The request was invalid."),
    401: (2, "Authentication failed."),
    403: (29, "You are not permitted to access that resource."),
    404: (50, "Not found."),
    405: (51, "Method not allowed."),
    413: (4196, "The request is too large."),
    422: (4196, _PARTIAL),
    429: (8, _RATE_LIMITED),
    503: (4197, "The endpoint has been ramped down and is currently not accepting any traffic."),
}
"""Status → code and message of an error. They are Pinterest's where Pinterest publishes them."""

_SCOPE_MISSING = "Your application consumer type is not supported, or the token lacks the scope for this endpoint."
_PROCESSED_ITEM = b'{"status":"processed","error_message":"","warning_message":""}'


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(value: object, status: int = 200) -> Answer:
    """Return a JSON response."""
    return Answer(status, orjson.dumps(value))


def error(status: int, message: str | None = None, *, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an error response, by default with Pinterest's message."""
    code, usual = ERRORS.get(status, (status, "Something went wrong on our side."))
    body: dict[str, object] = {"code": code, "message": usual if message is None else message}
    if status == 422:
        body["details"] = {}
    return Answer(status, orjson.dumps(body), headers=headers or {})


def scope_missing() -> Answer:
    """Return the response for a valid token without the required scope."""
    return json_answer({"code": 3, "message": _SCOPE_MISSING}, 403)


def no_account() -> Answer:
    """Return the response for an unknown ad account."""
    return json_answer({"code": 2, "message": "AdAccount not found."}, 404)


def rate_limited(wait: float, header: RetryHeader, now: float) -> Answer:
    """Return a 429 response. The header says how long to wait, in whole seconds."""
    seconds = max(1, math.ceil(wait))
    headers: Mapping[RetryHeader, Mapping[str, str]] = {
        "x-ratelimit-reset": {"X-RateLimit-Reset": str(seconds)},
        "retry-after": {"Retry-After": str(seconds)},
        "retry-after-date": {
            "Retry-After": format_datetime(datetime.fromtimestamp(math.ceil(now + wait), UTC), usegmt=True)
        },
        "none": {},
    }
    return error(429, headers=headers[header])


def outcome(verdicts: Sequence[Judgement], shape: PartialFailure) -> Answer:
    """Return the result of each event, by position.

    :param shape: the form of the response if some events failed.
    """
    failed = sum(1 for verdict in verdicts if verdict.error)
    listing = event_list(verdicts)
    if not failed or shape == "200":
        return Answer(200, listing)
    base = {"code": ERRORS[422][0], "message": _PARTIAL}
    details: object = orjson.Fragment(listing) if shape == "422-details" else {}
    body = orjson.dumps({**base, "details": details})
    if shape == "422-top":
        body = body[:-1] + b"," + listing[1:]
    return Answer(422, body)


def event_list(verdicts: Sequence[Judgement]) -> bytes:
    """Return the JSON object with the counts and the status of each event."""
    items = b",".join(_PROCESSED_ITEM if not (v.error or v.warning) else _item(v) for v in verdicts)
    processed = sum(1 for verdict in verdicts if not verdict.error)
    head = f'{{"num_events_received":{len(verdicts)},"num_events_processed":{processed},"events":['
    return head.encode() + items + b"]}"


def _item(verdict: Judgement) -> bytes:
    status = "failed" if verdict.error else "processed"
    return orjson.dumps({"status": status, "error_message": verdict.error, "warning_message": verdict.warning})


def faulty(fault: Fault, verdicts: Sequence[Judgement]) -> Answer:
    """Return the response of a fault of kind ``status``, ``redirect`` or ``malformed``.

    :param verdicts: the results of the events, if they were validated.
    """
    if fault.kind == "redirect":
        return Answer(307, b"", headers={"Location": fault.location})
    if fault.kind == "malformed":
        return _malformed(fault, verdicts)
    if fault.body is None:
        usual = _gateway(fault.status) if fault.status in (502, 504) else error(fault.status)
        return Answer(usual.status, usual.body, usual.content_type, fault.headers)
    if isinstance(fault.body, str):
        return Answer(fault.status, fault.body.encode(), "text/plain", fault.headers)
    return Answer(fault.status, orjson.dumps(fault.body), headers=fault.headers)


def _gateway(status: int) -> Answer:
    title = "502 Bad Gateway" if status == 502 else "504 Gateway Time-out"
    return Answer(status, f"<html><head><title>{title}</title></head></html>".encode(), "text/html")


def _malformed(fault: Fault, verdicts: Sequence[Judgement]) -> Answer:
    listing = event_list(verdicts)
    if fault.form == "html":
        return Answer(200, b"<html><body>Please log in to the network.</body></html>", "text/html")
    forms = {
        "json": listing[: len(listing) // 2],
        "empty": b"",
        "short_list": event_list(verdicts[:-1]),
        "long_list": event_list([*verdicts, Judgement()]),
        "no_list": b"{}",
    }
    return Answer(200, forms[fault.form])
