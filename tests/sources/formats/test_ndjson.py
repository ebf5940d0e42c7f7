"""Files with one JSON object on each line."""

from __future__ import annotations

import gzip
from decimal import Decimal

import pytest

from airflow_provider_pinterest.exceptions import SourceError
from airflow_provider_pinterest.sources.formats.lines import BLOCK, LONGEST
from airflow_provider_pinterest.sync import FileSource
from tests.sources.files_to_read import read, unreadable


@pytest.fixture
def written(tmp_path):
    def write(content, name="rows.ndjson"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_values_keep_their_types(written):
    path = written('{"a": "x", "b": 7, "c": true, "d": null, "e": [1, {"f": "g"}], "h": {"i": 72.39}}\n')

    assert read(path) == [{"a": "x", "b": 7, "c": True, "d": None, "e": [1, {"f": "g"}], "h": {"i": 72.39}}]


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        ("72.390", 72.39),
        ("0.30000000000000000001", Decimal("0.30000000000000000001")),
        ("12345678901234567890123", 12345678901234567890123),
        ("-9223372036854775809", -9223372036854775809),
        ("18446744073709551616", 18446744073709551616),
        ("9007199254740993", 9007199254740993),
        ("123456789012345.67", Decimal("123456789012345.67")),
    ],
)
def test_numbers_keep_all_digits(written, number, kept):
    [row] = read(written(f'{{"value": {number}, "items": [{{"price": {number}}}]}}'))

    assert row == {"value": kept, "items": [{"price": kept}]}
    assert type(row["value"]) is type(kept)


def test_a_long_number_inside_text_changes_nothing(written):
    assert read(written('{"card": "12345678901234567890", "value": 0.1}')) == [
        {"card": "12345678901234567890", "value": 0.1}
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_line_ends_and_empty_lines(written, end):
    assert read(written(f'\ufeff{{"a": 1}}\r\n\n   \n{{"a": 2}}{end}')) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("name", ["rows.ndjson", "rows.jsonl", "rows.json", "ROWS.JSONL"])
def test_names(written, name):
    assert read(written('{"a": 1}\n', name)) == [{"a": 1}]


@pytest.mark.parametrize("bad", ["nope", "[1]", '"text"', '{"a": ', '{"a": NaN}', '{"a": 1} {"a": 2}', b"\xff", "null"])
def test_a_line_that_is_not_an_object_costs_only_its_row(written, bad):
    bad = bad if isinstance(bad, bytes) else bad.encode()
    path = written(b'{"a": 1}\n\n' + bad + b'\n{"a": 2}\n')

    assert read(path) == [{"a": 1}, unreadable("is not a JSON object (line 3 of rows.ndjson)"), {"a": 2}]


@pytest.mark.parametrize("bad", ['{"a": 12345678901234567890, "b": NaN}', '{"a": 12345678901234567890, "b": Infinity}'])
def test_long_numbers_do_not_let_anything_else_through(written, bad):
    assert read(written(f'{{"a": 1}}\n{bad}\n'))[1:] == [unreadable("is not a JSON object (line 2 of rows.ndjson)")]


@pytest.mark.parametrize(
    "bad",
    [
        '{"a": NaN}',
        '{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        '{"a": 1e400}',
        '{"a": "\x01"}',
        "null",
        f'{{"a": {"9" * 5000}}}',
    ],
)
def test_so_does_a_first_line(written, bad):
    bad = bad if isinstance(bad, bytes) else bad.encode()

    assert read(written(bad + b'\n{"a": 2}\n')) == [
        unreadable("is not a JSON object (line 1 of rows.ndjson)"),
        {"a": 2},
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('[{"a": 1},\n{"a": 2}]\n', "line 1: the line is a JSON array; expected one JSON object on each line"),
        ('{\n  "a": 1\n}\n', "line 1: the line is not a JSON object"),
        ('{"a": 1},\n{"a": 2}\n', "line 1: the line has more than one JSON object"),
        ('{"a": 1}{"a": 2}\n', "line 1: the line has more than one JSON object"),
        ('{"a": 1}\r{"a": 2}\r', "line 1: the line has more than one JSON object"),
        ("7\n8\n", "line 1: the line is not a JSON object"),
        ("{'a': 1}\n", "line 1: the line is not a JSON object"),
        ("\n\njane@example.com,1\n", "line 3: the line is not a JSON object"),
        ('{"a": 1}\n'.encode("utf-16"), "line 1: the file is encoded as UTF-16; expected UTF-8"),
        ('{"a": 1}\n'.encode("utf-16-le"), "line 1: the file is encoded as UTF-16; expected UTF-8"),
        ('{"a": 1}\n'.encode("utf-16-be"), "line 1: the file is encoded as UTF-16; expected UTF-8"),
        (b"PAR1\x00\x01", "line 1: the file is not text but Parquet"),
        (b"<html>", "line 1: the file is not text but HTML or XML"),
        (gzip.compress(gzip.compress(b'{"a": 1}\n', mtime=0), mtime=0), "line 1: the file is not text but gzip"),
    ],
)
def test_a_file_that_is_something_else_is_an_error(written, content, problem):
    with pytest.raises(SourceError) as caught:
        read(written(content))

    assert f"rows.ndjson cannot be read, {problem}" in str(caught.value)
    assert "example.com" not in str(caught.value)


def test_an_empty_file_has_no_rows(written):
    assert read(written("")) == read(written("\n\n")) == []


def test_lines_across_blocks(written):
    rows = [{"a": number, "text": "x" * 1_000} for number in range(3 * BLOCK // 1_000)]
    path = written("".join(f'{{"a": {row["a"]}, "text": "{row["text"]}"}}\n' for row in rows))

    assert read(path) == rows


def test_a_line_without_an_end_does_not_fill_the_memory(written):
    path = written(b'{"a": 1}\n{"a": "' + b"x" * (LONGEST + 2 * BLOCK))
    row_batches = FileSource(path).open().row_batches()

    assert next(row_batches).rows == [[1]]
    with pytest.raises(SourceError, match="line 2: the line is longer than 16 MiB"):
        next(row_batches)
