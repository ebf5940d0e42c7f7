"""Finds the files of a path: one file, the files of a folder, or those that match a pattern."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, Protocol, runtime_checkable

from airflow_provider_pinterest.exceptions import ParameterError, SourceError
from airflow_provider_pinterest.redaction import clean
from airflow_provider_pinterest.sources.formats.file_formats import FORMATS, FileFormat, format_of

WILDCARDS: Final = "*?["

_password: Final = re.compile(r"(://[^/@:]*:)[^/@]*@").sub

_HIDDEN: Final = ("_", ".")
"""First characters of names that are not data, such as ``_SUCCESS`` and ``_temporary`` of Spark."""

_ADVICE: Final = (
    "Check the path, and check that the job that writes the files has ended. If a run may have no rows, let that job "
    "write an empty file."
)


@runtime_checkable
class PathObject(Protocol):
    """A path with these methods, such as ``pathlib.Path``, ``upath.UPath`` or Airflow's ``ObjectStoragePath``."""

    def __truediv__(self, name: str, /) -> Any: ...
    def open(self, mode: str, /) -> IO[bytes]: ...  # noqa: D102
    def is_dir(self) -> bool: ...  # noqa: D102
    def stat(self) -> Any: ...  # noqa: D102
    def iterdir(self) -> Iterable[Any]: ...  # noqa: D102
    def glob(self, pattern: str, /) -> Iterable[Any]: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def parent(self) -> Any: ...  # noqa: D102


class SourceFile(NamedTuple):
    """A file to read."""

    path: PathObject
    format: FileFormat

    @property
    def shown(self) -> str:
        """Its path, for messages."""
        return shown(self.path)


def shown(path: object) -> str:
    """Return a path for messages, on one line, without a password."""
    return _password(r"\1…@", " ".join(str(path).split())[:500])


def paths_of(given: object) -> Sequence[PathObject]:
    """Return the path objects of a parameter: one path, or a list of them.

    :raises ParameterError: it is something else.
    """
    several = given if isinstance(given, Sequence) and not isinstance(given, (str, bytes)) else [given]
    if not several:
        raise ParameterError("path: expected at least one path, got an empty list.")
    return [_path_of(one) for one in several]


def _path_of(given: object) -> PathObject:
    if isinstance(given, str) and "://" in given:
        raise ParameterError("path must be a local path, or a path object that opens the URL, such as a UPath.")
    if isinstance(given, PathObject):
        return given
    if isinstance(given, (str, os.PathLike)) and str(given).strip():
        return Path(given)
    raise ParameterError(f"path must be a path or a list of paths, got {type(given).__name__}.")


def files_of(paths: Iterable[PathObject]) -> list[SourceFile]:
    """Return the files of some paths, each once, in the order of their paths.

    :raises SourceError: there is no file for one of the paths, or a folder cannot be listed.
    :raises ParameterError: the format of a file is unknown.
    """
    found: dict[str, SourceFile] = {}
    for path in paths:
        try:
            _forget(path)
            files = list(_found(path))
            if not files:
                _probe(path)
        except (ParameterError, SourceError):
            raise
        except Exception as error:  # noqa: BLE001 - every store has its own exceptions
            raise SourceError(
                f"The files of {shown(path)} cannot be listed: {type(error).__name__}: {clean(error)}",
                advice="Check the path, the store's credentials, and that the package for this store is installed.",
            ) from None
        if not files:
            raise SourceError(f"No file matches {shown(path)}.", advice=_ADVICE)
        found |= {str(file.path): file for file in files}
    return [found[name] for name in sorted(found)]


def _found(path: PathObject) -> Iterator[SourceFile]:
    base, pattern = _split(path)
    if pattern:
        named_hidden = pattern.rpartition("/")[2].startswith(_HIDDEN)
        for one in _matches(base, pattern):
            if named_hidden or not _is_hidden(one, base):
                yield from _expanded(one)
    elif _exists(path):
        yield from _files_in(path) if path.is_dir() else _expanded(path)


def _split(path: PathObject) -> tuple[PathObject, str]:
    """Return the part of a path before its first wildcard, and the pattern after it."""
    names: list[str] = []
    base: Any = path
    while any(character in str(base) for character in WILDCARDS) and base.parent != base:
        names.insert(0, base.name)
        base = base.parent
    return base, "/".join(names)


def _matches(base: PathObject, pattern: str) -> Iterable[Any]:
    try:
        return list(base.glob(pattern))
    except FileNotFoundError:
        return ()


def _forget(path: Any) -> None:
    """Forget what a store's library knows of its files, because a process may have listed them long ago."""
    if not is_local(path) and hasattr(path, "fs"):
        path.fs.invalidate_cache()


def _exists(path: PathObject) -> bool:
    """Return whether there is a file or a folder. ``is_file`` would not tell a missing file from a denied request."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _probe(path: PathObject) -> None:
    """List the folder of a path, because a pattern matches nothing where a request is denied."""
    base, pattern = _split(path)
    folder: Any = base if pattern else path.parent
    with suppress(FileNotFoundError, NotADirectoryError):
        if not is_local(path) and hasattr(folder, "fs"):
            folder.fs.ls(folder.path)  # iterdir may turn a denied request into "not a folder"
        else:
            next(iter(folder.iterdir()), None)


def _is_hidden(path: Any, base: Any) -> bool:
    """Return whether a path, or a folder above it that a wildcard found, is not data."""
    start = "" if str(base) == "." else str(base)
    below = str(path).removeprefix(start).strip("/").split("/")
    return any(name.startswith(_HIDDEN) for name in below)


def _expanded(path: PathObject) -> Iterator[SourceFile]:
    """Yield a file, or the files of a folder whose name a pattern matched."""
    found = format_of(path.name)
    if found is not None and not (is_local(path) and path.is_dir()):
        found.check()
        yield SourceFile(path, found)
    elif path.is_dir():
        yield from _files_in(path)
    else:
        raise ParameterError(
            f"The name of {shown(path)} does not say which format the file has.",
            advice=f"Names must end with {', '.join(FORMATS)}.",
        )


def _files_in(folder: PathObject) -> Iterator[SourceFile]:
    for path in _children(folder):
        if path.name.startswith(_HIDDEN):
            continue
        if format_of(path.name) is None and path.is_dir():
            raise ParameterError(
                f"The folder {shown(folder)} has subfolders.",
                advice="To read the files in them as well, name them by a pattern, such as folder/**/*.parquet.",
            )
        yield from _expanded(path)


def _children(folder: Any) -> Iterator[Any]:
    """Yield what is in a folder, without the empty object that some programs store for the folder itself."""
    if is_local(folder) or not hasattr(folder, "fs"):
        yield from folder.iterdir()
        return
    for key in folder.fs.ls(folder.path, detail=False):
        if key.strip("/") != folder.path.strip("/"):
            yield folder / key.strip("/").rpartition("/")[2]


def is_local(path: object) -> bool:
    """Return whether a path is on this machine."""
    return getattr(path, "protocol", "") in ("", "file", "local")
