"""What Pinterest answers, and what becomes of the events: every one ends in exactly one place."""

import json
import logging
import threading

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_pinterest.exceptions import CredentialError, RefusedError
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from airflow_provider_pinterest.sandbox import Sandbox
from tests.running import Again, deliver, ids, row, rows, run

# Airflow 2.11's own ObjectStoragePath causes it.
AT_ONCE = {"Retry-After": "0"}


class TestRetried:
    @pytest.mark.parametrize("status", [429, 503])
    def test_what_was_refused_unread_is_sent_again_once(self, pinterest, status):
        pinterest.fault("status", status=status, times=2, headers=AT_ONCE)

        ran = deliver(events=rows(3))

        assert ran.error is None
        assert pinterest.copies() == ids(3)
        assert (ran["calls"], ran["retries"]) == (3, 2)

    @pytest.mark.parametrize("status", [500, 502, 504])
    def test_web_events_of_unknown_outcome_are_sent_again_because_pinterest_tells_copies_apart(self, pinterest, status):
        pinterest.fault("status", status=status, times=1, after_accepting=True, headers=AT_ONCE)

        ran = deliver(events=rows(3))

        assert ran.error is None
        assert pinterest.copies() == dict.fromkeys(ids(3), 2)
        assert pinterest.totals().distinct == 3
        assert ran["events_processed"] == 3

    @pytest.mark.parametrize(
        "fault",
        [
            ("drop", {"after_accepting": True}),
            ("reset", {"after_accepting": True}),
            ("malformed", {"form": "json"}),
            ("malformed", {"form": "html"}),
            ("malformed", {"form": "empty"}),
            ("malformed", {"form": "short_list"}),
            ("malformed", {"form": "long_list"}),
            ("malformed", {"form": "no_list"}),
        ],
        ids=lambda fault: "-".join((fault[0], *map(str, fault[1].values()))),
    )
    def test_an_answer_that_says_nothing_leaves_no_web_event_behind(self, pinterest, fault):
        kind, options = fault
        pinterest.fault(kind, times=1, **options)

        ran = deliver(events=rows(3))

        assert ran.error is None
        assert pinterest.totals().distinct == 3
        assert ran["events_processed"] == 3


class TestHeld:
    def test_offline_events_of_unknown_outcome_are_not_sent_again_and_fail_the_task(self, pinterest, tmp_path):
        pinterest.fault("status", status=500, times=1, after_accepting=True)

        ran = deliver(events=rows(3, action_source="offline"), rejects_path=str(tmp_path), max_rejected=1.0)

        assert isinstance(ran.error, AirflowFailException)
        assert "outcome is unknown" in ran.said
        assert pinterest.copies() == ids(3)
        assert len(pinterest.calls()) == 1
        assert (ran["events_held"], ran["events_processed"], ran["rows_not_sent"]) == (3, 0, 0)
        assert ran["reasons"] == {"outcome_unknown": 3}
        [part] = tmp_path.rglob("part-*")
        lines = [json.loads(line) for line in part.read_text().splitlines()]
        assert [line["stage"] for line in lines] == ["outcome_unknown"] * 3
        assert lines[0]["reasons"][0]["code"] == "outcome_unknown"

    def test_the_rest_is_delivered_before_the_task_fails(self, pinterest):
        pinterest.fault("status", status=500, times=1)

        ran = deliver(events=rows(6, action_source="offline"), batch_size=2, max_in_flight=1)

        assert isinstance(ran.error, AirflowFailException)
        assert (ran["events_held"], ran["events_processed"]) == (2, 4)
        assert sum(pinterest.copies().values()) == 4

    def test_of_a_mixed_batch_only_the_offline_events_are_held(self, pinterest):
        pinterest.fault("status", status=500, times=1, after_accepting=True, headers=AT_ONCE)
        events = [row(n, action_source="offline" if n % 2 else "web") for n in range(1, 7)]

        ran = deliver(events=events)

        assert isinstance(ran.error, AirflowFailException)
        assert pinterest.copies(action_source="offline") == {"order-1": 1, "order-3": 1, "order-5": 1}
        assert pinterest.copies(action_source="web") == {"order-2": 2, "order-4": 2, "order-6": 2}
        assert (ran["events_processed"], ran["events_held"]) == (3, 3)

    def test_of_a_mixed_batch_with_a_bare_422_only_the_offline_events_are_held(self, pinterest):
        pinterest.settings(partial_failure="422-bare")
        pinterest.fault("fail_event", event_id="order-2")
        events = [row(n, action_source="offline" if n % 2 else "web") for n in range(1, 7)]

        ran = deliver(events=events, max_rejected=1)

        assert isinstance(ran.error, AirflowFailException)
        assert pinterest.copies(action_source="offline") == {"order-1": 1, "order-3": 1, "order-5": 1}
        assert set(pinterest.copies(action_source="web")) == {"order-4", "order-6"}
        assert (ran["events_processed"], ran["events_failed"], ran["events_held"]) == (2, 1, 3)

    def test_in_test_mode_nothing_is_recorded_so_that_offline_events_are_sent_again(self, pinterest):
        pinterest.fault("status", status=500, times=1, headers=AT_ONCE)

        ran = deliver(events=rows(3, action_source="offline"), test=True)

        assert ran.error is None
        assert ran["events_processed"] == 3

    @pytest.mark.parametrize("status", [429, 503])
    def test_offline_events_that_were_refused_unread_are_sent_again(self, pinterest, status):
        pinterest.fault("status", status=status, times=1, headers=AT_ONCE)

        assert deliver(events=rows(3, action_source="offline")).error is None
        assert pinterest.copies() == ids(3)


class TestRefused:
    def test_a_poisoned_event_is_found_by_halving_and_the_rest_arrives_once(self, pinterest):
        pinterest.fault("poison", event_id="order-77", message="'order_id' is wrong")

        ran = deliver(events=rows(200))

        assert ran.error is None
        assert pinterest.copies() == {name: 1 for name in ids(200) if name != "order-77"}
        assert (ran["events_failed"], ran["events_processed"]) == (1, 199)
        assert ran["reasons"] == {"pinterest_refused": 1}
        assert ran["calls"] < 20

    @pytest.mark.parametrize("shape", ["422-details", "422-top", "200"])
    def test_an_answer_that_lists_outcomes_is_taken_event_by_event(self, pinterest, shape):
        pinterest.settings(partial_failure=shape)
        pinterest.fault("fail_event", event_id="order-2")

        ran = deliver(events=rows(3), max_rejected=1)

        assert ran.error is None
        assert pinterest.copies() == {"order-1": 1, "order-3": 1}
        assert (ran["events_failed"], ran["events_processed"], ran["calls"]) == (1, 2, 1)
        assert ran["reasons"] == {"pinterest_failed": 1}

    def test_a_422_without_a_list_is_halved_for_web_events(self, pinterest):
        pinterest.settings(partial_failure="422-bare")
        pinterest.fault("fail_event", event_id="order-2")

        ran = deliver(events=rows(4), max_rejected=1)

        assert ran.error is None
        assert set(pinterest.copies()) == {"order-1", "order-3", "order-4"}
        assert (ran["events_failed"], ran["events_processed"]) == (1, 3)

    def test_a_422_without_a_list_holds_offline_events(self, pinterest):
        pinterest.settings(partial_failure="422-bare")
        pinterest.fault("fail_event", event_id="order-2")

        ran = deliver(events=rows(4, action_source="offline"))

        assert isinstance(ran.error, AirflowFailException)
        assert ran["events_held"] == 4
        assert set(pinterest.copies().values()) == {1}

    def test_what_pinterest_says_of_an_event_is_repeated_without_addresses(self, pinterest):
        pinterest.fault("fail_event", event_id="order-1", message="'ada1@example.com' is not a hash")

        ran = deliver(events=rows(2), max_rejected=1)

        assert ran.error is None
        assert "is not a hash" in ran.log

    def test_a_mapping_that_is_wrong_as_a_whole_stops_after_few_calls(self, pinterest):
        pinterest.fault(
            "status",
            status=400,
            body={"code": 4196, "message": "Additional properties are not allowed ('x' was unexpected)"},
        )

        ran = deliver(events=rows(3_000))

        assert isinstance(ran.error, RefusedError)
        assert "the mapping is probably wrong" in ran.said
        assert (ran.error.status, ran.error.code) == (400, 4196)
        assert len(pinterest.calls()) < 150
        assert ran["events_processed"] == 0
        assert ran["events_sent"] + ran["rows_not_sent"] == ran["rows_read"]
        assert pinterest.copies() == {}


class TestTooLarge:
    def test_a_body_that_is_too_large_is_cut_until_it_fits_and_later_ones_are_smaller(self, connect):
        with Sandbox(max_body_bytes=5_000) as pinterest:
            connect(pinterest)

            assert deliver(events=rows(3_000), batch_size=100, max_in_flight=2).error is None
            assert pinterest.copies() == ids(3_000)
            refused = [call.number for call in pinterest.calls() if call.status == 413]
            assert 0 < len(refused) <= 20
            assert max(refused) < len(pinterest.calls()) / 2, "it was forgotten"

    def test_an_event_that_is_too_large_alone_fails_alone(self, connect):
        with Sandbox(max_body_bytes=2_000) as pinterest:
            connect(pinterest)

            ran = deliver(events=[*rows(5), row(6, content_name="x" * 3_000)], max_rejected=1)

            assert ran.error is None
            assert pinterest.copies() == ids(5)
            assert ran["reasons"] == {"pinterest_refused": 1}


class TestEnded:
    def test_a_token_refused_at_the_third_batch_leaves_an_account_of_all_rows(self, pinterest):
        pinterest.fault("status", status=401, after=2)

        ran = deliver(events=rows(50), batch_size=10, max_in_flight=1)

        assert isinstance(ran.error, CredentialError)
        assert isinstance(ran.error, AirflowFailException)
        assert ran["events_processed"] == 20
        assert ran["rows_not_sent"] == ran["rows_read"] - 20 >= 10
        assert sum(pinterest.copies().values()) == 20

    @pytest.mark.parametrize("status", [401, 403, 404])
    def test_a_wrong_token_or_account_ends_the_run_at_the_first_call(self, pinterest, status):
        pinterest.fault("status", status=status)

        ran = deliver(events=rows(3_000))

        assert isinstance(ran.error, CredentialError)
        assert ran.error.status == status
        assert len(pinterest.calls()) <= 3

    def test_a_redirect_ends_the_run_and_is_not_followed(self, pinterest):
        with Sandbox() as elsewhere:
            pinterest.fault("redirect", location=f"{elsewhere.url}/ad_accounts/1/events")

            assert isinstance(deliver(events=rows(1)).error, CredentialError)
            assert elsewhere.calls() == []

    def test_the_account_is_pushed_before_the_task_fails(self, pinterest):
        ran = deliver(events=[row(1), row(2, email=None)])

        assert isinstance(ran.error, AirflowFailException)
        assert ran["events_processed"] == 1
        assert pinterest.copies() == ids(1)

    def test_killing_the_task_during_a_wait_ends_it_at_once_with_its_account(self, pinterest):
        """Pinterest asks for 300 seconds; ``on_kill`` comes from another thread once the wait is announced."""
        pinterest.fault("status", status=429, after=1, headers={"Retry-After": "300"})
        operator = SendConversionsOperator(task_id="send", events=rows(30), batch_size=10, max_in_flight=1)
        killer = threading.Thread(target=operator.on_kill)

        class WhenWaiting(logging.Handler):
            def emit(self, record):
                if "events in 300" in record.getMessage() and not killer.ident:
                    killer.start()

        handler = WhenWaiting()
        logging.getLogger().addHandler(handler)
        try:
            ran = run(operator)
        finally:
            logging.getLogger().removeHandler(handler)

        killer.join()
        assert isinstance(ran.error, AirflowException)
        assert "told to stop" in ran.said
        assert ran["events_processed"] == 10
        assert ran["rows_not_sent"] == ran["rows_read"] - 10 >= 10
        assert ran["seconds"] < 10
        assert sum(pinterest.copies().values()) == 10

    def test_killing_the_task_while_it_reads_stops_before_the_next_call(self, pinterest):
        def generate():
            for number in range(1, 5_001):
                if number == 2_005:
                    operator.on_kill()
                yield row(number)

        operator = SendConversionsOperator(task_id="send", events=Again(generate))

        ran = run(operator)

        assert isinstance(ran.error, AirflowException)
        assert ran["rows_read"] < 5_000
        assert ran["events_processed"] <= pinterest.totals().distinct <= 2_000
        assert len(pinterest.calls()) <= 2

    def test_killing_a_task_that_has_not_begun_does_nothing(self):
        SendConversionsOperator(task_id="send", events=[]).on_kill()

    def test_a_task_that_was_killed_can_be_run_again(self, pinterest):
        operator = SendConversionsOperator(task_id="send", events=rows(1))
        operator.on_kill()
        assert "told to stop" in run(operator).said
        assert pinterest.calls() == []
        assert run(operator).error is None
