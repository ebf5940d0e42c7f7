"""A sum of counts per ad account that grows by small parts, at a cost that hardly depends on the number of accounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from airflow_provider_pinterest.delivery import account_counts
from airflow_provider_pinterest.delivery.account_counts import MOST_KEPT, AccountCounts


class AccountSum:
    """A sum of counts. It never changes, so copies share it.

    The counts are kept in layers. Each layer has more than twice as many counts as the next one, so a few small layers
    are added up when counts are added, and the large ones stay as they are.

    :param counts: the counts of the last layer; they must not change any more.
    :param below: the layers before it.
    """

    __slots__ = ("_below", "_counts", "_stored")

    def __init__(self, counts: AccountCounts | None = None, below: AccountSum | None = None) -> None:
        self._counts: AccountCounts = Counter() if counts is None else counts
        self._below = below
        self._stored: Mapping[str, Sequence[int]] | None = None

    def __bool__(self) -> bool:
        """Return whether there are any counts."""
        return bool(self._counts)

    def __eq__(self, other: object) -> bool:
        """Return whether the other one is a sum with the same counts."""
        return isinstance(other, AccountSum) and self.total() == other.total()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return the counts."""
        return f"AccountSum({self.total()!r})"

    def plus(self, more: AccountCounts | AccountSum) -> AccountSum:
        """Return the sum of both."""
        if isinstance(more, AccountSum):
            return self._plus_sum(more)
        if not more:
            return self
        below: AccountSum | None = self
        while below is not None and len(below._counts) <= 2 * len(more):
            more, below = _added(below._counts, more), below._below
        return AccountSum(more, below)

    def _plus_sum(self, more: AccountSum) -> AccountSum:
        if not self:
            return more
        found = self
        for layer in more._layers():
            found = found.plus(layer)
        return found

    def total(self) -> AccountCounts:
        """Return all counts in one counter."""
        found: AccountCounts = Counter()
        for layer in reversed(self._layers()):
            found.update(layer)
        return found

    def written(self) -> str:
        """Return the counts as compact text, see :func:`.account_counts.written`."""
        return account_counts.written_rows(self._rows())

    def _layers(self) -> list[AccountCounts]:
        """Return the counts of each layer, the smallest first."""
        found = []
        layer: AccountSum | None = self
        while layer is not None:
            found.append(layer._counts)
            layer = layer._below
        return found

    def _rows(self) -> Mapping[str, Sequence[int]]:
        """Return what is stored of this layer and those below. A checkpoint waits for it."""
        if self._stored is None:
            rows = account_counts.stored_rows(self._counts)
            if self._below is not None:
                rows = account_counts.added_rows(self._below._rows(), rows)
            self._stored = rows if len(rows) <= MOST_KEPT else account_counts.largest(rows, MOST_KEPT)
        return self._stored


def _added(counts: AccountCounts, more: AccountCounts) -> AccountCounts:
    """Return the sum of two counters."""
    found = counts.copy()
    found.update(more)
    return found
