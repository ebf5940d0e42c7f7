"""The attempt of a task: its number, its identity and its folders, read from the task instance."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_pinterest.airflow_versions import ObjectStoragePath, may_be_forgotten, state_store
from airflow_provider_pinterest.api.interruptible import Stopped
from airflow_provider_pinterest.delivery import checkpoint_v2
from airflow_provider_pinterest.delivery.rejects import folder_name, legacy_folder_name
from airflow_provider_pinterest.operators.task_options import DEFAULTS
from airflow_provider_pinterest.outcomes.table import LONGEST_RUN
from airflow_provider_pinterest.sync.attempt import DECISIVE, NEWER, AttemptInfo
from airflow_provider_pinterest.sync.verdict import Vocabulary

if TYPE_CHECKING:
    from airflow_provider_pinterest.airflow_versions import Context
    from airflow_provider_pinterest.operators.task_options import TaskOptions

AIRFLOW: Final = Vocabulary(
    name="The task",
    again="Clear or a retry",
    clear="Clear",
    retry="a retry",
    leave="mark the task as success",
    remembers="On Airflow 3.3 or later, with resume=True, a retry continues where the attempt before it ended.",
)
"""Airflow's terms."""

SOURCE: Final = ("sql", "sql_conn_id", "hook_params", "parameters")
"""Parameters that decide which rows a source yields."""

NEWER_SOURCE: Final[tuple[str, ...]] = ("path",)
"""More such parameters, added later. Only values other than the defaults count, because older checkpoints lack them."""


def attempt_info(
    options: TaskOptions, context: Context, *, account: str, carried: Mapping[str, Any] | None
) -> AttemptInfo:
    """Return what Airflow knows about this attempt.

    :param account: the ad account.
    :param carried: the checkpoint of a deferral.
    """
    return AttemptInfo(
        number=try_number(context),
        identity=identity(context),
        may_be_forgotten=may_be_forgotten(context) or _stores_elsewhere(options, context),
        carried=carried,
        guard=not_orphaned(),
        earlier_rejects=_earlier_rejects(options, context),
        fingerprint_v2=_fingerprint_v2(options, account),
        vocabulary=AIRFLOW,
    )


def source_parameters(options: TaskOptions) -> dict[str, Any]:
    """Return the parameters that decide which rows the source yields, for the comparison with earlier attempts."""
    return {name: getattr(options, name) for name in (*SOURCE, *_set(options, NEWER_SOURCE))}


def _set(options: TaskOptions, names: Sequence[str]) -> list[str]:
    """Return the names of parameters whose values are not the defaults."""
    return [name for name in names if getattr(options, name) != DEFAULTS[name]]


def rejects_folder(options: TaskOptions, context: Context) -> Any:
    """Return the folder of this run's rejects, the same for every attempt; ``None`` if they are not written."""
    return ObjectStoragePath(options.rejects_path) / folder_name(*_run(context)) if options.rejects_path else None


def run_name(context: Context) -> str:
    """Return the name of this run in the outcome table: readable, and the same for every attempt."""
    parts = [str(part) for part in _run(context) if part not in (None, "")]
    name = "/".join(parts)
    plain = name == name.strip() and not any("/" in part for part in parts)
    return name if plain and 0 < len(name) <= LONGEST_RUN else folder_name(*_run(context))


def try_number(context: Context) -> int:
    """Return the number of this attempt, from 1."""
    number = getattr(context["ti"], "try_number", 1)
    return number if isinstance(number, int) else 1


def identity(context: Context) -> dict[str, Any]:
    """Return values that stay the same for the retries of a run and change when the task is cleared; empty if unknown.

    Clear sets ``max_tries`` to the number of attempts plus ``retries``. The result can be the same number only if
    ``retries`` has changed too, so both are part of the identity. So is the number of times that the DAG run was
    cleared, if it is known.
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
    """Return a guard that stops the sending once the supervising process is gone.

    Airflow then starts another attempt, and this one must not send at the same time.
    """
    parent = os.getppid()

    def guard() -> None:
        if os.getppid() != parent:
            raise Stopped

    return guard


def _run(context: Context) -> tuple[object, ...]:
    """Return the values that identify the task instance."""
    ti = context["ti"]
    index = getattr(ti, "map_index", -1)
    parts = (getattr(ti, name, None) for name in ("dag_id", "run_id", "task_id"))
    return *parts, index if index not in (-1, None) else ""


def _stores_elsewhere(options: TaskOptions, context: Context) -> bool:
    """Return whether the state is in a database of the user's, where an earlier attempt may not have stored it."""
    return options.outcomes_conn_id is not None and state_store(context) is None


def _earlier_rejects(options: TaskOptions, context: Context) -> Sequence[Any]:
    if not options.rejects_path:
        return ()
    return (ObjectStoragePath(options.rejects_path) / legacy_folder_name(*_run(context)),)


def _fingerprint_v2(options: TaskOptions, account: str) -> str:
    """Return the fingerprint of the parameters as version 2 stored it."""
    decisive = {name: getattr(options, name) for name in (*DECISIVE, *_set(options, NEWER))}
    return checkpoint_v2.fingerprint(
        account=account, **source_parameters(options), **decisive, rejects_path=options.rejects_path
    )
