"""The folder of the rejects is tried before the first call."""

import json
from pathlib import Path

import pytest

from airflow_provider_pinterest.delivery.rejects import Rejects
from tests.operators.attempts import Life, interrupted, offline, small
from tests.running import ids, row, rows


@pytest.fixture(params=["a file in its place", "a file above it", "a link to nowhere"])
def unusable(request, tmp_path):
    where = tmp_path / "rejects"
    if request.param == "a link to nowhere":
        (tmp_path / "link").symlink_to("/proc/nowhere")
        return tmp_path / "link" / "rejects"
    where.write_text("taken")
    return where if request.param == "a file in its place" else where / "deeper"


@pytest.mark.parametrize("source", ["web", "offline"])
def test_a_folder_that_cannot_be_made_fails_before_any_call(pinterest, unusable, source):
    """All rows are good: no line would have to be written."""
    life = Life(**small(rows(10, action_source=source)))

    assert isinstance(life.attempt(rejects_path=str(unusable)).error, OSError)
    assert pinterest.calls() == []


def test_nor_is_any_made_by_a_later_attempt(pinterest, tmp_path):
    where = tmp_path / "rejects"
    life = interrupted(pinterest, offline(), rejects_path=str(where))
    calls = len(pinterest.calls())
    where.mkdir(exist_ok=True)
    for one in where.iterdir():
        one.rename(tmp_path / f"moved-{one.name}")
    where.rmdir()
    where.write_text("taken")

    assert isinstance(life.attempt().error, OSError)
    assert len(pinterest.calls()) == calls
    where.unlink()
    assert life.attempt().error is None
    assert pinterest.copies() == ids(10)


def test_a_full_disk_is_noticed_before_any_call(pinterest, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Rejects, "probe", full)
    life = Life(**small(rows(10), rejects_path=str(tmp_path)))

    assert isinstance(life.attempt().error, OSError)
    assert pinterest.calls() == []


def test_the_trial_leaves_nothing_behind(pinterest, tmp_path):
    life = Life(**small(rows(10), rejects_path=str(tmp_path)))

    assert life.attempt().error is None
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == []


def test_it_fails_before_any_call_where_rows_are_only_validated(pinterest, tmp_path):
    (tmp_path / "rejects").write_text("taken")
    life = Life(**small(rows(10), rejects_path=str(tmp_path / "rejects"), validate_only=True))

    assert isinstance(life.attempt().error, OSError)


@pytest.mark.parametrize("mode", ["test", "validate_only"])
def test_a_run_that_only_tries_the_rows_keeps_the_lines_of_the_real_one(pinterest, tmp_path, mode):
    """As an author does who looks for the reason of a failure, and then lets the task continue."""
    source = [row(0, email=None), *offline()]
    pinterest.fault("drop", times=1, after_accepting=True)
    life = interrupted(pinterest, source, rejects_path=str(tmp_path), max_rejected=5)
    assert reasons(tmp_path) == ["no_match_key", "outcome_unknown", "outcome_unknown"]

    tried = life.clear(**{mode: True})
    ran = life.clear()

    assert tried["rejects_path"] == f"{ran['rejects_path']}/{mode}"
    assert reasons(Path(tried["rejects_path"])) == ["no_match_key"]
    assert reasons(Path(ran["rejects_path"]), "*") == ["no_match_key", "outcome_unknown", "outcome_unknown"]
    assert (ran["events_held"], ran["rows_rejected"]) == (2, 1)


def reasons(folder, pattern="**/*"):
    """Return the codes of all lines."""
    parts = [part for part in folder.glob(pattern) if part.is_file()]
    return sorted(json.loads(line)["reasons"][0]["code"] for part in parts for line in part.read_text().splitlines())


def test_another_folder_for_a_later_attempt_does_not_start_the_run_over(pinterest, tmp_path):
    """As an author sets it who has learned that the first one cannot be written to."""
    life = interrupted(pinterest, offline(), rejects_path=str(tmp_path / "first"))

    assert life.attempt(rejects_path=str(tmp_path / "second")).error is None
    assert pinterest.copies() == ids(10)
