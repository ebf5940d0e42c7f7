"""A task that reads files from a server that speaks S3."""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
from collections import Counter
from random import Random
from typing import Any, NamedTuple

import pytest

from airflow_provider_pinterest.exceptions import SourceError
from airflow_provider_pinterest.operators.task_files import open_files
from harness.s3 import s3_server
from tests.operators.attempts import Life, broken_off, small
from tests.running import deliver, ids, row, rows

for package in ("moto.server", "flask_cors", "s3fs", "airflow.providers.amazon.aws.fs.s3"):
    pytest.importorskip(package)

pytestmark = pytest.mark.filterwarnings(
    r"ignore:datetime\.datetime\.utcnow:DeprecationWarning", "ignore::ResourceWarning"
)


def ndjson(found):
    return "".join(f"{json.dumps(one)}\n" for one in found).encode()


def as_csv(found):
    file = io.StringIO()
    writer = csv.DictWriter(file, found[0])
    writer.writeheader()
    writer.writerows(found)
    return file.getvalue().encode()


def parquet(found, **options):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(found), file, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def server():
    with s3_server() as running:
        yield running


class Bucket(NamedTuple):
    """A bucket, which Airflow's connection ``lake`` can read."""

    name: str
    client: Any

    def put(self, files: dict[str, bytes]) -> str:
        """Put objects into it, and return its URL."""
        for key, content in files.items():
            self.client.put_object(Bucket=self.name, Key=key, Body=content)
        return f"s3://lake@{self.name}"


@pytest.fixture
def bucket(server, monkeypatch, caplog):
    name = f"shop-{len(server.client.list_buckets()['Buckets'])}"
    server.create(name)
    for logger in ("aiobotocore", "botocore"):  # they log the signature of each request
        caplog.set_level(logging.INFO, logger)
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", server.connection())
    return Bucket(name, server.client)


@pytest.mark.parametrize(
    ("key", "content"),
    [
        ("a.ndjson", ndjson),
        ("a.json.gz", lambda found: gzip.compress(ndjson(found))),
        ("a.csv", as_csv),
        ("a.csv.gz", lambda found: gzip.compress(as_csv(found))),
        ("a.parquet", parquet),
    ],
)
def test_all_rows_of_an_object_arrive_once(pinterest, bucket, key, content):
    url = bucket.put({f"events/{key}": content(rows(2_500))})

    ran = deliver(path=f"{url}/events/{key}")

    assert ran.error is None
    assert pinterest.copies() == ids(2_500)


def test_patterns_and_folders(pinterest, bucket):
    url = bucket.put(
        {
            "day1/part-0.csv": as_csv([row(1)]),
            "day2/part-0.parquet": parquet([row(2)]),
            "day2/part-1.ndjson": ndjson([row(3)]),
            "day2/_SUCCESS": b"",
            "day2/": b"",  # as consoles create folders
            "other/part-0.csv": as_csv([row(4)]),
        }
    )

    assert deliver(path=f"{url}/day*/*.csv").error is None
    assert pinterest.copies() == ids(1)
    assert deliver(path=f"{url}/day2").error is None
    assert deliver(path=f"{url}/day2/").error is None
    assert deliver(path=f"{url}/day2/*").error is None
    assert deliver(path=f"{url}/**/part-1.*").error is None
    assert deliver(path=f"{url}/**/*.ndjson").error is None
    assert deliver(path=[f"{url}/other/part-0.csv"]).error is None
    assert pinterest.copies() == {"order-1": 1, "order-2": 3, "order-3": 5, "order-4": 1}


def test_a_day_without_files_fails_the_task(pinterest, bucket):
    url = bucket.put({"day1/part-0.csv": as_csv([row(1)])})

    for path in ("day2/*.csv", "day2/", "day2/part-0.csv"):
        ran = deliver(path=f"{url}/{path}")
        assert isinstance(ran.error, SourceError)
        assert f"No file matches s3://lake@{bucket.name}/{path.rstrip('/')}" in ran.said


@pytest.mark.parametrize("path", ["s3://lake@no-such-bucket/a.csv", "s3://lake@no-such-bucket/*.csv"])
def test_a_bucket_that_does_not_exist_is_named(pinterest, bucket, path):
    ran = deliver(path=path)

    assert isinstance(ran.error, SourceError)
    assert "s3://lake@no-such-bucket/" in ran.said


def test_an_object_that_vanishes_while_the_run_reads_is_named(pinterest, bucket, server):
    url = bucket.put({"1.csv": as_csv(rows(2_000)), "2.csv": as_csv([row(2_001)])})
    opened = open_files(f"{url}/*.csv")
    server.client.delete_object(Bucket=bucket.name, Key="2.csv")
    found = opened.row_batches()
    assert sum(len(next(found).rows) for _ in range(2)) == 2_000
    with pytest.raises(SourceError, match=rf"s3://lake@{bucket.name}/2\.csv cannot be read"):
        next(found)


def test_a_retry_sends_only_the_rest(pinterest, bucket):
    found = rows(10)
    url = bucket.put({"1.parquet": parquet(found[:3]), "2.parquet": parquet(found[3:])})
    life = Life(**{**small(), "events": None, "path": f"{url}/*.parquet"})
    broken_off(pinterest, life, after=2)

    ran = life.attempt()

    assert ran.error is None
    assert (ran["resumed_from"], ran["events_processed"]) == (4, 10)
    assert pinterest.copies() == ids(10)


def test_only_the_columns_that_matter_are_requested(pinterest, bucket, monkeypatch):
    random = Random(1)  # noqa: S311
    note = [random.randbytes(200).hex() for _ in range(5_000)]
    content = parquet(
        [{**one, "note": text} for one, text in zip(rows(5_000), note, strict=True)], row_group_size=1_000
    )
    url = bucket.put({"a.parquet": content})
    from s3fs.core import S3File

    requested: Counter[str] = Counter()
    fetch = S3File._fetch_range

    def counted(self, start, end):
        requested["bytes"] += end - start
        requested["calls"] += 1
        return fetch(self, start, end)

    monkeypatch.setattr(S3File, "_fetch_range", counted)

    ran = deliver(path=f"{url}/a.parquet", field_map={"note": None})

    assert ran.error is None
    assert pinterest.copies() == ids(5_000)
    assert requested["bytes"] < len(content) / 4
    assert requested["calls"] < 60
