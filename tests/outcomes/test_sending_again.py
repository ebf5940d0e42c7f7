"""Of the rows of a source, only those are sent again that the outcome table has in one state."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from airflow_provider_pinterest.exceptions import ParameterError, ResultError
from airflow_provider_pinterest.outcomes.records import timestamp
from airflow_provider_pinterest.sync import AttemptInfo, FileStateStore, OutcomeTable, SyncOptions
from tests.outcomes.reading import statuses, table
from tests.outcomes.test_ledger import claim, events
from tests.running import ids, row, rows
from tests.sync.plain import run


@pytest.fixture(params=["sqlite3", "psycopg2", "pymysql", "duckdb"])
def database(request, tmp_path):
    """Make connections to an empty database of each kind."""
    from tests.outcomes.conftest import connections

    return connections(request, request.param, tmp_path)


def send(connect, name, some, sandbox, *, state=None, attempt=None, **options):
    call = {"outcomes": OutcomeTable(connect, name), "state": state, "attempt": attempt}
    return run(some, sandbox, call=call, **{"max_rejected": 1.0, **options})


def offline(count, **changes):
    return rows(count, action_source="offline", **changes)


def with_bad_currency(some, *numbers):
    return [{**one, "currency": "XX" if n in numbers else "EUR"} for n, one in enumerate(some, 1)]


def numbers(ran):
    return tuple(ran["selection"][name] for name in ("found", "processed", "still_refused", "gone"))


def test_only_rejected_rows_that_were_corrected_are_sent(database, sandbox):
    send(database, "monday", with_bad_currency(offline(10), 2, 5, 7, 9), sandbox)
    assert statuses(database) == {"processed": 6, "rejected": 4}
    source = [one for one in with_bad_currency(offline(12), 7) if one["event_id"] != "order-9"]
    ran = send(database, "tuesday", source, sandbox, only="rejected")

    assert ran.error is None, ran.said
    assert numbers(ran) == (3, 2, 1, 1)
    assert (ran["rows_excluded"], ran["reasons"]) == (8, {"not_selected": 8, "bad_currency": 1})
    assert "only='rejected': 3 found again, 2 processed, 1 still refused, 1 not in this source" in ran.log
    assert "not selected by only, or excluded by your rules" in ran.log
    assert sandbox.copies() == {one: 1 for one in ids(10) if one not in ("order-7", "order-9")}
    assert statuses(database) == {"processed": 8, "rejected": 2}
    assert ran["coverage"]["event_name"] == 1.0


def test_only_failed_events_are_sent(database, sandbox):
    sandbox.fault("fail_event", event_id="order-2")
    sandbox.fault("fail_event", event_id="order-3")
    send(database, "monday", with_bad_currency(offline(5), 5), sandbox)
    assert statuses(database) == {"processed": 2, "failed": 2, "rejected": 1}
    sandbox.clear_faults()
    sandbox.fault("fail_event", event_id="order-3")
    ran = send(database, "tuesday", with_bad_currency(offline(6)), sandbox, only="failed")

    assert numbers(ran) == (2, 1, 1, 0)
    assert sandbox.copies() == {"order-1": 1, "order-2": 1, "order-4": 1}
    assert statuses(database) == {"processed": 3, "failed": 1, "rejected": 1}


def hold(database, sandbox, some, **more):
    sandbox.fault("drop", times=1, after_accepting=True)
    return send(database, "monday", some, sandbox, batch_size=2, max_in_flight=1, **more)


def test_only_held_events_are_sent_once_more(database, sandbox):
    hold(database, sandbox, with_bad_currency(offline(5), 5))
    assert statuses(database) == {"held": 2, "processed": 2, "rejected": 1}
    ran = send(database, "tuesday", with_bad_currency(offline(6)), sandbox, only="held")

    assert ran.error is None, ran.said
    assert numbers(ran) == (2, 2, 0, 0)
    assert "may have arrived before" in ran.log
    assert sandbox.copies() == {"order-1": 2, "order-2": 2, "order-3": 1, "order-4": 1}
    assert statuses(database) == {"processed": 4, "rejected": 1}


class TestEventsOfARunThatDied:
    """It claimed them and recorded no outcome: nobody knows whether they were sent."""

    def test_they_are_sent_with_the_held_ones(self, database, sandbox):
        abandoned(database, sandbox, offline(3), seconds=700)
        ran = send(database, "tuesday", offline(4), sandbox, only="held")

        assert ran.error is None, ran.said
        assert "3 events were claimed by runs that ended without recording an outcome" in ran.log
        assert numbers(ran) == (3, 3, 0, 0)
        assert sandbox.copies() == ids(3)
        assert statuses(database) == {"processed": 3}

    def test_those_that_are_gone_from_the_source_are_counted(self, database, sandbox):
        abandoned(database, sandbox, offline(3), seconds=700)
        ran = send(database, "tuesday", offline(1), sandbox, only="held")

        assert numbers(ran) == (1, 1, 0, 2)
        assert statuses(database) == {"processed": 1, "held": 2}
        assert {one["reasons"] for one in table(database)} == {None, "outcome_unknown"}

    def test_a_run_that_may_still_send_them_is_left_alone(self, database, sandbox):
        abandoned(database, sandbox, offline(3), seconds=500)
        ran = send(database, "tuesday", offline(4), sandbox, only="held")

        assert "3 other events are not sent again, because a run claimed them" in ran.log
        assert numbers(ran) == (0, 0, 0, 0)
        assert sandbox.copies() == {}
        assert statuses(database) == {"sending": 3}

    def test_other_accounts_and_the_other_mode_are_left_alone(self, database, sandbox):
        abandoned(database, sandbox, offline(2), seconds=700, account="1")
        send(database, "tuesday", offline(1), sandbox, only="held")
        send(database, "tuesday", offline(1), sandbox, only="held", test=True)

        assert statuses(database) == {"sending": 2}

    def test_a_retry_of_the_run_that_died_does_not_send_them_again(self, database, sandbox, tmp_path):
        store = partial(FileStateStore, tmp_path / "state.json")
        again = partial(send, database, "tuesday", offline(2), sandbox, only="held", max_in_flight=1, batch_size=1)
        hold(database, sandbox, offline(2))
        sandbox.fault("status", status=401)
        first = again(state=store(), attempt=AttemptInfo(number=1, identity={"run": "tuesday"}))
        assert first.error is not None
        sandbox.clear_faults()
        copies = sandbox.copies()
        opened = OutcomeTable(database, "tuesday").open(test=False)
        opened.decide(0.0, resends_held=True)
        assert opened.claim(sandbox.ad_account_id, events(offline(2))) == {}
        opened.close()
        ran = again(state=store(), attempt=AttemptInfo(number=2, identity={"run": "tuesday"}))

        assert numbers(ran) == (2, 0, 2, 0)
        assert sandbox.copies() == copies


def abandoned(connect, sandbox, some, *, seconds, account=None):
    """Claim events as a run does that is killed right afterwards, some time ago."""
    claim(connect, sandbox, some, "monday", account=account)
    with closing(connect()) as connection:
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"UPDATE pinterest_outcomes SET written_at = '{timestamp(time.time() - seconds)}'")  # noqa: S608
        connection.commit()


@pytest.mark.parametrize("only", ["failed", "rejected"])
def test_what_is_held_or_processed_is_not_sent_with_another_state(database, sandbox, only):
    hold(database, sandbox, offline(4))
    ran = send(database, "tuesday", offline(6), sandbox, only=only, on_unknown_outcome="resend")

    assert numbers(ran) == (0, 0, 0, 0)
    assert (ran["rows_excluded"], ran["calls"]) == (6, 0)
    assert sandbox.copies() == ids(4)


def test_events_that_are_held_again_are_not_sent_by_a_retry(database, sandbox, tmp_path):
    hold(database, sandbox, offline(4))
    store = partial(FileStateStore, tmp_path / "state.json")
    identity = {"run": "tuesday"}
    again = partial(send, database, "tuesday", offline(4), sandbox, only="held", batch_size=1, max_in_flight=1)
    sandbox.fault("drop", times=1, after_accepting=True)
    sandbox.fault("status", status=401)
    first = again(state=store(), attempt=AttemptInfo(number=1, identity=identity))
    assert first.error is not None
    assert "looks the rows up in the outcome table again" in first.said
    sandbox.clear_faults()
    ran = again(state=store(), attempt=AttemptInfo(number=2, identity=identity))

    assert isinstance(ran.error, ResultError)
    assert numbers(ran) == (2, 1, 1, 0)
    assert sandbox.copies() == {"order-1": 2, "order-2": 2, "order-3": 1, "order-4": 1}
    assert statuses(database) == {"held": 1, "processed": 3}
    assert "once more, because of only='held'" in ran.said
    cleared = again(state=store(), attempt=AttemptInfo(number=3, identity={"run": "tuesday, cleared"}))
    assert numbers(cleared) == (1, 1, 0, 0)
    assert sandbox.copies() == {"order-1": 3, "order-2": 2, "order-3": 1, "order-4": 1}


def test_held_events_that_were_certainly_not_sent_are_sent_by_a_retry(database, sandbox, tmp_path):
    hold(database, sandbox, offline(2))
    store = partial(FileStateStore, tmp_path / "state.json")
    again = partial(send, database, "tuesday", offline(2), sandbox, only="held")
    sandbox.fault("status", status=401)
    assert again(state=store()).error is not None
    assert statuses(database) == {"held": 2}
    sandbox.clear_faults()
    ran = again(state=store())

    assert numbers(ran) == (2, 2, 0, 0)
    assert sandbox.copies() == {"order-1": 2, "order-2": 2}


@pytest.mark.parametrize("only", ["rejected", "failed"])
def test_a_retry_counts_what_the_first_attempt_sent(database, sandbox, tmp_path, only):
    """The run has the name of the earlier run, as after Clear with the parameter."""
    store = partial(FileStateStore, tmp_path / "state.json")
    if only == "failed":
        for number in range(21, 31):
            sandbox.fault("fail_event", event_id=f"order-{number}")
        send(database, "monday", with_bad_currency(offline(40)), sandbox, state=store())
        sandbox.clear_faults()
    else:
        send(database, "monday", with_bad_currency(offline(40), *range(21, 31)), sandbox, state=store())
    assert statuses(database) == {"processed": 30, only: 10}
    again = partial(send, database, "monday", offline(41), sandbox, only=only, batch_size=3, max_in_flight=1)
    sandbox.fault("status", status=401, after=2)
    assert again(state=store(), attempt=AttemptInfo(number=2, identity={"cleared": 1})).error is not None
    assert statuses(database) == {"processed": 36, only: 4}
    sandbox.clear_faults()
    ran = again(state=store(), attempt=AttemptInfo(number=3, identity={"cleared": 1}))

    assert ran.error is None, ran.said
    assert numbers(ran) == (10, 10, 0, 0)
    assert (ran["rows_excluded"], ran["already_sent"]) == (31, 0)
    assert sandbox.copies() == ids(40)
    cleared = again(state=store(), attempt=AttemptInfo(number=4, identity={"cleared": 2}))
    assert numbers(cleared) == (0, 0, 0, 0)
    assert sandbox.copies() == ids(40)


def without_id(number, **changes):
    return row(number, action_source="offline", order_no=f"no-{number}", event_id=None, **changes)


def with_id(number, **changes):
    return row(number, action_source="offline", order_no=f"no-{number}", **changes)


KEYS = {"key_columns": ["order_no"], "field_map": {"order_no": None}}


class TestRowsWithoutAnId:
    def test_they_are_found_by_key_columns(self, database, sandbox):
        send(database, "sunday", [without_id(2)], sandbox, **KEYS)
        send(database, "monday", [with_id(1), without_id(2), without_id(3), without_id(4)], sandbox, **KEYS)
        assert statuses(database) == {"processed": 1, "rejected": 4}
        source = [with_id(9), with_id(1), with_id(2), without_id(3)]
        ran = send(database, "tuesday", source, sandbox, only="rejected", **KEYS)

        assert numbers(ran) == (2, 1, 1, 1)
        assert sandbox.copies() == {"order-1": 1, "order-2": 1}
        left = [(one["run"], one["key_columns"]) for one in table(database) if one["status"] == "rejected"]
        assert left == [("monday", '{"order_no":"no-4"}'), ("tuesday", '{"order_no":"no-3"}')]

    def test_the_same_run_may_be_cleared(self, database, sandbox):
        send(database, "monday", [without_id(n) for n in range(1, 6)], sandbox, **KEYS)
        source = [without_id(9), without_id(1), *(with_id(n) for n in range(2, 6))]
        ran = send(database, "monday", source, sandbox, only="rejected", **KEYS)

        assert numbers(ran) == (5, 4, 1, 0)
        assert statuses(database) == {"processed": 4, "rejected": 1}

    @pytest.mark.parametrize("loaded", [0, 2, 100])
    def test_many_are_looked_up_one_by_one(self, database, sandbox, monkeypatch, loaded):
        monkeypatch.setattr("airflow_provider_pinterest.outcomes.table.LOADED", loaded)
        send(database, "monday", [without_id(n) for n in range(1, 6)], sandbox, **KEYS)
        ran = send(database, "tuesday", [with_id(n) for n in range(4, 10)], sandbox, only="rejected", **KEYS)

        assert numbers(ran) == (2, 2, 0, 3)
        assert statuses(database) == {"processed": 2, "rejected": 3}

    def test_the_log_says_that_key_columns_are_needed(self, database, sandbox):
        send(database, "monday", [with_id(1), without_id(2)], sandbox, field_map={"order_no": None})
        source = [with_id(1), with_id(2)]
        ran = send(database, "tuesday", source, sandbox, only="rejected", field_map={"order_no": None})

        assert numbers(ran) == (0, 0, 0, 1)
        assert "1 rows are rejected in the outcome table without" in ran.log
        assert sandbox.copies() == {"order-1": 1}

    def test_key_columns_that_several_rows_have_select_none_of_them(self, database, sandbox):
        options = {"key_columns": ["shop"], "field_map": {"shop": None}}
        shop = [row(n, action_source="offline", shop="berlin") for n in (1, 2, 3)]
        send(database, "monday", [{**shop[0], "event_id": None}], sandbox, **options)
        ran = send(database, "tuesday", shop, sandbox, only="rejected", **options)

        assert numbers(ran) == (0, 0, 0, 1)
        assert "3 rows have the same key_columns as another row" in ran.log
        assert sandbox.copies() == {}

    def test_one_that_another_run_has_sent_is_not_rejected_for_ever(self, database, sandbox):
        send(database, "monday", [without_id(1)], sandbox, **KEYS)
        send(database, "tuesday", [with_id(1)], sandbox, **KEYS)
        assert statuses(database) == {"processed": 1, "rejected": 1}
        ran = send(database, "wednesday", [with_id(1)], sandbox, only="rejected", **KEYS)

        assert (ran["already_sent"], numbers(ran)) == (1, (1, 0, 0, 0))
        assert sandbox.copies() == {"order-1": 1}
        assert statuses(database) == {"processed": 1}


def test_several_ad_accounts_add_up(sqlite, sandbox):
    options: dict[str, Any] = {"ad_account_id_column": "account"}
    good = [{**one, "account": sandbox.ad_account_id} for one in offline(6)]
    send(sqlite, "monday", [*good[:4], *({**one, "account": "none"} for one in good[4:])], sandbox, **options)
    options |= {"key_columns": ["event_id"]}
    ran = send(sqlite, "tuesday", with_bad_currency(good), sandbox, only="rejected", **options)
    assert (ran["rows_excluded"], ran["accounts"][sandbox.ad_account_id]["rows_excluded"]) == (6, 6)


def test_test_mode_has_states_of_its_own(sqlite, sandbox):
    send(sqlite, "monday", with_bad_currency(offline(3), 2), sandbox, test=True)
    assert numbers(send(sqlite, "tuesday", offline(3), sandbox, only="rejected")) == (0, 0, 0, 0)
    ran = send(sqlite, "wednesday", offline(3), sandbox, only="rejected", test=True)
    assert numbers(ran) == (1, 1, 0, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": "processed"}, "only must be 'rejected', 'failed', 'held' or None, got 'processed'"),
        ({"only": "held", "send_everything_again": True}, "only and send_everything_again=True contradict"),
        ({"only": "failed", "validate_only": True}, "only cannot be combined with validate_only=True"),
    ],
)
def test_parameters_that_contradict(options, message):
    with pytest.raises(ParameterError, match=message):
        SyncOptions(**options)


def test_without_a_table_nothing_is_sent(sandbox):
    ran = run(offline(1), sandbox, only="failed")
    assert isinstance(ran.error, ParameterError)
    assert "only needs an outcome table" in ran.said
    assert sandbox.copies() == {}
