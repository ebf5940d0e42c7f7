"""Rows of several ad accounts in one run: where each event arrives, what fails alone, and what is counted."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import sqlite3
import subprocess
import time
from functools import partial
from typing import Any

import pytest

from airflow_provider_pinterest.delivery.checkpoint import KEY
from airflow_provider_pinterest.exceptions import (
    CredentialError,
    ParameterError,
    RefusedError,
    ResultError,
    UnavailableError,
)
from airflow_provider_pinterest.sandbox import Sandbox
from airflow_provider_pinterest.sandbox.tokens import Token
from airflow_provider_pinterest.sync import FileStateStore, OutcomeTable, PinterestConnection
from tests.outcomes.reading import table
from tests.running import row, rows
from tests.sync.plain import ObservedRun, command, connection
from tests.sync.plain import run as plain_run

A, B, C = "549755885171", "549755885172", "549755885173"
PATH = "/v5/ad_accounts/{}/events"


@pytest.fixture
def state(tmp_path):
    return FileStateStore(tmp_path / "state.json")


def of(account: Any, count: int, first: int = 1, **changes: Any) -> list[dict[str, Any]]:
    """Return rows of an account."""
    return [row(number, **changes) | {"account": account} for number in range(first, first + count)]


def run(source: Any, sandbox: Sandbox | None, **options: Any) -> ObservedRun:
    return plain_run(source, sandbox, **{"ad_account_id_column": "account", **options})


def copies(sandbox: Sandbox) -> dict[str, int]:
    """Return the number of accepted events of each account; each event must have arrived once."""
    found = {account: sandbox.copies(ad_account_id=account) for account in (A, B, C)}
    assert all(count == 1 for events in found.values() for count in events.values())
    return {account: len(events) for account, events in found.items()}


def limited(sandbox: Sandbox, *accounts: str) -> None:
    """Give the token a role on some accounts only."""
    sandbox.add_token(Token(sandbox.token, ad_account_ids=frozenset(accounts)))


def counts(ran: ObservedRun, kind: str) -> dict[str, int]:
    return {account: row[kind] for account, row in ran["accounts"].items() if row[kind]}


def calls(sandbox: Sandbox, account: str) -> int:
    return len(sandbox.calls(path=PATH.format(account)))


def test_each_row_arrives_at_its_account(sandbox):
    ran = run([*of(A, 3), *of(int(B), 2), *of(float(C), 1)], sandbox)

    assert copies(sandbox) == {A: 3, B: 2, C: 1}
    assert counts(ran, "events_processed") == {A: 3, B: 2, C: 1}
    assert counts(ran, "calls") == {A: 1, B: 1, C: 1}
    assert (ran["accounts_read"], ran["accounts_refused"], ran["other_accounts"]) == (3, 0, {})
    assert ran["ad_account_id"] == ""


def test_no_ad_account_is_needed_in_the_connection(sandbox):
    ran = run(of(A, 1), sandbox, call={"connection": connection(sandbox, ad_account_id=None)})

    assert ran["events_processed"] == 1


def test_the_account_of_the_connection_is_no_default(sandbox):
    ran = run([*of(A, 200), *of("", 1)], sandbox, call={"connection": connection(sandbox, ad_account_id=B)})

    assert copies(sandbox) == {A: 200, B: 0, C: 0}
    assert ran["reasons"] == {"bad_account": 1}
    assert ran["accounts"]["none"]["rows_rejected"] == 1


def test_rows_without_an_account_go_to_the_one_that_is_passed(sandbox):
    ran = run([*of(A, 1), *of(None, 2)], sandbox, ad_account_id=B)

    assert copies(sandbox) == {A: 1, B: 2, C: 0}
    assert ran["ad_account_id"] == B


def test_zeros_before_an_account_are_left_out_so_that_it_is_one_account(sandbox):
    ran = run([*of(A, 1), *of(None, 1, first=2), *of(int(A), 1, first=3)], sandbox, ad_account_id="00" + A)

    assert copies(sandbox) == {A: 3, B: 0, C: 0}
    assert calls(sandbox, A) == 1
    assert (ran["ad_account_id"], ran["accounts_read"]) == (A, 1)


@pytest.mark.parametrize("account", [0, "0", "000"])
def test_zero_is_no_ad_account(sandbox, account):
    ran = run(of(A, 1), sandbox, ad_account_id=account)

    assert isinstance(ran.error, ParameterError)
    assert "ad_account_id must be 1 to 18 digits" in ran.said


def test_a_missing_column_is_an_error_and_nothing_is_sent(sandbox):
    ran = run(rows(2), sandbox)

    assert isinstance(ran.error, ParameterError)
    assert "ad_account_id_column names 'account', which the source does not have" in ran.said
    assert not sandbox.calls()


def test_the_same_event_id_in_two_accounts_is_sent_twice(sandbox):
    ran = run([*of(A, 3), *of(B, 3), *of(B, 1)], sandbox)

    assert copies(sandbox) == {A: 3, B: 3, C: 0}
    assert counts(ran, "duplicates_dropped") == {B: 1}


def test_batches_hold_events_of_one_account(sandbox):
    run([*of(A, 5), *of(B, 2)], sandbox, batch_size=2)

    assert (calls(sandbox, A), calls(sandbox, B)) == (3, 1)
    assert copies(sandbox) == {A: 5, B: 2, C: 0}


def test_accounts_that_come_in_turns_are_sent_completely_and_a_warning_says_so(sandbox):
    source = [{**row(number), "account": (A, B)[number % 2]} for number in range(60)]

    ran = run(source, sandbox, processes=0)

    assert copies(sandbox) == {A: 30, B: 30, C: 0}
    assert "ORDER BY account" in ran.log
    assert ran.log.count("come in turns") == 1
    assert "58 times in 60 rows" in ran.log


def test_accounts_in_order_are_not_warned_about(sandbox):
    assert "come in turns" not in run([*of(A, 30), *of(B, 30)], sandbox).log


def test_validation_alone_counts_per_account():
    ran = run([*of(A, 3), *of(B, 2), *of(None, 1)], None, validate_only=True, max_rejected=1)

    assert counts(ran, "validated_only") == {A: 3, B: 2}
    assert counts(ran, "rows_rejected") == {"none": 1}


def test_test_mode_sends_to_each_account(sandbox):
    ran = run([*of(A, 3), *of(B, 2)], sandbox, test=True)

    assert counts(ran, "events_processed") == {A: 3, B: 2}
    assert copies(sandbox) == {A: 0, B: 0, C: 0}


def test_without_the_column_the_result_names_no_accounts(sandbox):
    ran = run(rows(3), sandbox, ad_account_id_column=None)

    assert (ran["accounts"], ran["other_accounts"], ran["accounts_read"]) == ({}, {}, 0)
    assert ran["ad_account_id"] == sandbox.ad_account_id


def test_an_account_without_a_role_fails_alone(sandbox, state, tmp_path):
    limited(sandbox, A, C)

    ran = run(
        [*of(A, 4), *of(B, 7), *of(C, 2)],
        sandbox,
        batch_size=2,
        call={"state": state},
        rejects_path=str(tmp_path / "r"),
    )

    assert copies(sandbox) == {A: 4, B: 0, C: 2}
    assert calls(sandbox, B) == 1
    assert isinstance(ran.error, ResultError)
    assert f"Pinterest refuses 1 ad account: {B} (7 events)." in ran.said
    assert "sends only the 7 that failed" in ran.said
    assert counts(ran, "events_failed") == counts(ran, "events_refused") == {B: 7}
    assert next(iter(ran["accounts"])) == B
    assert ran["reasons"] == {"account_refused": 7}
    assert f"Ad account {B} is refused" in ran.log
    lines = [json.loads(line) for file in (tmp_path / "r").iterdir() for line in file.read_text().splitlines()]
    assert len(lines) == 7
    assert {one["ad_account_id"] for one in lines} == {B}
    assert {one["reasons"][0]["code"] for one in lines} == {"account_refused"}


def test_an_account_that_does_not_exist_fails_alone(sandbox):
    sandbox.settings(ad_account_ids=[A, C])

    ran = run([*of(A, 2), *of(B, 2), *of(C, 2)], sandbox)

    assert copies(sandbox) == {A: 2, B: 0, C: 2}
    assert f"{B} (2 events)" in ran.said


def test_the_next_run_sends_exactly_the_events_of_the_refused_account(sandbox, state):
    source = [*of(A, 4), *of(B, 7), *of(C, 2)]
    limited(sandbox, A, C)
    run(source, sandbox, batch_size=2, call={"state": state})
    limited(sandbox, A, B, C)

    ran = run(source, sandbox, batch_size=2, call={"state": state})

    assert ran.error is None
    assert copies(sandbox) == {A: 4, B: 7, C: 2}
    assert counts(ran, "already_sent") == {A: 4, C: 2}
    assert counts(ran, "events_processed") == {B: 7}


def test_a_batch_that_begins_with_rows_of_other_accounts_is_sent_to_its_own(sandbox, state):
    """The next run reads the accepted rows again together with those of the refused account, and ends early."""
    source = [*of(A, 4), *of(B, 7), *of(C, 2)]
    limited(sandbox, A, C)
    run(source, sandbox, call={"state": state})
    sandbox.fault("status", status=401)
    assert isinstance(run(source, sandbox, call={"state": state}).error, CredentialError)
    sandbox.clear_faults()
    limited(sandbox, A, B, C)

    ran = run(source, sandbox, call={"state": state})

    assert copies(sandbox) == {A: 4, B: 7, C: 2}
    assert counts(ran, "events_processed") == {B: 7}
    assert counts(ran, "rows_not_sent") == {}


def test_after_clear_an_interrupted_batch_is_continued_with_its_own_account(sandbox, state):
    source = [*of(A, 4), *of(B, 3), *of(C, 2)]
    limited(sandbox, A, C)
    run(source, sandbox, call={"state": state})
    limited(sandbox, A, B, C)
    sandbox.fault("status", status=503, ad_account_id=B)
    interrupted = run(source, sandbox, call={"state": state}, max_wait=dt.timedelta(seconds=0.1))
    sandbox.clear_faults()

    ran = run(source, sandbox, call={"state": state})

    assert isinstance(interrupted.error, UnavailableError)
    assert ran.error is None
    assert copies(sandbox) == {A: 4, B: 3, C: 2}
    assert counts(ran, "events_processed") == {B: 3}
    assert counts(ran, "already_sent") == {A: 4, C: 2}
    assert counts(ran, "rows_not_sent") == {}


def test_an_interrupted_batch_behind_events_of_an_earlier_run_is_continued_with_its_own_account(
    sandbox, state, tmp_path
):
    connect = partial(sqlite3.connect, tmp_path / "outcomes.db")
    rows_of_a, rows_of_b = of(A, 4), of(B, 3, action_source="offline")
    run(rows_of_a, sandbox, call={"outcomes": OutcomeTable(connect, "monday")}, skip_already_sent=True)
    tuesday = {"state": state, "outcomes": OutcomeTable(connect, "tuesday")}
    sandbox.fault("status", status=503, ad_account_id=B)
    run(
        [*rows_of_a, *rows_of_b],
        sandbox,
        call=tuesday,
        skip_already_sent=True,
        max_wait=dt.timedelta(seconds=0.1),
    )
    sandbox.clear_faults()

    ran = run([*rows_of_a, *rows_of_b], sandbox, call=tuesday, skip_already_sent=True)

    assert copies(sandbox) == {A: 4, B: 3, C: 0}
    assert counts(ran, "events_processed") == {B: 3}
    assert counts(ran, "already_sent") == {A: 4}
    assert {(one["ad_account_id"], one["status"]) for one in table(connect)} == {(A, "processed"), (B, "processed")}


def test_an_account_that_is_still_refused_fails_again_with_one_call(sandbox, state):
    source = [*of(A, 4), *of(B, 7), *of(C, 2)]
    limited(sandbox, A, C)
    first, second = (run(source, sandbox, batch_size=2, call={"state": state}) for _ in range(2))

    for ran in (first, second):
        assert f"{B} (7 events)" in ran.said
        assert counts(ran, "events_refused") == {B: 7}
    assert calls(sandbox, B) == 2
    assert copies(sandbox) == {A: 4, B: 0, C: 2}


def test_a_first_account_without_a_role_does_not_stop_the_others(sandbox):
    limited(sandbox, B, C)

    ran = run([*of(A, 2), *of(B, 2), *of(C, 2)], sandbox, max_in_flight=1)

    assert copies(sandbox) == {A: 0, B: 2, C: 2}
    assert isinstance(ran.error, ResultError)


def test_a_role_that_is_lost_during_the_run_leaves_the_others_alone(sandbox):
    sandbox.fault("status", status=403, after=2, ad_account_id=B)

    ran = run([*of(A, 4), *of(B, 20), *of(C, 4)], sandbox, batch_size=2, max_in_flight=1)

    assert copies(sandbox) == {A: 4, B: 4, C: 4}
    assert calls(sandbox, B) == 3
    assert counts(ran, "events_failed") == {B: 16}


def test_a_token_that_is_refused_ends_the_run_at_once(sandbox, state):
    ran = run([*of(A, 2), *of(B, 2)], sandbox, call={"connection": connection(sandbox, access_token="pina_wrong")})

    assert isinstance(ran.error, CredentialError)
    assert len(sandbox.calls()) == 1
    assert ran["rows_not_sent"] == 4


def many(count: int, each: int = 1) -> list[dict[str, Any]]:
    return [one for number in range(count) for one in of(str(700 + number), each)]


def test_a_token_without_any_role_ends_the_run_and_the_next_one_starts_at_row_1(sandbox, state):
    limited(sandbox)

    ran = run(many(100), sandbox, call={"state": state}, max_in_flight=4)

    assert isinstance(ran.error, CredentialError)
    assert 10 <= len(sandbox.calls()) <= 14
    assert re.search(r"\b1[0-4] ad accounts were refused and none accepted an event in between", ran.said)
    assert ": 700, 701, 702" in ran.said
    assert "continues at row 1 and sends nothing twice" in ran.said

    limited(sandbox, *(str(700 + number) for number in range(100)))
    ran = run(many(100), sandbox, call={"state": state})

    assert ran.error is None
    assert "No ad account accepted an event" in ran.log
    assert (ran["events_processed"], ran["events_failed"]) == (100, 0)
    assert sandbox.totals().accepted == 100


def test_if_every_account_is_refused_the_run_fails_and_names_them(sandbox, state):
    limited(sandbox)

    ran = run([*of(A, 2), *of(B, 3)], sandbox, call={"state": state})

    assert isinstance(ran.error, ResultError)
    assert f"Pinterest refuses 2 ad accounts: {B} (3 events), {A} (2 events)." in ran.said


def test_refusals_of_very_many_accounts_in_a_row_end_the_run(sandbox):
    limited(sandbox, "700", "701")

    ran = run(many(200), sandbox, max_in_flight=1)

    assert isinstance(ran.error, CredentialError)
    assert len(sandbox.calls()) == 52
    assert "The run ended because 50 ad accounts were refused" in ran.said
    assert "710, 711 and 40 more" in ran.said


def test_a_single_bad_event_of_a_small_account_is_rejected_alone(sandbox):
    sandbox.fault("poison", event_id="order-1")

    ran = run([*of(A, 1), *of(B, 3, first=2), *of(C, 1)], sandbox)

    assert copies(sandbox) == {A: 0, B: 3, C: 0}
    assert counts(ran, "events_failed") == {A: 1, C: 1}
    assert ran["reasons"] == {"pinterest_refused": 2}


def test_a_wrong_mapping_ends_the_run_after_a_few_accounts(sandbox):
    sandbox.fault("status", status=400)

    ran = run(many(50, each=2), sandbox, max_in_flight=1)

    assert isinstance(ran.error, RefusedError)
    assert len(sandbox.calls()) == 3 * 3
    assert "3 ad accounts were refused" in ran.said


def test_an_account_that_rejects_many_events_with_one_error_fails_alone(sandbox):
    sandbox.fault("status", status=400, ad_account_id=B)

    ran = run([*of(A, 2), *of(B, 1_000), *of(C, 2)], sandbox, batch_size=100, max_in_flight=1)

    assert copies(sandbox) == {A: 2, B: 0, C: 2}
    assert calls(sandbox, B) < 150
    assert counts(ran, "events_refused") == {B: 1_000}


def test_the_first_batch_of_each_account_goes_alone_and_the_others_do_not_wait(sandbox):
    sandbox.fault("delay", seconds=0.8, times=1, ad_account_id=B)

    run([*of(A, 1), *of(B, 4), *of(C, 2)], sandbox, batch_size=1)

    assert [one.ad_account_id for one in sandbox.events()] == [A, C, C, B, B, B, B]


def test_events_with_unknown_outcome_of_a_refused_account_are_held(sandbox, tmp_path):
    sandbox.fault("status", status=500, times=1, after_accepting=True, ad_account_id=B)
    sandbox.fault("status", status=403, ad_account_id=B)

    ran = run([*of(A, 1), *of(B, 2), *of(B, 2, first=3)], sandbox, batch_size=2, rejects_path=str(tmp_path / "r"))

    assert counts(ran, "events_held") == {B: 2}
    assert counts(ran, "events_refused") == {B: 2}
    assert "2 events with unknown outcome are held" in ran.said


def test_each_account_has_its_own_pace(sandbox):
    sandbox.settings(calls_per_window=1_000)
    paced = PinterestConnection(access_token=sandbox.token, host=sandbox.url, calls_per_minute=2)

    ran = run([*of(A, 2), *of(B, 2), *of(C, 2)], sandbox, batch_size=1, call={"connection": paced})

    assert ran["seconds"] < 10
    assert copies(sandbox) == {A: 2, B: 2, C: 2}


def test_a_thousand_accounts(sandbox, state):
    source = many(1_000, each=2)

    ran = run(source, sandbox, call={"state": state})

    assert ran["events_processed"] == sandbox.totals().accepted == 2_000
    assert ran["calls"] == len(sandbox.calls()) == 1_000
    assert (ran["accounts_read"], len(ran["accounts"])) == (1_000, 30)
    assert ran["other_accounts"]["events_processed"] == 2 * 970
    assert ran.log.count("events_processed 2") == 1_000
    assert len(json.dumps(state.get(KEY))) < 65_535


def test_a_run_that_was_stopped_in_the_middle_continues_with_all_counts(sandbox, state):
    source = [*of(A, 6), *of(B, 6), *of(C, 6)]
    sandbox.fault("status", status=401, after=4)
    stopped = run(source, sandbox, batch_size=2, call={"state": state}, max_in_flight=2)
    sandbox.clear_faults()

    ran = run(source, sandbox, batch_size=2, call={"state": state})

    assert isinstance(stopped.error, CredentialError)
    assert 0 < sum(counts(stopped, "events_processed").values()) < 18
    assert copies(sandbox) == {A: 6, B: 6, C: 6}
    assert counts(ran, "events_processed") == {A: 6, B: 6, C: 6}


def test_rows_whose_account_changed_between_two_attempts_are_changed_rows(sandbox, state):
    sandbox.fault("status", status=401, after=2)
    run([*of(A, 4), *of(B, 4)], sandbox, batch_size=2, call={"state": state}, max_in_flight=1)
    sandbox.clear_faults()

    ran = run([*of(C, 4), *of(B, 4)], sandbox, batch_size=2, call={"state": state})

    assert "The rows of the source changed since the previous attempt" in ran.log
    assert counts(ran, "events_processed") == {C: 4, B: 4}


def test_another_column_is_a_changed_parameter(sandbox, state):
    source = [one | {"shop": C} for one in of(A, 2)]
    sandbox.fault("status", status=401, after=1)
    run(source, sandbox, batch_size=1, call={"state": state}, max_in_flight=1, field_map={"shop": None})
    sandbox.clear_faults()

    ran = run(
        source,
        sandbox,
        batch_size=1,
        call={"state": state},
        ad_account_id_column="shop",
        field_map={"shop": None, "account": None},
    )

    assert "changed since the previous attempt" in ran.log
    assert counts(ran, "events_processed") == {C: 2}


def test_other_processes_send_to_the_same_accounts(sandbox):
    run([*of(A, 3), *of(B, 3)], sandbox, processes=1)

    assert copies(sandbox) == {A: 3, B: 3, C: 0}


class KilledError(BaseException):
    """The process is dead."""


class MortalStore:
    """A state store at whose writes the process dies.

    :param writes: writes that succeed.
    :param stored: whether the last write arrives, too.
    """

    def __init__(self, inner: FileStateStore, writes: int, *, stored: bool) -> None:
        self._inner = inner
        self._writes = writes
        self._stored = stored

    def get(self, key: str, default: Any = None) -> Any:
        return self._inner.get(key, default)

    def set(self, key: str, value: Any) -> None:
        self._writes -= 1
        if self._writes >= 0 or self._stored:
            self._inner.set(key, value)
        if self._writes < 0:
            raise KilledError


def mixed() -> list[dict[str, Any]]:
    """Return rows of three accounts: valid, invalid, repeated, and without an account."""
    return [
        *(*of(A, 5), *of(A, 1, first=6, email=None), *of(A, 1), *of(B, 7), *of(None, 1)),
        *(*of(C, 3), *of("shop", 1), *of(B, 4, first=8), *of(A, 3, first=10)),
    ]


EXPECTED = {A: 8, B: 11, C: 3}


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("writes", range(9))
def test_a_process_that_dies_at_any_checkpoint_loses_nothing_and_counts_right(sandbox, state, writes, stored):
    options = {"batch_size": 2, "max_in_flight": 2, "max_rejected": 3}
    with contextlib.suppress(KilledError):
        run(mixed(), sandbox, call={"state": MortalStore(state, writes, stored=stored)}, **options)

    ran = run(mixed(), sandbox, call={"state": state}, **options)

    assert ran.error is None
    arrived = {account: sandbox.copies(ad_account_id=account) for account in EXPECTED}
    assert {account: len(events) for account, events in arrived.items()} == EXPECTED
    assert all(copies <= 2 for events in arrived.values() for copies in events.values())
    sent = {account: row["events_processed"] + row["already_sent"] for account, row in ran["accounts"].items()}
    assert sent == {**EXPECTED, "none": 0}
    assert counts(ran, "rows_rejected") == {A: 1, "none": 2}
    assert counts(ran, "duplicates_dropped") == {A: 1}


PROGRAM = """
import json, sys
from airflow_provider_pinterest.sync import *
url, state, rows = sys.argv[1:]
sync(
    IterableSource(json.load(open(rows))),
    SyncOptions(ad_account_id_column="account", batch_size=2, max_in_flight=2),
    connection=PinterestConnection(access_token="pina_sandbox", host=url),
    state=FileStateStore(state),
)
"""


@pytest.mark.parametrize("after", [2, 14, 40])
def test_a_killed_process_is_continued_and_each_account_gets_all_its_events(sandbox, tmp_path, after):
    source = [*of(A, 20), *of(B, 20), *of(C, 20)]
    (tmp_path / "rows.json").write_text(json.dumps(source))
    sandbox.fault("delay", seconds=0.05)
    process = subprocess.Popen(command(PROGRAM, sandbox.url, str(tmp_path / "state.json"), str(tmp_path / "rows.json")))
    try:
        deadline = time.monotonic() + 60
        while sandbox.totals().accepted < after and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    before = sandbox.totals().accepted
    sandbox.clear_faults()

    ran = run(source, sandbox, batch_size=2, max_in_flight=2, call={"state": FileStateStore(tmp_path / "state.json")})

    assert after <= before < 60
    assert "Resuming" in ran.log
    arrived = {account: sandbox.copies(ad_account_id=account) for account in (A, B, C)}
    assert all(len(events) == 20 for events in arrived.values())
    assert sum(sum(events.values()) for events in arrived.values()) <= 60 + 2 * 2 * 2
    assert counts(ran, "events_processed") == {A: 20, B: 20, C: 20}
