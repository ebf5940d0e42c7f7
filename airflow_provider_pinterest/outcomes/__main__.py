"""``python -m airflow_provider_pinterest.outcomes postgresql marketing.pinterest_outcomes`` prints CREATE TABLE."""

from __future__ import annotations

import argparse

from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.outcomes.dialects import DIALECTS
from airflow_provider_pinterest.outcomes.table import TABLE, create_table_statement


def main(arguments: list[str] | None = None) -> None:
    """Print the statement that creates the outcome table."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_pinterest.outcomes",
        description="Print the statement that creates the outcome table.",
    )
    parser.add_argument("dialect", choices=sorted(DIALECTS))
    parser.add_argument("table", nargs="?", default=TABLE, help=f"its name; default: {TABLE}")
    options = parser.parse_args(arguments)
    try:
        print(f"{create_table_statement(options.dialect, options.table)};")  # noqa: T201 - a command line
    except ParameterError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
