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
"""Key of the state store. The requests are under this key and a number."""

SEGMENT: Final = 500
"""Requests in one value: Airflow warns of values above 65,535 bytes, and MySQL does not store them."""

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
        self._segments: list[dict[str, str]] = []
        """Key → id of the request, in parts of :data:`SEGMENT` entries."""
        self._places: dict[str, int] = {}
        """Key → its segment."""
        self._last: tuple[Targets, str] | None = None
        """The people whose key was computed last, and the key, which is slow to compute."""
        self.remembered = 0
        """Number of requests that earlier attempts created."""
        if store is not None:
            self._read(store, again=again)

    @property
    def durable(self) -> bool:
        """Whether a later attempt will find the requests."""
        return self._store is not None

    def find(self, targets: Targets) -> str | None:
        """Return the id of the request for these people, :data:`OUTCOME_UNKNOWN`, or ``None`` if there is none."""
        if not self._places:
            return None
        key = self._key(targets)
        return self._segments[self._places[key]][key] if key in self._places else None

    def begin(self, targets: Targets) -> None:
        """Note that a request is about to be sent."""
        self._note(targets, OUTCOME_UNKNOWN)

    def created(self, targets: Targets, request_id: str) -> None:
        """Note the id of a request."""
        self._note(targets, request_id)

    def not_created(self, targets: Targets) -> None:
        """Note that a request that was sent does not exist."""
        if self._store is None:
            return
        place = self._places.pop(self._key(targets), None)
        if place is not None:
            del self._segments[place][self._key(targets)]
            self._write(place)

    def _note(self, targets: Targets, request_id: str) -> None:
        if self._store is None:
            return
        key = self._key(targets)
        place = self._places.get(key, len(self._segments) - 1)
        if place < 0 or (key not in self._places and len(self._segments[place]) >= SEGMENT):
            self._segments.append({})
            place = len(self._segments) - 1
            self._write_header()
        self._places[key] = place
        self._segments[place][key] = request_id
        self._write(place)

    def _key(self, targets: Targets) -> str:
        if self._last is None or self._last[0] is not targets:
            self._last = targets, targets.digest(self._salt + self._account)
        return self._last[1]

    def _read(self, store: StateStore, *, again: bool) -> None:
        """Read what earlier attempts stored."""
        header = store.get(KEY)
        if header is None:
            return
        if not _is_header(header):
            log.warning("What earlier attempts stored cannot be read, so all requests are created.")
            return
        if again and (not self._identity or header.get("again_for") != self._identity):
            return
        self._salt = header["salt"]
        for place in range(header["segments"]):
            found = store.get(f"{KEY}_{place}")
            self._segments.append(dict(found) if _is_segment(found) else {})
            self._places |= dict.fromkeys(self._segments[-1], place)
        self.remembered = sum(found != OUTCOME_UNKNOWN for segment in self._segments for found in segment.values())

    def _write_header(self) -> None:
        if self._store is not None:
            header = {
                "version": VERSION,
                "salt": self._salt,
                "segments": len(self._segments),
                "again_for": self._identity,
            }
            self._store.set(KEY, header)

    def _write(self, place: int) -> None:
        if self._store is not None:
            self._store.set(f"{KEY}_{place}", self._segments[place])


def _is_header(stored: object) -> bool:
    if not isinstance(stored, dict) or stored.get("version") != VERSION:
        return False
    segments = stored.get("segments")
    return isinstance(stored.get("salt"), str) and isinstance(segments, int) and not isinstance(segments, bool)


def _is_segment(stored: object) -> bool:
    return isinstance(stored, dict) and all(isinstance(one, str) for pair in stored.items() for one in pair)
