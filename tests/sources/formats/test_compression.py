"""Files that are compressed with gzip."""

from __future__ import annotations

import gzip

import pytest

from airflow_provider_pinterest.exceptions import SourceError
from airflow_provider_pinterest.sources.formats.compression import MOST, gunzipped
from tests.sources.files_to_read import broken_off, read

LINES = b"".join(b'{"a": %d}\n' % number for number in range(20_000))


def test_ndjson_and_csv(tmp_path):
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(b'{"a": "1"}\n'))
    (tmp_path / "b.csv.GZ").write_bytes(gzip.compress(b"a\n2\n"))

    assert read(tmp_path) == [{"a": "1"}, {"a": "2"}]


@pytest.mark.parametrize("block", [1, 7, 100_000])
def test_the_blocks_may_have_any_size(block):
    text = LINES[:5_000]
    packed = gzip.compress(text) + gzip.compress(text) + b"\0" * 9

    assert b"".join(gunzipped(packed[at : at + block] for at in range(0, len(packed), block))) == text * 2


@pytest.mark.parametrize("size", [MOST - 1, MOST, MOST + 1, 3 * MOST])
def test_large_blocks_come_in_parts(size):
    found = list(gunzipped([gzip.compress(bytes(size))]))

    assert b"".join(found) == bytes(size)
    assert max(map(len, found)) <= MOST


def test_an_empty_file_has_no_rows(tmp_path):
    (tmp_path / "a.ndjson.gz").write_bytes(b"")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b""))

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


def test_a_file_that_is_not_compressed_is_an_error(tmp_path):
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(b"a\n1\n")

    with pytest.raises(SourceError, match=r"rows\.csv\.gz cannot be read, after 0 rows: the gzip data is damaged"):
        read(path)
