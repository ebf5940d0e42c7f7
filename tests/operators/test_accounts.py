"""A task whose rows name their ad account: deferral, retry and Clear."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_pinterest.exceptions import UnavailableError
from airflow_provider_pinterest.links.conversions import AdsManagerConversionsLink
from airflow_provider_pinterest.sandbox.tokens import Token
from tests.operators.attempts import Life
from tests.running import deliver, row

A, B, C = "549755885171", "549755885172", "549755885173"


def of(account: Any, count: int, **changes: Any) -> list[dict[str, Any]]:
    return [row(number, **changes) | {"account": account} for number in range(1, count + 1)]


def life(**changes: Any) -> Life:
    source = [*of(A, 6), *of(B, 6), *of(C, 6)]
    given = {"events": source, "ad_account_id_column": "account", "batch_size": 2, "max_in_flight": 2}
    return Life(**{**given, **changes})


def arrived(pinterest: Any) -> dict[str, int]:
    """Return the number of accepted copies of each account's events."""
    return {account: sum(pinterest.copies(ad_account_id=account).values()) for account in (A, B, C)}


def counts(ran: Any, kind: str) -> dict[str, int]:
    return {account: one[kind] for account, one in ran["accounts"].items() if one[kind]}


@pytest.mark.parametrize("remembers", [True, False])
def test_a_deferred_task_continues_with_the_counts_of_each_account(pinterest, remembers):
    task = life(deferrable=True, max_wait=dt.timedelta(minutes=10), remembers=remembers)
    pinterest.fault("status", status=503, ad_account_id=B, after=1, headers={"Retry-After": "300"})

    assert isinstance(task.attempt().error, TaskDeferred)
    pinterest.clear_faults()
    ran = task.wake()

    assert ran.error is None
    assert arrived(pinterest) == {A: 6, B: 6, C: 6}
    assert counts(ran, "events_processed") == {A: 6, B: 6, C: 6}


@pytest.mark.parametrize("action_source", ["web", "offline"])
@pytest.mark.parametrize("cleared", [False, True])
def test_an_account_that_stays_unavailable_is_sent_by_a_retry_or_after_clear(pinterest, action_source, cleared):
    source = [one for account in (A, B, C) for one in of(account, 6, action_source=action_source)]
    task = life(events=source)
    pinterest.fault("status", status=503, ad_account_id=B, headers={"Retry-After": "3600"})

    ran = task.attempt()

    assert isinstance(ran.error, UnavailableError)
    assert not isinstance(ran.error, AirflowFailException)
    assert ran.error.retry_after == 3600
    assert f"Pinterest stayed unavailable for 1 ad account: {B} (6 events)." in ran.said
    assert "Clear or a retry sends only the 6 that failed" in ran.said
    assert arrived(pinterest) == {A: 6, B: 0, C: 6}

    pinterest.clear_faults()
    ran = task.clear() if cleared else task.attempt()

    assert ran.error is None
    assert arrived(pinterest) == {A: 6, B: 6, C: 6}
    assert counts(ran, "already_sent") == ({A: 6, C: 6} if cleared else {})


@pytest.mark.parametrize("action_source", ["web", "offline"])
def test_clear_sends_exactly_the_events_of_the_refused_account(pinterest, action_source):
    source = [one for account in (A, B, C) for one in of(account, 6, action_source=action_source)]
    task = life(events=source)
    pinterest.add_token(Token(pinterest.token, ad_account_ids=frozenset({A, C})))

    ran = task.attempt()

    assert isinstance(ran.error, AirflowFailException)
    assert f"{B} (6 events)" in ran.said
    assert "Clear sends only the 6 that failed" in ran.said
    assert arrived(pinterest) == {A: 6, B: 0, C: 6}

    pinterest.add_token(Token(pinterest.token))
    ran = task.clear()

    assert ran.error is None
    assert arrived(pinterest) == {A: 6, B: 6, C: 6}
    assert counts(ran, "already_sent") == {A: 6, C: 6}


def test_a_task_that_is_killed_and_retried_counts_each_event_once(pinterest):
    task = life(max_in_flight=1)
    pinterest.fault("delay", seconds=30, after=4)
    killer = threading.Timer(1.5, task.kill)
    killer.start()

    task.attempt()
    pinterest.clear_faults()
    ran = task.attempt()

    assert ran.error is None
    copies = [pinterest.copies(ad_account_id=account) for account in (A, B, C)]
    assert [len(events) for events in copies] == [6, 6, 6]
    assert sum(sum(events.values()) for events in copies) <= 18 + 2
    assert counts(ran, "events_processed") == {A: 6, B: 6, C: 6}


def test_the_connection_needs_no_account(pinterest, connect):
    connect(pinterest, extra={"ad_account_id": None})

    assert deliver(events=of(A, 1), ad_account_id_column="account").error is None


@pytest.mark.parametrize(
    ("accounts", "url"),
    [([A, A], f"https://ads.pinterest.com/advertiser/{A}/conversions/"), ([A, B], "https://ads.pinterest.com/")],
)
def test_the_link_opens_the_account_or_the_list_of_accounts(pinterest, accounts, url):
    task = life(events=[one for account in accounts for one in of(account, 1)])

    task.attempt()

    assert AdsManagerConversionsLink().get_link(task.operator, ti_key=None) == url
