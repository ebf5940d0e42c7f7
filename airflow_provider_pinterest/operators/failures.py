"""How a task fails: which error Airflow gets, and what the log says right before it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from logging import Logger
from typing import Any, Final

from airflow_provider_pinterest.airflow_versions import AirflowException, AirflowFailException
from airflow_provider_pinterest.exceptions import (
    AccountingError,
    ConfigurationError,
    CredentialError,
    MappingError,
    ParameterError,
    PinterestError,
    RefusedError,
    ResendRefusedError,
    ResultError,
    StoppedError,
)
from airflow_provider_pinterest.operators.errors import (
    FailedAccountingError,
    FailedResendError,
    FailedResultError,
    TaskStoppedError,
    WrongConfigurationError,
    WrongCredentialError,
    WrongEventsError,
    WrongMappingError,
    WrongParameterError,
)

_SENTENCES: Final = re.compile(r"(?<=[.?]) (?=[A-Z0-9])")

WIDTH: Final = 70
"""Characters of a log line. With time and level before it, a terminal or Airflow's log view shows about 110."""


_FOR_AIRFLOW: Final[Mapping[type[PinterestError], type[PinterestError]]] = {
    MappingError: WrongMappingError,
    ConfigurationError: WrongConfigurationError,
    ParameterError: WrongParameterError,
    CredentialError: WrongCredentialError,
    RefusedError: WrongEventsError,
    ResultError: FailedResultError,
    AccountingError: FailedAccountingError,
    ResendRefusedError: FailedResendError,
    StoppedError: TaskStoppedError,
}
"""Class → what Airflow gets in its place; the first that fits."""


def for_airflow(error: PinterestError) -> PinterestError:
    """Return the error that the task raises: with the same text and attributes, and without a traceback."""
    for kind, wanted in _FOR_AIRFLOW.items():
        if isinstance(error, kind) and not isinstance(error, AirflowException):
            found = wanted.__new__(wanted, *error.args)
            vars(found).update(vars(error))
            return found
    return error.with_traceback(None)


def report(log: Logger | Any, error: PinterestError) -> None:
    """Log why a task fails, right before it raises the error: the cause, what to do, and what was delivered."""
    *said, ending = str(error).split("\n")
    if isinstance(error, AirflowFailException):
        said.append("Airflow does not retry this error.")
    log_error(log, "\n".join([*said, ending]))


def log_error(log: Logger | Any, text: str) -> None:
    """Log a text as short lines, each a record of its own, which no log view cuts."""
    for line in wrapped(text):
        log.error("%s", line)


def wrapped(text: str) -> Iterator[str]:
    """Yield a text in lines of at most :data:`WIDTH`, unless a word is longer; each sentence begins a line."""
    for paragraph in text.splitlines():
        indent = ""
        for sentence in _SENTENCES.split(paragraph):
            yield from textwrap.wrap(
                sentence,
                WIDTH,
                initial_indent=indent,
                subsequent_indent="  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
            indent = "  " if paragraph.startswith("- ") else ""
