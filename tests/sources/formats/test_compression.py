"""Compressed files."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
from collections.abc import Callable

import pytest

from airflow_provider_pinterest.sources.formats.compression import MOST, decompressed
from tests.sources.files_to_read import broken_off, read

LINES = b"".join(b'{"a": %d}\n' % number for number in range(20_000))


def zstandard(data):
    pa = pytest.importorskip("pyarrow")
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard,
}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_ndjson_and_csv(tmp_path, suffix):
    (tmp_path / f"a.ndjson{suffix}").write_bytes(COMPRESS[suffix](b'{"a": "1"}\n'))
    (tmp_path / f"b.csv{suffix.upper()}").write_bytes(COMPRESS[suffix](b"a\n2\n"))

    assert read(tmp_path) == [{"a": "1"}, {"a": "2"}]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_the_content_decides_and_not_the_name(tmp_path, suffix):
    (tmp_path / "a.csv").write_bytes(COMPRESS[suffix](b"a\n1\n"))
    (tmp_path / f"b.csv{suffix}").write_bytes(b"a\n2\n")
    (tmp_path / "c.json").write_bytes(COMPRESS[suffix](b'{"a": "3"}\n'))

    assert read(tmp_path) == [{"a": "1"}, {"a": "2"}, {"a": "3"}]


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("block", [1, 7, 100_000])
def test_the_blocks_may_have_any_size(block, suffix):
    text = LINES[:5_000]
    packed = COMPRESS[suffix](text) + COMPRESS[suffix](text) + b"\0" * (9 if suffix == ".gz" else 0)

    assert b"".join(decompressed(packed[at : at + block] for at in range(0, len(packed), block))) == text * 2


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("size", [MOST - 1, MOST, MOST + 1, 3 * MOST])
def test_large_blocks_come_in_parts(size, suffix):
    found = list(decompressed([COMPRESS[suffix](bytes(size))]))

    assert b"".join(found) == bytes(size)
    assert max(map(len, found)) <= MOST


def test_an_empty_file_has_no_rows(tmp_path):
    (tmp_path / "a.ndjson.gz").write_bytes(b"")
    for suffix, compress in COMPRESS.items():
        (tmp_path / f"b.csv{suffix}").write_bytes(compress(b""))

    assert read(tmp_path) == []


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda packed: packed[:-5], "the gzip data is cut off"),
        (lambda packed: packed[: len(packed) // 2], "the gzip data is cut off"),
        (lambda packed: packed[:-8] + b"\0" * 8, "the gzip data is damaged"),
        (lambda packed: packed + b"more", "the gzip data is damaged"),
    ],
)
def test_a_damaged_file_names_itself_after_the_rows_before_the_damage(tmp_path, damage, problem):
    path = tmp_path / "rows.ndjson.gz"
    path.write_bytes(damage(gzip.compress(LINES)))
    rows, error = broken_off(path)

    assert rows > 5_000 or "incorrect data check" in str(error)
    assert f"rows.ndjson.gz cannot be read, after {rows:,} rows: {problem}" in str(error)


@pytest.mark.parametrize(("suffix", "name"), [(".gz", "gzip"), (".bz2", "bzip2"), (".xz", "xz"), (".zst", "Zstandard")])
@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_file_that_is_cut_off_is_an_error(tmp_path, suffix, name, cut):
    path = tmp_path / f"rows.ndjson{suffix}"
    path.write_bytes(COMPRESS[suffix](LINES)[:-cut])

    assert f"the {name} data is cut off" in str(broken_off(path)[1])


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_damaged_file_is_an_error(tmp_path, suffix):
    packed = bytearray(COMPRESS[suffix](LINES))
    middle = len(packed) // 2
    packed[middle : middle + 40] = bytes(40)
    path = tmp_path / f"rows.ndjson{suffix}"
    path.write_bytes(packed)

    assert "data is damaged" in str(broken_off(path)[1])


def test_without_pyarrow_the_error_says_what_zstandard_needs(tmp_path, monkeypatch):
    path = tmp_path / "rows.csv.zst"
    path.write_bytes(zstandard(b"a\n1\n"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    assert "Install airflow-provider-pinterest[parquet]" in str(broken_off(path)[1])
