"""Exceptions that a task raises: each is a class of this package and an Airflow exception as well.

Airflow does not retry a task that raises ``AirflowFailException``, on any version.
"""

from __future__ import annotations

from airflow_provider_pinterest.airflow_versions import AirflowException, AirflowFailException
from airflow_provider_pinterest.exceptions import (
    AccountingError,
    ConfigurationError,
    CredentialError,
    MappingError,
    ParameterError,
    RefusedError,
    ResendRefusedError,
    ResultError,
    StoppedError,
)

__all__ = [
    "FailedAccountingError",
    "FailedResendError",
    "FailedResultError",
    "TaskStoppedError",
    "WrongConfigurationError",
    "WrongCredentialError",
    "WrongEventsError",
    "WrongMappingError",
    "WrongParameterError",
]


class WrongParameterError(ParameterError, AirflowFailException):
    """A parameter is wrong: the task fails without retry."""


class WrongMappingError(MappingError, AirflowFailException):
    """Columns that cannot be mapped: the task fails without retry."""


class WrongConfigurationError(ConfigurationError, AirflowFailException):
    """The network settings of the worker are wrong: the task fails without retry."""


class WrongCredentialError(CredentialError, AirflowFailException):
    """Pinterest denies access: the task fails without retry."""


class WrongEventsError(RefusedError, AirflowFailException):
    """Pinterest rejects the events as a whole: the task fails without retry."""


class FailedResultError(ResultError, AirflowFailException):
    """The task's parameters do not allow the result: the task fails without retry."""


class FailedAccountingError(AccountingError, AirflowFailException):
    """A row is not accounted for: the task fails without retry."""


class FailedResendError(ResendRefusedError, AirflowFailException):
    """Sending again could count events twice: the task fails without retry."""


class TaskStoppedError(StoppedError, AirflowException):
    """The task was told to stop; Airflow may retry it."""
