"""Rows → events, each row by itself, some hundred rows at a time.

The rows' fields are read column by column; then the events are checked as a whole, and the members of each row are
joined to its JSON. What depends on other rows is not decided here.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, repeat
from typing import Any, Final, NamedTuple

import orjson

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.cells import cut, kind
from airflow_provider_pinterest.conversions.column_batches import ColumnBatch, ParsedColumns
from airflow_provider_pinterest.conversions.columns import Members, inside
from airflow_provider_pinterest.conversions.event_names import is_listed
from airflow_provider_pinterest.conversions.exclusions import Exclusions, excluded
from airflow_provider_pinterest.conversions.field_maps import PLACES
from airflow_provider_pinterest.conversions.fields import BY_PATH, COUNTRY, LDP, OFFLINE, REQUIRED
from airflow_provider_pinterest.conversions.identifiers import has_us_state, home, in_both_cases
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.outcomes import Event, Excluded, Rejection
from airflow_provider_pinterest.conversions.reasons import Reason

SKEW: Final = 300
"""Seconds that a clock may run ahead of ours before its events count as future ones."""

STATE: Final = "user_data.st"

_event: Final[Callable[[Iterable[Any]], Event]] = partial(tuple.__new__, Event)
"""Makes an event of its fields in their order, in half the time of a call of the class."""


class TransformResult(NamedTuple):
    """What some rows are by themselves.

    :param events: the fields of :class:`Event`, each for all rows; those of a rejected row mean nothing.
    :param others: position of a row that is not an event → what it is.
    :param coverage: field path → events that carry it.
    :param noticed: warning code → events.
    :param warnings: warning code → cells, whatever became of their rows.
    :param unlisted: event name that Pinterest does not list → events.
    """

    events: tuple[Sequence[Any], ...]
    others: dict[int, Rejection | Excluded]
    coverage: Counter[str]
    noticed: Counter[str]
    warnings: Counter[str]
    unlisted: Counter[str]

    def outcomes(self) -> list[Event | Rejection | Excluded]:
        """Return what each row is, in their order."""
        found: list[Event | Rejection | Excluded] = list(map(_event, zip(*self.events, strict=True)))
        for row, other in self.others.items():
            found[row] = other
        return found


def _joined(some: Sequence[TransformResult]) -> TransformResult:
    """Return what some rows are as one, in their order."""
    events: list[Any] = [
        list(chain.from_iterable(column)) for column in zip(*(made.events for made in some), strict=True)
    ]
    others: dict[int, Rejection | Excluded] = {}
    counts: tuple[Counter[str], ...] = (Counter(), Counter(), Counter(), Counter())
    before = 0
    for made in some:
        others |= {before + row: other for row, other in made.others.items()}
        before += len(made.events[0])
        for count, more in zip(counts, made[2:], strict=True):
            count.update(more)
    return TransformResult(tuple(events), others, *counts)


def noticed(name: str, time: type[int]) -> Iterator[str]:
    """Yield the codes of what is worth a warning about an event as a whole, of its name and the type of its time."""
    if not is_listed(name):
        yield "unknown_event_name"
    if time is values.Midnight:
        yield "time_from_date"


def fields_of(body: bytes) -> Iterator[str]:
    """Yield the paths of the fields in an event's JSON."""
    for name, value in orjson.loads(body).items():
        if name in PLACES:
            yield from (f"{name}.{member}" for member in value)
        else:
            yield name


class BatchTransformer:
    """Makes events of rows; the same rows give the same events, in whatever process.

    :param mapping: how columns become fields.
    :param now: Unix seconds that "future" and "too old" are measured from.
    :param max_event_age: older rows are rejected; ``None``: none are.
    :param max_event_bytes: larger events are rejected.
    :param exclusions: rules that keep rows from being sent.
    """

    def __init__(
        self,
        mapping: ColumnMapping,
        *,
        now: float,
        max_event_age: dt.timedelta | None = None,
        max_event_bytes: int = 2_000_000,
        exclusions: Exclusions | None = None,
    ) -> None:
        self.settings = (mapping.parameters, now, max_event_age, max_event_bytes, exclusions and exclusions.parameters)
        """What :meth:`of` makes an equal maker of, in another process."""
        self._mapping = mapping
        self._latest = now + SKEW
        self._earliest = now - max_event_age.total_seconds() if max_event_age else 0
        self._max_bytes = max_event_bytes
        self._exclusions = exclusions

    @classmethod
    def of(cls, settings: tuple[Any, float, dt.timedelta | None, int, dict[str, Any] | None]) -> BatchTransformer:
        """Make a maker equal to the one that has these settings."""
        parameters, now, max_event_age, max_event_bytes, exclusions = settings
        return cls(
            ColumnMapping(**parameters),
            now=now,
            max_event_age=max_event_age,
            max_event_bytes=max_event_bytes,
            exclusions=Exclusions.of(**exclusions) if exclusions else None,
        )

    def make(self, piece: ColumnBatch) -> TransformResult:
        """Make what the rows of a piece become."""
        try:
            return self._make(piece)
        except Exception:  # noqa: BLE001 - found again below, for each row by itself
            return _joined([self._make_alone(row) for row in piece.rows()])

    def _make_alone(self, row: ColumnBatch) -> TransformResult:
        """Make what a single row becomes; one that cannot be made is rejected."""
        try:
            return self._make(row)
        except Exception as error:  # noqa: BLE001 - whatever is in the row, it affects no other
            reason = Reason("bad_cell", "", f"the row cannot be read: {kind(error)}")
            nothing: Mapping[str, Any] = {}
            events = ([row.first], [""], [""], [0], [False], [b""], [nothing])
            rejection = Rejection(row.first, None, nothing, (reason,))
            return TransformResult(events, {0: rejection}, Counter(), Counter(), Counter(), Counter())

    def _make(self, piece: ColumnBatch) -> TransformResult:
        fields = ParsedColumns(self._mapping, piece)
        self._check_required(fields)
        _check_match_keys(fields)
        self._check_times(fields)
        _check_region(fields)
        written = bodies(fields)
        self._check_sizes(fields, written)
        if self._exclusions is not None:
            fields.excluded = excluded(fields, self._exclusions)
        names, sources, moments, ids = (fields.values[path] for path in REQUIRED)
        events = (
            range(piece.first, piece.first + piece.size),
            names,
            ids,
            moments,
            [source == OFFLINE for source in sources],
            written,
            fields.keys,
        )
        found, unlisted = _noticed(fields)
        others: dict[int, Rejection | Excluded] = {
            row: Rejection(piece.first + row, ids[row] and cut(ids[row]), fields.keys[row], fields.reasons(row))
            for row in sorted(fields.problems)
        }
        others |= {row: Excluded(piece.first + row, code) for row, code in fields.excluded.items()}
        return TransformResult(events, others, _coverage(fields), found, fields.warnings, unlisted)

    @staticmethod
    def _check_required(fields: ParsedColumns) -> None:
        """Name the required fields that are not there, unless something else was wrong with them."""
        for path, found in fields.values.items():
            for row in _empty(found):
                if not any(problem.field == path for problem in fields.problems.get(row, ())):
                    fields.refuse(row, _MISSING[path])

    def _check_times(self, fields: ParsedColumns) -> None:
        moments = fields.values["event_time"]
        known = [moment for moment in moments if moment]
        if not known or (max(known) <= self._latest and min(known) >= self._earliest):
            return
        for row, moment in enumerate(moments):
            if moment and moment > self._latest:
                fields.refuse(row, _FUTURE)
            elif moment and moment < self._earliest:
                fields.refuse(row, _TOO_OLD)

    def _check_sizes(self, fields: ParsedColumns, bodies: Sequence[bytes]) -> None:
        largest = self._max_bytes
        for row in [row for row, body in enumerate(bodies) if len(body) > largest]:
            if row not in fields.problems:
                message = f"the event's JSON has {len(bodies[row]):,} bytes, more than max_batch_bytes {largest:,}"
                fields.refuse(row, Reason("too_large", "", message))


def _check_match_keys(fields: ParsedColumns) -> None:
    """Pinterest refuses an event by which it can find nobody."""
    emails = fields.of("user_data.em")
    if all(emails):
        return
    others = map(fields.of, ("user_data.hashed_maids", "user_data.client_ip_address", "user_data.client_user_agent"))
    for row, (email, maid, address, agent) in enumerate(zip(emails, *others, strict=True)):
        if not (email or maid or (address and agent)):
            fields.refuse(row, _NO_MATCH_KEY)


def _check_region(fields: ParsedColumns) -> None:
    """Limited data processing counts only where the region is known, in whichever case Pinterest hashes its code."""
    path = "custom_data.opt_out_type"
    for row, member in enumerate(fields.members.get(path, ())):
        if not member or LDP not in fields.value(path, row).split(","):
            continue
        country, state = fields.of(COUNTRY)[row], fields.of(STATE)[row]
        if not (country and state) or (home(country) == "us" and not has_us_state(state)):
            fields.refuse(row, _LDP)
            continue
        for name in (COUNTRY, STATE):
            fields.replace(name, row, in_both_cases(fields.value(name, row)))


def bodies(fields: ParsedColumns) -> list[bytes]:
    """Join the members of each row, in the table's order, to the JSON of its event; without a name it is none."""
    places: dict[str, list[Members]] = {place: [] for place in PLACES}
    for path, field in BY_PATH.items():
        if path in fields.members and path not in fields.values:
            places[field.place].append(fields.members[path])
    first, *others = (fields.of(path) for path in fields.values)
    starts = {member: b"{" + member[1:] for member in set(first)}
    parts: list[Iterable[bytes]] = [[starts[member] for member in first], *others, *places.pop("")]
    for place, columns in places.items():
        if columns:
            start = f',"{place}":{{'.encode()
            found = inside(columns)
            if all(found[0]):
                parts += [repeat(start), *found, repeat(b"}")]
            else:
                parts.append([start + members + b"}" if members else b"" for members in found[0]])
    return list(map(b"".join, zip(*parts, repeat(b"}"))))


def _coverage(fields: ParsedColumns) -> Counter[str]:
    """Count the events that carry each field."""
    return Counter(
        {
            path: (fields.size if all(members) else sum(map(bool, members)))
            - sum(1 for row in fields.not_events if members[row])
            for path, members in fields.members.items()
        }
    )


def _noticed(fields: ParsedColumns) -> tuple[Counter[str], Counter[str]]:
    """Count what is worth a warning about events as a whole, and the names that Pinterest does not list."""
    kinds: Iterable[tuple[str, type[int]]] = zip(
        fields.values["event_name"], map(type, fields.values["event_time"]), strict=True
    )
    if fields.not_events:
        kinds = [one for row, one in enumerate(kinds) if row not in fields.not_events]
    found: Counter[str] = Counter()
    names: Counter[str] = Counter()
    for (name, time), events in Counter(kinds).items():
        found.update(dict.fromkeys(noticed(name, time), events))
        if not is_listed(name):
            names[name] += events
    return found, names


def _empty(found: Sequence[Any]) -> list[int]:
    """Return the rows that have nothing."""
    return [] if all(found) else [row for row, value in enumerate(found) if not value]


_MISSING: Final = {path: Reason("missing_field", path, BY_PATH[path].missing) for path in REQUIRED}
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
