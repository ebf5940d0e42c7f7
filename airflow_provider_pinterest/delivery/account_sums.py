"""A sum of counts per ad account that grows by small parts, at a cost that hardly depends on the number of accounts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from airflow_provider_pinterest.delivery import account_counts
from airflow_provider_pinterest.delivery.account_counts import MOST_KEPT, AccountCounts, StoredRows


@dataclass(eq=False, slots=True)
class _Layer:
    """Counts that were added up, and the layer before them. The counts never change.

    :param stored: what is stored of this layer and those before it; ``None`` if it is not known yet.
    """

    counts: AccountCounts
    below: _Layer | None = None
    stored: StoredRows | None = field(default=None, init=False)

    def rows(self) -> StoredRows:
        """Return what is stored of this layer and those before it. A checkpoint waits for it."""
        if self.stored is None:
            rows = account_counts.stored_rows(self.counts)
            if self.below is not None:
                rows = account_counts.added_rows(self.below.rows(), rows)
            self.stored = rows if len(rows) <= MOST_KEPT else account_counts.largest(rows, MOST_KEPT)
        return self.stored


class AccountSum:
    """A sum of counts. It never changes, so copies share it.

    Each layer has more than twice as many counts as the next one. Added counts are added to the small layers, and the
    large ones stay as they are.

    :param counts: the first counts; they must not change any more.
    """

    __slots__ = ("_last",)

    def __init__(self, counts: AccountCounts | None = None) -> None:
        self._last = _Layer(counts) if counts else None

    def __bool__(self) -> bool:
        """Return whether there are any counts."""
        return self._last is not None

    def __eq__(self, other: object) -> bool:
        """Return whether the other one is a sum with the same counts."""
        return isinstance(other, AccountSum) and self.total() == other.total()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return the counts."""
        return f"AccountSum({self.total()!r})"

    def plus(self, more: AccountSum | AccountCounts) -> AccountSum:
        """Return the sum of both. The second one should be the smaller one."""
        counts = more.total() if isinstance(more, AccountSum) else more
        if not counts:
            return self
        below = self._last
        while below is not None and len(below.counts) <= 2 * len(counts):
            counts, below = _added(below.counts, counts), below.below
        found = AccountSum()
        found._last = _Layer(counts, below)
        return found

    def total(self) -> AccountCounts:
        """Return all counts in one counter."""
        found: AccountCounts = Counter()
        layer = self._last
        while layer is not None:
            found.update(layer.counts)
            layer = layer.below
        return found

    def written(self) -> str:
        """Return the counts as compact text, see :func:`.account_counts.written`."""
        return account_counts.written_rows(self._last.rows()) if self._last is not None else ""


def _added(counts: AccountCounts, more: AccountCounts) -> AccountCounts:
    """Return the sum of two counters."""
    found = counts.copy()
    found.update(more)
    return found
