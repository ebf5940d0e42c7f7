"""The outcome table of a task, and the state of the task in the same database."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_pinterest.airflow_versions import state_store
from airflow_provider_pinterest.hooks.lookup import find_database
from airflow_provider_pinterest.operators.task_attempt import run_name
from airflow_provider_pinterest.outcomes.database import beside
from airflow_provider_pinterest.outcomes.table import OutcomeTable
from airflow_provider_pinterest.sync.state import SqlStateStore

if TYPE_CHECKING:
    from airflow_provider_pinterest.airflow_versions import Context
    from airflow_provider_pinterest.operators.task_options import TaskOptions
    from airflow_provider_pinterest.state_store import StateStore


def outcome_table(options: TaskOptions, context: Context) -> OutcomeTable | None:
    """Return the outcome table of a task, if it has one.

    :raises ParameterError: the connection is not that of an SQL database.
    :raises MissingConnectionError: there is no such connection.
    """
    if options.outcomes_conn_id is None:
        return None
    return OutcomeTable(
        _connections(options.outcomes_conn_id),
        run_name(context),
        table=options.outcomes_table,
        name=options.outcomes_conn_id,
    )


def store_of(options: TaskOptions, context: Context) -> StateStore | None:
    """Return the store of a task's state: Airflow's own, or a table beside the outcome table before Airflow 3.3."""
    found = state_store(context)
    if found is not None or options.outcomes_conn_id is None:
        return found
    return SqlStateStore(
        _connections(options.outcomes_conn_id), run_name(context), table=beside(options.outcomes_table, "_state")
    )


def _connections(conn_id: str) -> Callable[[], Any]:
    connect: Callable[[], Any] = find_database(conn_id, "outcomes_conn_id").get_conn
    return connect
