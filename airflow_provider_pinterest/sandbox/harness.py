"""Runs the local Pinterest in a thread, for tests and demonstrations."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar, Unpack

from airflow_provider_pinterest.sandbox import tokens
from airflow_provider_pinterest.sandbox.faults import FaultOptions, Kind, fault
from airflow_provider_pinterest.sandbox.guard import Guard
from airflow_provider_pinterest.sandbox.local_pinterest import LocalPinterest
from airflow_provider_pinterest.sandbox.printed import EXAMPLE_ACCOUNT, base_url, example_connection
from airflow_provider_pinterest.sandbox.server import serve
from airflow_provider_pinterest.sandbox.settings import SandboxSettings, SettingsChanges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from airflow_provider_pinterest.sandbox.deletion_requests import ReceivedDeletion
    from airflow_provider_pinterest.sandbox.store import Received, ReceivedCall, Totals
    from airflow_provider_pinterest.sandbox.tokens import Token

T = TypeVar("T")


class Sandbox:
    """A local Pinterest. It runs during a ``with`` block, or from ``start`` to ``stop``.

    :param db: the SQLite file for events and calls; None: in memory.
    :param host: the address to listen on.
    :param port: the port to listen on; 0 selects a free port.
    :param allow_hosts: more host names that clients may use. Loopback names and ``host`` are always allowed.
    :param clock: returns the Unix time in seconds. Events are validated and tokens expire by this clock.
    :param changes: settings other than the defaults; see ``SandboxSettings``.
    """

    token = tokens.CONVERSION_TOKEN
    oauth_token = tokens.OAUTH_TOKEN
    refresh_token = tokens.REFRESH_TOKEN
    app_id = tokens.APP_ID
    app_secret = tokens.APP_SECRET
    ad_account_id = EXAMPLE_ACCOUNT

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        db: Path | str | None = None,
        clock: Callable[[], float] = time.time,
        allow_hosts: Iterable[str] = (),
        **changes: Unpack[SettingsChanges],
    ) -> None:
        self._settings = SandboxSettings().changed(changes)
        self._guard = Guard(host, allow_hosts)
        self._host = host
        self._port = port
        self._db = None if db is None else Path(db)
        self._clock = clock
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Start the server, and return when it answers calls.

        :raises OSError: the address cannot be bound.
        """
        if self._thread is not None:
            raise RuntimeError("the sandbox is already running")
        self._pinterest = LocalPinterest(self._settings, db=self._db, clock=self._clock)
        self._stopping = asyncio.Event()
        ready: Future[int] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(ready)), name="pinterest-sandbox", daemon=True
        )
        self._thread.start()
        try:
            self.port = ready.result()
        except Exception:
            self._join()
            raise
        self.url = base_url(self._host, self.port)
        return self

    def stop(self) -> None:
        """Stop the server. Events and calls are lost unless ``db`` is a file."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def fault(self, kind: Kind, **options: Unpack[FaultOptions]) -> None:
        """Switch a fault on; see ``Fault`` for the options.

        :raises ValueError: an option is unknown or invalid for the kind.
        """
        made = fault(kind, options)
        self._do(lambda: self._pinterest.faults.add(made))

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self._do(self._pinterest.faults.clear)

    def clear(self) -> None:
        """Delete events, calls, deletion requests and faults, and reset the rate limits."""
        self._do(self._pinterest.clear)

    def settings(self, **changes: Unpack[SettingsChanges]) -> SandboxSettings:
        """Change settings of the running server, and return all settings."""

        def change() -> SandboxSettings:
            self._pinterest.settings = self._pinterest.settings.changed(changes)
            return self._pinterest.settings

        return self._do(change)

    def add_token(self, token: Token) -> None:
        """Add a token."""
        self._do(lambda: self._pinterest.tokens.add(token))

    def expire_tokens(self, token: str | None = None) -> int:
        """Expire one token, or all OAuth access tokens. Return the number of expired tokens."""
        return self._do(lambda: self._pinterest.tokens.expire(self._clock(), token))

    def events(
        self,
        *,
        ad_account_id: str | None = None,
        event_id: str | None = None,
        event_name: str | None = None,
        action_source: str | None = None,
        test: bool | None = False,
    ) -> list[Received]:
        """Return the accepted copies of events, in order of arrival. ``test=None`` includes test calls."""
        filters = _given(
            ad_account_id=ad_account_id,
            event_id=event_id,
            event_name=event_name,
            action_source=action_source,
            test=test,
        )
        return self._do(lambda: self._pinterest.store.events(filters))

    def copies(
        self,
        *,
        ad_account_id: str | None = None,
        event_name: str | None = None,
        action_source: str | None = None,
        duplicates_only: bool = False,
    ) -> dict[str, int]:
        """Return the number of accepted copies of each ``event_id``, without test calls.

        An ``event_id`` that is sent with two event names or accounts counts as two copies. Use the filters to tell them
        apart.
        """
        filters = _given(ad_account_id=ad_account_id, event_name=event_name, action_source=action_source, test=False)
        counts: dict[str, int] = {}
        for row in self._do(lambda: self._pinterest.store.copies(filters)):
            counts[row.event_id] = counts.get(row.event_id, 0) + row.copies
        return {event_id: n for event_id, n in counts.items() if n > 1} if duplicates_only else counts

    def calls(
        self, *, path: str | None = None, status: int | None = None, method: str | None = None
    ) -> list[ReceivedCall]:
        """Return the calls, in order of arrival."""
        filters = _given(path=path, status=status, method=method)
        return self._do(lambda: self._pinterest.store.calls(filters))

    def deletion_requests(self, ad_account_id: str | None = None) -> list[ReceivedDeletion]:
        """Return the deletion requests, with the people, in order of creation."""
        return self._do(lambda: self._pinterest.deletions.listed(ad_account_id))

    def submit_deletion_requests(self, request_id: str | None = None) -> int:
        """Hand over one pending deletion request, or all, before 72 hours have passed. Return their number."""
        return self._do(lambda: self._pinterest.deletions.submit(self._clock(), request_id))

    def totals(self) -> Totals:
        """Return the numbers of calls and accepted copies."""
        return self._do(self._pinterest.store.totals)

    def connection(self, ad_account_id: str = EXAMPLE_ACCOUNT) -> dict[str, object]:
        """Return an Airflow connection to this sandbox, as in ``AIRFLOW_CONN_PINTEREST_DEFAULT``."""
        return example_connection(self.url, self.token, ad_account_id)

    async def _serve(self, ready: Future[int]) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            runner, port = await serve(self._pinterest, self._host, self._port, self._guard)
        except Exception as problem:  # noqa: BLE001 - raised on the caller's thread
            self._pinterest.store.close()
            ready.set_exception(problem)
            return
        ready.set_result(port)
        try:
            await self._stopping.wait()
        finally:
            await runner.cleanup()
            self._pinterest.store.close()

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _do(self, work: Callable[[], T]) -> T:
        """Call a function on the server's thread and return its result."""
        if self._thread is None:
            raise RuntimeError("the sandbox is not running")

        async def run() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()


def _given(**filters: object) -> dict[str, object]:
    return {name: value for name, value in filters.items() if value is not None}
