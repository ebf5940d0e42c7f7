"""Rows that did not become processed events, as NDJSON that a person and a program can read.

A run writes into a folder of its own, in parts, because object stores cannot append. A later try of the same run
keeps what an earlier one had settled and writes the rest anew. Local files are for their owner only (0600).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, Protocol

import orjson

from airflow_provider_pinterest.conversions.events import Rejection

PART_ROWS: Final = 5_000
"""Rejections that a part holds at most; this many wait in memory."""

_NEW: Final = ".new"
"""What the name of a part ends with that is not whole yet."""


class Folder(Protocol):
    """What is needed of a path: ``pathlib``'s, ``upath``'s and Airflow's ``ObjectStoragePath`` have it."""

    def __truediv__(self, name: str, /) -> Folder: ...
    def open(self, mode: str) -> IO[bytes]: ...  # noqa: D102
    def mkdir(self, *, parents: bool, exist_ok: bool) -> None: ...  # noqa: D102
    def iterdir(self) -> Iterable[Folder]: ...  # noqa: D102
    def unlink(self) -> None: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102


def folder_name(*parts: object) -> str:
    """Join what identifies a run into a file name that every store takes."""
    return "__".join(re.sub(r"[^\w.+-]+", "_", str(part)) for part in parts if part not in (None, ""))


class Rejects:
    """Writes rejections into a folder.

    :param folder: the run's own.
    :param settled: tells of a row and a stage whether an earlier try's line about it stands; ``None``: none do.
    :raises OSError: the folder cannot be made, or an earlier try's parts not be mended.
    """

    def __init__(self, folder: Folder, settled: Callable[[int, str], bool] | None = None) -> None:
        self._folder = folder
        self._waiting: list[Rejection] = []
        self.parts = 0
        """Files written, or kept of an earlier try."""
        self._number = 0
        found: list[Folder] = []
        with suppress(FileNotFoundError, NotADirectoryError):
            found = sorted(folder.iterdir(), key=lambda part: (not part.name.endswith(_NEW), part.name))
        for part in found:
            if part.name.startswith("part-"):
                self._mend(part, settled)

    def add(self, rejection: Rejection) -> None:
        """Add a rejection; it is written with the next part.

        :raises OSError: a part cannot be written.
        """
        self._waiting.append(rejection)
        if len(self._waiting) >= PART_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what waits.

        :raises OSError: the part cannot be written; what waits is kept.
        """
        if not self._waiting:
            return
        if not self.parts:
            self._folder.mkdir(parents=True, exist_ok=True)
        self._write(f"part-{self._number:09d}.ndjson", [line(rejection) for rejection in self._waiting])
        self._number += 1
        self.parts += 1
        self._waiting = []

    def _write(self, name: str, lines: list[bytes]) -> None:
        """Write a part, whole or not at all, and see it safe."""
        path = self._folder / name
        local = _local(path)
        if local is None:  # an object store shows what is written when it is closed
            with path.open("wb") as part:
                part.writelines(lines)
            return
        new = f"{local}{_NEW}"
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as part:
            part.writelines(lines)
            part.flush()
            os.fsync(part.fileno())
        Path(new).replace(local)

    def _mend(self, part: Folder, settled: Callable[[int, str], bool] | None) -> None:
        """Keep of an earlier try's part what is settled; a crash in the middle loses nothing of it."""
        kept = []
        if settled is not None and not part.name.endswith(_NEW):
            with part.open("rb") as opened:
                lines = opened.read().splitlines(keepends=True)  # Airflow 2.11's files cannot be iterated
            kept = [written for written in lines if _stands(written, settled)]
        if kept:
            self._write(part.name, kept)
            self.parts += 1
            self._number = max(self._number, _number(part.name) + 1)
        else:
            part.unlink()


def _stands(written: bytes, settled: Callable[[int, str], bool]) -> bool:
    """Return whether a line of an earlier try is whole and settled."""
    try:
        document = orjson.loads(written)
        return settled(document["row"], document["stage"])
    except (ValueError, KeyError, TypeError):
        return False


def _number(name: str) -> int:
    digits = name.removeprefix("part-").partition(".")[0]
    return int(digits) if digits.isdecimal() else 0


def line(rejection: Rejection) -> bytes:
    """Return a rejection as one line of JSON."""
    document = {
        "row": rejection.row,
        "event_id": rejection.event_id,
        "keys": dict(rejection.keys),
        "reasons": [reason._asdict() for reason in rejection.reasons],
        "stage": rejection.stage,
    }
    try:
        return orjson.dumps(document, default=repr, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # lone surrogates and integers beyond 64 bits
        document["event_id"] = _plain(rejection.event_id)
        document["keys"] = {_plain(name): _plain(cell) for name, cell in rejection.keys.items()}
        document["reasons"] = [
            {name: _plain(text) for name, text in reason._asdict().items()} for reason in rejection.reasons
        ]
        return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def _plain(cell: Any) -> Any:
    return None if cell is None else str(cell).encode("utf-8", "backslashreplace").decode()


def _local(path: Folder) -> str | None:
    """Return a path on this machine's disk as text; ``None`` if it is not there."""
    if getattr(path, "protocol", "") in ("", "file", "local"):
        return str(getattr(path, "path", path))
    return None
