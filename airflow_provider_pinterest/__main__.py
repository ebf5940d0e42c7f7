"""A command line: ``python -m airflow_provider_pinterest validate`` or ``send``, with a query or a file."""

from __future__ import annotations

import argparse
import difflib
import json
import logging
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from airflow_provider_pinterest.delivery.stop import StopSignal
from airflow_provider_pinterest.exceptions import (
    ParameterError,
    PinterestError,
    StateConflictError,
    StoppedError,
    UnavailableError,
)
from airflow_provider_pinterest.problems import raise_all
from airflow_provider_pinterest.sources.files import FileSource
from airflow_provider_pinterest.sources.sql import Database, SqlSource
from airflow_provider_pinterest.sync import FileStateStore, PinterestConnection, SyncOptions, sync
from airflow_provider_pinterest.sync.options import kinds_of

TOKEN: Final = "PINTEREST_ACCESS_TOKEN"  # noqa: S105 - the name of a variable
SQL_URL: Final = "PINTEREST_SQL_URL"

SUCCESS, FAILED, WRONG_ARGUMENTS, AGAIN = 0, 1, 2, 3
"""Exit codes. ``AGAIN`` means that the same command continues the run later."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    found = argparse.ArgumentParser(
        prog="python -m airflow_provider_pinterest",
        description="Send conversion events from a database or a file to Pinterest. The result is printed as JSON.",
        epilog=f"The access token is read from the environment variable {TOKEN}.",
    )
    found.add_argument("command", choices=("validate", "send"), help="validate: do everything but the calls")
    source = found.add_mutually_exclusive_group(required=True)
    source.add_argument("--sql", help="a statement that returns one row for each event")
    source.add_argument("--file", metavar="PATH", help="Parquet, CSV or NDJSON files: a file, a folder or a pattern")
    found.add_argument(
        "--sql-url",
        metavar="URL",
        default=os.environ.get(SQL_URL),
        help=f"the database, as SQLAlchemy writes it: sqlite:///shop.db; default: the variable {SQL_URL}",
    )
    found.add_argument(
        "--option", metavar="NAME=VALUE", action="append", default=[], help="an option of the run; can be repeated"
    )
    found.add_argument("--state", metavar="PATH", help="a file that remembers how far the run is")
    found.add_argument("--host", metavar="URL", help="base URL of the API; default: Pinterest's")
    return found


def options_of(given: Iterable[str], *, validate_only: bool) -> SyncOptions:
    """Return the options of a run. They are read like rendered templates in Airflow.

    :param given: each is ``name=value``.
    :raises ParameterError: names every problem.
    """
    kinds = kinds_of(SyncOptions)
    found: dict[str, Any] = {}
    problems = []
    for one in given:
        name, is_pair, value = one.partition("=")
        if name in kinds and is_pair:
            found[name] = kinds[name].read(value)
            continue
        like = difflib.get_close_matches(name, kinds, n=1)
        advice = f"Did you mean {like[0]!r}?" if like else f"There are: {', '.join(kinds)}."
        problems.append(f"--option must be NAME=VALUE with an option's name, got {name[:60]!r}. {advice}")
    raise_all(problems)
    return SyncOptions(**{**found, "validate_only": validate_only})


def database_of(url: str) -> Database:
    """Return the database of a SQLAlchemy URL.

    :raises ParameterError: it is not such a URL, or its driver is not installed.
    """
    try:
        from sqlalchemy import create_engine
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError

        try:
            dialect_of = create_engine(url)
        except (ArgumentError, NoSuchModuleError):
            raise ParameterError("--sql-url is not a URL of SQLAlchemy, such as sqlite:///shop.db.") from None
    except ModuleNotFoundError as missing:
        raise ParameterError(f"--sql-url needs the package {missing.name}, which is not installed.") from None
    dialect, address = dialect_of.dialect, dialect_of.url
    arguments, keywords = dialect.create_connect_args(address)
    return Database(
        lambda: dialect.connect(*arguments, **keywords), name=address.host or address.database or address.drivername
    )


def run(arguments: argparse.Namespace, environment: Mapping[str, str], stop: StopSignal) -> dict[str, Any]:
    """Run a command and return the result.

    :param stop: ends it.
    :raises PinterestError: it fails.
    """
    validate_only = arguments.command == "validate"
    options = options_of(arguments.option, validate_only=validate_only)
    if arguments.sql and not arguments.sql_url:
        raise ParameterError(f"--sql needs --sql-url, or the environment variable {SQL_URL}.")
    connection = PinterestConnection(
        access_token=environment.get(TOKEN, ""),
        host=arguments.host,
        token_field=f"environment variable {TOKEN}",
    )
    return sync(
        SqlSource(database_of(arguments.sql_url), arguments.sql) if arguments.sql else FileSource(arguments.file),
        options,
        connection=None if validate_only else connection,
        state=FileStateStore(arguments.state) if arguments.state else None,
        stop=stop,
    )


def main(given: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = parser().parse_args(given)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s - %(message)s", stream=sys.stderr)
    stop = StopSignal()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        result = run(arguments, os.environ, stop)
    except PinterestError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        if isinstance(error, ParameterError):
            return WRONG_ARGUMENTS
        return AGAIN if isinstance(error, (UnavailableError, StoppedError, StateConflictError)) else FAILED
    sys.stdout.write(f"{json.dumps(result)}\n")
    return SUCCESS


if __name__ == "__main__":
    sys.exit(main())
