"""Which deletion requests earlier attempts have created, so that a later attempt does not create them again."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import Any, Final

from airflow_provider_pinterest.erasure.targets import Targets
from airflow_provider_pinterest.state_store import StateStore

log = logging.getLogger(__name__)

KEY: Final = "pinterest_deletion_requests"
"""Key of the state store."""

VERSION: Final = 1

OUTCOME_UNKNOWN: Final = ""
"""In place of an id: the request was sent, and whether it exists is not known."""


class CreatedRequests:
    """The requests of a run, by the people that they are about.

    Stored are Pinterest's ids and salted hashes of whole batches, no hash of a single address unless a batch has only
    one.

    :param store: where they are stored; ``None``: nowhere.
    :param account: host and ad account; requests of another one do not count.
    :param identity: what tells a cleared run from a retry; only needed with ``again``.
    :param again: forget the requests of earlier runs. A retry of this run still finds those that the run created.
    """

    def __init__(
        self, store: StateStore | None, account: str, *, identity: Mapping[str, Any] | None = None, again: bool = False
    ) -> None:
        self._store = store
        self._account = account
        self._identity = dict(identity or {})
        self._salt = secrets.token_hex(16)
        self._ids: dict[str, str] = {}
        self._last: tuple[Targets, str] | None = None
        """The people whose key was computed last, and the key, which is slow to compute."""
        self.remembered = 0
        """Number of requests that earlier attempts created or may have created."""
        if store is not None:
            self._read(store.get(KEY), again=again)

    @property
    def durable(self) -> bool:
        """Whether a later attempt will find the requests."""
        return self._store is not None

    def find(self, targets: Targets) -> str | None:
        """Return the id of the request for these people, :data:`OUTCOME_UNKNOWN`, or ``None`` if there is none."""
        return self._ids.get(self._key(targets)) if self._ids else None

    def begin(self, targets: Targets) -> None:
        """Note that a request is about to be sent."""
        self._note(targets, OUTCOME_UNKNOWN)

    def created(self, targets: Targets, request_id: str) -> None:
        """Note the id of a request."""
        self._note(targets, request_id)

    def not_created(self, targets: Targets) -> None:
        """Note that a request that was sent does not exist."""
        if self._store is not None and self._ids.pop(self._key(targets), None) is not None:
            self._write()

    def _note(self, targets: Targets, request_id: str) -> None:
        if self._store is not None:
            self._ids[self._key(targets)] = request_id
            self._write()

    def _key(self, targets: Targets) -> str:
        if self._last is None or self._last[0] is not targets:
            self._last = targets, targets.digest(self._salt + self._account)
        return self._last[1]

    def _read(self, stored: object, *, again: bool) -> None:
        if stored is None:
            return
        if not isinstance(stored, dict) or stored.get("version") != VERSION or not _is_readable(stored):
            log.warning("What earlier attempts stored cannot be read, so all requests are created.")
            return
        if again and (not self._identity or stored.get("again_for") != self._identity):
            return
        self._salt, self._ids = stored["salt"], dict(stored["requests"])
        self.remembered = len(self._ids)

    def _write(self) -> None:
        if self._store is not None:
            value = {"version": VERSION, "salt": self._salt, "requests": self._ids, "again_for": self._identity}
            self._store.set(KEY, value)


def _is_readable(stored: Mapping[str, Any]) -> bool:
    salt, requests = stored.get("salt"), stored.get("requests")
    return (
        isinstance(salt, str)
        and isinstance(requests, dict)
        and all(isinstance(one, str) for pair in requests.items() for one in pair)
    )
