"""OAuth tokens that expire while they are used."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from airflow_provider_pinterest.api.client import Client
from airflow_provider_pinterest.api.credentials import Credential, Tokens
from airflow_provider_pinterest.api.rate_limit import Stopped
from airflow_provider_pinterest.api.responses import Unavailable
from airflow_provider_pinterest.exceptions import CredentialError, UnavailableError
from airflow_provider_pinterest.hooks import pinterest as hook_module
from airflow_provider_pinterest.hooks.pinterest import PinterestHook
from airflow_provider_pinterest.redaction import Secret
from harness.scripted_server import ScriptedReply, serving
from tests.running import deliver, ids, logged, rows
from tests.waiting import until

TOKEN_PATH = "/v5/oauth/token"


def refreshes(pinterest):
    return pinterest.calls(path=TOKEN_PATH)


def test_an_expired_token_is_refreshed_once_and_every_event_arrives_once(pinterest, oauth):
    pinterest.expire_tokens()

    ran = deliver(events=rows(30), batch_size=10, max_in_flight=1)

    assert ran.error is None
    assert pinterest.copies() == ids(30)
    assert [call.status for call in pinterest.calls()] == [401, 200, 200, 200, 200]
    assert (ran["calls"], ran["retries"]) == (4, 1)


def test_batches_that_meet_an_expired_token_at_once_refresh_it_once(pinterest, oauth):
    pinterest.expire_tokens()
    pinterest.fault("delay", seconds=0.1, times=8)

    assert deliver(events=rows(80), batch_size=10, max_in_flight=8).error is None
    assert pinterest.copies() == ids(80)
    assert len(refreshes(pinterest)) == 1


def test_a_token_that_expires_in_the_middle_is_refreshed(pinterest, oauth, warehouse):
    """The 401 comes with the second batch."""
    pinterest.fault("status", status=401, after=1, times=1)

    assert deliver(events=rows(30), batch_size=10).error is None
    assert pinterest.copies() == ids(30)
    assert len(refreshes(pinterest)) == 1


def test_a_new_token_that_is_refused_too_ends_the_run_after_one_refresh(pinterest, oauth):
    pinterest.fault("status", status=401)

    ran = deliver(events=rows(30), batch_size=10)

    assert isinstance(ran.error, CredentialError)
    assert ran.error.status == 401
    assert len(refreshes(pinterest)) == 1
    assert pinterest.copies() == {}
    assert ran["rows_not_sent"] == ran["rows_read"] > 0


def test_the_tokens_that_pinterest_issues_are_masked_from_logs(pinterest, oauth, monkeypatch):
    masked: list[str] = []
    monkeypatch.setattr(hook_module, "mask_secret", masked.append)
    pinterest.settings(rotate_refresh_token=True)
    pinterest.expire_tokens()

    hook = PinterestHook()
    client = hook.get_conn()
    client.renew(client.credential.token)
    client.close()

    issued = client.credential.token.reveal()
    assert issued != pinterest.oauth_token
    assert {pinterest.oauth_token, pinterest.refresh_token, pinterest.app_secret, issued} <= set(masked)
    refresh = client.credential._tokens.refresh
    assert refresh is not None
    assert refresh.reveal() in masked
    assert refresh != Secret(pinterest.refresh_token)
    assert issued not in repr(client.credential)


def test_a_token_pasted_with_a_line_break_is_masked_as_it_is_sent(pinterest, connect, monkeypatch):
    masked: list[str] = []
    monkeypatch.setattr(hook_module, "mask_secret", masked.append)
    connect(pinterest, password=f"{pinterest.token}\n")

    client = PinterestHook().get_conn()
    client.close()

    assert client.credential.token.reveal() in masked


def test_a_refreshed_token_never_stands_in_a_log(pinterest, oauth):
    """``deliver`` looks at all that any library logs, from DEBUG on."""
    pinterest.expire_tokens()

    ran = deliver(events=rows(1))

    assert ran.error is None
    assert "oauth/token" in ran.log


def test_a_refresh_token_that_was_replaced_is_used_the_next_time(pinterest, oauth):
    pinterest.settings(rotate_refresh_token=True)
    client = PinterestHook().get_conn()

    for _ in range(2):
        client.renew(client.credential.token)
    client.close()

    assert [call.status for call in refreshes(pinterest)] == [200, 200]


def test_threads_that_meet_the_same_expired_token_refresh_it_once(pinterest, oauth):
    client = PinterestHook().api_connection().client(connections=8)
    used = client.credential.token

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: client.renew(used), range(8)))
    client.close()

    assert len(refreshes(pinterest)) == 1


@pytest.mark.parametrize("extra", [{"app_secret": "wrong"}, {"refresh_token": "pinr_old"}, {"app_id": "1"}])
def test_a_refresh_that_is_refused_says_what_to_check_and_nothing_is_sent(pinterest, oauth, extra):
    oauth(**extra)
    pinterest.expire_tokens()

    ran = deliver(events=rows(30), batch_size=10)

    assert isinstance(ran.error, CredentialError)
    assert ran.error.status == 401
    assert "could not be refreshed" in ran.said
    assert "refresh_token" in ran.said
    assert len(refreshes(pinterest)) == 1
    assert ran["events_sent"] == 0


@pytest.mark.parametrize("missing", ["app_id", "app_secret", "refresh_token"])
def test_without_all_it_takes_no_refresh_is_tried(pinterest, oauth, missing):
    oauth(**{missing: None})
    pinterest.expire_tokens()

    ran = deliver(events=rows(1))

    assert isinstance(ran.error, CredentialError)
    assert "Generate token" in ran.said
    assert refreshes(pinterest) == []


@pytest.mark.parametrize(
    "body",
    ["", "<html>", "[]", '"text"', "{}", '{"access_token": null}', '{"access_token": 5}', '{"access_token": ""}'],
)
def test_an_answer_without_a_token_is_a_failed_refresh(pinterest, oauth, body):
    pinterest.expire_tokens()
    pinterest.fault("status", on="token", status=200, body=body)

    ran = deliver(events=rows(1))

    assert isinstance(ran.error, CredentialError)
    assert "could not be refreshed" in ran.said
    assert len(pinterest.calls()) == 2


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("status", {"status": 500}),
        ("status", {"status": 503}),
        ("status", {"status": 429, "headers": {"Retry-After": "0"}}),
        ("status", {"status": 408}),
        ("drop", {}),
    ],
)
def test_a_token_endpoint_that_is_away_for_a_moment_is_asked_again(pinterest, oauth, kind, options):
    pinterest.expire_tokens()
    pinterest.fault(kind, on="token", times=1, **options)

    ran = deliver(events=rows(20), batch_size=10)

    assert ran.error is None
    assert pinterest.copies() == ids(20)
    assert len(refreshes(pinterest)) == 2
    assert (ran["calls"], ran["retries"]) == (3, 1)


def test_a_token_endpoint_that_stays_away_is_no_fault_of_the_credential(pinterest, oauth):
    pinterest.expire_tokens()
    pinterest.fault("status", on="token", status=429, headers={"Retry-After": "7200"})

    ran = deliver(events=rows(20), batch_size=10)

    assert isinstance(ran.error, UnavailableError)
    assert ran.error.retry_after == 7200
    assert "access token" in ran.said
    assert ran["rows_not_sent"] == 20
    assert len(refreshes(pinterest)) == 1


def test_a_token_endpoint_that_drips_is_cut_off(pinterest, oauth):
    pinterest.fault("drip", on="token", seconds=0.2)
    client = PinterestHook().get_conn()
    client._timeouts = (1.0, 1.0, 0.3)

    found = client.renew(client.credential.token)
    client.close()

    assert isinstance(found, Unavailable)
    assert "0.3 seconds" in found.trace.message


def test_whoever_waits_for_a_token_is_cut_off_by_an_abort():
    with serving(ScriptedReply(pause=0)) as silent:
        credential = Credential(Tokens(Secret("old"), Secret("r"), "7", Secret("s")))
        client = Client(silent.url, credential, connections=8)
        with ThreadPoolExecutor(8) as threads:
            waiting = [threads.submit(client.renew, Secret("old")) for _ in range(8)]
            until(lambda: silent.requests)
            client.abort()
            found = [one.exception(timeout=5) or one.result() for one in waiting]
        client.close()

        assert all(isinstance(one, Unavailable | Stopped) for one in found)
        assert len(silent.requests) == 1


def test_a_redirect_of_the_token_endpoint_is_not_followed(pinterest, oauth):
    """It would carry the app's secret elsewhere."""
    pinterest.expire_tokens()
    with serving(ScriptedReply(200, b'{"access_token": "pina_evil"}')) as elsewhere:
        pinterest.fault("redirect", on="token", location=f"{elsewhere.url}/oauth/token")

        ran = deliver(events=rows(1))

        assert elsewhere.requests == []
    assert isinstance(ran.error, CredentialError)


def test_an_app_id_written_as_a_number_is_as_good_as_text(pinterest, oauth):
    oauth(app_id=int(pinterest.app_id))
    pinterest.expire_tokens()

    assert deliver(events=rows(1)).error is None
    assert pinterest.copies() == ids(1)


def test_the_app_s_secret_goes_to_the_token_endpoint_only(connect):
    """And the refresh token too; the events endpoint sees the access token alone."""
    with serving(
        ScriptedReply(401, b"{}"), ScriptedReply(200, b'{"access_token": "pina_new"}'), ScriptedReply()
    ) as listener:
        connect(
            host=listener.url,
            password="pina_old",
            extra={"ad_account_id": "1", "app_id": "7", "app_secret": "shh", "refresh_token": "pinr_1"},
        )
        assert deliver(events=rows(1)).error is None

    first, refresh, second = listener.requests
    assert refresh.path == TOKEN_PATH
    assert b"pinr_1" in refresh.body
    assert first.headers["Authorization"] == "Bearer pina_old"
    assert second.headers["Authorization"] == "Bearer pina_new"
    for request in (first, second):
        assert b"pinr_1" not in request.body
        assert orjson.loads(request.body)["data"]


def test_a_credential_prints_as_stars():
    credential = Credential(Tokens(Secret("pina_x"), Secret("pinr_y"), "1", Secret("z")))

    assert repr(credential) == str(credential) == f"{credential}" == "Credential(***)"
    with logged() as log:
        logging.getLogger("any").info("%r %s", credential, credential)
    assert log.getvalue() == "Credential(***) Credential(***)\n"
