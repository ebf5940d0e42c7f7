"""One call within the rate limit: made again where that is safe, reported where it is not."""

from __future__ import annotations

import threading
import time

import pytest

from airflow_provider_pinterest.api.client import Client
from airflow_provider_pinterest.api.credentials import Credential, Tokens
from airflow_provider_pinterest.api.interruptible import Stopped
from airflow_provider_pinterest.api.limited_call import call_limited
from airflow_provider_pinterest.api.rate_limit import RateLimiter
from airflow_provider_pinterest.api.request import Request
from airflow_provider_pinterest.api.responses import (
    AccessDenied,
    OutcomeUnknown,
    Trace,
    Unavailable,
    json_object,
    trace_of,
    without_result,
)
from airflow_provider_pinterest.redaction import Secret
from harness.scripted_server import ScriptedReply, serving

FINE = ScriptedReply(200, b'{"id":"1"}')
NOW = {"Retry-After": "0.01"}


def read(reply, now):
    document = json_object(reply)
    return dict(document) if reply.status == 200 else without_result(reply, trace_of(reply, document), now)


def call(server, request=None, *, repeatable=True, reread=None, limiter=None, client=None, **options):
    client = client or Client(server.url, Credential(Tokens(Secret("first")), reread=reread))
    return call_limited(
        client,
        limiter or RateLimiter(server.url),
        "123",
        request or Request("/things", method="GET"),
        read,
        repeatable=repeatable,
        jitter=lambda: 0.0,
        **options,
    )


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_request_without_a_body_says_nothing_about_one(method):
    with serving(FINE) as server:
        assert call(server, Request("/things?page_size=2", method=method)) == {"id": "1"}

    (received,) = server.requests
    assert (received.method, received.path, received.body) == (method, "/v5/things?page_size=2", b"")
    assert "Content-Type" not in received.headers
    assert "Content-Length" not in received.headers


def test_a_post_carries_its_body():
    with serving(FINE) as server:
        assert call(server, Request("/things", lambda: b'{"a":1}'), repeatable=False) == {"id": "1"}

    (received,) = server.requests
    assert (received.method, received.body, received.headers["Content-Type"]) == (
        "POST",
        b'{"a":1}',
        "application/json",
    )


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("repeatable", [True, False])
def test_a_call_that_was_not_processed_is_made_again(status, repeatable):
    with serving(ScriptedReply(status, b"{}", NOW), FINE) as server:
        assert call(server, repeatable=repeatable) == {"id": "1"}

    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [408, 500, 502, 504])
def test_an_unknown_outcome_is_followed_by_another_call_only_if_that_is_safe(status):
    with serving(ScriptedReply(status, b"{}", NOW), FINE) as server:
        assert call(server, repeatable=True) == {"id": "1"}
    with serving(ScriptedReply(status, b"{}", NOW), FINE) as other:
        assert isinstance(call(other, repeatable=False), OutcomeUnknown)

    assert (len(server.requests), len(other.requests)) == (2, 1)


def test_a_call_that_must_not_be_repeated_uses_a_connection_of_its_own():
    with serving(FINE) as server:
        client = Client(server.url, Credential(Tokens(Secret("first"))))
        for _ in range(2):
            call(server, repeatable=False, client=client)
        assert server.connections == 2
        for _ in range(2):
            call(server, client=client)
        client.close()

    assert server.connections == 3


def test_a_refused_token_is_replaced_once():
    with serving(ScriptedReply(401, b"{}"), FINE) as server:
        assert call(server, repeatable=False, reread=lambda: Tokens(Secret("second"))) == {"id": "1"}
    with serving(ScriptedReply(401, b"{}")) as other:
        answer = call(other, reread=lambda: Tokens(Secret("second")))

    assert [one.headers["Authorization"] for one in server.requests] == ["Bearer first", "Bearer second"]
    assert isinstance(answer, AccessDenied)
    assert [one.headers["Authorization"] for one in other.requests] == ["Bearer first", "Bearer second"]


def test_a_refusal_that_no_new_token_can_help_is_one_call():
    with serving(ScriptedReply(403, b"{}")) as server:
        assert isinstance(call(server), AccessDenied)

    assert len(server.requests) == 1


def test_a_wait_beyond_the_deadline_is_not_begun():
    with serving(ScriptedReply(503, b"{}", {"Retry-After": "60"})) as server:
        began = time.monotonic()
        answer = call(server, max_wait=5)

    assert isinstance(answer, Unavailable)
    assert answer.retry_after == 60
    assert (len(server.requests), time.monotonic() - began < 4) == (1, True)


def test_repeated_failures_end_at_the_deadline():
    clock = iter(range(100_000))
    with serving(ScriptedReply(503, b"{}")) as server:
        answer = call(server, max_wait=20, clock=lambda: float(next(clock)))

    assert isinstance(answer, Unavailable)
    assert 2 <= len(server.requests) <= 12


def test_a_full_rate_limit_ends_the_call_at_the_deadline_without_a_request():
    with serving(FINE) as server:
        limiter = RateLimiter(server.url, calls_per_minute=1)
        assert call(server, limiter=limiter) == {"id": "1"}
        answer = call(server, limiter=limiter, max_wait=0.2)

    assert answer == Unavailable(Trace(message="the rate limit leaves no room for the call"))
    assert len(server.requests) == 1


def test_a_busy_account_pauses_its_other_calls():
    with serving(ScriptedReply(429, b"{}", {"Retry-After": "0.2"}), FINE) as server:
        limiter = RateLimiter(server.url)
        began = time.monotonic()
        call(server, limiter=limiter)

        assert time.monotonic() - began >= 0.2
        assert limiter.wait("123", seconds=0)


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_stop_ends_the_wait(repeatable):
    with serving(ScriptedReply(503, b"{}", {"Retry-After": "60"})) as server:
        limiter = RateLimiter(server.url)
        threading.Timer(0.1, limiter.stop.set).start()
        began = time.monotonic()
        with pytest.raises(Stopped):
            call(server, limiter=limiter, repeatable=repeatable)

    assert time.monotonic() - began < 5


def test_a_call_that_is_aborted_halfway_is_reported_and_not_repeated():
    with serving(ScriptedReply(200, b'{"id":"1"}', pause=3)) as server:
        client = Client(server.url, Credential(Tokens(Secret("first"))))
        threading.Timer(0.2, client.abort).start()

        assert isinstance(call(server, client=client, repeatable=False), OutcomeUnknown)
    assert len(server.requests) == 1
