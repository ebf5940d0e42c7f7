"""The button "Test" on a connection: what it says in each case, and that nothing is recorded."""

import re

import pytest

from airflow_provider_pinterest.hooks.pinterest import PinterestHook
from airflow_provider_pinterest.sandbox import Sandbox
from airflow_provider_pinterest.sandbox.tokens import Token
from harness.scripted_server import nobody_listening
from tests.running import impersonal, logged


def pressed():
    """Press the button; neither the words nor the log may hold a secret."""
    with logged() as log:
        good, words = PinterestHook().test_connection()
    assert impersonal(words)
    assert impersonal(log.getvalue())
    return good, words


def fails():
    """Press the button; it must say that the connection does not work, and why."""
    good, words = pressed()
    assert not good
    assert words
    return words


def test_a_good_token_is_good_and_nothing_is_recorded(pinterest):
    good, words = pressed()

    assert good
    assert words == f"Ad account {pinterest.ad_account_id} accepts events with this token."
    assert pinterest.copies() == {}
    [event] = pinterest.events(test=True)
    assert event.event["user_data"].keys() == {"em"}


def test_a_wrong_token_says_how_to_make_a_new_one(pinterest, connect):
    connect(pinterest, password="pina_wrong")

    words = fails()

    assert "token is wrong or expired" in words
    assert "Generate token" in words
    assert "HTTP 401, code 2" in words
    assert f"x-pinterest-rid {pinterest.calls()[0].rid}" in words


def test_an_expired_oauth_token_is_refreshed_when_it_can_be(pinterest, oauth):
    pinterest.expire_tokens()

    assert pressed()[0]
    assert [call.status for call in pinterest.calls()] == [401, 200, 200]


def test_a_refresh_that_is_refused_says_what_to_check(pinterest, oauth):
    oauth(app_secret="wrong")
    pinterest.expire_tokens()

    words = fails()

    assert "could not be refreshed (HTTP 401)" in words
    assert "app_secret" in words


def test_somebody_else_s_account_says_which_roles_are_needed(pinterest, connect):
    pinterest.add_token(Token("pina_mine", ad_account_ids=frozenset({"111"})))
    connect(pinterest, password="pina_mine")

    words = fails()

    assert "HTTP 403, code 29" in words
    assert "Owner, Admin, Analyst, Audience or Campaign" in words


def test_a_missing_scope_is_named(pinterest, connect):
    pinterest.add_token(Token("pina_reader", kind="oauth", scopes=frozenset({"ads:read"})))
    connect(pinterest, password="pina_reader")

    words = fails()

    assert "HTTP 403, code 3" in words
    assert "ads:write" in words


def test_nobody_listening_says_to_check_network_and_host(connect):
    with nobody_listening() as url:
        connect(host=url, password="pina_x", extra={"ad_account_id": "1"})

        words = fails()

    assert re.search(r"Cannot connect to 127\.0\.0\.1:\d+: connection refused", words)
    assert "Check the worker's network" in words


def test_a_redirect_is_not_followed_and_the_host_is_blamed(pinterest):
    with Sandbox() as elsewhere:
        pinterest.fault("redirect", location=f"{elsewhere.url}/ad_accounts/1/events")

        words = fails()

        assert elsewhere.calls() == []
    assert "redirect" in words
    assert "host" in words
    assert len(pinterest.calls()) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_or_broken_server_is_told_apart_from_a_wrong_token(pinterest, status):
    pinterest.fault("status", status=status)

    words = fails()

    assert f"HTTP {status}" in words
    assert "cannot accept events now" in words
    assert "token is wrong" not in words
    assert len(pinterest.calls()) == 1


@pytest.mark.parametrize("form", ["json", "html", "empty", "short_list", "long_list", "no_list"])
def test_an_answer_that_is_not_pinterest_s_is_no_success(pinterest, form):
    """A captive portal or a proxy's log-in page also answers 200."""
    pinterest.fault("malformed", form=form)

    fails()


def test_a_wrong_path_in_the_host_is_a_wrong_host(pinterest, connect):
    connect(pinterest, host=pinterest.url + "/v6")

    words = fails()

    assert "HTTP 404" in words
    assert "host" in words


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ({"password": None}, "access token"),
        ({"extra": {"ad_account_id": None}}, "ad_account_id"),
        ({"host": "http://api.pinterest.com/v5"}, "https"),
        ({"host": "https://[::1"}, "host"),
    ],
)
def test_a_connection_that_lacks_something_is_said_to_and_nothing_is_sent(pinterest, connect, missing, named):
    connect(pinterest, **missing)

    words = fails()

    assert named in words
    assert pinterest.calls() == []
