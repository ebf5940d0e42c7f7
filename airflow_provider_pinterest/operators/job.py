"""What all attempts of one run share, and what of the process they run in matters."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.delivery.checkpoint import KEY, Checkpoint, StateStore
from airflow_provider_pinterest.delivery.pace import Stopped
from airflow_provider_pinterest.delivery.run import SourceChanged

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

    def found(self) -> Checkpoint | None:
        """Return the checkpoint of an earlier try of this run.

        :raises SourceChanged: there is one, of other parameters, and events were sent that cannot be deduplicated.
        """
        written = self.store.get(KEY) if self.store else None
        if not written:
            return None
        try:
            checkpoint = Checkpoint.from_json(written)
        except ValueError as error:
            log.warning("An earlier try left a checkpoint that cannot be read (%s): starting over", error)
            return None
        if checkpoint.fingerprint == self.fingerprint:
            return checkpoint
        if checkpoint.offline:
            raise SourceChanged(harmful=True)
        log.warning("The task's parameters are not those of the earlier try: starting over")
        return None


def try_number(context: Context) -> int:
    """Return which try of the task this is, from 1."""
    number = getattr(context["ti"], "try_number", 1)
    return number if isinstance(number, int) else 1


def not_orphaned() -> Callable[[], None]:
    """Return a guard that lets nothing more be sent once the supervising process is gone.

    Airflow starts another try then; this one would send beside it.
    """
    parent = os.getppid()

    def guard() -> None:
        if os.getppid() != parent:
            raise Stopped

    return guard
