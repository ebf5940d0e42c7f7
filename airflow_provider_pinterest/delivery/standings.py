"""What Pinterest's answers say about the ad accounts of a run, and what a refusal means for the run.

In a run with one account, a refusal of the account or of the mapping ends the run. In a run with several accounts it
ends for that account alone, unless so many accounts are refused that the token or the mapping must be wrong.

The same holds for an account that stays unavailable. It is set aside if Pinterest accepts events of other accounts.
As long as it is not known whether it does, the run is undecided.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from airflow_provider_pinterest.exceptions import CredentialError, DeliveryError, RefusedError, UnavailableError

log = logging.getLogger(__name__)

SAME_REFUSALS: Final = 50
"""Consecutive single events that are rejected with the same error before the mapping counts as wrong."""

OF_THE_ACCOUNT: Final = frozenset({403, 404})
"""Statuses about one account: the token has no role on it, or it does not exist. 401 is about the token."""

FIRST_DENIED: Final = 10
"""Accounts without access at which the run ends, if no account has accepted an event."""

FIRST_FRUITLESS: Final = 3
"""Accounts whose events are all rejected at which the run ends, if no account has accepted an event."""

REFUSED_IN_A_ROW: Final = 50
"""Refused accounts at which the run ends, if no event was accepted in between."""

MISSED_WHILE_UNDECIDED: Final = 2
"""Accounts that are found to be unavailable while the run is undecided, at which all accounts count as unavailable."""

LOOK_AGAIN: Final = 0.25
"""Seconds between two checks for a stop, while a batch waits for the first batch of its account."""


NAMED: Final = 10
"""Most accounts that a message names."""


def named(ad_accounts: Sequence[str]) -> str:
    """Return a list of ad accounts for a message."""
    more = f" and {len(ad_accounts) - NAMED:,} more" if len(ad_accounts) > NAMED else ""
    return f"{', '.join(ad_accounts[:NAMED])}{more}"


def _for(ad_account_id: str) -> str:
    return f"The call was for ad account {ad_account_id}."


@dataclass(slots=True)
class _Rejected:
    """Consecutive single events that were rejected with the same error."""

    message: str | None = None
    events: int = 0


class Standings:
    """The standing of the one account of a run. Used by several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accepted_any = False
        self._rejected: defaultdict[str, _Rejected] = defaultdict(_Rejected)

    def trust(self) -> None:
        """Record that Pinterest accepted events of this mapping before, so a rejection is about single events."""
        self._accepted_any = True

    def accept(self, ad_account_id: str) -> None:
        """Record that an account has accepted events."""
        with self._lock:
            self._accepted_any = True
            self._rejected.pop(ad_account_id, None)

    def reject_event(self, ad_account_id: str, message: str) -> bool:
        """Record that a single event was rejected; return whether so many were that the mapping is wrong."""
        with self._lock:
            found = self._rejected[ad_account_id]
            found.events = found.events + 1 if found.message == message else 1
            found.message = message
            return found.events >= SAME_REFUSALS

    def reject_all(self, ad_account_id: str, error: RefusedError) -> RefusedError | None:
        """Record that all events of a batch were rejected one by one; return the error if the mapping is wrong."""
        del ad_account_id
        return None if self._accepted_any else error

    def deny(self, ad_account_id: str, status: int | None) -> None:
        """Record that Pinterest denies access to an account."""

    def miss(self, ad_account_id: str) -> None:
        """Record that Pinterest is unavailable for an account now."""

    @property
    def accepted_any(self) -> bool:
        """Whether Pinterest has accepted events of this mapping, in this attempt or before."""
        return self._accepted_any

    @property
    def undecided(self) -> bool:
        """Whether an account stays unavailable and it is not known whether all accounts do."""
        return False

    @property
    def outage(self) -> bool:
        """Whether Pinterest is unavailable for all accounts, as it seems."""
        return False

    def set_aside(self, ad_account_id: str) -> UnavailableError | None:
        """Return why an account gets no more calls; ``None`` if it does not stay unavailable."""
        del ad_account_id
        return None

    def is_missing(self, ad_account_id: str) -> bool:
        """Return whether an account is unavailable now."""
        del ad_account_id
        return False

    @property
    def retry_after(self) -> float | None:
        """Seconds until Pinterest may be available for the accounts that are set aside, if it said so."""
        return None

    def begin(self, ad_account_id: str, check: Callable[[], None]) -> DeliveryError | None:
        """Wait until a batch may be sent; return why it must not be sent.

        :param check: called while it waits; raises ``Stopped`` if the run was told to stop.
        """
        del ad_account_id, check
        return None

    def end(self, ad_account_id: str, error: BaseException | None) -> bool:
        """Record that a batch was sent; return whether its error is about its account alone.

        :param error: why the batch is not settled; ``None`` if it is.
        """
        del ad_account_id, error
        return False

    def told(self, ad_account_id: str, error: DeliveryError) -> DeliveryError:
        """Return the error of a batch that ends the run, with what it says about the ad accounts."""
        del ad_account_id
        return error


class AccountStandings(Standings):
    """The standings of the accounts of a run with several accounts.

    The first batch of each account is sent alone for this account. The others wait until it is settled.
    """

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition(self._lock)
        self._begun: set[str] = set()
        self._answered: set[str] = set()
        self._denied: set[str] = set()
        self._refused: dict[str, DeliveryError] = {}
        self._denied_in_a_row: set[str] = set()
        self._fruitless_in_a_row: set[str] = set()
        self._accepted = 0
        """Calls that were accepted."""
        self._missing: dict[str, int] = {}
        """Account that is unavailable now → calls that had been accepted when that began."""
        self._aside: dict[str, UnavailableError] = {}
        self._undecided = self._outage = False
        self._missed_while_undecided: set[str] = set()

    def accept(self, ad_account_id: str) -> None:
        """Record that an account has accepted events."""
        super().accept(ad_account_id)
        with self._lock:
            self._accepted += 1
            self._missing.pop(ad_account_id, None)
            self._undecided = self._outage = False
            self._missed_while_undecided.clear()
            self._denied_in_a_row.clear()
            self._fruitless_in_a_row.clear()

    def miss(self, ad_account_id: str) -> None:
        """Record that Pinterest is unavailable for an account now."""
        with self._lock:
            if ad_account_id in self._aside or ad_account_id in self._missing:
                return
            self._missing[ad_account_id] = self._accepted
            if self._undecided:
                self._missed_while_undecided.add(ad_account_id)
                self._outage = self._outage or len(self._missed_while_undecided) >= MISSED_WHILE_UNDECIDED

    @property
    def undecided(self) -> bool:
        """Whether an account stays unavailable and it is not known whether all accounts do."""
        return self._undecided and not self._outage

    @property
    def outage(self) -> bool:
        """Whether Pinterest is unavailable for all accounts, as it seems."""
        return self._outage

    def set_aside(self, ad_account_id: str) -> UnavailableError | None:
        """Return why an account gets no more calls; ``None`` if it does not stay unavailable."""
        return self._aside.get(ad_account_id)

    def is_missing(self, ad_account_id: str) -> bool:
        """Return whether an account is unavailable now."""
        return ad_account_id in self._missing or ad_account_id in self._aside

    @property
    def retry_after(self) -> float | None:
        """Seconds until Pinterest may be available for the accounts that are set aside, if it said so."""
        return max((one.retry_after for one in self._aside.values() if one.retry_after is not None), default=None)

    def reject_all(self, ad_account_id: str, error: RefusedError) -> RefusedError | None:
        """Record that all events of a batch were rejected one by one; return the error if the mapping is wrong.

        A first batch may have few events, so it does not tell that the mapping is wrong.
        """
        with self._lock:
            if self._accepted_any:
                return None
            self._fruitless_in_a_row.add(ad_account_id)
            return error if self._too_many() else None

    def deny(self, ad_account_id: str, status: int | None) -> None:
        """Record that Pinterest denies access to an account."""
        if status in OF_THE_ACCOUNT:
            with self._lock:
                self._denied.add(ad_account_id)

    def begin(self, ad_account_id: str, check: Callable[[], None]) -> DeliveryError | None:
        """Wait until a batch may be sent; return why it must not be sent.

        :param check: called while it waits; raises ``Stopped`` if the run was told to stop.
        """
        with self._changed:
            while self._is_first_under_way(ad_account_id):
                check()
                self._changed.wait(LOOK_AGAIN)
            self._begun.add(ad_account_id)
            return self._refused.get(ad_account_id) or self._aside.get(ad_account_id)

    def end(self, ad_account_id: str, error: BaseException | None) -> bool:
        """Record that a batch was sent; return whether its error is about its account alone.

        :param error: why the batch is not settled; ``None`` if it is.
        """
        with self._changed:
            if isinstance(error, UnavailableError):
                return self._end_unavailable(ad_account_id, error)
            self._missing.pop(ad_account_id, None)
            if error is None:
                self._answered.add(ad_account_id)
                self._changed.notify_all()
                return True
            denied = isinstance(error, CredentialError) and ad_account_id in self._denied
            if not isinstance(error, DeliveryError) or not (denied or isinstance(error, RefusedError)):
                self._let_another_begin(ad_account_id)
                return False
            if ad_account_id in self._refused:
                return True
            (self._denied_in_a_row if denied else self._fruitless_in_a_row).add(ad_account_id)
            if self._too_many():
                self._let_another_begin(ad_account_id)
                return False
            self._refused[ad_account_id] = error
            self._changed.notify_all()
        said = " ".join(str(error).splitlines())
        log.error("Ad account %s is refused, so no more of its events are sent. %s", ad_account_id, said)
        return True

    def _end_unavailable(self, ad_account_id: str, error: UnavailableError) -> bool:
        """Set an account aside that stays unavailable, unless Pinterest is unavailable for all accounts."""
        accepted_before = self._missing.pop(ad_account_id, None)
        if ad_account_id not in self._aside:
            if accepted_before is None or self._outage:
                self._let_another_begin(ad_account_id)
                return False
            self._undecided = self._undecided or self._accepted == accepted_before
            self._aside[ad_account_id] = error.followed_by(_for(ad_account_id))
            self._changed.notify_all()
            log.error("%s No more events are sent to this account in this attempt.", " ".join(str(error).splitlines()))
        return not (self._undecided or self._outage)

    def told(self, ad_account_id: str, error: DeliveryError) -> DeliveryError:
        """Return the error of a batch that ends the run, with what it says about the ad accounts."""
        if error is self._aside.get(ad_account_id):
            return error
        with self._lock:
            refused = sorted(self._in_a_row()) if self._too_many() else []
        if refused and isinstance(error, CredentialError | RefusedError):
            return error.followed_by(
                f"The run ended because {len(refused)} ad accounts were refused and none accepted an event in between, "
                f"so the token, its roles or the column of the ad account is probably wrong: {named(refused)}."
            )
        if isinstance(error, UnavailableError | RefusedError):
            return error.followed_by(_for(ad_account_id))
        return error

    def _let_another_begin(self, ad_account_id: str) -> None:
        """Make another batch the first one of an account. The run ends at the oldest batch, which may wait for it."""
        self._begun.discard(ad_account_id)
        self._changed.notify_all()

    def _is_first_under_way(self, ad_account_id: str) -> bool:
        known = ad_account_id in self._answered or ad_account_id in self._refused or ad_account_id in self._aside
        return not known and ad_account_id in self._begun

    def _in_a_row(self) -> set[str]:
        return self._denied_in_a_row | self._fruitless_in_a_row

    def _too_many(self) -> bool:
        """Return whether the token or the mapping must be wrong."""
        if len(self._in_a_row()) >= REFUSED_IN_A_ROW:
            return True
        first = not self._accepted_any
        return first and (
            len(self._denied_in_a_row) >= FIRST_DENIED or len(self._fruitless_in_a_row) >= FIRST_FRUITLESS
        )
