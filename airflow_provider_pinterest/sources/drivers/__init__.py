"""How the rows of a query are read through each database driver.

:class:`~airflow_provider_pinterest.sources.drivers.base.DriverReader` reads through any DB-API driver. A driver has a
subclass if it loads whole results into memory, returns cells in its own form, or can cancel a query. The subclasses are
listed in :data:`READERS`. They do not import their drivers; they only use connections that hooks have opened.

- ``base``: the reader for any DB-API driver.
- ``bigquery``, ``clickhouse``, ``databricks``, ``jdbc``, ``mysql``, ``odbc``, ``oracle``, ``postgres``, ``redshift``,
  ``snowflake``, ``trino``: the readers of single drivers or databases.
- ``embedded``: the readers of SQLite and DuckDB.
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
"""The readers of single drivers."""

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
