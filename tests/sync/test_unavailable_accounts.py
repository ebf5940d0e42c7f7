"""Pinterest is unavailable for one of several ad accounts: what fails alone, and what a later attempt sends."""

from __future__ import annotations

import datetime as dt
import json
import signal
import subprocess
import time
from typing import Any

import pytest

from airflow_provider_pinterest.delivery.checkpoint import DEDUPLICATION_WINDOW, KEY
from airflow_provider_pinterest.exceptions import CredentialError, ResultError, UnavailableError
from airflow_provider_pinterest.sandbox import Sandbox
from airflow_provider_pinterest.sandbox.tokens import Token
from airflow_provider_pinterest.sync import AttemptInfo, FileStateStore
from tests.sync.plain import ObservedRun, command
from tests.sync.test_accounts import calls, counts, of, run

ACCOUNTS = [str(549755885100 + number) for number in range(11)]
BAD = ACCOUNTS[4]
WAIT = dt.timedelta(seconds=1.2)
LONG = {"Retry-After": "60"}


@pytest.fixture
def state(tmp_path):
    return FileStateStore(tmp_path / "state.json")


def source(each: int = 2, accounts: list[str] = ACCOUNTS, **changes: Any) -> list[dict[str, Any]]:
    return [one for number, account in enumerate(accounts) for one in of(account, each, 1 + number * each, **changes)]


def send(rows: Any, sandbox: Sandbox, state: Any, **options: Any) -> ObservedRun:
    info = AttemptInfo(number=options.pop("number", 1), identity={"try": options.pop("identity", 1)})
    return run(rows, sandbox, call={"state": state, "attempt": info}, **{"max_wait": WAIT, "batch_size": 2, **options})


def away(sandbox: Sandbox, account: str = BAD, status: int = 503, **options: Any) -> None:
    sandbox.fault("status", status=status, ad_account_id=account, **{"headers": LONG, **options})


def arrived(sandbox: Sandbox, accounts: list[str] = ACCOUNTS) -> dict[str, int]:
    """Return the events of each account; each must have arrived once."""
    found = {account: sandbox.copies(ad_account_id=account) for account in accounts}
    assert all(count == 1 for events in found.values() for count in events.values())
    return {account: len(events) for account, events in found.items() if events}


def all_but(*accounts: str, each: int = 2) -> dict[str, int]:
    return {account: each for account in ACCOUNTS if account not in accounts}


def reasons(folder: Any) -> dict[str, set[str]]:
    """Return the reasons of each account in the rejects."""
    lines = [json.loads(line) for file in folder.iterdir() for line in file.read_text().splitlines()]
    found: dict[str, set[str]] = {}
    for one in lines:
        found.setdefault(one["ad_account_id"], set()).add(one["reasons"][0]["code"])
    return found


@pytest.mark.parametrize("status", [429, 503, 425])
@pytest.mark.parametrize("max_in_flight", [1, 2, 8])
@pytest.mark.parametrize("bad", [0, 4])
def test_an_account_that_stays_unavailable_fails_alone(sandbox, state, tmp_path, status, max_in_flight, bad):
    away(sandbox, ACCOUNTS[bad], status)

    ran = send(source(4), sandbox, state, max_in_flight=max_in_flight, rejects_path=str(tmp_path / "r"))

    assert isinstance(ran.error, UnavailableError)
    assert arrived(sandbox) == all_but(ACCOUNTS[bad], each=4)
    assert calls(sandbox, ACCOUNTS[bad]) == 1
    assert f"Pinterest stayed unavailable for 1 ad account: {ACCOUNTS[bad]} (4 events)." in ran.said
    assert "sends only the 4 that failed" in ran.said
    assert ran.error.retry_after == 60
    assert counts(ran, "events_failed") == counts(ran, "events_unavailable") == {ACCOUNTS[bad]: 4}
    assert (ran["accounts_unavailable"], ran["accounts_refused"]) == (1, 0)
    assert next(iter(ran["accounts"])) == ACCOUNTS[bad]
    assert ran["reasons"] == {"account_unavailable": 4}
    assert reasons(tmp_path / "r") == {ACCOUNTS[bad]: {"account_unavailable"}}
    assert f"The call was for ad account {ACCOUNTS[bad]}. No more events are sent to this account" in ran.log


def test_it_is_called_until_max_wait_and_then_no_more(sandbox, state):
    away(sandbox, headers={"Retry-After": "1"})

    send(source(20), sandbox, state, max_in_flight=3)

    assert arrived(sandbox) == all_but(BAD, each=20)
    assert calls(sandbox, BAD) == 2


def test_the_last_account_fails_alone(sandbox, state):
    away(sandbox, ACCOUNTS[-1])

    ran = send(source(), sandbox, state, max_in_flight=1)

    assert isinstance(ran.error, UnavailableError)
    assert arrived(sandbox) == all_but(ACCOUNTS[-1])
    assert counts(ran, "events_unavailable") == {ACCOUNTS[-1]: 2}


def test_several_accounts_that_stay_unavailable_fail_alone(sandbox, state):
    for account in ACCOUNTS[2:4]:
        away(sandbox, account)

    ran = send(source(), sandbox, state)

    assert arrived(sandbox) == all_but(*ACCOUNTS[2:4])
    assert "Pinterest stayed unavailable for 2 ad accounts" in ran.said


@pytest.mark.parametrize("max_in_flight", [1, 2, 8])
def test_a_large_account_that_fills_all_calls_in_flight_fails_alone(sandbox, state, max_in_flight):
    away(sandbox)
    rows = [*of(ACCOUNTS[0], 2), *of(BAD, 100, 3), *of(ACCOUNTS[1], 2, 103)]

    ran = send(rows, sandbox, state, max_in_flight=max_in_flight)

    assert arrived(sandbox) == {ACCOUNTS[0]: 2, ACCOUNTS[1]: 2}
    assert counts(ran, "events_unavailable") == {BAD: 100}
    assert calls(sandbox, BAD) == 1


def test_an_account_that_becomes_unavailable_later_fails_alone(sandbox, state):
    away(sandbox, after=3)

    ran = send(source(20), sandbox, state, max_in_flight=1)

    assert arrived(sandbox) == {**all_but(each=20), BAD: 6}
    assert counts(ran, "events_unavailable") == {BAD: 14}


def test_accounts_that_are_refused_are_named_beside_those_that_are_unavailable(sandbox, state):
    away(sandbox)
    sandbox.add_token(Token(sandbox.token, ad_account_ids=frozenset(ACCOUNTS[1:])))

    ran = send(source(), sandbox, state)

    assert isinstance(ran.error, UnavailableError)
    assert f"Pinterest refuses 1 ad account: {ACCOUNTS[0]} (2 events)." in ran.said
    assert f"Pinterest stayed unavailable for 1 ad account: {BAD} (2 events)." in ran.said


@pytest.mark.parametrize("max_in_flight", [2, 8])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_if_pinterest_is_unavailable_for_all_accounts_the_run_ends_after_a_few_calls(
    sandbox, state, status, max_in_flight
):
    sandbox.fault("status", status=status, headers=LONG)

    ran = send(source(), sandbox, state, max_in_flight=max_in_flight)

    assert isinstance(ran.error, UnavailableError)
    assert len(sandbox.calls()) <= 3
    assert (ran["rows_not_sent"], ran["events_failed"]) == (ran["rows_read"], 0)
    assert "continues at row 1" in ran.said

    sandbox.clear_faults()
    assert send(source(), sandbox, state, number=2).error is None
    assert arrived(sandbox) == all_but()


def test_an_outage_in_the_middle_of_a_run_ends_it_and_a_retry_sends_the_rest(sandbox, state):
    sandbox.fault("status", status=503, after=5, headers=LONG)

    ran = send(source(), sandbox, state, max_in_flight=3)

    assert isinstance(ran.error, UnavailableError)
    assert ran["events_failed"] == 0
    assert len(sandbox.calls()) <= 5 + 3 + 2

    sandbox.clear_faults()
    assert send(source(), sandbox, state, number=2).error is None
    assert arrived(sandbox) == all_but()


def test_an_account_that_comes_back_in_time_is_sent(sandbox, state):
    away(sandbox, times=1, headers={"Retry-After": "1"})

    ran = send(source(), sandbox, state)

    assert ran.error is None
    assert arrived(sandbox) == all_but()


@pytest.mark.parametrize(("number", "identity"), [(2, 1), (2, 2)], ids=["retry", "cleared"])
def test_a_later_attempt_sends_exactly_what_is_missing(sandbox, state, tmp_path, number, identity):
    away(sandbox)
    send(source(), sandbox, state, rejects_path=str(tmp_path / "r"))
    sandbox.clear_faults()
    before = len(sandbox.calls())

    ran = send(source(), sandbox, state, number=number, identity=identity, rejects_path=str(tmp_path / "r"))

    assert ran.error is None
    assert arrived(sandbox) == all_but()
    assert len(sandbox.calls()) == before + 1
    if identity == 1:
        assert counts(ran, "events_processed") == all_but()
    else:
        assert counts(ran, "already_sent") == all_but(BAD)
        assert counts(ran, "events_processed") == {BAD: 2}
    assert (ran["events_failed"], ran["accounts_unavailable"]) == (0, 0)
    assert reasons(tmp_path / "r") == {}


def test_retries_try_the_account_again_and_send_nothing_else(sandbox, state):
    away(sandbox)
    send(source(), sandbox, state)

    for number in (2, 3):
        ran = send(source(), sandbox, state, number=number)
        assert isinstance(ran.error, UnavailableError)
        assert f"Pinterest stayed unavailable for 1 ad account: {BAD} (2 events)." in ran.said
        assert counts(ran, "events_unavailable") == {BAD: 2}
        assert calls(sandbox, BAD) == number
        assert (ran["events_processed"], ran["already_sent"]) == (20, 0)
    sandbox.clear_faults()

    assert send(source(), sandbox, state, number=4).error is None
    assert arrived(sandbox) == all_but()


def test_a_retry_of_a_run_that_sends_everything_again_sends_only_what_is_missing(sandbox, state):
    options = {"send_everything_again": True}
    away(sandbox)
    send(source(), sandbox, state, **options)
    sandbox.clear_faults()

    assert send(source(), sandbox, state, number=2, **options).error is None
    assert arrived(sandbox) == all_but()
    assert send(source(), sandbox, state, number=3, **options).error is None
    assert arrived(sandbox) == all_but()


def test_a_retry_that_is_stopped_and_tried_again_sends_each_event_to_its_account(sandbox, state):
    """The batches of the earlier attempt begin with rows of other accounts, whose events were accepted."""
    away(sandbox)
    send(source(), sandbox, state)
    sandbox.clear_faults()
    sandbox.fault("status", status=401)
    assert isinstance(send(source(), sandbox, state, number=2).error, CredentialError)
    sandbox.clear_faults()

    ran = send(source(), sandbox, state, number=3)

    assert ran.error is None
    assert arrived(sandbox) == all_but()
    assert counts(ran, "events_processed") == all_but()
    assert counts(ran, "rows_not_sent") == {}


def test_the_state_of_the_error_continues_without_a_store(sandbox):
    away(sandbox)
    ran = send(source(), sandbox, None)
    assert isinstance(ran.error, UnavailableError)
    sandbox.clear_faults()

    info = AttemptInfo(number=1, identity={"try": 1}, carried=json.loads(json.dumps(ran.error.state)))
    assert run(source(), sandbox, call={"attempt": info}).error is None
    assert arrived(sandbox) == all_but()


@pytest.mark.parametrize("kind", ["status", "drop"])
@pytest.mark.parametrize("accepted", [False, True])
def test_web_events_that_may_have_arrived_fail_and_are_sent_again_in_time(sandbox, state, tmp_path, kind, accepted):
    options = {"status": 500, "headers": LONG} if kind == "status" else {}
    sandbox.fault(kind, ad_account_id=BAD, after_accepting=accepted, **options)
    ran = send(source(4), sandbox, state, rejects_path=str(tmp_path / "r"))
    assert isinstance(ran.error, UnavailableError)
    assert counts(ran, "events_unavailable") == {BAD: 4}
    assert reasons(tmp_path / "r") == {BAD: {"account_unavailable", "account_unanswered"}}
    assert ran["reasons"] == {"account_unavailable": 2, "account_unanswered": 2}
    sandbox.clear_faults()

    assert send(source(4), sandbox, state, number=2).error is None
    assert all(len(sandbox.copies(ad_account_id=account)) == 4 for account in ACCOUNTS)


def test_web_events_that_may_have_arrived_are_held_when_pinterest_has_forgotten_them(sandbox, state):
    rows = source(event_time=int(time.time() - DEDUPLICATION_WINDOW - 60))
    away(sandbox, status=500, after_accepting=True)
    send(rows, sandbox, state)
    sandbox.clear_faults()
    stored = state.get(KEY)
    state.set(KEY, {**stored, "clock": stored["clock"] - DEDUPLICATION_WINDOW})

    ran = send(rows, sandbox, state, number=2)

    assert counts(ran, "events_held") == {BAD: 2}
    assert arrived(sandbox) == all_but()


def test_offline_events_that_may_have_arrived_are_held_and_never_sent_twice(sandbox, state):
    offline = {"action_source": "offline"}
    rows = [*source(accounts=ACCOUNTS[:3]), *of(BAD, 2, 100), *of(BAD, 2, 102, **offline), *of(ACCOUNTS[9], 2, 104)]
    away(sandbox, status=500, after_accepting=True, headers={"Retry-After": "1"})

    first = send(rows, sandbox, state, batch_size=10)
    sandbox.clear_faults()
    second = send(rows, sandbox, state, batch_size=10, number=2)

    assert counts(first, "events_held") == counts(second, "events_held") == {BAD: 2}
    assert counts(first, "events_unavailable") == {BAD: 2}
    assert isinstance(first.error, UnavailableError)
    assert isinstance(second.error, ResultError)
    copies = sandbox.copies(ad_account_id=BAD)
    assert {event_id: count for event_id, count in copies.items() if event_id in ("order-102", "order-103")} == {
        "order-102": 1,
        "order-103": 1,
    }


PROGRAM = """
import datetime, json, signal, sys
from airflow_provider_pinterest.sync import *
url, state, rows = sys.argv[1:]
stop = StopSignal()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
sync(
    IterableSource(json.load(open(rows))),
    SyncOptions(ad_account_id_column="account", batch_size=2, max_in_flight=3),
    connection=PinterestConnection(access_token="pina_sandbox", host=url),
    state=FileStateStore(state),
    stop=stop,
)
"""


def test_a_run_that_is_stopped_while_it_waits_for_an_account_is_continued(sandbox, tmp_path):
    (tmp_path / "rows.json").write_text(json.dumps(source()))
    away(sandbox, headers={"Retry-After": "100"})
    process = subprocess.Popen(command(PROGRAM, sandbox.url, str(tmp_path / "state.json"), str(tmp_path / "rows.json")))
    try:
        deadline = time.monotonic() + 60
        while sandbox.totals().accepted < 12 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) != 0
    finally:
        process.kill()
        process.wait()

    ran = send(source(), sandbox, FileStateStore(tmp_path / "state.json"), number=2)
    assert counts(ran, "events_unavailable") == {BAD: 2}
    assert arrived(sandbox) == all_but(BAD)
    sandbox.clear_faults()
    assert send(source(), sandbox, FileStateStore(tmp_path / "state.json"), number=3).error is None
    assert arrived(sandbox) == all_but()
