"""The options of a run that requests deletion."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Final

from airflow_provider_pinterest.problems import raise_all
from airflow_provider_pinterest.sync.options import (
    ACCOUNT,
    SWITCH,
    TEXT,
    TOLERANCE,
    WAIT,
    ParameterKind,
    between,
    kinds_of,
    problems_with,
)

BATCH_SIZE: Final = 1_000
"""Identifiers in a request. Pinterest does not publish a limit; smaller requests are tried if it refuses this size."""

LARGEST_BATCH: Final = 10_000

UNKNOWN: Final = ParameterKind("'resend' or 'hold'", lambda value: value in ("resend", "hold"))


class IdentifierKind(Enum):
    """How people are named; the value is the name of the list in the API."""

    EMAIL = "user_emails"
    CLICK_ID = "epiks"

    @property
    def singular(self) -> str:
        """The name of one, for messages."""
        return "e-mail address" if self is IdentifierKind.EMAIL else "click id"

    @property
    def plural(self) -> str:
        """The name of several, for messages."""
        return "e-mail addresses" if self is IdentifierKind.EMAIL else "click ids"

    def counted(self, number: int) -> str:
        """Return a number of them, such as ``1 click id``."""
        return f"{number:,} {self.singular if number == 1 else self.plural}"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeletionOptions:
    """The options, checked when they are created.

    :param email_column: the column with e-mail addresses.
    :param click_id_column: the column with click ids. At least one of the two columns is needed.
    :param ad_account_id: the ad account, digits only; ``None``: that of the connection.
    :param batch_size: people in a request.
    :param max_rejected: how many rows may be rejected: an int counts rows, a float is a share of the rows read. Above
        it the run fails, after all other people were requested.
    :param validate_only: do everything except the calls: read the rows and count the people.
    :param max_wait: the longest time in which a call is made again.
    :param on_unknown_outcome: what to do if it is unknown whether Pinterest created a request: ``"resend"`` creates it
        once more, because two requests for the same people do no harm; ``"hold"`` leaves it and fails at the end.
    :param create_again: create all requests, even those that an earlier attempt created.
    :raises ParameterError: some values are not allowed; the message names all of them.
    """

    email_column: Annotated[str | None, TEXT] = None
    click_id_column: Annotated[str | None, TEXT] = None
    ad_account_id: Annotated[str | int | None, ACCOUNT] = None
    batch_size: Annotated[int, between(1, LARGEST_BATCH)] = BATCH_SIZE
    max_rejected: Annotated[float, TOLERANCE] = 0
    validate_only: Annotated[bool, SWITCH] = False
    max_wait: Annotated[dt.timedelta, WAIT] = dt.timedelta(minutes=10)
    on_unknown_outcome: Annotated[str, UNKNOWN] = "resend"
    create_again: Annotated[bool, SWITCH] = False

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in kinds_of(type(self))}
        raise_all([*problems_with(type(self), given), *problem_of_columns(given)])

    @property
    def columns(self) -> Mapping[IdentifierKind, str]:
        """The column of each kind of identifier."""
        found = {IdentifierKind.EMAIL: self.email_column, IdentifierKind.CLICK_ID: self.click_id_column}
        return {kind: name for kind, name in found.items() if name is not None}


def problem_of_columns(given: Mapping[str, object]) -> list[str]:
    """Return the problem with the choice of columns, if there is one."""
    if given.get("email_column") is None and given.get("click_id_column") is None:
        return ["Pass email_column or click_id_column, the column that names the people."]
    return []
