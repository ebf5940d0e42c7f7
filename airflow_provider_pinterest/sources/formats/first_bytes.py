"""Formats that are recognized by the first bytes of a file."""

from __future__ import annotations

from typing import Final

LONGEST_MARK: Final = 16
"""Bytes that are enough to recognize a format."""

_FORMATS: Final = {
    b"PAR1": "Parquet",
    b"PARE": "encrypted Parquet",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"\xff\x06\0\0sNaPpY": "Snappy",
    b"PK\x03\x04": "a ZIP archive or an Excel file",
    b"\xd0\xcf\x11\xe0": "an Excel file",
    b"ORC": "ORC",
    b"Obj\x01": "Avro",
    b"SQLite format": "SQLite",
    b"<": "HTML or XML",
}


def foreign_format(first: bytes) -> str:
    """Return the format that the first bytes of a file have, if it is not CSV or NDJSON; else an empty text."""
    return next((name for mark, name in _FORMATS.items() if first.startswith(mark)), "")
