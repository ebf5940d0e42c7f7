"""Errors after which Airflow does not retry a task."""

from __future__ import annotations

from airflow_provider_pinterest.airflow_versions import AirflowFailException
from airflow_provider_pinterest.exceptions import MappingError, ParameterError


class WrongParameterError(ParameterError, AirflowFailException):
    """A parameter that cannot work: the task fails without retry."""


class WrongMappingError(MappingError, AirflowFailException):
    """Columns that cannot be mapped: the task fails without retry."""
