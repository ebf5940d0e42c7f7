"""Counts per ad account: how they are stored, and what the result and the log show."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

from airflow_provider_pinterest.delivery import account_counts
from airflow_provider_pinterest.delivery.account_counts import (
    ALREADY_SENT,
    BUILT,
    CALLS,
    FAILED,
    HELD,
    MOST_SHOWN,
    MOST_STORED,
    OTHERS,
    PROCESSED,
    REFUSED,
)
from airflow_provider_pinterest.delivery.account_sums import AccountSum
from airflow_provider_pinterest.delivery.checkpoint import Checkpoint, Finished
from airflow_provider_pinterest.delivery.result import DeliveryCounters
from airflow_provider_pinterest.delivery.rowset import RowSet
from airflow_provider_pinterest.delivery.stored_state import read_state

A, B = "549755885171", "549755885172"


def many(count: int, digits: int = 18, seed: int = 7) -> Counter[tuple[str, str]]:
    """Return counts of accounts with random ids, every tenth with failed events."""
    chance = random.Random(seed)  # noqa: S311
    found: Counter[tuple[str, str]] = Counter()
    for number in range(count):
        account = str(chance.randrange(10 ** (digits - 1), 10**digits))
        found[account, PROCESSED] = chance.randrange(1, 5_000)
        found[account, CALLS] = chance.randrange(1, 6)
        if not number % 10:
            found[account, FAILED] = chance.randrange(1, 50)
    return found


def by_kind(counts: Counter[tuple[str, str]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, kind), count in counts.items():
        found[kind] += count
    return found


@pytest.mark.parametrize("count", [0, 1, 2, 1_000])
def test_counts_are_read_as_they_were_written(count):
    assert account_counts.read(account_counts.written(many(count))) == many(count)


def test_negative_counts_are_kept():
    counts = Counter({(A, ALREADY_SENT): -3, (A, FAILED): 3})

    assert account_counts.read(account_counts.written(counts)) == counts


def test_counts_of_a_thousand_accounts_are_small():
    assert len(account_counts.written(many(1_000))) < MOST_STORED


@pytest.mark.parametrize("count", [3_000, 20_000])
def test_the_smallest_of_too_many_accounts_are_added_up(count):
    counts = many(count)

    text = account_counts.written(counts)
    found = account_counts.read(text)

    assert len(text) <= MOST_STORED
    assert by_kind(found) == by_kind(counts)
    assert found[OTHERS, PROCESSED]
    kept = {account for account, _ in found if account != OTHERS}
    assert len(kept) > 1_000
    assert all(found[account, kind] == counts[account, kind] for account in kept for kind in (PROCESSED, FAILED))
    failed = {account for account, kind in counts if kind == FAILED}
    assert failed <= kept or kept <= failed


def test_added_up_counts_stay_added_up():
    once = account_counts.read(account_counts.written(many(3_000)))
    once.update(many(2_000, seed=8))

    twice = account_counts.read(account_counts.written(once))

    assert by_kind(twice) == by_kind(once)


@pytest.mark.parametrize("text", [None, 7, "?", "AAAA", account_counts.written(many(3))[:-8], [A]])
def test_other_texts_are_not_counts(text):
    with pytest.raises(ValueError, match="not counts of accounts"):
        account_counts.read(text)


def test_the_stored_state_of_a_run_with_a_thousand_accounts_stays_below_the_limit_of_airflow():
    delivered = DeliveryCounters(processed=1, accounts=AccountSum(many(1_000)))
    result = {"accounts": {str(10**17 + one): dict.fromkeys(account_counts.SHOWN, 12_345) for one in range(MOST_SHOWN)}}
    finished = Finished({}, 0.0, 1, "", delivered, RowSet(), RowSet(), False, {}, result, None, 0.0)
    checkpoint = Checkpoint({}, 0.0, delivered=delivered.copy(), earlier=finished)

    assert len(json.dumps(checkpoint.as_json())) < 65_535
    assert read_state(json.loads(json.dumps(checkpoint.as_json()))) == checkpoint


def test_a_state_that_was_stored_without_accounts_is_read():
    stored: Any = Checkpoint({}, 0.0).as_json()

    assert "accounts" not in stored["delivered"]
    assert read_state(stored) == Checkpoint({}, 0.0)


def test_the_table_adds_up():
    counts = Counter(
        {
            (A, BUILT): 10,
            (A, PROCESSED): 4,
            (A, FAILED): 2,
            (A, HELD): 1,
            (A, ALREADY_SENT): 1,
            (A, "rows_rejected"): 5,
            (B, "rows_excluded"): 1,
            ("", "rows_rejected"): 2,
        }
    )

    found = account_counts.table(counts)

    assert found[A]["events_sent"] == 7
    assert found[A]["rows_not_sent"] == 2
    assert found[A]["rows_read"] == 15
    assert found[B]["rows_read"] == 1
    assert found["none"]["rows_read"] == 2


def test_rows_of_accounts_that_were_added_up_are_added_up_too():
    counts = Counter({(A, BUILT): 3, (B, BUILT): 2, (B, PROCESSED): 2, (OTHERS, PROCESSED): 3})

    found = account_counts.table(counts)

    assert set(found) == {B, OTHERS}
    assert (found[OTHERS]["events_processed"], found[OTHERS]["rows_not_sent"], found[OTHERS]["rows_read"]) == (3, 0, 3)


def test_the_result_shows_accounts_with_problems_first_and_adds_the_others_up():
    counts = Counter({(str(number), kind): 10 for number in range(100) for kind in (BUILT, PROCESSED)})
    counts.update({("95", BUILT): 1, ("95", FAILED): 1, ("95", REFUSED): 1, ("50", BUILT): 1, ("50", HELD): 1})
    counts["7", "rows_rejected"] += 1

    found = account_counts.result(counts)

    assert list(found["accounts"])[:3] == ["95", "50", "7"]
    assert (found["accounts_read"], found["accounts_refused"], len(found["accounts"])) == (100, 1, MOST_SHOWN)
    assert found["other_accounts"]["events_processed"] == 10 * (100 - MOST_SHOWN)


def test_the_log_has_every_account():
    counts = Counter({(str(number), kind): 10 for number in range(250) for kind in (BUILT, PROCESSED)})

    lines = list(account_counts.lines(counts))

    assert len(lines) == 3
    assert lines[0].startswith("Ad accounts 1 to 100 of 250:\n0: rows_read 10, events_sent 10, events_processed 10")
    assert sum(text.count("\n") for text in lines) == 250


def test_a_run_with_one_account_has_nothing_to_show():
    assert list(account_counts.lines(Counter())) == []
    assert account_counts.result(Counter())["accounts"] == {}
