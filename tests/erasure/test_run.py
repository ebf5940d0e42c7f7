"""A run over real HTTP: who is in a request afterwards, who is not, and why."""

from __future__ import annotations

import datetime as dt
import json
import logging
import sqlite3
import threading
import time
from dataclasses import replace

import pytest

from airflow_provider_pinterest.delivery.stop import StopSignal
from airflow_provider_pinterest.erasure import DeletionOptions, created_requests
from airflow_provider_pinterest.erasure.requester import SAME_REFUSALS
from airflow_provider_pinterest.exceptions import (
    CredentialError,
    ParameterError,
    RefusedError,
    ResultError,
    SourceError,
    StoppedError,
    UnavailableError,
)
from airflow_provider_pinterest.sources.files import FileSource
from airflow_provider_pinterest.sources.sql import Database, SqlSource
from airflow_provider_pinterest.sync.attempt import AttemptInfo
from harness.task import MemoryStateStore


def people(count, start=1):
    return [f"ada{number}@example.com" for number in range(start, start + count)]


def rows(count, start=1):
    return [{"email": email} for email in people(count, start)]


def adds_up(result):
    became = ("duplicates_dropped", "requested", "already_requested", "cancelled", "refused", "outcome_unknown")
    return result["identifiers"] == sum(result[name] for name in (*became, "not_requested"))


class TestBatches:
    def test_everybody_is_in_one_request_and_the_result_counts_them(self, pinterest, attempt, asked):
        result = attempt(rows(5), batch_size=2)

        assert asked() == people(5)
        made = pinterest.deletion_requests()
        assert [len(one.user_emails) for one in made] == [2, 2, 1]
        del result["seconds"]
        assert result == {
            "ad_account_id": pinterest.ad_account_id,
            "rows_read": 5,
            "rows_rejected": 0,
            "reasons": {},
            "rejected_rows": [],
            "identifiers": 5,
            "duplicates_dropped": 0,
            "requested": 5,
            "already_requested": 0,
            "cancelled": 0,
            "refused": 0,
            "outcome_unknown": 0,
            "not_requested": 0,
            "request_ids": [one.request_id for one in made],
            "requests_created": 3,
            "requests_repeated": 0,
        }

    def test_addresses_are_sent_as_pinterest_needs_them(self, attempt, asked):
        attempt([{"email": one} for one in ("  Ada@Example.COM ", "Max <max@example.com>", "mailto:eve@example.com")])

        assert asked() == ["ada@example.com", "max@example.com", "eve@example.com"]

    def test_the_same_person_is_requested_once(self, attempt, asked):
        result = attempt([*rows(2), {"email": "ADA1@example.com"}, *rows(2)], batch_size=1)

        assert asked() == people(2)
        assert result["duplicates_dropped"] == 3
        assert adds_up(result)

    def test_click_ids_are_sent_in_requests_of_their_own(self, pinterest, attempt):
        table = [
            {"email": "ada@example.com", "epik": "dj0yJnU9-1"},
            {"email": None, "epik": " dj0yJnU9-2 "},
            {"email": "max@example.com", "epik": ""},
        ]
        result = attempt(table, click_id_column="epik")

        assert [(one.user_emails, one.epiks) for one in pinterest.deletion_requests()] == [
            (("ada@example.com", "max@example.com"), ()),
            ((), ("dj0yJnU9-1", "dj0yJnU9-2")),
        ]
        assert (result["rows_rejected"], result["identifiers"]) == (0, 4)

    def test_click_ids_alone(self, asked, attempt):
        attempt([{"epik": "dj0yJnU9-1"}], email_column=None, click_id_column="epik")

        assert asked() == ["dj0yJnU9-1"]

    def test_no_rows_are_no_request(self, pinterest, attempt):
        assert attempt([])["requests_created"] == 0
        assert pinterest.calls() == []

    def test_the_rows_of_a_query(self, tmp_path, attempt, asked):
        path = tmp_path / "shop.db"
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE people (EMAIL TEXT)")
            database.executemany("INSERT INTO people VALUES (?)", [(one,) for one in people(3)])
        database.close()
        source = SqlSource(Database(lambda: sqlite3.connect(path)), "SELECT EMAIL FROM people ORDER BY 1")

        assert attempt(source)["requested"] == 3
        assert asked() == people(3)
        with pytest.raises(ParameterError, match="no column 'address'"):
            attempt(source, email_column="address")


class TestRejectedRows:
    BAD = (
        None,
        "",
        "n/a",
        "ada",
        "ada@example",
        7,
        "f" * 64,
        "\ud800@example.com",
        "x" * 400 + "@example.com",
        object(),
    )

    def test_a_bad_cell_costs_its_row_only(self, attempt, asked):
        with pytest.raises(ResultError) as raised:
            attempt([*rows(1), *({"email": one} for one in self.BAD), *rows(1, 2)])

        assert asked() == people(2)
        result = attempt.result
        assert (result["rows_read"], result["rows_rejected"]) == (12, 10)
        assert result["rejected_rows"] == list(range(2, 12))
        assert result["reasons"] == {"bad_email": 6, "hashed_email": 1, "missing": 3}
        assert adds_up(result)
        assert "10 of 12 rows were rejected (bad_email 6, missing 3, hashed_email 1)" in str(raised.value)
        assert "2 of 2 valid addresses and click ids that were read are in deletion requests" in str(raised.value)

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("a.csv", "email\nada1@example.com\nx,y\nada2@example.com\n"),
            ("a.ndjson", '{"email": "ada1@example.com"}\nx\n{"email": "ada2@example.com"}\n'),
        ],
    )
    def test_so_does_a_row_of_a_file_that_cannot_be_read(self, attempt, asked, tmp_path, name, text):
        (tmp_path / name).write_text(text)
        attempt(FileSource(tmp_path / name), max_rejected=1)

        assert asked() == people(2)
        assert (attempt.result["reasons"], attempt.result["rejected_rows"]) == ({"bad_row": 1}, [2])

    @pytest.mark.parametrize("limit", [1, 0.5])
    def test_some_may_be_tolerated(self, attempt, limit):
        assert attempt([*rows(1), {"email": "x"}], max_rejected=limit)["rows_rejected"] == 1

    def test_a_cell_may_hold_several_addresses(self, attempt, asked):
        with pytest.raises(ResultError):
            attempt([{"email": ["ada@example.com", "x", "max@example.com"]}, {"email": '["eve@example.com"]'}])

        assert asked() == ["ada@example.com", "max@example.com", "eve@example.com"]
        assert attempt.result["rejected_rows"] == [1]

    def test_many_rejected_rows_are_counted_and_not_all_listed(self, attempt):
        with pytest.raises(ResultError):
            attempt([{"email": "x"}] * 1_000)

        assert (attempt.result["rows_rejected"], len(attempt.result["rejected_rows"])) == (1_000, 100)

    def test_a_source_that_breaks_off_keeps_what_was_requested(self, attempt, asked):
        class Broken:
            def __iter__(self):
                yield from rows(2)
                raise RuntimeError("after ada2@example.com")

        with pytest.raises(SourceError) as raised:
            attempt(Broken(), batch_size=1)

        assert asked() == people(2)
        assert "RuntimeError" in str(raised.value)
        assert "ada2" not in str(raised.value)


class TestRefusals:
    @pytest.mark.parametrize("kind", ["length", "bytes"])
    def test_a_request_that_is_too_large_is_split_and_the_size_remembered(self, pinterest, attempt, asked, kind):
        if kind == "length":
            pinterest.settings(max_deletion_targets=3)
        else:
            pinterest.settings(max_body_bytes=110)
        result = attempt(rows(24), batch_size=8)

        assert asked() == people(24)
        assert max(len(one.user_emails) for one in pinterest.deletion_requests()) <= 4
        assert len(pinterest.calls(status=400)) + len(pinterest.calls(status=413)) <= 4
        assert adds_up(result)

    def test_an_address_that_pinterest_refuses_is_found(self, pinterest, attempt, asked):
        pinterest.fault("status", status=400, times=4, on="deletion_create", body={"code": 1, "message": "no"})
        with pytest.raises(ResultError):
            attempt(rows(8))  # 8, 4, 2 and 1 are refused

        assert asked() == people(7, 2)
        assert attempt.result["refused"] == 1
        assert attempt.result["reasons"] == {"pinterest_refused": 1}
        assert attempt.result["rejected_rows"] == [1]
        assert adds_up(attempt.result)

    def test_a_refusal_of_everything_ends_the_run_early(self, pinterest, attempt):
        pinterest.fault("status", status=400, on="deletion_create", body={"code": 1, "message": "not for you"})
        with pytest.raises(RefusedError, match="not for you"):
            attempt(rows(1_000))

        assert attempt.result["refused"] == SAME_REFUSALS
        assert attempt.result["not_requested"] == 1_000 - SAME_REFUSALS
        assert len(pinterest.calls()) < 40

    def test_a_conversion_token_is_explained(self, pinterest, attempt, connection):
        attempt.connection = type(connection)(access_token=pinterest.token, host=pinterest.url, ad_account_id="1")
        with pytest.raises(CredentialError) as raised:
            attempt(rows(2_000))

        assert "403" in str(raised.value)
        assert "need an OAuth access token" in str(raised.value)
        assert "ads:write" in str(raised.value)
        assert len(pinterest.calls()) == 1

    @pytest.mark.parametrize(("status", "part"), [(401, "OAuth access token"), (404, "beta")])
    def test_a_refused_call_says_what_to_check(self, pinterest, attempt, status, part):
        pinterest.fault("status", status=status, on="deletion_create")
        with pytest.raises(CredentialError, match=part):
            attempt(rows(1))

        assert pinterest.deletion_requests() == []

    def test_a_busy_pinterest_is_waited_for(self, pinterest, attempt, asked):
        pinterest.fault("status", status=429, times=1, on="deletion_create", headers={"Retry-After": "0.1"})
        attempt(rows(1), max_wait=dt.timedelta(seconds=5))

        assert asked() == people(1)

    def test_a_pinterest_that_stays_busy_fails_the_run(self, pinterest, attempt):
        pinterest.fault("status", status=503, after=1, on="deletion_create", headers={"Retry-After": "60"})
        with pytest.raises(UnavailableError, match="cannot accept deletion requests now") as raised:
            attempt(rows(3), batch_size=1)

        assert raised.value.retry_after == 60
        assert attempt.result["requested"] == 1
        assert adds_up(attempt.result)

    @pytest.mark.parametrize(
        "cells", [["ada1@example.com", "ada2@example.com"], ["ada1@example.com", "x"], ["x", "ada1@example.com"]]
    )
    def test_a_row_with_several_problems_is_rejected_once(self, pinterest, attempt, cells):
        pinterest.fault("status", status=400, on="deletion_create", body={"code": 1, "message": "no"})
        with pytest.raises(ResultError, match="1 of 1 rows were rejected"):
            attempt([{"email": cells}])

        assert attempt.result["rejected_rows"] == [1]
        assert attempt.result["refused"] == sum("@" in cell for cell in cells)

    def test_the_answer_of_pinterest_is_logged_and_in_the_error(self, pinterest, attempt, caplog):
        body = {"code": 8, "message": "ada1@example.com: the address is blocked"}
        pinterest.fault("status", status=400, on="deletion_create", body=body)
        with pytest.raises(ResultError) as raised:
            attempt([{"email": "x"}, *rows(2)])

        assert (
            "Pinterest refused the e-mail address of row 2: HTTP 400, code 8, … the address is blocked" in caplog.text
        )
        assert "refused: HTTP 400, code 8, … the address is blocked" in str(raised.value)
        assert "opened deletion requests to your app" in str(raised.value)
        assert "No deletion request was created." in str(raised.value)
        assert attempt.result["rejected_rows"] == [1, 2, 3]

    def test_an_answer_that_repeats_a_click_id_is_not_shown(self, pinterest, attempt, caplog):
        pinterest.fault("status", status=400, on="deletion_create", body={"code": 8, "message": "dj0abc is not known"})
        with pytest.raises(ResultError, match="… is not known") as raised:
            attempt([{"epik": "dj0abc"}], email_column=None, click_id_column="epik")

        assert "dj0abc" not in caplog.text + str(raised.value)


class TestUnknownOutcomes:
    def test_a_lost_answer_is_followed_by_one_more_request(self, pinterest, attempt, asked, caplog):
        pinterest.fault("drop", times=1, on="deletion_create", after_accepting=True)
        result = attempt(rows(2))

        assert asked() == people(2) * 2
        assert (result["requests_created"], result["requests_repeated"], result["requested"]) == (1, 1, 2)
        assert "does no harm" in caplog.text

    def test_two_lost_answers_fail_the_run(self, pinterest, attempt, asked):
        pinterest.fault("drop", on="deletion_create", after_accepting=True)
        with pytest.raises(UnavailableError):
            attempt(rows(2))

        assert asked() == people(2) * 2
        assert attempt.result["outcome_unknown"] == 2
        assert adds_up(attempt.result)

    def test_only_requests_that_exist_count_as_created_by_earlier_attempts(self, pinterest, attempt, caplog):
        store = MemoryStateStore()
        pinterest.fault("drop", after=1, on="deletion_create", after_accepting=True)
        with pytest.raises(UnavailableError):
            attempt(rows(4), batch_size=2, state=store)
        pinterest.clear_faults()
        attempt(rows(4), batch_size=2, state=store)

        assert "Deletion requests that earlier attempts created: 1. They are not created again." in caplog.text

    def test_hold_leaves_it_at_one_and_fails_at_the_end(self, pinterest, attempt, asked):
        pinterest.fault("drop", times=1, on="deletion_create", after_accepting=True)
        with pytest.raises(ResultError, match="unknown whether Pinterest created the requests for 2 people"):
            attempt(rows(4), batch_size=2, on_unknown_outcome="hold")

        assert asked() == people(4)
        assert (attempt.result["outcome_unknown"], attempt.result["requested"]) == (2, 2)

    def test_an_answer_that_asks_to_wait_is_waited_for(self, pinterest, attempt):
        pinterest.fault("status", status=500, times=1, on="deletion_create", headers={"Retry-After": "0.3"})
        began = time.monotonic()
        attempt(rows(1), max_wait=dt.timedelta(seconds=5))

        assert time.monotonic() - began >= 0.3

    def test_a_longer_wait_than_allowed_ends_the_run(self, pinterest, attempt):
        pinterest.fault("status", status=500, on="deletion_create", headers={"Retry-After": "60"})
        with pytest.raises(UnavailableError, match="retry after 60 seconds"):
            attempt(rows(1), max_wait=dt.timedelta(seconds=5))

        assert len(pinterest.calls()) == 1
        assert attempt.result["outcome_unknown"] == 1

    @pytest.mark.parametrize("status", [401, 503])
    def test_a_repetition_that_is_not_processed_leaves_it_unknown(self, pinterest, attempt, status):
        store = MemoryStateStore()
        pinterest.fault("drop", times=1, on="deletion_create", after_accepting=True)
        pinterest.fault("status", status=status, on="deletion_create")
        with pytest.raises((CredentialError, UnavailableError)):
            attempt(rows(2), state=store)

        assert (attempt.result["outcome_unknown"], attempt.result["not_requested"]) == (2, 0)
        assert adds_up(attempt.result)
        pinterest.clear_faults()
        assert attempt(rows(2), state=store)["requests_repeated"] == 1

    def test_a_token_that_cannot_be_renewed_leaves_nothing_unknown(self, pinterest, attempt, asked):
        """Nothing was sent, so even ``hold`` sends it in the next attempt."""
        attempt.connection = replace(
            attempt.connection,
            app_id=pinterest.app_id,
            app_secret=pinterest.app_secret,
            refresh_token=pinterest.refresh_token,
        )
        store = MemoryStateStore()
        pinterest.expire_tokens()
        pinterest.fault("status", status=400, times=1, on="token")
        with pytest.raises(CredentialError):
            attempt(rows(1), state=store, on_unknown_outcome="hold")
        result = attempt(rows(1), state=store, on_unknown_outcome="hold")

        assert asked() == people(1)
        assert (result["requested"], result["requests_repeated"]) == (1, 0)

    @pytest.mark.parametrize("form", ["json", "html", "empty"])
    def test_an_unreadable_answer_is_no_success(self, pinterest, attempt, form):
        pinterest.fault("malformed", form=form, times=1, on="deletion_create")
        result = attempt(rows(1))

        assert (result["requests_created"], result["requests_repeated"]) == (1, 1)


class TestLaterAttempts:
    def test_requests_that_exist_are_not_created_again(self, pinterest, attempt, asked):
        store = MemoryStateStore()
        pinterest.fault("status", status=503, after=2, on="deletion_create")
        with pytest.raises(UnavailableError, match="does not create these requests again"):
            attempt(rows(6), batch_size=2, state=store)
        pinterest.clear_faults()
        result = attempt(rows(6), batch_size=2, state=store)

        assert asked() == people(6)
        assert (result["already_requested"], result["requested"]) == (4, 2)
        assert result["request_ids"] == [one.request_id for one in pinterest.deletion_requests()]
        assert attempt(rows(6), batch_size=2, state=store)["requests_created"] == 0
        assert adds_up(result)

    def test_without_a_store_they_are_and_the_error_says_so(self, pinterest, attempt, asked):
        pinterest.fault("status", status=503, after=1, on="deletion_create")
        with pytest.raises(UnavailableError, match="creates these requests again, which does no harm"):
            attempt(rows(2), batch_size=1)
        pinterest.clear_faults()
        attempt(rows(2), batch_size=1)

        assert asked() == [*people(1), *people(2)]

    def test_a_batch_with_other_people_is_requested(self, attempt, asked):
        store = MemoryStateStore()
        attempt(rows(4), batch_size=2, state=store)
        result = attempt([*rows(2), *rows(2, 11)], batch_size=2, state=store)

        assert asked() == [*people(4), *people(2, 11)]
        assert (result["already_requested"], result["requested"]) == (2, 2)

    def test_another_account_gets_requests_of_its_own(self, pinterest, attempt, asked):
        store = MemoryStateStore()
        attempt(rows(1), state=store)
        attempt(rows(1), state=store, ad_account_id="77")

        assert [one.ad_account_id for one in pinterest.deletion_requests()] == [pinterest.ad_account_id, "77"]

    def test_a_request_whose_outcome_is_unknown_is_sent_again_by_the_next_attempt(self, pinterest, attempt, asked):
        store = MemoryStateStore()
        pinterest.fault("drop", on="deletion_create", after_accepting=True)
        with pytest.raises(UnavailableError):
            attempt(rows(1), state=store)
        pinterest.clear_faults()
        result = attempt(rows(1), state=store)

        assert (result["requested"], result["requests_repeated"]) == (1, 1)
        assert attempt(rows(1), state=store)["already_requested"] == 1

    def test_hold_does_not_send_it_in_a_later_attempt(self, pinterest, attempt, asked):
        store = MemoryStateStore()
        pinterest.fault("drop", times=1, on="deletion_create", after_accepting=True)
        for _ in range(2):
            with pytest.raises(ResultError):
                attempt(rows(1), state=store, on_unknown_outcome="hold")

        assert asked() == people(1)

    def test_a_refused_request_is_tried_again(self, pinterest, attempt, asked):
        store = MemoryStateStore()
        pinterest.fault("status", status=401, times=1, on="deletion_create")
        with pytest.raises(CredentialError):
            attempt(rows(1), state=store)
        result = attempt(rows(1), state=store)

        assert asked() == people(1)
        assert result["requests_repeated"] == 0

    def test_a_cancelled_request_is_not_created_again_unless_that_is_wanted(self, pinterest, attempt, asked):
        store = MemoryStateStore()
        first = AttemptInfo(identity={"max_tries": 0})
        attempt(rows(1), state=store, attempt=first)
        self.cancel(pinterest)
        with pytest.raises(ResultError, match="cancelled"):
            attempt(rows(1), state=store, attempt=first)
        assert attempt.result["cancelled"] == 1
        cleared = AttemptInfo(identity={"max_tries": 1})
        assert attempt(rows(1), state=store, attempt=cleared, create_again=True)["requested"] == 1
        assert attempt(rows(1), state=store, attempt=cleared, create_again=True)["already_requested"] == 1

        assert asked() == people(1) * 2

    def test_create_again_without_an_orchestrator(self, attempt, asked):
        store = MemoryStateStore()
        attempt(rows(1), state=store)
        attempt(rows(1), state=store, create_again=True)

        assert asked() == people(1) * 2

    @staticmethod
    def cancel(pinterest):
        made = pinterest.deletion_requests()[0]
        pinterest._do(lambda: pinterest._pinterest.deletions.cancel(made))

    def test_a_request_that_is_gone_is_created_again(self, pinterest, attempt):
        store = MemoryStateStore()
        attempt(rows(1), state=store)
        pinterest.clear()

        assert attempt(rows(1), state=store)["requested"] == 1
        assert len(pinterest.deletion_requests()) == 1

    @pytest.mark.parametrize("status", [404, 503])
    def test_the_id_of_a_request_is_kept_if_it_cannot_be_replaced(self, pinterest, attempt, asked, status):
        store = MemoryStateStore()
        first = attempt(rows(1), state=store)
        pinterest.fault("status", status=404, on="deletion_get")
        pinterest.fault("status", status=status, on="deletion_create")
        with pytest.raises((CredentialError, UnavailableError)):
            attempt(rows(1), state=store)
        pinterest.clear_faults()
        again = attempt(rows(1), state=store)

        assert again["request_ids"] == first["request_ids"]
        assert asked() == people(1)

    def test_a_wrong_token_is_not_taken_for_one_that_may_not_read(self, pinterest, attempt):
        store = MemoryStateStore()
        attempt(rows(1), state=store)
        pinterest.fault("status", status=401, on="deletion_get")
        with pytest.raises(CredentialError, match="401"):
            attempt(rows(1), state=store)

    def test_a_token_that_may_not_read_is_no_obstacle(self, pinterest, attempt, caplog):
        store = MemoryStateStore()
        attempt(rows(2), batch_size=1, state=store)
        pinterest.fault("status", status=403, on="deletion_get")

        assert attempt(rows(2), batch_size=1, state=store)["already_requested"] == 2
        assert len(pinterest.calls(method="GET")) == 1
        assert "may not show deletion requests" in caplog.text

    @pytest.mark.parametrize("state", ["x", [], {"version": 2}, {"version": 1, "salt": 1, "requests": {}}])
    def test_a_state_that_cannot_be_read_is_replaced(self, attempt, asked, state, caplog):
        store = MemoryStateStore()
        store.set("pinterest_deletion_requests", state)

        assert attempt(rows(1), state=store)["requested"] == 1
        assert attempt(rows(1), state=store)["already_requested"] == 1
        assert "cannot be read" in caplog.text

    def test_the_state_of_many_requests_is_kept_in_several_values(self, attempt, asked, monkeypatch):
        assert created_requests.SEGMENT * 64 < 65_535, "Airflow warns of larger values, and MySQL does not store them"
        monkeypatch.setattr(created_requests, "SEGMENT", 2)
        store = MemoryStateStore()
        attempt(rows(5), batch_size=1, state=store)
        result = attempt(rows(6), batch_size=1, state=store)

        assert asked() == people(6)
        assert (result["already_requested"], result["requested"]) == (5, 1)
        assert sorted(map(len, map(json.loads, store.values.values()))) == [2, 2, 2, 4]

    def test_a_store_that_fails_ends_the_run_with_the_ids(self, attempt, asked):
        class Full(MemoryStateStore):
            def set(self, key, value, **options):
                if self.writes == 4:
                    raise OSError("no space left")
                super().set(key, value, **options)

        with pytest.raises(OSError, match="no space left"):
            attempt(rows(3), batch_size=1, state=Full())

        assert asked() == people(2)
        assert len(attempt.result["request_ids"]) == 2


class TestStop:
    def test_a_stop_before_the_start_makes_no_call(self, pinterest, attempt):
        stop = StopSignal()
        stop.set()
        with pytest.raises(StoppedError):
            attempt(rows(1), stop=stop)

        assert pinterest.calls() == []

    def test_a_stop_lets_the_call_in_flight_end(self, pinterest, attempt):
        stop = StopSignal()
        store = MemoryStateStore()
        pinterest.fault("delay", seconds=0.5, on="deletion_create")
        threading.Timer(0.2, stop.set).start()
        with pytest.raises(StoppedError):
            attempt(rows(5), batch_size=1, stop=stop, state=store)

        assert attempt.result["requested"] == len(pinterest.deletion_requests()) == 1
        pinterest.clear_faults()
        assert attempt(rows(5), batch_size=1, state=store)["already_requested"] == 1

    def test_a_call_without_an_answer_is_cut_off(self, pinterest, attempt):
        stop = StopSignal()
        pinterest.fault("stall", on="deletion_create")
        threading.Timer(0.2, stop.set).start()
        began = time.monotonic()
        with pytest.raises((StoppedError, UnavailableError)):
            attempt(rows(1), stop=stop)

        assert time.monotonic() - began < 5

    def test_a_wait_ends(self, pinterest, attempt):
        stop = StopSignal()
        pinterest.fault("status", status=503, on="deletion_create", headers={"Retry-After": "60"})
        threading.Timer(0.2, stop.set).start()
        began = time.monotonic()
        with pytest.raises(StoppedError):
            attempt(rows(1), stop=stop, max_wait=dt.timedelta(minutes=5))

        assert time.monotonic() - began < 3

    def test_a_source_without_an_end_is_left(self, attempt):
        stop = StopSignal()

        class Slow:
            def __iter__(self):
                while not stop.wait(0.05):
                    yield {"email": "ada@example.com"}

        threading.Timer(0.2, stop.set).start()
        with pytest.raises(StoppedError):
            attempt(Slow(), stop=stop)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({}, "Pass email_column or click_id_column"),
        ({"email_column": ""}, "email_column must be"),
        ({"email_column": "e", "batch_size": 0}, "batch_size must be 1 to"),
        ({"email_column": "e", "on_unknown_outcome": "x"}, "on_unknown_outcome must be 'resend' or 'hold'"),
        ({"email_column": "e", "max_rejected": -1}, "max_rejected must be"),
        ({"email_column": "e", "ad_account_id": "x"}, "ad_account_id must be"),
    ],
)
def test_wrong_options_are_refused(options, part):
    with pytest.raises(ParameterError, match=part):
        DeletionOptions(**options)


def test_nothing_personal_is_logged_stored_or_raised(pinterest, attempt, caplog):
    """Also when everything goes wrong, from DEBUG on, in every representation."""
    caplog.set_level(logging.DEBUG)
    store = MemoryStateStore()
    echo = {"code": 1, "message": "ada1@example.com is not valid, nor is ADA2@EXAMPLE.COM"}
    pinterest.fault("status", status=400, times=3, on="deletion_create", body=echo)
    pinterest.fault("drop", times=1, on="deletion_create", after_accepting=True)
    said = []
    for table in (rows(4), [*rows(4), {"email": "not ada3@example"}]):
        try:
            attempt(table, state=store, batch_size=4)
        except ResultError as error:
            said.append(str(error))

    text = " ".join([*said, caplog.text, str(attempt.result), *store.values.values()]).lower()
    assert said
    assert "example" not in text
    assert "ada1" not in text
