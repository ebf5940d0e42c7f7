"""When to try again, told by the error instead of by a fixed delay; for Airflow 3.3 and later."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

try:
    from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
except ImportError:  # pragma: no cover - tested on Airflow 2.11
    raise ImportError(
        "PinterestRetryPolicy needs Airflow 3.3 or later; on earlier versions set retry_delay on the task."
    ) from None

from airflow_provider_pinterest.exceptions import CredentialError, ParameterError, RefusedError, UnavailableError

if TYPE_CHECKING:
    from airflow_provider_pinterest.airflow_versions import Context

__all__ = ["PinterestRetryPolicy"]


class PinterestRetryPolicy(RetryPolicy):
    """Retry when Pinterest says to come again, and not at all where a retry cannot help.

    Pass it as ``retry_policy=PinterestRetryPolicy()`` and set ``retries``, which it cannot exceed. Wrong
    parameters, mappings, tokens and roles fail at once; everything else follows the task's own settings.
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
            return RetryDecision.fail(f"{type(exception).__name__}: a retry meets the same answer")
        if isinstance(exception, UnavailableError) and exception.retry_after is not None:
            wait = dt.timedelta(seconds=exception.retry_after)
            return RetryDecision.retry(delay=wait, reason=f"Pinterest asks to come again in {wait}")
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Return the policy's settings, of which it has none."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> PinterestRetryPolicy:  # noqa: ARG003
        """Return the policy."""
        return cls()
