"""What one call came to, as a small closed set of answers.

Every HTTP status, header and body, and every failure of the network, becomes exactly one :data:`Answer`. This
module decides nothing; see :mod:`.decide`. Network failures are classified in :mod:`.failures`.

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

from airflow_provider_pinterest.redaction import clean

LONGEST_RETRY_AFTER: Final = 86_400.0
"""Seconds; a longer wait is shortened to this. Pinterest's longest known one is 18.6 hours."""


class Reply(NamedTuple):
    """An HTTP response.

    :param headers: looked up case-insensitively.
    :param content: the body, decoded; ``None``: it could not be read to its end.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Trace:
    """How to find a call again.

    :param status: HTTP status, ``None`` when there was no answer.
    :param code: Pinterest's error code.
    :param message: Pinterest's message or the network failure, without personal data.
    :param request_id: ``x-pinterest-rid``, which Pinterest's support asks for.
    :param host: host and port where the call went, set when there was no answer.
    :param advice: what to do about the network failure, where more is known than in general.
    """

    status: int | None = None
    code: int | None = None
    message: str = ""
    request_id: str | None = None
    host: str | None = None
    advice: str = ""

    @property
    def reason(self) -> str:
        """The shortest description, such as ``HTTP 503`` or ``connection refused``."""
        return f"HTTP {self.status}" if self.status else self.message or "no answer"

    @property
    def place_and_reason(self) -> str:
        """The same with host and port where there was no answer: ``api.pinterest.com:443: connection refused``."""
        return f"{self.host}: {self.reason}" if self.host and not self.status else self.reason

    def __str__(self) -> str:
        parts = [f"HTTP {self.status}" if self.status else "no answer"]
        parts += [f"code {self.code}"] if self.code is not None else []
        parts += [self.message.rstrip(".")] if self.message else []
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
    """The token, the role, the account, the host or something between is wrong; the events are good."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """Nothing was sent, and no retry can help: the worker's proxy or certificate settings are wrong.

    :param trace: its message says what to change.
    """

    trace: Trace


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The body is larger than the server accepts (413)."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class Busy:
    """Not processed; the same request may be accepted later (429, 503, connection refused).

    :param retry_after: seconds that Pinterest asks to wait, ``None`` if it does not say.
    :param for_all: whether every other sender to the account must wait too (429).
    """

    trace: Trace
    retry_after: float | None = None
    for_all: bool = False


@dataclass(frozen=True, slots=True)
class Doubt:
    """The outcome is unknown: a server error, a time-out, an unreadable answer."""

    trace: Trace
    retry_after: float | None = None


Answer = Listed | Refused | Denied | Misconfigured | TooLarge | Busy | Doubt
"""Everything that a call can come to."""

_ABOUT_EVENTS: Final = frozenset({400, 422})
"""The only statuses that speak of events; every other 4xx comes from a gateway or is about the request as a whole."""

_NOT_PROCESSED: Final = frozenset({409, 421, 425, 429, 503})
_MAYBE_PROCESSED: Final = frozenset({408, 499})
_STOPPING_5XX: Final = frozenset({501, 505, 511})


def read_answer(reply: Reply, sent: int, now: float) -> Answer:
    """Read an HTTP response to a request of ``sent`` events.

    :param now: Unix seconds, for a ``Retry-After`` that is a date.
    """
    status, headers = reply.status, reply.headers
    document = _document(reply.content or b"")
    trace = Trace(
        status,
        _integer(document.get("code")),
        clean(document.get("message") or ""),
        _printable(headers.get("x-pinterest-rid")),
    )
    wait = retry_after(headers, now)
    if status == 200 or status in _ABOUT_EVENTS:
        if reply.content is None and status != 400:
            return Doubt(Trace(status, None, "the answer broke off", trace.request_id), wait)
        outcomes = _outcomes(document, sent) if status != 400 else None
        if outcomes is not None:
            return _listed(trace, outcomes)
        if status == 200:
            return Doubt(Trace(200, None, "the answer does not list an outcome for every event", trace.request_id))
        return Refused(trace, partly=status == 422)
    if status == 413:
        return TooLarge(trace)
    if status in _NOT_PROCESSED:
        return Busy(trace, wait, for_all=status == 429)
    if status in _STOPPING_5XX or (300 <= status < 500 and status not in _MAYBE_PROCESSED):
        return Denied(trace)
    return Doubt(trace, wait)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds to wait: from ``Retry-After`` (seconds or date), else ``X-RateLimit-Reset`` (seconds).

    At most :data:`LONGEST_RETRY_AFTER`. An unreadable value and a date in the past are ignored.
    """
    for name in ("Retry-After", "X-RateLimit-Reset"):
        text = (headers.get(name) or "").strip()
        if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", text, re.ASCII):
            return min(float(text), LONGEST_RETRY_AFTER)
        if name == "Retry-After" and text:
            try:
                moment = parsedate_to_datetime(text)
            except (ValueError, TypeError, IndexError, OverflowError):
                continue
            moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
            if moment.timestamp() > now:
                return min(moment.timestamp() - now, LONGEST_RETRY_AFTER)
    return None


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
