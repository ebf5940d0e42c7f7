"""The sentences about how a run ended, and what the next attempt will do."""

from __future__ import annotations

from airflow_provider_pinterest.erasure.deletion_counts import DeletionCounts
from airflow_provider_pinterest.sync.verdict import Vocabulary


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
