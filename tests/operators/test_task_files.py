"""Opening the paths of a task."""

from __future__ import annotations

import pytest

from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.operators.task_files import open_files
from tests.sources.files_to_read import write_ndjson


def names(path):
    return [cells[0] for row_batch in open_files(path).row_batches() for cells in row_batch.rows]


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("gs://bucket/a.csv", "Install apache-airflow-providers-google."),
        ("abfs://container@account/a.csv", "Install apache-airflow-providers-microsoft-azure."),
        ("https://example.com/a.csv", "Write a path on the worker's disk"),
        ("nonsense://bucket/a.csv", "Write a path on the worker's disk"),
        ("s3:/bucket/a.csv", "two slashes"),
        ("C:\\exports\\a.csv", "Write a path on the worker's disk"),
        (["a.csv", "gs://bucket/a.csv"], "Install apache-airflow-providers-google."),
    ],
)
def test_a_path_that_no_package_opens_is_a_wrong_parameter(path, advice):
    with pytest.raises(ParameterError, match="cannot be opened") as caught:
        open_files(path)

    assert advice in str(caught.value)
    assert (path if isinstance(path, str) else path[-1]) in str(caught.value)


@pytest.mark.parametrize(
    "name", ["a b.json", "a#b.json", "a%20b.json", "é.json", "a?b.json", "a&b;c+d.json", "12:30.json"]
)
def test_names_with_characters_that_urls_know(tmp_path, name):
    write_ndjson(tmp_path / name, [{"file": name}])

    for path in (tmp_path / name, f"{tmp_path}/{name}", f"file://{tmp_path}/{name}", f"  {tmp_path}/{name}\n"):
        assert names(path) == [name]
    assert names(f"{tmp_path}/*{name[1:]}") == [name]


def test_a_pattern_may_end_with_a_question_mark(tmp_path):
    (tmp_path / "day=1").mkdir()
    write_ndjson(tmp_path / "day=1" / "a.json", [{"file": "a"}])

    assert names(f"{tmp_path}/day=?") == names(f"file://{tmp_path}/day=?") == ["a"]
