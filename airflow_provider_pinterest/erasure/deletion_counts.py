"""The counts of a run that requests deletion, and what they mean for the next attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_pinterest.erasure.reading import PersonRowCounts
from airflow_provider_pinterest.exceptions import AccountingError
from airflow_provider_pinterest.sync.verdict import Vocabulary

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


def problem_of(counts: DeletionCounts, max_rejected: float) -> str | None:
    """Return why a complete run fails; ``None`` if it succeeds."""
    found = []
    rows = counts.rows
    allowed = max_rejected if isinstance(max_rejected, int) else max_rejected * rows.rows_read
    if rows.rows_rejected > allowed:
        first = ", ".join(map(str, rows.rejected_rows[:10]))
        more = ", …" if rows.rows_rejected > 10 else ""
        reasons = ", ".join(f"{code} {count:,}" for code, count in rows.reasons.most_common())
        found.append(
            f"{rows.rows_rejected:,} of {rows.rows_read:,} rows were rejected ({reasons}). Their numbers: "
            f"{first}{more}. Correct the rows in the source, or raise max_rejected."
        )
    if counts.unknown:
        found.append(
            f"It is unknown whether Pinterest created the requests for {counts.unknown:,} people. "
            "on_unknown_outcome='resend' creates them again, which does no harm."
        )
    if counts.cancelled:
        found.append(
            f"Requests for {counts.cancelled:,} people were cancelled after an earlier attempt had created them. "
            "create_again=True creates them again."
        )
    return "\n".join(found) or None


def clear_says(counts: DeletionCounts, *, durable: bool, vocabulary: Vocabulary) -> str:
    """Return how many people are in a request, and what the next attempt will do.

    :param durable: whether the next attempt will find the requests of this one.
    """
    said = (
        f"{counts.covered:,} of {counts.rows.identifiers - counts.rows.duplicates:,} addresses and click ids that were "
        f"read are in deletion requests. "
    )
    again = f"{vocabulary.again[:1].upper()}{vocabulary.again[1:]}"
    if durable or not counts.created:
        return f"{said}{again} does not create these requests again."
    return f"{said}{again} creates these requests again, which does no harm: Pinterest deletes the same data."
