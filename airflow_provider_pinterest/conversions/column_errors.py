"""Messages about columns that cannot be mapped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from airflow_provider_pinterest.conversions.field_maps import NAMES
from airflow_provider_pinterest.conversions.fields import FIELDS
from airflow_provider_pinterest.conversions.hints import meant
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.conversions.reasons import Reason
from airflow_provider_pinterest.exceptions import MappingError, problems
from airflow_provider_pinterest.redaction import clean

PROBLEMS: Final = 10
"""Most columns that an error lists."""

HINTS: Final[dict[str, str]] = {
    **{hint: field.path for field in reversed(FIELDS) if "[]" not in field.path for hint in field.hints},
    **{name: path for name, path in NAMES.items() if "." not in name},
}
"""Names and hints of fields → path."""


ACCOUNTS: Final = frozenset(map(folded, ("ad_account_id", "ad_account", "advertiser_id", "pinterest_ad_account_id")))
"""Names of columns that have the ad account of each row."""


def _names_accounts(column: str) -> bool:
    return folded(column) in ACCOUNTS


def mapping_error(found: list[str], unknown: Sequence[str] = ()) -> MappingError:
    """Return the error that lists problems with columns.

    :param unknown: columns that match no field.
    """
    count = len(found)
    if count > PROBLEMS:
        found = [*found[:PROBLEMS], f"{count - PROBLEMS:,} more."]
    advice = ""
    if unknown:
        name = _said(unknown[0])
        like = None if _names_accounts(name) else meant(name, HINTS)
        field = HINTS.get(like or "", "the field")
        which = "the column" if len(unknown) == 1 else "each column"
        advice = (
            f"Rename {which} in the source, name its field in field_map={{{name!r}: {field!r}}}, or ignore it with "
            f"field_map={{{name!r}: None}}."
        )
    return MappingError(problems(f"{count:,} problems with the columns:", found), advice=advice)


def clashing_columns(columns: Sequence[str], paths: Sequence[str | None]) -> dict[str, list[str]]:
    """Return the fields that several columns map to, and these columns."""
    found: dict[str, list[str]] = {}
    for column, path in zip(columns, paths, strict=True):
        if path is not None:
            found.setdefault(path, []).append(column)
    return {path: names for path, names in found.items() if len(names) > 1}


def clash_message(path: str, columns: Sequence[str]) -> str:
    """Return the message for several columns that map to one field."""
    names = [repr(_said(column)) for column in columns]
    which, both = ("second", "both") if len(names) == 2 else ("others", "all")
    said = f"Columns {', '.join(names[:-1])} and {names[-1]} {both} map to {path}. Keep one of them: "
    if len({*map(folded, columns)}) < len(columns):
        return f"{said}select only one, or rename the {which} with AS. field_map cannot tell them apart."
    return f"{said}field_map={{{', '.join(f'{name}: None' for name in names[1:])}}} ignores the {which}."


def clash_reason(path: str, columns: Sequence[str]) -> Reason:
    """Return the reason for a row with several columns for one field."""
    names = ", ".join(repr(_said(column)) for column in columns)
    return Reason("ambiguous_columns", path, f"{names} all map to this field; keep one of them, or ignore the others")


def unknown_field(name: str, place: str = "") -> Reason:
    """Return the reason for a name that does not match any field.

    :param place: the object that has the name.
    """
    message = "this name does not match any Pinterest field; map it, or ignore it, in field_map"
    return Reason("unknown_field", f"{place}.{_said(name)}" if place else _said(name), message)


def _said(name: str) -> str:
    """Return a name for a message; it may be data, so that personal parts are replaced and its length is limited."""
    return clean(name)[:80]


def unknown_column(column: str) -> str:
    """Return the message for a column that does not match any field, with the nearest field."""
    column = _said(column)
    if _names_accounts(column):
        hint = f" If it names the ad account of each row, set ad_account_id_column={column!r}."
    else:
        like = meant(column, HINTS)
        hint = f" The nearest field is {HINTS[like]} ({like})." if like else ""
    return f"Column {column!r} does not match any Pinterest field.{hint}"
