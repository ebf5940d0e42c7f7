"""Rows → events, or rejections that say why.

One pass over the row: every cell is read, canonicalised and hashed by the compiled plan, then the event as a
whole is checked, encoded once, and compared with what this run has seen before.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

import orjson

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.duplicates import SeenEvents, event_key
from airflow_provider_pinterest.conversions.fields import EVENT_NAMES, LDP, OFFLINE
from airflow_provider_pinterest.conversions.mapping import PLACES, Column, ColumnMapping, Plan
from airflow_provider_pinterest.conversions.reasons import Reason, Unfit, Unusable

SKEW: Final = 300
"""Seconds that a clock may run ahead of ours before its events count as future ones."""

SHAPES_KEPT: Final = 4_096
"""Distinct sets of fields counted before the counts are folded."""


class Chunk(NamedTuple):
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


class EventBuilder:
    """Makes events of rows, and counts what it notices on the way.

    :param mapping: how columns become fields.
    :param now: Unix seconds that "future" and "too old" are measured from.
    :param max_event_age: older rows are rejected; ``None``: none are.
    :param max_event_bytes: larger events are rejected.
    """

    def __init__(
        self,
        mapping: ColumnMapping,
        *,
        now: float,
        max_event_age: dt.timedelta | None = None,
        max_event_bytes: int = 2_000_000,
    ) -> None:
        self.mapping = mapping
        self.warnings: Counter[str] = Counter()
        """Warning code → events."""
        self._latest = now + SKEW
        self._earliest = now - max_event_age.total_seconds() if max_event_age else 0
        self._max_bytes = max_event_bytes
        self._defaults = mapping.defaults
        self._seen = SeenEvents()
        self._shapes: dict[tuple[str, ...], int] = {}
        self._coverage: Counter[str] = Counter()

    def events(self, chunks: Iterable[Chunk]) -> Iterator[Event | Rejection | Duplicate]:
        """Yield what became of each row, in the order of the source.

        :raises MappingError: two columns of a chunk map to the same field.
        """
        row = 0
        for columns, rows in chunks:
            plan = self.mapping.plan(columns)
            for cells in rows:
                row += 1
                yield self.event(row, plan, cells)

    def event(self, row: int, plan: Plan, cells: Sequence[Any]) -> Event | Rejection | Duplicate:
        """Make the event of one row."""
        keys = {name: cells[index] for name, index in plan.keys} if plan.keys else _NO_KEYS
        problems: list[Reason] = []
        if plan.objects:
            plan, cells = self._opened(plan, cells, problems)
        if plan.unknown:
            problems += (
                Reason(
                    "unknown_field",
                    name[:80],
                    "Pinterest knows no such field; map it, or ignore it, in field_map",
                )
                for name in plan.unknown
            )

        event: dict[str, Any] = {}
        user: dict[str, Any] = {}
        custom: dict[str, Any] = {}
        app: dict[str, Any] = {}
        device: dict[str, Any] = {}
        places = (event, user, custom, app, device)
        for index, place, name, read, path in plan.columns:
            cell = cells[index]
            if cell is None or cell == "":
                continue
            try:
                value = read(cell)
            except Unusable as unusable:
                value = self._left_out(unusable)
            except Unfit as unfit:
                problems.append(Reason(unfit.code, path + unfit.at, unfit.message))
                continue
            if value is not None:
                places[place][name] = value
        for default in self._defaults:
            places[default.place].setdefault(default.name, default.value)
        if plan.by_country:
            self._read_by_country(plan.by_country, cells, user, problems)

        moment, by_date = event.get("event_time") or (0, False)
        event["event_time"] = moment
        if "event_id" not in event and plan.id_parts:
            self._identify(event, places, plan, cells)
        self._check(event, user, custom, moment, problems)
        if problems:
            return Rejection(row, event.get("event_id"), keys, tuple(problems))

        event["user_data"] = user
        if custom:
            event["custom_data"] = custom
        if app:
            event["app_info"] = app
        if device:
            event["device_info"] = device
        try:
            body = orjson.dumps(event)
        except (TypeError, ValueError):
            return Rejection(row, None, keys, _unwritable(event))
        if len(body) > self._max_bytes:
            message = f"the event's JSON has {len(body):,} bytes, more than max_batch_bytes {self._max_bytes:,}"
            return Rejection(row, event["event_id"], keys, (Reason("too_large", "", message),))

        event_name, event_id = event["event_name"], event["event_id"]
        if not self._seen.add(event_key(event_name, event_id)):
            return Duplicate(row)
        if event_name not in EVENT_NAMES:
            self.warnings["unknown_event_name"] += 1
        if by_date:
            self.warnings["time_from_date"] += 1
        shape = (*event, "", *user, "", *custom)
        self._shapes[shape] = self._shapes.get(shape, 0) + 1
        if len(self._shapes) > SHAPES_KEPT:
            self._fold()
        return Event(row, event_name, event_id, moment, event["action_source"] == OFFLINE, body, keys)

    @property
    def coverage(self) -> Counter[str]:
        """Field path → valid, distinct events that carry it."""
        self._fold()
        return self._coverage

    def _fold(self) -> None:
        for shape, count in self._shapes.items():
            place = iter(("", "user_data.", "custom_data."))
            prefix = next(place)
            for name in shape:
                if not name:
                    prefix = next(place)
                elif name not in PLACES:
                    self._coverage[prefix + name] += count
        self._shapes.clear()

    def _left_out(self, unusable: Unusable) -> list[str] | None:
        self.warnings[unusable.code] += 1
        return unusable.kept

    def _opened(self, plan: Plan, cells: Sequence[Any], problems: list[Reason]) -> tuple[Plan, Sequence[Any]]:
        """Lay the members of JSON objects out as cells of their own, before the row's columns."""
        names: list[str] = []
        members: list[Any] = []
        for index, path in plan.objects:
            cell = cells[index]
            if cell is None or cell == "":
                continue
            try:
                document = values.json(cell)
            except Unfit as unfit:
                problems.append(Reason(unfit.code, path, unfit.message))
                continue
            if document is None:
                continue
            if not isinstance(document, Mapping):
                problems.append(Reason("bad_json", path, f"expected a JSON object, got {values.kind(document)}"))
                continue
            names.extend(f"{path}.{name}" for name in document)
            members.extend(document.values())
        return self.mapping.plan(plan.names, tuple(names)), (*members, *cells)

    def _read_by_country(
        self, columns: Sequence[Column], cells: Sequence[Any], user: dict[str, Any], problems: list[Reason]
    ) -> None:
        for column in columns:
            cell = cells[column.position]
            if cell is None or cell == "":
                continue
            try:
                value = column.read(cell, user.get("country"))  # type: ignore[call-arg]  # see hashed_by_country
            except Unusable as unusable:
                value = self._left_out(unusable)
            except Unfit as unfit:
                problems.append(Reason(unfit.code, column.path + unfit.at, unfit.message))
                continue
            if value is not None:
                user[column.name] = value

    def _identify(
        self, event: dict[str, Any], places: Sequence[Mapping[str, Any]], plan: Plan, cells: Sequence[Any]
    ) -> None:
        """Make the same ``event_id`` for the same row in every run; none if a part is missing."""
        parts = []
        for part in plan.id_parts:
            cell = places[part.place].get(part.name) if part.position is None else cells[part.position]
            if cell is None or cell == "":
                return
            parts.append(cell if part.position is None else _written(cell))
        try:
            event["event_id"] = hashlib.sha256(orjson.dumps(parts)).hexdigest()[:32]
        except TypeError:
            return

    def _check(
        self,
        event: Mapping[str, Any],
        user: Mapping[str, Any],
        custom: Mapping[str, Any],
        moment: int,
        problems: list[Reason],
    ) -> None:
        """Add what is wrong with the event as a whole."""
        if not ("event_name" in event and "action_source" in event and moment and "event_id" in event):
            named = {problem.field for problem in problems}
            problems += (
                Reason("missing_field", path, _MISSING[path])
                for path in _MISSING
                if not event.get(path) and path not in named
            )
        if not (
            "em" in user or "hashed_maids" in user or ("client_ip_address" in user and "client_user_agent" in user)
        ):
            problems.append(_NO_MATCH_KEY)
        if moment > self._latest:
            problems.append(_FUTURE)
        elif moment < self._earliest and moment:
            problems.append(_TOO_OLD)
        opt_out = custom.get("opt_out_type")
        if opt_out and LDP in opt_out.split(",") and not ("st" in user and "country" in user):
            problems.append(_LDP)


_NO_KEYS: Final[Mapping[str, Any]] = {}
_MISSING: Final = {
    "event_name": "every event needs a name: map a column, or set defaults={'event_name': …}",
    "action_source": "every event needs its source: map a column, or set defaults={'action_source': 'web'}",
    "event_time": "every event needs the time when it happened: map a column",
    "event_id": "every event needs an id: map a column, or name columns in event_id_from",
}
_NO_MATCH_KEY: Final = Reason(
    "no_match_key",
    "user_data",
    "needs a usable em, or hashed_maids, or both client_ip_address and client_user_agent",
)
_FUTURE: Final = Reason("future_event_time", "event_time", "lies more than five minutes in the future")
_TOO_OLD: Final = Reason("too_old", "event_time", "is older than max_event_age")
_LDP: Final = Reason(
    "ldp_without_region",
    "custom_data.opt_out_type",
    "limited data processing counts only with user_data.st and user_data.country: add both",
)


def _written(cell: Any) -> Any:
    """Write a cell that is no field the same way in every run."""
    if isinstance(cell, dt.datetime | dt.date | dt.time):
        return cell.isoformat()
    try:
        return values.text(cell)
    except Unfit:
        return repr(cell)


def _unwritable(event: Mapping[str, Any]) -> tuple[Reason, ...]:
    """Find the fields that JSON cannot hold, which lone surrogates cause."""
    found = []
    for key, value in event.items():
        for path, part in (
            ((f"{key}.{name}", member) for name, member in value.items())
            if isinstance(value, dict)
            else ((key, value),)
        ):
            try:
                orjson.dumps(part)
            except (TypeError, ValueError):
                found.append(Reason("bad_text", path, "holds a lone surrogate: mend the text's encoding"))
    return tuple(found)
