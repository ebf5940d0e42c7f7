"""The SQL of each database, for the outcome table. Pure functions: nothing is executed here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from airflow_provider_pinterest.outcomes.records import COLUMNS

_KEY: Final = COLUMNS[0]

_of_new: Final = re.compile(r"\{new\}\.(\w+)").sub
_of_old: Final = re.compile(r"\{old\}\.(\w+)").sub

_UPDATED: Final = tuple(name for name in COLUMNS if name not in (_KEY, "status"))
"""Columns that change with an outcome. MySQL reads the old status only if it is assigned last."""

_KEPT: Final = "{old}.status <> 'processed' AND ({new}.status <> 'rejected' OR {old}.status NOT IN ('sending', 'held'))"
"""When an outcome replaces an earlier one. A rejected row says nothing about an event that may have been sent."""

_CLAIMABLE: Final = "{old}.status NOT IN ('processed', 'sending', 'held')"
"""When an event may be claimed although it is in the table."""

_CLAIMABLE_AGAIN: Final = "{old}.status NOT IN ('processed', 'sending')"
"""The same, if the user decides to send held events again."""

_WITHOUT_EVENT: Final = "(event_id IS NULL OR event_name IS NULL OR ad_account_id = '')"
"""Rows whose key is not that of the event that the row becomes once it is corrected."""

_SOURCE: Final = (
    "CASE WHEN {new}.status = 'held' AND {old}.status IN ('sending', 'held') AND {old}.action_source = 'offline' "
    "THEN {old}.action_source ELSE {new}.action_source END"
)
"""An event that may have been sent as an offline event stays one until its outcome is known."""

_HELD_SOURCE: Final = (
    "CASE WHEN {old}.status = 'held' AND {old}.action_source = 'offline' "
    "THEN {old}.action_source ELSE {new}.action_source END"
)
"""The same for a held event that is claimed."""

_CLAIMED: Final = (
    "key_columns",
    "run",
    "source_row",
    "event_time",
    "written_at",
    "match_keys",
    "action_source",
    "claim",
)
"""Columns that a claim changes, besides the status and the status before."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a database spells the statements.

    :param name: its name.
    :param drivers: parts of the names of its drivers' modules.
    :param upsert: returns the statement that inserts or changes rows: (dialect, table, rows, changes, condition).
    :param types: column type → the database's word for it.
    :param primary_key: whether keys are unique.
    :param binds_null: whether a value may be ``None``; otherwise the statement says NULL.
    :param json: returns what follows FROM to read all rows from one value, the JSON of a list of objects; ``None``:
        the statement has a place for each value.
    :param rows: most rows of a statement.
    :param keys: the query for the primary key of ``{table}``, if a table without one takes the statements too.
    """

    name: str
    drivers: Sequence[str]
    upsert: Callable[[Dialect, str, int, Mapping[str, str], str], str]
    types: Mapping[str, str] = field(default_factory=dict)
    primary_key: bool = True
    binds_null: bool = True
    json: Callable[[Dialect], str] | None = None
    rows: int = 500
    keys: str = ""

    def type_of(self, column: str) -> str:
        """Return the type of a column."""
        kind = _TYPES.get(column, "TEXT")
        return self.types.get(column) or self.types.get(kind) or kind

    def create_table(self, table: str) -> str:
        """Return the statement that creates the table."""
        end = " NOT NULL PRIMARY KEY" if self.primary_key else " NOT NULL"
        needed = {_KEY: end, "status": " NOT NULL", "run": " NOT NULL", "written_at": " NOT NULL"}
        columns = ",\n  ".join(f"{name} {self.type_of(name)}{needed.get(name, '')}" for name in COLUMNS)
        return f"CREATE TABLE {table} (\n  {columns}\n)"

    def add_columns(self, table: str, columns: Sequence[str]) -> str:
        """Return the statements that add columns to a table of an earlier version."""
        return "\n".join(f"ALTER TABLE {table} ADD COLUMN {name} {self.type_of(name)};" for name in columns)

    def checks(self, table: str) -> Sequence[tuple[str, str]]:
        """Return a statement for each right that a run needs beside SELECT. They change nothing."""
        return (
            ("INSERT", self.write(table, 0)),
            ("UPDATE", f"UPDATE {table} SET status = status WHERE {_KEY} = ''"),  # noqa: S608 - checked names
            ("DELETE", f"DELETE FROM {table} WHERE {_KEY} = ''"),  # noqa: S608 - checked names
        )

    def write(self, table: str, rows: int) -> str:
        """Return the statement that stores outcomes, with ``{}`` for each value."""
        changes = {name: f"{{new}}.{name}" for name in (*_UPDATED, "status")}
        changes["action_source"] = _SOURCE
        return self.upsert(self, table, rows, changes, _KEPT)

    def claim_again(self, table: str, rows: int) -> str:
        """Return the statement that claims events, also those that are held, with ``{}`` for each value."""
        return self._claim(table, rows, _CLAIMABLE_AGAIN, {"action_source": _HELD_SOURCE})

    def claim(self, table: str, rows: int) -> str:
        """Return the statement that claims events, with ``{}`` for each value."""
        return self._claim(table, rows, _CLAIMABLE, {})

    def _claim(self, table: str, rows: int, condition: str, others: Mapping[str, str]) -> str:
        changes = {
            **{name: f"{{new}}.{name}" for name in _CLAIMED},
            **others,
            "status_before": "{old}.status",
            "status": "{new}.status",
        }
        return self.upsert(self, table, rows, changes, condition)


def others(table: str, keys: int) -> str:
    """Return the query for events that a claim did not get: keys, then the claim."""
    return f"{_known(table, keys)} AND (claim IS NULL OR claim <> {{}})"


def processed(table: str, keys: int) -> str:
    """Return the query for events that were processed, for some keys."""
    return f"{_known(table, keys)} AND status = 'processed'"


def standings(table: str, keys: int) -> str:
    """Return the query for what the table says about events, for some keys."""
    return (
        f"SELECT {_KEY}, status, run, written_at, status_before FROM {table} "  # noqa: S608 - checked names
        f"WHERE {_KEY} IN ({_marks(keys)})"
    )


def by_columns(table: str, keys: int) -> str:
    """Return the query for rows without an event: key columns, then the status and the mode."""
    return (
        f"SELECT {_KEY}, key_columns, ad_account_id FROM {table} "  # noqa: S608 - checked names
        f"WHERE key_columns IN ({_marks(keys)}) AND status = {{}} AND is_test = {{}} AND {_WITHOUT_EVENT}"
    )


def without_event(table: str) -> str:
    """Return the query for all rows without an event that have key columns: the status and the mode."""
    return (
        f"SELECT {_KEY}, key_columns, ad_account_id FROM {table} "  # noqa: S608 - checked names
        f"WHERE status = {{}} AND is_test = {{}} AND key_columns IS NOT NULL AND {_WITHOUT_EVENT}"
    )


def rows_of_run(table: str) -> str:
    """Return the query for the rows of a run that have no key of an event: the run and the mode."""
    return (
        f"SELECT {_KEY} FROM {table} "  # noqa: S608 - checked names
        f"WHERE run = {{}} AND is_test = {{}} AND (status = 'duplicate' OR {_WITHOUT_EVENT})"
    )


def claimed(table: str, *, account: bool) -> str:
    """Return the query for events that are claimed: the mode.

    :param account: whether the account follows.
    """
    return (
        f"SELECT {_KEY}, written_at FROM {table} "  # noqa: S608 - checked names
        f"WHERE status = 'sending' AND is_test = {{}}{_of_account(account)}"
    )


def hold(table: str, keys: int) -> str:
    """Return the statement for claimed events whose outcome nobody records any more: keys."""
    return (
        f"UPDATE {table} SET status = 'held', reasons = 'outcome_unknown', "  # noqa: S608 - checked names
        f"status_before = NULL, claim = NULL WHERE status = 'sending' AND {_KEY} IN ({_marks(keys)})"
    )


def count(table: str, *, account: bool) -> str:
    """Return the query for the number of rows in a state, and of those without an event: the status and the mode.

    :param account: whether the account follows.
    """
    return (
        f"SELECT COUNT(*) AS all_rows, COUNT(CASE WHEN {_WITHOUT_EVENT} THEN 1 END) AS without_event "  # noqa: S608
        f"FROM {table} "
        f"WHERE status = {{}} AND is_test = {{}}{_of_account(account)}"
    )


def first_key(table: str) -> str:
    """Return the query for one of the keys, ``NULL`` if the table has no rows."""
    return f"SELECT MIN({_KEY}) FROM {table}"  # noqa: S608 - checked names


def forget(table: str, keys: int) -> str:
    """Return the statement that removes rows, for some keys."""
    return f"DELETE FROM {table} WHERE {_KEY} IN ({_marks(keys)})"  # noqa: S608 - checked names


def restore(table: str, keys: int) -> str:
    """Return the statement that gives up claims of events that were in the table before: the claim, then keys.

    A held event keeps its status before, which says that it was not sent since.
    """
    return (
        f"UPDATE {table} SET status = status_before, "  # noqa: S608 - checked names
        f"status_before = CASE WHEN status_before = 'held' THEN 'held' END, claim = NULL "
        f"WHERE claim = {{}} AND status = 'sending' AND status_before IS NOT NULL AND {_KEY} IN ({_marks(keys)})"
    )


def remove(table: str, keys: int) -> str:
    """Return the statement that gives up claims of events that were not in the table before: the claim, then keys."""
    return (
        f"DELETE FROM {table} "  # noqa: S608 - checked names
        f"WHERE claim = {{}} AND status = 'sending' AND status_before IS NULL AND {_KEY} IN ({_marks(keys)})"
    )


def settle(table: str, keys: int) -> str:
    """Return the statement for claimed events that were processed: the time, then keys."""
    return (
        f"UPDATE {table} SET status = 'processed', written_at = {{}}, reasons = NULL, "  # noqa: S608 - checked names
        f"status_before = NULL, claim = NULL "
        f"WHERE {_KEY} IN ({_marks(keys)})"
    )


def dialect_of(driver: str) -> Dialect:
    """Return the dialect of a connection.

    :param driver: the names of the driver's modules.
    """
    return next((one for one in DIALECTS.values() if any(name in driver for name in one.drivers)), ANSI)


def _known(table: str, keys: int) -> str:
    return f"SELECT {_KEY}, status, run, written_at, action_source FROM {table} WHERE {_KEY} IN ({_marks(keys)})"  # noqa: S608


def _of_account(account: bool) -> str:
    return " AND ad_account_id = {}" if account else ""


def _marks(count: int) -> str:
    return ", ".join(["{}"] * count)


def _named(text: str, old: str, new: str) -> str:
    return text.replace("{old}", old).replace("{new}", new)


def _on_conflict(dialect: Dialect, table: str, rows: int, changes: Mapping[str, str], condition: str) -> str:
    """PostgreSQL, SQLite and DuckDB."""
    old = table.rpartition(".")[2]
    sets = ", ".join(f"{name} = {_named(value, old, 'excluded')}" for name, value in changes.items())
    insert = _insert(table, rows) if dialect.json is None or not rows else _insert_json(table, dialect.json(dialect))
    return f"{insert} ON CONFLICT ({_KEY}) DO UPDATE SET {sets} WHERE {_named(condition, old, 'excluded')}"


def _on_duplicate_key(dialect: Dialect, table: str, rows: int, changes: Mapping[str, str], condition: str) -> str:
    """MySQL and MariaDB. Names without a table are those of the row that is there already."""
    del dialect

    def named(text: str) -> str:
        return _of_old(r"\1", _of_new(r"VALUES(\1)", text))

    if not rows:  # the names of the changes would be ambiguous
        return _insert(table, 0)
    sets = ", ".join(f"{name} = IF({named(condition)}, {named(value)}, {name})" for name, value in changes.items())
    return f"{_insert(table, rows)} ON DUPLICATE KEY UPDATE {sets}"


def _merge(dialect: Dialect, table: str, rows: int, changes: Mapping[str, str], condition: str) -> str:
    """Snowflake, BigQuery and others. The first row of the source gives the columns their names."""
    casts = [f"CAST({{}} AS {dialect.type_of(name)})" for name in COLUMNS]
    first = ", ".join(f"{cast} AS {name}" for cast, name in zip(casts, COLUMNS, strict=True))
    columns = ", ".join(COLUMNS)
    values = ", ".join(f"n.{name}" for name in COLUMNS)
    source = f"SELECT {first}" + f" UNION ALL SELECT {', '.join(casts)}" * (rows - 1) if rows else _nothing(table)
    sets = ", ".join(f"{name} = {_named(value, 'o', 'n')}" for name, value in changes.items())
    return (
        f"MERGE INTO {table} o USING ({source}) n ON o.{_KEY} = n.{_KEY} "  # noqa: S608 - checked names
        f"WHEN MATCHED AND {_named(condition, 'o', 'n')} THEN UPDATE SET {sets} "
        f"WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({values})"
    )


def _nothing(table: str) -> str:
    """Return a query with the columns of the table and no rows."""
    return f"SELECT {', '.join(COLUMNS)} FROM {table} WHERE 1 = 0"  # noqa: S608 - checked names


@lru_cache(maxsize=64)
def _insert(table: str, rows: int) -> str:
    if not rows:
        return f"INSERT INTO {table} ({', '.join(COLUMNS)}) {_nothing(table)}"
    one = f"({_marks(len(COLUMNS))})"
    return f"INSERT INTO {table} ({', '.join(COLUMNS)}) VALUES {', '.join([one] * rows)}"  # noqa: S608 - checked names


@lru_cache(maxsize=64)
def _insert_json(table: str, source: str) -> str:
    columns = ", ".join(COLUMNS)
    return f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {source}"  # noqa: S608 - checked names


def _postgres_json(dialect: Dialect) -> str:
    columns = ", ".join(f"{name} {dialect.type_of(name)}" for name in COLUMNS)
    return f"json_to_recordset(CAST({{}} AS json)) AS n({columns})"


def _duckdb_json(dialect: Dialect) -> str:
    types = ",".join(f'"{name}":"{dialect.type_of(name).partition("(")[0]}"' for name in COLUMNS)
    # The braces of the JSON are doubled, because the statement is formatted.
    return f"(SELECT unnest(from_json({{}}, '[{{{{{types}}}}}]'), recursive := true)) AS n"


_TYPES: Final = {
    _KEY: "VARCHAR(64)",
    "ad_account_id": "VARCHAR(32)",
    "status": "VARCHAR(16)",
    "run": "VARCHAR(255)",
    "source_row": "BIGINT",
    "event_time": "TIMESTAMP",
    "written_at": "TIMESTAMP",
    "is_test": "SMALLINT",
    "claim": "VARCHAR(32)",
    "status_before": "VARCHAR(16)",
}
"""Column → type; the others are text."""

_EXACT: Final = " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

_STRINGS: Final = {f"VARCHAR({size})": "STRING" for size in (16, 32, 64, 255)} | {
    "TEXT": "STRING",
    "BIGINT": "INT64",
    "SMALLINT": "INT64",
}

DIALECTS: Final[Mapping[str, Dialect]] = {
    "postgresql": Dialect("postgresql", ("psycopg", "pg8000"), _on_conflict, json=_postgres_json, rows=1_000),
    "sqlite": Dialect("sqlite", ("sqlite",), _on_conflict),
    "duckdb": Dialect("duckdb", ("duckdb",), _on_conflict, json=_duckdb_json, rows=1_000),
    "mysql": Dialect(
        "mysql",
        ("mysql", "mariadb"),
        _on_duplicate_key,
        {
            "TIMESTAMP": "DATETIME(6)",
            "TEXT": f"LONGTEXT{_EXACT}",
            **{f"VARCHAR({size})": f"VARCHAR({size}){_EXACT}" for size in (16, 32, 64, 255)},
        },
        keys=f"SHOW KEYS FROM {{table}} WHERE Non_unique = 0 AND Seq_in_index = 1 AND Column_name = '{_KEY}'",
    ),
    "snowflake": Dialect(
        "snowflake", ("snowflake",), _merge, {"TIMESTAMP": "TIMESTAMP_NTZ"}, primary_key=False, rows=250
    ),
    "bigquery": Dialect("bigquery", ("bigquery",), _merge, _STRINGS, primary_key=False, binds_null=False, rows=250),
}
"""Name → dialect."""

ANSI: Final = Dialect("ansi", (), _merge, {"TEXT": "VARCHAR(4000)"}, primary_key=False, rows=100)
"""For other databases with MERGE."""
