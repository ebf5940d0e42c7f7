"""Outcomes of rows: events, rejections with reasons, duplicates, and excluded rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from airflow_provider_pinterest.conversions.reasons import Reason


class RowBatch(NamedTuple):
    """Rows of a source with the same columns.

    :param columns: their names.
    :param rows: cells in the order of the columns.
    """

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


UNREADABLE: Final = ("\0unreadable",)
"""Columns of a row batch whose rows cannot be read.

The one cell of such a row is the reason, as the end of a sentence about the row, without personal data.
"""


def unreadable_row(reason: str) -> Mapping[str, str]:
    """Return a row that is rejected with a reason."""
    return {UNREADABLE[0]: reason}


class Event(NamedTuple):
    """A valid event, ready to send.

    :param row: its number in the source, from 1.
    :param time: Unix seconds.
    :param offline: whether it is an offline event, which Pinterest cannot deduplicate.
    :param body: its JSON; every copy that is sent has these bytes.
    :param keys: the key columns, for the rejects file.
    :param ad_account_id: the account that receives it; empty: the only account of the run.
    """

    row: int
    name: str
    id: str
    time: int
    offline: bool
    body: bytes
    keys: Mapping[str, Any]
    ad_account_id: str = ""


class Stage(StrEnum):
    """The stage at which a row failed."""

    VALIDATION = "validation"
    PINTEREST = "pinterest"
    OUTCOME_UNKNOWN = "outcome_unknown"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that is not a processed event, and the reasons.

    :param ad_account_id: the account of the row; empty: the only account of the run, or the row has none.
    """

    row: int
    event_id: str | None
    keys: Mapping[str, Any]
    reasons: tuple[Reason, ...]
    stage: Stage = Stage.VALIDATION
    ad_account_id: str = ""
    event_name: str | None = None
    time: int | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A row whose (``event_name``, ``event_id``) an earlier row of this run and this ad account had."""

    row: int
    ad_account_id: str = ""
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class Excluded:
    """A row that the rules of the user exclude, such as a row without consent.

    :param code: a key of :data:`~.reasons.EXCLUSIONS`.
    """

    row: int
    code: str
    ad_account_id: str = ""


Outcome = Event | Rejection | Duplicate | Excluded
"""The outcome of a row before it is sent."""
