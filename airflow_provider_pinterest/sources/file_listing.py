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
from airflow_provider_pinterest.sources.file_patterns import (
    WILDCARDS,
    alternatives,
    in_order,
    is_data,
    is_hidden,
    is_recursive,
)
from airflow_provider_pinterest.sources.formats.file_formats import ENDS, FileFormat, format_of

_password: Final = re.compile(r"(://[^/@:]*:)[^/@]*@").sub

_TABLES: Final = {"_delta_log": "Delta Lake", ".hoodie": "Hudi"}
"""Name of the log in the folder of a table → the format of the table."""

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


class _Entry(NamedTuple):
    """What a folder or a pattern has."""

    path: PathObject
    is_folder: bool


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
    return [found[name] for name in sorted(found, key=in_order)]


def _found(path: PathObject) -> Iterator[SourceFile]:
    base, pattern = _split(path)
    found = list(_matched(base, pattern)) if pattern else []
    if found:
        _refuse_table(base)
        yield from found
    elif _exists(path):  # also if its name has wildcards
        entry = _Entry(path, path.is_dir())
        if entry.is_folder:
            _refuse_table(path)
        yield from _files(entry)


def _matched(base: PathObject, pattern: str) -> Iterator[SourceFile]:
    """Yield the files that a pattern stands for."""
    for one in alternatives(pattern):
        whole = f"{one}/*" if one.endswith("**") else one
        for entry in _matches(base, whole):
            if is_hidden(_below(base, entry.path), whole) or (entry.is_folder and is_recursive(whole)):
                continue
            yield from _files(entry)


def _files(entry: _Entry) -> Iterator[SourceFile]:
    """Yield a file, or the files of a folder."""
    if entry.is_folder:
        yield from _files_in(entry.path)
        return
    found = format_of(entry.path.name)
    if found is None:
        raise ParameterError(
            f"The name of {shown(entry.path)} does not say which format the file has.",
            advice=f"Names must end with {ENDS}",
        )
    found.check()
    yield SourceFile(entry.path, found)


def _files_in(folder: PathObject) -> Iterator[SourceFile]:
    children = {entry.path.name: entry for entry in _children(folder)}
    for log in children.keys() & _TABLES:
        raise _table_error(folder, _TABLES[log])
    for name, entry in children.items():
        if not is_data(name):
            continue
        if entry.is_folder and format_of(name) is None:
            raise ParameterError(
                f"The folder {shown(folder)} has subfolders.",
                advice="To read the files in them as well, name them by a pattern, such as folder/**/*.parquet.",
            )
        yield from _files(entry)


def _below(base: PathObject, path: PathObject) -> str:
    """Return a path without that of a folder above it."""
    return str(path).removeprefix("" if str(base) == "." else str(base))


def _split(path: PathObject) -> tuple[PathObject, str]:
    """Return the part of a path before its first wildcard, and the pattern after it."""
    names: list[str] = []
    base: Any = path
    while any(character in str(base) for character in WILDCARDS) and base.parent != base:
        names.insert(0, base.name)
        base = base.parent
    return base, "/".join(names)


def _matches(base: Any, pattern: str) -> list[_Entry]:
    """Return what matches a pattern."""
    try:
        if not _has_store(base):
            return [_Entry(one, one.is_dir()) for one in base.glob(pattern)]
        found = base.fs.glob(f"{base.path.rstrip('/')}/{pattern}", detail=True)
    except FileNotFoundError:
        return []
    return [_Entry(base / _below_key(base, key), about["type"] == "directory") for key, about in found.items()]


def _forget(path: Any) -> None:
    """Forget what a store's library knows of its files, because a process may have listed them long ago."""
    if _has_store(path):
        path.fs.invalidate_cache()


def _exists(path: PathObject) -> bool:
    """Return whether there is a file or a folder. ``is_file`` would not tell a missing file from a denied request."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _may_exist(path: PathObject) -> bool:
    """Return whether there is a file or a folder; false if it cannot be found out."""
    try:
        return _exists(path)
    except Exception:  # noqa: BLE001 - a folder above the files may be off limits
        return False


def _probe(path: PathObject) -> None:
    """List the folder of a path, because a pattern matches nothing where a request is denied."""
    base, pattern = _split(path)
    folder: Any = base if pattern else path.parent
    with suppress(FileNotFoundError, NotADirectoryError):
        if _has_store(folder):
            folder.fs.ls(folder.path)  # iterdir may turn a denied request into "not a folder"
        else:
            next(iter(folder.iterdir()), None)


def _refuse_table(folder: Any) -> None:
    """Refuse the files of a table whose format keeps deleted rows in them.

    :param folder: the folder, or a partition of it.
    """
    while "=" in folder.name:
        folder = folder.parent
    for log, kind in _TABLES.items():
        if _may_exist(folder / log):
            raise _table_error(folder, kind)


def _table_error(folder: object, kind: str) -> ParameterError:
    return ParameterError(
        f"{shown(folder)} is a {kind} table. Its files also hold rows that were deleted or replaced.",
        advice="Read the table with a query, sql, or export its rows into files.",
    )


def _children(folder: Any) -> Iterator[_Entry]:
    """Yield what is in a folder, without the empty object that some programs store for the folder itself."""
    if not _has_store(folder):
        yield from (_Entry(one, one.is_dir()) for one in folder.iterdir())
        return
    for about in folder.fs.ls(folder.path, detail=True):
        name = _below_key(folder, about["name"])
        if name:
            yield _Entry(folder / name, about["type"] == "directory")


def _below_key(folder: Any, key: str) -> str:
    """Return a store's name of a file, without that of a folder above it."""
    return key.strip("/").removeprefix(folder.path.strip("/")).strip("/")


def _has_store(path: object) -> bool:
    """Return whether a path has a store that lists names together with their types."""
    return not is_local(path) and hasattr(path, "fs")


def is_local(path: object) -> bool:
    """Return whether a path is on this machine."""
    return getattr(path, "protocol", "") in ("", "file", "local")
