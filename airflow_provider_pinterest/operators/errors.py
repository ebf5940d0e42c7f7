"""What a task raises in the place of the package's own errors: the same, and Airflow's as well.

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
    """A parameter that cannot work: the task fails without retry."""


class WrongMappingError(MappingError, AirflowFailException):
    """Columns that cannot be mapped: the task fails without retry."""


class WrongConfigurationError(ConfigurationError, AirflowFailException):
    """Network settings of the worker that cannot work: the task fails without retry."""


class WrongCredentialError(CredentialError, AirflowFailException):
    """Pinterest denies access: the task fails without retry."""


class WrongEventsError(RefusedError, AirflowFailException):
    """Pinterest rejects all events: the task fails without retry."""


class FailedResultError(ResultError, AirflowFailException):
    """The result is not what the task allows: the task fails without retry."""


class FailedAccountingError(AccountingError, AirflowFailException):
    """A row is not accounted for: the task fails without retry."""


class FailedResendError(ResendRefusedError, AirflowFailException):
    """Sending again could count events twice: the task fails without retry."""


class TaskStoppedError(StoppedError, AirflowException):
    """The task was told to stop; Airflow may retry it."""
