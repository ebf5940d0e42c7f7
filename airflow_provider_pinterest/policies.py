"""A retry policy for Airflow 3.3 and later: the error decides when to retry, instead of a fixed delay."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

try:
    from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
except ImportError:  # pragma: no cover - tested on Airflow 2.11
    raise ImportError(
        "PinterestRetryPolicy needs Airflow 3.3 or later. On earlier versions, set retry_delay on the task."
    ) from None

from airflow_provider_pinterest.exceptions import CredentialError, ParameterError, RefusedError, UnavailableError

if TYPE_CHECKING:
    from airflow_provider_pinterest.airflow_versions import Context

__all__ = ["PinterestRetryPolicy"]


class PinterestRetryPolicy(RetryPolicy):
    """Retry when Pinterest asks to, and do not retry if a retry cannot help.

    Pass it as ``retry_policy=PinterestRetryPolicy()`` and set ``retries``, which still limits the number of retries.
    Wrong parameters, mappings, tokens and roles fail at once. All other errors follow the settings of the task.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """Decide about one failure."""
        if isinstance(exception, (ParameterError, CredentialError, RefusedError)):
            return RetryDecision.fail(f"A retry cannot help after {type(exception).__name__}.")
        if isinstance(exception, UnavailableError) and exception.retry_after is not None:
            wait = dt.timedelta(seconds=exception.retry_after)
            return RetryDecision.retry(delay=wait, reason=f"Pinterest asks to retry after {wait}.")
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Return the settings of the policy; it has no settings."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> PinterestRetryPolicy:  # noqa: ARG003
        """Return the policy."""
        return cls()
