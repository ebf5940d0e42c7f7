"""Rows that the user's rules keep from being sent: no consent, too young, a category, a crawler, internal traffic.

They are no errors: each is counted under a code of :data:`~.reasons.EXCLUSIONS`, and none counts as rejected.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.cells import ordinary
from airflow_provider_pinterest.exceptions import ParameterError

if TYPE_CHECKING:
    from airflow_provider_pinterest.conversions.column_batches import ParsedColumns

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_BOT: Final = re.compile(
    r"(?<!cu)bots?(?:\b|_)|crawl|spider|slurp|scrap(?:er|y)|headless|phantomjs|lighthouse|pagespeed|"
    r"facebookexternalhit|bingpreview|mediapartners|google-(?:read-aloud|inspectiontool|safety|extended)|"
    r"apis-google|feedfetcher|ia_archiver|yandex(?:images|metrika|direct)|baidu.?spider|embedly|quora link|"
    r"whatsapp/|telegrambot|skypeuripreview|\bcurl/|\bwget/|python-(?:requests|urllib)|\bhttpx/|aiohttp/|"
    r"go-http-client|\bjava/\d|libwww|uptime|pingdom|statuscake|datadog|gptbot|"
    r"claude-?(?:bot|web)|perplexity|chatgpt-user",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Exclusions:
    """The rules.

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
        """What :meth:`of` makes equal rules of, in another process."""
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
        """Return the rules of the operator's parameters.

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


def consents(cell: Any) -> bool:
    """Return whether a cell of the consent column is true: ``True``, ``1``, ``"true"``, ``"t"``, ``"yes"``, ``"y"``."""
    try:
        plain = None if cell is None else ordinary(cell)
        return plain is not None and values.boolean(plain) is True
    except Exception:  # noqa: BLE001 - whatever cannot be read is no consent
        return False


def is_bot(user_agent: str) -> bool:
    """Return whether a user agent is that of a crawler, a monitor or a script."""
    return _BOT.search(user_agent) is not None


def age_at(birth: str, moment: int) -> int | None:
    """Return somebody's age in years at a time; ``None`` where the birth date is none.

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
    """Return whether an IP address lies in one of some networks."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None) or found
    return any(mapped.version == network.version and mapped in network for network in networks)


def has_category(categories: Iterable[object], excluded: frozenset[str]) -> bool:
    """Return whether one of some categories, or a part of its path, is excluded.

    ``Home > Alcohol > Wine`` has the parts ``Home``, ``Alcohol`` and ``Wine``.
    """
    for category in categories:
        if isinstance(category, str):
            whole = _folded(category)
            if whole in excluded or not excluded.isdisjoint(map(str.strip, _PATH.split(whole))):
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
            age = age_at(_birth_date(cell, canonical), moment)
            if age is not None and age < (rules.minimum_age or 0):
                yield row


def _birth_date(cell: Any, canonical: Callable[[str], str]) -> str:
    """Return a birth date as ``YYYYMMDD``, empty text where it is not known."""
    with suppress(Exception):  # whatever is in the cell, it affects no other row
        plain = ordinary(cell)
        if isinstance(plain, (list, tuple)):
            plain = ordinary(plain[0])
        if isinstance(plain, dt.date):
            return plain.strftime("%Y%m%d")
        return canonical(values.unquoted(str(plain).strip()) or "")
    return ""


def _in_category(fields: ParsedColumns, rules: Exclusions) -> Iterator[int]:
    paths = ("custom_data.content_category", "custom_data.contents")
    for row, members in enumerate(zip(*map(fields.of, paths), strict=True)):
        if any(members):
            one, several = (fields.value(path, row) for path in paths)
            if has_category([one, *(item.get("item_category") for item in several or ())], rules.categories):
                yield row


def _bots(fields: ParsedColumns, _: Exclusions) -> Iterator[int]:
    path = "user_data.client_user_agent"
    known: dict[bytes, bool] = {}
    for row, member in enumerate(fields.of(path)):
        if member:
            if member not in known:
                known[member] = is_bot(fields.value(path, row))
            if known[member]:
                yield row


def _internal(fields: ParsedColumns, rules: Exclusions) -> Iterator[int]:
    for row, cell in enumerate(fields.cells("user_data.client_ip_address")):
        with suppress(Exception):  # whatever is in the cell, it affects no other row
            if cell is not None and is_inside(_address(str(ordinary(cell))), rules.networks):
                yield row


def _address(text: str) -> str:
    """Return the first address of a text without brackets, port and mask."""
    first = text.strip(" []\"'").split(",")[0].strip(" \"'")
    if first.startswith("["):
        return first[1:].partition("]")[0]
    first = first.partition("/")[0].partition("]")[0]
    return first.partition(":")[0] if first.count(":") == 1 else first


_PATH: Final = re.compile(r"[>/|\u00bb\u203a]")


def _folded(name: str) -> str:
    return name.strip().casefold()


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ParameterError(
            f"exclude_networks: {text[:60]!r} is not a network; expected 203.0.113.0/24, 2001:db8::/32 or one address."
        ) from None
