"""What rows become: events, or rejections that say why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from airflow_provider_pinterest.conversions.reasons import Reason


class RowBatch(NamedTuple):
    """Some rows of a source that share their columns.

    :param columns: their names.
    :param rows: cells in the order of the columns.
    """

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


class Event(NamedTuple):
    """A valid event, ready to send.

    :param row: its number in the source, from 1.
    :param time: Unix seconds.
    :param offline: whether Pinterest cannot deduplicate it.
    :param body: its JSON; every copy that is ever sent of it has these bytes.
    :param keys: the key columns, for the rejects file.
    """

    row: int
    name: str
    id: str
    time: int
    offline: bool
    body: bytes
    keys: Mapping[str, Any]


class Stage(StrEnum):
    """Where a row ended that did not become a processed event."""

    VALIDATION = "validation"
    PINTEREST = "pinterest"
    OUTCOME_UNKNOWN = "outcome_unknown"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that is not a processed event, and why."""

    row: int
    event_id: str | None
    keys: Mapping[str, Any]
    reasons: tuple[Reason, ...]
    stage: Stage = Stage.VALIDATION


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A row whose (``event_name``, ``event_id``) an earlier row of this run had."""

    row: int


@dataclass(frozen=True, slots=True)
class Excluded:
    """A row that the user's rules keep from being sent, such as one without consent.

    :param code: a key of :data:`~.reasons.EXCLUSIONS`.
    """

    row: int
    code: str


Outcome = Event | Rejection | Duplicate | Excluded
"""What became of a row before it is sent."""
