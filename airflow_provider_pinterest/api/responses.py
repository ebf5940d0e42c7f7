"""HTTP responses, and the results that all endpoints share.

The module of an endpoint adds its own results, like :mod:`.events_endpoint`, and passes all other responses to
:func:`without_result`. This module makes no decisions. Network failures are classified in :mod:`.network_failures`.
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
"""Seconds. Longer waits are shortened to this. The longest known wait of Pinterest is 18.6 hours."""


class Reply(NamedTuple):
    """An HTTP response.

    :param headers: case-insensitive headers.
    :param content: the decoded body; ``None`` if it could not be read to its end.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Trace:
    """Details to identify a call.

    :param status: HTTP status, ``None`` if there was no answer.
    :param code: Pinterest's error code.
    :param message: Pinterest's message or the network failure, without personal data.
    :param request_id: ``x-pinterest-rid``, which Pinterest's support asks for.
    :param host: host and port of the call, set if there was no answer.
    :param advice: what to do about the network failure; empty if nothing specific is known.
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
        """The reason, with host and port if there was no answer: ``api.pinterest.com:443: connection refused``."""
        return f"{self.host}: {self.reason}" if self.host and not self.status else self.reason

    def __str__(self) -> str:
        parts = [f"HTTP {self.status}" if self.status else "no answer"]
        parts += [f"code {self.code}"] if self.code is not None else []
        parts += [self.message.rstrip(".")] if self.message else []
        parts += [f"x-pinterest-rid {self.request_id}"] if self.request_id else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class AccessDenied:
    """The token, the role, the account, the host or a gateway on the way is the problem, not the events."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """Nothing was sent, and a retry cannot help: the worker's proxy or certificate settings are wrong.

    :param trace: its message says what is wrong, its advice what to change.
    """

    trace: Trace


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The body is larger than the server accepts (413)."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Not processed; the same request may be accepted later (429, 503, connection refused).

    :param retry_after: seconds that Pinterest asks to wait, ``None`` if it does not say.
    :param for_all: whether all other calls to the account must wait too (429).
    """

    trace: Trace
    retry_after: float | None = None
    for_all: bool = False


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """The outcome is unknown: a server error, a time-out, an unreadable answer."""

    trace: Trace
    retry_after: float | None = None


_NOT_PROCESSED: Final = frozenset({409, 421, 425, 429, 503})
_MAYBE_PROCESSED: Final = frozenset({408, 499})
_STOPPING_5XX: Final = frozenset({501, 505, 511})


def json_object(reply: Reply) -> Mapping[str, Any]:
    """Return the JSON object of a response; empty if there is no JSON object."""
    try:
        document = orjson.loads(reply.content or b"")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def trace_of(reply: Reply, document: Mapping[str, Any]) -> Trace:
    """Return the details that identify a call.

    :param document: the JSON object of the response.
    """
    return Trace(
        reply.status,
        _integer(document.get("code")),
        clean(document.get("message") or ""),
        _printable(reply.headers.get("x-pinterest-rid")),
    )


def without_result(reply: Reply, trace: Trace, now: float) -> AccessDenied | TooLarge | Unavailable | OutcomeUnknown:
    """Return the meaning of a response that has no result of the endpoint.

    :param now: Unix seconds, for a ``Retry-After`` that is a date.
    """
    status, wait = reply.status, retry_after(reply.headers, now)
    if status == 413:
        return TooLarge(trace)
    if status in _NOT_PROCESSED:
        return Unavailable(trace, wait, for_all=status == 429)
    if status in _STOPPING_5XX or (300 <= status < 500 and status not in _MAYBE_PROCESSED):
        return AccessDenied(trace)
    return OutcomeUnknown(trace, wait)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds to wait, from ``Retry-After`` (seconds or date) or from ``X-RateLimit-Reset`` (seconds).

    The result is at most :data:`LONGEST_RETRY_AFTER`. Unreadable values and dates in the past are ignored.
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


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _printable(value: str | None) -> str | None:
    return re.sub(r"[^\w.-]", "", value)[:80] if value else None
