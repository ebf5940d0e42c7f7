"""Sums of counts per ad account: they are right, and what they cost does not grow with the number of accounts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.delivery import account_counts
from airflow_provider_pinterest.delivery.account_counts import CALLS, FAILED, MOST_KEPT, MOST_STORED, OTHERS, PROCESSED
from airflow_provider_pinterest.delivery.account_sums import AccountSum
from airflow_provider_pinterest.delivery.result import DeliveryCounters

keys = st.tuples(st.sampled_from("123456789"), st.sampled_from((PROCESSED, FAILED, CALLS)))
counters = st.dictionaries(keys, st.integers(-3, 9), max_size=9).map(Counter)


def summed(parts: list[Counter[tuple[str, str]]]) -> AccountSum:
    found = AccountSum()
    for part in parts:
        found = found.plus(part)
    return found


def plain(parts: list[Counter[tuple[str, str]]]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for part in parts:
        found.update(part)
    return found


def accounts(count: int) -> list[Counter[tuple[str, str]]]:
    """Return the counts of batches, one for each account."""
    return [
        Counter({(str(10**11 + number), PROCESSED): 2, (str(10**11 + number), CALLS): 1}) for number in range(count)
    ]


@given(st.lists(counters, max_size=30), st.lists(counters, max_size=9))
def test_it_has_the_counts_of_all_parts(parts, more):
    one, other = summed(parts), summed(more)

    assert one.total() == plain(parts)
    assert one.plus(other).total() == plain([*parts, *more])
    assert one.total() == plain(parts), "a sum does not change"
    assert one == AccountSum(plain(parts))
    assert account_counts.read(one.written()) == Counter({key: n for key, n in plain(parts).items() if n})


def test_counts_of_a_run_share_the_sum_until_they_differ():
    counters = DeliveryCounters(accounts=summed(accounts(3)))
    copied = counters.copy()

    counters.merge(DeliveryCounters(accounts=AccountSum(Counter({("7", PROCESSED): 1}))))

    assert copied.accounts == summed(accounts(3))
    assert counters.accounts.total()["7", PROCESSED] == 1


def layers(found: AccountSum) -> list[Any]:
    """Return the layers of a sum, the smallest first."""
    layer, below = found._last, []
    while layer is not None:
        below.append(layer)
        layer = layer.below
    return below


def test_a_batch_does_not_copy_the_counts_of_all_accounts():
    found = AccountSum()
    copied = 0
    known: set[int] = set()
    for part in accounts(20_000):
        found = found.plus(part)
        copied += sum(len(layer.counts) for layer in layers(found) if id(layer) not in known)
        known = {id(layer) for layer in layers(found)}

    assert len(known) < 20
    assert copied < 20 * 2 * 20_000


def test_a_checkpoint_does_not_look_at_all_accounts_again():
    found = summed(accounts(20_000))
    found.written()

    found = found.plus(Counter({("7", PROCESSED): 1}))

    assert all(layer.stored is not None for layer in layers(found) if len(layer.counts) > 100)


def test_what_is_stored_of_very_many_accounts_stays_small_and_complete():
    parts = accounts(5_000)
    parts[7][str(10**11 + 7), FAILED] = 1
    found = AccountSum()
    for number, part in enumerate(parts):
        found = found.plus(part)
        if not number % 50:
            found.written()

    text = found.written()

    stored = account_counts.read(text)
    assert len(text) <= MOST_STORED
    assert len({account for account, _ in stored}) <= MOST_KEPT
    assert sum(count for (_, kind), count in stored.items() if kind == PROCESSED) == 10_000
    assert stored[str(10**11 + 7), FAILED] == 1
    assert stored[OTHERS, PROCESSED]
