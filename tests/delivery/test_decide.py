"""The fault matrix as a table: what an answer leads to, and what can never follow."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.api.backoff import LONGEST_WAIT
from airflow_provider_pinterest.api.events_endpoint import PerEventResults, Refused
from airflow_provider_pinterest.api.responses import (
    AccessDenied,
    Misconfigured,
    OutcomeUnknown,
    TooLarge,
    Trace,
    Unavailable,
)
from airflow_provider_pinterest.delivery.decide import (
    Deduplicability,
    Deliver,
    Hold,
    HoldSome,
    Isolated,
    Renew,
    Retry,
    Situation,
    Split,
    Stop,
    decide,
)
from airflow_provider_pinterest.exceptions import ConfigurationError, CredentialError, UnavailableError

ALL, SOME, NONE = Deduplicability.ALL, Deduplicability.SOME, Deduplicability.NONE
BARE = Trace(message="why")
LISTED = PerEventResults(BARE, {}, frozenset(), 0)


def trace(status):
    return Trace(status, 1, "why", "rid")


def situation(**changes):
    return Situation(**{"events": 1000, "attempt": 1, "kind": ALL, "time_left": 600.0, **changes})


def act(answer, *, jitter=1.0, **changes):
    return decide(answer, situation(**changes), lambda: jitter)


MATRIX = {
    "200 or 422 with a per-event list: deliver": (LISTED, {}, Deliver),
    "… of events that cannot be deduplicated: deliver": (LISTED, {"kind": NONE}, Deliver),
    "200 with a list of another length, bad JSON, HTML, empty: again": (OutcomeUnknown(trace(200)), {}, Retry),
    "… of events that cannot be deduplicated: hold": (OutcomeUnknown(trace(200)), {"kind": NONE}, Hold),
    "400 without a list: bisect": (Refused(trace(400), partly=False), {}, Split),
    "… of events that cannot be deduplicated: bisect, none was accepted": (
        Refused(trace(400), partly=False),
        {"kind": NONE},
        Split,
    ),
    "… of one event: isolated": (Refused(trace(400), partly=False), {"events": 1}, Isolated),
    "422 without a list: bisect": (Refused(trace(422), partly=True), {}, Split),
    "… of one event: isolated ": (Refused(trace(422), partly=True), {"events": 1}, Isolated),
    "… with some that cannot be deduplicated: hold those": (Refused(trace(422), partly=True), {"kind": SOME}, HoldSome),
    "… of events that cannot be deduplicated: hold ": (Refused(trace(422), partly=True), {"kind": NONE}, Hold),
    "401: stop": (AccessDenied(trace(401)), {}, Stop),
    "401 with a token that can be renewed: renew": (AccessDenied(trace(401)), {"renewable": True}, Renew),
    "403: stop": (AccessDenied(trace(403)), {"renewable": True}, Stop),
    "404: stop": (AccessDenied(trace(404)), {"renewable": True}, Stop),
    "405: stop": (AccessDenied(trace(405)), {}, Stop),
    "a gateway's 407: stop": (AccessDenied(trace(407)), {"renewable": True, "kind": NONE}, Stop),
    "settings that cannot work: stop": (Misconfigured(BARE), {"kind": NONE}, Stop),
    "307: stop": (AccessDenied(trace(307)), {"renewable": True}, Stop),
    "413: halve": (TooLarge(trace(413)), {}, Split),
    "413 of one event: isolated": (TooLarge(trace(413)), {"events": 1}, Isolated),
    "429: again": (Unavailable(trace(429), for_all=True), {}, Retry),
    "429 of events that cannot be deduplicated: again": (Unavailable(trace(429), for_all=True), {"kind": NONE}, Retry),
    "503: again": (Unavailable(trace(503)), {}, Retry),
    "refused connection, DNS, connect time-out: again": (Unavailable(BARE), {"kind": NONE}, Retry),
    "… beyond the cap: hand back": (Unavailable(trace(429), 601.0), {}, Stop),
    "500, 502, 504, 408, time-out, reset: again": (OutcomeUnknown(trace(500)), {}, Retry),
    "… with some that cannot be deduplicated: hold those ": (OutcomeUnknown(trace(500)), {"kind": SOME}, HoldSome),
    "… of events that cannot be deduplicated: hold  ": (OutcomeUnknown(BARE), {"kind": NONE}, Hold),
    "… beyond the cap: hand back ": (OutcomeUnknown(trace(500), 601.0), {}, Stop),
}


@pytest.mark.parametrize(("answer", "changes", "action"), MATRIX.values(), ids=MATRIX)
def test_row(answer, changes, action):
    assert type(act(answer, **changes)) is action


def test_only_429_pauses_everybody():
    assert act(Unavailable(trace(429), 1.0, for_all=True)) == Retry(1.0, for_all=True, reason="HTTP 429")
    assert act(Unavailable(trace(503), 1.0)) == Retry(1.0, reason="HTTP 503")
    assert act(OutcomeUnknown(trace(500), 1.0)) == Retry(1.0, reason="HTTP 500")


def test_only_413_makes_later_batches_smaller():
    assert act(TooLarge(trace(413))) == Split(trace(413), smaller=True)
    assert act(Refused(trace(400), partly=False)) == Split(trace(400))


def test_the_wait_doubles_up_to_a_minute_and_jitter_takes_any_share_of_it():
    waits = [act(Unavailable(BARE), attempt=attempt).after for attempt in (1, 2, 3, 8, 9, 1_000)]

    assert waits == [0.5, 1, 2, LONGEST_WAIT, LONGEST_WAIT, LONGEST_WAIT]
    assert act(Unavailable(BARE), attempt=3, jitter=0.25) == Retry(0.5, reason="why")


def test_a_wait_that_pinterest_asks_for_is_kept_exactly():
    assert act(Unavailable(BARE, 67.0), attempt=9, jitter=0.0) == Retry(67.0, reason="why")


def test_come_at_once_is_believed_once_and_then_it_backs_off():
    """Else eight threads would call as fast as the rate limit lets them, for ten minutes."""
    assert act(Unavailable(BARE, 0.0), attempt=1) == Retry(0.0, reason="why")
    assert act(Unavailable(BARE, 0.0), attempt=3) == Retry(2.0, reason="why")
    assert act(OutcomeUnknown(BARE, 0.0), attempt=3) == Retry(2.0, reason="why")


def test_the_error_says_when_to_come_again():
    action = act(Unavailable(trace(429), 67_150.0, for_all=True))

    assert isinstance(action, Stop)
    assert isinstance(action.error, UnavailableError)
    assert action.error.retry_after == 67_150
    assert "67150 seconds" in str(action.error)
    assert (action.error.status, action.error.code, action.error.request_id) == (429, 1, "rid")


def test_the_error_without_a_time_names_none():
    action = act(Unavailable(trace(503)), time_left=0.0)

    assert isinstance(action, Stop)
    assert isinstance(action.error, UnavailableError)
    assert action.error.retry_after is None


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "access token"),
        (402, "billing"),
        (403, "ads:write"),
        (404, "ad_account_id"),
        (405, "host"),
        (406, "format"),
        (407, "HTTPS_PROXY"),
        (410, "ad_account_id"),
        (411, "format"),
        (414, "host"),
        (415, "format"),
        (417, "format"),
        (418, "gateway"),
        (426, "format"),
        (428, "format"),
        (431, "headers"),
        (451, "legal reasons"),
        (501, "format"),
        (505, "format"),
        (511, "login"),
        (300, "redirect"),
        (307, "redirect"),
    ],
)
def test_being_denied_says_what_to_change(status, words):
    action = act(AccessDenied(trace(status)))

    assert isinstance(action, Stop)
    assert isinstance(action.error, CredentialError)
    assert words in str(action.error)
    assert "x-pinterest-rid rid" in str(action.error)
    assert action.error.status == status


def test_what_cannot_be_reached_is_named_with_what_failed():
    action = act(Unavailable(Trace(message="DNS lookup failed", host="api.example.com")), time_left=0.0)

    assert isinstance(action, Stop)
    assert isinstance(action.error, UnavailableError)
    assert str(action.error).startswith("Cannot connect to api.example.com: DNS lookup failed.\nWhat to do: Check")


def test_an_answer_that_did_not_come_names_the_host():
    action = act(OutcomeUnknown(Trace(message="connection reset", host="api.example.com")), time_left=0.0)

    assert isinstance(action, Stop)
    assert "The request to api.example.com got no complete answer: connection reset." in str(action.error)


def test_settings_that_cannot_work_say_what_to_change():
    action = act(Misconfigured(Trace(message="set REQUESTS_CA_BUNDLE", host="api.example.com")))

    assert isinstance(action, Stop)
    assert isinstance(action.error, ConfigurationError)
    assert str(action.error) == "Cannot connect to api.example.com: set REQUESTS_CA_BUNDLE."


TRACES = st.builds(Trace, st.none() | st.integers(100, 599), st.none(), st.text(max_size=5), st.none())
WAITS = st.none() | st.floats(0, 1e9)
ANSWERS = (
    st.just(LISTED)
    | st.builds(Refused, TRACES, st.booleans())
    | st.builds(AccessDenied, TRACES)
    | st.builds(Misconfigured, TRACES)
    | st.builds(TooLarge, TRACES)
    | st.builds(Unavailable, TRACES, WAITS, st.booleans())
    | st.builds(OutcomeUnknown, TRACES, WAITS)
)
SITUATIONS = st.builds(
    Situation,
    events=st.integers(1, 1000),
    attempt=st.integers(1, 10_000),
    kind=st.sampled_from(Deduplicability),
    time_left=st.floats(-10, 1e4),
    renewable=st.booleans(),
)
JITTER = st.floats(0, 1, exclude_max=True)


@given(ANSWERS, SITUATIONS, JITTER)
def test_no_wait_is_longer_than_the_time_left(answer, now, jitter):
    action = decide(answer, now, lambda: jitter)

    if isinstance(action, Retry):
        assert 0 <= action.after <= now.time_left


@given(ANSWERS, SITUATIONS, JITTER)
def test_what_cannot_be_deduplicated_and_may_have_arrived_is_never_sent_again(answer, now, jitter):
    action = decide(answer, now, lambda: jitter)
    maybe_accepted = isinstance(answer, OutcomeUnknown) or (isinstance(answer, Refused) and answer.partly)

    if maybe_accepted and now.kind is not ALL:
        assert isinstance(action, HoldSome if now.kind is SOME else Hold)
    if isinstance(action, Hold | HoldSome):
        assert maybe_accepted


@given(ANSWERS, SITUATIONS, JITTER)
def test_nothing_is_given_up_that_could_be_cut_and_no_single_event_is_cut(answer, now, jitter):
    action = decide(answer, now, lambda: jitter)

    if isinstance(action, Isolated):
        assert now.events == 1
    if isinstance(action, Split):
        assert now.events > 1


@given(ANSWERS, SITUATIONS, JITTER, st.floats(0, 1e4))
def test_more_time_never_turns_a_retry_into_a_stop(answer, now, jitter, more):
    less_time = decide(answer, now, lambda: jitter)
    more_time = decide(
        answer,
        Situation(now.events, now.attempt, now.kind, now.time_left + more, now.renewable),
        lambda: jitter,
    )

    if not isinstance(less_time, Stop):
        assert more_time == less_time


@given(
    st.builds(Unavailable, TRACES, st.just(None) | st.just(0.0))
    | st.builds(OutcomeUnknown, TRACES, st.just(None) | st.just(0.0)),
    st.floats(0, 600),
    st.integers(0, 2**32),
)
def test_asking_again_and_again_ends(answer, time_left, seed):
    """On a clock that only the waits move."""
    chance = random.Random(seed)  # noqa: S311
    attempt = 0
    while True:
        attempt += 1
        action = decide(answer, situation(attempt=attempt, time_left=time_left), chance.random)
        if isinstance(action, Stop):
            return
        assert isinstance(action, Retry)
        time_left -= action.after
        assert attempt < 200


@pytest.mark.parametrize("events", [1, 2, 3, 999, 1000])
def test_bisecting_ends_after_ten_levels(events):
    levels = 0
    while isinstance(act(Refused(trace(400), partly=False), events=events), Split):
        events -= events // 2  # the larger half
        levels += 1

    assert events == 1
    assert levels <= 10
