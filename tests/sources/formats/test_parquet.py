"""Parquet files."""

# ruff: noqa: DTZ001 - a column may have times without a zone

from __future__ import annotations

import datetime as dt
import gzip
import io
import sys
import time
from decimal import Decimal
from pathlib import PosixPath
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_pinterest.exceptions import ParameterError, SourceError
from airflow_provider_pinterest.sources.grouping import MAX_BYTES, MAX_ROWS
from airflow_provider_pinterest.sync import FileSource, SyncOptions, sync
from tests.running import rows
from tests.sources.files_to_read import broken_off, read

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

BERLIN = ZoneInfo("Europe/Berlin")
MOMENT = dt.datetime(2026, 11, 24, 10, 30, 0, 123456)


@pytest.fixture
def written(tmp_path):
    def write(columns, name="rows.parquet", **options):
        path = tmp_path / name
        pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), path, **options)
        return path

    return write


@pytest.mark.parametrize(
    ("array", "cells"),
    [
        (pa.array([7, None], pa.int8()), [7, None]),
        (pa.array([2**63 - 1, -(2**63)]), [2**63 - 1, -(2**63)]),
        (pa.array([2**64 - 1], pa.uint64()), [2**64 - 1]),
        (pa.array([Decimal("72.390"), None], pa.decimal128(10, 3)), [Decimal("72.390"), None]),
        (pa.array([Decimal(10**50)], pa.decimal256(60, 0)), [Decimal(10**50)]),
        (pa.array([0.1, None, 1e300]), [0.1, None, 1e300]),
        (pa.array([72.39, None, 0.1, 1e-30, 16777216.0], pa.float32()), [72.39, None, 0.1, 1e-30, 16777216.0]),
        (pa.array([True, None, False]), [True, None, False]),
        (pa.array(["é", None, ""]), ["é", None, ""]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        (pa.array([b"\xff\x00", None]), [b"\xff\x00", None]),
        (pa.array([b"1234"], pa.binary(4)), [b"1234"]),
        (pa.array([dt.date(2026, 11, 24), None]), [dt.date(2026, 11, 24), None]),
        (pa.array([MOMENT, None], pa.timestamp("us")), [MOMENT, None]),
        (pa.array([MOMENT], pa.timestamp("us", tz="UTC")), [MOMENT.replace(tzinfo=dt.UTC)]),
        (pa.array([1_700_000_000_123_456_789], pa.timestamp("ns")), [dt.datetime(2023, 11, 14, 22, 13, 20, 123456)]),
        (
            pa.array([1_700_000_000_000_000_001], pa.timestamp("ns", tz="Europe/Berlin")),
            [dt.datetime(2023, 11, 14, 23, 13, 20, tzinfo=BERLIN)],
        ),
        (pa.array([1_700_000_000], pa.timestamp("s")), [dt.datetime(2023, 11, 14, 22, 13, 20)]),
        (pa.array([3_600_000_000_001], pa.time64("ns")), [dt.time(1)]),
        (pa.array([["a", None], None, []]), [["a", None], None, []]),
        (
            pa.array(
                [[{"price": 72.39, "id": 1}], None], pa.list_(pa.struct({"price": pa.float32(), "id": pa.int64()}))
            ),
            [[{"price": 72.39, "id": 1}], None],
        ),
        (
            pa.array([{"at": 1_700_000_000_000_000_001}, None], pa.struct({"at": pa.timestamp("ns")})),
            [{"at": dt.datetime(2023, 11, 14, 22, 13, 20)}, None],
        ),
        (pa.array([[("a", 0.1)], None, []], pa.map_(pa.string(), pa.float32())), [{"a": 0.1}, None, {}]),
        (
            pa.array([[("a", 1_700_000_000_000_000_001)]], pa.map_(pa.string(), pa.timestamp("ns"))),
            [{"a": dt.datetime(2023, 11, 14, 22, 13, 20)}],
        ),
        (pa.array([[1, 1_001]], pa.list_(pa.duration("ns"), 2)), [[dt.timedelta(), dt.timedelta(microseconds=1)]]),
        (pa.array([1.1, 72.4, None, 0.0]).cast(pa.float32()).cast(pa.float16()), [1.1, 72.4, None, 0.0]),
        (pa.nulls(2), [None, None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_cells_keep_their_types(written, array, cells):
    found = [row["a"] for row in read(written({"a": array}))]

    assert found == cells
    assert [type(cell) for cell in found] == [type(cell) for cell in cells]


def test_times_of_spark_keep_their_years(written):
    times = [dt.datetime(9999, 12, 31), MOMENT, dt.datetime(1, 1, 1)]
    path = written({"a": pa.array(times, pa.timestamp("us"))}, use_deprecated_int96_timestamps=True)

    assert [row["a"] for row in read(path)] == times


def test_the_index_of_a_data_frame_is_not_a_column(written):
    assert read(written({"a": [1], "__index_level_0__": [7]})) == [{"a": 1}]


NOW = int(time.time())


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("event_time", pa.array([NOW - 60, 2**45, NOW], pa.timestamp("s"))),
        ("event_time", pa.array([NOW // 86_400 - 1, 2**31 - 1, NOW // 86_400], pa.date32())),
        ("order_id", pa.array([b"a", b"\xff", b"c"]).view(pa.string())),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_a_cell_that_python_cannot_hold_costs_only_its_row(written, name, array):
    columns = pa.Table.from_pylist([{**row, "order_id": "1"} for row in rows(3)])
    columns = columns.set_column(columns.schema.names.index(name), name, array)
    result = sync(FileSource(written(columns)), SyncOptions(validate_only=True, max_rejected=1))

    assert (result["validated_only"], result["reasons"]) == (2, {"bad_cell": 1})


def test_only_the_columns_that_matter_are_read(written):
    rows = FileSource(written({"a": [1], "b": [{"c": 2, "d": 3}], "c": [4], "e.f": [5]})).open()
    rows.select_columns({"b", "e.f"}.__contains__)
    header, row_batch = rows.row_batches()

    assert header == (("a", "b", "c", "e.f"), ())
    assert row_batch == (("b", "e.f"), [({"c": 2, "d": 3}, 5)])


def test_rows_count_even_if_no_column_matters(written):
    rows = FileSource(written({"a": [1, 2], "b": [3, 4]})).open()
    rows.select_columns(lambda _: False)

    assert sum(len(row_batch.rows) for row_batch in rows.row_batches()) == 2


def test_the_columns_of_a_file_without_rows_are_known(written):
    empty = pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())})

    assert [one.columns for one in FileSource(written(empty)).open().row_batches()] == [("a", "b")]


def test_rows_keep_their_order_across_row_groups(written):
    path = written({"a": list(range(10_000))}, row_group_size=700)

    assert [row["a"] for row in read(path)] == list(range(10_000))


def test_row_batches_are_limited(written):
    path = written({"a": list(range(MAX_ROWS + 1)), "b": [f"{number:05}" * 2_000 for number in range(MAX_ROWS + 1)]})
    sizes = [len(row_batch.rows) for row_batch in FileSource(path).open().row_batches()]

    assert sum(sizes) == MAX_ROWS + 1
    assert max(sizes) * 10_000 <= MAX_BYTES


def test_values_that_repeat_are_small_in_the_file_and_large_in_memory(written):
    path = written({"a": ["x" * 100_000] * 3_000}, row_group_size=1_000)
    sizes = [len(row_batch.rows) for row_batch in FileSource(path).open().row_batches()]

    assert sum(sizes) == 3_000
    assert max(sizes) * 100_000 <= MAX_BYTES


def test_the_columns_of_each_file_are_its_own(written, tmp_path):
    written({"a": [1], "b": [2]}, "1.parquet")
    written({"b": [3], "c": [4]}, "2.parquet")

    assert read(tmp_path) == [{"a": 1, "b": 2}, {"b": 3, "c": 4}]


@pytest.mark.parametrize(
    ("damage", "rows", "place"),
    [
        (lambda data: data[:-8], 0, "its footer: it is not a complete Parquet file"),
        (lambda data: data[: len(data) // 2], 0, "its footer: it is not a complete Parquet file"),
        (lambda _: b"", 0, "its footer: it is not a complete Parquet file"),
        (lambda _: b"id,name\n1,a\n", 0, "its footer: it is not a complete Parquet file"),
        (gzip.compress, 0, "its start: the file is not Parquet but gzip, unlike its name"),
        (lambda data: b"PARE" + data[4:-4] + b"PARE", 0, "its footer: the file is encrypted"),
        (lambda data: data[:45_000] + b"\xff" * 2_000 + data[47_000:], 2_000, "row group 3 of 5"),
    ],
)
def test_a_damaged_file_names_itself_and_the_row_group(written, damage, rows, place):
    path = written({"a": [f"{number * 7919 % 10_007:016}" for number in range(5_000)]}, row_group_size=1_000,
                   compression="none", use_dictionary=False)  # fmt: skip
    path.write_bytes(damage(path.read_bytes()))
    found, error = broken_off(path)

    assert found == rows
    assert f"{path} cannot be read, {place}" in str(error)


def test_a_page_that_does_not_fit_its_checksum_is_damaged(written):
    path = written({"a": [f"{number:016}" for number in range(5_000)]}, row_group_size=1_000,
                   compression="none", use_dictionary=False, write_page_checksum=True)  # fmt: skip
    data = bytearray(path.read_bytes())
    data[45_000] ^= 1
    path.write_bytes(data)
    found, error = broken_off(path)

    assert found == 2_000
    assert "row group 3 of 5: could not verify page integrity" in str(error)


def test_a_file_that_vanishes_after_it_was_listed_is_named(written, tmp_path):
    written({"a": [1]}, "1.parquet")
    gone = written({"a": [2]}, "2.parquet")
    opened = FileSource(tmp_path).open()
    gone.unlink()
    row_batches = opened.row_batches()

    assert [next(row_batches).rows, next(row_batches).rows] == [(), [(1,)]]
    with pytest.raises(SourceError, match=r"2\.parquet cannot be read: No such file or directory\."):
        next(row_batches)


@pytest.mark.parametrize("after", [0, 5])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Access Denied for jane@example.com"), "Access Denied for …."),
        (ConnectionResetError("by peer"), "ConnectionResetError: by peer"),
        (ValueError("stream"), "ValueError: stream"),
    ],
)
def test_a_store_that_fails_does_not_look_like_a_damaged_file(written, after, error, said):
    class Failing(io.FileIO):
        reads = 0

        def read(self, size=-1):
            self.reads += 1
            if self.reads > after:
                raise error
            return super().read(size)

    class Remote(PosixPath):
        def open(self, *_: Any, **__: Any) -> Any:
            return Failing(str(self), "rb")

    found, failure = broken_off(Remote(written({"a": list(range(5_000)), "b": ["x"] * 5_000}, row_group_size=1_000)))

    assert (found > 0) == (after > 0)
    assert said in str(failure)
    assert "row group" not in str(failure)
    assert "Write the file again" not in str(failure)


def test_without_pyarrow_the_error_says_what_to_install(written, tmp_path, monkeypatch):
    written({"a": [1]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(
        ParameterError, match=r"pyarrow, which is not installed\.(.|\n)*airflow-provider-pinterest\[parquet\]"
    ):
        FileSource(tmp_path).open()
