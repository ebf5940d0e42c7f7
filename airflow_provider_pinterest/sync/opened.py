"""What an attempt opens before it delivers: the source, the outcome table, the folder of the rejects, the sender."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_provider_pinterest.delivery.checkpoint import VERSION, Checkpoint
from airflow_provider_pinterest.delivery.ledger import Claims
from airflow_provider_pinterest.delivery.outcome_log import Status
from airflow_provider_pinterest.delivery.rejects import Rejects
from airflow_provider_pinterest.delivery.resuming import Start
from airflow_provider_pinterest.delivery.selection import Selection
from airflow_provider_pinterest.delivery.sender import OnUnknownOutcome, Sender
from airflow_provider_pinterest.delivery.standings import AccountStandings
from airflow_provider_pinterest.outcomes.table import OpenOutcomeTable
from airflow_provider_pinterest.sync.attempt import fence
from airflow_provider_pinterest.sync.call import Call, Parts

if TYPE_CHECKING:
    from airflow_provider_pinterest.sources.protocol import OpenSource

log = logging.getLogger(__name__)

EMPTY_LEDGER: Final = (
    "The outcome table is empty, so no event counts as sent before. This is right in the first run. If earlier runs "
    "have written to the table, stop this run, and check the table's connection and name."
)


@dataclass(frozen=True)
class Opened:
    """What an attempt works with.

    :param table: ``None``: outcomes are not recorded.
    :param ledger: the same table, if it tells which events were sent.
    :param selection: which rows are sent again; ``None``: all rows are sent.
    :param sender: ``None``: events are only validated.
    :param rejects: ``None``: rejected rows are not written.
    """

    source: OpenSource
    table: OpenOutcomeTable | None
    ledger: OpenOutcomeTable | None
    selection: Selection | None
    sender: Sender | None
    rejects: Rejects | None


def open_attempt(call: Call, parts: Parts, start: Start, resources: ExitStack) -> Opened:
    """Open what an attempt needs.

    :param resources: closes it, also if a later step fails.
    :raises PinterestError: something cannot be opened, or another attempt has replaced this one.
    :raises Stopped: the run was told to stop meanwhile.
    """
    source = call.source.open()
    table = _outcome_table(call)
    if table is not None:
        resources.callback(table.close)
    ledger = table if parts.attempt.ledger else None
    if ledger is not None and call.options.skip_already_sent and ledger.is_empty():
        log.warning(EMPTY_LEDGER)
    selection = _selection(call, parts, start.checkpoint, table)
    sender = _sender(call, start, ledger)
    if sender is not None:
        resources.callback(sender.close)
    fence(parts.store, start.checkpoint)
    rejects = _rejects(call, parts, start)
    call.stop.check()
    return Opened(source, table, ledger, selection, sender, rejects)


def _outcome_table(call: Call) -> OpenOutcomeTable | None:
    """Open the outcome table, if there is one and events are sent."""
    if call.outcomes is None or call.options.validate_only:
        return None
    again = call.info.number != 1 and call.options.only is None
    return call.outcomes.open(test=call.options.test, again=again, stopped=call.stop.is_set)


def _selection(call: Call, parts: Parts, checkpoint: Checkpoint, table: OpenOutcomeTable | None) -> Selection | None:
    """Return which rows are sent again; ``None``: all rows are sent."""
    options = call.options
    if table is None or options.only is None:
        return None
    wanted = Status(options.only)
    table.decide(checkpoint.clock, resends_held=wanted is Status.HELD)
    if wanted is Status.HELD:
        log.warning(
            "Events that are held are sent again, because of only='held'. They may have arrived before, and "
            "Pinterest then counts them twice, offline events always."
        )
    return Selection(
        table,
        wanted,
        parts.account,
        several_accounts=bool(options.ad_account_id_column),
        has_key_columns=bool(options.key_columns),
    )


def _sender(call: Call, start: Start, ledger: OpenOutcomeTable | None) -> Sender | None:
    """Return the sender; ``None`` to validate only."""
    options, connection = call.options, call.connection
    if options.validate_only or connection is None:
        return None
    rate_limiter = connection.rate_limiter(test=options.test)
    counts_own = start.resume or options.only is not None
    claims = None if ledger is None else Claims(ledger, counts_own=counts_own, sleep=rate_limiter.sleep)
    sender = Sender(
        connection.events(test=options.test, connections=options.max_in_flight),
        rate_limiter,
        claims=claims,
        marks=claims is None or not start.checkpoint.ledger,
        on_unknown_outcome=OnUnknownOutcome(options.on_unknown_outcome) if options.on_unknown_outcome else None,
        max_wait=options.max_wait.total_seconds(),
        guard=call.info.guard,
        standings=AccountStandings() if options.ad_account_id_column else None,
    )
    call.stop.on_set(sender.abort)
    return sender


def _rejects(call: Call, parts: Parts, start: Start) -> Rejects | None:
    """Open the folder of the rejects, and check that it can be written to.

    :raises RejectsError: it cannot be written to.
    """
    if parts.folder is None:
        return None
    checkpoint = start.checkpoint
    rejects = Rejects(
        parts.folder,
        attempt=call.info.number or 1,
        keep=checkpoint.keeps if start.resume else None,
        known=checkpoint.parts,
        earlier=call.info.earlier_rejects if checkpoint.version < VERSION else (),
    )
    rejects.probe()
    return rejects
