"""Rows that did not become processed events, as NDJSON that a person and a program can read.

A run writes into a folder of its own, in parts, because object stores cannot append. A later try of the same run
keeps what an earlier one had settled and writes the rest anew. Local files are for their owner only (0600).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import IO, Any, Final, Protocol, cast

import orjson

from airflow_provider_pinterest.conversions.events import Rejection

PART_ROWS: Final = 5_000
"""Rejections that a part holds at most; this many wait in memory."""


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
        self._parts = 0
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            for part in sorted(folder.iterdir(), key=lambda part: part.name):
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
        self._write([line(rejection) for rejection in self._waiting])
        self._waiting = []

    def _write(self, lines: list[bytes]) -> None:
        """Write a part and see it safe."""
        with _private(self._folder / f"part-{self._parts:09d}.ndjson") as part:
            part.writelines(lines)
            part.flush()
            with suppress(OSError, AttributeError):  # an object store's file has no descriptor
                os.fsync(part.fileno())
        self._parts += 1

    def _mend(self, part: Folder, settled: Callable[[int, str], bool] | None) -> None:
        """Keep of an earlier try's part what is settled."""
        kept = []
        if settled is not None:
            with part.open("rb") as lines:
                for written in lines:
                    document = orjson.loads(written)
                    if settled(document["row"], document["stage"]):
                        kept.append(written)
        part.unlink()
        if kept:
            self._write(kept)


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
    except TypeError:  # lone surrogates and integers beyond 64 bits, which only the keys and the id can hold
        document["event_id"] = _plain(rejection.event_id)
        document["keys"] = {name: _plain(cell) for name, cell in rejection.keys.items()}
        return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def _plain(cell: Any) -> str | None:
    return None if cell is None else str(cell).encode("utf-8", "backslashreplace").decode()


def _private(path: Folder) -> IO[bytes]:
    """Open a part for writing; on this machine's disk for its owner only, from the first byte."""
    if getattr(path, "protocol", "") in ("", "file", "local"):
        local = cast("str", getattr(path, "path", path))
        return os.fdopen(os.open(local, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    return path.open("wb")
