"""The ledger: events that any earlier run sent are not sent again, whatever happens between."""

from __future__ import annotations

import datetime as dt
import random
import threading
import time
from contextlib import closing
from functools import partial
from typing import Any

import orjson
import pytest

from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.transform import Transform
from airflow_provider_pinterest.delivery.checkpoint import KEY
from airflow_provider_pinterest.delivery.outcome_log import of_processed
from airflow_provider_pinterest.exceptions import ParameterError, ResendRefusedError, UnavailableError
from airflow_provider_pinterest.outcomes.records import timestamp
from airflow_provider_pinterest.outcomes.table import OpenOutcomeTable
from airflow_provider_pinterest.sync import AttemptInfo, FileStateStore, IterableSource, OutcomeTable, SyncOptions, sync
from tests.outcomes.reading import statuses, table
from tests.running import ids, rows
from tests.sync.plain import connection, run


def send(connect, name, some, sandbox, *, state=None, attempt=None, **options):
    call = {"outcomes": OutcomeTable(connect, name), "state": state, "attempt": attempt}
    return run(some, sandbox, call=call, **{"skip_already_sent": True, **options})


def offline(count):
    return rows(count, action_source="offline")


def test_overlapping_runs_send_each_event_once(connect, sandbox):
    send(connect, "monday", offline(600)[:400], sandbox, batch_size=100)
    ran = send(connect, "tuesday", offline(600)[200:], sandbox, batch_size=100)
    again = send(connect, "wednesday", offline(600), sandbox, batch_size=100)

    assert (ran["already_sent"], ran["events_processed"]) == (200, 200)
    assert (again["already_sent"], again["events_processed"], again["calls"]) == (600, 0, 0)
    assert "Pinterest accepted 600 events of these rows in earlier runs" in again.log
    assert sandbox.copies() == ids(600)
    assert statuses(connect) == {"processed": 600}


def test_an_empty_table_is_said_because_every_event_is_sent(connect, sandbox):
    first = send(connect, "monday", offline(2), sandbox)
    second = send(connect, "tuesday", offline(2), sandbox)
    with closing(connect()) as database:
        database.cursor().execute("DELETE FROM pinterest_outcomes")
        database.commit()
    lost = send(connect, "wednesday", offline(2), sandbox)

    said = "The outcome table is empty, so no event counts as sent before."
    assert [said in ran.log for ran in (first, second, lost)] == [True, False, True]
    assert "empty" not in send(connect, "thursday", offline(2), sandbox, skip_already_sent=False).log


def test_batches_are_full_although_events_are_skipped(sqlite, sandbox):
    send(sqlite, "monday", offline(1_000)[::2], sandbox)
    ran = send(sqlite, "tuesday", offline(1_000), sandbox, batch_size=100)

    assert (ran["already_sent"], ran["events_processed"], ran["calls"]) == (500, 500, 5)


def test_the_counts_of_a_run_that_is_resumed_after_skipping(sqlite, sandbox, tmp_path):
    store = partial(FileStateStore, tmp_path / "state.json")
    send(sqlite, "monday", offline(300)[:100], sandbox)
    sandbox.fault("status", status=401, after=1)
    first = send(sqlite, "tuesday", offline(300), sandbox, state=store(), batch_size=50, max_in_flight=1)
    sandbox.clear_faults()
    ran = send(sqlite, "tuesday", offline(300), sandbox, state=store(), batch_size=50, max_in_flight=1)

    assert first.error is not None
    assert (ran["already_sent"], ran["events_processed"], ran["rows_read"]) == (100, 200, 300)
    assert sandbox.copies() == ids(300)
    assert statuses(sqlite) == {"processed": 300}


def test_an_offline_event_with_unknown_outcome_is_held_although_its_row_is_a_web_event_now(connect, sandbox):
    sandbox.fault("drop", times=1, after_accepting=True)
    send(connect, "monday", offline(1), sandbox)
    later = [send(connect, name, rows(1), sandbox) for name in ("tuesday", "wednesday")]

    assert [ran["events_held"] for ran in later] == [1, 1]
    assert sandbox.copies() == ids(1)
    assert statuses(connect) == {"held": 1}
    assert table(connect)[0]["action_source"] == "offline"


def test_other_rows_are_no_reason_to_refuse(sqlite, sandbox, tmp_path):
    """Without the ledger, a second attempt with other rows is refused for offline events."""
    store = partial(FileStateStore, tmp_path / "state.json")
    send(sqlite, "monday", offline(50), sandbox, state=store(), attempt=AttemptInfo(number=1, identity={"n": 1}))
    changed = offline(60)[10:]
    ran = send(sqlite, "monday", changed, sandbox, state=store(), attempt=AttemptInfo(number=2, identity={"n": 2}))

    assert ran.error is None, ran.said
    assert (ran["already_sent"], ran["events_processed"]) == (40, 10)
    assert sandbox.copies() == ids(60)


def test_a_later_attempt_that_remembers_nothing_is_no_reason_to_refuse(sqlite, sandbox):
    send(sqlite, "monday", offline(50), sandbox, attempt=AttemptInfo(number=1))
    ran = send(sqlite, "monday", offline(60), sandbox, attempt=AttemptInfo(number=2))

    assert ran.error is None, ran.said
    assert (ran["already_sent"], ran["events_processed"]) == (50, 10)
    assert sandbox.copies() == ids(60)


@pytest.mark.parametrize("killed", [False, True])
def test_a_state_that_cannot_be_read_is_no_reason_to_refuse(sqlite, sandbox, tmp_path, killed):
    path = tmp_path / "state.json"
    send(sqlite, "monday", offline(50), sandbox, state=FileStateStore(path), attempt=AttemptInfo(number=1))
    if killed:
        claim(sqlite, sandbox, offline(55)[50:], "monday")
    path.write_bytes(orjson.dumps({"revision": "1", "values": {KEY: {"version": 99}}}))
    second = AttemptInfo(number=2)
    ran = send(sqlite, "monday", offline(60), sandbox, state=FileStateStore(path), attempt=second)

    assert "cannot be read" in ran.log
    assert not isinstance(ran.error, ResendRefusedError)
    assert (ran["already_sent"], ran["events_processed"], ran["events_held"]) == (50, 5, 5) if killed else (50, 10, 0)
    assert max(sandbox.copies().values()) == 1


def test_an_earlier_attempt_without_the_ledger_is_refused_as_before(sqlite, sandbox, tmp_path):
    store = partial(FileStateStore, tmp_path / "state.json")
    send(sqlite, "monday", offline(50), sandbox, state=store(), skip_already_sent=False)
    ran = send(sqlite, "monday", offline(60)[10:], sandbox, state=store())

    assert isinstance(ran.error, ResendRefusedError)
    assert sandbox.copies() == ids(50)


def test_an_unfinished_run_with_the_ledger_is_not_continued_without_it(sqlite, sandbox, tmp_path):
    store = partial(FileStateStore, tmp_path / "state.json")
    sandbox.fault("status", status=401, after=1)
    send(sqlite, "monday", offline(50), sandbox, state=store(), batch_size=20, max_in_flight=1)
    sandbox.clear_faults()
    ran = send(sqlite, "monday", offline(50), sandbox, state=store(), skip_already_sent=False)

    assert isinstance(ran.error, ResendRefusedError)
    assert "The ledger (skip_already_sent or the outcome table) changed" in ran.said
    assert sandbox.copies() == ids(20)


def test_a_failed_event_is_sent_again(connect, sandbox):
    sandbox.fault("fail_event", event_id="order-2")
    send(connect, "monday", offline(3), sandbox, max_rejected=1.0)
    assert statuses(connect) == {"processed": 2, "failed": 1}
    sandbox.clear_faults()
    ran = send(connect, "tuesday", offline(3), sandbox)

    assert (ran["already_sent"], ran["events_processed"]) == (2, 1)
    assert sandbox.copies() == ids(3)
    assert statuses(connect) == {"processed": 3}
    assert [one["reasons"] for one in table(connect)] == [None, None, None]


def test_an_event_with_unknown_outcome_is_held_and_names_the_run(connect, sandbox, tmp_path):
    sandbox.fault("drop", times=1, after_accepting=True)
    send(connect, "monday", offline(2), sandbox, rejects_path=str(tmp_path / "monday"))
    assert statuses(connect) == {"held": 2}
    ran = send(connect, "tuesday", offline(3), sandbox, rejects_path=str(tmp_path / "tuesday"))

    assert (ran["events_held"], ran["events_processed"]) == (2, 1)
    assert sandbox.copies() == ids(3)
    written = "".join(path.read_text() for path in (tmp_path / "tuesday").glob("*.ndjson"))
    assert written.count("run monday sent it") == 2
    assert written.count('"code":"outcome_unknown"') == 2
    ran = send(connect, "wednesday", offline(3), sandbox, on_unknown_outcome="resend")
    assert (ran["events_processed"], ran["already_sent"]) == (2, 1)
    assert statuses(connect) == {"processed": 3}


def test_a_deduplicable_event_with_unknown_outcome_is_sent_within_a_day(sqlite, sandbox):
    claim(sqlite, sandbox, rows(2), "monday")
    ran = send(sqlite, "tuesday", rows(2), sandbox)
    assert ran["events_processed"] == 2

    claim(sqlite, sandbox, rows(4)[2:], "monday")
    age(sqlite, hours=30)
    ran = send(sqlite, "tuesday", rows(4), sandbox)
    assert (ran["events_held"], ran["already_sent"]) == (2, 2)
    assert sandbox.copies() == ids(2)


def test_a_claim_of_a_killed_attempt_of_this_run_is_held(sqlite, sandbox):
    claim(sqlite, sandbox, offline(2), "monday")
    ran = send(sqlite, "monday", offline(3), sandbox)

    assert (ran["events_held"], ran["events_processed"]) == (2, 1)
    assert sandbox.copies() == {"order-3": 1}


def test_another_run_that_settles_its_claims_is_waited_for(shared, sandbox):
    opened = claim(shared, sandbox, offline(2), "monday", keep=True)

    def settle():
        for outcome in of_processed(sandbox.ad_account_id, events(offline(1))):
            opened.add(outcome)
        opened.flush()

    timer = threading.Timer(1.0, settle)
    timer.start()
    ran = send(shared, "tuesday", offline(2), sandbox)
    timer.join()
    opened.close()

    assert (ran["already_sent"], ran["events_held"]) == (1, 1)
    assert sandbox.copies() == {}


def test_events_that_need_not_wait_for_another_run_are_sent_and_recorded_first(shared, sandbox):
    """Otherwise a third run would wait for a run that only waits itself, and so on."""
    opened = claim(shared, sandbox, offline(1), "monday", keep=True)
    seen: list[str] = []

    def settle():
        deadline = time.monotonic() + 6
        while not seen and time.monotonic() < deadline:
            seen.extend(one["event_id"] for one in table(shared) if one["status"] == "processed")
            time.sleep(0.05)
        for outcome in of_processed(sandbox.ad_account_id, events(offline(1))):
            opened.add(outcome)
        opened.flush()

    thread = threading.Thread(target=settle)
    thread.start()
    ran = send(shared, "tuesday", offline(3), sandbox)
    thread.join()
    opened.close()

    assert sorted(seen) == ["order-2", "order-3"]
    assert (ran["events_processed"], ran["already_sent"], ran["events_held"]) == (2, 1, 0)
    assert sandbox.copies() == {"order-2": 1, "order-3": 1}


def test_runs_that_read_the_same_events_in_other_orders_hold_none(shared, sandbox):
    results: list[dict[str, Any]] = []

    def one(number):
        some = offline(120)
        random.Random(number).shuffle(some)  # noqa: S311
        options = SyncOptions(skip_already_sent=True, batch_size=20)
        outcomes = OutcomeTable(shared, f"run {number}")
        results.append(sync(IterableSource(some), options, connection=connection(sandbox), outcomes=outcomes))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [one["events_held"] for one in results] == [0] * 4
    assert sum(one["events_processed"] for one in results) == 120
    assert sandbox.copies() == ids(120)


def test_what_was_certainly_not_accepted_is_not_claimed_any_more(connect, sandbox):
    sandbox.fault("status", status=503)
    ran = send(connect, "monday", offline(5), sandbox, max_wait=dt.timedelta(0))
    sandbox.clear_faults()

    assert isinstance(ran.error, UnavailableError)
    assert table(connect) == []
    ran = send(connect, "tuesday", offline(5), sandbox)
    assert ran["events_processed"] == 5


def test_a_status_before_the_claim_comes_back(connect, sandbox):
    sandbox.fault("fail_event", event_id="order-2")
    send(connect, "monday", offline(3), sandbox, max_rejected=1.0)
    sandbox.clear_faults()
    sandbox.fault("status", status=503)
    send(connect, "tuesday", offline(3), sandbox, max_wait=dt.timedelta(0))

    assert statuses(connect) == {"processed": 2, "failed": 1}


def test_a_rejected_row_does_not_hide_a_claim(sqlite, sandbox):
    claim(sqlite, sandbox, offline(1), "monday")
    send(sqlite, "tuesday", [offline(1)[0] | {"email": "no address"}], sandbox, max_rejected=1.0)

    assert statuses(sqlite) == {"sending": 1}


def test_test_mode_asks_no_ledger(sqlite, sandbox):
    send(sqlite, "monday", offline(2), sandbox)
    ran = send(sqlite, "tuesday", offline(2), sandbox, test=True)

    assert (ran["events_processed"], ran["already_sent"]) == (2, 0)


def test_everything_again_asks_no_ledger(sqlite, sandbox):
    send(sqlite, "monday", offline(2), sandbox)
    ran = send(sqlite, "tuesday", offline(2), sandbox, send_everything_again=True)

    assert (ran["events_processed"], ran["already_sent"]) == (2, 0)
    assert sandbox.copies() == {"order-1": 2, "order-2": 2}


def test_accounts_are_told_apart(sqlite, sandbox):
    with closing(sqlite()) as connection:
        claim(sqlite, sandbox, offline(1), "monday", account="123")
        connection.execute("UPDATE pinterest_outcomes SET status = 'processed'")
        connection.commit()
    ran = send(sqlite, "tuesday", offline(1), sandbox)

    assert ran["events_processed"] == 1


def test_without_a_table_the_option_is_refused(sandbox):
    ran = run(rows(1), sandbox, skip_already_sent=True)

    assert isinstance(ran.error, ParameterError)
    assert "skip_already_sent=True needs an outcome table" in ran.said


def events(some):
    """Return the events that rows become."""
    mapping = ColumnMapping()
    transform = Transform(mapping, now=dt.datetime.now(dt.UTC).timestamp())
    with closing(IterableSource(some).open().row_batches()) as row_batches:
        return list(transform.events(row_batches))


def claim(connect, sandbox, some, name, *, account=None, keep=False):
    """Claim events as a run does that is killed right afterwards."""
    opened = OutcomeTable(connect, name).open(test=False)
    assert opened.claim(account or sandbox.ad_account_id, events(some)) == {}
    if not keep:
        opened.close()
    return opened


def age(connect, *, hours):
    """Make what stands in the table so many hours older."""
    moment = timestamp((dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours)).timestamp())
    with closing(connect()) as connection:
        connection.execute("UPDATE pinterest_outcomes SET written_at = ? WHERE status = 'sending'", [moment])
        connection.commit()


@pytest.mark.parametrize("looked_up", [True, False], ids=["found when read", "found when claimed"])
def test_several_accounts_are_counted_apart(sqlite, sandbox, monkeypatch, looked_up):
    """An event that another run sends after it was read is found only when it is claimed."""
    if not looked_up:
        monkeypatch.setattr(OpenOutcomeTable, "processed", lambda *_: {})
    accounts = [sandbox.ad_account_id, "549755885176"]
    some = [one | {"account": accounts[number % 2]} for number, one in enumerate(offline(40))]
    some.sort(key=lambda one: one["account"])
    send(sqlite, "monday", some[5:25], sandbox, ad_account_id_column="account")
    ran = send(sqlite, "tuesday", some, sandbox, ad_account_id_column="account")

    assert ran.error is None, ran.said
    assert (ran["already_sent"], ran["events_processed"], ran["rows_not_sent"]) == (20, 20, 0)
    counts = ran["accounts"]
    assert {name: (one["already_sent"], one["events_processed"]) for name, one in counts.items()} == {
        accounts[0]: (15, 5),
        accounts[1]: (5, 15),
    }
    assert set(sandbox.copies().values()) == {1}
