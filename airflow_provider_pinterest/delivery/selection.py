"""Sends again: of the rows of a source, only those that the outcome table has in one state."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol

from airflow_provider_pinterest.conversions.outcomes import Duplicate, Event, Excluded, Outcome, Rejection
from airflow_provider_pinterest.delivery.ledger import LOOKED_UP_AT_ONCE, AlreadySent
from airflow_provider_pinterest.delivery.outcome_log import Status
from airflow_provider_pinterest.delivery.result import RunCounters

log = logging.getLogger(__name__)

NOT_SELECTED: Final = "not_selected"
"""The code of rows that are left out; a key of :data:`~.conversions.reasons.EXCLUSIONS`."""

Row = Event | Rejection
"""A row that can be looked up."""


class Standing(NamedTuple):
    """What the outcome table says about a row.

    :param key: the key of its event, if the row has one.
    :param status: the status of its event; ``None`` if the table does not have the event.
    :param own: whether this run wrote the status, since the user decided to send again.
    :param untried: whether an attempt claimed the event, and then certainly did not send it.
    :param columns: its key columns; ``None`` if it has none.
    :param older: keys of rows in the wanted state that have no event, and the same key columns.
    """

    key: str | None = None
    status: str | None = None
    own: bool = False
    untried: bool = False
    columns: str | None = None
    older: tuple[str, ...] = ()


class StandingTable(Protocol):
    """The outcome table, as :class:`Selection` uses it."""

    def count(self, status: Status, ad_account_id: str | None) -> tuple[int, int]:
        """Return how many rows are in a state, and how many of them only key columns can find.

        :param ad_account_id: their account; ``None``: of all accounts.
        """

    def hold_abandoned(self, ad_account_id: str | None) -> tuple[int, int]:
        """Hold events that a run claimed a while ago without recording an outcome.

        :return: how many are held now, and how many other events are claimed.
        """

    def look_up(
        self, ad_account_id: str, rows: Sequence[Row], status: Status, *, by_columns: bool
    ) -> Mapping[int, Standing]:
        """Return what the table says, by row.

        :param by_columns: whether to look for the key columns too.
        """

    def supersede(self, row: int, older: Sequence[str]) -> None:
        """Remove older rows of the table together with writing the outcome of a row."""

    def remove(self, older: Sequence[str]) -> None:
        """Remove older rows of the table now."""


@dataclass(frozen=True, slots=True)
class NotSelected:
    """A row that is not in the wanted state."""

    outcome: Outcome

    @property
    def excluded(self) -> Excluded:
        """The row as one that a rule excludes, to count it."""
        return Excluded(self.row, NOT_SELECTED, self.outcome.ad_account_id)

    @property
    def row(self) -> int:
        """Its number in the source, from 1."""
        return self.outcome.row


@dataclass(frozen=True, slots=True)
class StillHeld:
    """A row whose event an earlier attempt of this run sent again, and whose outcome is unknown again."""

    event: Event

    @property
    def row(self) -> int:
        """Its number in the source, from 1."""
        return self.event.row


class RowFate(Enum):
    """What happens to a row."""

    SELECTED = "it is sent, or rejected again"
    SENT_BY_RUN = "this run has sent it"
    SENT_BEFORE = "another run has sent it"
    HELD_BY_RUN = "this run has sent it again, and its outcome is unknown"
    LEFT_OUT = "it is not in the wanted state"


def fate_of(outcome: Row, standing: Standing, wanted: Status) -> RowFate:
    """Return what happens to a row. Nothing is sent that was processed, or is held and not wanted."""
    status, own = standing.status, standing.own
    if type(outcome) is Event:
        if status == Status.PROCESSED:
            return RowFate.SENT_BY_RUN if own else RowFate.SENT_BEFORE if standing.older else RowFate.LEFT_OUT
        if status == Status.HELD and own and not standing.untried:
            return RowFate.HELD_BY_RUN
        if status == Status.HELD and wanted is not Status.HELD:
            return RowFate.LEFT_OUT
        if status == Status.SENDING:
            return RowFate.SELECTED if own else RowFate.LEFT_OUT  # the claims tell whether it may be sent once more
    again = own and status in (Status.FAILED, Status.REJECTED)
    return RowFate.SELECTED if again or status == wanted or standing.older else RowFate.LEFT_OUT


class Selection:
    """The rows of a source that are in one state.

    :param standings: the outcome table.
    :param wanted: the state.
    :param ad_account_id: the account of rows that name none.
    :param several_accounts: whether rows name their account.
    :param has_key_columns: whether rows have key columns.
    """

    def __init__(
        self,
        standings: StandingTable,
        wanted: Status,
        ad_account_id: str,
        *,
        several_accounts: bool,
        has_key_columns: bool,
    ) -> None:
        self._standings = standings
        self._wanted = wanted
        self._account = ad_account_id
        self._usual = "" if several_accounts else ad_account_id
        accounts = None if several_accounts else ad_account_id
        if wanted is Status.HELD:
            _log_abandoned(*standings.hold_abandoned(accounts))
        self._total, without_event = standings.count(wanted, accounts)
        self._by_columns = bool(without_event) and has_key_columns
        self._found: set[int] = set()
        """Rows of the table that the source has, by the start of their keys."""
        self._columns: set[str] = set()
        """Key columns of rows that were found by them."""
        self._ambiguous = 0
        self.events_left_out = 0
        """Valid events that are not in the wanted state."""
        if without_event and not has_key_columns:
            log.warning(
                "%d rows are %s in the outcome table without event_name, event_id or account. They can be found only "
                "by key_columns, which is not set, so they are not sent again.",
                without_event,
                wanted,
            )

    def rows(self, outcomes: Iterator[Outcome]) -> Iterator[Outcome | AlreadySent | NotSelected | StillHeld]:
        """Yield all rows; those that are not in the wanted state as :class:`NotSelected`."""
        while chunk := list(islice(outcomes, LOOKED_UP_AT_ONCE)):
            standings = self._look_up(chunk)
            for outcome in chunk:
                yield self._decided(outcome, standings)
        if self._ambiguous:
            log.warning(
                "%d rows have the same key_columns as another row and were not sent again, because it is not known "
                "which of them was %s. key_columns must identify a row.",
                self._ambiguous,
                self._wanted,
            )

    def summary(self, counters: RunCounters, *, finished: bool) -> dict[str, Any]:
        """Return the counts of the run for the result.

        :param finished: whether the source was read to its end.
        """
        return {
            "only": str(self._wanted),
            "found": counters.events_built + counters.rows_rejected,
            "processed": counters.delivered.processed,
            "still_refused": counters.rejected + counters.delivered.held,
            "gone": max(self._total - len(self._found), 0) if finished else None,
        }

    def _look_up(self, chunk: Sequence[Outcome]) -> dict[int, Standing]:
        by_account: dict[str, list[Row]] = {}
        for outcome in chunk:
            if type(outcome) is Event:
                by_account.setdefault(outcome.ad_account_id or self._account, []).append(outcome)
            elif isinstance(outcome, Rejection):
                by_account.setdefault(outcome.ad_account_id or self._usual, []).append(outcome)
        found: dict[int, Standing] = {}
        for account, rows in by_account.items():
            found |= self._standings.look_up(account, rows, self._wanted, by_columns=self._by_columns)
        times = Counter(one.columns for one in found.values() if one.older)
        return {row: self._certain(one, times) if one.older else one for row, one in found.items()}

    def _certain(self, standing: Standing, times: Mapping[str | None, int]) -> Standing:
        """Return a standing without older rows if they may belong to another row of the source."""
        columns = standing.columns or ""
        known = columns in self._columns
        self._columns.add(columns)
        if not known and times[columns] == 1:
            return standing
        self._ambiguous += 1
        return standing._replace(older=())

    def _decided(
        self, outcome: Outcome, standings: Mapping[int, Standing]
    ) -> Outcome | AlreadySent | NotSelected | StillHeld:
        if isinstance(outcome, Excluded):
            return outcome
        if isinstance(outcome, Duplicate):
            return NotSelected(outcome)
        standing = standings.get(outcome.row, Standing())
        fate = fate_of(outcome, standing, self._wanted)
        if fate is RowFate.LEFT_OUT:
            self.events_left_out += type(outcome) is Event
            return NotSelected(outcome)
        if standing.key is not None and standing.status == self._wanted:
            self._note(standing.key)
        for key in standing.older:
            self._note(key)
        if type(outcome) is Event and fate in (RowFate.SENT_BY_RUN, RowFate.SENT_BEFORE):
            if standing.older:
                self._standings.remove(standing.older)
            return AlreadySent(outcome, fate is RowFate.SENT_BY_RUN)
        if standing.older:
            self._standings.supersede(outcome.row, standing.older)
        if type(outcome) is Event and fate is RowFate.HELD_BY_RUN:
            return StillHeld(outcome)
        return outcome

    def _note(self, key: str) -> None:
        self._found.add(int(key[:16], 16))


def _log_abandoned(held: int, claimed: int) -> None:
    if held:
        log.warning(
            "%d events were claimed by runs that ended without recording an outcome. They are held now, and sent again "
            "if the source has them.",
            held,
        )
    if claimed:
        log.warning(
            "%d other events are not sent again, because a run claimed them in the last ten minutes and may still be "
            "sending them.",
            claimed,
        )
