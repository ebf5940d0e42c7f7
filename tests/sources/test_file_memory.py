"""Memory of a process that reads large files: a few row batches, whatever the size of the file."""

# ruff: noqa: S311 - rows are not secrets

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from harness.processes import IMPORTS

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc"),
    pytest.mark.timeout(300),
]

ALLOWED = 80_000_000
"""Bytes above those of a process that has read a small file of the same format."""

CHILD = """
import json, re, sys
from pathlib import Path
from airflow_provider_pinterest.sync import FileSource

def memory(name):
    return int(re.search(name + r":\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

def read(path):
    rows = FileSource(path).open()
    rows.select_columns(lambda name: name != "ignored")
    return sum(len(row_batch.rows) for row_batch in rows.row_batches())

read(sys.argv[1])
idle = memory("VmRSS")
print(json.dumps([read(sys.argv[2]), memory("VmHWM") - idle]))
"""


def read(small, large):
    """Read a small file and then a large one; return the rows of the large one and the memory that it took."""
    command = [sys.executable, "-c", CHILD, str(small), str(large)]
    done = subprocess.run(command, env={**os.environ, **IMPORTS}, capture_output=True, text=True, check=False)
    assert done.stdout.strip(), done.stderr[-2_000:]
    rows, memory = json.loads(done.stdout)
    return rows, memory


def table(random, rows, width=0):
    numbers = range(rows)
    columns = {
        "event_id": [random.randbytes(16).hex() for _ in numbers],
        "email": [f"{random.randbytes(8).hex()}@example.com" for _ in numbers],
        "value": [random.random() * 100 for _ in numbers],
        "num_items": list(numbers),
        "ignored": [random.randbytes(100) for _ in numbers],
    }
    return pa.table(
        {**columns, "user_agent": [random.randbytes(width // 2).hex() for _ in numbers]} if width else columns
    )


@pytest.fixture
def parquet(tmp_path):
    def write(name, parts, rows, group, **options):
        path, random = tmp_path / name, Random(1)
        first = table(random, rows, **options)
        with pq.ParquetWriter(path, first.schema, write_batch_size=64) as writer:
            writer.write_table(first, row_group_size=group)
            for _ in range(parts - 1):
                writer.write_table(table(random, rows, **options), row_group_size=group)
        return path

    return write


def test_parquet_with_many_row_groups(parquet):
    rows, memory = read(parquet("small.parquet", 1, 100, 100), parquet("large.parquet", 40, 20_000, 20_000))

    assert rows == 800_000
    assert memory < ALLOWED


def test_parquet_with_one_large_row_group(parquet):
    rows, memory = read(parquet("small.parquet", 1, 100, 100), parquet("large.parquet", 1, 500_000, 500_000))

    assert rows == 500_000
    assert memory < ALLOWED


def test_parquet_with_wide_rows(parquet):
    small = parquet("small.parquet", 1, 100, 100, width=100)
    rows, memory = read(small, parquet("large.parquet", 10, 500, 500, width=60_000))

    assert rows == 5_000
    assert memory < ALLOWED


@pytest.mark.parametrize("name", ["{}.csv", "{}.csv.gz", "{}.ndjson", "{}.ndjson.gz"])
def test_text(tmp_path, name):
    random = Random(1)
    row = {"event_id": random.randbytes(16).hex(), "email": "jane@example.com", "note": random.randbytes(100).hex()}
    if ".csv" in name:
        header, line = ",".join(row) + "\n", ",".join(row.values()) + "\n"
    else:
        header, line = "", json.dumps(row) + "\n"
    paths = []
    for size in (100, 500_000):
        content = (header + size * line).encode()
        paths.append(tmp_path / name.format(size))
        paths[-1].write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)

    rows, memory = read(*paths)

    assert rows == 500_000
    assert memory < ALLOWED
