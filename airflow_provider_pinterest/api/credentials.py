"""The tokens in use: refreshed if OAuth allows it, and read again if they were replaced in the connection.

https://developers.pinterest.com/docs/getting-started/set-up-authentication-and-authorization/
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from airflow_provider_pinterest.api.interruptible import CHECK_EVERY, NoThreadError, Stopped, run_interruptibly
from airflow_provider_pinterest.api.responses import (
    AccessDenied,
    Misconfigured,
    OutcomeUnknown,
    Reply,
    Trace,
    Unavailable,
    retry_after,
)
from airflow_provider_pinterest.exceptions import CredentialError, advised
from airflow_provider_pinterest.redaction import Secret

log = logging.getLogger(__name__)

Ask = Callable[[Mapping[str, Secret], Callable[[], str]], Reply | Unavailable | OutcomeUnknown | Misconfigured]
"""Sends a form to the token endpoint; the second argument returns the ``Authorization`` header."""

Renewal = Unavailable | AccessDenied | Misconfigured | None
"""The result of a renewal; ``None`` if there is a new token."""

SHORTEST_LIFETIME: Final = 60.0
"""Seconds for which a new token is not replaced ahead of time, even if Pinterest gives a shorter lifetime."""

REREAD_TIMEOUT: Final = 30.0
"""Seconds that reading the connection again may take."""

RENEWAL_TIMEOUT: Final = 180.0
"""Seconds that a thread waits for a renewal by another thread."""

_LATER: Final = frozenset({408, 425, 429})
"""Statuses below 500 that say nothing about the tokens."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a connection.

    :param access: the access token.
    :param refresh: the OAuth refresh token, used with ``app_id`` and ``app_secret`` to obtain a new access token.
    """

    access: Secret
    refresh: Secret | None = None
    app_id: str | None = None
    app_secret: Secret | None = None

    @property
    def refreshable(self) -> bool:
        """Whether Pinterest can be asked for a new access token."""
        return bool(self.refresh and self.app_id and self.app_secret)

    def bearer(self) -> str:
        """Return the value of the ``Authorization`` header for events; do not keep it in a local variable."""
        return f"Bearer {self.access.reveal()}"

    def basic(self) -> str:
        """Return the value of the ``Authorization`` header for new tokens; do not keep it in a local variable."""
        plain = f"{self.app_id or ''}:{self.app_secret.reveal() if self.app_secret else ''}"
        return f"Basic {base64.b64encode(plain.encode()).decode()}"


class _Renewing:
    """A renewal in progress; it has an outcome once ``done`` is set.

    :param used: the token that it replaces.
    """

    def __init__(self, used: Secret) -> None:
        self.used = used
        self.done = threading.Event()
        self.outcome: Renewal = Unavailable(Trace(message="the renewal of the access token was interrupted"))
        self.refused: tuple[str, int] | None = None
        """Message and status of a :class:`CredentialError`."""


class Credential:
    """The tokens in use, which can be replaced during a run; shared by threads.

    :param tokens: the tokens of the connection at the start.
    :param reread: reads the connection again, because a person may have set another token.
    :param on_new_token: receives every token that Pinterest issues, so that logs can mask it.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        reread: Callable[[], Tokens] | None = None,
        on_new_token: Callable[[Secret], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tokens
        self._reread = reread
        self._on_new_token = on_new_token
        self._clock = clock
        self._expires = float("inf")
        self._lock = threading.Lock()
        self._known = {None, tokens.access, tokens.refresh}
        """Every token used so far; none of them counts as new when the connection is read again."""
        self._renewing: _Renewing | None = None
        self._failed: _Renewing | None = None
        """The last renewal that ended without a new token, if asking again cannot help."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def bearer(self) -> str:
        """Return the value of the ``Authorization`` header; do not keep it in a local variable."""
        return self._tokens.bearer()

    @property
    def token(self) -> Secret:
        """The access token in use."""
        return self._tokens.access

    @property
    def renewable(self) -> bool:
        """Whether there may be a new token, from Pinterest or in the connection."""
        return self._tokens.refreshable or self._reread is not None

    @property
    def expired(self) -> bool:
        """Whether the token should be replaced before it is used; always false if its lifetime is not known."""
        return self._tokens.refreshable and self._clock() >= self._expires

    def renew(self, used: Secret, ask: Ask, *, refused: AccessDenied | None, stop: threading.Event) -> Renewal:
        """Replace the access token, unless that was done since ``used`` was read.

        If several threads call it, one asks and the others wait for its result.

        :param ask: sends a form to the token endpoint.
        :param refused: the answer that refused ``used``; ``None`` if the token is only old.
        :param stop: ends the wait when it is set.
        :return: ``None`` if there is a new token; ``refused`` if there is none; otherwise why the request failed.
        :raises CredentialError: Pinterest refuses to issue a token.
        :raises Stopped: ``stop`` was set.
        """
        with self._lock:
            if self._tokens.access != used:
                return None
            failed = self._failed
            if failed is None or failed.used != used:
                failed = None
            leads = failed is None and self._renewing is None
            if leads:
                self._renewing = _Renewing(used)
            renewing = failed or self._renewing
        if renewing is None:  # pragma: no cover - for the type checker
            raise Stopped
        if leads:
            self._lead(renewing, ask, refused=refused, stop=stop)
        else:
            _wait(renewing, stop)
        if renewing.refused is not None:
            message, status = renewing.refused
            raise CredentialError(message, status=status)
        if isinstance(renewing.outcome, AccessDenied):
            return refused
        return renewing.outcome

    def _lead(self, renewing: _Renewing, ask: Ask, *, refused: AccessDenied | None, stop: threading.Event) -> None:
        try:
            renewing.outcome = self._obtain(renewing, ask, refused=refused, stop=stop)
        finally:
            with self._lock:
                if renewing.refused or isinstance(renewing.outcome, AccessDenied):
                    self._failed = renewing
                self._renewing = None
            renewing.done.set()

    def _obtain(self, renewing: _Renewing, ask: Ask, *, refused: AccessDenied | None, stop: threading.Event) -> Renewal:
        """Look for a new token: in the connection, if the current one was refused, then at Pinterest."""
        if refused is not None and self._adopt(stop):
            return None
        if self._tokens.refreshable:
            return self._ask_pinterest(renewing, ask)
        return refused

    def _adopt(self, stop: threading.Event) -> bool:
        """Read the connection again; return whether it has an access token that was not used before.

        :raises Stopped: ``stop`` was set.
        """
        found = self._read_connection(stop)
        if found is None:
            return False
        with self._lock:
            rotated = found.refresh not in self._known
            replaced = found.access not in self._known
            self._known |= {found.access, found.refresh}
            if rotated:
                self._tokens = replace(found, access=self._tokens.access)
            if replaced:
                self._tokens, self._expires = replace(self._tokens, access=found.access), float("inf")
        if not replaced:
            return False
        log.info("The connection has a new access token. It is used from now on.")
        return True

    def _read_connection(self, stop: threading.Event) -> Tokens | None:
        if self._reread is None:
            return None
        problem = ""
        try:
            return run_interruptibly(self._reread, seconds=REREAD_TIMEOUT, stop=stop)
        except Stopped:
            pass
        except NoThreadError:
            problem = "no thread could be started"
        except Exception as error:  # noqa: BLE001 - of any secrets backend
            problem = type(error).__name__
        if not problem:
            raise Stopped
        log.warning("The connection could not be read again to look for a new access token (%s).", problem)
        return None

    def _ask_pinterest(self, renewing: _Renewing, ask: Ask) -> Renewal:
        """Refresh the access token."""
        tokens = self._tokens
        form = {"grant_type": Secret("refresh_token"), "refresh_token": tokens.refresh or Secret("")}
        reply = ask(form, tokens.basic)
        if isinstance(reply, Misconfigured):
            return reply
        if not isinstance(reply, Reply):
            return Unavailable(_for_token(reply.trace), reply.retry_after)
        if reply.status in _LATER or reply.status >= 500 or reply.content is None:
            return Unavailable(_for_token(Trace(reply.status)), retry_after(reply.headers, time.time()))
        if not self._take(reply):
            message = advised(
                f"The access token is expired and could not be refreshed (HTTP {reply.status}).",
                "Check app_id, app_secret and refresh_token in the connection, or put a new access token there.",
            )
            renewing.refused = (message, reply.status)
        return None

    def _take(self, reply: Reply) -> bool:
        """Use the tokens of an answer; return whether it has any. Never raises, because its locals are secret."""
        token, refresh, lifetime = _issued(reply)
        if token is None:
            return False
        for secret in (token, refresh):
            if secret is not None:
                self._on_new_token(secret)
        with self._lock:
            self._known |= {token, refresh}
            self._tokens = replace(self._tokens, access=token, refresh=refresh or self._tokens.refresh)
            self._expires = self._clock() + max(SHORTEST_LIFETIME, 0.9 * lifetime)
        return True


def _wait(renewing: _Renewing, stop: threading.Event) -> None:
    """Wait for another thread's renewal.

    :raises Stopped: ``stop`` was set.
    """
    end = time.monotonic() + RENEWAL_TIMEOUT
    while not renewing.done.wait(CHECK_EVERY) and time.monotonic() < end and not stop.is_set():
        pass
    if stop.is_set():
        raise Stopped


def _issued(reply: Reply) -> tuple[Secret | None, Secret | None, float]:
    """Read the access token, the refresh token and the lifetime in seconds, which is infinite if it is not given."""
    try:
        document: Any = orjson.loads(reply.content or b"") if reply.status == 200 else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return None, None, 0.0
    token, refresh = (_token(document.get(name)) for name in ("access_token", "refresh_token"))
    lifetime = document.get("expires_in")
    if not isinstance(lifetime, int | float) or isinstance(lifetime, bool) or lifetime <= 0:
        lifetime = float("inf")
    return token, refresh, lifetime


def is_token(token: Secret) -> bool:
    """Return whether a text can be sent as a token in a header."""
    return token.reveal().isascii() and token.reveal().isprintable() and " " not in token.reveal() and bool(token)


def _token(value: object) -> Secret | None:
    token = Secret(value.strip()) if isinstance(value, str) else Secret("")
    return token if is_token(token) else None


def _for_token(trace: Trace) -> Trace:
    """Return a trace that says that the call was for an access token, not for events."""
    return replace(trace, message=f"{trace.message or 'error'} while requesting a new access token")
