"""The window in memory: what counts, for how long, and what it keeps of thousands of ad accounts."""

from __future__ import annotations

import threading
import time

import pytest
from limits import RateLimitItemPerMinute, RateLimitItemPerSecond

from airflow_provider_pinterest.api.call_window import FEW, CallWindow
from airflow_provider_pinterest.api.rate_limit import RateLimiter

THREE = RateLimitItemPerMinute(3)


@pytest.fixture
def now(monkeypatch):
    """Return a clock: its only item is the present time in seconds."""
    seconds = [1_000.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])
    return seconds


def test_calls_are_counted_until_they_are_a_minute_old(now):
    window = CallWindow()
    for _ in range(3):
        assert window.count(THREE, "a")
        now[0] += 10

    assert not window.count(THREE, "a")
    assert window.seconds_until_free(THREE, "a") == pytest.approx(30)
    now[0] += 30
    assert window.has_room(THREE, "a", 1)
    assert not window.has_room(THREE, "a", 2)
    assert window.count(THREE, "a")
    assert not window.count(THREE, "a")


def test_keys_and_limits_are_counted_for_themselves(now):
    window = CallWindow()
    for _ in range(3):
        window.count(THREE, "a")

    assert window.count(THREE, "b")
    assert window.count(RateLimitItemPerSecond(1), "a")
    assert not window.count(RateLimitItemPerSecond(1), "a")


def test_keys_without_calls_in_the_window_are_forgotten(now):
    window = CallWindow()
    for number in range(20 * FEW):
        assert window.count(THREE, str(number))
        now[0] += 0.06  # a thousand accounts a minute

    assert len(window) <= 4 * FEW


def test_every_key_in_the_window_is_kept_however_many_there_are(now):
    window = CallWindow()
    for _ in range(3):
        for number in range(5 * FEW):
            assert window.count(THREE, str(number))

    assert not any(window.count(THREE, str(number)) for number in range(5 * FEW))


def test_no_thread_is_needed():
    before = threading.active_count()

    RateLimiter("https://api.example.com").wait("549755885175")

    assert threading.active_count() == before
