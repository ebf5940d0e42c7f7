"""Writes the rows that did not become processed events, as NDJSON for people and programs.

Each run has its own folder. It writes the folder in parts, because object stores cannot append. The name of a part
starts with the attempt that wrote it, so that an old attempt that wakes up cannot overwrite the parts of a newer one. A
later attempt keeps the lines that are still valid and writes the others again.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from airflow_provider_pinterest.delivery.reject_folders import NEW, Folder, PartStore, UnsafeFolderError, part_store
from airflow_provider_pinterest.delivery.rejection_lines import row_and_stage
from airflow_provider_pinterest.exceptions import RejectsError
from airflow_provider_pinterest.redaction import clean

log = logging.getLogger(__name__)

PART_ROWS: Final = 5_000
"""Largest number of lines in a part."""

PART_BYTES: Final = 4 * 1024 * 1024
"""Size in bytes at which a part is full."""

NAME_BYTES: Final = 120
"""The longest readable part of a folder's name."""

_PART: Final = re.compile(r"part-(\d+)-(\d+)\.ndjson")
_ATTEMPT: Final = re.compile(r"part-(\d+)-")

_COPIED: Final = "part-000-000000.ndjson"
"""Holds the lines copied from earlier folders. It is kept even when empty, so that nothing is copied twice."""

Keep = Callable[[int, str], bool]


def folder_name(*parts: object) -> str:
    """Return the folder name of a run: readable, and different for different parts."""
    readable = re.sub(r"[^\w.+-]+", "_", legacy_folder_name(*parts), flags=re.ASCII)[:NAME_BYTES].lstrip(".-")
    digest = hashlib.sha256()
    for part in parts:
        raw = ("" if part is None else str(part)).encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(raw) + raw)
    return f"{readable or 'run'}-{digest.hexdigest()[:12]}"


def legacy_folder_name(*parts: object) -> str:
    """Return the name that earlier versions gave a run's folder."""
    return "__".join(re.sub(r"[^\w.+-]+", "_", str(part)) for part in parts if part not in (None, ""))


class Rejects:
    """Writes the lines of rejected rows into a folder.

    :param folder: the folder of the run.
    :param attempt: the number of this attempt, from 1.
    :param keep: returns for a row and a stage whether an earlier attempt's line stays valid; ``None``: no line does.
    :param known: :attr:`known` as stored in the last checkpoint; ``None``: every part counts.
    :param earlier: folders of the same run from an earlier version; valid lines are copied from them once.
    :raises RejectsError: the folder cannot be used, or the parts of an earlier attempt cannot be cleaned up.
    """

    def __init__(
        self,
        folder: Folder,
        *,
        attempt: int,
        keep: Keep | None = None,
        known: Mapping[str, int] | None = None,
        earlier: Sequence[Folder] = (),
    ) -> None:
        self._folder = folder
        self._store = part_store(folder)
        self._attempt = max(attempt, 1)
        self._lines: list[bytes] = []
        self._bytes = 0
        self.parts = 0
        """Files with lines: written by this attempt, or kept from earlier ones."""
        self.known: dict[str, int] = {}
        """Attempt → number after its last part. Other parts were written by an attempt that was replaced."""
        with self._as_rejects_error():
            self._open(keep, known, earlier)

    def _open(self, keep: Keep | None, known: Mapping[str, int] | None, earlier: Sequence[Folder]) -> None:
        """Clean up the parts of earlier attempts."""
        names = [name for name in self._store.names() if keep is None or not self._is_newer(name)]
        self._number = max(map(self._number_after, names), default=0)
        for name in names:
            if name.startswith("part-") and name.endswith(NEW):
                self._store.remove(name)
        if _COPIED not in names:
            self._copy(earlier, keep)
        for name in sorted(names):
            if not _PART.fullmatch(name):
                continue
            if known is not None and _is_late(name, known):
                self._store.remove(name)
            else:
                self._drop_invalid_lines(name, keep)

    @property
    def waiting(self) -> bool:
        """Whether lines wait to be written."""
        return bool(self._lines)

    @property
    def full(self) -> bool:
        """Whether enough lines wait for a part. Call :meth:`flush` before adding more."""
        return len(self._lines) >= PART_ROWS or self._bytes >= PART_BYTES

    def add(self, line: bytes) -> None:
        """Add a line; :meth:`flush` writes it."""
        self._lines.append(line)
        self._bytes += len(line)

    def flush(self) -> None:
        """Write the lines that wait as one part.

        :raises RejectsError: the part cannot be written; the lines still wait.
        """
        if not self._lines:
            return
        with self._as_rejects_error():
            self._store.write(f"part-{self._attempt:03d}-{self._number:06d}.ndjson", self._lines)
        self._number += 1
        self.known[str(self._attempt)] = self._number
        self.parts += 1
        self._lines = []
        self._bytes = 0

    def sweep(self) -> None:
        """Remove parts that replaced attempts have written since the folder was opened.

        An attempt that is frozen just before it writes a part writes it when it continues, possibly much later.
        """
        with self._as_rejects_error():
            for name in self._store.names():
                found = _PART.fullmatch(name)
                if found and int(found[1]) < self._attempt and _is_late(name, self.known):
                    self._store.remove(name)

    def probe(self) -> None:
        """Check that the folder can be used, by writing and removing a small file.

        A local folder is created if it does not exist; a bucket is not.

        :raises RejectsError: the folder cannot be used; the message says why.
        """
        name = f"part-{self._attempt:03d}-probe{NEW}"
        with self._as_rejects_error():
            self._store.write(name, [b"This file can be removed.\n"])
            self._store.remove(name)

    @contextmanager
    def _as_rejects_error(self) -> Iterator[None]:
        try:
            yield
        except RejectsError:
            raise
        except OSError as error:
            raise RejectsError(
                f"The rejects folder {self._folder} cannot be written to ({type(error).__name__}: {clean(error)}).",
                advice="Check rejects_path: the bucket must exist, and this process must be allowed to write and "
                "remove files.",
            ) from None

    def _is_newer(self, name: str) -> bool:
        """Return whether a file was written by a later attempt, which has replaced this one."""
        found = _ATTEMPT.match(name)
        return found is not None and int(found[1]) > self._attempt

    def _number_after(self, name: str) -> int:
        """Return the number after that of a part of this attempt; 0 for other parts."""
        found = _PART.match(name)
        return int(found[2]) + 1 if found and int(found[1]) == self._attempt else 0

    def _drop_invalid_lines(self, name: str, keep: Keep | None) -> None:
        """Keep only the valid lines of a part; a crash in between loses none of them."""
        kept = dropped = 0
        if keep is not None or name == _COPIED:
            for line in self._store.lines(name):
                if _is_valid(line, keep):
                    kept += 1
                else:
                    dropped += 1
        if not kept and name != _COPIED:
            self._store.remove(name)
            return
        if dropped:
            self._store.write(name, _valid_lines(self._store, name, keep))
        self.parts += bool(kept)
        attempt, number = _numbers(name)
        self.known[attempt] = max(self.known.get(attempt, 0), number + 1)

    def _copy(self, earlier: Sequence[Folder], keep: Keep | None) -> None:
        """Copy the valid lines from earlier folders into one part."""
        found: list[tuple[PartStore, str]] = []
        for folder in earlier:
            store = part_store(folder, ours=False)
            try:
                names = store.names()
            except UnsafeFolderError as error:
                log.warning("The rejects folder of an earlier version was not read. %s", error)
                continue
            found += [(store, name) for name in sorted(names) if name.startswith("part-") and name.endswith(".ndjson")]
        if not found:
            return
        copied = 0

        def lines() -> Iterator[bytes]:
            nonlocal copied
            for store, name in found:
                for line in _valid_lines(store, name, keep):
                    copied += 1
                    yield line

        self._store.write(_COPIED, lines())
        self.parts += bool(copied)


def _is_late(name: str, known: Mapping[str, int]) -> bool:
    """Return whether a part is unknown to the checkpoint, because a replaced attempt wrote it late."""
    attempt, number = _numbers(name)
    return name != _COPIED and number >= known.get(attempt, 0)


def _numbers(name: str) -> tuple[str, int]:
    """Return the attempt and the number of a part."""
    _, attempt, number = name.removesuffix(".ndjson").split("-")
    return str(int(attempt)), int(number)


def _valid_lines(store: PartStore, name: str, keep: Keep | None) -> Iterator[bytes]:
    """Yield the lines of a part that stay valid."""
    if keep is not None:
        for line in store.lines(name):
            if _is_valid(line, keep):
                yield line


def _is_valid(line: bytes, keep: Keep | None) -> bool:
    about = row_and_stage(line)
    return keep is not None and about is not None and keep(*about)
