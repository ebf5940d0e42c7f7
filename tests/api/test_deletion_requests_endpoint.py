"""The endpoint for deletion requests: what each answer means, and what is sent."""

from __future__ import annotations

import pytest

from airflow_provider_pinterest.api.client import Client
from airflow_provider_pinterest.api.credentials import Credential, Tokens
from airflow_provider_pinterest.api.deletion_requests_endpoint import (
    Cancelled,
    DeletionPage,
    DeletionRequestsEndpoint,
    Missing,
    NotAccepted,
    checked_request_id,
)
from airflow_provider_pinterest.api.deletion_states import DeletionRequest
from airflow_provider_pinterest.api.rate_limit import RateLimiter
from airflow_provider_pinterest.api.responses import AccessDenied, OutcomeUnknown, TooLarge, Unavailable
from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.redaction import Secret
from harness.scripted_server import ScriptedReply, serving

MADE = b'{"request_id":"12","status":"PENDING","created_time":"2026-11-26","processed_time":null}'
SHOWN = DeletionRequest("12", "PENDING", "2026-11-26", None)


def endpoint(server):
    return DeletionRequestsEndpoint(
        Client(server.url, Credential(Tokens(Secret("token")))), RateLimiter(server.url), max_wait=0.0
    )


def create(reply):
    with serving(reply) as server:
        return endpoint(server).create("1", lambda: b"{}")


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("request_id", [b'"12"', b"12"])
def test_either_status_of_a_creation_is_one(status, request_id):
    body = MADE.replace(b'"12"', request_id)

    assert create(ScriptedReply(status, body)) == SHOWN


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"<html>", b'{"request_id":""}', b'{"request_id":"x/../1"}'])
@pytest.mark.parametrize("status", [200, 201])
def test_a_creation_without_an_id_is_of_unknown_outcome(status, body):
    assert isinstance(create(ScriptedReply(status, body)), OutcomeUnknown)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, NotAccepted),
        (422, NotAccepted),
        (401, AccessDenied),
        (403, AccessDenied),
        (404, AccessDenied),
        (307, AccessDenied),
        (413, TooLarge),
        (429, Unavailable),
        (503, Unavailable),
        (500, OutcomeUnknown),
        (504, OutcomeUnknown),
        (202, OutcomeUnknown),
    ],
)
def test_other_answers_to_a_creation(status, kind):
    assert isinstance(create(ScriptedReply(status, b"{}", {"Retry-After": "60"})), kind)


def test_unknown_statuses_and_dates_are_kept_as_text():
    body = b'{"request_id":"12","status":"DONE SOON","created_time":"2026-11-26T01:02:03Z","processed_time":"<b>"}'

    assert create(ScriptedReply(201, body)) == DeletionRequest("12", "DONE SOON", "2026-11-26T01:02:03Z", None)


def test_a_request_is_shown():
    with serving(ScriptedReply(200, MADE), ScriptedReply(404, b"{}"), ScriptedReply(200, b"{}")) as server:
        called = endpoint(server)
        assert called.get("1", "12") == SHOWN
        assert isinstance(called.get("1", "12"), Missing)
        assert isinstance(called.get("1", "12"), OutcomeUnknown)

    assert {(one.method, one.path) for one in server.requests} == {
        ("GET", "/v5/ad_accounts/1/conversion_deletion_requests/12")
    }


def test_pages_follow_the_bookmark():
    first = ScriptedReply(200, b'{"items":[%s],"bookmark":"a&b="}' % MADE)
    last = ScriptedReply(200, b'{"items":[%s,7,{}],"bookmark":null}' % MADE.replace(b"12", b"11", 1))
    with serving(first, last) as server:
        pages = list(endpoint(server).pages("1"))

    assert [[one.request_id for one in page.requests] for page in pages] == [["12"], ["11"]]
    assert [one.path.partition("?")[2] for one in server.requests] == [
        "page_size=250&order=DESCENDING",
        "page_size=250&order=DESCENDING&bookmark=a%26b%3D",
    ]


@pytest.mark.parametrize("bookmark", ["null", '""', "7"])
def test_a_page_without_a_bookmark_is_the_last(bookmark):
    with serving(ScriptedReply(200, f'{{"items":[],"bookmark":{bookmark}}}'.encode())) as server:
        assert list(endpoint(server).pages("1")) == [DeletionPage((), None)]


def test_a_bookmark_that_repeats_ends_the_list():
    with serving(ScriptedReply(200, b'{"items":[],"bookmark":"again"}')) as server:
        assert len(list(endpoint(server).pages("1"))) == 2


def test_a_failed_page_is_the_last():
    with serving(ScriptedReply(403, b"{}")) as server:
        (page,) = endpoint(server).pages("1")

    assert isinstance(page, AccessDenied)


@pytest.mark.parametrize("reply", [ScriptedReply(204, b""), ScriptedReply(200, MADE)])
def test_either_status_of_a_cancellation_is_one(reply):
    with serving(reply) as server:
        assert endpoint(server).cancel("1", "12") == Cancelled()

    assert [one.method for one in server.requests] == ["DELETE"]


@pytest.mark.parametrize("status", [400, 404, 409])
def test_a_cancellation_whose_answer_was_lost_is_found(status):
    cancelled = ScriptedReply(200, MADE.replace(b"PENDING", b"CANCELLED"))
    with serving(ScriptedReply(status, b"{}"), cancelled) as server:
        assert endpoint(server).cancel("1", "12") == Cancelled()


def test_a_request_that_is_submitted_cannot_be_cancelled():
    submitted = ScriptedReply(200, MADE.replace(b"PENDING", b"SUBMITTED"))
    with serving(ScriptedReply(409, b"{}"), submitted) as server:
        assert isinstance(endpoint(server).cancel("1", "12"), NotAccepted)
    with serving(ScriptedReply(404, b"{}"), ScriptedReply(404, b"{}")) as server:
        assert isinstance(endpoint(server).cancel("1", "12"), Missing)
    shown = ScriptedReply(200, MADE.replace(b"PENDING", b"SUBMITTED"))
    with serving(shown, shown) as server:
        assert isinstance(endpoint(server).cancel("1", "12"), NotAccepted)


@pytest.mark.parametrize("value", ["", "x", "1/2", "1" * 19, "\u0661", None])
def test_an_id_must_be_digits(value):
    with pytest.raises(ParameterError, match="1 to 18 digits"):
        checked_request_id(value)
