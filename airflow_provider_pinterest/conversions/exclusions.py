"""Rules of the user that exclude rows: no consent, too young, a category, a crawler, internal traffic.

Excluded rows are not errors: they are counted under the codes of :data:`~.reasons.EXCLUSIONS`, not as rejected.
"""

from __future__ import annotations

import datetime as dt
import html
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.birth_dates import birth_dates
from airflow_provider_pinterest.conversions.cells import ordinary
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.conversions.reasons import InvalidCellError
from airflow_provider_pinterest.exceptions import ParameterError

if TYPE_CHECKING:
    from airflow_provider_pinterest.conversions.column_batches import ParsedColumns

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_BOTS: Final = (
    *("crawl", "spider", "slurp", "scraper", "scrapy", "headless", "phantomjs", "lighthouse", "pagespeed", "whatsapp/"),
    *("facebookexternalhit", "meta-external", "bingpreview", "mediapartners", "google-read-aloud", "googleother"),
    *("google-inspectiontool", "google-safety", "google-extended", "google-site-verification", "googlehc/"),
    *("apis-google", "feedfetcher", "ia_archiver", "yandeximages", "yandexmetrika", "yandexdirect", "embedly"),
    *("quora link", "telegrambot", "skypeuripreview", "gptbot", "claudebot", "claude-bot", "claudeweb", "claude-web"),
    *("perplexity", "chatgpt-user", "python-requests", "python-urllib", "aiohttp/", "go-http-client", "libwww"),
    *("apache-httpclient", "node-fetch", "guzzle", "mechanize", "httpie/", "postman", "insomnia/", "puppeteer"),
    *("playwright", "selenium", "webdriver", "cypress/", "uptime", "pingdom", "statuscake", "datadog", "gtmetrix"),
    *("site24x7", "newrelicpinger", "zabbix", "nagios", "check_http", "kube-probe", "healthcheck", "health-check"),
    *("proximic", "vercel-screenshot"),
)
"""Parts of the user agents of crawlers, monitors and scripts, in lower case."""

_SHORT_BOTS: Final = ("bot", "curl/", "wget/", "httpx/", "java/", "axios/", "undici", "php/", "ruby", "perl")
_is_short_bot = re.compile(
    r"(?<!cu)bots?(?:\b|_)|\b(?:curl/|wget/|httpx/|java/\d|axios/|undici|php/\d|ruby\b|perl\b)"
).search
"""The same, for parts that also occur inside other words."""

_LONGEST_AGENT: Final = 4_000
"""Most characters of a user agent that are searched."""


@dataclass(frozen=True, slots=True)
class Exclusions:
    """The rules that exclude rows.

    :param consent_column: rows whose cell in it is not true are excluded.
    :param minimum_age: younger people are excluded, where the date of birth is known.
    :param categories: categories that are excluded, in lower case.
    :param bots: whether crawlers are excluded.
    :param networks: addresses that are excluded.
    """

    consent_column: str | None = None
    minimum_age: int | None = None
    categories: frozenset[str] = frozenset()
    bots: bool = False
    networks: tuple[Network, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is any rule."""
        return self != _NONE

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters from which :meth:`of` creates equal rules in another process."""
        return {
            "consent_column": self.consent_column,
            "minimum_age": self.minimum_age,
            "excluded_categories": sorted(self.categories),
            "exclude_bots": self.bots,
            "exclude_networks": [str(network) for network in self.networks],
        }

    @classmethod
    def of(
        cls,
        *,
        consent_column: str | None = None,
        minimum_age: int | None = None,
        excluded_categories: Iterable[str] = (),
        exclude_bots: bool = False,
        exclude_networks: Iterable[str] = (),
    ) -> Exclusions:
        """Create rules from the parameters of the operator.

        :raises ParameterError: a network cannot be read.
        """
        return cls(
            consent_column,
            minimum_age,
            frozenset(_folded(name) for name in excluded_categories),
            exclude_bots,
            tuple(map(_network, exclude_networks)),
        )


_NONE: Final = Exclusions()

_CONSENTED: Final = frozenset(
    map(folded, ("granted", "given", "accepted", "allowed", "agreed", "consented", "opted_in", "opt_in", "on"))
)
"""The words of consent tools for yes, in the form in which names are compared."""


def consents(cell: Any) -> bool:
    """Return whether a cell of the consent column is true.

    That is ``True``, 1 in any type and form, and the words ``true``, ``t``, ``yes``, ``y`` and those of consent tools,
    such as ``granted``.
    """
    try:
        plain = None if cell is None else ordinary(cell)
        if isinstance(plain, str) and plain.strip(values.INVISIBLE):
            plain = (values.unquoted(plain.strip(values.INVISIBLE)) or "").strip(values.INVISIBLE)
            if folded(plain) in _CONSENTED:
                return True
        return plain is not None and values.boolean(plain) is True
    except Exception:  # noqa: BLE001 - an unreadable cell is not a consent
        return False


def is_bot(user_agent: str) -> bool:
    """Return whether a user agent is that of a crawler, a monitor or a script."""
    text = user_agent[:_LONGEST_AGENT].lower()
    if any(word in text for word in _BOTS):
        return True
    return any(word in text for word in _SHORT_BOTS) and _is_short_bot(text) is not None


def age_at(birth: str, moment: int) -> int | None:
    """Return the age of a person in years; ``None`` for an invalid date of birth.

    :param birth: as ``YYYYMMDD``.
    :param moment: Unix seconds.
    """
    try:
        born = dt.date(int(birth[:4]), int(birth[4:6]), int(birth[6:]))
        day = dt.datetime.fromtimestamp(moment, dt.UTC).date()
    except (ValueError, OverflowError):
        return None
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def is_inside(address: str, networks: Sequence[Network]) -> bool:
    """Return whether an IP address is in one of the networks."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None) or found
    return any(mapped.version == network.version and mapped in network for network in networks)


def has_category(categories: Iterable[object], excluded: frozenset[str]) -> bool:
    """Return whether one of the categories, or a part of its path, is excluded.

    ``Home > Alcohol > Wine`` has the parts ``Home``, ``Alcohol`` and ``Wine``, and ``Wine, Beer`` are two categories.
    """
    for category in categories:
        if isinstance(category, str):
            whole = _folded(html.unescape(category))
            for part in (whole, *_PATH.split(whole)):
                if part.strip() in excluded or not excluded.isdisjoint(map(str.strip, _SEVERAL.split(part))):
                    return True
    return False


def excluded(fields: ParsedColumns, rules: Exclusions) -> dict[int, str]:
    """Return the code of the first rule that excludes each row: position → code."""
    found: dict[int, str] = {}
    checks = (
        ("no_consent", rules.consent_column, _without_consent),
        ("under_minimum_age", rules.minimum_age, _too_young),
        ("excluded_category", rules.categories, _in_category),
        ("bot", rules.bots, _bots),
        ("internal_traffic", rules.networks, _internal),
    )
    for code, rule, rows in checks:
        if rule:
            for row in rows(fields, rules):
                found.setdefault(row, code)
    return found


def _without_consent(fields: ParsedColumns, _: Exclusions) -> Iterator[int]:
    return (row for row, cell in enumerate(fields.consents()) if not consents(cell))


def _too_young(fields: ParsedColumns, rules: Exclusions) -> Iterator[int]:
    path = "user_data.db"
    canonical = fields.canonical(path)
    for row, cell in enumerate(fields.cells(path)):
        moment = fields.values["event_time"][row]
        if cell is not None and moment:
            ages = [age_at(birth, moment) for birth in _birth_dates(cell, canonical, moment)]
            if any(age is not None and age < (rules.minimum_age or 0) for age in ages):
                yield row


_year = re.compile(r"(?:\d{1,2}[-/.])?(\d{4})|(?:\d{1,2}[-/.]){2}(\d{2})", re.ASCII).fullmatch
"""A date of birth with a certain year only, or without a century."""


def _birth_dates(cell: Any, canonical: Callable[[str], str], moment: int) -> list[str]:
    """Return the possible dates of birth, as ``YYYYMMDD``; a single one if the date is certain.

    If the date is uncertain, the person counts as young: a year alone means its last day.

    :param moment: Unix seconds of the event.
    """
    found: list[str] = []
    with suppress(Exception):  # a cell must not affect other rows
        for item in values.items(ordinary(cell)):
            plain = ordinary(item)
            if plain is not None:
                said = plain.isoformat() if isinstance(plain, dt.date) else values.text(plain)
                text = (said or "").strip(values.INVISIBLE)
                certain = canonical(text)
                found += [certain] if certain else birth_dates(text) or _last_day(text, moment)
    return found


def _last_day(text: str, moment: int) -> Iterator[str]:
    """Yield the last day of the latest year that a text can mean."""
    year = _year(text)
    if year:
        found = year[1] or f"20{year[2]}"
        if 1900 < int(found) <= dt.datetime.fromtimestamp(moment, dt.UTC).year:
            yield f"{found}1231"


def _in_category(fields: ParsedColumns, rules: Exclusions) -> Iterator[int]:
    one, several = "custom_data.content_category", "custom_data.contents"
    for row, cells in enumerate(zip(fields.cells(one), fields.cells(several), strict=True)):
        sent = [fields.value(one, row)] if fields.of(one)[row] else []
        sent += (
            [item.get("item_category") for item in fields.value(several, row) or ()] if fields.of(several)[row] else []
        )
        if has_category([*sent, *_texts(cells[0]), *_categories(cells[1])], rules.categories):
            yield row


def _categories(cell: Any) -> Iterator[object]:
    """Yield the categories of line items, also of those members that are not sent, such as ``item_category2``."""
    with suppress(Exception):  # a cell must not affect other rows
        for item in values.objects(ordinary(cell)) or () if cell is not None else ():
            plain = ordinary(item)
            for name, value in plain.items() if isinstance(plain, dict) else ():
                if isinstance(name, str) and "categor" in name.lower():
                    yield from _texts(value)


def _texts(cell: Any) -> Iterator[str]:
    """Yield the texts in a cell, which may be a list of them or an object with a name."""
    with suppress(Exception):  # a cell must not affect other rows
        plain = None if cell is None else ordinary(cell)
        if isinstance(plain, str):
            plain = values.unquoted(plain.strip(values.INVISIBLE)) or ""
            if plain[:1] in _JSON:
                with suppress(InvalidCellError):
                    plain = values.json(plain)
        if isinstance(plain, str):
            yield plain
        elif isinstance(plain, dict):
            yield from (value for value in map(_plain_text, plain.values()) if value)
        elif isinstance(plain, (list, tuple)):
            for element in plain:
                found = ordinary(element)
                yield from (found,) if isinstance(found, str) else _texts(found) if isinstance(found, dict) else ()


def _plain_text(cell: Any) -> str | None:
    found = ordinary(cell)
    return found if isinstance(found, str) else None


def _bots(fields: ParsedColumns, _: Exclusions) -> Iterator[int]:
    path = "user_data.client_user_agent"
    known: dict[bytes, bool] = {}
    for row, (cell, member) in enumerate(zip(fields.cells(path), fields.of(path), strict=True)):
        if member:
            if member not in known:
                known[member] = is_bot(fields.value(path, row))
            if known[member]:
                yield row
        elif cell is not None:  # not sent, such as the user agent of a crawler with the address of its owner
            with suppress(Exception):  # a cell must not affect other rows
                if is_bot(str(ordinary(cell))):
                    yield row


def _internal(fields: ParsedColumns, rules: Exclusions) -> Iterator[int]:
    path = "user_data.client_ip_address"
    known: dict[bytes, bool] = {}
    for row, (cell, member) in enumerate(zip(fields.cells(path), fields.of(path), strict=True)):
        inside = False
        if member:
            if member not in known:
                known[member] = is_inside(fields.value(path, row), rules.networks)
            inside = known[member]
        if cell is not None and not inside:
            with suppress(Exception):  # a cell must not affect other rows
                inside = is_inside(_address(str(ordinary(cell))), rules.networks)
        if inside:
            yield row


def _address(text: str) -> str:
    """Return the first address of a text without brackets, port and mask."""
    first = text.strip(" []\"'").split(",")[0].strip(" \"'")
    if first.startswith("["):
        return first[1:].partition("]")[0]
    first = first.partition("/")[0].partition("]")[0]
    return first.partition(":")[0] if first.count(":") == 1 else first


_PATH: Final = re.compile(r"[>/|\\\u00bb\u203a\u2192]")
_SEVERAL: Final = re.compile(r"[,;]")
_JSON: Final = frozenset("[{")


def _folded(name: str) -> str:
    return name.strip(values.INVISIBLE).casefold()


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ParameterError(
            f"exclude_networks: {text[:60]!r} is not a network; expected 203.0.113.0/24, 2001:db8::/32 or one address."
        ) from None
