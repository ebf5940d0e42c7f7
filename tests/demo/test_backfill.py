"""Three months of store sales in daily runs, two at a time: each event is accepted once, and all counts add up."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from demo import backfill, runs_table, three_months
from demo.three_months import DAYS, SALES
from tests.docs.pages import DOCS, blocks

pytestmark = pytest.mark.timeout(600)

UNIQUE = DAYS * SALES
CODES = ("no_match_key", "bad_currency", "too_old")
LOADED_AGAIN = three_months.AGAIN


@pytest.fixture(scope="module")
def postgresql(request, tmp_path_factory):
    server = request.getfixturevalue("postgres")
    folder = tmp_path_factory.mktemp("months")
    with psycopg2.connect(server.dsn) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pinterest_outcomes")
    connection.close()
    database = backfill.OutcomeDatabase("PostgreSQL", server.connection_json, lambda: psycopg2.connect(server.dsn))
    report = backfill.backfill(folder, database)
    print("\n".join(runs_table.lines(report.runs)))  # noqa: T201 - for people
    return report


def test_every_event_of_three_months_is_accepted_once(postgresql):
    assert postgresql.faults == []
    assert sum(run.result["events_processed"] for run in postgresql.runs) == UNIQUE


def test_each_run_accounts_for_the_rows_of_its_window(postgresql):
    for run in postgresql.runs:
        days = 7 if " to " in run.name else 1
        first = run.name == postgresql.runs[0].name
        assert run.result["rows_read"] == days * (SALES + 1 + three_months.UNSENDABLE) + (
            0 if first else days * LOADED_AGAIN
        )
        assert run.result["rows_rejected"] == days * three_months.UNSENDABLE
        assert run.result["events_failed"] == run.result["events_held"] == run.result["rows_not_sent"] == 0


def test_runs_over_the_same_days_share_them(postgresql):
    counts = {run.name: run.result for run in postgresql.runs}
    [again] = [name for name in counts if name.endswith(" again")]
    [at_once] = [name for name in counts if name.endswith(" at once")]
    [week] = [name for name in counts if " to " in name]
    twins = counts[at_once], counts[at_once.removesuffix(" at once")]

    assert counts[again]["events_processed"] == 0
    assert counts[again]["already_sent"] == SALES + LOADED_AGAIN
    assert sum(one["events_processed"] for one in twins) == SALES
    assert 3 * SALES <= counts[week]["events_processed"] <= 4 * SALES + LOADED_AGAIN


def test_runs_over_the_same_days_ran_at_the_same_time(postgresql):
    runs = {run.name: run for run in postgresql.runs}
    for name in [name for name in runs if " to " in name or name.endswith(" at once")]:
        run = runs[name]
        assert [other for other in runs.values() if other is not run and _meet(run, other)], name


def test_a_table_in_sqlite_counts_the_same(tmp_path):
    report = backfill.backfill(tmp_path, backfill.sqlite_database(tmp_path), days=20)

    assert report.faults == []
    assert sum(run.result["events_processed"] for run in report.runs) == 20 * SALES


def test_the_queries_of_the_page_find_what_did_not_arrive(postgresql, postgres):
    by_status, by_reason, missing = [block.text for block in blocks(DOCS / "backfills.md", "sql")]
    with closing(psycopg2.connect(postgres.dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE store_sales (receipt_no text, loaded_at timestamptz)")
        receipts = ["R000-0000", "R091-0119", "bad-000-0", "never-sent"]
        cursor.executemany("INSERT INTO store_sales VALUES (%s, '2026-09-01')", [(receipt,) for receipt in receipts])
        found = []
        for query in (by_status, by_reason, missing):
            cursor.execute(query)
            found.append(cursor.fetchall())

    assert dict(found[0])["processed"] == UNIQUE
    assert {row[1:3] for row in found[1]} == {
        ("rejected", code) for code in ("no_match_key", "bad_currency", "too_old")
    }
    assert found[2] == [("bad-000-0",), ("never-sent",)]


def test_a_second_copy_is_found(postgresql):
    copies = dict.fromkeys(("a", "b"), 1) | {"c": 2}

    assert "1 events are twice" in runs_table.faults(postgresql.runs, ("a", "b", "c"), copies, {})


def _meet(one, other):
    return one.began < other.ended and other.began < one.ended
