"""Runs with several ad accounts that are killed, interrupted and refused at random, against a model of every row."""

from __future__ import annotations

import contextlib
import dataclasses
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_pinterest.api.events_endpoint import Answer
from airflow_provider_pinterest.conversions.batches import Batcher
from airflow_provider_pinterest.conversions.outcomes import Event, RowBatch
from airflow_provider_pinterest.delivery import account_counts
from airflow_provider_pinterest.delivery.sender import OnUnknownOutcome
from airflow_provider_pinterest.delivery.standings import AccountStandings
from tests.delivery.test_model import kinds, run_attempts
from tests.delivery.world import ModelPinterest, Scenario, ids_of, transform

BLOCK = 60
"""Scenarios of a test."""


def account_of(row: int) -> str:
    """Return the account of a row: three accounts, which come again."""
    return str(701 + row // 4 % 3)


class AwayPinterest(ModelPinterest):
    """Is unavailable for some accounts until the run ends.

    :param away: account → how it is unavailable.
    """

    def __init__(self, chance: random.Random) -> None:
        super().__init__(chance)
        self.away: dict[str, str] = {}

    def answer(self, body: bytes) -> Answer:
        word = self.away.get(account_of(int(ids_of(body)[0].removeprefix("e-"))))
        if word is None:
            return super().answer(body)
        with self._lock:
            self.calls += 1
            self.posted.update(ids_of(body))
            return self._respond_in(word, body)


class AccountScenario(Scenario):
    """A run whose rows name their account."""

    def outcomes(self, read: Iterator[RowBatch]) -> Iterator[Any]:
        outcome: Any
        for outcome in transform().events(read):
            account = account_of(outcome.row)
            if type(outcome) is Event:
                yield outcome._replace(ad_account_id=account)
            else:
                yield dataclasses.replace(outcome, ad_account_id=account)

    def new_batcher(self) -> Batcher:
        return Batcher(self.batch_size, several_accounts=True)

    def new_standings(self) -> AccountStandings:
        return AccountStandings()


def scenario(seed: int, *, threads: bool = False) -> AccountScenario:
    chance = random.Random(seed)  # noqa: S311
    made = AccountScenario(
        kinds(chance),
        chance,
        on_unknown_outcome=chance.choice((None, None, OnUnknownOutcome.HOLD, OnUnknownOutcome.RESEND)),
        batch_size=chance.randint(1, 6),
        in_flight=chance.randint(1, 4),
        threads=threads,
    )
    valid = sorted(made.events)
    made.pinterest.failing = set(chance.sample(valid, min(len(valid), chance.choice((0, 0, 1, 3)))))
    return made


def check(made: AccountScenario, run: Any) -> None:
    """Compare what Pinterest has, the rejects and the counts of each account with the rows."""
    copies, events, counters = made.pinterest.copies, made.events, run.counters
    lines = made.folder.lines()
    codes = {line["event_id"]: line["reasons"][0]["code"] for line in lines if line["stage"] != "validation"}

    assert not [one for one in events if not copies[one] and one not in codes], "rows are lost"
    assert len({line["row"] for line in lines}) == len(lines), "a row is among the rejects twice"
    assert all(line["ad_account_id"] == account_of(line["row"]) for line in lines)
    not_accepted = [one for one, code in codes.items() if code in ("account_refused", "account_unavailable")]
    assert not [one for one in not_accepted if copies[one]], "failed and arrived"
    once_only = {one for one, kind in events.items() if kind == "offline"}
    if made.on_unknown_outcome is not OnUnknownOutcome.RESEND:
        assert not [one for one in once_only if copies[one] > 1], "sent twice what must not be"
    for one in events:
        assert copies[one] <= 1 + made.pinterest.unknown[one] + made.broken

    counters.check(len(made.kinds))
    expected: dict[str, Counter[str]] = {}
    for number, kind in enumerate(made.kinds, 1):
        code = codes.get(f"e-{number}", "")
        end = {
            "": "events_processed",
            "outcome_unknown": "events_held",
            "pinterest_failed": "events_failed",
            "account_refused": "events_failed",
            "account_unavailable": "events_failed",
            "account_unanswered": "events_failed",
        }[code]
        name = {"invalid": "rows_rejected", "duplicate": "duplicates_dropped"}.get(kind, end)
        counts = expected.setdefault(account_of(number), Counter())
        counts[name] += 1
        counts["events_refused"] += code == "account_refused"
        counts["events_unavailable"] += code in ("account_unavailable", "account_unanswered")
    found = account_counts.table(counters.accounts)
    assert set(found) == set(expected)
    for account, counts in expected.items():
        shown = {
            name: count for name, count in found[account].items() if name not in ("rows_read", "events_sent", "calls")
        }
        assert +Counter(shown) == +counts, account
    assert sum(row["calls"] for row in found.values()) == counters.delivered.calls


@pytest.mark.parametrize("start", range(2_000, 2_240, BLOCK))
def test_each_account_is_accounted_for_if_some_stay_unavailable(start: int) -> None:
    """A run that ends because no account is left to ask ends so again, and then Pinterest is back."""
    complete = 0
    for seed in range(start, start + BLOCK):
        made = scenario(seed, threads=seed % 4 == 0)
        made.pinterest = away = AwayPinterest(made.chance)
        away.away = {"702": made.chance.choice(("busy", "away", "lost", "unknown"))}
        if made.chance.random() < 0.3:
            away.away["703"] = "busy"
        for _ in range(2):
            with contextlib.suppress(AssertionError):
                run, _ = run_attempts(made, interrupts=seed % 4 != 0)
                break
            away.away = {}
        else:
            raise AssertionError("it never ended")
        if run is not None:
            complete += bool(away.away)
            check(made, run)
    assert complete > BLOCK // 4


@pytest.mark.parametrize("start", range(0, 300, BLOCK))
def test_each_account_is_accounted_for_whatever_happens(start: int) -> None:
    for seed in range(start, start + BLOCK):
        made = scenario(seed)
        run, _ = run_attempts(made)
        if run is not None:
            check(made, run)


def test_the_same_with_threads() -> None:
    for seed in range(1_000, 1_040):
        made = scenario(seed, threads=True)
        run, _ = run_attempts(made, interrupts=False)
        if run is not None:
            check(made, run)
