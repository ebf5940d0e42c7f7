"""How a task fails: the exception that Airflow gets, and the log lines right before it."""

from __future__ import annotations

from collections.abc import Mapping
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
from airflow_provider_pinterest.logs import log_lines
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
"""Class → the class that Airflow gets instead; the first match counts."""


def for_airflow(error: PinterestError) -> PinterestError:
    """Return the error that the task raises, with the same text and attributes and without a traceback."""
    for kind, wanted in _FOR_AIRFLOW.items():
        if isinstance(error, kind) and not isinstance(error, AirflowException):
            found = wanted.__new__(wanted, *error.args)
            vars(found).update(vars(error))
            return found
    return error.with_traceback(None)


def report(log: Logger | Any, error: PinterestError) -> None:
    """Log the cause, what to do and what was delivered, right before the task raises the error."""
    *said, ending = str(error).split("\n")
    if isinstance(error, AirflowFailException):
        said.append("Airflow does not retry this error.")
    log_lines(log, "\n".join([*said, ending]))
