"""CSV files."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.sources.formats.delimited import csv_rows
from airflow_provider_pinterest.sync import FileSource
from tests.sources.files_to_read import broken_off, read, unreadable


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "rows.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_cells_are_text_and_empty_cells_are_none(written):
    assert read(written('id,name,value\n1,"",72.390\n,x,\n')) == [
        {"id": "1", "name": None, "value": "72.390"},
        {"id": None, "name": "x", "value": None},
    ]


def test_quoted_cells_may_have_delimiters_quotes_and_lines(written):
    assert read(written('id,note\r\n1,"a, ""b""\nc\r\n\r\nd"\r\n2,e\r\n')) == [
        {"id": "1", "note": 'a, "b"\nc\r\n\r\nd'},
        {"id": "2", "note": "e"},
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_header_shows_the_delimiter(written, delimiter):
    other = "," if delimiter != "," else ";"
    path = written(f'id{delimiter}"a{other}b{other}c"{delimiter}note\n1{delimiter}2{delimiter}3{other}4\n')

    assert read(path) == [{"id": "1", f"a{other}b{other}c": "2", "note": f"3{other}4"}]


def test_a_mark_of_the_encoding_is_not_part_of_the_first_name(written):
    assert read(written("\ufeffid,name\n1,é\n")) == [{"id": "1", "name": "é"}]
    assert read(written('\ufeff"id",name\n1,é\n')) == [{"id": "1", "name": "é"}]


def test_spaces_around_names_do_not_count(written):
    assert read(written("id, name\n1, x\n")) == [{"id": "1", "name": " x"}]


@pytest.mark.parametrize("content", ["", "id,name\n", "id,name", "id,name\n\n\r\n"])
def test_a_file_without_rows(written, content):
    assert read(written(content)) == []


def test_the_columns_of_a_file_without_rows_are_known(written):
    row_batches = list(FileSource(written("id,name\n")).open().row_batches())

    assert [row_batch.columns for row_batch in row_batches] == [("id", "name")]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("2", "has 1 cell, and the header has 2"),
        ("2,b,c", "has 3 cells, and the header has 2"),
        ("2,\0", "has a NUL character"),
        ("2,b\rc", "has a carriage return outside of quotes"),
        ("2\r3", "has a carriage return outside of quotes"),
        (b"2,\xfc", "is not valid UTF-8"),
        (b'2,"\xfc"', "is not valid UTF-8"),
    ],
)
def test_a_row_that_does_not_fit_costs_only_itself_and_names_its_line(written, row, problem):
    row = row if isinstance(row, bytes) else row.encode()
    assert read(written(b'id,name\n1,"a\nb"\n\n' + row + b"\n3,d\n")) == [
        {"id": "1", "name": "a\nb"},
        unreadable(f"{problem} (line 5 of rows.csv)"),
        {"id": "3", "name": "d"},
    ]


@pytest.mark.parametrize(
    ("content", "rows", "problem"),
    [
        (b"id,n\xe4me\n1,a\n", 0, "line 1: the line is not valid UTF-8"),
        ("id,name\n1,a\n".encode("utf-16"), 0, "line 1: the file is encoded as UTF-16; expected UTF-8"),
        ("id,name\n1,a\n".encode("utf-16-le"), 0, "line 1: the file is encoded as UTF-16; expected UTF-8"),
        ('id,name\n1,a\n2,"b" c\n', 1, "line 3: a quote in a quoted cell is not doubled"),
        ('id,name\n1,a\n2,"b \\"c\\""\n', 1, "line 3: a quote in a quoted cell is escaped with a backslash"),
        ('id,name\n1,a\n2,"b\n3,c\n', 1, "line 3: a quoted cell is not closed"),
        ('\n\nid,name\n1,a\n2,"b\n3,c\n', 1, "line 5: a quoted cell is not closed"),
        ("id,name\r1,a\r", 0, "line 1: the lines end with carriage returns"),
        (b"PK\x03\x04", 0, "line 1: the file is not text but a ZIP archive or an Excel file"),
        ("<!DOCTYPE html>", 0, "line 1: the file is not text but HTML or XML"),
        ('{"phone": "+4917012345"}\n', 0, "line 1: the file is not CSV but JSON"),
        ("1,jane@example.com\n2,joe@example.com\n", 0, "line 1: the line is not a header"),
        ("2026-11-24,72.39,Jane\n", 0, "line 1: the line is not a header"),
        (",,\n1,2,3\n", 0, "line 1: the line is not a header"),
    ],
)
def test_a_file_that_is_not_valid_is_an_error_that_names_the_line(written, content, rows, problem):
    found, error = broken_off(written(content))

    assert found == rows
    assert f"rows.csv cannot be read, {problem}" in str(error)
    assert "example.com" not in str(error)


def test_lines_above_the_header_may_be_empty(written):
    assert read(written('\n  \r\nid,name\n1,"a\nb"\n2\n')) == [
        {"id": "1", "name": "a\nb"},
        unreadable("has 1 cell, and the header has 2 (line 6 of rows.csv)"),
    ]


def test_only_one_column(written):
    assert read(written(b"id\n1\n\xfc\n2\r3\n4\n")) == [
        {"id": "1"},
        unreadable("is not valid UTF-8 (line 3 of rows.csv)"),
        unreadable("has a carriage return outside of quotes (line 4 of rows.csv)"),
        {"id": "4"},
    ]


def test_large_cells(written):
    assert read(written(f'id,note\n1,"{"x" * 1_000_000}"\n')) == [{"id": "1", "note": "x" * 1_000_000}]


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8), quotes=st.sampled_from([0, 1]))
def test_what_the_csv_module_writes_is_read_back(rows, quotes):
    file = io.StringIO(newline="")
    csv.writer(file, quoting=quotes).writerows([["a", "b", "c"], *rows])
    found = [list(row) for row_batch in csv_rows([file.getvalue().encode()], "rows.csv") for row in row_batch.rows]

    assert found == [[cell or None for cell in row] for row in rows]
