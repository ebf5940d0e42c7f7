"""The rows of a query, by the name of an Airflow connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_pinterest.hooks.lookup import find_database
from airflow_provider_pinterest.sources.sql import SqlSource


def warehouse_query(
    sql: str,
    sql_conn_id: str,
    hook_params: Mapping[str, Any] | None,
    parameters: Mapping[str, Any] | Sequence[Any] | None,
) -> SqlSource:
    """Return the rows of a query.

    :raises MissingConnectionError: there is no such connection.
    :raises ParameterError: the connection is not that of an SQL database.
    """
    hook = find_database(sql_conn_id, "sql_conn_id", hook_params=hook_params, otherwise=", or pass the rows themselves")
    return SqlSource(hook, sql, parameters)
