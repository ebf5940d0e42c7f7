"""Invented rows like those of a shop's warehouse: one checkout each, the same rows for the same seed.

A row becomes an event with 9 to 11 hashed identifiers, two items and about 1.4 KB of JSON. Values repeat:
about two million customers share a few hundred first names, cities and postal codes, as in real data.
Addresses are under example.com, in the network reserved for benchmarks (198.18.0.0/15), and in area code 555.
"""

from __future__ import annotations

import datetime as dt
import io
import pickle
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Final

Row = tuple[Any, ...]

COLUMNS: Final = (
    "event_id",
    "event_time",
    "event_name",
    "event_source_url",
    "email",
    "phone",
    "first_name",
    "last_name",
    "gender",
    "date_of_birth",
    "city",
    "state",
    "zip",
    "country",
    "user_id",
    "ip_address",
    "user_agent",
    "click_id",
    "value",
    "currency",
    "order_id",
    "num_items",
    "contents",
)
DEFAULTS: Final = {"action_source": "web"}
"""Values without a column."""

TABLE: Final = "conversions"

SEED: Final = 7
CUSTOMERS: Final = 2_000_000
BATCH: Final = 10_000
"""Rows written at once."""

_GIVEN: Final = (
    *("Anna", "Ben", "Chloé", "David", "Emma", "François", "Grace", "Hannah", "Inês", "Jürgen", "Kim", "Łukasz"),
    *("Mia", "Noah", "Olivia", "Pedro", "Renée", "Søren", "Tom", "Vera", "Zoë"),
)
_FIRST_NAMES: Final = (*_GIVEN, *(f"{a}-{b}" for a in _GIVEN for b in _GIVEN if a != b))
_FAMILIES: Final = (
    *("Miller", "Schmidt", "García", "Ångström", "Brückner", "Castaño", "Dąbek", "Evans", "Fairweather", "Groß"),
    *("Hollybush", "Jones", "Longbottle", "Murphy", "Nuñoz", "O'Harrow", "Pickering", "Rossi", "Silva", "Taylor"),
)
_LAST_NAMES: Final = (*_FAMILIES, *(f"{a} {b}" for a in _FAMILIES for b in _FAMILIES if a != b))
_TOWNS: Final = {
    "US": (("Springfield", "IL"), ("Portland", "OR"), ("St. Louis", "MO"), ("New York", "NY"), ("Austin", "Texas")),
    "DE": (("Berlin", "BE"), ("Köln", "NW"), ("München", "BY"), ("Frankfurt am Main", "HE")),
    "GB": (("London", "LND"), ("Newcastle upon Tyne", "NET"), ("Bristol", "BST")),
    "BR": (("São Paulo", "SP"), ("Belo Horizonte", "MG")),
}
_QUARTERS: Final = ("", "North ", "South ", "East ", "West ", "Old ", "New ", "Upper ", "Lower ")
_COUNTRIES: Final = ("US", "US", "US", "US", "DE", "DE", "Germany", "GB", "gb", "BR")
_CODES: Final = {"Germany": "DE", "gb": "GB"}
_DIALLED: Final = {"US": "+1 (555) {:03d}-{:04d}", "DE": "+49 555 {:03d}{:04d}", "GB": "+44 555 {:03d} {:04d}",
                   "BR": "+55 555 {:03d}-{:04d}"}  # fmt: skip
_CURRENCY: Final = {"US": "USD", "DE": "EUR", "GB": "GBP", "BR": "BRL"}
_ENGINES: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{}.3",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0",
)
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def sql(*, event_id: str = "event_id", limit: str = ":rows") -> str:
    """Return the statement that reads the warehouse's first rows.

    :param event_id: an expression that replaces the column, to create rejected or duplicate rows.
    :param limit: the driver's placeholder for the parameter ``rows``.
    """
    others = ", ".join(COLUMNS[1:])
    return f"SELECT {event_id} AS event_id, {others} FROM {TABLE} WHERE row <= {limit} ORDER BY row"  # noqa: S608


def rows(count: int, *, now: dt.datetime, seed: int = SEED) -> Iterator[Row]:
    """Yield rows in the order of :data:`COLUMNS`. A smaller number of rows is a prefix of a larger one.

    :param now: the events happened within the half hour before it.
    """
    chance = random.Random(seed)
    pick, number = chance.random, chance.randrange
    since = now.astimezone(dt.UTC).replace(microsecond=0) - dt.timedelta(minutes=30)
    moments = [(since + dt.timedelta(seconds=second)).isoformat(sep=" ") for second in range(1_800)]
    clicks = "".join(chance.choices(_LETTERS, k=4_096))
    for position in range(1, count + 1):
        customer = int(CUSTOMERS * pick() * pick())
        country = _COUNTRIES[customer % 10]
        code = _CODES.get(country, country)
        towns = _TOWNS[code]
        town, state = towns[customer // 10 % len(towns)]
        first = _FIRST_NAMES[customer % len(_FIRST_NAMES)]
        last = _LAST_NAMES[customer // 11 % len(_LAST_NAMES)]
        first_item, second_item = number(5_000), number(5_000)
        first_cents, second_cents, quantity = number(199, 20_000), number(199, 20_000), 1 + first_item % 3
        items = (
            f'[{{"id":"sku-{first_item:05d}","item_price":"{first_cents / 100:.2f}","quantity":{quantity}}},'
            f'{{"id":"sku-{second_item:05d}","item_price":"{second_cents / 100:.2f}","quantity":1}}]'
        )
        yield (
            f"{number(2**64):016x}-{position:010d}",
            moments[number(1_800)],
            "checkout",
            f"https://shop.example.com/{code.lower()}/checkout/complete?basket={number(10**9)}",
            f"{'Shopper' if customer % 9 == 0 else 'shopper'}.{customer}@Example.com",
            None if customer % 7 == 0 else _DIALLED[code].format(200 + customer % 800, customer // 800),
            first,
            last,
            None if customer % 5 == 0 else "fmn"[customer % 3],
            f"{1940 + customer % 65}-{1 + customer % 12:02d}-{1 + customer % 28:02d}",
            _QUARTERS[customer // 50 % len(_QUARTERS)] + town,
            state,
            _postal_code(code, customer % 600),
            country,
            f"C{customer:08d}",
            f"198.{18 + customer % 2}.{customer // 2 % 256}.{customer // 512 % 256}",
            _ENGINES[customer % 3].format(120 + customer % 25),
            f"dj0yJnU9{clicks[(at := number(4_000)) : at + 40]}{position:08x}",
            (first_cents * quantity + second_cents) / 100,
            _CURRENCY[code],
            f"{code}-{position:09d}",
            quantity + 1,
            items,
        )


def laps(count: int, size: int, *, now: dt.datetime, seed: int = SEED) -> Iterator[list[Row]]:
    """Yield the rows in parts, each newly created, so that they are in the processor's cache."""
    source = rows(count, now=now, seed=seed)
    while written := pickle.dumps(list(islice(source, size))):
        lap = pickle.loads(written)  # noqa: S301 - written two lines above
        if not lap:
            return
        yield lap


def write_postgres(dsn: str, count: int, *, now: dt.datetime, seed: int = SEED) -> None:
    """Write the rows into a new table of a PostgreSQL database, with typed times and amounts."""
    import psycopg2

    types = {"event_time": "timestamptz", "value": "numeric(12,2)", "num_items": "integer", "date_of_birth": "date"}
    columns = ", ".join(f"{name} {types.get(name, 'text')}" for name in COLUMNS)
    source = ((position, *row) for position, row in enumerate(rows(count, now=now, seed=seed), 1))
    with closing(psycopg2.connect(dsn)) as database, database, database.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {TABLE} (row bigint PRIMARY KEY, {columns})")
        while batch := list(islice(source, BATCH)):
            lines = ("\t".join("\\N" if cell is None else str(cell) for cell in row) for row in batch)
            cursor.copy_expert(f"COPY {TABLE} FROM STDIN", io.StringIO("\n".join(lines)))


def _postal_code(country: str, area: int) -> str:
    match country:
        case "US":
            return f"{10_000 + area * 137:05d}"
        case "DE":
            return f"{10_115 + area * 41:05d}"
        case "GB":
            return f"SW{area % 20 + 1}A {area // 20 % 10}AA"
        case _:
            return f"{1_000 + area:05d}-{area % 10}00"


def write_sqlite(path: Path, count: int, *, now: dt.datetime, seed: int = SEED) -> None:
    """Write the rows into a new SQLite file, to be read with :func:`sql`."""
    source = ((position, *row) for position, row in enumerate(rows(count, now=now, seed=seed), 1))
    marks = ", ".join("?" * (len(COLUMNS) + 1))
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.execute(f"CREATE TABLE {TABLE} (row INTEGER PRIMARY KEY, {', '.join(COLUMNS)})")
        while batch := list(islice(source, BATCH)):
            database.executemany(f"INSERT INTO {TABLE} VALUES ({marks})", batch)  # noqa: S608 - constants
        database.commit()
