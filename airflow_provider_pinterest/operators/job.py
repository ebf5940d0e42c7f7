"""What a task instance tells of the attempt that it is, and of the attempts before it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_pinterest.airflow_versions import may_be_forgotten
from airflow_provider_pinterest.delivery import checkpoint_v2
from airflow_provider_pinterest.delivery.checkpoint import (
    KEY,
    Checkpoint,
    Finished,
    StateStore,
    UnreadableStateError,
    fingerprint,
    read_state,
)
from airflow_provider_pinterest.delivery.interruptible import Stopped
from airflow_provider_pinterest.delivery.resuming import Attempt
from airflow_provider_pinterest.delivery.sender import OnDoubt
from airflow_provider_pinterest.operators.options import DEFAULTS

if TYPE_CHECKING:
    from airflow_provider_pinterest.airflow_versions import Context
    from airflow_provider_pinterest.operators.options import TaskOptions

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
)
"""Parameters that decide what the rows become; a checkpoint is valid only for the same values."""


NEWER: Final = (
    "placeholders",
    "event_names",
    "consent_column",
    "minimum_age",
    "excluded_categories",
    "exclude_bots",
    "exclude_networks",
)
"""The same, of which only values other than the defaults count: what is stored does not name the others."""


def attempt_of(
    options: TaskOptions, context: Context, *, account: str, host: str, sends: bool, remembers: bool
) -> Attempt:
    """Return what this attempt is.

    :param host: base URL of the API.
    :param sends: whether events are sent for good; other runs leave no trace and know of none.
    :param remembers: whether there is a state store.
    """
    decisive = {name: getattr(options, name) for name in DECISIVE}
    decisive |= {name: value for name in NEWER if (value := getattr(options, name)) != DEFAULTS[name]}
    return Attempt(
        number=try_number(context) if sends else 1,
        fingerprint=fingerprint(host=host, ad_account_id=account, **decisive),
        fingerprint_v2=checkpoint_v2.fingerprint(account=account, **decisive, rejects_path=options.rejects_path),
        identity=identity(context),
        now=time.time(),
        remembers=remembers,
        may_be_forgotten=may_be_forgotten(context),
        resends_all=options.on_doubt == OnDoubt.RESEND,
        send_again=options.send_everything_again,
    )


def stored_state(store: StateStore | None, carried: Mapping[str, Any] | None) -> Checkpoint | Finished | str | None:
    """Return the newest state that earlier attempts left; text says why it cannot be read.

    :param carried: what a deferral brought along. A later attempt may have stored something newer since.
    """
    stored = store.get(KEY) if store else None
    here = None if stored is None else _read(stored)
    brought = None if carried is None else _read(carried)
    if isinstance(here, str):
        return here
    if isinstance(brought, str):
        return here or brought
    if here is None or brought is None:
        return here or brought
    return here if here.written >= brought.written else brought


def fence(store: StateStore | None, checkpoint: Checkpoint) -> None:
    """Learn whether another attempt has taken the place of this one, before any rejects are changed.

    What is stored stays as it is. Whatever this raises ends the task.

    :param checkpoint: stored where nothing is.
    """
    if store is not None:
        stored = store.get(KEY)
        store.set(KEY, checkpoint.as_json() if stored is None else stored)


def _read(stored: object) -> Checkpoint | Finished | str:
    try:
        return read_state(stored)
    except UnreadableStateError as error:
        return str(error)


def try_number(context: Context) -> int:
    """Return the number of this attempt, from 1."""
    number = getattr(context["ti"], "try_number", 1)
    return number if isinstance(number, int) else 1


def identity(context: Context) -> dict[str, Any]:
    """Return what stays the same for the retries of a run and changes when the task is cleared; empty: unknown.

    Clear sets ``max_tries`` to the attempts made plus ``retries``. It may set it to the same number only if `retries`
    is changed, so both count, and so does the number of times that the DAG run was cleared, where it is known.
    """
    max_tries = getattr(context["ti"], "max_tries", None)
    if not isinstance(max_tries, int):
        return {}
    found: dict[str, Any] = {"max_tries": max_tries}
    for name, holder, attribute in (("retries", "task", "retries"), ("cleared", "dag_run", "clear_number")):
        value = getattr(context.get(holder), attribute, None)
        if isinstance(value, int):
            found[name] = value
    return found


def not_orphaned() -> Callable[[], None]:
    """Return a guard that lets nothing more be sent once the supervising process is gone.

    Airflow starts another attempt then; this one would send beside it.
    """
    parent = os.getppid()

    def guard() -> None:
        if os.getppid() != parent:
            raise Stopped

    return guard
