"""How the rows of a query are read through each database driver.

:class:`~airflow_provider_pinterest.sources.drivers.base.DriverReader` reads through any driver of the DB-API. A driver
that holds whole results in memory, hands over cells in a form of its own, or can cancel a query has a subclass, which
is listed in :data:`READERS`. The subclasses do not import their drivers: they only see connections that hooks made.
"""

from __future__ import annotations

from typing import Any, Final

from airflow_provider_pinterest.sources.drivers.base import DriverReader
from airflow_provider_pinterest.sources.drivers.bigquery import BigQuery
from airflow_provider_pinterest.sources.drivers.clickhouse import ClickHouseConnect, ClickHouseDriver
from airflow_provider_pinterest.sources.drivers.databricks import Databricks
from airflow_provider_pinterest.sources.drivers.embedded import DuckDB, Sqlite
from airflow_provider_pinterest.sources.drivers.jdbc import Jdbc
from airflow_provider_pinterest.sources.drivers.mysql import MySqlClient, MySqlConnector, PyMySql
from airflow_provider_pinterest.sources.drivers.odbc import Odbc
from airflow_provider_pinterest.sources.drivers.oracle import Oracle
from airflow_provider_pinterest.sources.drivers.postgres import Psycopg, Psycopg2
from airflow_provider_pinterest.sources.drivers.redshift import Redshift
from airflow_provider_pinterest.sources.drivers.snowflake import Snowflake
from airflow_provider_pinterest.sources.drivers.trino import Trino

READERS: Final[tuple[type[DriverReader], ...]] = (
    BigQuery,
    ClickHouseConnect,
    ClickHouseDriver,
    Databricks,
    DuckDB,
    Jdbc,
    MySqlClient,
    MySqlConnector,
    Odbc,
    Oracle,
    Psycopg,
    Psycopg2,
    PyMySql,
    Redshift,
    Snowflake,
    Sqlite,
    Trino,
)
"""The readers of particular drivers."""

_BY_MODULE: Final = {module: reader for reader in READERS for module in reader.modules}


def reader_for(connection: Any) -> type[DriverReader]:
    """Return the reader for a connection, chosen by the module of its type or of a base of its type."""
    for kind in type(connection).__mro__:
        module = kind.__module__
        while module:
            if module in _BY_MODULE:
                return _BY_MODULE[module]
            module = module.rpartition(".")[0]
    return DriverReader
