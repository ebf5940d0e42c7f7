"""The counts of a run that requests deletion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_pinterest.erasure.reading import PersonRowCounts
from airflow_provider_pinterest.exceptions import AccountingError

DeletionResult = dict[str, Any]
"""The counts by name, see the page "Deletion requests"."""


@dataclass(slots=True)
class DeletionCounts:
    """The identifiers by what became of them, and the requests.

    :param requested: in requests that this attempt created.
    :param already_requested: in requests that an earlier attempt created.
    :param cancelled: in requests that an earlier attempt created and somebody cancelled.
    :param refused: not accepted by Pinterest, each by itself.
    :param unknown: in requests of which nobody knows whether they exist.
    :param request_ids: of all requests for these rows, those of earlier attempts included.
    :param repeated: requests that were created again, because it was unknown whether they exist.
    """

    rows: PersonRowCounts = field(default_factory=PersonRowCounts)
    requested: int = 0
    already_requested: int = 0
    cancelled: int = 0
    refused: int = 0
    unknown: int = 0
    not_requested: int = 0
    request_ids: list[str] = field(default_factory=list)
    created: int = 0
    repeated: int = 0
    seconds: float = 0.0

    @property
    def covered(self) -> int:
        """Identifiers that are in a request."""
        return self.requested + self.already_requested

    def close(self, *, complete: bool) -> None:
        """Count the identifiers that were read and not requested.

        :param complete: whether the run reached its end, where there must be none.
        :raises AccountingError: an identifier is not accounted for.
        """
        known = self.covered + self.cancelled + self.refused + self.unknown + self.rows.duplicates
        self.not_requested = self.rows.identifiers - known
        if complete and self.not_requested:
            raise AccountingError(
                f"{self.rows.identifiers} identifiers were read, and {known} are accounted for. This is a bug."
            )

    def values(self, ad_account_id: str) -> DeletionResult:
        """Return the result. It has counts, row numbers and ids of requests, nothing personal."""
        reasons: Mapping[str, int] = self.rows.reasons
        return {
            "ad_account_id": ad_account_id,
            "rows_read": self.rows.rows_read,
            "rows_rejected": self.rows.rows_rejected,
            "reasons": dict(sorted(reasons.items())),
            "rejected_rows": list(self.rows.rejected_rows),
            "identifiers": self.rows.identifiers,
            "duplicates_dropped": self.rows.duplicates,
            "requested": self.requested,
            "already_requested": self.already_requested,
            "cancelled": self.cancelled,
            "refused": self.refused,
            "outcome_unknown": self.unknown,
            "not_requested": self.not_requested,
            "request_ids": list(self.request_ids),
            "requests_created": self.created,
            "requests_repeated": self.repeated,
            "seconds": round(self.seconds, 3),
        }
