"""How an attempt begins: every state that an earlier one can have left, and every kind of attempt."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_pinterest.delivery.account_sums import AccountSum
from airflow_provider_pinterest.delivery.checkpoint import Checkpoint, Finished
from airflow_provider_pinterest.delivery.result import DeliveryCounters
from airflow_provider_pinterest.delivery.resuming import Attempt, Start, decide_start, start_over
from airflow_provider_pinterest.delivery.rowset import RowSet
from airflow_provider_pinterest.delivery.stored_state import read_state
from airflow_provider_pinterest.exceptions import ResendRefusedError
from tests.delivery.world import NOW

HOUR = 3600.0
PARAMETERS = {"sql": "a1", "defaults": "b2"}
FIRST = {"run": "r-1", "max_tries": 2}
CLEARED = {"run": "r-1", "max_tries": 5}


def attempt(number: int = 2, **changes: Any) -> Attempt:
    return replace(Attempt(number, PARAMETERS, "whole", FIRST, NOW), **changes)


def unfinished(**changes: Any) -> Checkpoint:
    made = Checkpoint(PARAMETERS, NOW - HOUR, rows=10, delivered=DeliveryCounters(processed=9), identity=FIRST)
    return replace(made, **changes)


def finished(**changes: Any) -> Finished:
    made = Finished(
        PARAMETERS,
        NOW - HOUR,
        10,
        "d",
        DeliveryCounters(processed=9, failed=1),
        RowSet().plus([4]),
        RowSet(),
        False,
        FIRST,
        {"events_processed": 9},
        None,
        NOW - 60,
    )
    return replace(made, **changes)


def begins(start: Start | Finished) -> Checkpoint:
    """Return the checkpoint of a start with the first row."""
    assert isinstance(start, Start)
    assert not start.resume
    checkpoint = start.checkpoint
    assert checkpoint.rows == 0
    assert not checkpoint.pending
    assert checkpoint.fingerprint == PARAMETERS
    return checkpoint


# ---- nothing is stored ----


@pytest.mark.parametrize("remembers", [True, False])
@pytest.mark.parametrize("forgotten", [True, False])
@pytest.mark.parametrize("may_resend_any", [True, False])
def test_a_first_attempt_begins_with_the_first_row_and_says_nothing(remembers, forgotten, may_resend_any):
    start = decide_start(
        None, attempt(1, remembers=remembers, may_be_forgotten=forgotten, may_resend_any=may_resend_any)
    )
    checkpoint = begins(start)

    assert isinstance(start, Start)
    assert not start.notice
    assert checkpoint.unknown_before is None
    assert checkpoint.clock == NOW
    assert checkpoint.identity == FIRST


def test_a_later_attempt_with_a_store_that_forgets_nothing_knows_that_nothing_was_sent():
    start = decide_start(None, attempt(2))

    assert begins(start).unknown_before is None
    assert isinstance(start, Start)
    assert "No earlier attempt sent anything" in start.notice
    assert not start.warn


@pytest.mark.parametrize(
    ("remembers", "forgotten"), [(False, False), (False, True), (True, True)], ids=["no store", "neither", "forgotten"]
)
@pytest.mark.parametrize("may_resend_any", [True, False])
def test_a_later_attempt_that_cannot_know_refuses_what_pinterest_cannot_deduplicate(
    remembers, forgotten, may_resend_any
):
    start = decide_start(
        None, attempt(2, remembers=remembers, may_be_forgotten=forgotten, may_resend_any=may_resend_any)
    )

    assert begins(start).unknown_before == (None if may_resend_any else NOW)
    assert isinstance(start, Start)
    assert start.warn
    assert "It is not known" in start.notice


@pytest.mark.parametrize("number", [1, 2])
def test_what_cannot_be_read_may_have_sent_everything(number):
    start = decide_start("KeyError while it was read", attempt(number))

    assert begins(start).unknown_before == NOW
    assert isinstance(start, Start)
    assert start.warn
    assert "KeyError while it was read" in start.notice


def test_the_ledger_tells_what_was_sent_if_the_state_cannot_be_read():
    start = decide_start("KeyError while it was read", attempt(2, ledger="analytics"))

    assert isinstance(start, Start)
    assert begins(start).unknown_before is None
    assert start.checkpoint.ledger == "analytics"
    assert "KeyError while it was read" in start.notice
    assert "The rows are sent, except for events that are processed in the outcome table" in start.notice


def test_the_ledger_does_not_tell_what_version_2_sent():
    start = decide_start(finished(fingerprint={}, identity={"run": "r-0"}), attempt(2, ledger="analytics"))

    assert begins(start).unknown_before == NOW


# ---- after the end ----


@pytest.mark.parametrize("problem", [None, "too many were rejected"])
def test_a_retry_of_a_finished_run_has_nothing_to_do(problem):
    state = finished(problem=problem)

    assert decide_start(state, attempt(3)) is state


def test_a_retry_of_a_finished_run_has_nothing_to_do_whatever_its_parameters_are():
    """Templates may become something else at each attempt."""
    state = finished(offline=True)

    assert decide_start(state, attempt(3, fingerprint={"sql": "changed"})) is state


@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize("age", [HOUR, 100 * HOUR])
def test_clear_with_the_same_parameters_sends_the_rest(offline, age):
    state = finished(offline=offline, clock=NOW - age)
    start = decide_start(state, attempt(3, identity=CLEARED))

    assert isinstance(start, Start)
    assert start.resume
    assert start.checkpoint.earlier is state
    assert start.checkpoint.rows == 0
    assert start.checkpoint.identity == CLEARED
    assert start.checkpoint.clock == state.clock, "the rows become the same only with the same clock"
    assert start.checkpoint.unknown_before is None
    assert "9 of its events were accepted" in start.notice


def test_clear_with_other_parameters_sends_recent_web_events_again():
    start = decide_start(finished(), attempt(3, identity=CLEARED, fingerprint=PARAMETERS | {"sql": "changed"}))

    assert isinstance(start, Start)
    assert not start.resume
    assert start.warn
    assert "The parameter sql changed" in start.notice
    assert start.checkpoint.unknown_before == NOW - HOUR, "events that were not deduplicable then are refused"
    assert start.checkpoint.clock == NOW - HOUR, "so that the next one knows when the first copies were sent"
    assert start.checkpoint.earlier is None


@pytest.mark.parametrize(
    "state", [finished(clock=NOW - 23 * HOUR), finished(offline=True)], ids=["web, a day ago", "offline"]
)
def test_clear_with_other_parameters_is_refused_where_pinterest_would_count_twice(state):
    with pytest.raises(
        ResendRefusedError, match=r"The parameter sql changed.*9 events.*\n.*send_everything_again=True"
    ):
        decide_start(state, attempt(3, identity=CLEARED, fingerprint=PARAMETERS | {"sql": "changed"}))


def test_clear_after_clear_of_a_run_with_other_parameters_is_refused_a_day_after_the_first():
    first = decide_start(finished(), attempt(3, identity=CLEARED, fingerprint=PARAMETERS | {"sql": "changed"}))
    assert isinstance(first, Start)

    with pytest.raises(ResendRefusedError):
        decide_start(first.checkpoint, attempt(4, now=NOW + 23 * HOUR, fingerprint=PARAMETERS | {"sql": "once more"}))


@pytest.mark.parametrize("identity", [{}, {"max_tries": None}])
def test_a_run_whose_identity_is_not_known_is_not_taken_for_a_retry(identity):
    start = decide_start(finished(identity=identity), attempt(3))

    assert isinstance(start, Start)
    assert start.resume


def test_the_end_of_a_run_in_version_2_tells_only_a_retry_from_clear():
    state = read_state({"finished": 2, "result": {"x": 1}, "problem": None, "max_tries": 2})
    assert isinstance(state, Finished)

    assert decide_start(state, attempt(2)) is state
    assert begins(decide_start(state, attempt(3, identity=CLEARED))).unknown_before == NOW


# ---- in the middle ----


@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize("identity", [FIRST, CLEARED])
def test_an_unfinished_run_is_continued_by_retry_and_by_clear(offline, identity):
    state = unfinished(offline=offline)
    start = decide_start(state, attempt(2, identity=identity))

    assert start == Start(state, resume=True, notice=start.notice if isinstance(start, Start) else "")
    assert isinstance(start, Start)
    assert "10 rows were already accounted for" in start.notice


def test_the_ledger_is_not_forgotten_if_no_ad_account_accepted_an_event():
    refused = DeliveryCounters(failed=1)
    refused.accounts = AccountSum(Counter({("701", "events_failed"): 1}))
    state = unfinished(rows=1, delivered=refused, ledger="analytics")

    assert begins(decide_start(state, attempt(2, ledger="analytics"))).ledger == "analytics"


def test_a_first_attempt_continues_what_is_stored():
    """A deferral does not count as an attempt, and Clear may count from one again."""
    start = decide_start(unfinished(), attempt(1))

    assert isinstance(start, Start)
    assert start.resume


def test_an_unfinished_run_with_other_parameters_sends_recent_web_events_again():
    start = decide_start(unfinished(), attempt(fingerprint=PARAMETERS | {"defaults": "changed", "more": "c3"}))

    assert isinstance(start, Start)
    assert start.checkpoint.rows == 0
    assert start.checkpoint.unknown_before == NOW - HOUR
    assert start.checkpoint.clock == NOW - HOUR
    assert "The parameters defaults, more changed" in start.notice


@pytest.mark.parametrize(
    "state",
    [
        unfinished(offline=True),
        unfinished(clock=NOW - 23 * HOUR),
        unfinished(earlier=finished(offline=True)),
    ],
    ids=["offline", "a day ago", "offline before Clear"],
)
def test_an_unfinished_run_with_other_parameters_is_refused_where_pinterest_would_count_twice(state):
    with pytest.raises(ResendRefusedError, match="nothing was sent"):
        decide_start(state, attempt(fingerprint={}))


@pytest.mark.parametrize("same", [True, False])
def test_an_unfinished_run_of_version_2_has_one_fingerprint(same):
    state = unfinished(fingerprint={"all parameters": "whole" if same else "other"}, version=2)
    start = decide_start(state, attempt())

    assert isinstance(start, Start)
    assert start.resume is same
    assert start.checkpoint.fingerprint == PARAMETERS, "the next attempt compares them one by one"
    assert start.checkpoint.version == (2 if same else 3)


# ---- other rows ----


@pytest.mark.parametrize("state", [unfinished(), finished()], ids=["unfinished", "finished"])
def test_other_rows_are_sent_from_the_first_one_where_pinterest_deduplicates_second_copies(state):
    start = start_over(state, attempt(), "The rows of the source")

    assert begins(start).unknown_before == state.clock
    assert start.warn
    assert start.notice.startswith("The rows of the source changed")


def test_a_refusal_counts_the_events_of_all_runs():
    state = unfinished(offline=True, earlier=finished())

    with pytest.raises(ResendRefusedError, match="18 events"):
        start_over(state, attempt(), "The rows of the source")


def test_after_other_rows_were_begun_a_refusal_stands_until_a_day_has_passed_since_the_first_run():
    start = start_over(unfinished(clock=NOW - 22 * HOUR), attempt(), "The rows of the source")

    with pytest.raises(ResendRefusedError):
        start_over(start.checkpoint, attempt(now=NOW + HOUR), "The rows of the source")


# ---- by request ----

STATES = {
    "nothing": None,
    "unreadable": "KeyError",
    "unfinished": unfinished(),
    "unfinished offline": unfinished(offline=True),
    "finished": finished(),
    "finished offline": finished(offline=True),
    "forced before Clear": finished(forced=True),
    "forced and unfinished before Clear": unfinished(forced=True),
}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
@pytest.mark.parametrize("number", [1, 3])
def test_send_everything_again_begins_with_the_first_row_whatever_was_sent(state, number):
    start = decide_start(state, attempt(number, identity=CLEARED, send_again=True))
    checkpoint = begins(start)

    assert checkpoint.forced
    assert checkpoint.unknown_before is None
    assert checkpoint.earlier is None
    assert isinstance(start, Start)
    assert bool(start.notice) == (number > 1)


def test_a_retry_of_a_run_that_sends_everything_again_continues_it():
    state = unfinished(forced=True, offline=True)
    start = decide_start(state, attempt(send_again=True))

    assert isinstance(start, Start)
    assert start.resume
    assert start.checkpoint == state


def test_a_retry_of_a_run_that_has_sent_everything_again_has_nothing_to_do():
    state = finished(forced=True, offline=True)

    assert decide_start(state, attempt(send_again=True)) is state


def test_a_retry_that_is_the_first_to_ask_for_everything_sends_everything():
    assert begins(decide_start(unfinished(), attempt(send_again=True))).forced
    assert begins(decide_start(finished(), attempt(send_again=True))).forced
