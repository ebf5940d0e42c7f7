"""The numbered lines of a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Final

from airflow_provider_pinterest.sources.formats.broken import BrokenFileError
from airflow_provider_pinterest.sources.formats.first_bytes import foreign_format

BLOCK: Final = 1024 * 1024
"""Bytes that are read at once."""

LONGEST: Final = 16 * 1024 * 1024
"""The longest line, in bytes."""

_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
"""The first bytes of a file in UTF-16 with a byte order mark."""

_ASCII_WIDTH: Final = 2
"""Bytes of the first character of a file in UTF-16 without a byte order mark; one of them is a NUL."""

UTF8: Final = "Write the file in UTF-8."


def blocks_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks."""
    while block := file.read(BLOCK):
        yield block


def numbered_lines(blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    r"""Yield the number and the bytes of each line, without ``\n`` and without a byte order mark.

    :raises BrokenFileError: a line is too long, or the file is not text in UTF-8.
    """
    number, rest = 0, b""
    for block in blocks:
        if not number and not rest:
            block = _without_mark(block)  # noqa: PLW2901 - only the first block has one
        *lines, rest = (rest + block).split(b"\n")
        for number, line in enumerate(lines, number + 1):  # noqa: B020 - counts on from the block before
            yield number, line
        if len(rest) > LONGEST:
            raise BrokenFileError(f"the line is longer than {LONGEST // 1024**2} MiB.", place=f"line {number + 1:,}")
    if rest:
        yield number + 1, rest


def _without_mark(block: bytes) -> bytes:
    foreign = foreign_format(block)
    if foreign:
        raise BrokenFileError(f"the file is not text but {foreign}, unlike its name.", place="line 1")
    if block.startswith(_UTF16) or b"\0" in block[:_ASCII_WIDTH]:
        raise BrokenFileError("the file is encoded as UTF-16; expected UTF-8.", place="line 1", advice=UTF8)
    return block.removeprefix(b"\xef\xbb\xbf")
