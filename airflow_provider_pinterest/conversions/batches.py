"""Collect events into batches, limited by number of events and by bytes of JSON.

https://developers.pinterest.com/docs/api/v5/events-create/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from airflow_provider_pinterest.conversions.outcomes import Event

MAX_EVENTS: Final = 1_000
"""The largest number of events that Pinterest accepts in one request."""

_HEAD: Final = b'{"data":['
_TAIL: Final = b"]}"
ENVELOPE: Final = len(_HEAD) + len(_TAIL)
"""Bytes of a body around its events."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one ad account that are sent in one request; parts of a batch are batches too."""

    events: Sequence[Event]
    ad_account_id: str = ""

    def __len__(self) -> int:
        return len(self.events)

    @property
    def body(self) -> bytes:
        """The request's JSON."""
        bodies = [event.body for event in self.events]
        bodies[0] = _HEAD + bodies[0]
        bodies[-1] += _TAIL
        return b",".join(bodies)

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return ENVELOPE + len(self.events) - 1 + sum(len(event.body) for event in self.events)

    def halves(self) -> tuple[Batch, Batch]:
        """Split the batch in two. It must have two events or more."""
        middle = len(self.events) // 2
        return replace(self, events=self.events[:middle]), replace(self, events=self.events[middle:])

    def divided(self, test: Callable[[Event], bool]) -> tuple[Batch, Batch]:
        """Split the batch into the events that pass a test and the others."""
        return (
            replace(self, events=[event for event in self.events if test(event)]),
            replace(self, events=[event for event in self.events if not test(event)]),
        )


class Batcher:
    """Collects events until a batch is full.

    :param max_events: most events of a batch.
    :param max_bytes: most bytes of a batch's body; may be lowered while it runs.
    :param ad_account_id: the ad account of the batches.
    :param several_accounts: whether each event names its account. A batch then ends where the account changes.
    """

    def __init__(
        self,
        max_events: int = MAX_EVENTS,
        max_bytes: int = 2_000_000,
        *,
        ad_account_id: str = "",
        several_accounts: bool = False,
    ) -> None:
        self.ad_account_id = "" if several_accounts else ad_account_id
        self.several_accounts = several_accounts
        self.returns = 0
        """How often an account came again after another one."""
        self._ended: set[str] = set()
        self.max_events = max_events
        self.max_bytes = max_bytes
        self._events: list[Event] = []
        self._size = ENVELOPE - 1  # a body has one comma fewer than events

    def add(self, event: Event) -> Batch | None:
        """Add an event; return a batch if this event completed it or did not fit into it."""
        size = len(event.body) + 1
        full = None
        if self.several_accounts and event.ad_account_id != self.ad_account_id:
            full = self._change_account(event.ad_account_id)
        elif self._events and self._size + size > self.max_bytes:
            full = self.rest()
        self._events.append(event)
        self._size += size
        if full is None and len(self._events) >= self.max_events:
            full = self.rest()
        return full

    def _change_account(self, ad_account_id: str) -> Batch | None:
        """Start a batch of another account; return the batch collected so far, if any."""
        full = self.rest()
        self._ended.add(self.ad_account_id)
        self.returns += ad_account_id in self._ended
        self.ad_account_id = ad_account_id
        return full

    def rest(self) -> Batch | None:
        """Return the batch collected so far, if any, and start another."""
        events, self._events, self._size = self._events, [], ENVELOPE - 1
        return Batch(events, self.ad_account_id) if events else None
