"""Decompression of gzip files, block by block."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from airflow_provider_pinterest.sources.formats.broken import BrokenFileError

MOST: Final = 1024 * 1024
"""Largest decompressed block, in bytes."""

_GZIP: Final = 31
"""zlib's number for data with a gzip header and a checksum."""


def gunzipped(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the decompressed blocks of a gzip file, which may have several members.

    :raises BrokenFileError: the data is not gzip, is damaged, or is cut off. Everything before that was yielded.
    """
    member = None
    ended = False
    for block in blocks:
        data = block
        while data:
            if member is None:
                data = data.lstrip(b"\0") if ended else data  # padding between or after members
                if not data:
                    break
                member = zlib.decompressobj(_GZIP)
            more = True
            while more:
                try:
                    found = member.decompress(data, MOST)
                except zlib.error as error:
                    raise BrokenFileError(f"the gzip data is damaged: {error}.") from None
                yield found
                data = member.unconsumed_tail
                more = not member.eof and (bool(data) or len(found) == MOST)
            if member.eof:
                data, member, ended = member.unused_data, None, True
    if member is not None:
        raise BrokenFileError("the gzip data is cut off. The file may not have been written to its end.")
