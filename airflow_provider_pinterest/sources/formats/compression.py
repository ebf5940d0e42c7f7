"""Decompression of gzip, bzip2, xz and Zstandard, block by block. The first bytes say which of them it is."""

from __future__ import annotations

import zlib
from bz2 import BZ2Decompressor
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from lzma import LZMADecompressor, LZMAError
from typing import Final, Protocol

from airflow_provider_pinterest.sources.formats.broken import BrokenFileError

SUFFIXES: Final = (".gz", ".bz2", ".xz", ".zst")
"""Ends of the names of compressed files."""

MOST: Final = 1024 * 1024
"""Largest decompressed block, in bytes."""

LONGEST_MARK: Final = 6
"""Bytes that show how a file is compressed."""

ZSTANDARD: Final = "Zstandard"

_GZIP: Final = 31
"""zlib's number for data with a gzip header and a checksum."""


class Decompressor(Protocol):
    """One compressed stream, with the methods of the decompressors of Python's ``bz2`` and ``lzma``."""

    @property
    def eof(self) -> bool: ...  # noqa: D102
    @property
    def needs_input(self) -> bool: ...  # noqa: D102
    @property
    def unused_data(self) -> bytes: ...  # noqa: D102
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...  # noqa: D102


class Gzip:
    """One member of a gzip file."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""
        return self._member.eof

    @property
    def unused_data(self) -> bytes:
        """The bytes after the member."""
        return self._member.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Return decompressed bytes. Bytes that were not needed for them are kept."""
        found = self._member.decompress(self._member.unconsumed_tail + data, max_length)
        self.needs_input = not self._member.unconsumed_tail and len(found) < max_length
        return found


def decompressed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the blocks of a file, decompressed if they are compressed. There may be several members.

    The name of a file does not decide, because stores and clients may decompress or compress on their own.

    :raises BrokenFileError: the data is damaged or cut off, or the package for it is not installed. Everything before
        that was yielded.
    """
    remaining = iter(blocks)
    first = b""
    while len(first) < LONGEST_MARK and (block := next(remaining, b"")):
        first += block
    whole = chain([first], remaining) if first else ()
    found = next((name for mark, name in _MARKS.items() if first.startswith(mark)), "")
    if not found:
        yield from whole
    elif found == ZSTANDARD:
        yield from _zstandard(whole)
    else:
        yield from _members(whole, found, _DECOMPRESSORS[found])


def _members(blocks: Iterable[bytes], kind: str, new: Callable[[], Decompressor]) -> Iterator[bytes]:
    member: Decompressor | None = None
    ended = False
    for block in blocks:
        data = block
        while data:
            if member is None:
                data = data.lstrip(b"\0") if ended else data  # padding between or after members
                if not data:
                    break
                member = new()
            more = True
            while more:
                try:
                    found = member.decompress(data, MOST)
                except (zlib.error, OSError, LZMAError) as error:
                    raise BrokenFileError(f"the {kind} data is damaged: {error}.") from None
                yield found
                data = b""
                more = not member.eof and not member.needs_input
            if member.eof:
                data, member, ended = member.unused_data, None, True
    if member is not None:
        raise _cut_off(kind)


def _zstandard(blocks: Iterable[bytes]) -> Iterator[bytes]:
    try:
        import pyarrow as pa
    except ImportError:
        raise BrokenFileError(
            "Zstandard needs the package pyarrow, which is not installed.",
            advice="Install airflow-provider-pinterest[parquet].",
        ) from None
    stream = pa.CompressedInputStream(pa.PythonFile(_Readable(blocks), mode="r"), "zstd")
    try:
        while block := stream.read(MOST):
            yield block
    except OSError as error:
        if "Truncated" in str(error):
            raise _cut_off(ZSTANDARD) from None
        raise BrokenFileError(f"the Zstandard data is damaged: {error}.") from None


def _cut_off(kind: str) -> BrokenFileError:
    return BrokenFileError(f"the {kind} data is cut off. The file may not have been written to its end.")


class _Readable:
    """Blocks as a file that can be read once."""

    closed = False

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes; none at the end."""
        rest = self._rest or next(self._blocks, b"")
        self._rest = rest[size:]
        return rest[:size]

    def close(self) -> None:
        """Do nothing, because the file itself is closed elsewhere."""


_MARKS: Final = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": ZSTANDARD}
"""First bytes of a file → how it is compressed."""

_DECOMPRESSORS: Final[dict[str, Callable[[], Decompressor]]] = {
    "gzip": Gzip,
    "bzip2": BZ2Decompressor,
    "xz": LZMADecompressor,
}
