"""Everything this package raises on purpose.

::

    PinterestError
    ├── ParameterError(ValueError)      a parameter, connection field or mapping that cannot work: change the DAG
    │   └── MappingError                columns that map to no field, or two to one
    ├── SourceError                     the warehouse, the XCom value or the file could not be read
    ├── ResendRefusedError              sending again could count events twice; a retry does not help
    ├── AccountingError                 at the end of a run, a row is not accounted for
    ├── ResultError                     too many rows rejected, too few events, or events held; the rest is delivered
    ├── RejectsError(OSError)           the rejects could not be written
    ├── MissingConnectionError          Airflow has no such connection
    ├── StoppedError                    the run was told to stop
    ├── StateConflictError              another process has continued the run
    └── DeliveryError                   Pinterest could not be reached, or did not accept
        ├── ConfigurationError          the worker's proxy or certificate settings; nothing was sent
        ├── CredentialError             401, 403, 404, 3xx: token, role or account; nothing was rejected
        ├── RefusedError                the mapping as a whole is refused: every event meets the same 400
        └── UnavailableError            429, 503, network: try again after ``retry_after`` seconds

The message says what happened, then what to do, then what was delivered and what Clear or a retry will do: one or more
lines each. The operator raises errors that no retry can help as classes that are also Airflow's
``AirflowFailException``; see :mod:`.operators.errors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "AccountingError",
    "ConfigurationError",
    "CredentialError",
    "DeliveryError",
    "MappingError",
    "MissingConnectionError",
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
    """Return one text for all problems: the problem itself if there is only one, otherwise a list, one a line.

    :param intro: introduces the list, such as ``2 columns cannot be mapped:``.
    :param found: one or more problems.
    """
    return found[0] if len(found) == 1 else "\n".join([intro, *(f"- {one}" for one in found)])


def each_problem(text: str) -> list[str]:
    """Return the problems of a text that :func:`problems` has made."""
    intro, *found = text.split("\n- ")
    return found or [intro]


def advised(message: str, advice: str) -> str:
    """Return a text that says what happened and, on a line of its own, what to do."""
    return f"{message}\nWhat to do: {advice}"


class PinterestError(Exception):
    """Anything that this package raises on purpose.

    :param message: what happened.
    :param advice: what to do, if the message does not say it.
    """

    def __init__(self, message: str = "", *, advice: str = "") -> None:
        super().__init__(advised(message, advice) if advice else message)

    def followed_by(self, sentence: str) -> Self:
        """Add a sentence to the message, on a line of its own, and return the same error."""
        self.args = (f"{self}\n{sentence}",)
        return self


class ParameterError(PinterestError, ValueError):
    """A parameter, connection field or mapping that cannot work; the message says what to change."""


class MappingError(ParameterError):
    """Columns that map to no field, or several that map to the same."""


class SourceError(PinterestError):
    """The source of the rows could not be read, or broke off."""


class ResendRefusedError(PinterestError):
    """Earlier attempts may have sent events that Pinterest would not recognise if they were sent again."""


class AccountingError(PinterestError):
    """At the end of a run, the rows that were read and what became of them differ."""


class ResultError(PinterestError):
    """Everything that can be delivered is, and the result is not what the run allows."""


class RejectsError(PinterestError, OSError):
    """The rejects cannot be written."""


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
    :param status: HTTP status, ``None`` when there was no answer.
    :param code: Pinterest's own error code.
    :param request_id: Pinterest's ``x-pinterest-rid``, which its support asks for.
    :param retry_after: seconds to wait before another try makes sense.
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
    """The worker's network settings cannot work: proxy, CA bundle, certificates. Nothing was sent."""


class CredentialError(DeliveryError):
    """Token, role, ad account or host are wrong, or a gateway on the way refuses the request; the events are good."""


class RefusedError(DeliveryError):
    """Pinterest refuses the events as a whole: the mapping is wrong, not single rows."""


class UnavailableError(DeliveryError):
    """Pinterest cannot take events now; ``retry_after`` says when to come again, where it is known.

    A run sets :attr:`state`, with which a later attempt continues, and :attr:`rows_done`, the rows accounted for.
    """

    state: Mapping[str, Any] | None = None
    rows_done: int = 0
