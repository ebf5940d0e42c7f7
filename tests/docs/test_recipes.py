"""The queries of the page about deduplication send what the Pinterest tag of each shop sends."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import pytest
import requests

from airflow_provider_pinterest.sandbox import Sandbox
from airflow_provider_pinterest.sandbox.store import Received
from tests.docs.pages import DOCS, README, blocks, codes, headings, lines, prose
from tests.running import deliver

PAGE = DOCS / "deduplication.md"

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
EARLIER = (NOW - dt.timedelta(minutes=10)).strftime("%Y-%m-%d %H:%M:%S")
LONG_AGO = (NOW - dt.timedelta(days=3)).strftime("%Y-%m-%d %H:%M:%S")
WINDOW = {"start": str(NOW - dt.timedelta(minutes=20)), "end": str(NOW)}

COOKIE, CLICK = "dWlkPU1hcnlBbm4", "dj0yJnU9Q2xpY2s"
GUID, OTHER_GUID = "0b9e8d4e-6c1f-4f6a-9d2b-3a8f5f0c7e11", "7d1c2b3a-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
AGENT = "Mozilla/5.0 (X11; Linux x86_64)"


@dataclass(frozen=True)
class Order:
    """What Pinterest receives for an order, or `tag_id` None: an order of which the tag sent nothing."""

    tag_id: str | None
    people: tuple[str, ...] = ()
    click: str | None = None


@dataclass(frozen=True)
class Recipe:
    """A shop's tables, and what its query makes of them."""

    tables: dict[str, str]
    rows: dict[str, Sequence[tuple[Any, ...]]]
    orders: Sequence[Order]
    parameters: dict[str, Any] = field(default_factory=dict)
    databases: tuple[str, ...] = ("sqlite", "postgres")


RECIPES = {
    "WooCommerce": Recipe(
        {
            "wp_wc_orders": "id BIGINT, status TEXT, currency TEXT, type TEXT, total_amount NUMERIC(26,8),"
            " customer_id BIGINT, billing_email TEXT, date_created_gmt TIMESTAMP, ip_address TEXT, user_agent TEXT",
            "wp_wc_orders_meta": "id BIGINT, order_id BIGINT, meta_key TEXT, meta_value TEXT",
        },
        {
            "wp_wc_orders": [
                (101, "wc-processing", "EUR", "shop_order", 72.39, 17, "Ada@Example.com", EARLIER, "192.0.2.1", AGENT),
                (102, "wc-on-hold", "EUR", "shop_order", 10, 0, "bob@example.com", EARLIER, "192.0.2.2", AGENT),
                (103, "wc-pending", "EUR", "shop_order", 10, 0, "cat@example.com", EARLIER, "192.0.2.3", AGENT),
                (104, "wc-completed", "EUR", "shop_order_refund", -72.39, 0, "", EARLIER, "", ""),
                (99, "wc-completed", "EUR", "shop_order", 10, 0, "old@example.com", LONG_AGO, "192.0.2.4", AGENT),
            ],
            "wp_wc_orders_meta": [
                (1, 101, "_pin_unauth", COOKIE),
                (2, 101, "_epik", CLICK),
                (3, 101, "_billing_note", "gift"),
            ],
        },
        [Order("checkout_101", (COOKIE, "17"), CLICK), Order("checkout_102")],
    ),
    "Magento and Adobe Commerce": Recipe(
        {
            "sales_order": "entity_id BIGINT, state TEXT, increment_id TEXT, customer_id BIGINT, customer_email TEXT,"
            " grand_total NUMERIC(20,4), order_currency_code TEXT, created_at TIMESTAMP, pinterest_event_id TEXT,"
            " pinterest_epik TEXT, pinterest_pin_unauth TEXT",
        },
        {
            "sales_order": [
                (5, "processing", "000000005", 17, "ada@example.com", 72.39, "EUR", EARLIER, GUID, CLICK, COOKIE),
                (6, "new", "000000006", None, "bob@example.com", 10, "EUR", EARLIER, None, None, None),
                (7, "canceled", "000000007", None, "cat@example.com", 10, "EUR", EARLIER, None, None, None),
            ],
        },
        [Order(GUID, (COOKIE.lower(), "17"), CLICK), Order(None)],
        {"event_id_from": ["order_id", "event_name"], "identifiers": {"external_id": {"case": "lower"}}},
    ),
    "PrestaShop": Recipe(
        {
            "ps_orders": "id_order BIGINT, id_customer BIGINT, id_currency BIGINT, reference TEXT, valid INTEGER,"
            " total_paid NUMERIC(20,6), date_add TIMESTAMP",
            "ps_customer": "id_customer BIGINT, email TEXT",
            "ps_currency": "id_currency BIGINT, iso_code TEXT",
            "pinterest_order": "id_order BIGINT, event_id TEXT, epik TEXT, pin_unauth TEXT",
        },
        {
            "ps_orders": [
                (5, 17, 1, "XKBKNABJK", 1, 72.39, EARLIER),
                (6, 18, 1, "OHSATSERP", 1, 10, EARLIER),
                (7, 18, 1, "UOYEVOLI", 0, 10, EARLIER),
            ],
            "ps_customer": [(17, "ada@example.com"), (18, "bob@example.com")],
            "ps_currency": [(1, "EUR")],
            "pinterest_order": [(5, GUID, CLICK, COOKIE)],
        },
        [Order(GUID, (COOKIE, "17"), CLICK), Order("checkout_6", ("18",))],
    ),
    "Shopify": Recipe(
        {
            '"order"': "id BIGINT, email TEXT, created_at TIMESTAMP, cancelled_at TIMESTAMP, customer_id BIGINT,"
            " total_price NUMERIC(20,2), currency TEXT, browser_ip TEXT, client_details_user_agent TEXT,"
            " source_name TEXT",
            "order_note_attribute": "order_id BIGINT, name TEXT, value TEXT",
        },
        {
            '"order"': [
                (450789469, "ada@example.com", EARLIER, None, 17, 72.39, "EUR", "192.0.2.1", AGENT, "web"),
                (450789470, "bob@example.com", EARLIER, None, None, 10, "EUR", "192.0.2.2", AGENT, "web"),
                (450789471, "cat@example.com", EARLIER, None, None, 10, "EUR", None, None, "pos"),
                (450789472, "dan@example.com", EARLIER, EARLIER, None, 10, "EUR", "192.0.2.4", AGENT, "web"),
            ],
            "order_note_attribute": [
                (450789469, "pin_unauth", COOKIE),
                (450789469, "epik", CLICK),
                (450789469, "gift", "yes"),
            ],
        },
        [Order("checkout_450789469", (COOKIE, "17"), CLICK), Order("checkout_450789470")],
    ),
    "Salesforce Commerce Cloud": Recipe(
        {
            "sfcc_orders": "order_no TEXT, creation_date TIMESTAMP, loaded_at TIMESTAMP, customer_no TEXT,"
            " customer_email TEXT, order_total NUMERIC(20,2), currency TEXT, c_pinterest_event_id TEXT,"
            " c_pinterest_epik TEXT, c_pinterest_pin_unauth TEXT",
        },
        {
            "sfcc_orders": [
                ("00001", EARLIER, EARLIER, "C-17", "ada@example.com", 72.39, "EUR", "aB3xYz-0-00", CLICK, COOKIE),
                ("00002", EARLIER, EARLIER, None, "bob@example.com", 10, "EUR", "cD4wQr-0-00", None, COOKIE),
            ],
        },
        [Order("aB3xYz-0-00", (COOKIE, "C-17"), CLICK), Order("cD4wQr-0-00", (COOKIE,))],
    ),
    "Google Tag Manager and the GA4 export": Recipe(
        {
            "ga4_purchases": "transaction_id TEXT, event_time TIMESTAMP, user_id TEXT, event_id TEXT, epik TEXT,"
            " pin_unauth TEXT",
            "orders": "order_id TEXT, email TEXT, total NUMERIC(20,2), currency TEXT",
        },
        {
            "ga4_purchases": [
                ("T-1", EARLIER, "C-17", GUID, CLICK, COOKIE),
                ("T-2", EARLIER, None, None, None, None),
                ("T-2", EARLIER, None, None, None, None),
            ],
            "orders": [
                ("T-1", "ada@example.com", 72.39, "EUR"),
                ("T-2", "bob@example.com", 10, "EUR"),
                ("T-3", "cat@example.com", 10, "EUR"),
            ],
        },
        [Order(GUID, (COOKIE, "C-17"), CLICK), Order("T-2")],
    ),
    "Segment": Recipe(
        {
            "order_completed": "id TEXT, uuid_ts TIMESTAMP, timestamp TIMESTAMP, user_id TEXT, anonymous_id TEXT,"
            " context_ip TEXT, context_user_agent TEXT, event_id TEXT, order_id TEXT, total NUMERIC(20,2),"
            " currency TEXT, email TEXT, epik TEXT, pin_unauth TEXT",
        },
        {
            "order_completed": [
                ("ajs-next-1", EARLIER, EARLIER, "C-17", "a1", "192.0.2.1", AGENT, "checkout_T-1", "T-1", 72.39, "EUR",
                 "ada@example.com", CLICK, COOKIE),
                ("ajs-next-2", EARLIER, EARLIER, None, "a2", "192.0.2.2", AGENT, "checkout_T-2", "T-2", 10, "EUR",
                 None, None, None),
            ],
        },
        [Order("checkout_T-1", (COOKIE, "C-17"), CLICK), Order("checkout_T-2")],
    ),
    "RudderStack": Recipe(
        {
            "order_completed": "id TEXT, uuid_ts TIMESTAMP, timestamp TIMESTAMP, user_id TEXT, anonymous_id TEXT,"
            " context_ip TEXT, context_request_ip TEXT, context_user_agent TEXT, order_id TEXT, total NUMERIC(20,2),"
            " currency TEXT, email TEXT, epik TEXT, pin_unauth TEXT",
        },
        {
            "order_completed": [
                (GUID, EARLIER, EARLIER, "C-17", "a1", "192.0.2.1", None, AGENT, "T-1", 72.39, "EUR",
                 "ada@example.com", CLICK, COOKIE),
                (OTHER_GUID, EARLIER, EARLIER, None, "a2", None, "192.0.2.2", AGENT, "T-2", 10, "EUR",
                 None, None, None),
            ],
        },
        [Order(GUID, (COOKIE, "C-17"), CLICK), Order(OTHER_GUID)],
    ),
    "Snowplow": Recipe(
        {
            "atomic.events": "event_id TEXT, collector_tstamp TIMESTAMP, derived_tstamp TIMESTAMP,"
            " load_tstamp TIMESTAMP, user_id TEXT, user_ipaddress TEXT, useragent TEXT",
            "atomic.com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1": "root_id TEXT,"
            " root_tstamp TIMESTAMP, type TEXT",
            "atomic.com_snowplowanalytics_snowplow_ecommerce_transaction_1": "root_id TEXT, root_tstamp TIMESTAMP,"
            " transaction_id TEXT, revenue NUMERIC(20,2), currency TEXT",
            "atomic.org_ietf_http_cookie_1": "root_id TEXT, root_tstamp TIMESTAMP, name TEXT, value TEXT",
        },
        {
            "atomic.events": [
                (GUID, EARLIER, EARLIER, EARLIER, "C-17", "192.0.2.1", AGENT),
                (OTHER_GUID, EARLIER, EARLIER, EARLIER, None, "192.0.2.2", AGENT),
                ("page", EARLIER, EARLIER, EARLIER, None, "192.0.2.2", AGENT),
            ],
            "atomic.com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1": [
                (GUID, EARLIER, "transaction"),
                (OTHER_GUID, EARLIER, "transaction"),
                ("page", EARLIER, "trns_error"),
            ],
            "atomic.com_snowplowanalytics_snowplow_ecommerce_transaction_1": [
                (GUID, EARLIER, "T-1", 72.39, "EUR"),
                (OTHER_GUID, EARLIER, "T-2", 10, "EUR"),
                ("page", EARLIER, "T-3", 10, "EUR"),
            ],
            "atomic.org_ietf_http_cookie_1": [
                (GUID, EARLIER, "_pin_unauth", COOKIE),
                (GUID, EARLIER, "_epik", CLICK),
            ],
        },
        [Order("T-1", (COOKIE, "C-17"), CLICK), Order("T-2")],
        databases=("postgres",),
    ),
    "A tag that you wrote yourself": Recipe(
        {
            "orders": "order_id TEXT, ordered_at TIMESTAMP, loaded_at TIMESTAMP, email TEXT, customer_id TEXT,"
            " pinterest_event_id TEXT, epik TEXT, pin_unauth TEXT, total NUMERIC(20,2), currency TEXT",
        },
        {
            "orders": [
                ("T-1", EARLIER, EARLIER, "ada@example.com", "C-17", GUID, CLICK, COOKIE, 72.39, "EUR"),
                ("T-2", EARLIER, EARLIER, "bob@example.com", None, OTHER_GUID, None, None, 10, "EUR"),
                ("T-0", LONG_AGO, LONG_AGO, "old@example.com", None, "old", None, None, 10, "EUR"),
            ],
        },
        [Order(GUID, (COOKIE, "C-17"), CLICK), Order(OTHER_GUID)],
    ),
}  # fmt: skip
"""Heading of the page → its recipe. Each sells one order over 72.39 and one over 10 in the window."""


class Shop:
    """A database that the connection ``warehouse`` leads to."""

    def __init__(self, connect: Callable[[], Any], mark: str, sql: Callable[[str], str]) -> None:
        self._connect = connect
        self._mark = mark
        self.sql = sql

    def create(self, tables: dict[str, str], rows: dict[str, Sequence[tuple[Any, ...]]]) -> None:
        with closing(self._connect()) as connection:
            cursor = connection.cursor()
            for table, columns in tables.items():
                if table.startswith("atomic."):
                    cursor.execute("CREATE SCHEMA IF NOT EXISTS atomic")
                cursor.execute(f"DROP TABLE IF EXISTS {table}")
                cursor.execute(f"CREATE TABLE {table} ({columns})")
                for row in rows[table]:
                    cursor.execute(f"INSERT INTO {table} VALUES ({', '.join([self._mark] * len(row))})", row)  # noqa: S608
            connection.commit()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(self._connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            return list(cursor.fetchall())


@pytest.fixture
def sqlite(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Shop:
    path = request.getfixturevalue("warehouse").path
    if sqlite3.sqlite_version_info < (3, 44):
        monkeypatch.setattr(sqlite3, "connect", _with_functions_of_3_44(sqlite3.connect))
    return Shop(lambda: sqlite3.connect(path), "?", _placeholders_of_sqlite)


@pytest.fixture
def postgresql(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    server = request.getfixturevalue("postgres")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", server.connection_json)
    yield Shop(lambda: psycopg2.connect(server.dsn), "%s", str)
    with closing(psycopg2.connect(server.dsn)) as connection:
        connection.cursor().execute("DROP SCHEMA IF EXISTS atomic CASCADE")
        connection.commit()


@pytest.fixture
def shop(request: pytest.FixtureRequest) -> Shop:
    found: Shop = request.getfixturevalue({"sqlite": "sqlite", "postgres": "postgresql"}[request.param])
    return found


def _with_functions_of_3_44(connect: Callable[..., sqlite3.Connection]) -> Callable[..., sqlite3.Connection]:
    def concat(*values: Any) -> str:
        return "".join(str(value) for value in values if value is not None)

    def concat_ws(separator: str, *values: Any) -> str:
        return separator.join(str(value) for value in values if value is not None)

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.create_function("concat", -1, concat)
        connection.create_function("concat_ws", -1, concat_ws)
        return connection

    return connected


def _placeholders_of_sqlite(sql: str) -> str:
    """Write the placeholders as the README's table has them."""
    [start] = [line.cells[1].strip("`") for line in lines(README) if line.cells[0] == "SQLite"]
    return sql.replace("%(start)s", start).replace("%(end)s", start.replace("start", "end"))


def query(heading: str) -> str:
    """Return the query under a heading: the last block, where there are several."""
    *_, last = [block for block in blocks(PAGE, "sql") if block.heading == heading]
    return str(last.text)


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def body(received: Received) -> dict[str, Any]:
    assert received.event is not None
    return received.event


def send_as_the_tag(pinterest: Sandbox, event_id: str) -> None:
    event = {
        "event_name": "checkout",
        "action_source": "web",
        "event_time": int(NOW.timestamp()) - 600,
        "event_id": event_id,
        "user_data": {"client_ip_address": "192.0.2.1", "client_user_agent": AGENT},
    }
    answer = requests.post(
        f"{pinterest.url}/ad_accounts/{pinterest.ad_account_id}/events",
        json={"data": [event]},
        headers={"Authorization": f"Bearer {pinterest.token}"},
        timeout=10,
    )
    assert answer.status_code == 200, answer.text


CASES = [(heading, database) for heading, recipe in RECIPES.items() for database in recipe.databases]


@pytest.mark.parametrize(("heading", "shop"), CASES, indirect=["shop"])
def test_a_recipe_sends_what_the_tag_sends(heading: str, shop: Shop, pinterest: Sandbox) -> None:
    recipe = RECIPES[heading]
    shop.create(recipe.tables, recipe.rows)
    tag_ids = {order.tag_id for order in recipe.orders if order.tag_id}
    for tag_id in sorted(tag_ids):
        send_as_the_tag(pinterest, tag_id)
    by_the_tag = pinterest.events()

    ran = deliver(
        sql=shop.sql(query(heading)),
        sql_conn_id="warehouse",
        parameters=WINDOW,
        defaults={"event_name": "checkout", "action_source": "web"},
        **recipe.parameters,
    )

    assert ran.error is None, ran.said
    assert ran["warnings"] == {}
    assert ran["rows_rejected"] == 0
    sent = pinterest.events()[len(by_the_tag) :]
    assert ran["events_processed"] == len(sent) == len(recipe.orders)
    sent_ids = {(event.event_name, event.event_id) for event in sent}
    assert sent_ids >= {(event.event_name, event.event_id) for event in by_the_tag}
    assert len(sent_ids) == len(recipe.orders), "every order has an id of its own"
    assert set(pinterest.copies(duplicates_only=True)) == tag_ids
    bodies = sorted((body(event) for event in sent), key=lambda one: -float(one["custom_data"]["value"]))
    assert [float(one["custom_data"]["value"]) for one in bodies] == [72.39, 10]
    for one, order in zip(bodies, recipe.orders, strict=True):
        assert order.tag_id in (one["event_id"], None)
        assert set(one["user_data"].get("external_id", ())) == set(map(hashed, order.people))
        assert one["user_data"].get("click_id") == order.click


@pytest.mark.parametrize("shop", ["sqlite", "postgres"], indirect=True)
def test_the_comparison_counts_what_both_sent_and_shows_what_one_sent(shop: Shop) -> None:
    columns = "event_name TEXT, event_id TEXT"
    by_tag = [("checkout", "checkout_1"), ("checkout", "2"), ("signup", "checkout_3"), ("lead", "5")]
    by_server = [("checkout", "checkout_1"), ("checkout", "checkout_2"), ("checkout", "checkout_3"), ("lead", "5")]
    shop.create({"tag_events": columns, "server_events": columns}, {"tag_events": by_tag, "server_events": by_server})

    assert shop.rows(query("Check it")) == [
        ("checkout", 2, 1, "2"),
        ("lead", 1, 1, None),
        ("signup", 1, 0, "checkout_3"),
    ]


def test_every_query_of_the_page_is_run_but_the_view_of_the_export() -> None:
    shown = [block for block in blocks(PAGE, "sql") if block.text != query(block.heading)]

    assert {block.heading for block in blocks(PAGE, "sql")} == {*RECIPES, "Check it"}
    assert [block.heading for block in shown] == ["Google Tag Manager and the GA4 export"]
    assert shown[0].text.startswith("CREATE OR REPLACE VIEW")


def test_the_view_of_the_export_has_the_columns_that_the_query_is_run_on() -> None:
    heading = "Google Tag Manager and the GA4 export"
    [view] = [block.text for block in blocks(PAGE, "sql") if block.heading == heading][:-1]
    columns = [line.rstrip(",").split()[-1] for line in view.partition("FROM `")[0].splitlines()[2:]]

    assert columns == [column.split()[0] for column in RECIPES[heading].tables["ga4_purchases"].split(",")]


def test_the_page_says_where_each_query_is_run() -> None:
    only_on = {
        line.cells[0]: line.cells[1]
        for line in lines(PAGE)
        if line.heading == "What was tested" and "," not in line.cells[1]
    }

    assert {heading for heading, recipe in RECIPES.items() if len(recipe.databases) == 1} == {"Snowplow"}
    assert only_on["Snowplow"] == "Postgres"


def test_its_contents_name_every_section() -> None:
    text = prose(PAGE)

    assert [heading for heading in headings(PAGE)[1:] if f"- [{heading}](#" not in text] == []


def test_the_columns_of_the_cookies_are_those_of_the_operator() -> None:
    cookies = {codes(line.cells[0])[0]: codes(line.cells[1])[0] for line in lines(PAGE) if line.head[0] == "Cookie"}

    assert cookies == {"_epik": "click_id", "_pin_unauth": "external_id"}


def test_ids_as_the_page_writes_them_are_two_ids(pinterest: Sandbox) -> None:
    [written] = [code for code in codes(prose(PAGE)) if code.startswith('["')]
    row = {
        "event_name": "checkout",
        "action_source": "web",
        "event_time": int(NOW.timestamp()) - 60,
        "event_id": "1",
        "email": "ada@example.com",
        "external_id": written,
    }

    assert deliver(events=[row]).error is None

    [event] = pinterest.events()
    assert body(event)["user_data"]["external_id"] == [hashed(one) for one in json.loads(written)]
