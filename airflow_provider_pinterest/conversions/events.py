"""Rows → events, or rejections that say why.

One pass over the row: every cell is read, canonicalised and hashed by the compiled plan, then the event as a
whole is checked, encoded once, and compared with what this run has seen before.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final, NamedTuple

import orjson

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.duplicates import SeenEvents, event_key
from airflow_provider_pinterest.conversions.fields import EVENT_NAMES, LDP, OFFLINE
from airflow_provider_pinterest.conversions.mapping import PLANS_KEPT, ColumnMapping, unknown_field
from airflow_provider_pinterest.conversions.plans import Column, IdPart, Place, Plan
from airflow_provider_pinterest.conversions.reasons import Reason, Unfit, Unusable, Verdict

SKEW: Final = 300
"""Seconds that a clock may run ahead of ours before its events count as future ones."""


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


_event: Final[Callable[[Iterable[Any]], Event]] = partial(tuple.__new__, Event)
"""Makes an event of its fields in their order, in half the time of a call of the class."""


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
        """Warning code → rows."""
        self._latest = now + SKEW
        self._earliest = now - max_event_age.total_seconds() if max_event_age else 0
        self._max_bytes = max_event_bytes
        self._seen = SeenEvents()
        self._built: defaultdict[Plan, int] = defaultdict(int)
        self._coverage: Counter[str] = Counter()
        self._refuse = self._refused  # bound once

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
        keys = {name: cells[index] for name, index in plan.keys} if plan.keys else _NOTHING
        problems = [*plan.unknown]
        if plan.objects:
            plan, cells = self._opened(plan, cells, problems)
        event, lacking = plan.read(cells, problems, self._refuse)
        user, custom = event.get("user_data", _NOTHING), event.get("custom_data", _NOTHING)
        if plan.id_parts and "event_id" not in event:
            self._identify(event, plan.id_parts, cells)
            if "event_id" in event and "event_id" in lacking:
                lacking.remove("event_id")
        moment = event.get("event_time", 0)
        if not (moment and "event_id" in event and "event_name" in event and "action_source" in event):
            problems += _missing(event, problems)
        if not (
            "em" in user or "hashed_maids" in user or ("client_ip_address" in user and "client_user_agent" in user)
        ):
            problems.append(_NO_MATCH_KEY)
        if moment > self._latest:
            problems.append(_FUTURE)
        elif 0 < moment < self._earliest:
            problems.append(_TOO_OLD)
        if "opt_out_type" in custom and LDP in custom["opt_out_type"].split(",") and not user.keys() >= _REGION:
            problems.append(_LDP)
        if problems:
            return Rejection(row, event.get("event_id"), keys, tuple(problems))

        try:
            body = bytes(memoryview(orjson.dumps(event)))  # its own bytes occupy 8 KB each, however few they are
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
        if type(moment) is values.Midnight:
            self.warnings["time_from_date"] += 1
        self._built[plan] += 1
        if lacking:
            self._coverage.subtract(lacking)
        if len(self._built) > PLANS_KEPT:
            self._fold()
        return _event((row, event_name, event_id, moment, event["action_source"] == OFFLINE, body, keys))

    @property
    def coverage(self) -> Counter[str]:
        """Field path → valid, distinct events that carry it."""
        self._fold()
        return +self._coverage

    def _fold(self) -> None:
        for plan, count in self._built.items():
            for path in plan.paths:
                self._coverage[path] += count
        self._built.clear()

    def _refused(self, column: Column, verdict: Verdict, problems: list[Reason]) -> list[str] | None:
        """Reject the row for a cell that is wrong; leave out what is merely unusable, and count it."""
        if isinstance(verdict, Unusable):
            self.warnings[verdict.code] += 1
            return verdict.kept
        if isinstance(verdict, Unfit):
            problems.append(Reason(verdict.code, column.path + verdict.at, verdict.message))
        return None

    def _opened(self, plan: Plan, cells: Sequence[Any], problems: list[Reason]) -> tuple[Plan, Sequence[Any]]:
        """Lay the members of JSON objects out as cells of their own, before the row's."""
        opened: list[Any] = []
        for index, path in plan.objects:
            layout = self.mapping.layout(path)
            try:
                document = _NOTHING if cells[index] is None else values.json(cells[index])
                if document is None:
                    document = _NOTHING
                elif not isinstance(document, (dict, Mapping)):
                    raise Unfit("bad_json", f"expected a JSON object, got {values.kind(document)}")
            except Unfit as unfit:
                problems.append(Reason(unfit.code, path, unfit.message))
                document = _NOTHING
            if not layout.has(document):
                problems += (unknown_field(f"{path}.{name}") for name in layout.learn(document))
            opened += layout.cells(document)
        return self.mapping.opened(plan), (*opened, *cells)

    def _identify(self, event: Place, parts: Sequence[IdPart], cells: Sequence[Any]) -> None:
        """Make the same ``event_id`` for the same row in every run; none if a part is missing."""
        found = []
        for part in parts:
            if part.position is None:
                value = (event.get(part.place, _NOTHING) if part.place else event).get(part.name)
            else:
                value = _written(cells[part.position])
            if value is None:
                return
            found.append(value)
        try:
            event["event_id"] = hashlib.sha256(orjson.dumps(found)).hexdigest()[:32]
        except TypeError:
            return


_NOTHING: Final[Mapping[str, Any]] = {}
_REGION: Final = frozenset({"st", "country"})
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


def _missing(event: Place, problems: Sequence[Reason]) -> list[Reason]:
    """Name the required fields that are not there, unless something else was wrong with them."""
    named = {problem.field for problem in problems}
    return [
        Reason("missing_field", path, message)
        for path, message in _MISSING.items()
        if not event.get(path) and path not in named
    ]


def _written(cell: Any) -> str | None:
    """Write a cell that is no field the same way in every run; ``None`` where it holds nothing."""
    if cell is None or cell != cell:  # noqa: PLR0124 - NaN, which is how some drivers say NULL
        return None
    if isinstance(cell, dt.datetime | dt.date | dt.time):
        return cell.isoformat()
    if isinstance(cell, bytes | bytearray | memoryview):
        return bytes(cell).hex()
    if isinstance(cell, set | frozenset):
        cell = sorted(cell, key=repr)
    try:
        return values.text(cell)
    except Unfit:
        pass
    try:
        return orjson.dumps(cell, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return None


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
