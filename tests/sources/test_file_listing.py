"""Which files a path stands for."""

from __future__ import annotations

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from upath import UPath

from airflow_provider_pinterest.exceptions import ParameterError, SourceError
from airflow_provider_pinterest.sources.file_listing import shown
from airflow_provider_pinterest.sync import FileSource
from tests.sources.files_to_read import read, write_ndjson


def write(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_ndjson(path, [{"file": name}])


def names(path):
    return [row["file"] for row in read(path)]


def test_one_file(tmp_path):
    write(tmp_path, "a.ndjson", "b.ndjson")

    assert names(tmp_path / "a.ndjson") == names(str(tmp_path / "a.ndjson")) == ["a.ndjson"]


def test_files_are_read_in_the_order_of_their_paths(tmp_path):
    write(tmp_path, "b.ndjson", "c.jsonl", "a.json", "a10.json", "a2.json")

    assert names(tmp_path) == names(str(tmp_path / "*")) == ["a.json", "a2.json", "a10.json", "b.ndjson", "c.jsonl"]


def test_numbers_are_in_their_own_order(tmp_path):
    given = ["hour/x.json", "hour=9/part-2.json", "hour=09/part-3.json", "hour=9/part-10.json", "hour=10/part-1.json"]
    write(tmp_path, *reversed(given))

    assert names(tmp_path / "**" / "*.json") == given


def test_patterns_may_have_wildcards_in_folders(tmp_path):
    write(tmp_path, "day=1/a.ndjson", "day=2/b.ndjson", "day=2/hour=3/c.ndjson", "other/d.ndjson")

    assert names(str(tmp_path / "day=*" / "*.ndjson")) == ["day=1/a.ndjson", "day=2/b.ndjson"]
    assert names(tmp_path / "**" / "c.ndjson") == ["day=2/hour=3/c.ndjson"]


def test_a_pattern_may_match_folders(tmp_path):
    write(tmp_path, "day=1/a.ndjson", "day=2/b.ndjson")

    assert names(str(tmp_path / "day=*")) == ["day=1/a.ndjson", "day=2/b.ndjson"]


@pytest.mark.parametrize("pattern", ["**", "**/*", "a/**", "a/**/*", "*/**/*.json"])
def test_two_stars_stand_for_all_files_below_a_folder(tmp_path, pattern):
    write(tmp_path, "a/1.json", "a/b/2.json", "a/b/c/3.json", "a/_temporary/4.json", "a/d.json/5.json")

    assert names(str(tmp_path / pattern)) == ["a/1.json", "a/b/2.json", "a/b/c/3.json", "a/d.json/5.json"]
    assert names(UPath(f"file://{tmp_path}") / pattern) == names(str(tmp_path / pattern))


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("{a,b}.json", ["a.json", "b.json"]),
        ("*.{csv,json}", ["a.json", "b.json", "c.json"]),
        ("{x,y}/*.json", ["x/1.json"]),
        ("{a,x/1,{b,c}}.json", ["a.json", "b.json", "c.json", "x/1.json"]),
        ("{a}.json", ["{a}.json"]),
    ],
)
def test_braces_stand_for_one_of_several_words(tmp_path, pattern, found):
    write(tmp_path, "a.json", "b.json", "c.json", "x/1.json", "{a}.json")
    if found != ["{a}.json"]:
        (tmp_path / "{a}.json").unlink()

    assert names(str(tmp_path / pattern)) == found


def test_too_many_patterns_are_a_wrong_parameter(tmp_path):
    with pytest.raises(ParameterError, match="more than 1,000 patterns"):
        FileSource(f"{tmp_path}/{'{a,b}' * 11}.json").open()


def test_wildcards_in_the_name_of_a_file(tmp_path):
    write(tmp_path, "report[1].json", "what?/a.json")

    assert names(str(tmp_path / "report[1].json")) == ["report[1].json"]
    assert names(str(tmp_path / "what?")) == ["what?/a.json"]


def test_a_folder_on_the_way_may_be_hidden_if_the_pattern_says_so(tmp_path):
    write(tmp_path, "_stage1/a.json", "_stage1/_b.json", ".other/c.json")

    assert names(str(tmp_path / "_stage*" / "a.json")) == ["_stage1/a.json"]
    assert names(str(tmp_path / ".o*" / "*")) == [".other/c.json"]


@pytest.mark.parametrize(("log", "kind"), [("_delta_log", "Delta Lake"), (".hoodie", "Hudi")])
@pytest.mark.parametrize("path", ["table", "table/*.json", "table/dt=*/*.json", "table/dt=1", "table/**", "*"])
def test_the_folder_of_a_table_also_has_deleted_rows(tmp_path, log, kind, path):
    write(tmp_path, f"table/{log}/0.json", "table/a.json", "table/dt=1/b.json")

    with pytest.raises(ParameterError, match=f"/table is a {kind} table") as caught:
        FileSource(str(tmp_path / path)).open()
    assert "with a query, sql" in str(caught.value)
    assert names(str(tmp_path / "table" / "a.json")) == ["table/a.json"]


def test_a_list_of_paths_names_each_file_once(tmp_path):
    write(tmp_path, "a.ndjson", "b.ndjson")
    paths = [str(tmp_path / "b.ndjson"), tmp_path / "*.ndjson"]

    assert names(paths) == ["a.ndjson", "b.ndjson"]


def test_markers_and_hidden_files_are_not_data(tmp_path):
    write(tmp_path, "a.ndjson", ".b.ndjson", "_temporary/c.ndjson")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".part-0.crc").touch()

    assert names(tmp_path) == names(str(tmp_path / "*")) == names(str(tmp_path / "**/*.ndjson")) == ["a.ndjson"]
    assert names(str(tmp_path / ".b*")) == [".b.ndjson"]


def test_the_folder_of_a_table_may_be_named_like_a_file(tmp_path):
    write(tmp_path, "events.ndjson/part-0.ndjson")

    assert names(tmp_path / "events.ndjson") == ["events.ndjson/part-0.ndjson"]
    assert names(tmp_path / "*.ndjson") == ["events.ndjson/part-0.ndjson"]


@pytest.mark.parametrize("path", ["nothing.ndjson", "*.parquet", "empty", "no/such/folder/*.csv"])
def test_a_path_without_a_file_is_an_error_that_names_it(tmp_path, path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "_SUCCESS").touch()

    with pytest.raises(SourceError, match="No file matches") as caught:
        FileSource(str(tmp_path / path)).open()

    assert str(tmp_path / path) in str(caught.value)
    assert "the job that writes the files" in str(caught.value)


def test_each_path_of_a_list_must_have_a_file(tmp_path):
    write(tmp_path, "a.ndjson")

    with pytest.raises(SourceError, match=r"No file matches .*b\.ndjson"):
        FileSource([tmp_path / "a.ndjson", tmp_path / "b.ndjson"]).open()


@pytest.mark.parametrize("name", ["rows.avro", "rows.parquet.gz", "rows", "rows.txt"])
def test_a_file_of_an_unknown_format_is_an_error_even_among_others(tmp_path, name):
    write(tmp_path, "a.ndjson", name)

    for path in (tmp_path / name, tmp_path, tmp_path / "*"):
        with pytest.raises(ParameterError, match=f"name of .*{name} does not say which format") as caught:
            FileSource(path).open()
        assert ".csv.gz" in str(caught.value)
        assert ".parquet" in str(caught.value)


def test_subfolders_are_not_left_out_silently(tmp_path):
    write(tmp_path, "a.ndjson", "more/b.ndjson")

    with pytest.raises(ParameterError, match=r"has subfolders"):
        FileSource(tmp_path).open()


@pytest.mark.parametrize("path", ["s3://bucket/a.csv", ["a.csv", "gs://bucket/b.csv"]])
def test_the_text_of_a_url_is_not_a_local_folder(path):
    with pytest.raises(ParameterError, match="such as a UPath"):
        FileSource(path)


@pytest.mark.parametrize("path", [7, None, "", [], [None], b"a.csv"])
def test_something_that_is_not_a_path_is_refused(path):
    with pytest.raises(ParameterError, match="path"):
        FileSource(path)


class ClosedStore(MemoryFileSystem):  # type: ignore[misc]
    """A store whose library hides denied requests, as fsspec does."""

    protocol = "closed"

    def ls(self, *_, **__):
        raise PermissionError("Forbidden for jane@example.com")

    info = _open = ls


fsspec.register_implementation("closed", ClosedStore)


@pytest.mark.filterwarnings("ignore:UPath .closed.:UserWarning")
@pytest.mark.parametrize("path", ["folder/a.csv", "folder", "folder/*.csv", "*/*.csv"])
def test_a_denied_request_is_not_a_missing_file(path):
    with pytest.raises(SourceError) as caught:
        FileSource(UPath(f"closed://bucket/{path}")).open()

    assert "cannot be listed: PermissionError: Forbidden" in str(caught.value)
    assert f"/{path}" in str(caught.value)
    assert "jane" not in str(caught.value)


def test_files_that_came_since_the_last_listing_are_found():
    folder = UPath("memory://later")
    (folder / "a.csv").write_text("file\na\n")
    assert names(folder) == ["a"]
    (folder / "b.csv").write_text("file\nb\n")

    assert names(folder) == names(folder / "*.csv") == ["a", "b"]
    assert names(UPath("memory://later/b.csv")) == ["b"]


def test_a_password_in_a_url_is_not_shown():
    path = UPath("memory://later/none.csv")
    assert shown(f"ftp://user:secret@host/{path.name}") == "ftp://user:…@host/none.csv"


def test_objects_that_stand_for_folders_are_not_data(tmp_path):
    write(tmp_path, "a.json", "old_$folder$")

    assert names(tmp_path) == names(tmp_path / "*") == ["a.json"]
