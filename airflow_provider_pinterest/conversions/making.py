"""Rows → events, each row by itself.

One pass over the row: every cell is read, canonicalised and hashed by the compiled plan, then the event as a
whole is checked and encoded once. What depends on other rows is not decided here.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import orjson

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.events import Chunk, Event, Rejection
from airflow_provider_pinterest.conversions.fields import EVENT_NAMES, LDP, OFFLINE
from airflow_provider_pinterest.conversions.mapping import ColumnMapping, unknown_field
from airflow_provider_pinterest.conversions.plans import Column, Place, Plan
from airflow_provider_pinterest.conversions.reasons import Reason, Unfit, Unusable, Verdict

SKEW: Final = 300
"""Seconds that a clock may run ahead of ours before its events count as future ones."""

_event: Final[Callable[[Iterable[Any]], Event]] = partial(tuple.__new__, Event)
"""Makes an event of its fields in their order, in half the time of a call of the class."""


class Kind(NamedTuple):
    """What events have in common that is counted of them.

    :param paths: fields that they could have.
    :param lacking: those that they do not have.
    :param warnings: codes of what was noticed.
    """

    paths: tuple[str, ...]
    lacking: tuple[str, ...]
    warnings: tuple[str, ...]


class Made(NamedTuple):
    """What some rows are by themselves.

    :param outcomes: one for each row, in their order.
    :param of_kind: for each event among them, its place in ``kinds``.
    :param warnings: code → cells, whatever became of their rows.
    """

    outcomes: Sequence[Event | Rejection]
    of_kind: Sequence[int]
    kinds: Sequence[Kind]
    warnings: Counter[str]


class EventMaker:
    """Makes events of rows; the same rows give the same events, in whatever process.

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
        self.settings = (mapping.parameters, now, max_event_age, max_event_bytes)
        """What :meth:`of` makes an equal maker of, in another process."""
        self._mapping = mapping
        self._latest = now + SKEW
        self._earliest = now - max_event_age.total_seconds() if max_event_age else 0
        self._max_bytes = max_event_bytes
        self._warnings: Counter[str] = Counter()
        self._refuse = self._refused  # bound once

    @classmethod
    def of(cls, settings: tuple[Any, float, dt.timedelta | None, int]) -> EventMaker:
        """Make a maker equal to the one that has these settings."""
        parameters, now, max_event_age, max_event_bytes = settings
        return cls(ColumnMapping(**parameters), now=now, max_event_age=max_event_age, max_event_bytes=max_event_bytes)

    def make(self, first: int, chunk: Chunk) -> Made:
        """Make what the rows of a chunk become.

        :param first: the number of the first one.
        :raises MappingError: two columns of the chunk map to the same field.
        """
        self._warnings = Counter()
        outcomes: list[Event | Rejection] = []
        of_kind: list[int] = []
        kinds: dict[tuple[Plan, int, bool, bool], int] = {}
        common = self._mapping.plan(chunk.columns)
        latest, earliest, largest, refuse = self._latest, self._earliest, self._max_bytes, self._refuse
        for row, cells in enumerate(chunk.rows, first):
            plan = common
            keys = {name: cells[index] for name, index in plan.keys} if plan.keys else _NOTHING
            problems = [*plan.unknown]
            if plan.objects:
                plan, cells = self._opened(plan, cells, problems)  # noqa: PLW2901
            event, lacking = plan.read(cells, problems, refuse)
            user = event.get("user_data", _NOTHING)
            if plan.id_parts and "event_id" not in event:
                lacking -= self._identify(event, plan, cells)
            moment, event_id, name = event.get("event_time", 0), event.get("event_id"), event.get("event_name")
            source = event.get("action_source")
            if not (moment and event_id and name and source):
                problems += _missing(event, problems)
            if not (
                "em" in user or "hashed_maids" in user or ("client_ip_address" in user and "client_user_agent" in user)
            ):
                problems.append(_NO_MATCH_KEY)
            if moment > latest:
                problems.append(_FUTURE)
            elif 0 < moment < earliest:
                problems.append(_TOO_OLD)
            if "custom_data" in event and "opt_out_type" in event["custom_data"]:
                flags = event["custom_data"]["opt_out_type"].split(",")
                if LDP in flags and not user.keys() >= _REGION:
                    problems.append(_LDP)
            if problems:
                outcomes.append(Rejection(row, event_id, keys, tuple(problems)))
                continue
            try:
                body = bytes(memoryview(orjson.dumps(event)))  # its own bytes occupy 8 KB each, however few they are
            except (TypeError, ValueError):
                outcomes.append(Rejection(row, None, keys, _unwritable(event)))
                continue
            if len(body) > largest:
                message = f"the event's JSON has {len(body):,} bytes, more than max_batch_bytes {largest:,}"
                outcomes.append(Rejection(row, event_id, keys, (Reason("too_large", "", message),)))
                continue
            outcomes.append(_event((row, name, event_id, moment, source == OFFLINE, body, keys)))
            kind = (plan, lacking, name in EVENT_NAMES, type(moment) is values.Midnight)
            number = kinds.get(kind)
            if number is None:
                number = kinds[kind] = len(kinds)
            of_kind.append(number)
        return Made(outcomes, of_kind, [_kind(*kind) for kind in kinds], self._warnings)

    def _refused(self, column: Column, verdict: Verdict, problems: list[Reason]) -> list[str] | None:
        """Reject the row for a cell that is wrong; leave out what is merely unusable, and count it."""
        if isinstance(verdict, Unusable):
            self._warnings[verdict.code] += 1
            return verdict.kept
        if isinstance(verdict, Unfit):
            problems.append(Reason(verdict.code, column.path + verdict.at, verdict.message))
        return None

    def _opened(self, plan: Plan, cells: Sequence[Any], problems: list[Reason]) -> tuple[Plan, Sequence[Any]]:
        """Lay the members of JSON objects out as cells of their own, before the row's."""
        opened: list[Any] = []
        for index, path in plan.objects:
            layout = self._mapping.layout(path)
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
        return self._mapping.opened(plan), (*opened, *cells)

    def _identify(self, event: Place, plan: Plan, cells: Sequence[Any]) -> int:
        """Make the same ``event_id`` for the same row in every run; none if a part is missing.

        :return: the bit of the ``event_id`` that the event no longer lacks.
        """
        found = []
        for part in plan.id_parts or ():
            if part.position is None:
                value = (event.get(part.place, _NOTHING) if part.place else event).get(part.name)
            else:
                value = _written(cells[part.position])
            if value is None:
                return 0
            found.append(value)
        try:
            event["event_id"] = hashlib.sha256(orjson.dumps(found)).hexdigest()[:32]
        except TypeError:
            return 0
        return 1 << plan.fields.index("event_id") if "event_id" in plan.fields else 0


def _kind(plan: Plan, lacking: int, known_name: bool, from_date: bool) -> Kind:
    """Write out what the bits say."""
    missing = tuple(path for number, path in enumerate(plan.fields) if lacking >> number & 1)
    warnings = (() if known_name else ("unknown_event_name",)) + (("time_from_date",) if from_date else ())
    return Kind(plan.paths, missing, warnings)


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
