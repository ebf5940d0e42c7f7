"""What the documentation shows is what was measured."""

import json
import re

import pytest

from benchmarks import experiments, plots, report

RESULTS = report.RESULTS / "latest.json"
TABLES = (report.RESULTS / "latest.md").read_text(encoding="utf-8")
PAGE = report.PAGE.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_samples():
    assert report.markdown(json.loads(RESULTS.read_text(encoding="utf-8"))) == TABLES


def test_the_documentation_contains_exactly_the_tables():
    between = PAGE.partition(report.BEGIN)[2].partition(report.END)[0]

    assert between.strip("\n") == TABLES.strip("\n")


def test_every_experiment_is_documented():
    documented = re.findall(r"^\| `(\w+)` \|", PAGE.partition(report.END)[2], re.MULTILINE)

    assert documented == list(experiments.EXPERIMENTS)


def test_pictures_shown_in_the_documentation_exist():
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", PAGE)

    assert all((report.PAGE.parent / picture).is_file() for picture in shown)


def test_results_name_neither_machine_nor_person():
    kept = RESULTS.read_text(encoding="utf-8")

    assert not re.search(r"/(home|root|tmp|Users|work)\b", kept)
    assert set(json.loads(kept)["machine"]) == {"date", "cores", "architecture", "python", "versions"}


@pytest.mark.parametrize(
    ("numbers", "digits", "text"),
    [
        ([3, 1, 2], None, "2.0 (1.0 to 3.0)"),
        ([81_234.0, 79_876.0, 90_001.0], None, "81,200 (79,900 to 90,000)"),
        ([1.234], 2, "1.23"),
    ],
)
def test_numbers_show_as_many_digits_as_mean_something(numbers, digits, text):
    assert experiments.spread(numbers, digits) == text


def test_new_sections_replace_their_predecessors_and_keep_the_order(tmp_path):
    old = {"machine": {}, "sections": {"stages": {"title": "old"}, "pipeline": {"title": "kept"}}}
    (tmp_path / "latest.json").write_text(json.dumps(old))
    new = {"machine": {"cores": 2}, "sections": {"stages": {"title": "new"}, "side_by_side": {"title": "added"}}}

    found = report.merged(new, tmp_path)

    assert found["machine"] == {"cores": 2}
    assert {name: section["title"] for name, section in found["sections"].items()} == {
        "side_by_side": "added",
        "stages": "new",
        "pipeline": "kept",
    }
    assert list(found["sections"]) == ["side_by_side", "stages", "pipeline"]


def test_pictures_are_drawn_of_what_there_is(tmp_path):
    pytest.importorskip("matplotlib")
    speeds = {
        f"{latency} ms, {requests} in flight": [{"events": 1_000, "seconds": 1.0}]
        for latency in experiments.LATENCIES_MS
        for requests in experiments.IN_FLIGHT
    }
    memory = {"10,000": [{"peak": 2e8}], "1,000,000": [{"peak": 2e8}], "idle": [{"peak": 1e8}]}
    found = {"sections": {"pipeline": {"samples": memory}, "in_flight": {"samples": speeds}}}

    drawn = plots.draw(found, tmp_path)

    assert [path.name for path in drawn] == ["pipeline.png", "in_flight.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
