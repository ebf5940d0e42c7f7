"""The exceptions that this package raises.

::

    PinterestError                      raised itself only if a thread or a process cannot be started or ends
    ├── ParameterError(ValueError)      a parameter, connection field or mapping is wrong: change the DAG
    │   └── MappingError                a column does not match a field, or several columns match the same field
    ├── SourceError                     the rows could not be read to their end
    ├── ResendRefusedError              sending again could count events twice; a retry does not help
    ├── AccountingError                 a bug: at the end of a run, a row is not accounted for
    ├── ResultError                     everything was delivered, and the parameters do not allow the result
    ├── RejectsError(OSError)           the rejects could not be written
    ├── OutcomesError                   the outcome table could not be read or written
    ├── MissingConnectionError          Airflow has no such connection
    ├── StoppedError                    the run was told to stop
    ├── StateConflictError              another process has continued the run
    └── DeliveryError                   Pinterest could not be reached, or did not accept
        ├── ConfigurationError          the worker's proxy or certificate settings; nothing was sent
        ├── CredentialError             401, 403, 404, 3xx: token, role or account; nothing was rejected
        ├── RefusedError                the mapping as a whole is refused: every event meets the same 400
        └── UnavailableError            429, 503, network: try again after ``retry_after`` seconds

The message says what happened, what to do, what was delivered, and what Clear or a retry will do; each part is one or
more lines. The operator raises errors that a retry cannot help as classes that are also Airflow's
``AirflowFailException``, see :mod:`.operators.errors`. A few exceptions are used inside the package and are never
raised to its users, such as :class:`~.api.interruptible.Stopped` and :class:`~.delivery.sections.SourceChangedError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

__all__ = [
    "AccountingError",
    "ConfigurationError",
    "CredentialError",
    "DeliveryError",
    "MappingError",
    "MissingConnectionError",
    "OutcomesError",
    "ParameterError",
    "PinterestError",
    "RefusedError",
    "RejectsError",
    "ResendRefusedError",
    "ResultError",
    "SourceError",
    "StateConflictError",
    "StoppedError",
    "UnavailableError",
]


def problems(intro: str, found: Sequence[str]) -> str:
    """Return one text for all problems: the problem itself if there is only one, otherwise a list with one per line.

    :param intro: introduces the list, such as ``2 columns cannot be mapped:``.
    :param found: one or more problems.
    """
    return found[0] if len(found) == 1 else "\n".join([intro, *(f"- {one}" for one in found)])


def each_problem(text: str) -> list[str]:
    """Return the problems of a text that :func:`problems` returned."""
    intro, *found = text.split("\n- ")
    return found or [intro]


def advised(message: str, advice: str) -> str:
    """Return a text that says what happened and, on a separate line, what to do."""
    return f"{message}\nWhat to do: {advice}"


class PinterestError(Exception):
    """The base of all exceptions of this package.

    Raised itself only if a thread or a process cannot be started, or if a process of the transform pool ends.

    :param message: what happened.
    :param advice: what to do, if the message does not say it.
    """

    def __init__(self, message: str = "", *, advice: str = "") -> None:
        super().__init__(advised(message, advice) if advice else message)

    def followed_by(self, sentence: str) -> Self:
        """Add a sentence to the message, on a separate line, and return the same error."""
        self.args = (f"{self}\n{sentence}",)
        return self


class ParameterError(PinterestError, ValueError):
    """A parameter, a field of the connection or the mapping is wrong; the message says what to change."""


class MappingError(ParameterError):
    """A column does not match a field, or several columns match the same field.

    Nothing was sent, with one exception: rows of a list may have different keys, so an error may be found when earlier
    rows have already been sent.
    """


class SourceError(PinterestError):
    """The rows could not be read to their end."""


class ResendRefusedError(PinterestError):
    """Earlier attempts may have sent events that Pinterest cannot deduplicate."""


class AccountingError(PinterestError):
    """At the end of a run, the counts of rows and outcomes differ. This is a bug."""


class ResultError(PinterestError):
    """Everything that can be delivered is, and the result is not what the run allows."""


class RejectsError(PinterestError, OSError):
    """The rejects cannot be written."""


class OutcomesError(PinterestError):
    """The outcome table, or a state table, cannot be read or written."""


class MissingConnectionError(PinterestError):
    """Airflow has no connection of this name."""


class StoppedError(PinterestError):
    """The run was told to stop."""


class StateConflictError(PinterestError):
    """Another process has continued the run, and this one ended for it."""


class DeliveryError(PinterestError):
    """Pinterest could not be reached or did not accept a request.

    :param message: what happened.
    :param advice: what to do, if the message does not say it.
    :param status: HTTP status, ``None`` if there was no answer.
    :param code: Pinterest's error code.
    :param request_id: Pinterest's ``x-pinterest-rid``, which its support asks for.
    :param retry_after: seconds to wait before the next attempt.
    """

    def __init__(
        self,
        message: str,
        *,
        advice: str = "",
        status: int | None = None,
        code: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, advice=advice)
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after


class ConfigurationError(DeliveryError, ParameterError):
    """The worker's network settings are wrong: proxy, CA bundle or certificates. Nothing was sent."""


class CredentialError(DeliveryError):
    """The token, role, ad account or host is wrong, or a gateway on the way rejects the request."""


class RefusedError(DeliveryError):
    """Pinterest rejects the events as a whole, so the mapping is probably wrong."""


class UnavailableError(DeliveryError):
    """Pinterest cannot accept events now; ``retry_after`` says how long to wait, if it is known.

    A run sets :attr:`state`, with which a later attempt continues, and :attr:`rows_done`, the number of rows that are
    accounted for.
    """

    state: Mapping[str, Any] | None = None
    rows_done: int = 0
