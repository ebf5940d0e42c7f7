"""What the operator's parameters may be: one line for each.

Constants are checked when the DAG file is parsed, and templates when the task runs, as the text they rendered to.
"""

from __future__ import annotations

import ast
import datetime as dt
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Final, Self, get_type_hints
from zoneinfo import ZoneInfo

from airflow_provider_pinterest.conversions.batches import MAX_EVENTS
from airflow_provider_pinterest.problems import raise_all

if TYPE_CHECKING:
    from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

SMALLEST_BATCH: Final = 10_000
"""Bytes that a batch must be allowed at least: one event of the usual size fits several times."""

MOST_IN_FLIGHT: Final = 64
"""Batches under way at once at most: twice what the published limit needs at 300 ms."""

MOST_PROCESSES: Final = 32
"""Processes at most: the task reads and sends for a few only."""

OLDEST: Final = 120
"""Largest ``minimum_age``, in years."""

LONGEST_SHOWN: Final = 60
"""Characters of a value that an error shows."""

_PYTHON_DURATION: Final = re.compile(
    r"(?:(?P<days>\d+) days?(?:, )?)?(?:(?P<hours>\d+):(?P<minutes>\d\d):(?P<seconds>\d\d(?:\.\d+)?))?"
)
_ISO_DURATION: Final = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)


@dataclass(frozen=True, slots=True)
class ParameterKind:
    """The values that a parameter may have.

    :param says: completes "must be …" in an error.
    :param fits: whether a value is one of them.
    :param read: returns the value that a rendered template's text stands for, or the text if it stands for none.
    :param shown: whether an error may show the value. Some hold secrets or personal data.
    """

    says: str
    fits: Callable[[Any], bool]
    read: Callable[[str], object] = str
    shown: bool = True


def is_output(value: object) -> bool:
    """Return whether a value stands for the output of another task."""
    return hasattr(value, "iter_references") and hasattr(value, "resolve")


def is_late(value: object) -> bool:
    """Return whether a value is known only when the task runs: a template, or the output of another task."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    return is_output(value) or callable(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_tolerance(value: Any) -> bool:
    return (isinstance(value, float) and 0 <= value <= 1) or (_is_whole(value) and value >= 0)


def _is_list_of_names(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and all(map(_is_text, value))


def _is_zone(value: object) -> bool:
    try:
        return isinstance(value, str) and ZoneInfo(value) is not None
    except (KeyError, ValueError, OSError):
        return False


def _is_duration(value: object, least: dt.timedelta) -> bool:
    return isinstance(value, dt.timedelta) and value >= least


def _is_mapping(value: object, of: Callable[[Any], bool]) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and (is_late(one) or of(one)) for name, one in value.items()
    )


def _read_number(text: str) -> object:
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _read_switch(text: str) -> object:
    return {"true": True, "false": False}.get(text.strip().lower(), text)


def _read_duration(text: str) -> object:
    """Read ISO 8601, such as ``P7D`` or ``PT90S``, or a ``timedelta`` as Python writes it."""
    found = _ISO_DURATION.fullmatch(text.strip()) or _PYTHON_DURATION.fullmatch(text.strip())
    parts = {name: float(value) for name, value in found.groupdict().items() if value} if found else {}
    try:
        return dt.timedelta(**parts) if parts else text
    except OverflowError:
        return text


def _read_structure(text: str) -> object:
    """Read JSON, or a list or dictionary as Python writes it."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return text


def _read_names(text: str) -> object:
    """Read a list, or names with commas between them."""
    found = _read_structure(text) if text.lstrip().startswith(("[", "(")) else text
    return [name.strip() for name in text.split(",") if name.strip()] if isinstance(found, str) else found


def _between(least: int, most: int) -> ParameterKind:
    return ParameterKind(f"{least} to {most}", lambda value: _is_whole(value) and least <= value <= most, _read_number)


def _at_least(least: int) -> ParameterKind:
    return ParameterKind(f"{least} or more", lambda value: _is_whole(value) and value >= least, _read_number)


def _mapping_of(says: str, of: Callable[[Any], bool]) -> ParameterKind:
    return ParameterKind(says, lambda value: _is_mapping(value, of), _read_structure, shown=False)


def _or_none(kind: ParameterKind) -> ParameterKind:
    """Return the same for a parameter that a template may set to ``None``."""
    return ParameterKind(kind.says, kind.fits, lambda text: None if text.strip() in ("", "None") else kind.read(text))


TEXT: Final = ParameterKind("text that is not empty", _is_text)
STATEMENT: Final = ParameterKind("one statement, as text or the path of a .sql file", _is_text, shown=False)
ACCOUNT: Final = ParameterKind(
    "1 to 18 digits, as in Ads Manager's address bar",
    lambda value: (isinstance(value, str) or _is_whole(value)) and bool(re.fullmatch(r"\s*[0-9]{1,18}\s*", str(value))),
)
FOLDER: Final = ParameterKind(
    "the path or the URL of a folder", lambda value: _is_text(value) or isinstance(value, os.PathLike)
)
ZONE: Final = ParameterKind("the IANA name of a time zone, such as Europe/Berlin", _is_zone)
SWITCH: Final = ParameterKind(
    "true or false",
    lambda value: isinstance(value, bool) or (isinstance(value, str) and value.strip().lower() in ("true", "false")),
    _read_switch,
)
TOLERANCE: Final = ParameterKind(
    "a number of rows (int) or a share from 0.0 to 1.0 (float)", _is_tolerance, _read_number
)
WAIT: Final = ParameterKind(
    "a timedelta of zero or more", lambda value: _is_duration(value, dt.timedelta()), _read_duration
)
AGE: Final = _or_none(
    ParameterKind("a positive timedelta", lambda value: _is_duration(value, dt.timedelta.resolution), _read_duration)
)
ON_DOUBT: Final = _or_none(ParameterKind("'resend', 'hold' or None", lambda value: value in ("resend", "hold")))
NAMES: Final = ParameterKind("a list of names", _is_list_of_names, _read_names)
BOUND: Final = ParameterKind(
    "a dict or a list of values",
    lambda value: isinstance(value, (Mapping, Sequence)) and not isinstance(value, (str, bytes)),
    _read_structure,
    shown=False,
)
ANY_MAPPING: Final = _mapping_of("a dict with names as keys", lambda _: True)
FIELD_MAP: Final = _mapping_of("a dict of column → field or None", lambda value: value is None or _is_text(value))
EVENT_NAMES: Final = _mapping_of("a dict of event name → name to send", _is_text)
SWITCHES: Final = _mapping_of("a dict of identifier → dict of switches", lambda value: isinstance(value, Mapping))


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskOptions:
    """The parameters of one execution, checked; the operator's docstring says what they mean.

    ``events`` is not among them: it is checked while it is read.
    """

    sql: Annotated[str | None, STATEMENT] = None
    sql_conn_id: Annotated[str | None, TEXT] = None
    hook_params: Annotated[Mapping[str, Any] | None, ANY_MAPPING] = None
    parameters: Annotated[Mapping[str, Any] | Sequence[Any] | None, BOUND] = None
    field_map: Annotated[Mapping[str, str | None] | None, FIELD_MAP] = None
    identifiers: Annotated[Mapping[str, Mapping[str, Any]] | None, SWITCHES] = None
    defaults: Annotated[Mapping[str, Any] | None, ANY_MAPPING] = None
    event_id_from: Annotated[Sequence[str], NAMES] = ()
    event_names: Annotated[Mapping[str, str] | None, EVENT_NAMES] = None
    placeholders: Annotated[Sequence[str] | None, NAMES] = None
    timezone: Annotated[str, ZONE] = "UTC"
    consent_column: Annotated[str | None, TEXT] = None
    minimum_age: Annotated[int | None, _or_none(_between(1, OLDEST))] = None
    excluded_categories: Annotated[Sequence[str], NAMES] = ()
    exclude_bots: Annotated[bool, SWITCH] = False
    exclude_networks: Annotated[Sequence[str], NAMES] = ()
    pinterest_conn_id: Annotated[str, TEXT] = "pinterest_default"
    ad_account_id: Annotated[str | int | None, ACCOUNT] = None
    test: Annotated[bool, SWITCH] = False
    validate_only: Annotated[bool, SWITCH] = False
    max_rejected: Annotated[float, TOLERANCE] = 0.01
    max_duplicates: Annotated[float, TOLERANCE] = 0.5
    min_events: Annotated[int, _at_least(0)] = 0
    max_event_age: Annotated[dt.timedelta | None, AGE] = None
    batch_size: Annotated[int, _between(1, MAX_EVENTS)] = MAX_EVENTS
    max_batch_bytes: Annotated[int, _at_least(SMALLEST_BATCH)] = 2_000_000
    on_doubt: Annotated[str | None, ON_DOUBT] = None
    max_in_flight: Annotated[int, _between(1, MOST_IN_FLIGHT)] = 8
    processes: Annotated[int, _between(0, MOST_PROCESSES)] = 0
    max_wait: Annotated[dt.timedelta, WAIT] = dt.timedelta(minutes=10)
    deferrable: Annotated[bool, SWITCH] = False
    rejects_path: Annotated[str | os.PathLike[str] | None, FOLDER] = None
    key_columns: Annotated[Sequence[str], NAMES] = ()
    resume: Annotated[bool, SWITCH] = True
    defer_after: Annotated[dt.timedelta, WAIT] = dt.timedelta(minutes=1)
    send_everything_again: Annotated[bool, SWITCH] = False

    @classmethod
    def of(cls, task: SendConversionsOperator) -> Self:
        """Read a task's parameters, whose templates are rendered.

        :raises ParameterError: some cannot work; names all of them.
        """
        given = _rendered(task)
        found = list(_problems(given))
        if given["on_doubt"] == "hold" and not given["rejects_path"]:
            found.append("on_doubt='hold' needs rejects_path: held events are listed there.")
        raise_all(found)
        return cls(**given)

    @classmethod
    def of_what_fits(cls, task: SendConversionsOperator) -> Self:
        """Read those of a task's parameters that can work, to find out what else cannot; the others have defaults."""
        return cls(**{name: value for name, value in _rendered(task).items() if _fits(name, value)})


KINDS: Final[Mapping[str, ParameterKind]] = {
    name: hint.__metadata__[0] for name, hint in get_type_hints(TaskOptions, include_extras=True).items()
}
"""Parameter → the values it may have."""

DEFAULTS: Final[Mapping[str, Any]] = {one.name: one.default for one in fields(TaskOptions)}


def problems_of_constants(task: SendConversionsOperator) -> list[str]:
    """Return what is wrong with parameters whose values are known before the task runs."""
    given = {name: getattr(task, name) for name in KINDS}
    return list(_problems({name: value for name, value in given.items() if not is_late(value)}))


def _problems(given: Mapping[str, Any]) -> Iterable[str]:
    for name, value in given.items():
        if not _fits(name, value):
            kind = KINDS[name]
            yield f"{name} must be {kind.says}, got {_shown(value) if kind.shown else type(value).__name__}."


def _fits(name: str, value: object) -> bool:
    return (value is None and DEFAULTS[name] is None) or KINDS[name].fits(value)


def _rendered(task: SendConversionsOperator) -> dict[str, Any]:
    """Return a task's parameters, text that a template rendered to as what it stands for."""
    found = {name: getattr(task, name) for name in KINDS}
    return {name: KINDS[name].read(value) if isinstance(value, str) else value for name, value in found.items()}


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
