"""Runs one after the other: what the next call sends, what is said, and who is told."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from typing import Any

import pytest

from airflow_provider_pinterest.exceptions import (
    CredentialError,
    MappingError,
    ParameterError,
    ResendRefusedError,
    ResultError,
    SourceError,
    StoppedError,
    UnavailableError,
)
from airflow_provider_pinterest.sync import (
    AttemptInfo,
    Database,
    FileStateStore,
    IterableSource,
    PinterestConnection,
    SqlSource,
    StopSignal,
    SyncOptions,
    sync,
)
from tests.running import ids, impersonal, row, rows
from tests.sync.plain import connection, orchestrator_words, run

NO_WAIT = dt.timedelta(0)


@pytest.fixture
def state(tmp_path):
    return FileStateStore(tmp_path / "state.json")


def test_without_a_state_store_the_next_call_sends_everything_again(sandbox):
    for _ in range(2):
        assert run(rows(3), sandbox)["events_processed"] == 3

    assert sandbox.copies() == {f"order-{number}": 2 for number in (1, 2, 3)}


def test_a_call_after_the_end_sends_nothing_again(sandbox, state):
    run(rows(5), sandbox, call={"state": state})
    ran = run(rows(5), sandbox, call={"state": state})

    assert (ran["already_sent"], ran["events_processed"]) == (5, 0)
    assert "in an attempt that ended on" in ran.log
    assert sandbox.copies() == ids(5)


def test_a_call_after_the_end_sends_what_was_not_accepted(sandbox, state):
    sandbox.fault("fail_event", event_id="order-2")
    first = run(rows(5), sandbox, call={"state": state})
    sandbox.clear_faults()
    second = run(rows(5), sandbox, call={"state": state})

    assert isinstance(first.error, ResultError)
    assert "The next attempt sends only the 1 that failed" in first.said
    assert (second["already_sent"], second["events_processed"]) == (4, 1)
    assert sandbox.copies() == ids(5)


def test_rows_that_were_added_are_sent_and_the_others_are_not(sandbox, state):
    run(rows(5), sandbox, call={"state": state})
    ran = run(rows(7), sandbox, call={"state": state})

    assert (ran["already_sent"], ran["events_processed"]) == (5, 2)
    assert sandbox.copies() == ids(7)


def test_rows_that_have_changed_are_all_sent_again_where_pinterest_recognises_them(sandbox, state):
    run(rows(3), sandbox, call={"state": state})
    ran = run([row(2), row(1), row(3)], sandbox, call={"state": state})

    assert ran["events_processed"] == 3
    assert "The rows of the source changed since the previous attempt" in ran.log
    assert sandbox.copies() == {f"order-{number}": 2 for number in (1, 2, 3)}


def test_offline_rows_that_have_changed_are_refused(sandbox, state):
    run(rows(3, action_source="offline"), sandbox, call={"state": state})
    ran = run(rows(3, action_source="offline")[::-1], sandbox, call={"state": state})

    assert isinstance(ran.error, ResendRefusedError)
    assert sandbox.copies() == ids(3)


def test_options_that_decide_what_rows_become_may_not_change(sandbox, state):
    offline = rows(3, action_source="offline")
    run(offline, sandbox, call={"state": state})
    ran = run(offline, sandbox, call={"state": state}, defaults={"custom_data.currency": "EUR"})

    assert isinstance(ran.error, ResendRefusedError)
    assert "The parameter defaults changed" in ran.said


@pytest.mark.parametrize("number", [None, 2])
def test_without_a_state_store_what_is_said_of_the_next_attempt_comes_true(sandbox, number):
    offline = rows(3, action_source="offline")
    sandbox.fault("fail_event", event_id="order-2")
    call = {"attempt": AttemptInfo(number=number and 1)}
    first = run(offline, sandbox, call=call)
    sandbox.clear_faults()
    second = run(offline, sandbox, call={"attempt": AttemptInfo(number=number)})

    if number is None:
        assert "sends every row again, because there is no state store" in first.said
        assert "counted twice" in first.said
        assert second["events_processed"] == 3
    else:
        assert "The next attempt is refused" in first.said
        assert isinstance(second.error, ResendRefusedError)


def test_an_attempt_that_ends_early_without_a_state_store_says_what_the_next_one_sends(sandbox):
    sandbox.fault("status", status=503, after=1)
    ran = run(rows(3, action_source="offline"), sandbox, batch_size=1, max_in_flight=1, max_wait=NO_WAIT)

    assert isinstance(ran.error, UnavailableError)
    assert "sends every row again, because there is no state store" in ran.said


def test_a_failed_attempt_is_continued(sandbox, state):
    sandbox.fault("status", status=503, after=2)
    first = run(rows(50), sandbox, call={"state": state}, batch_size=10, max_in_flight=1, max_wait=NO_WAIT)
    sandbox.clear_faults()
    second = run(rows(50), sandbox, call={"state": state}, batch_size=10)

    assert isinstance(first.error, UnavailableError)
    assert "The next attempt continues at row 21 and sends nothing twice." in first.said
    assert second["resumed_from"] == 20
    assert sandbox.copies() == ids(50)


@pytest.mark.parametrize("action_source", ["web", "offline"])
def test_a_stopped_run_is_continued_and_nothing_is_lost(sandbox, state, action_source):
    sandbox.fault("delay", seconds=0.05)
    stop = StopSignal()

    class Source(IterableSource):
        """Sets the stop while the rows are read."""

        def row_batches(self):
            for number, batch in enumerate(super().row_batches()):
                if number == 1:
                    threading.Timer(0.3, stop.set).start()
                yield batch

    found = rows(4_000, action_source=action_source)
    first = run(Source(found), sandbox, call={"state": state, "stop": stop}, batch_size=50, max_in_flight=2)
    sandbox.clear_faults()
    second = run(found, sandbox, call={"state": state}, batch_size=50, max_in_flight=2)

    assert isinstance(first.error, StoppedError)
    assert first.said.startswith("The run was told to stop.")
    assert first["rows_not_sent"] > 0
    assert len(sandbox.copies()) + second["events_held"] >= 4_000
    if action_source == "offline":
        assert not sandbox.copies(duplicates_only=True)
        assert second["events_held"] <= 100


def test_a_run_that_is_stopped_before_it_begins_reads_nothing(sandbox):
    stop = StopSignal()
    stop.set()
    ran = run(rows(3), sandbox, call={"stop": stop})

    assert isinstance(ran.error, StoppedError)
    assert ran.told == []
    assert sandbox.calls() == []


def test_nothing_is_needed_to_validate():
    ran = run(rows(3), None, validate_only=True)

    assert (ran["validated_only"], ran["ad_account_id"]) == (3, "")
    assert "One event as it would be sent" in ran.log


def test_validating_leaves_no_state(sandbox, state, tmp_path):
    run(rows(3), sandbox, call={"state": state}, validate_only=True)
    run(rows(3), sandbox, call={"state": state}, test=True)

    assert not (tmp_path / "state.json").exists()


class TestObserver:
    def test_it_is_told_the_result_once(self, sandbox):
        ran = run(rows(3), sandbox)

        assert [(result["events_processed"], error) for result, error in ran.told] == [(3, None)]

    def test_it_is_told_the_result_of_an_attempt_that_fails(self, sandbox):
        sandbox.fault("status", status=401)
        ran = run(rows(3), sandbox)

        assert isinstance(ran.error, CredentialError)
        [(result, error)] = ran.told
        assert (result["rows_read"], result["rows_not_sent"], error) == (3, 3, ran.error)

    def test_it_is_told_once_where_the_rows_have_changed(self, sandbox, state):
        run(rows(3), sandbox, call={"state": state})
        ran = run(rows(3)[::-1], sandbox, call={"state": state})

        assert len(ran.told) == 1

    def test_it_is_told_of_an_error_that_is_not_ours(self, sandbox):
        class Broken(IterableSource):
            def row_batches(self):
                yield from super().row_batches()
                raise OSError("disk full")

        told = []

        class Observer:
            def ended(self, result, error):
                told.append((result["rows_not_sent"], type(error)))

        observer: Any = Observer()
        with pytest.raises(OSError, match="disk full"):
            sync(Broken(rows(3)), connection=connection(sandbox), observer=observer)

        assert told == [(3, OSError)]


class TestParameters:
    def test_every_problem_of_options_is_in_one_error(self):
        with pytest.raises(ParameterError) as caught:
            SyncOptions(batch_size=0, timezone="Moon", max_rejected=2.0, on_unknown_outcome="hold")

        for name in ("batch_size", "timezone", "max_rejected", "on_unknown_outcome"):
            assert name in str(caught.value)
        assert orchestrator_words(str(caught.value)) == []

    def test_every_argument_of_a_wrong_type_is_named(self):
        with pytest.raises(ParameterError) as caught:
            sync([{"email": "ada1@example.com"}], {"test": True}, connection="pina_secret", state="x")  # type: ignore[arg-type]

        for words in ("IterableSource(rows)", "options must be", "connection must be", "state must be"):
            assert words in str(caught.value)
        assert impersonal(str(caught.value))

    @pytest.mark.parametrize("name", ["test", "validate_only", "exclude_bots", "send_everything_again"])
    def test_a_switch_that_is_the_text_false_is_off(self, name):
        options: dict[str, Any] = {name: "False"}

        assert getattr(SyncOptions(**options), name) is False

    def test_every_problem_of_options_and_connection_is_in_one_error(self, sandbox):
        ran = run(
            rows(1),
            None,
            call={"connection": PinterestConnection(access_token="", host="http://example.com", calls_per_minute=0)},
            field_map={"mail": "no_such_field"},
            exclude_networks=["nowhere"],
        )

        assert isinstance(ran.error, ParameterError)
        for words in ("no_such_field", "nowhere", "ad_account_id", "access token", "https", "calls_per_minute"):
            assert words in ran.said
        assert ran.told == []

    def test_the_url_of_an_object_store_is_not_taken_for_a_local_folder(self, sandbox, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        ran = run([row(1, event_name="")], sandbox, rejects_path="s3://bucket/rejects")

        assert isinstance(ran.error, ParameterError)
        assert "rejects_path must be a local path, or a path object" in ran.said
        assert list(tmp_path.iterdir()) == []

    def test_a_path_object_is_used_as_it_is(self, sandbox, tmp_path):
        ran = run([row(1, event_name="")], sandbox, rejects_path=tmp_path / "rejects", max_rejected=1)

        assert ran["rejects_path"] == str(tmp_path / "rejects")
        assert len(list((tmp_path / "rejects").glob("*.ndjson"))) == 1

    def test_a_connection_is_needed_to_send(self):
        ran = run(rows(1), None)

        assert "connection is needed" in ran.said

    def test_a_column_that_fits_no_field_is_named(self, sandbox):
        assert isinstance(run([row(1, e_mial="x")], sandbox).error, MappingError)
        assert sandbox.calls() == []

    @pytest.mark.parametrize("rows", ["rows.csv", "{{ rows }}", {"a": 1}, {"data": []}, None, 5, iter([{}]), [1]])
    def test_what_is_no_source_is_refused_in_plain_words(self, rows):
        with pytest.raises(ParameterError) as caught:
            IterableSource(rows)

        assert orchestrator_words(str(caught.value)) == []

    def test_a_query_that_fails_says_so(self, sandbox):
        source = SqlSource(Database(lambda: sqlite3.connect(":memory:"), name="shop"), "SELECT * FROM orders")
        ran = run(source, sandbox)

        assert isinstance(ran.error, SourceError)
        assert "(shop)" in ran.said


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 407, 413, 422, 429, 500, 501, 503, 505, 511])
def test_whatever_pinterest_answers_is_told_in_plain_words(sandbox, status):
    sandbox.fault("status", status=status)
    ran = run(rows(2), sandbox, max_wait=NO_WAIT)

    assert ran.error is not None


@pytest.mark.parametrize("kind", ["drop", "reset", "malformed", "redirect"])
def test_whatever_goes_wrong_on_the_way_is_told_in_plain_words(sandbox, kind, tmp_path):
    sandbox.fault(kind)
    options: dict[str, Any] = {"on_unknown_outcome": "hold", "rejects_path": str(tmp_path), "max_wait": NO_WAIT}
    ran = run(rows(2), sandbox, **options)

    assert ran.error is not None


def test_a_host_that_nobody_answers_at_is_told_in_plain_words(sandbox):
    sandbox.stop()
    ran = run(rows(2), None, call={"connection": connection(sandbox)}, max_wait=NO_WAIT)

    assert isinstance(ran.error, UnavailableError)
