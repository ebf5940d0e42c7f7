"""What the text of a path says: patterns, hidden names, the order of files, and columns in the names of folders."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote

from airflow_provider_pinterest.exceptions import ParameterError

WILDCARDS: Final = "*?[{"

HIDDEN: Final = ("_", ".")
"""First characters of names that are not data, such as ``_SUCCESS`` and ``_temporary`` of Spark."""

FOLDER: Final = "_$folder$"
"""End of the names of the empty objects that Hadoop stores for folders."""

NO_VALUE: Final = "__HIVE_DEFAULT_PARTITION__"
"""The value in the name of a folder whose rows have none."""

MOST_ALTERNATIVES: Final = 1_000
"""Largest number of patterns that the braces of one pattern stand for."""

_braces = re.compile(r"\{([^{}]*,[^{}]*)\}").search
_numbers = re.compile(r"0*([0-9]+)").sub


def alternatives(pattern: str) -> list[str]:
    """Return the patterns that one with braces stands for: ``*.{csv,parquet}`` → ``*.csv`` and ``*.parquet``.

    :raises ParameterError: there are too many.
    """
    found = [pattern]
    while any(map(_braces, found)):
        found = [one for several in found for one in _expanded(several)]
        if len(found) > MOST_ALTERNATIVES:
            raise ParameterError(
                f"path: the braces of a pattern stand for more than {MOST_ALTERNATIVES:,} patterns.",
                advice="Use fewer braces, or pass a list of paths.",
            )
    return list(dict.fromkeys(found))


def _expanded(pattern: str) -> Iterator[str]:
    match = _braces(pattern)
    for word in match[1].split(",") if match else [""]:
        yield f"{pattern[: match.start()]}{word}{pattern[match.end() :]}" if match else pattern


def is_recursive(pattern: str) -> bool:
    """Return whether a pattern stands for everything below a folder."""
    return pattern.split("/")[-2:] == ["**", "*"]


def is_data(name: str) -> bool:
    """Return whether a name is that of data, not of a marker, a log or a temporary file."""
    return not name.startswith(HIDDEN) and not name.endswith(FOLDER)


def is_hidden(below: str, pattern: str) -> bool:
    """Return whether a path that a pattern matched is not data, because of its name or that of a folder.

    A pattern that has a name with ``_`` or ``.`` at its start wants such names.

    :param below: the path, without the part before the first wildcard.
    """
    wanted = {name[0] for name in pattern.split("/") if name.startswith(HIDDEN)}
    return any(not is_data(name) and name[0] not in wanted for name in below.strip("/").split("/"))


def in_order(path: str) -> tuple[str, str]:
    """Return what paths are sorted by. Numbers are compared as numbers: ``part-9`` comes before ``part-10``."""
    return _numbers(lambda match: f"{len(match[1]):03}{match[1]}", path), path


def folder_columns(path: str) -> Mapping[str, str | None]:
    """Return the columns in the names of folders, as Hive and Spark write them: ``…/shop=42/part-0.csv``."""
    pairs = [folder.partition("=") for folder in path.split("/")[:-1]]
    return {unquote(name): None if value == NO_VALUE else unquote(value) for name, equals, value in pairs if equals}
