"""Finds Airflow connections by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.common.sql.hooks.sql import DbApiHook

from airflow_provider_pinterest.airflow_versions import AirflowNotFoundException, BaseHook, Connection
from airflow_provider_pinterest.exceptions import MissingConnectionError, ParameterError


class ConnectionNotFoundError(MissingConnectionError, AirflowNotFoundException):
    """The connection does not exist. Airflow may retry the task, because a secrets backend may be unreachable."""


def find_connection(name: str, parameter: str) -> Connection:
    """Return an Airflow connection.

    :param parameter: the parameter that names the connection, for the message.
    :raises MissingConnectionError: there is no such connection.
    """
    try:
        return BaseHook.get_connection(name)
    except AirflowNotFoundException:
        pass
    # Raised here, the error is not chained to Airflow's.
    raise ConnectionNotFoundError(
        f"Connection {name!r} does not exist, or its secrets backend cannot be reached.",
        advice=f"Create it (Admin → Connections, or the environment variable AIRFLOW_CONN_{name.upper()}), or "
        f"correct {parameter}.",
    )


def find_database(
    name: str, parameter: str, *, hook_params: Mapping[str, Any] | None = None, otherwise: str = ""
) -> DbApiHook:
    """Return the hook of an SQL database.

    :param parameter: the parameter that names the connection, for the message.
    :param otherwise: what else to do if it is another kind of connection, for the message.
    :raises MissingConnectionError: there is no such connection.
    :raises ParameterError: it is not the connection of an SQL database.
    """
    hook = find_connection(name, parameter).get_hook(hook_params=hook_params)  # type: ignore[no-untyped-call]
    if not isinstance(hook, DbApiHook):
        raise ParameterError(
            f"Connection {name!r} uses {type(hook).__name__}, which is not a DbApiHook.",
            advice=f"Use the connection of an SQL database{otherwise}.",
        )
    return hook
