"""The rate limit: how many calls an ad account may make, over a moving window.

Pinterest publishes 5,000 calls a minute and ad account, and 10 test calls a second. Calls are counted by
``limits``, in this process or in a store that several workers share.

https://developers.pinterest.com/docs/reference/rate-limits/
"""

from __future__ import annotations

import threading
import time
from functools import lru_cache
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.errors import ConfigurationError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from airflow_provider_pinterest.exceptions import ParameterError

CALLS_PER_MINUTE: Final = 5_000
TEST_CALLS_PER_SECOND: Final = 10

NAMESPACE: Final = "airflow-provider-pinterest"


class Stopped(Exception):  # noqa: N818 - a signal, not an error
    """The run was told to stop while it waited."""


@lru_cache(maxsize=8)
def storage(uri: str) -> Storage:
    """Return the store of that address, one per process.

    :raises ParameterError: there is no such store.
    """
    scheme = uri.partition("://")[0]
    if scheme != "memory":
        raise ParameterError(f"rate_limit_storage: {scheme}:// is no store of call counts; use memory://")
    try:
        found = storage_from_string(uri)
    except ConfigurationError as error:
        raise ParameterError(f"rate_limit_storage: {error}") from None
    if not isinstance(found, Storage):
        raise ParameterError(f"rate_limit_storage: {uri} is not supported")
    return found


class Pace:
    """Lets calls through at the account's rate, for all threads that share it.

    :param budget: what the calls count against, such as host and ad account.
    :param calls_per_minute: the limit.
    :param uri: the store of the counts.
    :param test: count against the limit for test calls instead.
    :param stop: set to end every wait at once.
    """

    def __init__(
        self,
        budget: str,
        *,
        calls_per_minute: int = CALLS_PER_MINUTE,
        uri: str = "memory://",
        test: bool = False,
        stop: threading.Event | None = None,
    ) -> None:
        self.stop = stop or threading.Event()
        self._key = f"test/{budget}" if test else budget
        self._limit: RateLimitItem = (
            RateLimitItemPerSecond(TEST_CALLS_PER_SECOND, namespace=NAMESPACE)
            if test
            else RateLimitItemPerMinute(calls_per_minute, namespace=NAMESPACE)
        )
        self._limiter = MovingWindowRateLimiter(storage(uri))
        self._resume = 0.0

    def wait(self) -> None:
        """Return when one more call may go out, which is then counted.

        :raises Stopped: the run was told to stop.
        """
        longest = time.monotonic() + self._limit.get_expiry() + 1
        while True:
            self.sleep(self._resume - time.monotonic())
            if self._limiter.hit(self._limit, self._key):
                return
            if time.monotonic() > longest and isinstance(self._limiter.storage, MemoryStorage):
                self._limiter.clear(self._limit, self._key)  # the wall clock, which `limits` reads, was set back
                continue
            reset = self._limiter.get_window_stats(self._limit, self._key).reset_time - time.time()
            self.sleep(min(max(reset, 0.005), 1.0))

    def pause(self, seconds: float) -> None:
        """Make every call wait that long from now, whichever thread makes it."""
        self._resume = max(self._resume, time.monotonic() + seconds)

    def sleep(self, seconds: float) -> None:
        """Sleep, unless the run is told to stop.

        :raises Stopped: it was.
        """
        if self.stop.wait(seconds) if seconds > 0 else self.stop.is_set():
            raise Stopped
