"""The account's rate limit, as the server sees it."""

import threading

import pytest

from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from airflow_provider_pinterest.sandbox import Sandbox
from tests.running import deliver, ids, rows, run


def most_within(calls, seconds):
    """Return how many calls came within any stretch of time of that length, at most."""
    times = [call.received_at for call in calls]
    return max(sum(start <= time < start + seconds for time in times) for start in times)


def test_test_calls_stay_within_ten_a_second(pinterest):
    ran = deliver(events=rows(25), batch_size=1, test=True)

    assert ran.error is None
    assert ran["events_processed"] == 25
    assert ran["retries"] == 0
    assert {call.status for call in pinterest.calls()} == {200}
    assert pinterest.totals().test == 25
    assert pinterest.copies() == {}
    assert most_within(pinterest.calls(), 0.95) <= 10


def test_test_calls_for_two_accounts_share_the_ten_a_second(pinterest):
    """Pinterest counts test calls per app, not per account."""
    for account in ("111", "222"):
        assert deliver(events=rows(8), batch_size=1, test=True, ad_account_id=account).error is None

    assert {call.status for call in pinterest.calls()} == {200}


def test_calls_of_several_tasks_in_one_process_count_together(connect):
    """What one task used up of a minute is not there for the next."""
    with Sandbox(calls_per_window=6, window_seconds=60) as pinterest:
        connect(pinterest, extra={"calls_per_minute": 6})
        for _ in range(2):
            assert deliver(events=rows(3), batch_size=1).error is None

        third = SendConversionsOperator(task_id="third", events=rows(1))
        killer = threading.Timer(0.3, third.on_kill)
        killer.start()
        ran = run(third)
        killer.join()

        assert "told to stop" in ran.said
        assert ran["calls"] == 0
        assert [call.status for call in pinterest.calls()] == [200] * 6


def test_accounts_do_not_share_the_limit_of_ordinary_calls(connect):
    with Sandbox(calls_per_window=3, window_seconds=60) as pinterest:
        connect(pinterest, extra={"calls_per_minute": 3})
        for account in ("111", "222"):
            assert deliver(events=rows(3), batch_size=1, ad_account_id=account).error is None

        assert {call.status for call in pinterest.calls()} == {200}


def test_the_window_moves_so_that_no_stretch_of_time_holds_too_many_calls(pinterest):
    """A fixed window would let twenty calls pass around its edge."""
    assert deliver(events=rows(15), batch_size=1, test=True).error is None
    times = sorted(call.received_at for call in pinterest.calls() if call.status == 200)
    assert all(late - early >= 0.95 for early, late in zip(times, times[10:], strict=False))


@pytest.mark.parametrize("header", ["x-ratelimit-reset", "retry-after", "retry-after-date"])
def test_a_429_is_waited_for_as_long_as_pinterest_says_whichever_header_says_it(connect, header):
    """The sandbox lets two calls pass in a second, and the client does not know."""
    with Sandbox(calls_per_window=2, window_seconds=1.0, retry_header=header) as pinterest:
        connect(pinterest)

        ran = deliver(events=rows(3), batch_size=1, max_in_flight=1)

        assert ran.error is None
        assert pinterest.copies() == ids(3)
        assert [call.status for call in pinterest.calls()] == [200, 200, 429, 200]
        assert (ran["calls"], ran["retries"]) == (4, 1)
