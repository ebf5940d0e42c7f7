"""The counts of a run that requests deletion, and what they mean for the next attempt."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from airflow_provider_pinterest.exceptions import AccountingError
from airflow_provider_pinterest.sync.verdict import Vocabulary

LISTED_ROWS: Final = 100
"""Largest number of rejected rows that the result lists."""

REFUSED: Final = "pinterest_refused"
"""The code of an identifier that Pinterest refuses."""

CHECK_REFUSALS: Final = (
    "Check that email_column and click_id_column name the right columns, and that Pinterest has opened deletion "
    "requests to your app."
)

DeletionResult = dict[str, Any]
"""The counts by name, see the page "Deletion requests"."""


@dataclass(slots=True)
class PersonRowCounts:
    """The rows that were read.

    :param identifiers: valid addresses and click ids, duplicates included.
    :param rejected_rows: numbers of rejected rows, :data:`LISTED_ROWS` at most.
    :param partly_rejected: numbers of rejected rows with a valid identifier too.
    """

    rows_read: int = 0
    rows_rejected: int = 0
    identifiers: int = 0
    duplicates: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    rejected_rows: list[int] = field(default_factory=list)
    partly_rejected: set[int] = field(default_factory=set)

    def reject(self, *codes: str, partly: bool) -> None:
        """Count the last row that was read as rejected.

        :param partly: whether it has a valid identifier too.
        """
        self.rows_rejected += 1
        self.reasons.update(codes)
        if len(self.rejected_rows) < LISTED_ROWS:
            self.rejected_rows.append(self.rows_read)
        if partly:
            self.partly_rejected.add(self.rows_read)

    def copy(self) -> Self:
        """Return the counts as they are now, for another thread."""
        return replace(self, reasons=Counter(self.reasons), rejected_rows=list(self.rejected_rows))


@dataclass(slots=True)
class DeletionCounts:
    """The identifiers by what became of them, and the requests.

    :param rows: the rows that the requests are about.
    :param requested: in requests that this attempt created.
    :param already_requested: in requests that an earlier attempt created.
    :param cancelled: in requests that an earlier attempt created and somebody cancelled.
    :param refused: not accepted by Pinterest, each by itself.
    :param refused_rows: the numbers of their rows.
    :param refusal: Pinterest's answer to the last of them.
    :param unknown: in requests that may or may not exist.
    :param request_ids: of all requests for these rows, those of earlier attempts included.
    :param repeated: requests that were created again, because it was unknown whether they exist.
    """

    rows: PersonRowCounts = field(default_factory=PersonRowCounts)
    requested: int = 0
    already_requested: int = 0
    cancelled: int = 0
    refused: int = 0
    refused_rows: set[int] = field(default_factory=set)
    refusal: str = ""
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

    @property
    def rows_rejected(self) -> int:
        """Rows with a bad cell, and rows with an identifier that Pinterest refuses, each once."""
        return self.rows.rows_rejected + len(self.refused_rows - self.rows.partly_rejected)

    @property
    def rejected_rows(self) -> list[int]:
        """The numbers of the first rejected rows."""
        return sorted(self.refused_rows.union(self.rows.rejected_rows))[:LISTED_ROWS]

    @property
    def reasons(self) -> Counter[str]:
        """Code → how often."""
        return self.rows.reasons + Counter({REFUSED: self.refused})

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
        return {
            "ad_account_id": ad_account_id,
            "rows_read": self.rows.rows_read,
            "rows_rejected": self.rows_rejected,
            "reasons": dict(sorted(self.reasons.items())),
            "rejected_rows": self.rejected_rows,
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
    rejected, read = counts.rows_rejected, counts.rows.rows_read
    if rejected > (max_rejected if isinstance(max_rejected, int) else max_rejected * read):
        first = ", ".join(map(str, counts.rejected_rows[:10]))
        more = ", …" if rejected > 10 else ""
        reasons = ", ".join(f"{code} {count:,}" for code, count in counts.reasons.most_common())
        found.append(
            f"{rejected:,} of {read:,} rows were rejected ({reasons}). They are the rows {first}{more}. Correct them "
            "in the source, or raise max_rejected."
        )
    if counts.refused:
        found.append(f"Pinterest's answer to the last address or click id that it refused: {counts.refusal}.")
        if not counts.covered:
            found.append(CHECK_REFUSALS)
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
    failed = rejected > (max_rejected if isinstance(max_rejected, int) else max_rejected * read)
    return "\n".join(found) if failed or counts.unknown or counts.cancelled else None


def clear_says(counts: DeletionCounts, *, durable: bool, vocabulary: Vocabulary) -> str:
    """Return how many people are in a request, and what the next attempt will do.

    :param durable: whether the next attempt will find the requests of this one.
    """
    if not counts.covered:
        return "No deletion request was created." if not counts.unknown else ""
    said = (
        f"{counts.covered:,} of {counts.rows.identifiers - counts.rows.duplicates:,} valid addresses and click "
        "ids that were read are in deletion requests. "
    )
    others = " It creates requests for the others." if counts.not_requested else ""
    again = f"{vocabulary.again[:1].upper()}{vocabulary.again[1:]}"
    if durable:
        return f"{said}{again} does not create these requests again.{others}"
    return f"{said}{again} creates these requests again, which does no harm: Pinterest deletes the same data."
