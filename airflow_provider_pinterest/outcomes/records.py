"""A row of the outcome table. It holds no personal data, hashed or not."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from airflow_provider_pinterest.conversions.personal import has_address, has_at
from airflow_provider_pinterest.delivery.outcome_log import EventOutcome
from airflow_provider_pinterest.delivery.rejection_lines import keys_of

COLUMNS: Final = (
    "outcome_key",
    "ad_account_id",
    "event_name",
    "event_id",
    "key_columns",
    "status",
    "reasons",
    "run",
    "source_row",
    "event_time",
    "written_at",
    "is_test",
    "match_keys",
    "action_source",
    "claim",
    "status_before",
)
"""The columns of the table, in order."""

Record = tuple[Any, ...]
"""The values of :data:`COLUMNS`."""

_TEXT: Final = 1_024
"""Most characters of an event name, an event id and the names of match keys."""

_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - databases keep it without a zone

_LATEST: Final = 253_402_300_799
"""The last second that a timestamp can hold."""


def event_outcome_key(account: str, name: str, event_id: str, *, test: bool) -> str:
    """Return the key of an event: the same in every run."""
    return _hash(f"e\0{account}\0{int(test)}\0{name}\0{event_id}")


def row_outcome_key(run: str, row: int, *, test: bool) -> str:
    """Return the key of a row that is not an event: the same in every attempt of a run."""
    return _hash(f"{'t' if test else 'r'}\0{run}\0{row}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_event(outcome: EventOutcome) -> bool:
    """Return whether the row of an outcome has the key of its event. Otherwise it has a key of its own."""
    if not outcome.name or not outcome.id or outcome.status == "duplicate":
        return False
    return outcome.status != "rejected" or _shown(outcome.id) is not None


def record(outcome: EventOutcome, run: str, now: str, *, test: bool, since: float | None = None) -> Record:
    """Return the row of an outcome.

    :param run: the name of the run.
    :param now: the time of writing.
    :param since: when the user decided to send rows of this run again, so that its earlier rows keep their keys.
    """
    name, event_id = outcome.name, outcome.id
    body: Mapping[str, Any] = orjson.loads(outcome.body) if outcome.body else {}
    shown = None if not event_id else _shown(event_id)
    if name and event_id and is_event(outcome):
        key = event_outcome_key(outcome.ad_account_id, name, event_id, test=test)
    else:
        key = row_outcome_key(run if since is None else f"{run}\0{since!r}", outcome.row, test=test)
    return (
        key,
        outcome.ad_account_id,
        _shown_name(name) if name else None,
        shown,
        key_columns(outcome.keys),
        outcome.status,
        ",".join(outcome.reasons) or None,
        run,
        outcome.row,
        timestamp(outcome.time),
        now,
        int(test),
        match_keys(body),
        body.get("action_source"),
        None,
        None,
    )


def key_columns(keys: Mapping[str, Any]) -> str | None:
    """Return the key columns of a row as JSON, as the rejects file has them."""
    if not keys:
        return None
    return orjson.dumps(keys_of(keys), option=orjson.OPT_SORT_KEYS).decode()


def match_keys(body: Mapping[str, Any]) -> str | None:
    """Return the names of the match keys that an event carries, separated by commas."""
    return _joined(tuple(body.get("user_data") or ())) or None


@lru_cache(maxsize=1_024)
def _joined(names: tuple[str, ...]) -> str:
    return ",".join(sorted(names))[:_TEXT]


def timestamp(moment: float | None) -> str | None:
    """Return Unix seconds as the text of a timestamp in UTC."""
    if moment is None or not 0 < moment <= _LATEST:
        return None
    return (_EPOCH + dt.timedelta(seconds=moment)).isoformat(" ", "microseconds")


def seconds(stored: object) -> float:
    """Return the Unix seconds of a timestamp in UTC, as a driver returns it; 0.0 if it cannot be read."""
    try:
        found = stored if isinstance(stored, dt.datetime) else dt.datetime.fromisoformat(str(stored))
    except ValueError:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()


@lru_cache(maxsize=256)
def _shown_name(name: str) -> str | None:
    return _shown(name)


def _shown(text: str) -> str | None:
    """Return text that every database can hold; ``None`` if it has an e-mail address."""
    if text.isalnum() and text.isascii() and len(text) <= _TEXT:
        return text
    if has_at(text) and has_address(text):
        return None
    return text[:_TEXT].replace("\0", "").encode("utf-8", "replace").decode()
