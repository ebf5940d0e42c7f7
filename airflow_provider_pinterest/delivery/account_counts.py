"""Counts per ad account, for runs whose rows name their account.

The counts of a run are one counter of (account, kind). Rows are counted where they are read, their events where they
are settled; both parts have the kinds of the result.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from airflow_provider_pinterest.conversions.outcomes import (
    Duplicate,
    Event,
    Excluded,
    Outcome,
    Rejection,
    Stage,
)

AccountCounts = Counter[tuple[str, str]]
"""(account, kind) → count. A row that names no account is counted under the account ``""``."""

OTHERS: Final = "others"
"""Stands for the accounts whose counts were added up, because there were too many to store."""

NONE: Final = "none"
"""Stands in the result for the rows that name no account."""

BUILT: Final = "events_built"
SENT: Final = "events_sent"
PROCESSED: Final = "events_processed"
FAILED: Final = "events_failed"
HELD: Final = "events_held"
REFUSED: Final = "events_refused"
UNAVAILABLE: Final = "events_unavailable"
ALREADY_SENT: Final = "already_sent"
VALIDATED: Final = "validated_only"
NOT_SENT: Final = "rows_not_sent"
CALLS: Final = "calls"

_ROWS: Final[Mapping[type, str]] = {
    Event: BUILT,
    Rejection: "rows_rejected",
    Duplicate: "duplicates_dropped",
    Excluded: "rows_excluded",
}
"""Kind of outcome → its kind of count."""

_SENT_BEFORE: Final = frozenset((ALREADY_SENT, PROCESSED))
"""The kinds of a row whose event was sent before, by another run or by an earlier attempt."""

_OF_ACCOUNTS: Final[Mapping[str, str]] = {
    "account_refused": REFUSED,
    "account_unavailable": UNAVAILABLE,
    "account_unanswered": UNAVAILABLE,
}
"""Reason → the kind that counts the events which failed because of their account. They count as failed, too."""

STORED: Final = (PROCESSED, FAILED, HELD, REFUSED, ALREADY_SENT, CALLS, UNAVAILABLE)
"""The kinds that a checkpoint keeps, in order. The others are counted again when the rows are read again."""

SHOWN: Final = (
    *("rows_read", SENT, PROCESSED, FAILED, HELD, REFUSED, UNAVAILABLE),
    *("rows_rejected", "duplicates_dropped", "rows_excluded"),
    *(ALREADY_SENT, VALIDATED, NOT_SENT, CALLS),
)
"""The kinds of the result."""

MOST_SHOWN: Final = 30
"""Most accounts in the result. The log has all of them."""

MOST_STORED: Final = 24_000
"""Most characters of the stored form."""

MOST_KEPT: Final = 1_200
"""Most rows of the stored form. With longer counts fewer fit."""

LINES: Final = 100
"""Accounts in one record of the log."""

Table = dict[str, dict[str, int]]
"""Account → kind → count."""

StoredRows = Mapping[str, Sequence[int]]
"""Account → its counts in the order of :data:`STORED`."""


def kind_of(outcome: Outcome) -> tuple[str, str]:
    """Return under which account and kind a row is counted."""
    return outcome.ad_account_id, _ROWS[type(outcome)]


def of_rejections(rejections: Iterable[Rejection]) -> AccountCounts:
    """Return the counts of events that failed or are held. Events of runs with one account are not counted."""
    counts: AccountCounts = Counter()
    for one in rejections:
        if one.ad_account_id:
            counts[one.ad_account_id, FAILED if one.stage is Stage.PINTEREST else HELD] += 1
            kind = _OF_ACCOUNTS.get(one.reasons[0].code)
            if kind is not None:
                counts[one.ad_account_id, kind] += 1
    return counts


def of_batch(
    ad_account_id: str,
    rows: AccountCounts,
    *,
    processed: int,
    calls: int,
    rejections: Iterable[Rejection],
    already_sent: int = 0,
) -> AccountCounts:
    """Return the counts of the settled events of a section.

    :param ad_account_id: the account of its batch.
    :param rows: the counts of its rows.
    :param rejections: its events that failed or are held.
    :param already_sent: its events that were found to be sent before only when they were claimed.
    """
    settled = ((PROCESSED, processed), (ALREADY_SENT, already_sent), (CALLS, calls))
    counts = of_rejections(rejections)
    counts.update(sent_before(rows))
    counts.update({(ad_account_id, kind): count for kind, count in settled if count})
    return counts


def sent_before(rows: AccountCounts) -> AccountCounts:
    """Return the counts of rows whose events were sent before."""
    return Counter({key: count for key, count in rows.items() if key[1] in _SENT_BEFORE})


def total(rows: AccountCounts, events: AccountCounts, validated: AccountCounts) -> AccountCounts:
    """Return all counts of a run.

    :param rows: counts of rows. Their events that were sent before are counted in `events` as well.
    """
    found: AccountCounts = Counter({key: count for key, count in rows.items() if key[1] not in _SENT_BEFORE})
    found.update(events)
    found.update(validated)
    return found


def correction(counts: AccountCounts, *, failed: bool, held: bool, own: bool = False) -> AccountCounts:
    """Return the counts that correct the total when the remaining events of a finished run are sent.

    :param failed: whether the rows of the failed events are no longer known.
    :param held: the same for held events.
    :param own: whether accepted events are counted as processed.
    """
    accepted = PROCESSED if own else ALREADY_SENT
    found: AccountCounts = Counter()
    lost = [
        kind
        for kind, forgotten in ((FAILED, failed), (REFUSED, failed), (UNAVAILABLE, failed), (HELD, held))
        if forgotten
    ]
    for (account, kind), count in counts.items():
        if kind in lost:
            found[account, kind] += count
            if kind not in (REFUSED, UNAVAILABLE):  # they are counted as failed, too
                found[account, accepted] -= count
    return found


def written(counts: AccountCounts) -> str:
    """Return the counts as compact text for :func:`read`. Beyond a limit, the smallest accounts are added up."""
    return written_rows(stored_rows(counts))


def written_rows(rows: StoredRows) -> str:
    """Return what :func:`written` returns, from the rows of the accounts."""
    kept = min(len(rows), MOST_KEPT)
    text = _packed(rows if kept == len(rows) else largest(rows, kept))
    while len(text) > MOST_STORED:
        kept = 19 * kept // 20
        text = _packed(largest(rows, kept))
    return text


def stored_rows(counts: AccountCounts) -> StoredRows:
    """Return the stored counts of each account."""
    rows: dict[str, list[int]] = {}
    for (account, kind), count in counts.items():
        row = rows.get(account)
        if row is None:
            row = rows[account] = [0] * len(STORED)
        row[_PLACES[kind]] = count
    return rows


_PLACES: Final = {kind: place for place, kind in enumerate(STORED)}


def added_rows(rows: StoredRows, more: StoredRows) -> StoredRows:
    """Return the sum of both, account by account."""
    found = dict(rows)
    for account, row in more.items():
        known = found.get(account)
        found[account] = row if known is None else [one + other for one, other in zip(known, row, strict=True)]
    return found


def largest(rows: StoredRows, most: int) -> StoredRows:
    """Return up to `most` rows: some accounts, and the sum of the others.

    Accounts with failed or held events are kept before large ones.
    """
    failed, held = _PLACES[FAILED], _PLACES[HELD]
    ranks = {one: (bool(row[failed] or row[held]), sum(row)) for one, row in rows.items() if one != OTHERS}
    ranked = sorted(ranks, key=ranks.__getitem__, reverse=True)
    rest = [rows[one] for one in ranked[most - 1 :]]
    if OTHERS in rows:
        rest.append(rows[OTHERS])
    some = {one: rows[one] for one in ranked[: most - 1]}
    return {**some, OTHERS: [sum(column) for column in zip(*rest, strict=True)]} if rest else some


def _packed(rows: StoredRows) -> str:
    if not rows:
        return ""
    lines = [f"{account},{','.join([str(count or '') for count in rows[account]])}" for account in sorted(rows)]
    return base64.b64encode(zlib.compress("\n".join(lines).encode(), 1)).decode()


def read(text: object) -> AccountCounts:
    """Return the counts that :func:`written` stored.

    :raises ValueError: the text is not such counts.
    """
    counts: AccountCounts = Counter()
    if not isinstance(text, str):
        raise ValueError("not counts of accounts: not a text")  # noqa: TRY004 - the document is wrong, not the program
    if not text:
        return counts
    try:
        opened = zlib.decompressobj()
        lines = opened.decompress(base64.b64decode(text, validate=True), 100 * MOST_STORED).decode().split("\n")
        if not opened.eof or opened.unused_data:
            raise ValueError("not counts of accounts: cut off, or too long")
        for line in lines:
            account, *row = line.split(",")
            if len(row) > len(STORED):
                raise ValueError("not counts of accounts: too many kinds")
            counts.update({(account, kind): int(count) for kind, count in zip(STORED, row, strict=False) if count})
    except (binascii.Error, zlib.error, UnicodeError, ValueError) as error:
        raise ValueError(f"not counts of accounts: {type(error).__name__}") from None
    return counts


def table(counts: AccountCounts) -> Table:
    """Return all counts of the result for each account.

    Accounts whose events were added up under :data:`OTHERS` in a checkpoint are added up here too, with their rows.
    """
    found: Table = {}
    for account, kinds in groupby(sorted(counts), key=lambda one: one[0]):
        found[account or NONE] = _row({kind: counts[account, kind] for _, kind in kinds})
    if OTHERS in found:
        for account in [one for one, row in found.items() if one != OTHERS and row[NOT_SENT]]:
            found[OTHERS] = _sum([found[OTHERS], found.pop(account)])
    return found


def _row(counts: Mapping[str, int]) -> dict[str, int]:
    row = {kind: counts.get(kind, 0) for kind in SHOWN}
    built = counts.get(BUILT, 0)
    row[SENT] = row[PROCESSED] + row[FAILED] + row[HELD]
    row[NOT_SENT] = built - row[SENT] - row[ALREADY_SENT] - row[VALIDATED]
    row["rows_read"] = built + row["rows_rejected"] + row["duplicates_dropped"] + row["rows_excluded"]
    return row


def _sum(rows: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter(dict.fromkeys(SHOWN, 0))
    for row in rows:
        total.update(row)
    return dict(total)


def result(counts: AccountCounts) -> dict[str, Any]:
    """Return the members of the result: the accounts with problems first, then the largest; the others added up."""
    rows = table(counts)
    ranked = sorted((one for one in rows if one != OTHERS), key=lambda one: (_problems(rows[one]), one))
    shown, rest = ranked[:MOST_SHOWN], ranked[MOST_SHOWN:]
    added = [rows[one] for one in (*rest, *([OTHERS] if OTHERS in rows else []))]
    return {
        "accounts": {account: rows[account] for account in shown},
        "accounts_read": len({account for account, kind in counts if account not in ("", OTHERS)}),
        "accounts_refused": len(refused(counts)),
        "accounts_unavailable": len(unavailable(counts)),
        "other_accounts": _sum(added) if added else {},
    }


def _problems(row: Mapping[str, int]) -> tuple[bool, bool, bool, int]:
    return (
        not (row[REFUSED] or row[UNAVAILABLE]),
        not (row[FAILED] or row[HELD]),
        not row["rows_rejected"],
        -row["rows_read"],
    )


def refused(counts: AccountCounts) -> dict[str, int]:
    """Return the accounts that Pinterest refuses → their events that failed for this reason, most events first."""
    return _of_kind(counts, REFUSED)


def unavailable(counts: AccountCounts) -> dict[str, int]:
    """Return the accounts that stayed unavailable → their events that failed for this reason, most events first."""
    return _of_kind(counts, UNAVAILABLE)


def _of_kind(counts: AccountCounts, wanted: str) -> dict[str, int]:
    found = {account: count for (account, kind), count in counts.items() if kind == wanted and count}
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


def lines(counts: AccountCounts) -> Iterator[str]:
    """Yield messages for the log that have the counts of every account."""
    rows = table(counts)
    ranked = sorted(rows, key=lambda one: (_problems(rows[one]), one))
    for start in range(0, len(ranked), LINES):
        some = ranked[start : start + LINES]
        title = f"Ad accounts {start + 1:,} to {start + len(some):,} of {len(ranked):,}:"
        yield "\n".join([title, *(f"{account}: {_shown(rows[account])}" for account in some)])


def _shown(row: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {count:,}" for kind, count in row.items() if count)
