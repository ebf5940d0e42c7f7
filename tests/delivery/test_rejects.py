"""Rejections on disk: in parts, for their owner only, and true again after a crash."""

from __future__ import annotations

import errno
import json
import os
import stat
import uuid
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from airflow_provider_pinterest.conversions.events import Rejection, Stage
from airflow_provider_pinterest.conversions.reasons import Reason
from airflow_provider_pinterest.delivery import rejects as module
from airflow_provider_pinterest.delivery.rejects import Rejects, folder_name, line

# Airflow 2.11 asks a path about its future.
pytestmark = pytest.mark.filterwarnings("ignore:in a future version of UPath:PendingDeprecationWarning")


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


def fill(folder, *rejections, settled=None):
    rejects = Rejects(folder, settled)
    for one in rejections:
        rejects.add(one)
    rejects.flush()
    return rejects


def test_a_line_says_which_row_where_it_ended_and_why(folder):
    fill(folder, rejection(7, Stage.PINTEREST))

    assert read(folder) == [
        {
            "row": 7,
            "event_id": "e-7",
            "keys": {"order": 7},
            "reasons": [{"code": "bad_type", "field": "custom_data.value", "message": "no"}],
            "stage": "pinterest",
        }
    ]


def test_a_part_is_written_when_it_is_full_and_the_rest_at_the_end(folder, monkeypatch):
    monkeypatch.setattr(module, "PART_ROWS", 3)
    rejects = Rejects(folder)
    for row in range(1, 8):
        rejects.add(rejection(row))

    assert rows(folder) == [1, 2, 3, 4, 5, 6]

    rejects.flush()
    rejects.flush()

    assert rows(folder) == [1, 2, 3, 4, 5, 6, 7]
    assert len(parts(folder)) == 3


def test_what_an_earlier_try_had_settled_is_kept_and_the_rest_is_gone(folder, monkeypatch):
    monkeypatch.setattr(module, "PART_ROWS", 2)
    fill(folder, *(rejection(row) for row in range(1, 8)))

    fill(folder, rejection(5), rejection(6), settled=lambda row, _stage: row <= 4 or row == 7)

    assert sorted(rows(folder)) == [1, 2, 3, 4, 5, 6, 7]
    assert all(name.startswith("part-") and name.endswith(".ndjson") for name in parts(folder))


def test_a_row_s_stage_decides_too(folder):
    fill(folder, rejection(1, Stage.VALIDATION), rejection(2, Stage.PINTEREST))

    fill(folder, settled=lambda _row, stage: stage != Stage.VALIDATION)

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

    fill(folder, rejection(2), settled=lambda row, _: row <= 1)

    assert rows(folder) == [1, 2]


class KilledError(BaseException):
    """The worker died."""


@pytest.mark.parametrize("survives", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
def test_a_crash_while_an_earlier_try_is_mended_loses_no_settled_line(tmp_path, monkeypatch, survives):
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
                raise KilledError
            return function(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for owner, name in ((os, "open"), (os, "fsync"), (Path, "replace"), (Path, "unlink")):
            patch.setattr(owner, name, deadly(getattr(owner, name)))
        try:
            Rejects(folder, lambda row, _: row in (1, 4, 5))
        except KilledError:
            pass
        else:
            assert survives > 4

    fill(folder, rejection(2), settled=lambda row, _: row in (1, 4, 5))

    assert sorted(rows(folder)) == [1, 2, 4, 5]


def test_a_crash_while_a_part_is_written_leaves_no_half_part(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    rejects = fill(folder, rejection(1))
    rejects.add(rejection(2))

    def die(_):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", die)
        with pytest.raises(KilledError):
            rejects.flush()
    assert [json.loads(one)["row"] for part in folder.glob("*.ndjson") for one in content(part).splitlines()] == [1]

    fill(folder, rejection(2), settled=lambda row, _: row <= 1)

    assert rows(folder) == [1, 2]
    assert all(name.endswith(".ndjson") for name in parts(folder))


def test_a_full_disk_fails_the_flush_and_what_waits_is_kept(tmp_path, monkeypatch):
    rejects = fill(tmp_path / "run", rejection(1))
    rejects.add(rejection(2))

    def full(*_):
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            rejects.flush()
    rejects.flush()

    assert rows(tmp_path / "run") == [1, 2]


def test_local_parts_are_for_their_owner_only_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        folder = tmp_path / "run"
        fill(folder, rejection(1), rejection(2))
        fill(folder, rejection(2), settled=lambda row, _: row == 1)
    finally:
        os.umask(before)

    assert {stat.S_IMODE(part.stat().st_mode) for part in folder.iterdir()} == {0o600}


def test_a_part_of_an_earlier_version_is_closed_to_others_when_it_is_mended(tmp_path):
    folder = tmp_path / "run"
    fill(folder, rejection(1), rejection(2))
    for part in folder.iterdir():
        part.chmod(0o644)

    fill(folder, settled=lambda row, _: row == 1)

    assert {stat.S_IMODE(part.stat().st_mode) for part in folder.iterdir()} == {0o600}


UNWRITABLE = {
    "a lone surrogate in a key column": {"keys": {"name": "a\ud800b"}},
    "a lone surrogate in a key column's name": {"keys": {"\udfff": 1}},
    "a lone surrogate in the id": {"event_id": "\udc80"},
    "a lone surrogate in a reason's field": {"reasons": (Reason("unknown_field", "user_data.\ud800", "no"),)},
    "an integer beyond 64 bits": {"keys": {"id": 2**70}},
    "bytes": {"keys": {"id": b"\xff\x00"}},
    "an object": {"keys": {"id": {1, 2}}},
    "nested": {"keys": {"id": [{"a": "\ud800"}]}},
    "not a number": {"keys": {"id": float("nan")}},
}


@pytest.mark.parametrize("changes", UNWRITABLE.values(), ids=UNWRITABLE)
def test_what_json_cannot_hold_does_not_end_the_run(changes):
    written = line(rejection(3, **changes))

    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    assert json.loads(written)["row"] == 3


CELLS: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.binary()
    | st.dates()
    | st.uuids(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(st.characters(codec=None)), inner, max_size=2),
    max_leaves=3,
)


@given(
    st.text(st.characters(codec=None)) | st.none(),
    st.dictionaries(st.text(st.characters(codec=None)), CELLS, max_size=3),
    st.text(st.characters(codec=None)),
)
def test_any_row_makes_one_line_that_can_be_read_again(event_id, keys, field):
    written = line(rejection(1, event_id=event_id, keys=keys, reasons=(Reason("unknown_field", field, field),)))

    assert len(written.splitlines()) == 1
    document = json.loads(written)
    assert document["row"] == 1
    assert document["stage"] == "validation"


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


def test_a_mapped_task_s_index_is_part_of_the_name_and_none_is_not():
    assert folder_name("dag", "run", "task", 0) == "dag__run__task__0"
    assert folder_name("dag", "run", "task", "") == "dag__run__task"
