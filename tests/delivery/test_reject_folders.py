"""A rejects folder is for its owner only, follows no links, and no bucket is ever created."""

from __future__ import annotations

import io
import os
import stat
from contextlib import contextmanager

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_pinterest.delivery.reject_folders import whole_lines
from airflow_provider_pinterest.delivery.rejects import Rejects

# Airflow 2.11 asks a path about its future.
LINE = b'{"row": 1, "stage": "validation"}\n'


def everything(_row, _stage):
    return True


@pytest.fixture(params=["local", "file"])
def base(request, tmp_path):
    """The same folder on this machine, of ``pathlib`` or as Airflow names it."""
    return tmp_path if request.param == "local" else ObjectStoragePath(f"file://{tmp_path}")


def write(folder, keep=None):
    rejects = Rejects(folder, attempt=1, keep=keep)
    rejects.probe()
    rejects.add(LINE)
    rejects.flush()
    return rejects


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077])
def _umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_umask")
def test_folders_and_files_are_for_their_owner_only_whatever_the_umask(base, tmp_path):
    write(base / "rejects" / "run")
    write(base / "rejects" / "run", keep=lambda row, _: row == 1)

    assert {mode(path) for path in tmp_path.rglob("*") if path.is_dir()} == {0o700}
    assert {mode(path) for path in tmp_path.rglob("*") if path.is_file()} == {0o600}


def test_a_folder_that_was_there_keeps_its_mode(base, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "run").mkdir(mode=0o750)

    write(base / "run")

    assert mode(tmp_path) == 0o755
    assert mode(tmp_path / "run") == 0o750


def test_a_kept_part_that_others_can_read_is_closed_to_them(base, tmp_path):
    write(base / "run")
    [part] = (tmp_path / "run").iterdir()
    part.chmod(0o644)

    Rejects(base / "run", attempt=2, keep=everything)

    assert mode(part) == 0o600


@pytest.mark.parametrize("bits", [0o720, 0o702, 0o777])
def test_a_folder_that_others_can_write_to_is_refused(base, tmp_path, bits):
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(bits)

    with pytest.raises(OSError, match=r"chmod go-w .*run.*, or set another rejects_path"):
        write(base / "run")

    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(base, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12_345, -1)

    with pytest.raises(OSError, match=r"belongs to another user .*\n.*Set another rejects_path"):
        write(base / "run")

    assert list(folder.iterdir()) == []


def test_a_shared_folder_above_it_is_normal(base, tmp_path):
    tmp_path.chmod(0o1777)

    assert write(base / "run").parts == 1


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_in_the_place_of_the_folder_is_refused(base, tmp_path, exists):
    target = tmp_path / "target"
    if exists:
        target.mkdir()
    (tmp_path / "run").symlink_to(target)

    with pytest.raises(OSError, match="is a link"):
        write(base / "run")

    assert not exists or list(target.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_refused(base, tmp_path):
    (tmp_path / "run").write_bytes(b"mine")

    with pytest.raises(OSError, match="rejects folder"):
        write(base / "run")

    assert (tmp_path / "run").read_bytes() == b"mine"


def test_links_above_the_folder_are_the_user_s_own_business(base, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "rejects").symlink_to(tmp_path / "disk")

    write(base / "rejects" / "run")

    assert len(list((tmp_path / "disk" / "run").iterdir())) == 1


PLANTED = ["part-001-000000.ndjson", "part-001-000000.ndjson.new", "part-001-probe.new", "part-001-probe.new.new"]


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("late", [False, True], ids=["before the start", "before the first write"])
@pytest.mark.parametrize("keep", [None, everything], ids=["from the start", "going on"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_planted_link_is_never_followed(base, tmp_path, name, late, keep, exists):
    victim = tmp_path / "victim"
    if exists:
        victim.write_bytes(LINE)
        victim.chmod(0o644)
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    if not late:
        (folder / name).symlink_to(victim)
    try:
        rejects = Rejects(base / "run", attempt=1, keep=keep)
        if late:
            (folder / name).symlink_to(victim)
        rejects.probe()
        rejects.add(LINE * 2)
        rejects.flush()
    except OSError as error:
        assert "is a link" in str(error) or "not a regular file" in str(error)  # noqa: PT017 - either it is refused or it works

    assert victim.exists() is exists
    assert not exists or (victim.read_bytes() == LINE and mode(victim) == 0o644)
    assert not [found for found in folder.iterdir() if found.name != name and found.is_symlink()]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["a pipe", "a folder"])
def test_what_is_no_file_is_refused_at_once(base, tmp_path, make):
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    make(folder / "part-001-000000.ndjson")

    with pytest.raises(OSError, match="not a regular file"):
        Rejects(base / "run", attempt=2, keep=everything)


def test_an_earlier_folder_of_another_kind_is_not_read(base, tmp_path, caplog):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "part-000000000.ndjson").write_bytes(LINE)
    (tmp_path / "old").symlink_to(tmp_path / "elsewhere")

    rejects = Rejects(base / "run", attempt=2, earlier=[base / "old"], keep=everything)

    assert rejects.parts == 0
    assert "is a link" in caplog.text


class BucketStore:
    """A store of objects in buckets. As with s3fs, ``mkdir`` creates a bucket, and closing a file stores it."""

    def __init__(self, bucket=True, protocol="s3", error=None, needs_folder=False):
        self.objects: dict[str, bytes] = {}
        self.bucket = bucket
        self.made = False
        self.protocol = protocol
        self.error = error or FileNotFoundError("NoSuchBucket")
        self.needs_folder = needs_folder
        self.can_remove = True

    def check(self):
        if not self.bucket or (self.needs_folder and not self.made):
            raise self.error


class Path:
    def __init__(self, store, name="run"):
        self.store = store
        self.name = name
        self.protocol = store.protocol

    def __str__(self):
        return f"{self.protocol}://bucket/{self.name}"

    def __truediv__(self, name):
        return Path(self.store, name)

    def mkdir(self, *, parents, exist_ok):
        self.store.bucket = self.store.made = True

    def iterdir(self):
        self.store.check()
        return [self / name for name in self.store.objects]

    def open(self, mode):
        self.store.check()
        return io.BytesIO(self.store.objects[self.name]) if mode == "rb" else self._writing()

    @contextmanager
    def _writing(self):
        content = io.BytesIO()
        try:
            yield content
        finally:  # as fsspec does, even after an error
            self.store.objects[self.name] = content.getvalue()

    def unlink(self):
        if not self.store.can_remove:
            raise PermissionError("AccessDenied")
        del self.store.objects[self.name]


class AccessError(Exception):
    """Not an ``OSError``, as gcsfs and the Azure libraries raise."""


@pytest.mark.parametrize("error", [FileNotFoundError("NoSuchBucket"), AccessError("404 nobody@example.com")])
def test_a_bucket_that_does_not_exist_is_an_error_and_is_not_created(error):
    store = BucketStore(bucket=False, error=error)

    with pytest.raises(OSError, match=r"s3://bucket/run cannot be|Could not list") as raised:
        write(Path(store))

    assert not store.bucket
    assert store.objects == {}
    assert "@" not in str(raised.value)


def test_a_proven_bucket_holds_nothing_of_the_proof():
    store = BucketStore()

    Rejects(Path(store), attempt=1).probe()

    assert store.objects == {}


def test_a_bucket_in_which_nothing_can_be_removed_is_an_error():
    store = BucketStore()
    store.can_remove = False

    with pytest.raises(OSError, match=r"s3://bucket/run cannot be written to .*\n.*Check rejects_path"):
        Rejects(Path(store), attempt=1).probe()


def test_a_remote_store_with_real_folders_gets_the_folder():
    store = BucketStore(protocol="sftp", needs_folder=True)

    write(Path(store))

    assert len(store.objects) == 1


def test_an_error_while_a_part_is_read_leaves_the_stored_one_whole():
    store = BucketStore()
    store.objects["part-001-000000.ndjson"] = LINE * 3
    seen = []

    def keep(row, stage):
        seen.append(row)
        if len(seen) == 5:
            raise OSError("connection lost")
        return len(seen) != 1

    with pytest.raises(OSError, match="connection lost"):
        Rejects(Path(store), attempt=2, keep=keep)

    assert store.objects["part-001-000000.ndjson"] == LINE * 3


def test_a_folder_that_cannot_be_created_is_an_error(base, tmp_path):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(OSError, match="rejects"):
        write(base / "file" / "run")


def test_a_local_folder_is_proven_and_left_empty(base, tmp_path):
    Rejects(base / "deep" / "run", attempt=1).probe()

    assert list((tmp_path / "deep" / "run").iterdir()) == []


def test_lines_are_read_in_blocks_and_monstrous_ones_are_not_kept_in_memory():
    blocks = iter([b"a\nb", b"c\n\nd", *[b"x" * 1_000_000] * 40, b"x\ne\n", b"f", b""])
    most = 0

    for line in whole_lines(lambda _: next(blocks)):
        most = max(most, len(line))
        assert line in (b"a\n", b"bc\n", b"\n", b"", b"e\n", b"f")

    assert most < 10
