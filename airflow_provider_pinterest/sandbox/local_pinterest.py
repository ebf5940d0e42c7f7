"""The state of a local Pinterest (settings, tokens, limits, faults, events, calls) and of the current call."""

from __future__ import annotations

import secrets
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_pinterest.sandbox.deletion_requests import DeletionRequests
from airflow_provider_pinterest.sandbox.faults import Faults
from airflow_provider_pinterest.sandbox.limits import CallWindows
from airflow_provider_pinterest.sandbox.store import ReceivedCall, Store
from airflow_provider_pinterest.sandbox.tokens import TokenStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from aiohttp import web

    from airflow_provider_pinterest.sandbox.judge import Judgement
    from airflow_provider_pinterest.sandbox.settings import SandboxSettings


@dataclass(slots=True)
class Visit:
    """The state of the current call. Its fields are set while the call is processed."""

    number: int
    in_flight: int
    received_at: float
    started: float = field(default_factory=time.monotonic)
    rid: str = field(default_factory=lambda: str(secrets.randbits(53)))
    test: bool = False
    size: int = 0
    events: int = 0
    accepted: int = 0
    verdicts: Sequence[Judgement] = ()


VISIT: ContextVar[Visit] = ContextVar("visit")


class LocalPinterest:
    """The state behind the server.

    :param db: the SQLite file for events and calls; None: in memory.
    :param clock: returns the Unix time in seconds.
    """

    def __init__(
        self, settings: SandboxSettings, *, db: Path | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.store = Store(db)
        self.tokens = TokenStore()
        self.limits = CallWindows()
        self.faults = Faults()
        self.deletions = DeletionRequests()
        self._number = self.store.last_call()
        self._in_flight = 0

    def clear(self) -> None:
        """Delete events, calls, deletion requests and faults, and reset the rate limits."""
        self.store.clear()
        self.faults.clear()
        self.limits.clear()
        self.deletions.clear()

    def arrival(self) -> Visit:
        """Assign a number to a call. The call is in flight until ``departure``."""
        self._number += 1
        self._in_flight += 1
        return Visit(self._number, self._in_flight, self.clock())

    def departure(self) -> None:
        """Count a call as no longer in flight."""
        self._in_flight -= 1

    def exists(self, ad_account_id: str) -> bool:
        """Return whether the account exists."""
        return self.settings.ad_account_ids is None or ad_account_id in self.settings.ad_account_ids

    def wait(self, ad_account_id: str, *, test: bool) -> float:
        """Admit a call and return 0, or return the seconds to wait for the rate limit."""
        now, settings = time.monotonic(), self.settings
        if test:
            return self.limits.test.wait(now, settings.test_calls_per_window, settings.test_window_seconds)
        window = self.limits.accounts[ad_account_id]
        return window.wait(now, settings.calls_per_window, settings.window_seconds)

    def record(self, request: web.Request, visit: Visit, status: int, faults: Sequence[str] = ()) -> ReceivedCall:
        """Record a call.

        :param status: the status of the response; 0 if the connection is cut.
        """
        call = ReceivedCall(
            number=visit.number,
            received_at=visit.received_at,
            seconds=time.monotonic() - visit.started,
            method=request.method,
            path=request.path,
            ad_account_id=request.match_info.get("ad_account_id"),
            test=visit.test,
            status=status,
            events=visit.events,
            accepted=visit.accepted,
            bytes=visit.size,
            in_flight=visit.in_flight,
            user_agent=request.headers.get("User-Agent", ""),
            fault=" ".join(faults),
            rid=visit.rid,
        )
        self.store.record(call)
        return call
