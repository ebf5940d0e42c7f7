"""A deletion request, and how far it is."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from enum import Enum, StrEnum
from typing import Final

PENDING: Final = "PENDING"
SUBMITTED: Final = "SUBMITTED"
CANCELLED: Final = "CANCELLED"

KNOWN_STATUSES: Final = frozenset({PENDING, SUBMITTED, CANCELLED})

CANCELLABLE: Final = dt.timedelta(hours=72)
"""How long a request is pending. Pinterest's description of the status says 7 days."""

DELETED_WITHIN: Final = dt.timedelta(days=30)
"""Within this time after it is submitted, Pinterest deletes the data. There is no status for it."""


@dataclass(frozen=True, slots=True)
class DeletionRequest:
    """A deletion request. Pinterest does not show whom it is about.

    :param request_id: Pinterest's id, digits only.
    :param status: ``PENDING`` while it can be cancelled, for 72 hours; ``SUBMITTED`` when Pinterest has begun to
        delete; ``CANCELLED``. Pinterest may add others.
    :param created_time: the date of its creation, as Pinterest writes it.
    :param processed_time: the date on which it was submitted; ``None`` before.
    """

    request_id: str
    status: str
    created_time: str | None = None
    processed_time: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """Return the request as a dictionary, as Pinterest shows it."""
        return asdict(self)


class WaitFor(StrEnum):
    """What to wait for."""

    SUBMITTED = "submitted"
    DELETED = "deleted"


class RequestProgress(Enum):
    """How far a request is."""

    WAITING = "waiting"
    DONE = "done"
    CANCELLED = "cancelled"


def progress_of(request: DeletionRequest, wait_for: str, now: dt.datetime) -> RequestProgress:
    """Return how far a request is.

    :param wait_for: ``submitted``, or ``deleted``: 30 days after it was submitted.
    """
    if request.status == CANCELLED:
        return RequestProgress.CANCELLED
    if request.status != SUBMITTED:
        return RequestProgress.WAITING
    if wait_for == WaitFor.SUBMITTED:
        return RequestProgress.DONE
    submitted = _date(request.processed_time)
    created = _date(request.created_time)
    since = submitted or (created + CANCELLABLE if created else None)
    if since is None:
        return RequestProgress.WAITING
    # The date is that of the start of the day, so a day more is needed.
    return RequestProgress.DONE if now >= since + DELETED_WITHIN + dt.timedelta(days=1) else RequestProgress.WAITING


def _date(text: str | None) -> dt.datetime | None:
    try:
        return dt.datetime.combine(dt.date.fromisoformat((text or "")[:10]), dt.time(), dt.UTC)
    except ValueError:
        return None
