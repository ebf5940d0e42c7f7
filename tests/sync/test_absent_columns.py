"""A parameter names a column that no row has, and this shows only at the end of the source."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_pinterest.sync import FileSource, IterableSource
from tests.running import row
from tests.sync.plain import run

PLACES = {"key_columns": ["ordr"], "field_map": {"ordr": "order_id"}, "event_id_from": ["event_id", "ordr"]}


@pytest.fixture(params=["list", "files"])
def source(request, tmp_path):
    """Rows of which only later ones have a column ``order``."""
    some = [row(1), row(2), row(3, order="A-3")]
    if request.param == "list":
        return IterableSource(some)
    for number, one in enumerate(some, 1):
        lines = ",".join(one), ",".join(str(cell) for cell in one.values())
        (tmp_path / f"{number}.csv").write_text("\n".join(lines))
    return FileSource(tmp_path / "*.csv")


@pytest.mark.parametrize("parameter", PLACES)
def test_the_log_names_the_parameter_and_a_similar_column(source, sandbox, parameter):
    options: dict[str, Any] = {"field_map": {"order": "order_id"}} | {parameter: PLACES[parameter]}
    if parameter == "field_map":
        options["key_columns"] = ["order"]
    ran = run(source, sandbox, max_rejected=1.0, **options)

    assert ran.error is None, ran.said
    assert f"{parameter} names 'ordr', which the source does not have; did you mean 'order'?" in ran.log


def test_a_column_that_only_later_rows_have_is_not_missed(source, sandbox):
    ran = run(source, sandbox, key_columns=["order"], field_map={"order": "order_id"})

    assert ran.error is None, ran.said
    assert "which the source does not have" not in ran.log
    orders = [one.event["custom_data"]["order_id"] for one in sandbox.events() if "custom_data" in one.event]
    assert orders == ["A-3"]


def test_an_ignored_column_of_parquet_files_is_not_missed(sandbox, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for number in (1, 2):
        parquet.write_table(pyarrow.Table.from_pylist([row(number, note="x")]), tmp_path / f"{number}.parquet")
    ran = run(FileSource(tmp_path / "*.parquet"), sandbox, field_map={"note": None})

    assert ran.error is None, ran.said
    assert "which the source does not have" not in ran.log
