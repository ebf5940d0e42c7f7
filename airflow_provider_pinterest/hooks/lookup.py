"""Finds Airflow connections by name."""

from __future__ import annotations

from airflow_provider_pinterest.airflow_versions import AirflowNotFoundException, BaseHook, Connection
from airflow_provider_pinterest.exceptions import MissingConnectionError


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
