"""The rows of a query, by the name of an Airflow connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.common.sql.hooks.sql import DbApiHook

from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.hooks.lookup import find_connection
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
    hook = find_connection(sql_conn_id, "sql_conn_id").get_hook(hook_params=hook_params)  # type: ignore[no-untyped-call]
    if not isinstance(hook, DbApiHook):
        raise ParameterError(
            f"Connection {sql_conn_id!r} uses {type(hook).__name__}, which is not a DbApiHook.",
            advice="Use the connection of an SQL database, or pass the rows themselves.",
        )
    return SqlSource(hook, sql, parameters)
