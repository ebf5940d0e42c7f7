"""The Parquet files of the demo hold typed columns and each planted row."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from demo import lake, stage, verdict, warehouse
from demo.kinds import Feed
from harness import dag_runs

NOW = dt.datetime(2026, 11, 21, 12, 7, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("lake")
    window = warehouse.Window.last_complete(NOW, warehouse.QUARTER)
    lake.write(folder, window.start, window.end)
    return sorted(folder.glob("20261121T114500/*.parquet"))


def test_there_are_several_files_with_several_row_groups(files):
    assert len(files) == lake.FILES
    assert all(parquet.ParquetFile(file).num_row_groups > 1 for file in files)


def test_every_row_of_the_files_is_ordinary_or_planted(files):
    rows = sum(parquet.ParquetFile(file).metadata.num_rows for file in files)

    assert rows == lake.ORDINARY + sum(kind.rows for kind in lake.KINDS)


def test_the_cells_have_types(files):
    schema = parquet.read_schema(files[0])

    assert pa.types.is_timestamp(schema.field("occurred_at").type)
    assert pa.types.is_decimal(schema.field("value").type)
    assert pa.types.is_boolean(schema.field("consent").type)
    assert pa.types.is_dictionary(schema.field("event_name").type)
    assert pa.types.is_struct(schema.field("items").type.value_type)


def test_as_many_rows_reach_pinterest_as_the_books_say(tmp_path):
    shop = warehouse.add_lake(warehouse.build(tmp_path / "warehouse.db", now=NOW), tmp_path / "lake")

    assert shop.keys[Feed.LAKE] == lake.event_ids()
    assert len(lake.event_ids()) == lake.SENT


def test_names_of_kinds_are_not_used_twice():
    assert len({kind.name for kind in lake.KINDS}) == len(lake.KINDS)


def test_the_dag_of_the_files_has_its_task(tmp_path):
    dags = dag_runs.load(stage.lay_out_dags(tmp_path / "dags"))

    assert ("demo_data_lake", "send_lake_files") in verdict.TASKS
    assert dags["demo_data_lake"].task_dict.keys() == {"send_lake_files"}
