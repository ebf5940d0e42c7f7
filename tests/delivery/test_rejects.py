"""Rejections on disk: in parts, and true again after a crash."""

import errno
import json
import os
import re
import tracemalloc
import uuid

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from airflow_provider_pinterest.conversions.outcomes import Rejection, Stage
from airflow_provider_pinterest.conversions.reasons import Reason
from airflow_provider_pinterest.delivery import reject_folders
from airflow_provider_pinterest.delivery import rejects as module
from airflow_provider_pinterest.delivery.rejection_lines import rejection_line
from airflow_provider_pinterest.delivery.rejects import Rejects, folder_name, legacy_folder_name

# Airflow 2.11 asks a path about its future.


def rejection(row, stage=Stage.VALIDATION, /, **changes):
    found = {
        "event_id": f"e-{row}",
        "keys": {"order": row},
        "reasons": (Reason("bad_type", "custom_data.value", "no"),),
    }
    return Rejection(row, **{**found, **changes}, stage=stage)


@pytest.fixture(params=["local", "file", "memory"])
def folder(request, tmp_path):
    """A folder that does not exist: of pathlib, or as Airflow names this machine's disk or an object store."""
    if request.param == "local":
        return tmp_path / "rejects" / "run"
    if request.param == "file":
        return ObjectStoragePath(f"file://{tmp_path}/rejects") / "run"
    return UPath(f"memory://{uuid.uuid4().hex}/rejects") / "run"


def parts(folder):
    return sorted(part.name for part in folder.iterdir())


def content(part):
    with part.open("rb") as opened:
        return opened.read()


def read(folder):
    found = sorted(folder.iterdir(), key=lambda part: part.name)
    return [json.loads(one) for part in found for one in content(part).splitlines()]


def rows(folder):
    return [document["row"] for document in read(folder)]


def fill(folder, *rejections, attempt=1, keep=None, earlier=()):
    """Let an attempt write rejections; what an earlier one left is mended first."""
    rejects = Rejects(folder, attempt=attempt, keep=keep, earlier=earlier)
    put(rejects, *rejections)
    rejects.flush()
    return rejects


def put(rejects, *rejections):
    for one in rejections:
        rejects.add(rejection_line(one))
        if rejects.full:
            rejects.flush()


def test_a_part_is_written_when_it_is_full_and_the_rest_at_the_end(folder, monkeypatch):
    monkeypatch.setattr(module, "PART_ROWS", 3)
    rejects = Rejects(folder, attempt=1)
    put(rejects, *(rejection(row) for row in range(1, 8)))

    assert rows(folder) == [1, 2, 3, 4, 5, 6]
    assert rejects.waiting

    rejects.flush()
    rejects.flush()

    assert rows(folder) == [1, 2, 3, 4, 5, 6, 7]
    assert parts(folder) == [f"part-001-{number:06d}.ndjson" for number in range(3)]
    assert rejects.parts == 3


def test_nothing_waits_after_a_flush(folder):
    assert not fill(folder, rejection(1)).waiting


def test_lines_that_wait_are_bounded_in_bytes(folder):
    rejects = Rejects(folder, attempt=1)
    put(rejects, *(rejection(row, keys={"order": "x" * 4_000}) for row in range(1, 3_000)))
    rejects.flush()

    assert len(rows(folder)) == 2_999
    assert len(parts(folder)) == 3
    assert all(len(content(part)) < module.PART_BYTES + 64 * 1024 for part in folder.iterdir())


def test_nothing_is_written_before_a_flush(folder):
    """The caller must first prove that this attempt is still the current one."""
    rejects = Rejects(folder, attempt=1)
    for row in range(1, module.PART_ROWS + 1):
        assert not rejects.full
        rejects.add(rejection_line(rejection(row)))

    assert rejects.full
    assert not (folder.exists() and parts(folder))


def test_an_old_attempt_that_wakes_up_overwrites_nothing(folder):
    old = fill(folder, rejection(1))
    fill(folder, rejection(2), rejection(3), attempt=2, keep=lambda row, _: row == 1)
    put(old, rejection(9))
    old.flush()

    assert sorted(rows(folder)) == [1, 2, 3, 9]


def test_an_old_attempt_that_wakes_up_removes_nothing(folder):
    newer = Rejects(folder, attempt=3, keep=lambda row, _: row < 5)
    newer.add(rejection_line(rejection(7)))
    newer.flush()
    written = read(folder)
    half = folder / f"part-003-000001.ndjson{reject_folders.NEW}"
    with half.open("wb") as opened:
        opened.write(b"half a part")

    Rejects(folder, attempt=2, keep=lambda row, _: row < 5)

    assert [line["row"] for line in written] == [7]
    assert parts(folder) == ["part-003-000000.ndjson", half.name]


def late_part(folder):
    """Let attempt 1 write a part after attempt 2 has opened the folder; return what attempt 2 knew and both."""
    old = Rejects(folder, attempt=1)
    old.add(rejection_line(rejection(1)))
    old.flush()
    newer = Rejects(folder, attempt=2, keep=lambda row, _: row <= 1, known=dict(old.known))
    for rejects in (newer, old):
        rejects.add(rejection_line(rejection(2)))
        rejects.flush()
    return newer


def test_what_a_replaced_attempt_writes_late_does_not_count_for_the_next_attempt(folder):
    newer = late_part(folder)

    Rejects(folder, attempt=3, keep=lambda row, _: row <= 2, known=dict(newer.known))

    assert parts(folder) == ["part-001-000000.ndjson", "part-002-000000.ndjson"]
    assert rows(folder) == [1, 2]


def test_what_a_replaced_attempt_writes_late_is_removed_at_the_end(folder):
    late_part(folder).sweep()

    assert parts(folder) == ["part-001-000000.ndjson", "part-002-000000.ndjson"]


def test_an_attempt_that_comes_back_goes_on_with_the_next_number(folder, monkeypatch):
    monkeypatch.setattr(module, "PART_ROWS", 2)
    fill(folder, *(rejection(row) for row in range(1, 6)), attempt=2)

    rejects = fill(folder, rejection(4), rejection(5), attempt=2, keep=lambda row, _: row <= 3)

    assert rows(folder) == [1, 2, 3, 4, 5]
    assert parts(folder) == [f"part-002-{number:06d}.ndjson" for number in (0, 1, 3)]
    assert rejects.parts == 3


def test_a_part_whose_lines_all_stand_is_not_written_again(tmp_path):
    folder = tmp_path / "run"
    fill(folder, rejection(1), rejection(2))
    [part] = folder.iterdir()
    before = part.stat()

    rejects = fill(folder, attempt=2, keep=lambda _row, _stage: True)

    assert (part.stat().st_ino, part.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert rejects.parts == 1


def test_a_large_part_is_cleaned_in_little_memory(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    line = rejection_line(rejection(1, keys={"order": "x" * 4_000}))
    other = rejection_line(rejection(2))
    with (folder / "part-001-000000.ndjson").open("wb") as part:
        for _ in range(15_000):
            part.write(line)
        part.write(other)

    tracemalloc.start()
    try:
        Rejects(folder, attempt=2, keep=lambda row, _: row == 1)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert most < 8_000_000
    with (folder / "part-001-000000.ndjson").open("rb") as part:
        assert sum(1 for _ in part) == 15_000


class TestTheFolderOfAnEarlierVersion:
    @pytest.fixture
    def earlier(self, folder):
        """What an attempt before an upgrade left, in the folder that it used."""
        old = folder.parent / "old"
        fill(old, *(rejection(row) for row in range(1, 5)))
        [part] = old.iterdir()
        with (old / "part-000000000.ndjson").open("wb") as renamed:
            renamed.write(content(part))
        part.unlink()
        return old

    def test_what_stands_is_copied_and_nothing_is_deleted(self, folder, earlier):
        before = read(earlier)
        rejects = fill(folder, rejection(4), attempt=2, keep=lambda row, _: row <= 3, earlier=[earlier])

        assert rows(folder) == [1, 2, 3, 4]
        assert read(earlier) == before
        assert rejects.parts == 2

    def test_it_is_copied_only_once(self, folder, earlier):
        """A row that this version has settled since must not stand twice."""
        fill(folder, rejection(4), attempt=2, keep=lambda row, _: row <= 3, earlier=[earlier])
        fill(folder, attempt=2, keep=lambda _row, _stage: True, earlier=[earlier])
        fill(folder, attempt=3, keep=lambda _row, _stage: True, earlier=[earlier])

        assert rows(folder) == [1, 2, 3, 4]

    def test_it_is_not_copied_later_if_nothing_stood_at_first(self, folder, earlier):
        rejects = fill(folder, rejection(1), attempt=2, earlier=[earlier])
        assert rejects.parts == 1
        fill(folder, attempt=3, earlier=[earlier], keep=lambda _row, _stage: True)

        assert rows(folder) == [1]

    def test_it_is_not_copied_again_after_a_run_started_over(self, folder, earlier):
        fill(folder, attempt=2, keep=lambda _row, _stage: True, earlier=[earlier])
        fill(folder, rejection(1), attempt=3, earlier=[earlier])
        fill(folder, attempt=4, keep=lambda _row, _stage: True, earlier=[earlier])

        assert rows(folder) == [1]

    def test_a_crash_while_it_is_copied_copies_it_the_next_time(self, folder, earlier):
        def die(row, _):
            if row == 3:
                raise WorkerKilledError
            return True

        with pytest.raises(WorkerKilledError):
            fill(folder, attempt=2, keep=die, earlier=[earlier])
        fill(folder, attempt=3, keep=lambda _row, _stage: True, earlier=[earlier])

        assert rows(folder) == [1, 2, 3, 4]
        assert not [name for name in parts(folder) if not name.endswith(".ndjson")]

    def test_one_that_does_not_exist_leaves_no_trace(self, folder):
        Rejects(folder, attempt=1, earlier=[folder.parent / "never"])

        assert not folder.exists()


def test_what_an_earlier_try_had_settled_is_kept_and_the_rest_is_gone(folder, monkeypatch):
    monkeypatch.setattr(module, "PART_ROWS", 2)
    fill(folder, *(rejection(row) for row in range(1, 8)))

    fill(folder, rejection(5), rejection(6), keep=lambda row, _stage: row <= 4 or row == 7)

    assert sorted(rows(folder)) == [1, 2, 3, 4, 5, 6, 7]
    assert all(name.startswith("part-") and name.endswith(".ndjson") for name in parts(folder))


def test_a_row_s_stage_decides_too(folder):
    fill(folder, rejection(1, Stage.VALIDATION), rejection(2, Stage.PINTEREST))

    fill(folder, keep=lambda _row, stage: stage != Stage.VALIDATION)

    assert rows(folder) == [2]


def test_a_run_that_starts_over_leaves_nothing_of_the_earlier_try(folder, monkeypatch):
    monkeypatch.setattr(module, "PART_ROWS", 2)
    fill(folder, *(rejection(row) for row in range(1, 8)))

    fill(folder, rejection(1))

    assert rows(folder) == [1]


def test_what_the_user_put_beside_the_parts_is_left_alone(folder):
    fill(folder, rejection(1))
    with (folder / "notes.txt").open("wb") as notes:
        notes.write(b"mine")

    fill(folder)

    assert parts(folder) == ["notes.txt"]


def test_a_line_cut_off_by_a_crash_counts_as_not_written(folder):
    """It was not settled: a checkpoint is written only after the whole part is safe."""
    fill(folder, rejection(1), rejection(2))
    part = folder / parts(folder)[0]
    whole = content(part)
    with part.open("wb") as cut:
        cut.write(whole[: len(whole) - 20])

    fill(folder, rejection(2), keep=lambda row, _: row <= 1)

    assert rows(folder) == [1, 2]


class WorkerKilledError(BaseException):
    """The worker died."""


@pytest.mark.parametrize("survives", range(14))
def test_a_crash_while_an_earlier_part_is_cleaned_loses_no_settled_line(tmp_path, monkeypatch, survives):
    """Whichever step of it is the last; the try after that mends again."""
    monkeypatch.setattr(module, "PART_ROWS", 2)
    folder = tmp_path / "run"
    fill(folder, *(rejection(row) for row in range(1, 8)))
    left = survives

    def deadly(function):
        def call(*args, **kwargs):
            nonlocal left
            left -= 1
            if left < 0:
                raise WorkerKilledError
            return function(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for owner, name in ((os, "fsync"), (os, "rename"), (os, "unlink")):
            patch.setattr(owner, name, deadly(getattr(owner, name)))
        try:
            Rejects(folder, attempt=2, keep=lambda row, _: row in (1, 4, 5))
        except WorkerKilledError:
            pass
        else:
            assert survives > 8

    fill(folder, rejection(2), keep=lambda row, _: row in (1, 4, 5))

    assert sorted(rows(folder)) == [1, 2, 4, 5]


def test_a_crash_while_a_part_is_written_leaves_no_half_part(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    rejects = fill(folder, rejection(1))
    rejects.add(rejection_line(rejection(2)))

    def die(_):
        raise WorkerKilledError

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", die)
        with pytest.raises(WorkerKilledError):
            rejects.flush()
    assert [json.loads(one)["row"] for part in folder.glob("*.ndjson") for one in content(part).splitlines()] == [1]

    fill(folder, rejection(2), keep=lambda row, _: row <= 1)

    assert rows(folder) == [1, 2]
    assert all(name.endswith(".ndjson") for name in parts(folder))


def test_a_full_disk_fails_the_flush_and_what_waits_is_kept(tmp_path, monkeypatch):
    rejects = fill(tmp_path / "run", rejection(1))
    rejects.add(rejection_line(rejection(2)))

    def full(*_):
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            rejects.flush()
    rejects.flush()

    assert rows(tmp_path / "run") == [1, 2]


@pytest.mark.parametrize(
    "parts",
    [
        ("../../etc", "run", "task"),
        ("dag", "..", "."),
        ("dag", "/absolute", "task"),
        ("dag", "a\\b", "c:d"),
        ("dag", "new\nline", "nul\0"),
        ("dag", "https://host?x=y#z", "%2e%2e%2f"),
    ],
)
def test_what_identifies_a_run_cannot_lead_out_of_the_folder(tmp_path, parts):
    name = folder_name(*parts)

    assert (tmp_path / name).resolve().parent == tmp_path.resolve()
    assert not set(name) & set("/\\:?#%*\n\0")


@given(st.lists(st.text(min_size=1), min_size=2, max_size=4))
def test_any_name_is_a_single_path_component(parts):
    name = folder_name(*parts)

    assert name not in ("", ".", "..")
    assert "/" not in name
    assert "\0" not in name


def test_a_name_can_be_read_and_has_a_hash():
    assert re.fullmatch(r"dag__run__task__0-[0-9a-f]{12}", folder_name("dag", "run", "task", 0))
    assert re.fullmatch(r"dag__run__task-[0-9a-f]{12}", folder_name("dag", "run", "task", ""))


def test_the_name_of_a_run_does_not_change_between_versions():
    assert (
        folder_name("dag", "manual__2026-01-02T03:04:05+00:00", "send", "")
        == "dag__manual__2026-01-02T03_04_05+00_00__send-e81b6058be42"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("dag", "a:b", "t"), ("dag", "a_b", "t")),
        (("dag", "a b", "t"), ("dag", "a/b", "t")),
        (("dag", "a__b", "t"), ("dag__a", "b", "t")),
        (("dag", "run", "t", 0), ("dag", "run", "t__0", "")),
        (("dag", "", "t"), ("dag", "t", "")),
        (("dag", "é", "t"), ("dag", "e\u0301", "t")),
        (("dag", "x" * 300 + "1", "t"), ("dag", "x" * 300 + "2", "t")),
        (("Dag", "run", "t"), ("dag", "run", "t")),
    ],
)
def test_runs_that_differ_at_all_have_folders_of_their_own(one, other):
    assert folder_name(*one).lower() != folder_name(*other).lower()


@given(st.lists(st.text(st.characters(codec=None), min_size=1, max_size=400), min_size=2, max_size=4))
def test_no_name_is_too_long_or_unusual(parts):
    name = folder_name(*parts)

    assert name.isascii()
    assert len(name) <= 140
    assert not name.startswith((".", "-"))


def test_the_name_that_earlier_versions_gave_is_known():
    assert legacy_folder_name("dag", "a:b", "task", 0) == "dag__a_b__task__0"
    assert legacy_folder_name("dag", "run", "task", "") == "dag__run__task"
