"""Checks of the parameters of a mapping."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_pinterest.conversions.field_maps import field_path
from airflow_provider_pinterest.conversions.fields import BY_PATH, SWITCHES
from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.problems import Problems


def checked_mapping(parameter: str, value: Any) -> Mapping[str, Any]:
    """Return a parameter that must be a mapping with text keys."""
    if not isinstance(value, Mapping):
        raise ParameterError(f"{parameter}: expected a mapping, got {type(value).__name__}")
    return dict(zip(_names_of(parameter, value), value.values(), strict=True))


def checked_names(parameter: str, value: Any, what: str = "column names") -> tuple[str, ...]:
    """Return a parameter that must be a list of texts."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ParameterError(f"{parameter}: expected a list of {what}, got {type(value).__name__}")
    return _names_of(parameter, value)


def _names_of(parameter: str, names: Iterable[Any]) -> tuple[str, ...]:
    for name in names:
        if not isinstance(name, str):
            raise ParameterError(f"{parameter}: expected names, got {type(name).__name__}")
    return tuple(names)


def checked_zone(name: str) -> dt.tzinfo:
    """Return the time zone of a name."""
    try:
        return dt.UTC if name.strip().lower() == "utc" else ZoneInfo(name)
    except (ValueError, KeyError, AttributeError, OSError):
        raise ParameterError(f"timezone: {name!r} is not an IANA time zone such as 'Europe/Berlin'") from None


def checked_switches(given: Mapping[str, Any], problems: Problems) -> dict[str, Mapping[str, Any]]:
    """Check the ``identifiers`` parameter and key it by leaf name."""
    found: dict[str, Mapping[str, Any]] = {}
    for identifier, switches in given.items():
        name = problems.checked(_identifier, identifier, otherwise="")
        if not name:
            continue
        if not isinstance(switches, Mapping):
            problems.found.append(
                f"identifiers[{identifier!r}]: expected a mapping such as {{'already_hashed': True}}."
            )
            continue
        wrong = [
            f"identifiers[{identifier!r}][{switch!r}]{wrong}"
            for switch, value in switches.items()
            if (wrong := _wrong_switch(SWITCHES[name], switch, value))
        ]
        problems.found += wrong
        if not wrong:
            found[name] = switches
    return found


def _identifier(name: str) -> str:
    """Return the leaf name of an identifier that is sent hashed.

    :raises ParameterError: it does not exist, or it is not hashed.
    """
    path = field_path(name, f"identifiers[{name!r}]")
    leaf = BY_PATH[path].name
    if not path.startswith("user_data.") or leaf not in SWITCHES:
        raise ParameterError(f"identifiers[{name!r}]: {path} is not hashed; choose from {', '.join(SWITCHES)}.")
    return leaf


def _wrong_switch(allowed: Mapping[str, tuple[Any, ...] | type], switch: str, value: Any) -> str:
    """Return the problem with a switch; empty: the switch is valid."""
    if switch not in allowed:
        return f": no such switch; choose from {', '.join(allowed)}."
    values = allowed[switch]
    if (isinstance(values, tuple) and value not in values) or (values is str and not isinstance(value, str)):
        return f": {value!r} is not one of {values}."
    return ""
