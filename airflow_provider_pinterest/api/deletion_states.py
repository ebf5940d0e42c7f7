"""A deletion request, and how far it can be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

PENDING: Final = "PENDING"
SUBMITTED: Final = "SUBMITTED"
CANCELLED: Final = "CANCELLED"


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
