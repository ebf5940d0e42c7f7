"""What an error tracker sees: the locals of every frame of an error, and of the errors behind it, hold no secret."""

import datetime as dt
import traceback
from pathlib import Path

import pytest
from urllib3.connection import HTTPConnection

from airflow_provider_pinterest.hooks.pinterest import PinterestHook
from harness.certificates import certificate
from harness.scripted_server import nobody_listening, proxying, serving
from tests.running import deliver, rows

TESTS = Path(__file__).parent.parent
SECRETS = {
    "token": "pina_frames",
    "refresh token": "pinr_frames",
    "app secret": "app_frames",
    "store's password": "redis_frames",
    "proxy's password": "proxy_frames",
}


def chain(error):
    """Yield an error and all that it refers to, whether a traceback shows it or not."""
    found, queue = [], [error]
    while queue:
        one = queue.pop()
        if one is not None and one not in found:
            found.append(one)
            queue += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return found


def assert_no_secret_in_frames(error):
    assert error is not None
    for one in chain(error):
        for frame, line in traceback.walk_tb(one.__traceback__):
            if Path(frame.f_code.co_filename).is_relative_to(TESTS):
                continue
            for name, value in frame.f_locals.items():
                for what, secret in SECRETS.items():
                    place = f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}, {name}"
                    assert secret not in repr(value), f"the {what} in {place}, of {one!r}"


def refused(action):
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - any
        action()
    assert_no_secret_in_frames(raised.value)
    return raised.value


@pytest.fixture
def secretive(pinterest, connect):
    """Let the connection hold every secret, none of which is good."""

    def set_up(**changes):
        extra = {
            "app_id": "7",
            "app_secret": SECRETS["app secret"],
            "refresh_token": SECRETS["refresh token"],
            **changes.pop("extra", {}),
        }
        connect(pinterest, password=SECRETS["token"], extra=extra, **changes)

    set_up()
    return set_up


def fails(**parameters):
    error = deliver(events=rows(2), max_wait=dt.timedelta(0), **parameters).error
    assert_no_secret_in_frames(error)
    return error


def test_a_wrong_token(pinterest, secretive):
    secretive(extra={"refresh_token": None})

    assert "HTTP 401" in str(fails())


def test_a_refresh_that_is_refused(secretive):
    assert "could not be refreshed" in str(fails())


@pytest.mark.parametrize("body", ["<html>", '{"access_token": 5, "refresh_token": "pinr_frames"}'])
def test_an_answer_without_a_token(pinterest, secretive, body):
    pinterest.fault("status", on="token", status=200, body=body)

    assert "could not be refreshed" in str(fails())


def test_a_token_endpoint_that_is_away(pinterest, secretive):
    pinterest.fault("drop", on="token")

    assert "access token" in str(fails())


@pytest.mark.parametrize("kind", ["drop", "reset"])
def test_a_connection_that_breaks(pinterest, secretive, kind):
    pinterest.fault(kind)

    fails()


def test_a_refused_connection(secretive):
    with nobody_listening() as url:
        secretive(host=url)

        assert "connection refused" in str(fails())


def test_a_certificate_that_is_not_trusted(secretive, tmp_path):
    with serving(tls=certificate(tmp_path)[0]) as wire:
        secretive(host=wire.url)

        assert "certificate" in str(fails())


def test_a_proxy_that_refuses(secretive, monkeypatch):
    with proxying(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//someone:proxy_frames@"))
        secretive(host="https://api.example.com/v5")

        assert "HTTP 407" in str(fails())


@pytest.mark.parametrize("proxy", ["http://someone:proxy_frames@h:port", "socks5://someone:proxy_frames@h:1"])
def test_a_proxy_that_cannot_work(secretive, monkeypatch, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    secretive(host="https://api.example.com/v5")

    assert "HTTPS_PROXY" in str(refused(lambda: PinterestHook().get_conn()))


@pytest.mark.parametrize("token", ["pina_frames ü", "pina_frames\x00x", "pina_frames two"])
def test_a_token_of_other_characters(pinterest, connect, token):
    connect(pinterest, password=token)

    assert "Paste it again" in str(refused(lambda: PinterestHook().get_conn()))


@pytest.mark.parametrize(
    "extra", [{"ad_account_id": "x"}, {"ad_account_id": None}, {"calls_per_minute": "many"}, {"calls_per_minute": 0}]
)
def test_an_extra_that_cannot_work(secretive, extra):
    secretive(extra=extra)

    refused(lambda: PinterestHook().check())
    fails()


@pytest.mark.parametrize(
    "uri", ["redis://:redis_frames@h:port/0", "redis://:redis_frames@h:99999999/0", "mongodb://:redis_frames@h/"]
)
def test_a_store_that_cannot_work(secretive, uri):
    pytest.importorskip("redis")
    secretive(extra={"rate_limit_storage": uri})

    assert "rate_limit_storage" in str(refused(lambda: PinterestHook().api_connection().rate_limiter()))
    fails()


def test_an_interruption_while_the_request_is_written(secretive, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    events = PinterestHook().api_connection().events()
    monkeypatch.setattr(HTTPConnection, "getresponse", interrupted)

    assert isinstance(refused(lambda: events.send("1", b"{}", 1)), KeyboardInterrupt)
    events.client.close()
