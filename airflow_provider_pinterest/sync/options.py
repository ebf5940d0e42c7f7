"""The options of a run: one line for each, with its allowed values."""

from __future__ import annotations

import ast
import datetime as dt
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Final, get_type_hints
from zoneinfo import ZoneInfo

from airflow_provider_pinterest.api.ad_account import account_id
from airflow_provider_pinterest.conversions.batches import MAX_EVENTS
from airflow_provider_pinterest.problems import Problems, raise_all

if TYPE_CHECKING:
    from airflow_provider_pinterest.conversions.exclusions import Exclusions
    from airflow_provider_pinterest.conversions.mapping import ColumnMapping

SMALLEST_BATCH: Final = 10_000
"""Smallest ``max_batch_bytes``: several events of the usual size fit into it."""

MOST_IN_FLIGHT: Final = 64
"""Largest ``max_in_flight``: twice the number that the published rate limit needs with answers after 300 ms."""

MOST_PROCESSES: Final = 32
"""Largest ``processes``: the one process that reads and sends cannot keep more of them busy."""

OLDEST: Final = 120
"""Largest ``minimum_age``, in years."""

LONGEST_SHOWN: Final = 60
"""Largest number of characters of a value that an error shows."""

_PYTHON_DURATION: Final = re.compile(
    r"(?:(?P<days>\d+) days?(?:, )?)?(?:(?P<hours>\d+):(?P<minutes>\d\d):(?P<seconds>\d\d(?:\.\d+)?))?"
)
_ISO_DURATION: Final = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)


@dataclass(frozen=True, slots=True)
class ParameterKind:
    """The allowed values of a parameter.

    :param says: completes "must be …" in an error.
    :param fits: returns whether a value is allowed.
    :param read: converts the text of a rendered template to a value; returns the text if it cannot.
    :param shown: whether an error may show the value. Some values hold secrets or personal data.
    """

    says: str
    fits: Callable[[Any], bool]
    read: Callable[[str], object] = str
    shown: bool = True


def _is_template(value: object) -> bool:
    """Return whether a value is known only when the task runs, such as a Jinja template."""
    return (isinstance(value, str) and ("{{" in value or "{%" in value)) or callable(value) or hasattr(value, "resolve")


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
        isinstance(name, str) and (_is_template(one) or of(one)) for name, one in value.items()
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
    """Read ISO 8601, such as ``P7D`` or ``PT90S``, or the text of a Python ``timedelta``."""
    found = _ISO_DURATION.fullmatch(text.strip()) or _PYTHON_DURATION.fullmatch(text.strip())
    parts = {name: float(value) for name, value in found.groupdict().items() if value} if found else {}
    try:
        return dt.timedelta(**parts) if parts else text
    except OverflowError:
        return text


def read_structure(text: str) -> object:
    """Read JSON, or a Python list or dictionary literal."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return text


def _read_names(text: str) -> object:
    """Read a list, or names separated by commas."""
    found = read_structure(text) if text.lstrip().startswith(("[", "(")) else text
    return [name.strip() for name in text.split(",") if name.strip()] if isinstance(found, str) else found


def between(least: int, most: int) -> ParameterKind:
    """Allow whole numbers between two limits, both included."""
    return ParameterKind(f"{least} to {most}", lambda value: _is_whole(value) and least <= value <= most, _read_number)


def at_least(least: int) -> ParameterKind:
    """Allow whole numbers from a lower limit."""
    return ParameterKind(f"{least} or more", lambda value: _is_whole(value) and value >= least, _read_number)


def _mapping_of(says: str, of: Callable[[Any], bool]) -> ParameterKind:
    return ParameterKind(says, lambda value: _is_mapping(value, of), read_structure, shown=False)


def or_none(kind: ParameterKind) -> ParameterKind:
    """Allow the same values, and let a template set the parameter to ``None``."""
    return ParameterKind(kind.says, kind.fits, lambda text: None if text.strip() in ("", "None") else kind.read(text))


TEXT: Final = ParameterKind("text that is not empty", _is_text)
STATEMENT: Final = ParameterKind("one statement, as text or the path of a .sql file", _is_text, shown=False)
ACCOUNT: Final = ParameterKind(
    "1 to 18 digits, as in Ads Manager's address bar",
    lambda value: (
        (isinstance(value, str) or _is_whole(value)) and bool(re.fullmatch(r"\s*0*[1-9][0-9]{0,17}\s*", str(value)))
    ),
)
FOLDER: Final = ParameterKind(
    "the path or the URL of a folder",
    lambda value: _is_text(value) or isinstance(value, os.PathLike) or hasattr(value, "iterdir"),
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
AGE: Final = or_none(
    ParameterKind("a positive timedelta", lambda value: _is_duration(value, dt.timedelta.resolution), _read_duration)
)
ON_UNKNOWN_OUTCOME: Final = or_none(
    ParameterKind("'resend', 'hold' or None", lambda value: value in ("resend", "hold"))
)
ONLY: Final = or_none(
    ParameterKind("'rejected', 'failed', 'held' or None", lambda value: value in ("rejected", "failed", "held"))
)
NAMES: Final = ParameterKind("a list of names", _is_list_of_names, _read_names)
BOUND: Final = ParameterKind(
    "a dict or a list of values",
    lambda value: isinstance(value, (Mapping, Sequence)) and not isinstance(value, (str, bytes)),
    read_structure,
    shown=False,
)
ANY_MAPPING: Final = _mapping_of("a dict with names as keys", lambda _: True)
FIELD_MAP: Final = _mapping_of("a dict of column → field or None", lambda value: value is None or _is_text(value))
EVENT_NAMES: Final = _mapping_of("a dict of event name → name to send", _is_text)
SWITCHES: Final = _mapping_of("a dict of identifier → dict of switches", lambda value: isinstance(value, Mapping))


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncOptions:
    """The options of a run, checked when they are created.

    They have the same meaning as the parameters of the same names of
    :class:`~airflow_provider_pinterest.operators.send_conversions.SendConversionsOperator`.

    :param rejects_path: a folder for this run only: a local path, or a path object that can open, list and remove
        files.
    :raises ParameterError: some values are not allowed; the message names all of them.
    """

    field_map: Annotated[Mapping[str, str | None] | None, FIELD_MAP] = None
    identifiers: Annotated[Mapping[str, Mapping[str, Any]] | None, SWITCHES] = None
    defaults: Annotated[Mapping[str, Any] | None, ANY_MAPPING] = None
    event_id_from: Annotated[Sequence[str], NAMES] = ()
    event_names: Annotated[Mapping[str, str] | None, EVENT_NAMES] = None
    placeholders: Annotated[Sequence[str] | None, NAMES] = None
    timezone: Annotated[str, ZONE] = "UTC"
    consent_column: Annotated[str | None, TEXT] = None
    minimum_age: Annotated[int | None, or_none(between(1, OLDEST))] = None
    excluded_categories: Annotated[Sequence[str], NAMES] = ()
    exclude_bots: Annotated[bool, SWITCH] = False
    exclude_networks: Annotated[Sequence[str], NAMES] = ()
    ad_account_id: Annotated[str | int | None, ACCOUNT] = None
    ad_account_id_column: Annotated[str | None, TEXT] = None
    test: Annotated[bool, SWITCH] = False
    validate_only: Annotated[bool, SWITCH] = False
    max_rejected: Annotated[float, TOLERANCE] = 0.01
    max_duplicates: Annotated[float, TOLERANCE] = 0.5
    min_events: Annotated[int, at_least(0)] = 0
    max_event_age: Annotated[dt.timedelta | None, AGE] = None
    batch_size: Annotated[int, between(1, MAX_EVENTS)] = MAX_EVENTS
    max_batch_bytes: Annotated[int, at_least(SMALLEST_BATCH)] = 2_000_000
    on_unknown_outcome: Annotated[str | None, ON_UNKNOWN_OUTCOME] = None
    max_in_flight: Annotated[int, between(1, MOST_IN_FLIGHT)] = 8
    processes: Annotated[int, between(0, MOST_PROCESSES)] = 0
    max_wait: Annotated[dt.timedelta, WAIT] = dt.timedelta(minutes=10)
    rejects_path: Annotated[Any, FOLDER] = None
    key_columns: Annotated[Sequence[str], NAMES] = ()
    skip_already_sent: Annotated[bool, SWITCH] = False
    only: Annotated[str | None, ONLY] = None
    send_everything_again: Annotated[bool, SWITCH] = False

    def __post_init__(self) -> None:
        kinds = kinds_of(type(self))
        raise_all(problems_with(type(self), {name: getattr(self, name) for name in kinds}))
        for name, kind in kinds.items():
            value = getattr(self, name)
            if kind is SWITCH and isinstance(value, str):  # any text would be true
                object.__setattr__(self, name, kind.read(value))

    @property
    def sends(self) -> bool:
        """Whether Pinterest records the events that are sent."""
        return not (self.test or self.validate_only)

    @property
    def account(self) -> str:
        """The ad account as text; empty if it is not set.

        :raises ParameterError: it is not the id of an ad account.
        """
        text = str(self.ad_account_id or "").strip()
        return account_id(text) if text else ""

    def mapping(self) -> ColumnMapping:
        """Return the mapping of columns to fields.

        :raises ParameterError: the parameters contradict one another.
        """
        from airflow_provider_pinterest.conversions.mapping import ColumnMapping

        return ColumnMapping(
            field_map=self.field_map or {},
            identifiers=self.identifiers or {},
            defaults=self.defaults or {},
            event_id_from=self.event_id_from,
            timezone=self.timezone,
            key_columns=self.key_columns,
            event_names=self.event_names or {},
            consent_column=self.consent_column,
            ad_account_id_column=self.ad_account_id_column,
            ad_account_id=self.account if self.ad_account_id_column else "",
            **({} if self.placeholders is None else {"placeholders": self.placeholders}),
        )

    def exclusions(self) -> Exclusions:
        """Return the rules for rows that are not sent.

        :raises ParameterError: a parameter has a value that is not allowed.
        """
        from airflow_provider_pinterest.conversions.exclusions import Exclusions

        return Exclusions.of(
            consent_column=self.consent_column,
            minimum_age=self.minimum_age,
            excluded_categories=self.excluded_categories,
            exclude_bots=self.exclude_bots,
            exclude_networks=self.exclude_networks,
        )

    def check(self) -> None:
        """Check the parameters for the mapping and the exclusions.

        :raises ParameterError: the message names every problem.
        """
        found = Problems()
        found.checked(self.mapping, otherwise=None)
        found.checked(self.exclusions, otherwise=None)
        found.raise_all()


def kinds_of(options: type[Any]) -> Mapping[str, ParameterKind]:
    """Return the allowed values of each option."""
    if options.__name__ not in _kinds:
        hints = get_type_hints(options, include_extras=True)
        _kinds[options.__name__] = {one.name: hints[one.name].__metadata__[0] for one in fields(options)}
    return _kinds[options.__name__]


_kinds: dict[str, Mapping[str, ParameterKind]] = {}


def defaults_of(options: type[Any]) -> Mapping[str, Any]:
    """Return the default of each option."""
    return {one.name: one.default for one in fields(options)}


def problems_with(options: type[Any], given: Mapping[str, Any]) -> list[str]:
    """Return the problems with some options.

    :param given: all options, or those whose values are known.
    """
    found = []
    kinds, defaults = kinds_of(options), defaults_of(options)
    for name, value in given.items():
        if not (kinds[name].fits(value) or (value is None and defaults[name] is None)):
            kind = kinds[name]
            shown = _shown(value) if kind.shown else type(value).__name__
            found.append(f"{name} must be {kind.says}, got {shown}.")
    if given.get("on_unknown_outcome") == "hold" and "rejects_path" in given and not given["rejects_path"]:
        found.append("on_unknown_outcome='hold' needs rejects_path, because held events are listed there.")
    if given.get("skip_already_sent") is True and given.get("outcomes_conn_id", given) is None:
        found.append("skip_already_sent=True needs outcomes_conn_id, the connection of the outcome table.")
    if given.get("only") is not None and ONLY.fits(given["only"]):
        found += _problems_with_only(given)
    return found


def _problems_with_only(given: Mapping[str, Any]) -> list[str]:
    """Return the problems with other options if only some rows are sent again."""
    found = []
    if given.get("outcomes_conn_id", given) is None:
        found.append("only needs outcomes_conn_id, the connection of the outcome table.")
    if given.get("send_everything_again") is True:
        found.append("only and send_everything_again=True contradict each other.")
    if given.get("validate_only") is True:
        found.append("only cannot be combined with validate_only=True, which does not use the outcome table.")
    if given.get("only") == "held" and given.get("resume") is False:
        found.append("only='held' needs resume=True, so that a retry does not send the events once more.")
    return found


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
