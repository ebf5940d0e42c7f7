"""Creates a table if it does not exist, and checks before anything is sent that a run can write into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from airflow_provider_pinterest.exceptions import OutcomesError
from airflow_provider_pinterest.outcomes.database import SqlDatabase
from airflow_provider_pinterest.outcomes.dialects import Dialect
from airflow_provider_pinterest.outcomes.records import COLUMNS
from airflow_provider_pinterest.redaction import clean

RIGHTS: Final = "SELECT, INSERT, UPDATE and DELETE"
"""The rights that a run needs."""


def prepare(database: SqlDatabase, dialect: Dialect, table: str) -> None:
    """Create the outcome table if it does not exist, and check that rows can be written, changed and removed.

    :raises OutcomesError: it cannot be created or used; the message says what to do.
    """
    statement = dialect.create_table(table)
    ensure_table(database, table, COLUMNS, lambda: statement, kind="outcome table", add=dialect.add_columns)
    for right, check in dialect.checks(table):
        error = database.refusal(lambda check=check: database.execute(check))  # type: ignore[misc]
        if error is not None:
            raise OutcomesError(
                f"The database does not allow {right} for the outcome table {table} ({_said(error)}).",
                advice=f"The user of the connection needs the rights {RIGHTS} on the table, in a database that is not "
                f"read-only. {COLUMNS[0]} must be the primary key.",
            )
    if dialect.keys and not database.fetch(dialect.keys.replace("{table}", table)):
        raise OutcomesError(
            f"The outcome table {table} has no primary key.",
            advice=f"Add it:\nALTER TABLE {table} ADD PRIMARY KEY ({COLUMNS[0]});",
        )
    database.roll_back()


def ensure_table(
    database: SqlDatabase,
    table: str,
    columns: Sequence[str],
    statement: Callable[[], str],
    *,
    kind: str,
    add: Callable[[str, Sequence[str]], str] | None = None,
) -> None:
    """Create a table if it does not exist.

    :param columns: the columns that it must have; the first is its key.
    :param statement: returns the statement that creates it.
    :param kind: what the table is, for messages.
    :param add: returns the statements that add columns.
    :raises OutcomesError: it cannot be read and cannot be created, or is another table.
    """

    def create() -> None:
        database.execute(statement())
        database.commit()

    query = f"SELECT {', '.join(columns)} FROM {table} WHERE 1 = 0"  # noqa: S608 - checked names  # nosec B608
    unread = database.refusal(lambda: database.fetch(query))
    if unread is None:
        database.roll_back()
        return
    found = _columns(database, table)
    uncreated = None
    if found is None:
        uncreated = database.refusal(create)
        if uncreated is None:
            return
        found = _columns(database, table)  # another process may have created it just now
    if found is None:
        raise OutcomesError(
            f"The {kind} {table} cannot be read ({_said(unread)}) and cannot be created ({_said(uncreated)}).",
            advice=f"If it exists, grant {RIGHTS} on it to the user of the connection. Otherwise create it, or ask a "
            f"user with the right to create tables:\n{statement()};",
        )
    missing = [name for name in columns if name not in found]
    unread = None if missing else database.refusal(lambda: database.fetch(query))
    database.roll_back()
    if unread is not None:
        raise OutcomesError(
            f"The {kind} {table} cannot be read ({_said(unread)}).",
            advice=f"Grant {RIGHTS} on the whole table to the user of the connection.",
        )
    if missing:
        raise OutcomesError(
            f"The table {table} exists, but has no column {', '.join(missing)}.",
            advice=f"It was created by another version. Add the columns:\n{add(table, missing)}"
            if add is not None and columns[0] in found
            else f"It is another table. Choose another name for the {kind}.",
        )


def _columns(database: SqlDatabase, table: str) -> list[str] | None:
    """Return the columns of a table; ``None`` if it cannot be read."""
    found: list[str] = []
    refused = database.refusal(lambda: found.extend(database.columns(table)))
    database.roll_back()
    return None if refused is not None else found


def _said(error: Exception | None) -> str:
    return f"{type(error).__name__}: {clean(error)}"
