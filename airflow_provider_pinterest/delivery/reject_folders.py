"""Folders for rejects: on this machine, readable by their owner only, or in an object store."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Final, Protocol

from airflow_provider_pinterest.exceptions import RejectsError
from airflow_provider_pinterest.redaction import clean

NEW: Final = ".new"
"""Suffix of a file that is not complete yet."""

_BLOCK: Final = 1024 * 1024
"""Bytes that are read at once."""

_LONGEST: Final = 16 * 1024 * 1024
"""The longest line that is read, in bytes."""

_IN_MEMORY: Final = 8 * 1024 * 1024
"""Bytes of a part that wait in memory for an object store; more wait in a temporary file."""

_WITH_FOLDERS: Final = frozenset({"ftp", "hdfs", "arrow_hdfs", "webhdfs", "sftp", "ssh", "smb"})
"""Remote stores with real folders, which must exist before a file is written; they have no buckets."""


class Folder(Protocol):
    """A path with these methods, such as ``pathlib.Path``, ``upath.UPath`` or Airflow's ``ObjectStoragePath``."""

    def __truediv__(self, name: str, /) -> Folder: ...
    def open(self, mode: str) -> IO[bytes]: ...  # noqa: D102
    def mkdir(self, *, parents: bool, exist_ok: bool) -> None: ...  # noqa: D102
    def iterdir(self) -> Iterable[Folder]: ...  # noqa: D102
    def unlink(self) -> None: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102


class UnsafeFolderError(RejectsError):
    """Another user may have put files or links into the folder."""


class PartStore(Protocol):
    """A folder that holds parts. Every method may raise ``OSError``."""

    def names(self) -> list[str]:
        """Return the names of all files; an empty list if the folder does not exist."""

    def lines(self, name: str) -> Iterator[bytes]:
        r"""Yield a file's lines. A line that does not end with ``\n`` is not complete."""

    def write(self, name: str, lines: Iterable[bytes]) -> None:
        """Write a file, complete or not at all, and create the folder if that is allowed."""

    def remove(self, name: str) -> None:
        """Remove a file."""


def part_store(folder: Folder, *, ours: bool = True) -> PartStore:
    """Return access to a folder.

    :param ours: whether the folder must be writable by this user alone.
    """
    if getattr(folder, "protocol", "") in ("", "file", "local"):
        return LocalParts(str(getattr(folder, "path", folder)), ours=ours)
    return StoredParts(folder)


class LocalParts:
    """A folder on this machine.

    Each method opens the folder, checks who may write to it, and addresses files relative to the open folder, so nobody
    can replace the folder with a link in between.
    """

    def __init__(self, path: str, *, ours: bool) -> None:
        self._path = Path(path)  # without a final slash, which would follow a link
        self._ours = ours

    def names(self) -> list[str]:
        """Return the names of all files; none if the folder does not exist."""
        try:
            with self._opened() as folder:
                return os.listdir(folder)  # noqa: PTH208 - of an open folder
        except (FileNotFoundError, NotADirectoryError):  # the latter: a file further up
            return []

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield a file's lines."""
        with self._opened() as folder:
            try:
                # A pipe instead of a file must not block.
                part = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
            except OSError as error:
                raise self._not_a_file(name) if error.errno == errno.ELOOP else error from None
        try:
            mode = os.fstat(part).st_mode
            if not stat.S_ISREG(mode):
                raise self._not_a_file(name)
            if self._ours and mode & 0o077:
                os.fchmod(part, 0o600)
            yield from whole_lines(lambda size: os.read(part, size))
        finally:
            os.close(part)

    def write(self, name: str, lines: Iterable[bytes]) -> None:
        """Write a file that only its owner can read, and wait until it is on the disk."""
        new = f"{name}{NEW}"
        _make_private(self._path)
        with self._opened() as folder:
            with suppress(FileNotFoundError):
                os.unlink(new, dir_fd=folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            try:
                with os.fdopen(os.open(new, flags, 0o600, dir_fd=folder), "wb") as part:
                    part.writelines(lines)
                    part.flush()
                    os.fsync(part.fileno())
                os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                with suppress(OSError):
                    os.unlink(new, dir_fd=folder)
                raise
            with suppress(OSError):  # not every file system can
                os.fsync(folder)

    def remove(self, name: str) -> None:
        """Remove a file, or a link without following it."""
        with self._opened() as folder:
            os.unlink(name, dir_fd=folder)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR) and os.path.lexists(self._path):
                raise UnsafeFolderError(
                    f"The rejects folder {self._path} is a link or a file, not a folder.",
                    advice="Remove it, or set another rejects_path.",
                ) from None
            raise
        try:
            self._check(os.fstat(folder))
            yield folder
        finally:
            os.close(folder)

    def _check(self, found: os.stat_result) -> None:
        if found.st_uid != os.geteuid():
            raise UnsafeFolderError(
                f"The rejects folder {self._path} belongs to another user (uid {found.st_uid}; this task runs as uid "
                f"{os.geteuid()}).",
                advice="Set another rejects_path, or remove the folder.",
            )
        if self._ours and found.st_mode & 0o022:
            raise UnsafeFolderError(
                f"Other users can write to the rejects folder {self._path}.",
                advice=f"Check its files and run chmod go-w {self._path}, or set another rejects_path.",
            )

    def _not_a_file(self, name: str) -> UnsafeFolderError:
        return UnsafeFolderError(
            f"{self._path / name} is not a regular file.", advice="Remove it, or set another rejects_path."
        )


class StoredParts:
    """A folder of an object store, where a file appears when it is closed.

    Buckets and containers are never created, so that a mistyped name is an error.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._to_make = getattr(folder, "protocol", "") in _WITH_FOLDERS

    def names(self) -> list[str]:
        """Return the names of all files; none if the folder does not exist."""
        with suppress(FileNotFoundError, NotADirectoryError), _as_os_error("list", self._folder):
            return [found.name for found in self._folder.iterdir()]
        return []

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield a file's lines."""
        path = self._folder / name
        with _as_os_error("read", path), path.open("rb") as part:
            yield from whole_lines(part.read)  # the files of Airflow 2.11 cannot be iterated

    def write(self, name: str, lines: Iterable[bytes]) -> None:
        """Write a file once all of its lines are known, so that an error among them leaves an older file unchanged."""
        path = self._folder / name
        with SpooledTemporaryFile(_IN_MEMORY) as spool:
            spool.writelines(lines)
            spool.seek(0)
            with _as_os_error("write", path):
                if self._to_make:
                    self._folder.mkdir(parents=True, exist_ok=True)
                    self._to_make = False
                with path.open("wb") as part:
                    part.writelines(iter(lambda: spool.read(_IN_MEMORY), b""))

    def remove(self, name: str) -> None:
        """Remove a file."""
        path = self._folder / name
        with _as_os_error("remove", path):
            path.unlink()


def whole_lines(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield lines from blocks. Only the last line may lack its line end; a line that is too long is empty."""
    rest, skipping = b"", False
    while block := read(_BLOCK):
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield b"" if skipping else line + b"\n"
            skipping = False
        if len(rest) > _LONGEST:
            rest, skipping = b"", True
    if rest or skipping:
        yield b"" if skipping else rest


def _make_private(path: Path) -> None:
    """Create a folder, and the folders above it that do not exist, for their owner only."""
    try:
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
    except FileNotFoundError:
        _make_private(path.parent)
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)


@contextmanager
def _as_os_error(action: str, path: Folder) -> Iterator[None]:
    """Turn the exceptions of a store's library into ``OSError``, with a text that is safe to log."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - every store has its own exceptions
        raise OSError(f"Could not {action} {path}: {type(error).__name__}: {clean(error)}") from None
