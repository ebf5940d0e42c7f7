"""The SQL of databases that no test can run, and the parts that all have in common."""

from __future__ import annotations

import pytest

from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.outcomes import __main__ as command
from airflow_provider_pinterest.outcomes.database import SqlDatabase
from airflow_provider_pinterest.outcomes.dialects import ANSI, DIALECTS, dialect_of
from airflow_provider_pinterest.outcomes.records import COLUMNS
from airflow_provider_pinterest.outcomes.table import OpenOutcomeTable, create_table_statement
from tests.outcomes.test_ledger import events
from tests.running import rows

CREATE = {
    "snowflake": """CREATE TABLE marketing.pinterest_outcomes (
  outcome_key VARCHAR(64) NOT NULL,
  ad_account_id VARCHAR(32),
  event_name TEXT,
  event_id TEXT,
  key_columns TEXT,
  status VARCHAR(16) NOT NULL,
  reasons TEXT,
  run VARCHAR(255) NOT NULL,
  source_row BIGINT,
  event_time TIMESTAMP_NTZ,
  written_at TIMESTAMP_NTZ NOT NULL,
  is_test SMALLINT,
  match_keys TEXT,
  action_source TEXT,
  claim VARCHAR(32),
  status_before VARCHAR(16)
)""",
    "bigquery": """CREATE TABLE marketing.pinterest_outcomes (
  outcome_key STRING NOT NULL,
  ad_account_id STRING,
  event_name STRING,
  event_id STRING,
  key_columns STRING,
  status STRING NOT NULL,
  reasons STRING,
  run STRING NOT NULL,
  source_row INT64,
  event_time TIMESTAMP,
  written_at TIMESTAMP NOT NULL,
  is_test INT64,
  match_keys STRING,
  action_source STRING,
  claim STRING,
  status_before STRING
)""",
}


@pytest.mark.parametrize("name", CREATE)
def test_the_table(name):
    assert create_table_statement(name, "marketing.pinterest_outcomes") == CREATE[name]


@pytest.mark.parametrize("name", ["snowflake", "bigquery"])
def test_outcomes_are_merged(name):
    statement = DIALECTS[name].write("t", 2)
    source, _, rest = statement.partition(") n ON ")

    assert source.startswith("MERGE INTO t o USING (SELECT CAST({} AS ")
    assert source.count("UNION ALL") == 1
    assert source.count("{}") == 2 * len(COLUMNS)
    assert rest.startswith(
        "o.outcome_key = n.outcome_key WHEN MATCHED AND o.status <> 'processed' AND (n.status <> 'rejected' OR "
        "o.status NOT IN ('sending', 'held')) THEN UPDATE SET ad_account_id = n.ad_account_id, "
    )
    assert "status = n.status WHEN NOT MATCHED THEN INSERT (outcome_key, " in rest


@pytest.mark.parametrize("name", ["snowflake", "bigquery"])
def test_a_claim_is_a_merge_that_leaves_claims_of_others(name):
    statement = DIALECTS[name].claim("t", 1)

    assert (
        "WHEN MATCHED AND o.status NOT IN ('processed', 'sending', 'held') THEN UPDATE SET "
        "key_columns = n.key_columns, run = n.run, source_row = n.source_row, event_time = n.event_time, "
        "written_at = n.written_at, match_keys = n.match_keys, action_source = n.action_source, claim = n.claim, "
        "status_before = o.status, status = n.status WHEN NOT MATCHED" in statement
    )


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("snowflake.connector.connection", "snowflake"),
        ("google.cloud.bigquery.dbapi.connection", "bigquery"),
        ("airflow.providers.google.cloud.hooks.bigquery", "bigquery"),
        ("psycopg2.extensions", "postgresql"),
        ("psycopg", "postgresql"),
        ("MySQLdb.connections", "mysql"),
        ("mysql.connector.connection_cext", "mysql"),
        ("sqlite3", "sqlite"),
        ("_duckdb", "duckdb"),
    ],
)
def test_the_dialect_of_a_driver(module, name):
    assert dialect_of(module.lower()) is DIALECTS[name]


def test_other_databases_get_standard_sql():
    assert dialect_of("oracledb.connection") is ANSI


class Recorder:
    """A driver that keeps what it is told to execute."""

    def __init__(self, kind: str) -> None:
        self.executed: list[tuple[str, dict[str, object]]] = []
        self.kind = kind

    def call(self, work):
        return work(SqlDatabase(self.connection()))

    def connection(self):
        executed = self.executed

        class Cursor:
            def execute(self, statement, values=()):
                executed.append((statement, values))

            def fetchall(self):
                return []

            def close(self):
                pass

        kind = type("Connection", (), {"__module__": self.kind, "cursor": lambda _: Cursor()})
        connection = kind()
        connection.commit = connection.rollback = lambda: None
        return connection


def test_bigquery_gets_names_for_values_and_null_as_a_word():
    driver = Recorder("google.cloud.bigquery.dbapi.connection")
    table = OpenOutcomeTable(driver, "t", "monday", test=False)  # type: ignore[arg-type]
    table.claim("1", events(rows(1)))
    statement, values = next((text, given) for text, given in driver.executed if given)

    assert "CAST(%(p1)s AS STRING) AS outcome_key" in statement
    assert "CAST(NULL AS STRING) AS reasons" in statement
    assert None not in values.values()
    assert "monday" in values.values()


def test_the_command_prints_the_statement(capsys):
    command.main(["postgresql", "marketing.mine"])

    assert capsys.readouterr().out == create_table_statement("postgresql", "marketing.mine") + ";\n"


@pytest.mark.parametrize("arguments", [["access"], ["sqlite", "a;b"]])
def test_the_command_refuses_what_it_does_not_know(arguments, capsys):
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert "usage" in capsys.readouterr().err


def test_an_unknown_dialect_is_refused():
    with pytest.raises(ParameterError, match="dialect must be one of postgresql"):
        create_table_statement("access")
