"""Builds the demo's warehouse: one SQLite file, the same for the same seed and ``now``.

For any ``now``, the last complete quarter of an hour and the last complete day have exactly the numbers of rows in
``planted``, so the rows of the DAGs can be checked one by one. Three quiet days before them can be backfilled. The
builder keeps its own records, :class:`Warehouse`, which are independent of the tested SQL. The operator's result and
the events of the sandbox are compared with them.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import sqlite3
import zoneinfo
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from demo import lake, old_shop, planted
from demo.kinds import Fate, Feed, Kind, sha256
from demo.people import (
    CURRENCY_OF_SHOP,
    DEVICES,
    USER_AGENTS,
    Customer,
    Product,
    click_id,
    customers,
    ip_address,
    products,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMA: Final = Path(__file__).with_name("schema.sql")
SHOPS: Final = (
    ("de", "549755885175", "DE", 1),
    ("uk", "549755885176", "GB", 1),
    ("us", "549755885177", "US", 1),
    ("fr", "549755885178", "FR", 0),
)
"""The rows of ``ad_accounts``; the French shop is closed."""

STORES: Final = (
    ("S1", "Mitte", "Berlin", "10115"),
    ("S2", "Altstadt", "Köln", "50667"),
    ("S3", "Isartor", "München", "80331"),
)
ERASED: Final = ("Ruth.Erased@example.com", "omar.erased@example.com", "li.erased@example.com")
"""People who asked the shop to erase their data, on the day of the daily DAGs; the first of them twice."""

STORE_TIMEZONE: Final = zoneinfo.ZoneInfo("Europe/Berlin")
HISTORY_DAYS: Final = 3
CUSTOMERS: Final = 1_500

QUARTER: Final = dt.timedelta(minutes=15)
DAY: Final = dt.timedelta(days=1)


class Window(NamedTuple):
    """A half-open span of time, ``start <= t < end``, in UTC."""

    start: dt.datetime
    end: dt.datetime

    @classmethod
    def last_complete(cls, now: dt.datetime, size: dt.timedelta) -> Window:
        """Return the last span of ``size`` that is over at ``now``, cut at multiples of it since 1970."""
        epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        end = epoch + (now - epoch) // size * size
        return cls(end - size, end)


class Warehouse(NamedTuple):
    """The finished warehouse and the builder's records of it.

    :param path: the SQLite file.
    :param quarter: the window of the 15-minute DAGs.
    :param day: the window of the daily DAGs.
    :param keys: per feed, the ``event_id`` of every row that must reach Pinterest; for store sales, whose
        ids are derived by the operator, the ``order_id``.
    :param proofs: for each kind of row that only looks dirty: key → {field of ``user_data``: the hash to
        arrive}.
    """

    path: Path
    quarter: Window
    day: Window
    keys: dict[Feed, set[str]]
    proofs: dict[Kind, dict[str, dict[str, str]]]


def build(path: Path, *, now: dt.datetime, seed: int = 7) -> Warehouse:
    """Create the warehouse at ``path`` as it would be at ``now`` (aware), replacing what is there."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA.read_text(encoding="utf-8"))
        builder = _Builder(connection, random.Random(seed), path, now)
        builder.fill()
        connection.executescript(
            "CREATE INDEX orders_loaded ON orders (loaded_at);"
            "CREATE INDEX web_events_loaded ON web_events (loaded_at);"
            "CREATE INDEX store_sales_loaded ON store_sales (loaded_at);"
        )
        connection.commit()
    return builder.books


def add_old_shop(shop: Warehouse) -> Warehouse:
    """Add the table of the old shop, whose cells only SQLite can store, and return the records with its orders."""
    old_shop.load(shop.path, shop.quarter.start, shop.quarter.end)
    return shop._replace(keys=shop.keys | {Feed.OLD_SHOP: old_shop.order_ids()})


def add_lake(shop: Warehouse, folder: Path) -> Warehouse:
    """Write the Parquet files of the data lake into a folder, and return the records with their events."""
    lake.write(folder, shop.quarter.start, shop.quarter.end)
    return shop._replace(keys=shop.keys | {Feed.LAKE: lake.event_ids()})


def stamp(moment: dt.datetime) -> str:
    """Return a time in the format of the warehouse: UTC, ``2026-11-21 09:30:00``."""
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}"


class _Builder:
    """Fills one warehouse and keeps the records."""

    def __init__(self, connection: sqlite3.Connection, rng: random.Random, path: Path, now: dt.datetime) -> None:
        self.connection = connection
        self.rng = rng
        self.now = now
        self.books = Warehouse(
            path,
            Window.last_complete(now, QUARTER),
            Window.last_complete(now, DAY),
            {feed: set() for feed in Feed},
            {},
        )
        self.products: list[Product] = products()
        self.customers: list[Customer] = customers(rng, CUSTOMERS)
        self.consenting = [customer for customer in self.customers if customer.consent]
        self.declining = [customer for customer in self.customers if not customer.consent]
        self.numbers = 0

    def fill(self) -> None:
        self._insert("products", self.products)
        self._insert("customers", self.customers)
        self._insert("ad_accounts", SHOPS)
        self._insert("stores", STORES)
        noon = stamp(self.books.day.start + DAY / 2)
        self._insert("erasure_requests", [(email, noon) for email in (*ERASED, ERASED[0].lower())])
        self._checkouts()
        self._history()
        self._browsing()
        self._store_sales()
        self._app_events()
        self._signups()

    def _checkouts(self) -> None:
        window = self.books.quarter
        for kind, customer, texts in self._lookalikes():
            order_id = self._order(window, customer, Feed.CHECKOUTS)
            self._prove(kind, f"checkout-{order_id}", texts)
        for _ in range(planted.SENT[Feed.CHECKOUTS] - planted.of(Feed.CHECKOUTS, Fate.SENT)):
            self._order(window, self.rng.choice(self.consenting), Feed.CHECKOUTS)
        for _ in range(90):
            self._order(window, self.rng.choice(self.declining))

        for _ in range(3):
            silent = self._planted_customer(email=None, phone="+49 30 23125 999", country="DE")
            self._order(window, silent, ip_address=None, user_agent=None)
        for _ in range(2):
            self._order(window, self._sound_customer(), ordered_at=self.now + dt.timedelta(hours=3))
        for currency in planted.CURRENCIES:
            self._order(window, self._sound_customer(), currency=currency)
        for total in planted.NO_NUMBERS:
            self._order(window, self._sound_customer(), total=total)
        for _ in range(2):
            self._order(window, self._planted_customer(country="US", ldp=1))
        self._repeat("orders", "order_id", window, planted.of(Feed.CHECKOUTS, Fate.DROPPED))

    def _lookalikes(self) -> Iterator[tuple[str, Customer, dict[str, str]]]:
        """Yield customers whose data only looks dirty: the kind, the customer, field → canonical text."""
        for phone, country, canonical in planted.PHONES:
            customer = self._planted_customer(phone=phone, country=country)
            yield "national phone number", customer, {"ph": canonical}
        for address, spelling in planted.HASHED:
            customer = self._planted_customer(email=spelling(sha256(address)), country="DE")
            yield "already hashed", customer, {"em": address}
        for name, canonical, city, canonical_city, country in planted.NAMES_AND_CITIES:
            customer = self._planted_customer(first_name=name, city=city, country=country)
            yield "non-ASCII name and city", customer, {"fn": canonical, "ct": canonical_city}

    def _prove(self, name: str, key: str, texts: dict[str, str], feed: Feed = Feed.CHECKOUTS) -> None:
        """Record the hashes that must arrive with one row."""
        kind = next(kind for kind in planted.KINDS if kind.name == name and kind.feed is feed)
        proofs = self.books.proofs.setdefault(kind, {})
        proofs[key] = {field: sha256(text) for field, text in texts.items()}

    def _history(self) -> None:
        """Add quiet days: the last complete one and those before it, each ending an hour early."""
        for days_ago in range(HISTORY_DAYS + 1):
            start = self.books.day.start - days_ago * DAY
            window = Window(start, start + dt.timedelta(hours=23))
            feed = Feed.BACKFILL if days_ago == 1 else None
            for _ in range(planted.SENT[Feed.BACKFILL]):
                self._order(window, self.rng.choice(self.consenting), feed)
            if feed:
                for _ in range(planted.of(Feed.BACKFILL, Fate.REJECTED)):
                    self._order(window, self._sound_customer(), ordered_at=start - dt.timedelta(days=60))

    def _order(self, window: Window, customer: Customer, feed: Feed | None = None, **dirt: Any) -> str:
        """Insert an order of one to four lines; ``dirt`` replaces columns. Returns its ``order_id``."""
        order_id = f"{customer.shop.upper()}{self._number():06}"
        lines = [
            (order_id, line, product.product_id, self.rng.choice((1, 1, 1, 2, 6)), product.price)
            for line, product in enumerate(self.rng.sample(self.products, self.rng.choice((1, 1, 2, 4))), 1)
        ]
        self._insert("order_lines", lines)
        loaded_at = self._moment(window)
        order: dict[str, Any] = {
            "order_id": order_id,
            "shop": customer.shop,
            "customer_id": customer.customer_id,
            "ordered_at": loaded_at - dt.timedelta(seconds=self.rng.randrange(5, 120)),
            "loaded_at": stamp(loaded_at),
            "currency": CURRENCY_OF_SHOP[customer.shop],
            "total": round(sum(quantity * price for *_, quantity, price in lines), 2),
            "page_url": f"https://{customer.shop}.shop.example.com/checkout/thank-you",
            "ip_address": ip_address(self.rng),
            "user_agent": self.rng.choice(USER_AGENTS),
            "click_id": click_id(self.rng) if self.rng.random() < 0.3 else None,
        } | dirt
        order["ordered_at"] = stamp(order["ordered_at"])
        self._insert("orders", [tuple(order.values())])
        if feed:
            self.books.keys[feed].add(f"checkout-{order_id}")
        return order_id

    def _browsing(self) -> None:
        window = self.books.quarter
        sent = planted.SENT[Feed.BROWSING]
        events = [self._web_event(window) for _ in range(sent)]
        self.books.keys[Feed.BROWSING].update(event[0] for event in events)
        events += [self._web_event(window, consent=0) for _ in range(800)]
        events += [self._web_event(window, customer_id=None, user_agent=None) for _ in range(3)]
        earlier = Window(self.books.day.start - HISTORY_DAYS * DAY, self.books.day.start)
        events += [self._web_event(earlier) for _ in range(2_000)]
        self._insert("web_events", events)
        self._repeat("web_events", "event_id", window, planted.of(Feed.BROWSING, Fate.DROPPED))

    def _web_event(self, window: Window, **dirt: Any) -> tuple[Any, ...]:
        name = self.rng.choices(("page_visit", "view_category", "search", "add_to_cart"), (60, 12, 8, 20))[0]
        product = self.rng.choice(self.products)
        loaded_at = self._moment(window)
        occurred_at = loaded_at - dt.timedelta(seconds=self.rng.randrange(1, 40))
        logged_in = self.rng.choice(self.consenting) if self.rng.random() < 0.3 else None
        event = {
            "event_id": f"{self.rng.getrandbits(128):032x}",
            "event_name": name,
            "occurred_at": f"{occurred_at:%Y-%m-%dT%H:%M:%SZ}",
            "loaded_at": stamp(loaded_at),
            "customer_id": logged_in.customer_id if logged_in else None,
            "consent": 1,
            "ip_address": ip_address(self.rng),
            "user_agent": self.rng.choice(USER_AGENTS),
            "click_id": click_id(self.rng) if self.rng.random() < 0.25 else None,
            "url": f"https://de.shop.example.com/p/{product.product_id.lower()}",
            "product_id": product.product_id if name in {"page_visit", "add_to_cart"} else None,
            "search_string": product.name.lower() if name == "search" else None,
        } | dirt
        return tuple(event.values())

    def _store_sales(self) -> None:
        start = self.books.day.start
        window = Window(start + dt.timedelta(hours=9), start + dt.timedelta(hours=19))  # opening hours
        sales: list[tuple[Any, ...]] = []
        for phone, canonical in planted.STORE_PHONES:
            customer = self._planted_customer(phone=phone, country="DE")
            sales.append(self._sale(window, customer))
            self._prove("national phone number", sales[-1][0], {"ph": canonical}, Feed.STORE_SALES)
        plain = planted.SENT[Feed.STORE_SALES] - len(sales)
        sales += [self._sale(window, self.rng.choice(self.consenting)) for _ in range(plain)]
        self.books.keys[Feed.STORE_SALES].update(sale[0] for sale in sales)
        sales += [self._sale(window, self.rng.choice(self.declining)) for _ in range(600)]
        for _ in range(2):
            silent = self._planted_customer(email=None, phone="+49 221 4710 999", country="DE")
            sales.append(self._sale(window, silent))
        sales += [self._sale(window, self._sound_customer(), sold_at=text) for text in planted.NO_TIMES]
        weeks_ago = stamp(start - dt.timedelta(weeks=5))
        sales += [self._sale(window, self._sound_customer(), sold_at=weeks_ago) for _ in range(3)]
        for days_ago in range(1, HISTORY_DAYS + 1):
            earlier = Window(window.start - days_ago * DAY, window.end - days_ago * DAY)
            sales += [self._sale(earlier, self.rng.choice(self.consenting)) for _ in range(300)]
        self._insert("store_sales", sales)
        self._repeat("store_sales", "receipt_no", window, planted.of(Feed.STORE_SALES, Fate.DROPPED))

    def _sale(self, window: Window, customer: Customer, **dirt: Any) -> tuple[Any, ...]:
        product = self.rng.choice(self.products)
        loaded_at = self._moment(window)
        sold_at = (loaded_at - dt.timedelta(seconds=self.rng.randrange(30, 600))).astimezone(STORE_TIMEZONE)
        quantity = self.rng.choice((1, 1, 2, 4))
        sale = {
            "receipt_no": f"R{self._number():08}",
            "store_id": self.rng.choice(("S1", "S2", "S3")),
            "customer_id": customer.customer_id,
            "sold_at": f"{sold_at:%Y-%m-%d %H:%M:%S}",
            "loaded_at": stamp(loaded_at),
            "product_id": product.product_id,
            "quantity": quantity,
            "total": round(quantity * product.price, 2),
            "currency": "EUR",
        } | dirt
        return tuple(sale.values())

    def _app_events(self) -> None:
        window = self.books.quarter
        plain = planted.SENT[Feed.APP_EVENTS] - planted.of(Feed.APP_EVENTS, Fate.LEFT_OUT)
        events = [self._app_event(window) for _ in range(plain)]
        events += [
            self._app_event(window, device='{"brand": "Apple", "model": "16'),
            self._app_event(window, device='{"brand": "Apple", "battery_level": 340}'),
            self._app_event(window, device='{"brand": "Apple", "locale": "de-' + "x" * 37 + '"}'),
        ]
        self.books.keys[Feed.APP_EVENTS].update(event[0] for event in events)
        events += [self._app_event(window, consent=0, advertising_id=None) for _ in range(300)]
        events += [self._app_event(window, event_id=None) for _ in range(2)]
        events += [
            self._app_event(window, platform="ios"),
            self._app_event(window, device='{"brand": "Apple", "jailbroken": false}'),
        ]
        self._insert("app_events", events)

    def _app_event(self, window: Window, **dirt: Any) -> tuple[Any, ...]:
        platform = self.rng.choice(("app_ios", "app_android"))
        loaded_at = self._moment(window)
        occurred_at = loaded_at - dt.timedelta(seconds=self.rng.randrange(1, 90))
        maid = f"{self.rng.getrandbits(128):032X}"
        event = {
            "event_id": f"app-{self._number():07}",
            "event_name": self.rng.choice(("app_open", "page_visit", "add_to_cart", "checkout")),
            "platform": platform,
            "occurred_ms": int(occurred_at.timestamp() * 1000) + self.rng.randrange(1000),
            "loaded_at": stamp(loaded_at),
            "consent": 1,
            "advertising_id": f"{maid[:8]}-{maid[8:12]}-{maid[12:16]}-{maid[16:20]}-{maid[20:]}",
            "customer_id": self.rng.choice(self.consenting).customer_id if self.rng.random() < 0.4 else None,
            "app_id": "429047995" if platform == "app_ios" else "com.example.shop",
            "app_name": "Höst & Bø",
            "app_version": "7.9",
            "product_id": self.rng.choice(self.products).product_id,
            "device": self.rng.choice(DEVICES),
        } | dirt
        return tuple(event.values())

    def _signups(self) -> None:
        window = self.books.quarter
        cut = planted.of(Feed.SIGNUPS, Fate.LEFT_OUT)
        rows = [self._signup(window) for _ in range(planted.SENT[Feed.SIGNUPS] - cut)]
        rows += [self._signup(window, content_name="Spring \ud83c") for _ in range(cut)]
        self.books.keys[Feed.SIGNUPS].update(event["event_id"] for _, event in rows)
        self._insert("signups", [(loaded_at, 1, json.dumps(event)) for loaded_at, event in rows])

    def _signup(self, window: Window, content_name: str = "Spring 🌱 letter") -> tuple[str, dict[str, Any]]:
        loaded_at = self._moment(window)
        number = self._number()
        return stamp(loaded_at), {
            "event_name": "signup",
            "event_id": f"signup-{number:06}",
            "event_time": int(loaded_at.timestamp()) - self.rng.randrange(1, 30),
            "action_source": "web",
            "event_source_url": "https://de.shop.example.com/newsletter",
            "user_data": {
                "em": [f"reader.{number}@example.com"],
                "client_ip_address": ip_address(self.rng),
                "client_user_agent": self.rng.choice(USER_AGENTS),
            },
            "custom_data": {"content_name": content_name},
        }

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers

    def _moment(self, window: Window) -> dt.datetime:
        """Pick a second of ``window``, except its last one, which is for repeated rows."""
        return window.start + dt.timedelta(
            seconds=self.rng.randrange(int((window.end - window.start).total_seconds()) - 1)
        )

    def _planted_customer(self, **facts: Any) -> Customer:
        """Add a customer with only an address and ``facts``."""
        number = self._number()
        known = {"customer_id": f"P{number:06}", "email": f"planted.{number}@example.com", "phone": None}
        customer = Customer(**(known | facts))
        self._insert("customers", [customer])
        return customer

    def _sound_customer(self) -> Customer:
        """Add a valid customer, for an order with one fault."""
        return self._planted_customer(country="DE", city="Berlin")

    def _repeat(self, table: str, key: str, window: Window, count: int) -> None:
        """Load the first ``count`` good rows of ``table`` a second time, in the last second of ``window``."""
        good = {
            "orders": "order_id IN (SELECT order_id FROM orders WHERE customer_id LIKE 'C%')",
            "web_events": "consent = 1 AND user_agent IS NOT NULL",
            "store_sales": "customer_id LIKE 'C%'",
        }[table]
        consent = "" if table == "web_events" else (
            "AND customer_id IN (SELECT customer_id FROM customers WHERE consent = 1)"
        )  # fmt: skip
        cursor = self.connection.execute(
            f"SELECT * FROM {table} WHERE loaded_at >= ? AND loaded_at < ? AND {good} {consent} "  # noqa: S608
            f"ORDER BY {key} LIMIT ?",
            (stamp(window.start), stamp(window.end), count),
        )
        columns = [column[0] for column in cursor.description]
        again = [dict(zip(columns, row, strict=True)) for row in cursor]
        last = stamp(window.end - dt.timedelta(seconds=1))
        self._insert(table, [tuple((row | {"loaded_at": last}).values()) for row in again])

    def _insert(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        rows = list(rows)
        marks = ", ".join("?" * len(rows[0]))
        self.connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - constant names
