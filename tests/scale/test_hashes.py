"""The expressions that the documentation gives for shards put every row into exactly one, about equally."""

import sqlite3
from collections import Counter
from contextlib import closing

import psycopg2
import pytest

from tests.docs.pages import DOCS, lines

SHARDS = 8
IDS = [f"order-{number * 37:06d}" for number in range(4_000)]
EXPRESSIONS = {
    line.cells[0]: line.cells[1].strip("`") for line in lines(DOCS / "scaling.md") if line.head[0] == "Warehouse"
}


def spread(connection, expression, mark):
    """Count the rows of each shard, as the shards' own queries find them."""
    cursor = connection.cursor()
    cursor.execute("CREATE TEMPORARY TABLE orders (event_id text)")
    for begin in range(0, len(IDS), 500):
        values = ", ".join(f"('{one}')" for one in IDS[begin : begin + 500])
        cursor.execute(f"INSERT INTO orders VALUES {values}")  # noqa: S608
    found: Counter[str] = Counter()
    for shard in range(SHARDS):
        cursor.execute(f"SELECT event_id FROM orders WHERE {expression} = {mark}",  # noqa: S608
                       {"shards": SHARDS, "shard": shard})  # fmt: skip
        found.update({one: shard + 1 for (one,) in cursor.fetchall()})
    assert sorted(found) == sorted(IDS), "a row is in no shard"
    return Counter(found.values())


def equal(sizes):
    """Check that each row was in one shard, and that no shard has far more than its part."""
    assert set(sizes) == set(range(1, SHARDS + 1)), "a row is in two shards, or a shard is empty"
    part = len(IDS) / SHARDS
    return all(0.6 * part < size < 1.4 * part for size in sizes.values())


def test_on_sqlite():
    with closing(sqlite3.connect(":memory:")) as connection:
        assert equal(spread(connection, EXPRESSIONS["SQLite"], ":shard"))


def test_on_postgres(postgres):
    with closing(psycopg2.connect(postgres.dsn)) as connection:  # not committed: nothing is left
        assert equal(spread(connection, EXPRESSIONS["PostgreSQL"], "%(shard)s"))


@pytest.mark.parametrize("warehouse", EXPRESSIONS)
def test_every_one_takes_the_number_of_shards_as_a_parameter(warehouse):
    assert any(mark in EXPRESSIONS[warehouse] for mark in ("%(shards)s", "%s)", ":shards", "$shards"))
