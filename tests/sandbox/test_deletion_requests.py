"""Deletion requests: created, listed, followed and cancelled as Pinterest's description 5.28.0 says."""

from __future__ import annotations

import datetime as dt

import pytest
import requests

from airflow_provider_pinterest.sandbox import Sandbox

ACCOUNT = "549755885175"
EMAILS = {"deletion_targets": {"user_emails": ["ada@example.com", "max@example.com"]}}
START = 1_800_000_000.0


@pytest.fixture
def ask(pinterest, session):
    """Call the endpoint; return the answer."""

    def call(method, path="", *, token=Sandbox.oauth_token, account=ACCOUNT, status=None, **options):
        answer = session.request(
            method,
            f"{pinterest.url}/ad_accounts/{account}/conversion_deletion_requests{path}",
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=5,
            **options,
        )
        assert status in (None, answer.status_code), answer.text
        return answer

    return call


def test_a_request_is_created_and_shown_without_its_people(pinterest, ask):
    created = ask("POST", json=EMAILS, status=201).json()
    shown = ask("GET", f"/{created['request_id']}", status=200)

    today = dt.datetime.now(dt.UTC).date().isoformat()
    assert created == {
        "request_id": created["request_id"],
        "status": "PENDING",
        "created_time": today,
        "processed_time": None,
    }
    assert created["request_id"].isdigit()
    assert shown.json() == created
    assert "@" not in shown.text
    assert [one.user_emails for one in pinterest.deletion_requests()] == [("ada@example.com", "max@example.com")]


def test_addresses_and_click_ids_may_come_together(pinterest, ask):
    ask("POST", json={"deletion_targets": {"user_emails": ["ada@example.com"], "epiks": ["dj0yJnU"]}}, status=201)

    (made,) = pinterest.deletion_requests()
    assert (made.user_emails, made.epiks) == (("ada@example.com",), ("dj0yJnU",))


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"deletion_targets": {}},
        {"deletion_targets": []},
        {"deletion_targets": {"user_emails": []}},
        {"deletion_targets": {"epiks": []}},
        {"deletion_targets": {"user_emails": ["ada@example.com"], "epiks": []}},
        {"deletion_targets": {"user_emails": "ada@example.com"}},
        {"deletion_targets": {"user_emails": [1]}},
        {"deletion_targets": {"user_emails": [None]}},
        {"deletion_targets": {"user_emails": ["f" * 64]}},
        {"deletion_targets": {"user_emails": [" ada@example.com"]}},
        {"deletion_targets": {"user_emails": ["Ada@example.com"]}},
        {"deletion_targets": {"epiks": [""]}},
        {"deletion_targets": {"emails": ["ada@example.com"]}},
        {"deletion_targets": {"user_emails": ["ada@example.com"], "phones": ["1"]}},
        {"deletion_targets": {"user_emails": ["ada@example.com"]}, "reason": "x"},
    ],
)
def test_a_body_that_the_description_does_not_allow_is_refused(pinterest, ask, body):
    refused = ask("POST", json=body, status=400)

    assert "example.com" not in refused.text
    assert pinterest.deletion_requests() == []


def test_the_body_must_be_json(ask):
    ask("POST", data=b"user_emails=1", status=400)


def test_a_longer_list_than_allowed_is_refused(pinterest, ask):
    pinterest.settings(max_deletion_targets=1)

    assert ask("POST", json=EMAILS, status=400).json()["message"] == "'user_emails' is too long"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_only_oauth_tokens_are_accepted(pinterest, ask, method):
    body = {"json": EMAILS} if method == "POST" else {}

    assert ask(method, token=Sandbox.token, **body, status=403).json()["code"] == 3
    ask(method, token="wrong", **body, status=401)
    ask(method, token=None, **body, status=401)
    assert pinterest.deletion_requests() == []


def test_each_scope_opens_its_half(pinterest, ask, control):
    made = ask("POST", json=EMAILS).json()["request_id"]
    control("POST", "tokens", json={"token": "reader", "kind": "oauth", "scopes": ["ads:read"]})
    control("POST", "tokens", json={"token": "writer", "kind": "oauth", "scopes": ["ads:write"]})

    ask("GET", token="reader", status=200)
    ask("GET", f"/{made}", token="reader", status=200)
    ask("POST", json=EMAILS, token="reader", status=403)
    ask("DELETE", f"/{made}", token="reader", status=403)
    ask("GET", token="writer", status=403)
    ask("DELETE", f"/{made}", token="writer", status=204)


def test_accounts_are_apart(pinterest, ask):
    made = ask("POST", json=EMAILS).json()["request_id"]
    pinterest.settings(ad_account_ids=(ACCOUNT, "2"))

    ask("GET", f"/{made}", account="2", status=404)
    assert ask("GET", account="2", status=200).json()["items"] == []
    ask("POST", json=EMAILS, account="3", status=404)
    ask("POST", json=EMAILS, account="x", status=400)
    ask("GET", "/x", status=400)


def test_a_pending_request_can_be_cancelled_once(ask):
    made = ask("POST", json=EMAILS).json()["request_id"]

    assert ask("DELETE", f"/{made}", status=204).content == b""
    assert ask("GET", f"/{made}").json()["status"] == "CANCELLED"
    ask("DELETE", f"/{made}", status=400)
    ask("DELETE", "/1", status=404)


def test_a_request_is_handed_over_after_72_hours():
    now = [START]
    with Sandbox(clock=lambda: now[0]) as pinterest:
        url = f"{pinterest.url}/ad_accounts/{ACCOUNT}/conversion_deletion_requests"

        def ask(method, path="", json=None):
            headers = {"Authorization": f"Bearer {Sandbox.oauth_token}"}
            return requests.request(method, f"{url}{path}", json=json, headers=headers, timeout=5)

        made = ask("POST", json=EMAILS).json()["request_id"]
        now[0] += 72 * 3600 - 1
        assert ask("GET", f"/{made}").json()["status"] == "PENDING"
        now[0] += 1
        shown = ask("GET", f"/{made}").json()

        assert (shown["status"], shown["processed_time"]) == ("SUBMITTED", "2027-01-18")
        assert ask("DELETE", f"/{made}").status_code == 400


def test_a_request_can_be_handed_over_at_once(pinterest, ask, control):
    first, second, third = (ask("POST", json=EMAILS).json()["request_id"] for _ in range(3))
    ask("DELETE", f"/{third}")

    assert pinterest.submit_deletion_requests(first) == 1
    assert control("POST", "deletion_requests/submit") == {"submitted": 1}
    listed = control("GET", "deletion_requests")["requests"]
    assert [(one["request_id"], one["status"]) for one in listed] == [
        (first, "SUBMITTED"),
        (second, "SUBMITTED"),
        (third, "CANCELLED"),
    ]


@pytest.mark.parametrize("order", ["ASCENDING", "DESCENDING"])
def test_the_list_comes_in_pages(ask, order):
    made = [ask("POST", json=EMAILS).json()["request_id"] for _ in range(5)]
    found, bookmark, pages = [], None, 0
    while pages == 0 or bookmark:
        page = ask("GET", params={"page_size": 2, "order": order, "bookmark": bookmark}, status=200).json()
        found += [one["request_id"] for one in page["items"]]
        bookmark, pages = page["bookmark"], pages + 1

    assert (found, pages) == (sorted(made, reverse=order == "DESCENDING"), 3)


@pytest.mark.parametrize(
    "query", [{"page_size": 0}, {"page_size": 251}, {"page_size": "x"}, {"order": "asc"}, {"bookmark": "x"}]
)
def test_a_wrong_query_is_refused(ask, query):
    ask("GET", params=query, status=400)


def test_faults_and_limits_apply(pinterest, ask):
    pinterest.fault("status", status=503, times=1, on="deletion_create")
    ask("GET", status=200)
    ask("POST", json=EMAILS, status=503)
    pinterest.fault("drop", times=1, on="deletion_create", after_accepting=True)
    with pytest.raises(requests.ConnectionError):
        ask("POST", json=EMAILS)
    assert len(pinterest.deletion_requests()) == 1
    pinterest.settings(calls_per_window=1)
    ask("POST", json=EMAILS, status=429)
    pinterest.clear()
    assert pinterest.deletion_requests() == []
