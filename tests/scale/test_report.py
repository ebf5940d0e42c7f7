"""What is kept of a run, and what the documentation shows of it."""

import json
import re

import pytest

from harness.accounting import Arrivals
from scale import report
from scale.judge import Check, ScaleRun, Shard
from scale.runs import KILLED, LIMITED, NOT_SHARED, ScalePlan

KEPT = report.RESULTS / "scale.json"
PAGE = report.PAGE.read_text(encoding="utf-8")


def run(title, slots, seconds, times=(100.0, 101.0), limit=5_000):
    result = {"rows_read": 500_000, "events_processed": 500_000, "resumed_from": None}
    shards = [
        Shard(0, "worker-1", 1, 1_000.0, 1_000.0 + seconds, 20.0, result),
        Shard(1, "worker-2", 2, 1_001.0, 1_000.0 + seconds, 21.0, result | {"resumed_from": 7_000}),
    ]
    found = Arrivals(1_000_000, 1_000_003, 1, 0, 4)
    cpu = {"task processes": 41.0, "PostgreSQL": 10.0}
    return ScaleRun(title, slots, limit, 1_000_000, "success", shards, found, [(at, 1_000) for at in times], cpu)


@pytest.fixture
def found():
    runs = [run("1 at once", 1, 100), run("4 at once", 4, 40), run(LIMITED, 4, 40, (0.0, 1.0, 59.5), 2)]
    checks = [Check("one thing", True, "1"), Check("another", False, "2")]
    store = {"client_us": 300.0, "server_us": 23.0, "bytes": 90_000.0}
    return report.document([*runs, run(NOT_SHARED, 4, 40), run(KILLED, 4, 40)], checks, store=store)


def test_json_keeps_all_that_the_tables_need(found):
    assert report.markdown(json.loads(json.dumps(found))) == report.markdown(found)


def test_what_arrived_stands_in_a_table(found):
    assert "| 1 at once | 1,000,000 | 1,000,003 | 1 | 4 | 2 | 5,000 | 2 | never |" in report.markdown(found)
    assert f"| {LIMITED} | 1,000,000 | 1,000,003 | 1 | 4 | 3 | 2 | 3 | 59.50 |" in report.markdown(found)


def test_who_ran_what_is_of_the_last_full_run(found):
    tables = report.markdown(found)

    assert "*4 at once*: 1,000,000 rows in 40 s." in tables
    assert "| 1 | worker-2 | 1.0 | 39.0 | 500,000 | 500,000 | 21.0 |" in tables


def test_speeds_are_compared_with_the_first(found):
    assert "| 4 | 2 | 1,000,000 | 40 | 25,000 | 2.50 |" in report.markdown(found)


def test_processor_time_is_for_a_million_events(found):
    assert "| Mapped tasks at once | Task processes | PostgreSQL | Total |" in report.markdown(found)
    assert "| 4 | 41.0 | 10.0 | 51.0 |" in report.markdown(found)


def test_shards_that_were_cut_off_say_where_they_went_on(found):
    assert "1 of its\nshards were interrupted" in report.markdown(found)
    assert "| 1 | worker-2 | 2 | 500,000 | 7,000 |" in report.markdown(found)


def test_a_billion_events_a_day_is_worked_out_from_what_was_measured(found):
    tables = report.markdown(found)

    assert "With 4 tasks at once, a task needed 41 µs of a core for an event, and PostgreSQL 10 µs" in tables
    assert "One task alone sent 10,000 events a second" in tables
    assert "| mean | 11,574 | 11.6 | 14% | 0.5 | 0.1 | 0.03% | 2 |" in tables
    assert "| three times the mean | 34,722 | 34.7 | 42% | 1.4 | 0.3 | 0.08% | 4 |" in tables


def test_the_verdict_names_what_failed_and_counts(found):
    assert report.verdict(found).splitlines() == [
        "ok   one thing: 1",
        "FAIL another: 2",
        "1 passed, 1 failed",
    ]


def test_tables_are_put_between_the_marks_and_nothing_else_changes(found, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n\n{report.BEGIN}\nold\n{report.END}\n## After\n", encoding="utf-8")

    for _ in range(2):
        report.save(found, tmp_path / "results", page)

    text = page.read_text(encoding="utf-8")
    assert text == f"# Before\n\n{report.BEGIN}\n{report.markdown(found)}\n{report.END}\n## After\n"
    assert json.loads((tmp_path / "results" / "scale.json").read_text(encoding="utf-8")) == found


def test_the_documentation_shows_the_run_that_is_kept():
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    between = PAGE.partition(report.BEGIN)[2].partition(report.END)[0]

    assert between.strip("\n") == report.markdown(kept).strip("\n")


def test_in_the_run_that_is_kept_everything_held():
    kept = json.loads(KEPT.read_text(encoding="utf-8"))

    assert kept["checks"]
    assert [check["what"] for check in kept["checks"] if not check["holds"]] == []


def test_results_name_neither_machine_nor_person():
    assert not re.search(r"/tmp/|/home/|/root|@", KEPT.read_text(encoding="utf-8"))  # noqa: S108


@pytest.mark.parametrize("rows", [8_000, 200_000, 2_000_000])
def test_a_plan_s_low_limit_makes_its_calls_wait_twice(rows):
    plan = ScalePlan(rows)
    calls = plan.few // 1_000

    assert plan.few <= plan.rows
    assert 2 * plan.low_limit < calls <= 3 * plan.low_limit
