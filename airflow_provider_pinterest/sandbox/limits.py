"""Rate limits with a sliding window. The caller passes the current time."""

from __future__ import annotations

from collections import defaultdict, deque


class MovingWindow:
    """The recently admitted calls. Any period of the window's length has at most ``limit`` of them."""

    def __init__(self) -> None:
        self._admitted: deque[float] = deque()

    def wait(self, now: float, limit: int, seconds: float) -> float:
        """Admit a call and return 0, or refuse it and return the seconds until a call can be admitted.

        :param now: a monotonic time in seconds.
        :param limit: calls per window; 0 means no limit.
        :param seconds: the length of the window.
        """
        if not limit:
            return 0.0
        admitted = self._admitted
        while admitted and admitted[0] <= now - seconds:
            admitted.popleft()
        if len(admitted) < limit:
            admitted.append(now)
            return 0.0
        return admitted[len(admitted) - limit] + seconds - now


class CallWindows:
    """The windows of all accounts, and the window of the app's test calls."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all calls."""
        self.accounts: defaultdict[str, MovingWindow] = defaultdict(MovingWindow)
        self.test = MovingWindow()
