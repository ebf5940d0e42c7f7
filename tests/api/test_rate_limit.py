"""The rate limit: never more than a window, shared where it is shared, and never none when the store is gone."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from limits.storage import storage_from_string

from airflow_provider_pinterest.api import rate_limit as module
from airflow_provider_pinterest.api.interruptible import NoThreadError
from airflow_provider_pinterest.api.rate_limit import ASK_AGAIN, RateLimiter, Stopped, storage
from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.redaction import Secret
from harness.loopback import free_port
from harness.redis import running_redis
from harness.scripted_server import accepts_and_says_nothing


class MovableClock:
    """The wall's and the monotonic, which a test moves; the former can also be set."""

    def __init__(self, monkeypatch):
        self.wall, self.monotonic = 1_790_000_000.0, 5_000.0
        monkeypatch.setattr(time, "time", lambda: self.wall)
        monkeypatch.setattr(time, "monotonic", lambda: self.monotonic)

    def pass_(self, seconds):
        self.wall += seconds
        self.monotonic += seconds


@pytest.fixture
def clock(monkeypatch):
    return MovableClock(monkeypatch)


class VirtualPace(RateLimiter):
    """Passes the time in place of sleeping."""

    clock: MovableClock

    def sleep(self, seconds):
        if self.stop.is_set():
            raise Stopped
        self.clock.pass_(max(seconds, 0.0))


def virtual(clock, **options):
    made = VirtualPace(uuid.uuid4().hex, **options)
    made.clock = clock
    return made


def moments(pace, count):
    found = []
    for _ in range(count):
        pace.wait()
        found.append(pace.clock.monotonic)
    return found


def most_within(found, seconds):
    return max(sum(start <= one < start + seconds for one in found) for start in found)


def admitted(pace, at_most):
    """Return how many calls may go out now."""
    return next((count for count in range(at_most) if pace._admit(pace._key("")) > 0), at_most)


def test_no_minute_holds_more_calls_than_the_limit_wherever_it_begins(clock):
    pace = virtual(clock, calls_per_minute=20)
    found = moments(pace, 8)
    clock.pass_(50)
    found += moments(pace, 70)

    assert most_within(found, 60.9) == 20
    assert found[-1] - found[0] < 60 * 4


def test_a_call_goes_as_soon_as_the_oldest_is_a_minute_and_a_second_old(clock):
    """Calls travel for unequal times, and Pinterest counts them when they arrive."""
    pace = virtual(clock, calls_per_minute=5)
    found = moments(pace, 6)

    assert found[4] == found[0]
    assert 61 <= found[5] - found[0] <= 62.1


def test_test_mode_has_a_limit_of_its_own_of_ten_a_second(clock):
    found = moments(virtual(clock, calls_per_minute=10**6, test=True), 35)

    assert most_within(found, 0.99) == 10
    assert found[-1] - found[0] < 5


def test_test_calls_do_not_count_against_the_others(clock):
    budget = uuid.uuid4().hex
    tests, others = (RateLimiter(budget, calls_per_minute=3, test=test) for test in (True, False))

    assert admitted(tests, 100) == 10
    assert admitted(others, 100) == 3


def test_two_that_name_the_same_budget_share_it_and_others_do_not(clock):
    budget = uuid.uuid4().hex
    first, second, other = (RateLimiter(name, calls_per_minute=10) for name in (budget, budget, uuid.uuid4().hex))

    assert admitted(first, 4) == 4
    assert admitted(second, 100) == 6
    assert admitted(other, 100) == 10


def test_a_pause_holds_every_call_back_and_a_shorter_one_does_not_shorten_it(clock):
    pace = virtual(clock, calls_per_minute=1000)
    pace.pause(30)
    pace.pause(5)
    begun = clock.monotonic

    pace.wait()

    assert clock.monotonic - begun == 30


def test_a_stop_ends_every_wait_and_lets_nothing_more_through():
    pace = RateLimiter(uuid.uuid4().hex, calls_per_minute=1)
    pace.wait()
    with ThreadPoolExecutor(4) as threads:
        ends = [threads.submit(pace.wait) for _ in range(4)]
        time.sleep(0.01)
        started = time.monotonic()
        pace.stop.set()
        assert all(isinstance(end.exception(), Stopped) for end in ends)

    assert time.monotonic() - started < 1
    with pytest.raises(Stopped):
        pace.wait()


def test_the_wall_clock_set_back_an_hour_stops_calls_for_one_window_at_most(clock):
    pace = virtual(clock, calls_per_minute=10)
    moments(pace, 10)
    clock.wall -= 3_600
    begun = clock.monotonic
    found = moments(pace, 25)

    assert found[0] - begun <= 64
    assert most_within(found, 59.9) <= 10
    assert found[-1] - begun < 4 * 60


def test_the_wall_clock_set_on_an_hour_lets_one_window_more_through_at_most(clock):
    pace = virtual(clock, calls_per_minute=10)
    found = moments(pace, 10)
    clock.wall += 3_600
    found += moments(pace, 25)

    assert most_within(found, 59.9) <= 20
    assert most_within(found[10:], 59.9) <= 10


def test_a_pause_does_not_depend_on_the_wall_clock(clock):
    pace = virtual(clock)
    pace.pause(30)
    clock.wall += 3_600
    begun = clock.monotonic
    pace.wait()

    assert clock.monotonic - begun == 30


def test_runs_in_threads_of_one_process_stay_within_the_limit_together(clock):
    budget = uuid.uuid4().hex
    paces = [RateLimiter(budget, calls_per_minute=50) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        taken = threads.map(lambda number: paces[number % 8]._admit(paces[0]._key("")) <= 0, range(400))
        assert sum(taken) == 50


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "memory",
        "redis",
        "memcached://localhost",
        "mongodb://h",
        "redis+sentinel://h",
        "async+redis://h",
        "file:///etc/passwd",
        "http://h",
    ],
)
def test_another_store_is_a_parameter_error(uri):
    with pytest.raises(ParameterError, match="rate_limit_storage"):
        RateLimiter("b", uri=Secret(uri))


@pytest.mark.parametrize("uri", ["redis://h:port/0", "redis://[::1", "redis://user:s3cret@h:99999999/0"])
def test_an_address_that_cannot_be_read_is_a_parameter_error_that_does_not_repeat_it(uri):
    pytest.importorskip("redis")
    with pytest.raises(ParameterError) as raised:
        RateLimiter("b", uri=Secret(uri))

    assert "is not a valid URL" in str(raised.value)
    assert "s3cret" not in str(raised.value)
    assert uri not in str(raised.value)
    assert raised.value.__context__ is None


# ---- a shared store ----


@pytest.fixture
def redis(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "STORE_TIMEOUT", 0.1)
    pytest.importorskip("redis")
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with running_redis(tmp_path) as server:
        yield server


@pytest.fixture(autouse=True)
def _forget_stores(monkeypatch):
    """Close their connections, and forget them: a port may be another server's later."""
    made = []

    def making(*args, **options):
        made.append(storage_from_string(*args, **options))
        return made[-1]

    monkeypatch.setattr(module, "storage_from_string", making)
    yield
    storage.cache_clear()
    for one in made:
        if hasattr(one, "storage"):
            one.storage.connection_pool.disconnect()


WORKER = """
import json, sys, time
from limits import RateLimitItemPerSecond
from airflow_provider_pinterest.api import rate_limit
rate_limit._PaddedMinute = RateLimitItemPerSecond  # so that a window passes in a second
found = rate_limit.RateLimiter(sys.argv[2], calls_per_minute=int(sys.argv[3]), uri=rate_limit.Secret(sys.argv[1]))
calls = []
print("ready", flush=True)
end = float(sys.stdin.readline())
while time.time() < end:
    found.wait()
    calls.append(time.time())
print(json.dumps(calls))
"""


def test_four_processes_share_one_budget_fairly_and_no_window_holds_too_many(redis):
    limit, seconds = 60, 3.0
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, redis.url(), "budget", str(limit)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(4)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    end = time.time() + seconds
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(f"{end}\n")
        worker.stdin.flush()
    calls = [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]

    everything = sorted(one for found in calls for one in found)
    late = len(workers)  # each may be held up between being let through and looking at the clock
    assert most_within(everything, 0.9) <= limit + late
    assert len(everything) > limit * (seconds - 1), "the limit is made use of"
    assert min(map(len, calls)) > len(everything) / 4 / 5, [len(found) for found in calls]


def test_a_store_that_loses_its_counts_costs_one_window_at_most(redis):
    import redis as library

    pace = RateLimiter(uuid.uuid4().hex, calls_per_minute=30, uri=Secret(redis.url()))
    assert admitted(pace, 100) == 30
    with library.Redis.from_url(redis.url()) as connection:
        connection.flushall()

    assert admitted(pace, 100) == 0


def alone(pace, caplog):
    """Check that a process without its store takes a tenth, after a bounded wait, and says so once."""
    with caplog.at_level(logging.WARNING, logger=module.__name__):
        started = time.monotonic()
        assert admitted(pace, 200) == 10
        assert time.monotonic() - started < 2
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "a tenth" in caplog.text
    caplog.clear()


def test_a_store_that_is_dead_leaves_a_tenth(tmp_path, monkeypatch, caplog):
    pytest.importorskip("redis")
    uri = Secret(f"redis://:s3cret@127.0.0.1:{free_port()}/0")

    alone(RateLimiter(uuid.uuid4().hex, calls_per_minute=100, uri=uri), caplog)

    assert "s3cret" not in caplog.text


def test_a_store_that_accepts_and_never_answers_leaves_a_tenth(monkeypatch, caplog):
    pytest.importorskip("redis")
    monkeypatch.setattr(module, "STORE_TIMEOUT", 0.1)
    with accepts_and_says_nothing() as port:
        uri = Secret(f"redis://127.0.0.1:{port}/0")
        alone(RateLimiter(uuid.uuid4().hex, calls_per_minute=100, uri=uri), caplog)


class SlowStore:
    """A shared window that answers late; counts its hits."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.hits = 0
        self.asked = 0
        self.most_asked = 0
        self.lock = threading.Lock()

    def hit(self, limit, key):
        with self.lock:
            self.asked += 1
            self.most_asked = max(self.most_asked, self.asked)
        time.sleep(self.seconds)
        with self.lock:
            self.asked -= 1
            self.hits += 1
            return self.hits <= limit.amount

    def get_window_stats(self, limit, key):
        return SimpleNamespace(reset_time=time.time() + 60)


def test_a_slow_store_does_not_make_threads_wait_in_line():
    pace = RateLimiter(uuid.uuid4().hex, calls_per_minute=1_000)
    pace._shared = SlowStore(0.05)  # type: ignore[assignment]
    started = time.monotonic()
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: pace.wait(), range(32)))

    assert time.monotonic() - started < 0.8, "one after the other they take 1.6 s"
    assert pace._shared.most_asked > 4  # type: ignore[union-attr]
    assert pace._shared.hits == 32  # type: ignore[union-attr]


def test_threads_that_ask_a_slow_store_at_once_waste_none_of_its_calls():
    """Each has a place in the local window before it asks."""
    pace = RateLimiter(uuid.uuid4().hex, calls_per_minute=10)
    pace._shared = SlowStore(0.02)  # type: ignore[assignment]
    with ThreadPoolExecutor(16) as threads:
        admitted_ = sum(wait <= 0 for wait in threads.map(lambda _: pace._admit(pace._key("")), range(64)))

    assert admitted_ == 10
    assert pace._shared.hits == 10  # type: ignore[union-attr]


def test_threads_that_wait_for_a_hanging_store_are_delayed_once_and_stay_within_a_tenth(monkeypatch, caplog):
    monkeypatch.setattr(module, "STORE_TIMEOUT", 0.1)
    pace = RateLimiter(uuid.uuid4().hex, calls_per_minute=100)
    pace._shared = SlowStore(1.0)  # type: ignore[assignment]
    started = time.monotonic()
    with caplog.at_level(logging.WARNING, logger=module.__name__), ThreadPoolExecutor(16) as threads:
        admitted_ = sum(wait <= 0 for wait in threads.map(lambda _: pace._admit(pace._key("")), range(16)))

    assert time.monotonic() - started < 0.9
    assert admitted_ == 10
    assert len(caplog.records) == 1


def test_where_no_thread_can_be_started_the_store_is_left_alone(monkeypatch, caplog):
    pace = RateLimiter(uuid.uuid4().hex, calls_per_minute=100)
    pace._shared = SlowStore(0.0)  # type: ignore[assignment]

    def refuses(*_, **__):
        raise NoThreadError

    monkeypatch.setattr(module, "run_interruptibly", refuses)

    assert admitted(pace, 100) == 10
    assert "no thread" in caplog.text


def test_a_store_that_dies_in_the_middle_leaves_a_tenth(redis, caplog):
    pace = RateLimiter(uuid.uuid4().hex, calls_per_minute=100, uri=Secret(redis.url()))
    assert admitted(pace, 20) == 20
    redis.service.process.kill()
    redis.service.process.wait()

    alone(pace, caplog)


def test_a_store_that_hangs_in_the_middle_leaves_a_tenth_and_is_asked_again_later(redis, caplog):
    pace = RateLimiter(uuid.uuid4().hex, calls_per_minute=100, uri=Secret(redis.url()))
    assert admitted(pace, 20) == 20
    redis.service.process.send_signal(signal.SIGSTOP)

    alone(pace, caplog)

    assert ASK_AGAIN - 5 < pace._ask_after - time.monotonic() <= ASK_AGAIN
    redis.service.process.send_signal(signal.SIGCONT)
    pace._ask_after = 0.0
    assert 0 < admitted(pace, 200) <= 70, "what went out meanwhile counts too"


def test_in_test_mode_a_process_alone_takes_one_call_a_second(monkeypatch, caplog):
    pytest.importorskip("redis")
    pace = RateLimiter(uuid.uuid4().hex, uri=Secret(f"redis://127.0.0.1:{free_port()}/0"), test=True)

    assert admitted(pace, 100) == 1


def test_a_thread_that_waits_for_a_hanging_store_does_not_keep_a_stop_waiting(redis):
    pace = RateLimiter(uuid.uuid4().hex, calls_per_minute=100, uri=Secret(redis.url()))
    pace.wait()
    redis.service.process.send_signal(signal.SIGSTOP)
    ended = []

    def waiting():
        try:
            while True:
                pace.wait()
        except Stopped:
            ended.append(time.monotonic())

    threads = [threading.Thread(target=waiting) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.02)
    stopped = time.monotonic()
    pace.stop.set()
    for thread in threads:
        thread.join(5)

    assert len(ended) == 4
    assert max(ended) - stopped < 1
