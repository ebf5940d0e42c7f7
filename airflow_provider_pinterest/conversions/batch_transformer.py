"""Transform rows into events, some hundred rows at a time, each row independently.

The fields are parsed column by column. Then each event is checked as a whole, and the members of a row are joined to
its JSON. Decisions that depend on other rows are made elsewhere, see :mod:`~.transform`.
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
from airflow_provider_pinterest.conversions.ad_accounts import AccountReader
from airflow_provider_pinterest.conversions.cells import cut, kind
from airflow_provider_pinterest.conversions.column_batches import ColumnBatch, ParsedColumns
from airflow_provider_pinterest.conversions.column_parser import EncodedCells, inside
from airflow_provider_pinterest.conversions.event_names import is_listed
from airflow_provider_pinterest.conversions.exclusions import Exclusions, excluded
from airflow_provider_pinterest.conversions.field_maps import PLACES
from airflow_provider_pinterest.conversions.fields import BY_PATH, COUNTRY, LDP, OFFLINE, REQUIRED
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.mapping_compiler import MappingCompiler
from airflow_provider_pinterest.conversions.outcomes import UNREADABLE, Event, Excluded, Rejection
from airflow_provider_pinterest.conversions.reasons import Reason
from airflow_provider_pinterest.conversions.region_hashes import has_us_state, in_both_cases

SKEW: Final = 300
"""Seconds by which another clock may be ahead."""

STATE: Final = "user_data.st"

_event: Final[Callable[[Iterable[Any]], Event]] = partial(tuple.__new__, Event)
"""Create an event from its fields in order, in half the time of calling the class."""


class TransformResult(NamedTuple):
    """The outcome of each row of a column batch, without regard to other rows.

    :param events: the fields of :class:`Event`, each for all rows; the fields of a rejected row are meaningless.
    :param others: position of a row that is not an event → its outcome.
    :param coverage: field path → events that carry it.
    :param noticed: warning code → events.
    :param warnings: warning code → cells, also of rows that are not events.
    :param unlisted: event name that Pinterest does not list → events.
    """

    events: tuple[Sequence[Any], ...]
    others: dict[int, Rejection | Excluded]
    coverage: Counter[str]
    noticed: Counter[str]
    warnings: Counter[str]
    unlisted: Counter[str]

    def outcomes(self) -> list[Event | Rejection | Excluded]:
        """Return the outcome of each row, in order."""
        found: list[Event | Rejection | Excluded] = list(map(_event, zip(*self.events, strict=True)))
        for row, other in self.others.items():
            found[row] = other
        return found


def _joined(some: Sequence[TransformResult]) -> TransformResult:
    """Concatenate results, in order."""
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
    """Yield the warning codes for an event as a whole, from its name and the type of its time."""
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
    """Transform column batches into events. The same rows give the same events in every process.

    :param mapping: how columns become fields.
    :param now: the current time in Unix seconds.
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
        """The settings from which :meth:`of` creates an equal transformer in another process."""
        self.compiler = MappingCompiler(mapping)
        self._latest = now + SKEW
        self._earliest = now - max_event_age.total_seconds() if max_event_age else 0
        self._max_bytes = max_event_bytes
        self._exclusions = exclusions
        self._accounts = (
            AccountReader(mapping.ad_account_id, mapping.placeholders, mapping.ad_account_id_column)
            if mapping.ad_account_id_column
            else None
        )

    @classmethod
    def of(cls, settings: tuple[Any, float, dt.timedelta | None, int, dict[str, Any] | None]) -> BatchTransformer:
        """Create a transformer from the settings of another one."""
        parameters, now, max_event_age, max_event_bytes, exclusions = settings
        return cls(
            ColumnMapping(**parameters),
            now=now,
            max_event_age=max_event_age,
            max_event_bytes=max_event_bytes,
            exclusions=Exclusions.of(**exclusions) if exclusions else None,
        )

    def transform(self, column_batch: ColumnBatch) -> TransformResult:
        """Transform the rows of a column batch."""
        if column_batch.names == UNREADABLE:
            reasons = [Reason("bad_row", "", reason) for reason in column_batch.columns[0]]
            return _joined([_rejected(column_batch.first + row, reason) for row, reason in enumerate(reasons)])
        try:
            return self._transform(column_batch)
        except Exception:  # noqa: BLE001 - found again below, for each row by itself
            return _joined([self._transform_alone(row) for row in column_batch.rows()])

    def _transform_alone(self, row: ColumnBatch) -> TransformResult:
        """Transform a single row, or reject it if that fails."""
        try:
            return self._transform(row)
        except Exception as error:  # noqa: BLE001 - a row must not affect other rows
            return _rejected(row.first, Reason("bad_cell", "", f"the row cannot be read: {kind(error)}"))

    def _transform(self, column_batch: ColumnBatch) -> TransformResult:
        fields = ParsedColumns(self.compiler, column_batch)
        self._check_required(fields)
        _check_match_keys(fields)
        self._check_times(fields)
        _check_region(fields)
        accounts = [""] * fields.size
        if self._accounts is not None:
            accounts = self._accounts.read(fields.accounts(), fields.reject)
        written = bodies(fields)
        self._check_sizes(fields, written)
        if self._exclusions is not None:
            fields.excluded = excluded(fields, self._exclusions)
        names, sources, moments, ids = (fields.values[path] for path in REQUIRED)
        events = (
            range(column_batch.first, column_batch.first + column_batch.size),
            names,
            ids,
            moments,
            [source == OFFLINE for source in sources],
            written,
            fields.keys,
            accounts,
        )
        found, unlisted = _noticed(fields)
        others: dict[int, Rejection | Excluded] = {
            row: Rejection(
                column_batch.first + row,
                ids[row] and cut(ids[row]),
                fields.keys[row],
                fields.reasons(row),
                ad_account_id=accounts[row],
                event_name=names[row] or None,
                time=moments[row] or None,
            )
            for row in sorted(fields.problems)
        }
        others |= {
            row: Excluded(column_batch.first + row, code, accounts[row]) for row, code in fields.excluded.items()
        }
        return TransformResult(events, others, _coverage(fields), found, fields.warnings, unlisted)

    @staticmethod
    def _check_required(fields: ParsedColumns) -> None:
        """Add a reason for each missing required field that does not have a reason yet."""
        for path, found in fields.values.items():
            for row in _empty(found):
                if not any(problem.field == path for problem in fields.problems.get(row, ())):
                    fields.reject(row, _MISSING[path])

    def _check_times(self, fields: ParsedColumns) -> None:
        moments = fields.values["event_time"]
        known = [moment for moment in moments if moment]
        if not known or (max(known) <= self._latest and min(known) >= self._earliest):
            return
        for row, moment in enumerate(moments):
            if moment and moment > self._latest:
                fields.reject(row, _FUTURE)
            elif moment and moment < self._earliest:
                fields.reject(row, _TOO_OLD)

    def _check_sizes(self, fields: ParsedColumns, bodies: Sequence[bytes]) -> None:
        largest = self._max_bytes
        for row in [row for row, body in enumerate(bodies) if len(body) > largest]:
            if row not in fields.problems:
                message = f"the event's JSON has {len(bodies[row]):,} bytes, more than max_batch_bytes {largest:,}"
                fields.reject(row, Reason("too_large", "", message))


def _rejected(row: int, reason: Reason) -> TransformResult:
    """Return the result of a single row that is rejected as a whole."""
    nothing: Mapping[str, Any] = {}
    events = ([row], [""], [""], [0], [False], [b""], [nothing], [""])
    rejection = Rejection(row, None, nothing, (reason,))
    return TransformResult(events, {0: rejection}, Counter(), Counter(), Counter(), Counter())


def _check_match_keys(fields: ParsedColumns) -> None:
    """Pinterest rejects an event without a match key."""
    emails = fields.of("user_data.em")
    if all(emails):
        return
    others = map(fields.of, ("user_data.hashed_maids", "user_data.client_ip_address", "user_data.client_user_agent"))
    for row, (email, maid, address, agent) in enumerate(zip(emails, *others, strict=True)):
        if not (email or maid or (address and agent)):
            fields.reject(row, _NO_MATCH_KEY)


def _check_region(fields: ParsedColumns) -> None:
    """Limited data processing needs a known region. The codes of the region are sent in lower and upper case."""
    path = "custom_data.opt_out_type"
    for row, member in enumerate(fields.members.get(path, ())):
        if not member or LDP not in fields.value(path, row).split(","):
            continue
        country, states = fields.shared[COUNTRY][row], fields.value(STATE, row)
        if country is None or not states or (country == "us" and not has_us_state(states)):
            fields.reject(row, _LDP)
            continue
        for name in (COUNTRY, STATE):
            fields.replace(name, row, in_both_cases(fields.value(name, row)))


def bodies(fields: ParsedColumns) -> list[bytes]:
    """Join the members of each row, in the order of the table, to the JSON of its event."""
    places: dict[str, list[EncodedCells]] = {place: [] for place in PLACES}
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
    """Count the warnings about events as a whole, and the names that Pinterest does not list."""
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
    """Return the positions of empty values."""
    return [] if all(found) else [row for row, value in enumerate(found) if not value]


_MISSING: Final = {path: Reason("missing_field", path, BY_PATH[path].missing) for path in REQUIRED}
_NO_MATCH_KEY: Final = Reason(
    "no_match_key",
    "user_data",
    "needs a usable em, or hashed_maids, or both client_ip_address and client_user_agent",
)
_FUTURE: Final = Reason("future_event_time", "event_time", "is more than five minutes in the future")
_TOO_OLD: Final = Reason("too_old", "event_time", "is older than max_event_age")
_LDP: Final = Reason(
    "ldp_without_region",
    "custom_data.opt_out_type",
    "limited data processing counts only with user_data.st and user_data.country: add both",
)
