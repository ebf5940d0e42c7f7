"""The demo's warehouse is the same for the same seed and hour, and holds what its books say."""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest

from airflow_provider_pinterest.conversions.reasons import REASONS
from demo import planted, verdict, warehouse
from demo.kinds import Fate, Feed
from demo.warehouse import Warehouse, Window

NOON = dt.datetime(2026, 11, 21, 12, 7, 30, tzinfo=dt.UTC)
QUERIES = Path(__file__).parents[2] / "dags" / "sql"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return warehouse.build(tmp_path_factory.mktemp("shop") / "warehouse.db", now=NOON)


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def rows_of(path: Path, query: str, window: Window) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        bounds = {"start": str(window.start), "end": str(window.end)}
        return connection.execute(rendered(query), bounds).fetchall()


def rendered(query: str) -> str:
    """Return a query of the DAGs as Airflow renders it for SQLite."""
    templates = jinja2.Environment(loader=jinja2.FileSystemLoader([QUERIES.parent, QUERIES]), autoescape=False)  # noqa: S701 - these are SQL
    connections = SimpleNamespace(warehouse=SimpleNamespace(conn_type="sqlite"))
    return templates.get_template(query).render(conn=connections)


def test_same_seed_and_hour_make_the_same_warehouse(shop, tmp_path):
    again = warehouse.build(tmp_path / "again.db", now=NOON)

    assert dump(again.path) == dump(shop.path)
    assert (again.keys, again.proofs) == (shop.keys, shop.proofs)


def test_another_seed_makes_another_warehouse(shop, tmp_path):
    other = warehouse.build(tmp_path / "other.db", now=NOON, seed=8)

    assert dump(other.path) != dump(shop.path)


def test_building_replaces_what_was_there(tmp_path):
    path = tmp_path / "warehouse.db"
    path.write_text("no database")

    warehouse.build(path, now=NOON)

    assert len(dump(path)) > 1_000


@pytest.mark.parametrize(
    "now",
    [
        NOON,
        dt.datetime(2026, 11, 21, tzinfo=dt.UTC),
        dt.datetime(2026, 11, 21, 0, 14, 59, tzinfo=dt.UTC),
        dt.datetime(2026, 11, 21, 23, 59, 59, tzinfo=dt.UTC),
        dt.datetime(2026, 10, 25, 1, 30, tzinfo=dt.UTC),  # clocks are put back in Europe
        dt.datetime(2028, 2, 29, 9, 15, tzinfo=dt.UTC),
    ],
    ids=str,
)
def test_queries_of_the_dags_read_what_the_books_say_whatever_the_hour(now, tmp_path):
    shop = warehouse.build(tmp_path / "warehouse.db", now=now)
    day_before = Window(shop.day.start - warehouse.DAY, shop.day.start)

    for feed, query, window, key in (
        (Feed.CHECKOUTS, "checkouts.sql", shop.quarter, "event_id"),
        (Feed.BROWSING, "browsing.sql", shop.quarter, "event_id"),
        (Feed.STORE_SALES, "store_sales.sql", shop.day, "order_id"),
        (Feed.APP_EVENTS, "app_events.sql", shop.quarter, "event_id"),
        (Feed.BACKFILL, "checkouts.sql", day_before, "event_id"),
    ):
        rows = rows_of(shop.path, query, window)
        assert len(rows) == planted.rows_read(feed), feed
        assert shop.keys[feed] <= {row[key] for row in rows}, feed
        assert len(shop.keys[feed]) == planted.SENT[feed], feed


def test_a_duplicate_row_comes_after_the_row_it_repeats(shop):
    rows = rows_of(shop.path, "checkouts.sql", shop.quarter)

    twice = [key for key, count in Counter(row["event_id"] for row in rows).items() if count > 1]

    assert len(twice) == planted.of(Feed.CHECKOUTS, Fate.DROPPED)
    assert {row["event_id"] for row in rows[-len(twice) :]} == set(twice)


def test_fresh_rows_happened_within_the_last_hour(shop):
    for row in rows_of(shop.path, "browsing.sql", shop.quarter):
        happened = dt.datetime.fromisoformat(row["event_time"])
        assert NOON - dt.timedelta(hours=1) < happened < NOON


def test_people_without_consent_are_in_the_warehouse_and_in_no_query(shop):
    with closing(sqlite3.connect(shop.path)) as connection:
        declined = {key for (key,) in connection.execute("SELECT customer_id FROM customers WHERE consent = 0")}
        ordered = {key for (key,) in connection.execute("SELECT customer_id FROM orders")}

    read = {row["external_id"] for row in rows_of(shop.path, "checkouts.sql", shop.quarter)}

    assert declined & ordered
    assert not declined & read


def test_the_books_hold_a_proof_for_every_row_that_only_looks_dirty(shop):
    for kind in planted.KINDS:
        if kind.fate is Fate.SENT and kind.feed not in verdict.CASES:
            assert len(shop.proofs[kind]) == kind.rows, kind
            assert shop.proofs[kind].keys() <= shop.keys[kind.feed], kind


def test_planted_reasons_are_codes_of_the_package():
    assert {kind.reason for kind in planted.KINDS if kind.reason} <= REASONS.keys()


def test_exactly_the_kinds_that_are_not_sent_name_a_reason():
    not_sent = {Fate.REJECTED, Fate.EXCLUDED}

    assert all(bool(kind.reason) == (kind.fate in not_sent) for kind in planted.KINDS)


def test_personal_data_is_invented(shop):
    text = "\n".join(dump(shop.path))

    assert set(re.findall(r"@([\w.-]+)", text.lower())) == {"example.com"}
    addresses = re.findall(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b", re.sub(r"Chrome/[\d.]+", "", text))
    assert all(address.startswith(("192.0.2.", "198.51.100.", "203.0.113.")) for address in addresses)


def test_a_window_is_the_last_complete_one():
    quarter = Window.last_complete(NOON, warehouse.QUARTER)

    assert (quarter.start.time(), quarter.end.time()) == (dt.time(11, 45), dt.time(12))
    assert Window.last_complete(quarter.end, warehouse.QUARTER) == quarter
