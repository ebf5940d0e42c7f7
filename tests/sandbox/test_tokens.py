"""Who may do what, and how tokens are refreshed."""

import pytest
import requests

from airflow_provider_pinterest.sandbox import Sandbox
from airflow_provider_pinterest.sandbox.tokens import Token

APP = (Sandbox.app_id, Sandbox.app_secret)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def refresh(pinterest, session):
    def post(auth=APP, token=Sandbox.refresh_token, **form):
        data = {"grant_type": "refresh_token", "refresh_token": token} | form
        return session.post(f"{pinterest.url}/oauth/token", data=data, auth=auth, timeout=5)

    return post


@pytest.fixture
def account(pinterest, session):
    def get(token, ad_account_id="549755885175"):
        url = f"{pinterest.url}/ad_accounts/{ad_account_id}"
        return session.get(url, headers=bearer(token), timeout=5)

    return get


@pytest.mark.parametrize("headers", [{}, bearer("pina_wrong"), {"Authorization": "Basic pina_sandbox"}])
def test_a_missing_or_unknown_token_fails(pinterest, send, event, headers):
    """Whatever is no known bearer token answers 401 with code 2 and a request id."""
    answer = send(event(), token=None, headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {"code": 2, "message": "Authentication failed."}
    assert answer.headers["x-pinterest-rid"] == pinterest.calls()[0].rid


def test_an_expired_token_fails(pinterest, send, event):
    """A conversion token can be expired by name."""
    assert pinterest.expire_tokens(Sandbox.token) == 1
    assert send(event()).status_code == 401


def test_a_token_may_be_bound_to_accounts(pinterest, send, event):
    """On another account it answers 403 with code 29."""
    pinterest.add_token(Token("pina_bound", ad_account_ids=frozenset({"1"})))
    assert send(event(), token="pina_bound", account="1").status_code == 200
    refused = send(event(), token="pina_bound", account="2")
    assert (refused.status_code, refused.json()["code"]) == (403, 29)


def test_accounts_may_be_limited(pinterest, send, event, account):
    """With a list of accounts, others do not exist, for senders and readers alike."""
    pinterest.settings(ad_account_ids=("1",))
    assert send(event(), account="1").status_code == 200
    assert send(event(), account="2").status_code == 404
    assert send(event(), account="2").json() == account(Sandbox.oauth_token, "2").json()
    assert account(Sandbox.oauth_token, "2").status_code == 404


def test_a_token_without_the_scope_is_refused(pinterest, send, event, control):
    """An OAuth token that may only read answers 403 with code 3."""
    control("POST", "tokens", json={"token": "pina_reader", "kind": "oauth", "scopes": ["ads:read"]})
    refused = send(event(), token="pina_reader")
    assert (refused.status_code, refused.json()["code"]) == (403, 3)


def test_a_conversion_token_sends_and_nothing_else(pinterest, account, session):
    """Reading an account or minting a token with it answers 403 with code 3."""
    minting = session.post(f"{pinterest.url}/oauth/conversion_token", headers=bearer(Sandbox.token), timeout=5)
    for refused in (account(Sandbox.token), minting):
        assert (refused.status_code, refused.json()["code"]) == (403, 3)


def test_an_account_is_read_with_oauth(account):
    """The account's id, currency and permissions come back."""
    answer = account(Sandbox.oauth_token)
    assert answer.status_code == 200
    assert answer.json()["id"] == "549755885175"
    assert answer.json()["currency"] == "USD"
    assert account(Sandbox.oauth_token, "x").status_code == 400


def test_an_expired_oauth_token_is_refreshed(pinterest, send, event, refresh, control):
    """After all OAuth tokens expired, a refresh gives a new one that sends and reads."""
    assert send(event(), token=Sandbox.oauth_token).status_code == 200
    assert control("POST", "tokens/expire") == {"expired": 1}
    assert send(event(), token=Sandbox.oauth_token).status_code == 401
    answer = refresh().json()
    assert answer["token_type"] == "bearer"
    assert answer["expires_in"] == 30 * 24 * 3600
    assert answer["scope"] == "ads:read ads:write"
    assert answer["refresh_token"] == Sandbox.refresh_token
    assert answer["refresh_token_expires_at"] > answer["refresh_token_expires_in"]
    assert send(event(), token=answer["access_token"]).status_code == 200
    assert send(event()).status_code == 200, "the conversion token does not expire with them"


def test_a_refresh_token_may_be_replaced(pinterest, refresh):
    """With rotation on, each refresh makes the old refresh token useless."""
    pinterest.settings(rotate_refresh_token=True)
    replacement = refresh().json()["refresh_token"]
    assert replacement != Sandbox.refresh_token
    assert refresh().status_code == 401
    assert refresh(token=replacement).status_code == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"auth": None}, 401),
        ({"auth": ("1234567", "wrong")}, 401),
        ({"token": "pinr_wrong"}, 401),
        ({"token": None}, 400),
        ({"grant_type": "authorization_code"}, 400),
        ({"grant_type": "client_credentials"}, 400),
    ],
)
def test_a_wrong_refresh_is_refused(refresh, changes, status):
    """Wrong app, wrong refresh token, missing fields, or a grant this sandbox does not know."""
    assert refresh(**changes).status_code == status


def test_a_client_is_granted_its_scope(refresh, account):
    """Client credentials give a token with the scope asked for and no refresh token."""
    answer = refresh(grant_type="client_credentials", scope="ads:read").json()
    assert answer["scope"] == "ads:read"
    assert "refresh_token" not in answer
    assert account(answer["access_token"]).status_code == 200


def test_a_conversion_token_is_minted(pinterest, send, event, session):
    """An OAuth token that may write makes a conversion token."""
    url = f"{pinterest.url}/oauth/conversion_token"
    answer = session.post(url, headers=bearer(Sandbox.oauth_token), timeout=5).json()
    assert answer["token_type"] == "conversion"
    assert send(event(), token=answer["access_token"]).status_code == 200


def test_tokens_expire_with_time(event):
    """By the sandbox's clock, an OAuth token lives thirty days."""
    now = [1_800_000_000.0]
    with Sandbox(clock=lambda: now[0]) as pinterest:
        data = {"grant_type": "refresh_token", "refresh_token": pinterest.refresh_token}
        minted = requests.post(f"{pinterest.url}/oauth/token", data=data, auth=APP, timeout=5).json()
        read = f"{pinterest.url}/ad_accounts/1"
        assert requests.get(read, headers=bearer(minted["access_token"]), timeout=5).status_code == 200
        now[0] += minted["expires_in"]
        assert requests.get(read, headers=bearer(minted["access_token"]), timeout=5).status_code == 401


def test_a_wrong_token_is_told(control):
    """An invalid token is refused, and the message lists the keys of a token."""
    assert "a token has" in control("POST", "tokens", json={"value": "x"}, status=400)["message"]
    wrong_kind = control("POST", "tokens", json={"token": "x", "kind": "magic"}, status=400)
    assert wrong_kind["message"] == "kind must be conversion or oauth"


def test_a_token_s_repr_hides_it():
    """No token ends up in a log by accident."""
    assert "pina_secret" not in repr(Token("pina_secret"))
