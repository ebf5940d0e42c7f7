"""What all attempts of one run share, and what of the process they run in matters."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.delivery.checkpoint import KEY, Checkpoint, Finished, StateStore
from airflow_provider_pinterest.delivery.pace import Stopped
from airflow_provider_pinterest.delivery.resuming import SourceChanged

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

DECISIVE: Final = (
    "sql",
    "sql_conn_id",
    "hook_params",
    "parameters",
    "field_map",
    "identifiers",
    "defaults",
    "event_id_from",
    "timezone",
    "max_event_age",
    "key_columns",
    "rejects_path",
)
"""Parameters that decide what the rows become; a checkpoint is good only for the same."""


@dataclass(frozen=True)
class Job:
    """What all attempts of one run share.

    :param folder: of the rejects, if any are written.
    :param store: where checkpoints are kept, if anywhere.
    :param fingerprint: of everything that decides what the rows become and where they go.
    """

    mapping: ColumnMapping
    account: str
    test: bool
    validate_only: bool
    folder: Any
    store: StateStore | None
    fingerprint: str

    def found(self, context: Context, *, resends_all: bool) -> Checkpoint | Finished | None:
        """Return what an earlier try of this run has left behind: how far it came, or how it ended.

        :param resends_all: whether the user accepts second copies of any event.
        :raises SourceChanged: it had other parameters, and what it sent would count twice if it were sent again.
        """
        written = self.store.get(KEY) if self.store else None
        if not written:
            return None
        finished = Finished.from_json(written)
        if finished is not None:
            return finished if finished.max_tries == max_tries(context) else None
        try:
            checkpoint = Checkpoint.from_json(written)
        except ValueError as error:
            log.warning("An earlier try left a checkpoint that cannot be read (%s): starting over", error)
            return None
        if checkpoint.fingerprint == self.fingerprint:
            return checkpoint
        if not (resends_all or checkpoint.recognised(time.time())):
            raise SourceChanged(harmful=True)
        log.warning("The task's parameters are not those of the earlier try: starting over")
        return None


def try_number(context: Context) -> int:
    """Return which try of the task this is, from 1."""
    number = getattr(context["ti"], "try_number", 1)
    return number if isinstance(number, int) else 1


def max_tries(context: Context) -> int | None:
    """Return Airflow's count of tries that the task may have, which grows when it is cleared; ``None``: not known."""
    number = getattr(context["ti"], "max_tries", None)
    return number if isinstance(number, int) else None


def not_orphaned() -> Callable[[], None]:
    """Return a guard that lets nothing more be sent once the supervising process is gone.

    Airflow starts another try then; this one would send beside it.
    """
    parent = os.getppid()

    def guard() -> None:
        if os.getppid() != parent:
            raise Stopped

    return guard
