"""Every row of the fault matrix over a real socket: nothing lost, copies as promised, refused rows found, sums right.

The oracle is the local Pinterest, which counts the accepted copies of every event.
"""

from collections import Counter

import pytest

from airflow_provider_pinterest.delivery.sender import OnUnknownOutcome
from airflow_provider_pinterest.exceptions import CredentialError, RefusedError, UnavailableError
from harness.scripted_server import drips_its_body, drips_its_head, nobody_listening, serving
from tests.api.wire import WireScenario

WEB = ["web"] * 60
OFFLINE = ["offline"] * 60
MIXED = ["web", "offline", "web"] * 20
KINDS = pytest.mark.parametrize("kinds", [WEB, OFFLINE, MIXED], ids=["web", "offline", "mixed"])
AT_ONCE = {"Retry-After": "0"}


class EventOutcomes:
    """What became of a scenario's events, by id."""

    def __init__(self, pinterest, scenario):
        self.copies = Counter(pinterest.copies())
        lines = scenario.folder.lines()
        assert len({line["row"] for line in lines}) == len(lines), "a row is among the rejects twice"
        self.failed = {line["event_id"] for line in lines if line["stage"] == "pinterest"}
        self.held = {line["event_id"] for line in lines if line["stage"] == "outcome_unknown"}
        self.sources = {f"e-{n}": kind for n, kind in enumerate(scenario.kinds, 1) if kind in ("web", "offline")}
        self.twice = {one for one, copies in self.copies.items() if copies > 1}
        self.counters = scenario.run.counters
        counters, delivered = self.counters, self.counters.delivered
        assert delivered.failed == len(self.failed)
        assert delivered.held == len(self.held)
        assert counters.rows_read == counters.events_built + counters.rows_rejected + counters.duplicates_dropped
        assert counters.events_built == counters.events_sent + counters.rows_not_sent
        lost = [one for one in self.sources if not self.copies[one] and one not in self.failed | self.held]
        assert len(lost) <= counters.rows_not_sent + len(scenario.kinds) - counters.rows_read, "rows are lost"
        assert not [one for one in self.twice if self.sources[one] == "offline"], "an offline event was sent twice"
        assert not self.failed & self.copies.keys()


def finish(pinterest, scenario):
    """Make an attempt that finishes, and return the outcomes."""
    assert scenario.run_attempt().finished
    return EventOutcomes(pinterest, scenario)


def finished(pinterest, kinds, **options):
    outcomes = finish(pinterest, WireScenario(pinterest.url, kinds, **options))
    assert outcomes.counters.rows_not_sent == 0
    return outcomes


def failed(pinterest, scenario, error, match=None):
    """Make an attempt that fails, and return the outcomes."""
    with pytest.raises(error, match=match):
        scenario.run_attempt()
    return EventOutcomes(pinterest, scenario)


@KINDS
@pytest.mark.parametrize("shape", ["200", "422-details", "422-top"])
def test_a_list_is_accepted_by_position_and_nothing_processed_goes_again(pinterest, kinds, shape):
    pinterest.settings(partial_failure=shape)
    for one in ("e-5", "e-31"):
        pinterest.fault("fail_event", event_id=one, message="bad ada@example.com")

    outcomes = finished(pinterest, kinds)

    assert outcomes.failed == {"e-5", "e-31"}
    assert set(outcomes.copies.values()) == {1}
    assert not outcomes.held
    assert len(pinterest.calls()) == 6


@KINDS
@pytest.mark.parametrize("form", ["json", "html", "empty", "short_list", "long_list", "no_list"])
def test_a_200_that_does_not_account_for_every_event_is_no_success(pinterest, kinds, form):
    pinterest.fault("malformed", form=form, after=2, times=1)

    outcomes = finished(pinterest, kinds)

    unknown = {one for one in outcomes.sources if one in outcomes.twice | outcomes.held}
    assert len(unknown) == 10
    assert outcomes.held == {one for one in unknown if outcomes.sources[one] == "offline"}


@KINDS
def test_a_400_without_a_list_is_bisected_and_the_rest_goes(pinterest, kinds):
    for one in ("e-17", "e-18", "e-60"):
        pinterest.fault("poison", event_id=one)

    outcomes = finished(pinterest, kinds)

    assert outcomes.failed == {"e-17", "e-18", "e-60"}
    assert set(outcomes.copies.values()) == {1}
    assert not outcomes.held


@KINDS
def test_when_bisecting_the_first_batch_accepts_nothing_the_run_stops(pinterest, kinds):
    for one in range(1, 61):
        pinterest.fault("poison", event_id=f"e-{one}")
    scenario = WireScenario(pinterest.url, kinds)
    outcomes = failed(pinterest, scenario, RefusedError, "mapping")
    assert outcomes.counters.rows_not_sent == outcomes.counters.events_built
    assert not outcomes.failed
    assert max(call.in_flight for call in pinterest.calls()) == 1
    assert len(pinterest.calls()) == 19


@KINDS
def test_a_422_without_a_list_is_bisected_only_where_a_second_copy_does_no_harm(pinterest, kinds):
    """Pinterest says that some were processed, and not which."""
    pinterest.settings(partial_failure="422-bare")
    pinterest.fault("fail_event", event_id="e-16")

    outcomes = finished(pinterest, kinds)

    if kinds is WEB:
        assert outcomes.failed == {"e-16"}
        assert not outcomes.held
    elif kinds is OFFLINE:
        assert not outcomes.failed
        assert outcomes.held == {f"e-{n}" for n in range(11, 21)}
    else:
        assert outcomes.failed == {"e-16"}
        assert outcomes.held == {"e-11", "e-14", "e-17", "e-20"}


STOPS = {"401": 401, "403": 403, "404": 404, "405": 405}


@KINDS
@pytest.mark.parametrize("status", STOPS.values(), ids=STOPS)
def test_a_denial_stops_at_one_call_and_rejects_nothing(pinterest, kinds, status):
    pinterest.fault("status", status=status)
    scenario = WireScenario(pinterest.url, kinds)
    outcomes = failed(pinterest, scenario, CredentialError)
    assert len(pinterest.calls()) == 1
    assert outcomes.counters.rows_not_sent == outcomes.counters.events_built > 0
    assert not outcomes.failed | outcomes.held

    pinterest.clear_faults()
    assert set(finish(pinterest, scenario).copies.values()) == {1}


@KINDS
@pytest.mark.parametrize("status", STOPS.values(), ids=STOPS)
def test_a_denial_in_the_middle_keeps_what_was_accepted_and_the_next_try_sends_the_rest_once(pinterest, kinds, status):
    pinterest.fault("status", status=status, after=3, times=1)
    scenario = WireScenario(pinterest.url, kinds)
    middle = failed(pinterest, scenario, CredentialError)
    outcomes = finish(pinterest, scenario)

    assert 0 < sum(middle.copies.values()) < 60
    assert not middle.held
    assert set(outcomes.copies.values()) == {1}
    assert outcomes.counters.delivered.processed == 60


@KINDS
def test_a_redirect_is_never_followed(pinterest, kinds):
    with serving(drips_its_body) as elsewhere:
        pinterest.fault("redirect", location=f"{elsewhere.url}/ad_accounts/1/events")
        counters = failed(pinterest, WireScenario(pinterest.url, kinds), CredentialError, "redirect").counters

        assert elsewhere.bodies == []
    assert len(pinterest.calls()) == 1
    assert counters.rows_not_sent == counters.events_built


@KINDS
def test_a_413_halves_the_batch_and_the_size_is_remembered(pinterest, kinds):
    pinterest.settings(max_body_bytes=1_500)

    outcomes = finished(pinterest, kinds * 3, batch_size=20, in_flight=1)

    statuses = [call.status for call in pinterest.calls()]
    assert set(outcomes.copies.values()) == {1}
    assert not outcomes.failed | outcomes.held
    assert 413 in statuses
    assert 413 not in statuses[len(statuses) // 2 :], "the size was not remembered"


BUSY = {
    "429": {"status": 429, "headers": {"X-RateLimit-Reset": "0"}},
    "429 with a date": {"status": 429, "headers": {"Retry-After": "Mon, 21 Sep 2020 00:00:00 GMT"}},
    "429 with a word": {"status": 429, "headers": {"Retry-After": "soon"}},
    "503": {"status": 503, "headers": {}},
}


@KINDS
@pytest.mark.parametrize("fault", BUSY.values(), ids=BUSY)
def test_busy_is_tried_again_until_it_is_taken(pinterest, kinds, fault):
    pinterest.fault("status", times=4, after=1, **fault)

    outcomes = finished(pinterest, kinds)

    assert set(outcomes.copies.values()) == {1}
    assert not outcomes.failed | outcomes.held
    assert len(pinterest.calls(status=fault["status"])) == 4
    assert outcomes.counters.delivered.retries == 4


@KINDS
def test_busy_for_longer_than_it_may_wait_hands_back_with_the_time(pinterest, kinds):
    pinterest.fault("status", status=429, after=2, headers={"X-RateLimit-Reset": "67150"})
    scenario = WireScenario(pinterest.url, kinds)

    with pytest.raises(UnavailableError) as raised:
        scenario.run_attempt()

    assert raised.value.retry_after == 67_150
    middle = EventOutcomes(pinterest, scenario)
    assert middle.counters.delivered.processed == 20
    assert not middle.held
    pinterest.clear_faults()
    assert set(finish(pinterest, scenario).copies.values()) == {1}


@KINDS
def test_where_nobody_listens_nothing_is_held(pinterest, kinds):
    with nobody_listening() as url:
        scenario = WireScenario(url, kinds, max_wait=0.02)
        outcomes = failed(pinterest, scenario, UnavailableError, "connection refused")
    assert outcomes.counters.rows_not_sent == outcomes.counters.events_built
    assert not outcomes.held

    scenario.url = pinterest.url
    assert set(finish(pinterest, scenario).copies.values()) == {1}


AMBIGUOUS = {
    **{
        f"{status}{', after all accepted' if accepted else ''}": (
            "status",
            {"status": status, "headers": AT_ONCE, "after_accepting": accepted},
        )
        for status in (500, 502, 504, 408)
        for accepted in (False, True)
    },
    "reset after writing": ("reset", {}),
    "reset after writing, after all accepted": ("reset", {"after_accepting": True}),
    "hung up": ("drop", {}),
    "hung up, after all accepted": ("drop", {"after_accepting": True}),
}


@KINDS
@pytest.mark.parametrize(("fault", "options"), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_is_ambiguous_goes_again_if_pinterest_can_tell_copies_apart_and_is_held_if_not(
    pinterest, kinds, fault, options
):
    pinterest.fault(fault, after=1, times=1, **options)

    outcomes = finished(pinterest, kinds)

    outcome_unknown = 10 if kinds is not MIXED else len(outcomes.held)
    assert not outcomes.failed
    assert len(outcomes.held) == (0 if kinds is WEB else outcome_unknown)
    assert outcome_unknown > 0
    if options.get("after_accepting"):
        assert outcomes.twice == {one for one in outcomes.twice if outcomes.sources[one] == "web"}
        assert len(outcomes.twice | outcomes.held) == 10
        assert set(outcomes.copies) == set(outcomes.sources)
    else:
        assert not outcomes.twice
        assert not outcomes.held & outcomes.copies.keys()


@KINDS
@pytest.mark.parametrize("on_unknown_outcome", [OnUnknownOutcome.HOLD, OnUnknownOutcome.RESEND])
def test_the_user_decides_what_happens_to_unknown_outcomes(pinterest, kinds, on_unknown_outcome):
    pinterest.fault("status", status=500, after=1, times=1, headers=AT_ONCE)

    outcomes = finished(pinterest, kinds, on_unknown_outcome=on_unknown_outcome)

    assert len(outcomes.held) == (10 if on_unknown_outcome is OnUnknownOutcome.HOLD else 0)
    assert set(outcomes.copies.values()) == {1}


@KINDS
def test_an_answer_that_takes_too_long_to_begin_has_an_unknown_outcome(pinterest, kinds):
    pinterest.fault("delay", seconds=0.5, after=1, times=1, after_accepting=True)

    outcomes = finished(pinterest, kinds, timeouts=(1.0, 0.2, 5.0))

    assert len(outcomes.twice | outcomes.held) == 10


@KINDS
def test_an_answer_that_drips_ends_at_the_total_deadline(pinterest, kinds):
    pinterest.fault("drip", seconds=0.01, after=1, times=1)

    outcomes = finished(pinterest, kinds, timeouts=(1.0, 1.0, 0.25))

    assert len(outcomes.twice | outcomes.held) == 10


@pytest.mark.parametrize("handler", [drips_its_head, drips_its_body])
def test_a_server_that_only_drips_never_makes_a_run_hang(handler, pinterest):
    with serving(handler) as wire:
        scenario = WireScenario(wire.url, OFFLINE, timeouts=(1.0, 1.0, 0.1))
        run = scenario.run_attempt()

    assert run.finished
    assert run.counters.delivered.held == 60
    assert len(wire.bodies) == 6


def test_a_duplicate_in_the_source_is_dropped_and_a_bad_row_rejected(pinterest):
    outcomes = finished(pinterest, ["web", "duplicate", "invalid", "offline", "duplicate", "web"] * 10)

    assert set(outcomes.copies.values()) == {1}
    assert outcomes.counters.duplicates_dropped == 20
    assert outcomes.counters.rows_rejected == 10
    assert outcomes.counters.delivered.processed == 30


@KINDS
def test_an_unknown_word_for_an_event_is_held_not_guessed(pinterest, kinds):
    outcome = {"status": "processed", "error_message": "", "warning_message": ""}
    body = {"events": [outcome] * 9 + [outcome | {"status": "deferred"}]}
    pinterest.fault("status", status=200, body=body, after=1, times=1, after_accepting=True)

    outcomes = finished(pinterest, kinds)

    assert len(outcomes.held) == 1
    assert set(outcomes.copies.values()) == {1}


@KINDS
def test_everything_at_once(pinterest, kinds):
    pinterest.settings(partial_failure="422-top", max_body_bytes=4_000)
    pinterest.fault("poison", event_id="e-77")
    pinterest.fault("fail_event", event_id="e-80")
    pinterest.fault("status", status=503, headers=AT_ONCE, share=0.05, seed=1)
    pinterest.fault("status", status=500, headers=AT_ONCE, share=0.05, seed=2)
    pinterest.fault("status", status=504, headers=AT_ONCE, share=0.05, seed=3, after_accepting=True)
    pinterest.fault("reset", share=0.05, seed=4, after_accepting=True)
    pinterest.fault("malformed", form="html", share=0.05, seed=5)

    outcomes = finished(pinterest, kinds * 5, in_flight=8)

    assert {"e-77", "e-80"} <= outcomes.failed | outcomes.held
    assert outcomes.failed <= {"e-77", "e-80"}
    assert outcomes.counters.delivered.processed == 300 - len(outcomes.failed) - len(outcomes.held)
