"""Dates of birth as ``YYYYMMDD``."""

from __future__ import annotations

import datetime as dt
import re
from contextlib import suppress
from typing import Final

from airflow_provider_pinterest.conversions.dates import date_in
from airflow_provider_pinterest.conversions.identifier_rules import Canonical, IdentifierSettings
from airflow_provider_pinterest.conversions.invisible import visible


def birth_date(settings: IdentifierSettings) -> Canonical:
    """Return a function that converts dates to ``YYYYMMDD``.

    It accepts ``YYYY-MM-DD`` with any of ``- / . `` or no separator, ``DD.MM.YYYY``, dates with ``/`` or ``-`` where
    day and month cannot be confused, English names of months, and each of these followed by a time of day.

    An instant that is midnight in the time zone of the settings is the date there.

    The switch ``order``, ``"MDY"`` or ``"DMY"``, decides about dates such as 03/04/1990; without it they are left out.
    """
    order: str | None = settings.switches.get("order")

    def canonical(text: str) -> str:
        instant = date_in(text, settings.timezone)
        if instant is not None:
            text = instant.isoformat()
        found = birth_dates(text)
        if len(found) < 2:
            return "".join(found)
        month_first, day_first = found
        if order is None:
            return day_first if "." in text else ""
        return month_first if order == "MDY" else day_first

    return canonical


_TIME_OF_DAY: Final = r"(?:(?:[T ]|, )\d{1,2}:.*)?"

_year_first = re.compile(r"(\d{4})([-/.]?)(\d{1,2})\2(\d{1,2})(?:[T ].*|\.0+)?", re.ASCII).fullmatch

_year_last = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})" + _TIME_OF_DAY, re.ASCII).fullmatch

_named_month = re.compile(
    r"(?:(\d{1,2})(?:st|nd|rd|th)?[-\s./]*)?([a-z]{3,9})[-\s./]*(?:(\d{1,2})(?:st|nd|rd|th)?[,\s]\s*)?(\d{4})"
    + _TIME_OF_DAY,
    re.ASCII | re.IGNORECASE,
).fullmatch

_ideographs: Final = str.maketrans(
    {"\u5e74": "-", "\u6708": "-", "\u65e5": None, "\ub144": "-", "\uc6d4": "-", "\uc77c": None}
)

_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november"),
    "december",
)

FIRST_BIRTH: Final = dt.date(1900, 1, 2)
"""Earliest accepted date of birth; some databases write the day before for an empty date."""

LAST_BIRTH: Final = dt.date(2100, 1, 1)
"""Later dates mean "never"."""


def birth_dates(text: str) -> tuple[str, ...]:
    """Return the possible dates of a text, as ``YYYYMMDD``. If there are two, the month-first date is first."""
    if not text.isascii():
        text = "".join(visible(text).translate(_ideographs).split())
    found = _year_first(text)
    if found:
        return _dates((int(found[1]), int(found[3]), int(found[4])))
    found = _year_last(text)
    if found:
        one, two, year = int(found[1]), int(found[3]), int(found[4])
        return _dates((year, one, two), (year, two, one))
    found = _named_month(text)
    if found and bool(found[1]) != bool(found[3]):
        name_ = found[2].lower()
        months = [at for at, full in enumerate(_MONTHS, 1) if name_ in (full, full[:3], full[:4])]
        return _dates(*((int(found[4]), month, int(found[1] or found[3])) for month in months))
    return ()


def _dates(*parts: tuple[int, int, int]) -> tuple[str, ...]:
    """Return the existing dates as ``YYYYMMDD``, without duplicates."""
    found: dict[str, None] = {}
    for part in parts:
        with suppress(ValueError):
            date = dt.date(*part)
            if FIRST_BIRTH <= date < LAST_BIRTH:
                found[date.strftime("%Y%m%d")] = None
    return (*found,)
