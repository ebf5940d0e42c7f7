"""Every row of the fault matrix over a real socket: nothing lost, copies as promised, refused rows found, sums right.

The oracle is the local Pinterest, which counts the accepted copies of every event.
"""

from __future__ import annotations

import socket
from collections import Counter

import pytest

from airflow_provider_pinterest.delivery.sender import OnUnknownOutcome
from airflow_provider_pinterest.exceptions import CredentialError, RefusedError, UnavailableError
from airflow_provider_pinterest.sandbox import Sandbox
from tests.api.wire import Trip, drips_its_body, drips_its_head, serving
from tests.delivery.world import NOW

WEB = ["web"] * 60
OFFLINE = ["offline"] * 60
MIXED = ["web", "offline", "web"] * 20
KINDS = pytest.mark.parametrize("kinds", [WEB, OFFLINE, MIXED], ids=["web", "offline", "mixed"])
AT_ONCE = {"Retry-After": "0"}


@pytest.fixture
def pinterest():
    with Sandbox(clock=lambda: NOW) as sandbox:
        yield sandbox


class Fate:
    """What became of a trip's events, by id."""

    def __init__(self, pinterest, trip):
        self.copies = Counter(pinterest.copies())
        lines = trip.folder.lines()
        assert len({line["row"] for line in lines}) == len(lines), "a row is among the rejects twice"
        self.failed = {line["event_id"] for line in lines if line["stage"] == "pinterest"}
        self.held = {line["event_id"] for line in lines if line["stage"] == "outcome_unknown"}
        self.sources = {f"e-{n}": kind for n, kind in enumerate(trip.kinds, 1) if kind in ("web", "offline")}
        self.twice = {one for one, copies in self.copies.items() if copies > 1}
        self.counters = trip.run.counters
        counters, delivered = self.counters, self.counters.delivered
        assert delivered.failed == len(self.failed)
        assert delivered.held == len(self.held)
        assert counters.rows_read == counters.events_built + counters.rows_rejected + counters.duplicates_dropped
        assert counters.events_built == counters.events_sent + counters.rows_not_sent
        lost = [one for one in self.sources if not self.copies[one] and one not in self.failed | self.held]
        assert len(lost) <= counters.rows_not_sent + len(trip.kinds) - counters.rows_read, "rows are lost"
        assert not [one for one in self.twice if self.sources[one] == "offline"], "an offline event was sent twice"
        assert not self.failed & self.copies.keys()


def finished(pinterest, kinds, **options):
    trip = Trip(pinterest.url, kinds, **options)
    run = trip.go()
    assert run.finished
    fate = Fate(pinterest, trip)
    assert fate.counters.rows_not_sent == 0
    return fate


@KINDS
@pytest.mark.parametrize("shape", ["200", "422-details", "422-top"])
def test_a_list_is_accepted_by_position_and_nothing_processed_goes_again(pinterest, kinds, shape):
    pinterest.settings(partial_failure=shape)
    for one in ("e-5", "e-31"):
        pinterest.fault("fail_event", event_id=one, message="bad ada@example.com")

    fate = finished(pinterest, kinds)

    assert fate.failed == {"e-5", "e-31"}
    assert set(fate.copies.values()) == {1}
    assert not fate.held
    assert len(pinterest.calls()) == 6


@KINDS
@pytest.mark.parametrize("form", ["json", "html", "empty", "short_list", "long_list", "no_list"])
def test_a_200_that_does_not_account_for_every_event_is_no_success(pinterest, kinds, form):
    pinterest.fault("malformed", form=form, after=2, times=1)

    fate = finished(pinterest, kinds)

    doubtful = {one for one in fate.sources if one in fate.twice | fate.held}
    assert len(doubtful) == 10
    assert fate.held == {one for one in doubtful if fate.sources[one] == "offline"}


@KINDS
def test_a_400_without_a_list_is_bisected_and_the_rest_goes(pinterest, kinds):
    for one in ("e-17", "e-18", "e-60"):
        pinterest.fault("poison", event_id=one)

    fate = finished(pinterest, kinds)

    assert fate.failed == {"e-17", "e-18", "e-60"}
    assert set(fate.copies.values()) == {1}
    assert not fate.held


@KINDS
def test_when_bisecting_the_first_batch_accepts_nothing_the_run_stops(pinterest, kinds):
    for one in range(1, 61):
        pinterest.fault("poison", event_id=f"e-{one}")
    trip = Trip(pinterest.url, kinds)

    with pytest.raises(RefusedError, match="mapping"):
        trip.go()

    fate = Fate(pinterest, trip)
    assert fate.counters.rows_not_sent == fate.counters.events_built
    assert not fate.failed
    assert max(call.in_flight for call in pinterest.calls()) == 1
    assert len(pinterest.calls()) == 19


@KINDS
def test_a_422_without_a_list_is_bisected_only_where_a_second_copy_does_no_harm(pinterest, kinds):
    """Pinterest says that some were processed, and not which."""
    pinterest.settings(partial_failure="422-bare")
    pinterest.fault("fail_event", event_id="e-16")

    fate = finished(pinterest, kinds)

    if kinds is WEB:
        assert fate.failed == {"e-16"}
        assert not fate.held
    elif kinds is OFFLINE:
        assert not fate.failed
        assert fate.held == {f"e-{n}" for n in range(11, 21)}
    else:
        assert fate.failed == {"e-16"}
        assert fate.held == {"e-11", "e-14", "e-17", "e-20"}


STOPS = {"401": 401, "403": 403, "404": 404, "405": 405}


@KINDS
@pytest.mark.parametrize("status", STOPS.values(), ids=STOPS)
def test_a_denial_stops_at_one_call_and_rejects_nothing(pinterest, kinds, status):
    pinterest.fault("status", status=status)
    trip = Trip(pinterest.url, kinds)

    with pytest.raises(CredentialError):
        trip.go()

    fate = Fate(pinterest, trip)
    assert len(pinterest.calls()) == 1
    assert fate.counters.rows_not_sent == fate.counters.events_built > 0
    assert not fate.failed | fate.held

    pinterest.clear_faults()
    assert trip.go().finished
    assert set(Fate(pinterest, trip).copies.values()) == {1}


@KINDS
@pytest.mark.parametrize("status", STOPS.values(), ids=STOPS)
def test_a_denial_in_the_middle_keeps_what_was_accepted_and_the_next_try_sends_the_rest_once(pinterest, kinds, status):
    pinterest.fault("status", status=status, after=3, times=1)
    trip = Trip(pinterest.url, kinds)

    with pytest.raises(CredentialError):
        trip.go()
    middle = Fate(pinterest, trip)
    assert trip.go().finished
    fate = Fate(pinterest, trip)

    assert 0 < sum(middle.copies.values()) < 60
    assert not middle.held
    assert set(fate.copies.values()) == {1}
    assert fate.counters.delivered.processed == 60


@KINDS
def test_a_redirect_is_never_followed(pinterest, kinds):
    with serving(drips_its_body) as elsewhere:
        pinterest.fault("redirect", location=f"{elsewhere.url}/ad_accounts/1/events")
        trip = Trip(pinterest.url, kinds)

        with pytest.raises(CredentialError, match="redirect"):
            trip.go()

        assert elsewhere.bodies == []
    assert len(pinterest.calls()) == 1
    assert Fate(pinterest, trip).counters.rows_not_sent == Fate(pinterest, trip).counters.events_built


@KINDS
def test_a_413_halves_the_batch_and_the_size_is_remembered(pinterest, kinds):
    pinterest.settings(max_body_bytes=1_500)

    fate = finished(pinterest, kinds * 3, batch_size=20, in_flight=1)

    statuses = [call.status for call in pinterest.calls()]
    assert set(fate.copies.values()) == {1}
    assert not fate.failed | fate.held
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

    fate = finished(pinterest, kinds)

    assert set(fate.copies.values()) == {1}
    assert not fate.failed | fate.held
    assert len(pinterest.calls(status=fault["status"])) == 4
    assert fate.counters.delivered.retries == 4


@KINDS
def test_busy_for_longer_than_it_may_wait_hands_back_with_the_time(pinterest, kinds):
    pinterest.fault("status", status=429, after=2, headers={"X-RateLimit-Reset": "67150"})
    trip = Trip(pinterest.url, kinds)

    with pytest.raises(UnavailableError) as raised:
        trip.go()

    assert raised.value.retry_after == 67_150
    middle = Fate(pinterest, trip)
    assert middle.counters.delivered.processed == 20
    assert not middle.held
    pinterest.clear_faults()
    assert trip.go().finished
    assert set(Fate(pinterest, trip).copies.values()) == {1}


@KINDS
def test_where_nobody_listens_nothing_is_held(pinterest, kinds):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    trip = Trip(f"http://127.0.0.1:{port}/v5", kinds, max_wait=0.02)

    with pytest.raises(UnavailableError, match="connection refused"):
        trip.go()
    fate = Fate(pinterest, trip)
    assert fate.counters.rows_not_sent == fate.counters.events_built
    assert not fate.held

    trip.url = pinterest.url
    assert trip.go().finished
    assert set(Fate(pinterest, trip).copies.values()) == {1}


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

    fate = finished(pinterest, kinds)

    outcome_unknown = 10 if kinds is not MIXED else len(fate.held)
    assert not fate.failed
    assert len(fate.held) == (0 if kinds is WEB else outcome_unknown)
    assert outcome_unknown > 0
    if options.get("after_accepting"):
        assert fate.twice == {one for one in fate.twice if fate.sources[one] == "web"}
        assert len(fate.twice | fate.held) == 10
        assert set(fate.copies) == set(fate.sources)
    else:
        assert not fate.twice
        assert not fate.held & fate.copies.keys()


@KINDS
@pytest.mark.parametrize("on_unknown_outcome", [OnUnknownOutcome.HOLD, OnUnknownOutcome.RESEND])
def test_the_user_decides_where_doubt_goes(pinterest, kinds, on_unknown_outcome):
    pinterest.fault("status", status=500, after=1, times=1, headers=AT_ONCE)

    fate = finished(pinterest, kinds, on_unknown_outcome=on_unknown_outcome)

    assert len(fate.held) == (10 if on_unknown_outcome is OnUnknownOutcome.HOLD else 0)
    assert set(fate.copies.values()) == {1}


@KINDS
def test_an_answer_that_takes_too_long_to_begin_is_in_doubt(pinterest, kinds):
    pinterest.fault("delay", seconds=0.5, after=1, times=1, after_accepting=True)

    fate = finished(pinterest, kinds, timeouts=(1.0, 0.2, 5.0))

    assert len(fate.twice | fate.held) == 10


@KINDS
def test_an_answer_that_drips_ends_at_the_total_deadline(pinterest, kinds):
    pinterest.fault("drip", seconds=0.01, after=1, times=1)

    fate = finished(pinterest, kinds, timeouts=(1.0, 1.0, 0.25))

    assert len(fate.twice | fate.held) == 10


@pytest.mark.parametrize("handler", [drips_its_head, drips_its_body])
def test_a_server_that_only_drips_never_makes_a_run_hang(handler, pinterest):
    with serving(handler) as wire:
        trip = Trip(wire.url, OFFLINE, timeouts=(1.0, 1.0, 0.1))
        run = trip.go()

    assert run.finished
    assert run.counters.delivered.held == 60
    assert len(wire.bodies) == 6


def test_a_duplicate_in_the_source_is_dropped_and_a_bad_row_rejected(pinterest):
    fate = finished(pinterest, ["web", "duplicate", "invalid", "offline", "duplicate", "web"] * 10)

    assert set(fate.copies.values()) == {1}
    assert fate.counters.duplicates_dropped == 20
    assert fate.counters.rows_rejected == 10
    assert fate.counters.delivered.processed == 30


@KINDS
def test_an_unknown_word_for_an_event_is_held_not_guessed(pinterest, kinds):
    outcome = {"status": "processed", "error_message": "", "warning_message": ""}
    body = {"events": [outcome] * 9 + [outcome | {"status": "deferred"}]}
    pinterest.fault("status", status=200, body=body, after=1, times=1, after_accepting=True)

    fate = finished(pinterest, kinds)

    assert len(fate.held) == 1
    assert set(fate.copies.values()) == {1}


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

    fate = finished(pinterest, kinds * 5, in_flight=8)

    assert {"e-77", "e-80"} <= fate.failed | fate.held
    assert fate.failed <= {"e-77", "e-80"}
    assert fate.counters.delivered.processed == 300 - len(fate.failed) - len(fate.held)
