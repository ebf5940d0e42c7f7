"""What came back from one call, read into a small closed set of answers.

Every HTTP status, header and body, and every exception of the HTTP library, becomes exactly one
:data:`Answer`. Nothing here decides what to do about it; see :mod:`.decide`.

https://developers.pinterest.com/docs/api/v5/events-create/
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

import orjson
import requests
from urllib3 import exceptions as urllib3_errors

from airflow_provider_pinterest.redaction import clean

LONGEST_WAIT_SAID: Final = 1e9
"""Seconds; what Pinterest says beyond is no time to come again, and no date that Airflow can store."""


class Reply(NamedTuple):
    """An HTTP answer that was received to its end.

    :param headers: looked up without regard to case.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Trace:
    """How to find a call again.

    :param status: HTTP status, ``None`` when there was no answer.
    :param code: Pinterest's error code.
    :param message: Pinterest's words or the network's, cleaned of what may be personal.
    :param request_id: ``x-pinterest-rid``, which Pinterest's support asks for.
    """

    status: int | None = None
    code: int | None = None
    message: str = ""
    request_id: str | None = None

    def __str__(self) -> str:
        parts = [f"HTTP {self.status}" if self.status else "no answer"]
        parts += [f"code {self.code}"] if self.code is not None else []
        parts += [self.message] if self.message else []
        parts += [f"x-pinterest-rid {self.request_id}"] if self.request_id else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Listed:
    """An outcome for every event of the request, by position; those not named were processed.

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
    """The request was understood and not accepted, without a word on single events.

    :param partly: whether some of its events may have been accepted all the same (422).
    """

    trace: Trace
    partly: bool


@dataclass(frozen=True, slots=True)
class Denied:
    """Token, role, account or host are wrong (401, 403, 404, any redirect); the events are good."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The body is larger than the server takes (413)."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class Busy:
    """Not processed; the same request may be accepted later (429, 503, nobody listening).

    :param retry_after: seconds that Pinterest asks to wait, ``None`` if it does not say.
    :param for_all: whether every other sender to the account must wait too (429).
    """

    trace: Trace
    retry_after: float | None = None
    for_all: bool = False


@dataclass(frozen=True, slots=True)
class Doubt:
    """Perhaps processed, perhaps not: a server error, a time-out, an answer that cannot be read."""

    trace: Trace
    retry_after: float | None = None


Answer = Listed | Refused | Denied | TooLarge | Busy | Doubt
"""All that a call can end in."""

_DENIED: Final = frozenset({401, 403, 404, 405})


def read_answer(status: int, headers: Mapping[str, str], body: bytes, sent: int, now: float) -> Answer:
    """Read an HTTP answer to a request of ``sent`` events.

    :param now: Unix seconds, for a ``Retry-After`` that is a date.
    """
    document = _document(body)
    trace = Trace(
        status,
        _integer(document.get("code")),
        clean(document.get("message") or ""),
        _printable(headers.get("x-pinterest-rid")),
    )
    wait = retry_after(headers, now)
    if status in (200, 422):
        outcomes = _outcomes(document, sent)
        if outcomes is not None:
            return _listed(trace, outcomes)
        if status == 200:
            return Doubt(Trace(200, None, "the answer does not list an outcome for every event", trace.request_id))
        return Refused(trace, partly=True)
    if status in _DENIED or 300 <= status < 400:
        return Denied(trace)
    if status == 413:
        return TooLarge(trace)
    if status in (429, 503):
        return Busy(trace, wait, for_all=status == 429)
    if 400 <= status < 500 and status != 408:
        return Refused(trace, partly=False)
    return Doubt(trace, wait)


def read_failure(error: Exception, *, connected: bool = False) -> Busy | Doubt:
    """Read an exception of ``requests``: refused before a byte was sent, or in doubt.

    Its text is not kept: it may hold the URL, and through a proxy even headers.

    :param connected: whether a TLS handshake was over, so that an error of TLS says nothing for certain.
    """
    causes = _causes(error)
    unsent: tuple[type[BaseException], ...] = (
        requests.ConnectTimeout,
        requests.exceptions.ProxyError,
        requests.exceptions.InvalidURL,
        requests.exceptions.MissingSchema,
        requests.exceptions.InvalidHeader,
        urllib3_errors.NewConnectionError,
        urllib3_errors.ConnectTimeoutError,
        ConnectionRefusedError,
    )
    if not connected:
        unsent += (requests.exceptions.SSLError, urllib3_errors.SSLError)
    name = type(causes[-1]).__name__
    if any(isinstance(cause, unsent) for cause in causes):
        return Busy(Trace(message=f"no connection ({name})"))
    return Doubt(Trace(message=f"the connection broke before the answer was read ({name})"))


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds to wait: from ``Retry-After`` (seconds or date), else ``X-RateLimit-Reset`` (seconds).

    What is no time, or lies in the past, counts as not said.
    """
    for name in ("Retry-After", "X-RateLimit-Reset"):
        text = (headers.get(name) or "").strip()
        if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", text, re.ASCII):
            return float(text)
        if name == "Retry-After" and text:
            try:
                moment = parsedate_to_datetime(text)
            except (ValueError, TypeError, IndexError, OverflowError):
                continue
            moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
            if 0 < moment.timestamp() - now < LONGEST_WAIT_SAID:
                return moment.timestamp() - now
    return None


def _causes(error: BaseException) -> list[BaseException]:
    """List an exception and what it wraps, the outermost first."""
    found: list[BaseException] = []
    queue: list[object] = [error]
    while queue and len(found) < 20:
        cause = queue.pop(0)
        if isinstance(cause, BaseException) and cause not in found:
            found.append(cause)
            queue += (*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__)
    return found


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _printable(value: str | None) -> str | None:
    return re.sub(r"[^\w.-]", "", value)[:80] if value else None


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
    """Tell outcomes from a list of something else, such as what is wrong with an event: that has no status."""
    return all(isinstance(item, dict) for item in found) and any("status" in item for item in found)


def _listed(trace: Trace, outcomes: list[dict[str, Any]]) -> Listed:
    failed: dict[int, str] = {}
    unknown = set()
    warnings = 0
    for position, outcome in enumerate(outcomes):
        status = outcome.get("status")
        if status == "processed":
            warnings += bool(outcome.get("warning_message"))
        elif status == "failed":
            failed[position] = clean(outcome.get("error_message") or "Pinterest gives no message")
        else:
            unknown.add(position)
    return Listed(trace, failed, frozenset(unknown), warnings)
