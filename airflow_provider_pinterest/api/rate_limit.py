"""The rate limit: how many calls may be made to an ad account, in a moving window.

Pinterest publishes 5,000 calls per minute and ad account, and 10 test calls per second. The calls are counted in this
process and, if several workers share an account, also in a shared store, with the library ``limits``. If the shared
store does not answer, this process continues with a tenth of the limit.

https://developers.pinterest.com/docs/reference/rate-limits/
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from functools import lru_cache
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.errors import ConfigurationError
from limits.storage import Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from airflow_provider_pinterest.api.call_window import CallWindow
from airflow_provider_pinterest.api.interruptible import NoThreadError, Stopped, run_interruptibly
from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.redaction import Secret

__all__ = ["CALLS_PER_MINUTE", "MEMORY", "RateLimiter", "Stopped", "storage"]

log = logging.getLogger(__name__)

CALLS_PER_MINUTE: Final = 5_000
TEST_CALLS_PER_SECOND: Final = 10

ALONE_SHARE: Final = 10
"""A process that cannot reach the shared store uses the limit divided by this number."""

ASK_AGAIN: Final = 30.0
"""Seconds after which a store that did not answer is tried again."""

STORE_TIMEOUT: Final = 2.0
"""Seconds that the shared store may take to connect, and again to answer."""

NAMESPACE: Final = "airflow-provider-pinterest"

MEMORY: Final = Secret("memory://")
"""No shared store. It is a secret only because URLs of stores may have passwords."""

_calls_here: Final = CallWindow()
"""The calls of this process."""


@lru_cache(maxsize=8)
def storage(uri: Secret) -> Storage | None:
    """Return the shared store at a URL, one per process; ``None`` if there is none.

    :param uri: the URL, which may have a password.
    :raises ParameterError: the URL is not allowed, or the store's library is not installed.
    """
    if uri == MEMORY:
        return None
    found = _shared_storage(uri)
    if isinstance(found, Storage):
        return found
    raise ParameterError(found)  # not in the `except` block: frames of the library's error hold the password


def _shared_storage(uri: Secret) -> Storage | str:
    """Return the store at a URL, or the problem with the URL."""
    if uri.reveal().partition("://")[0] not in ("redis", "rediss"):
        return "rate_limit_storage must be memory:// or redis://host:port/db (rediss:// for TLS)."
    timeouts: dict[str, float | str | bool] = {
        "socket_timeout": STORE_TIMEOUT,
        "socket_connect_timeout": STORE_TIMEOUT,
    }
    try:
        found = storage_from_string(uri.reveal(), wrap_exceptions=True, **timeouts)
    except ConfigurationError as error:
        hint = (
            "Install airflow-provider-pinterest with the extra 'redis'." if "redis" in str(error) else "Check its URL."
        )
        return f"rate_limit_storage cannot be used ({type(error).__name__}). {hint}"
    except ValueError:
        return "rate_limit_storage is not a valid URL such as redis://host:6379/0."
    return found if isinstance(found, Storage) else "rate_limit_storage must be memory:// or redis://host:port/db."


class RateLimiter:
    """Delays calls so that each ad account stays below its rate limit; shared by threads.

    No lock is held during a request to the shared store, so a slow store delays only the thread that asks it.

    :param host: the API's base URL. Calls are counted per ad account and host, test calls per host.
    :param calls_per_minute: the limit.
    :param uri: the URL of the store for the counts, which may have a password.
    :param test: count against the limit for test calls instead.
    :param stop: set to end every wait at once.
    """

    def __init__(
        self,
        host: str,
        *,
        calls_per_minute: int = CALLS_PER_MINUTE,
        uri: Secret = MEMORY,
        test: bool = False,
        stop: threading.Event | None = None,
    ) -> None:
        self.stop = stop or threading.Event()
        self._host = host
        self._test = test
        self._limit = _limit(calls_per_minute, test=test)
        self._here = _PaddedSecond(TEST_CALLS_PER_SECOND, namespace=NAMESPACE) if test else self._limit
        self._alone = _limit(max(1, calls_per_minute // ALONE_SHARE), test=test, share=ALONE_SHARE)
        shared = storage(uri)
        self._shared = None if shared is None else MovingWindowRateLimiter(shared)
        self._ask_after = 0.0
        self._resume: dict[str, float] = {}
        """Key → monotonic seconds before which no call goes out."""
        self._lock = threading.Lock()
        self._asking: Counter[str] = Counter()
        """Key → calls that are counted in the local window and wait for the shared store."""

    def wait(self, ad_account_id: str = "", *, seconds: float = math.inf) -> bool:
        """Wait until one more call to an ad account may be made, and count it.

        :param seconds: the longest wait.
        :return: whether the call may be made; if not, ``seconds`` are too few, and nothing was counted.
        :raises Stopped: the run was told to stop.
        """
        key = self._key(ad_account_id)
        end = time.monotonic() + seconds
        while True:
            paused = self._resume.get(key, 0.0)
            if paused > end:
                return False
            self.sleep(paused - time.monotonic())
            wait = self._admit(key)
            if wait <= 0:
                self.sleep(0)
                return True
            if time.monotonic() + wait > end:
                return False
            self.sleep(min(max(wait, 0.005), 1.0))

    def pause(self, seconds: float, ad_account_id: str = "") -> None:
        """Delay all calls to an ad account, of all threads, by some seconds from now."""
        key = self._key(ad_account_id)
        with self._lock:
            self._resume[key] = max(self._resume.get(key, 0.0), time.monotonic() + seconds)

    def sleep(self, seconds: float) -> None:
        """Sleep, unless the run is told to stop.

        :raises Stopped: the run was told to stop.
        """
        if self.stop.wait(seconds) if seconds > 0 else self.stop.is_set():
            raise Stopped

    def _key(self, ad_account_id: str) -> str:
        return f"test/{self._host}" if self._test else f"{self._host}/{ad_account_id}"

    def _admit(self, key: str) -> float:
        """Count a call if it may be made; return the seconds to wait if not.

        The local window is checked in addition to the shared one, so that a store that loses its counts allows one
        extra window at most. A call keeps its place in the local window while it asks the store, so that no count of
        the store is wasted.
        """
        with self._lock:
            if not _calls_here.has_room(self._here, key, self._asking[key] + 1):
                return _calls_here.seconds_until_free(self._here, key)
            self._asking[key] += 1
        try:
            shared = self._shared_wait(key)
        except BaseException:
            with self._lock:
                self._asking[key] -= 1
            raise
        with self._lock:
            self._asking[key] -= 1
            return self._count(key, shared)

    def _count(self, key: str, shared: float | None) -> float:
        """Count a call that the shared store allows; return the seconds to wait if it must wait."""
        if shared is None:
            if not _calls_here.count(self._alone, key):
                return _calls_here.seconds_until_free(self._alone, key)
            shared = 0.0
        if shared <= 0 and not _calls_here.count(self._here, key):  # another run in this process took the place
            return _calls_here.seconds_until_free(self._here, key)
        return shared

    def _shared_wait(self, key: str) -> float | None:
        """Ask the shared store; return the seconds to wait, or ``None`` if it does not answer in time.

        :raises Stopped: the run was told to stop.
        """
        if self._shared is None:
            return 0.0
        if time.monotonic() < self._ask_after:
            return None
        try:
            return run_interruptibly(lambda: self._hit_shared(key), seconds=2 * STORE_TIMEOUT, stop=self.stop)
        except Stopped:
            raise
        except NoThreadError:
            problem = "no thread can be started"
        except Exception as error:  # noqa: BLE001 - of the store's library
            problem = type(error).__name__
        self._go_alone(problem)
        return None

    def _hit_shared(self, key: str) -> float:
        if self._shared is None or self._shared.hit(self._limit, key):
            return 0.0
        stats = self._shared.get_window_stats(self._limit, key)
        return max(stats.reset_time - time.time(), 0.001)

    def _go_alone(self, problem: str) -> None:
        """Do not use the shared store for a while; log it once for all threads that waited for it."""
        with self._lock:
            known = time.monotonic() < self._ask_after
            self._ask_after = time.monotonic() + ASK_AGAIN
        if not known:
            log.warning(
                "The rate limit storage does not answer (%s). This process continues with a tenth of the limit and "
                "tries the storage again in %.0f s.",
                problem,
                ASK_AGAIN,
            )


class _PaddedSecond(RateLimitItemPerSecond):
    """A little more than a second: calls take different times to arrive, and Pinterest counts them on arrival."""

    def get_expiry(self) -> int:
        return 1.1  # type: ignore[return-value]  # the store in memory takes fractions


class _PaddedMinute(RateLimitItemPerMinute):
    """A minute and a second, for the same reason."""

    def get_expiry(self) -> int:
        return super().get_expiry() + 1


def _limit(calls_per_minute: int, *, test: bool, share: int = 1) -> RateLimitItem:
    namespace = NAMESPACE if share == 1 else f"{NAMESPACE}/alone"
    if test:
        return RateLimitItemPerSecond(TEST_CALLS_PER_SECOND // share, namespace=namespace)
    return _PaddedMinute(calls_per_minute, namespace=namespace)
