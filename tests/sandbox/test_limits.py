"""The rate limits, as arithmetic and as answers."""

import email.utils
import time

import pytest

from airflow_provider_pinterest.sandbox.limits import MovingWindow


def test_a_window_moves():
    """Any stretch of the window's length holds at most the limit; the wait is exact."""
    window = MovingWindow()
    assert [window.wait(now, 2, 10) for now in (0, 4, 5, 9.5)] == [0, 0, 5, 0.5]
    assert window.wait(10, 2, 10) == 0
    assert window.wait(10, 2, 10) == 4


def test_a_refused_call_costs_nothing():
    """Asking in vain does not push the next admission away."""
    window = MovingWindow()
    window.wait(0, 1, 10)
    for now in range(1, 10):
        assert window.wait(now, 1, 10) == 10 - now
    assert window.wait(10, 1, 10) == 0


def test_a_lowered_limit_holds_at_once():
    """After the limit sank below what was admitted, the wait is until enough of that has left."""
    window = MovingWindow()
    for now in range(3):
        window.wait(now, 3, 10)
    assert window.wait(3, 1, 10) == 9


def test_no_limit_admits_all():
    """Zero is unlimited."""
    assert {MovingWindow().wait(0, 0, 10) for _ in range(3)} == {0}


def test_an_account_s_calls_are_limited(pinterest, send, event):
    """Beyond the limit the answer is 429 with code 8; nothing is kept; other accounts go on."""
    pinterest.settings(calls_per_window=2)
    assert [send(event(), account="1").status_code for _ in range(3)] == [200, 200, 429]
    refused = send(event(), account="1")
    assert refused.json()["code"] == 8
    assert 1 <= int(refused.headers["X-RateLimit-Reset"]) <= 60
    assert send(event(), account="2").status_code == 200
    assert pinterest.totals().accepted == 3


def test_a_call_passes_when_the_window_has_moved(pinterest, send, event):
    """Waiting is enough."""
    pinterest.settings(calls_per_window=1, window_seconds=0.05)
    assert [send(event()).status_code for _ in range(2)] == [200, 429]
    time.sleep(0.05)
    assert send(event()).status_code == 200


@pytest.mark.parametrize("header", ["x-ratelimit-reset", "retry-after", "retry-after-date", "none"])
def test_the_header_of_a_429_can_be_chosen(pinterest, send, event, header):
    """Which header Pinterest sends is not known, so all can be had."""
    pinterest.settings(calls_per_window=1, retry_header=header)
    send(event())
    headers = send(event()).headers
    assert ("X-RateLimit-Reset" in headers) == (header == "x-ratelimit-reset")
    assert ("Retry-After" in headers) == header.startswith("retry-after")
    if header == "retry-after":
        assert 1 <= int(headers["Retry-After"]) <= 60
    if header == "retry-after-date":
        again = email.utils.parsedate_to_datetime(headers["Retry-After"])
        assert 0 < again.timestamp() - time.time() <= 61


def test_test_calls_have_a_limit_of_their_own(pinterest, send, event):
    """Ten test calls a second, whatever the account; real calls are not counted among them."""
    pinterest.settings(test_window_seconds=60)
    answers = [send(event(), test="true", account=str(n % 2)).status_code for n in range(11)]
    assert answers == [200] * 10 + [429]
    assert send(event()).status_code == 200


def test_the_limits_are_pinterest_s_by_default(pinterest):
    """5,000 calls a minute and account; 10 test calls a second."""
    settings = pinterest.settings()
    assert (settings.calls_per_window, settings.window_seconds) == (5000, 60)
    assert (settings.test_calls_per_window, settings.test_window_seconds) == (10, 1)
