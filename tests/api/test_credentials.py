"""Tokens that are replaced while they are used: by whom, how often, and what the other threads do meanwhile."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from airflow_provider_pinterest.api import credentials as module
from airflow_provider_pinterest.api.credentials import Credential, Tokens
from airflow_provider_pinterest.api.rate_limit import Stopped
from airflow_provider_pinterest.api.responses import (
    AccessDenied,
    Misconfigured,
    OutcomeUnknown,
    Reply,
    Trace,
    Unavailable,
)
from airflow_provider_pinterest.exceptions import CredentialError, ParameterError
from airflow_provider_pinterest.redaction import Secret

OLD, NEW, NEWER = Secret("old"), Secret("new"), Secret("newer")
DENIED = AccessDenied(Trace(401, 2, "Authentication failed.", "rid"))
OAUTH = Tokens(OLD, Secret("refresh"), "7", Secret("app"))


class TokenEndpoint:
    """The token endpoint; keeps the refresh tokens that it was sent."""

    def __init__(self, *replies):
        self.replies = list(replies)
        self.forms = []
        self.basics = []

    def __call__(self, form, basic):
        self.forms.append({name: value.reveal() for name, value in form.items()})
        self.basics.append(basic())
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


class AirflowConnection:
    """What the Airflow connection holds now; counts how often it is read."""

    def __init__(self, tokens):
        self.tokens = tokens
        self.reads = 0

    def __call__(self):
        self.reads += 1
        if isinstance(self.tokens, Exception):
            raise self.tokens
        return self.tokens


def issues(token="new", **more):  # noqa: S107
    return Reply(200, {}, orjson.dumps({"access_token": token, **more}))


def renew(credential, used=OLD, ask=None, refused=DENIED, stop=None):
    return credential.renew(
        used, ask or TokenEndpoint(Reply(500, {}, b"")), refused=refused, stop=stop or threading.Event()
    )


# ---- the connection ----


def test_a_token_that_was_replaced_in_the_connection_is_used():
    connection = AirflowConnection(Tokens(NEW))
    credential = Credential(Tokens(OLD), reread=connection)

    assert credential.renewable
    assert renew(credential) is None
    assert credential.token == NEW
    assert credential.bearer() == "Bearer new"
    assert connection.reads == 1


def test_the_connection_is_read_once_for_each_refused_token():
    connection = AirflowConnection(Tokens(OLD))
    credential = Credential(Tokens(OLD), reread=connection)

    assert [renew(credential) for _ in range(5)] == [DENIED] * 5
    assert connection.reads == 1


def test_a_second_token_that_is_refused_is_looked_for_again():
    connection = AirflowConnection(Tokens(NEW))
    credential = Credential(Tokens(OLD), reread=connection)
    renew(credential)

    assert renew(credential, used=NEW) is DENIED
    assert connection.reads == 2

    connection.tokens = Tokens(NEWER)
    assert renew(credential, used=NEW) is DENIED, "it was refused, and read again for that once"


def test_a_token_that_was_refused_before_is_not_new():
    connection = AirflowConnection(Tokens(NEW))
    credential = Credential(Tokens(OLD), reread=connection)
    renew(credential)
    connection.tokens = Tokens(OLD)

    assert renew(credential, used=NEW) is DENIED


def test_a_token_that_is_only_too_old_does_not_make_the_connection_be_read():
    connection = AirflowConnection(Tokens(OLD))
    credential = Credential(Tokens(OLD), reread=connection)

    assert renew(credential, refused=None) is None
    assert connection.reads == 0


@pytest.mark.parametrize("error", [ParameterError("no token"), OSError("secrets backend"), KeyError("x")])
def test_a_connection_that_cannot_be_read_again_leaves_the_refusal(error, caplog):
    credential = Credential(Tokens(OLD), reread=AirflowConnection(error))

    assert renew(credential) is DENIED
    assert type(error).__name__ in caplog.text
    assert str(error) not in caplog.text


def test_a_secrets_backend_that_hangs_does_not_keep_a_stop_waiting():
    stop, release = threading.Event(), threading.Event()

    def hangs():
        release.wait(10)
        return Tokens(NEW)

    credential = Credential(Tokens(OLD), reread=hangs)
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(renew, credential, stop=stop) for _ in range(4)]
        time.sleep(0.05)
        started = time.monotonic()
        stop.set()
        assert all(isinstance(one.exception(timeout=5), Stopped) for one in waiting)
        assert time.monotonic() - started < 1
    release.set()


# ---- Pinterest ----


def test_an_oauth_token_is_refreshed_with_what_the_connection_holds():
    pinterest = TokenEndpoint(issues())
    credential = Credential(OAUTH)

    assert renew(credential, ask=pinterest) is None
    assert credential.token == NEW
    assert pinterest.forms == [{"grant_type": "refresh_token", "refresh_token": "refresh"}]
    assert pinterest.basics == ["Basic NzphcHA="]


def test_the_connection_is_looked_at_before_pinterest_is_asked():
    pinterest = TokenEndpoint(issues("newer"))
    credential = Credential(OAUTH, reread=AirflowConnection(Tokens(NEW)))

    assert renew(credential, ask=pinterest) is None
    assert credential.token == NEW
    assert pinterest.forms == []


def test_a_refresh_token_that_was_replaced_in_the_connection_is_used():
    pinterest = TokenEndpoint(issues())
    credential = Credential(OAUTH, reread=AirflowConnection(Tokens(OLD, Secret("second"), "8", Secret("app2"))))

    assert renew(credential, ask=pinterest) is None
    assert pinterest.forms[0]["refresh_token"] == "second"
    assert pinterest.basics == ["Basic ODphcHAy"]


def test_a_refresh_token_that_pinterest_replaced_is_not_undone_by_the_connection():
    pinterest = TokenEndpoint(issues(refresh_token="second"), issues("newer"))
    credential = Credential(OAUTH, reread=AirflowConnection(OAUTH))
    renew(credential, ask=pinterest)

    assert renew(credential, used=NEW, ask=pinterest) is None
    assert [form["refresh_token"] for form in pinterest.forms] == ["refresh", "second"]


def test_a_refresh_that_is_refused_is_asked_for_once():
    pinterest = TokenEndpoint(Reply(401, {}, b"{}"))
    credential = Credential(OAUTH)
    for _ in range(3):
        with pytest.raises(CredentialError, match="could not be refreshed"):
            renew(credential, ask=pinterest)

    assert len(pinterest.forms) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Unavailable(Trace(message="connection refused")),
        OutcomeUnknown(Trace(message="timed out")),
        Reply(429, {}, b""),
        Reply(503, {}, b""),
        Reply(200, {}, None),
    ],
)
def test_an_endpoint_that_is_away_is_asked_again(reply):
    pinterest = TokenEndpoint(reply, issues())
    credential = Credential(OAUTH)

    first = renew(credential, ask=pinterest)
    assert isinstance(first, Unavailable)
    assert "access token" in first.trace.message
    assert renew(credential, ask=pinterest) is None


def test_settings_that_cannot_work_are_passed_on():
    wrong = Misconfigured(Trace(message="set REQUESTS_CA_BUNDLE"))

    assert renew(Credential(OAUTH), ask=TokenEndpoint(wrong)) is wrong


SENSELESS: list[object] = [None, 0, -5, "3600", True, [], {}, 0.0]


@pytest.mark.parametrize("lifetime", SENSELESS)
def test_a_lifetime_that_makes_no_sense_causes_no_refresh(lifetime):
    now = [0.0]
    credential = Credential(OAUTH, clock=lambda: now[0])
    renew(credential, ask=TokenEndpoint(issues(expires_in=lifetime)))
    for now[0] in (0.0, 1.0, 1e9):
        assert not credential.expired


def test_an_answer_without_a_lifetime_causes_no_refresh():
    credential = Credential(OAUTH)
    renew(credential, ask=TokenEndpoint(issues()))

    assert not credential.expired


@pytest.mark.parametrize(
    ("lifetime", "expired_after"), [(1, 60), (0.001, 60), (66, 60), (1_000, 900), (2_592_000, 2_332_800)]
)
def test_a_token_is_replaced_after_nine_tenths_of_its_life_but_never_within_a_minute(lifetime, expired_after):
    now = [0.0]
    credential = Credential(OAUTH, clock=lambda: now[0])
    renew(credential, ask=TokenEndpoint(issues(expires_in=lifetime)))

    now[0] = expired_after - 0.1
    assert not credential.expired
    now[0] = expired_after
    assert credential.expired


def test_a_token_from_the_connection_has_no_known_lifetime():
    now = [0.0]
    credential = Credential(OAUTH, reread=AirflowConnection(OAUTH), clock=lambda: now[0])
    renew(credential, ask=TokenEndpoint(issues(expires_in=100)))
    credential._reread = AirflowConnection(Tokens(NEWER))
    renew(credential, used=NEW)
    now[0] = 1e9

    assert credential.token == NEWER
    assert not credential.expired


# ---- threads ----


@pytest.mark.parametrize("tokens", [Tokens(OLD), OAUTH])
@pytest.mark.parametrize("found", [Tokens(NEW), Tokens(OLD)])
def test_threads_that_meet_a_401_at_once_look_for_another_token_once(tokens, found):
    meet = threading.Barrier(8)
    connection, pinterest = AirflowConnection(found), TokenEndpoint(issues())

    def slowly():
        time.sleep(0.05)
        return connection()

    credential = Credential(tokens, reread=slowly)

    def meets_401(_):
        meet.wait(5)
        return renew(credential, ask=pinterest)

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(meets_401, range(8)))

    assert connection.reads == 1
    assert len(pinterest.forms) == (tokens is OAUTH and found.access == OLD)
    expected = DENIED if tokens is not OAUTH and found.access == OLD else None
    assert outcomes == [expected] * 8


def test_each_thread_gets_an_error_of_its_own():
    meet = threading.Barrier(4)
    credential = Credential(OAUTH)

    def meets_401(_):
        meet.wait(5)
        with pytest.raises(CredentialError) as raised:
            renew(credential, ask=TokenEndpoint(Reply(400, {}, b"")))
        return raised.value

    with ThreadPoolExecutor(4) as threads:
        errors = list(threads.map(meets_401, range(4)))

    assert len({id(error) for error in errors}) == 4
    assert {error.status for error in errors} == {400}


def test_a_thread_does_not_wait_for_ever_for_another_one_s_renewal(monkeypatch):
    monkeypatch.setattr(module, "RENEWAL_TIMEOUT", 0.1)
    asked, release = threading.Event(), threading.Event()

    def hangs(form, basic):
        asked.set()
        release.wait(10)
        return issues()

    credential = Credential(OAUTH)
    with ThreadPoolExecutor(1) as threads:
        leading = threads.submit(renew, credential, ask=hangs)
        assert asked.wait(5)
        assert isinstance(renew(credential), Unavailable)
        release.set()
        assert leading.result(timeout=5) is None


def test_a_renewal_that_is_interrupted_leaves_room_for_another():
    def interrupted(form, basic):
        raise KeyboardInterrupt

    credential = Credential(OAUTH)
    with pytest.raises(KeyboardInterrupt):
        renew(credential, ask=interrupted)

    assert renew(credential, ask=TokenEndpoint(issues())) is None


def test_the_issued_tokens_are_told():
    told: list[Secret] = []
    renew(Credential(OAUTH, on_new_token=told.append), ask=TokenEndpoint(issues(refresh_token="second")))

    assert told == [NEW, Secret("second")]


def test_nothing_shows_a_token():
    shown = f"{Credential(OAUTH)!r} {vars(Credential(OAUTH))} {OAUTH!r}"

    assert not any(secret in shown for secret in ("old", "'refresh'", "'app'"))
