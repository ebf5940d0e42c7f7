"""The deletion requests: which people's conversions are to be deleted, and how far each request is."""

from __future__ import annotations

import base64
import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_PAGE = 250
DEFAULT_PAGE = 25

Status = Literal["PENDING", "SUBMITTED", "CANCELLED"]

_FIRST_ID = 687_194_767_360


@dataclass(frozen=True, slots=True)
class ReceivedDeletion:
    """One request.

    :param created_at: Unix time.
    :param submitted_at: Unix time when it is handed over to the deletion, unless it is cancelled before.
    """

    request_id: str
    ad_account_id: str
    created_at: float
    submitted_at: float
    user_emails: tuple[str, ...] = ()
    epiks: tuple[str, ...] = ()
    cancelled: bool = False

    def status(self, now: float) -> Status:
        """Return the status at a time."""
        if self.cancelled:
            return "CANCELLED"
        return "PENDING" if now < self.submitted_at else "SUBMITTED"

    def shown(self, now: float) -> dict[str, object]:
        """Return what Pinterest shows of the request. The people are not shown."""
        status = self.status(now)
        return {
            "request_id": self.request_id,
            "status": status,
            "created_time": _date(self.created_at),
            "processed_time": _date(self.submitted_at) if status == "SUBMITTED" else None,
        }


class DeletionRequests:
    """All requests, in memory."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all requests."""
        self._requests: dict[str, ReceivedDeletion] = {}

    def create(
        self, ad_account_id: str, targets: Mapping[str, list[str]], now: float, pending: float
    ) -> ReceivedDeletion:
        """Add a request for valid targets, pending for some seconds."""
        made = ReceivedDeletion(
            str(_FIRST_ID + len(self._requests)),
            ad_account_id,
            now,
            now + pending,
            tuple(targets.get("user_emails", ())),
            tuple(targets.get("epiks", ())),
        )
        self._requests[made.request_id] = made
        return made

    def find(self, ad_account_id: str, request_id: str) -> ReceivedDeletion | None:
        """Return a request of an account."""
        found = self._requests.get(request_id)
        return found if found is not None and found.ad_account_id == ad_account_id else None

    def cancel(self, request: ReceivedDeletion) -> ReceivedDeletion:
        """Mark a pending request as cancelled."""
        return self._replace(request, cancelled=True)

    def submit(self, now: float, request_id: str | None = None) -> int:
        """Hand over one pending request, or all, before their time. Return the number of requests."""
        pending = [one for one in self.listed() if one.status(now) == "PENDING"]
        chosen = [one for one in pending if request_id in (None, one.request_id)]
        for one in chosen:
            self._replace(one, submitted_at=now)
        return len(chosen)

    def listed(self, ad_account_id: str | None = None) -> list[ReceivedDeletion]:
        """Return the requests, of one account or of all, in order of creation."""
        return [one for one in self._requests.values() if ad_account_id in (None, one.ad_account_id)]

    def page(
        self, ad_account_id: str, *, size: int, bookmark: str | None, ascending: bool
    ) -> tuple[list[ReceivedDeletion], str | None]:
        """Return a page, and the bookmark of the next page; None after the last page.

        :raises ValueError: the bookmark is not one of this sandbox.
        """
        found = self.listed(ad_account_id)
        if not ascending:
            found.reverse()
        if bookmark is not None:
            last = _last(bookmark)
            found = [one for one in found if (int(one.request_id) > last) == ascending and int(one.request_id) != last]
        page = found[:size]
        return page, _bookmark(page[-1]) if len(found) > size else None

    def _replace(self, request: ReceivedDeletion, **changes: Any) -> ReceivedDeletion:
        changed = dataclasses.replace(request, **changes)
        self._requests[request.request_id] = changed
        return changed


def problem_of(body: object, *, closed: bool, largest: int) -> str | None:
    """Return why the body of a new request is not valid; None if it is.

    :param closed: whether unknown properties are refused.
    :param largest: the number of targets that a request may have; 0 means no limit.
    """
    if not isinstance(body, dict) or not isinstance(body.get("deletion_targets"), dict):
        return "'deletion_targets' is a required property of type 'object'"
    targets = body["deletion_targets"]
    if closed and (unknown := (body.keys() - {"deletion_targets"}) | (targets.keys() - {"user_emails", "epiks"})):
        return f"Additional properties are not allowed ({', '.join(map(repr, sorted(unknown)))} unexpected)"
    if not targets.keys() & {"user_emails", "epiks"}:
        return "'deletion_targets' is not valid under any of the given schemas"
    for name in ("user_emails", "epiks"):
        problem = _problem_of_list(name, targets[name], largest) if name in targets else None
        if problem:
            return problem
    return None


def _problem_of_list(name: str, found: object, largest: int) -> str | None:
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        return f"{name!r} is not an array of strings"
    if not found:
        return f"{name!r} is too short"
    if largest and len(found) > largest:
        return f"{name!r} is too long"
    wrong = next((n for n, one in enumerate(found) if not one or (name == "user_emails" and not _plain(one))), None)
    return None if wrong is None else f"{name}[{wrong}] is not a plain text value"


def _plain(email: str) -> bool:
    name, at, domain = email.partition("@")
    return bool(name and at and "." in domain) and email == email.strip().lower()


def _date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


def _bookmark(request: ReceivedDeletion) -> str:
    return base64.urlsafe_b64encode(f"after={request.request_id}".encode()).decode()


def _last(bookmark: str) -> int:
    text = base64.b64decode(bookmark, altchars=b"-_", validate=True).decode()  # its errors are a ValueError
    return int(text.removeprefix("after="))
