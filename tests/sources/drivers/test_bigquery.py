"""BigQuery's cells, as its REST API writes them into the pages of a result."""

from __future__ import annotations

import base64
import datetime as dt
from decimal import Decimal

import pytest

from airflow_provider_pinterest.sources.drivers.bigquery import PAGE_ROWS, decoder
from airflow_provider_pinterest.sources.sql import SqlSource
from tests.sources.drivers.recorded import of_module
from tests.sources.reading import Hook, broken, read


class BigQueryCursor:
    """What Airflow's ``BigQueryCursor`` shows: the job that it ran, and the service that has its result.

    :param pages: rows, or ``None`` where the result is not ready yet.
    """

    description: object = None
    project_id, job_id, location, num_retries = "shop", "job_1", "EU", 5

    def __init__(self, fields, pages):
        self.fields = fields
        self.pages = pages
        self.asked = []
        self.service = self

    def execute(self, sql, parameters=None):
        self.description = [(field["name"], field["type"], None, None, None, None, True) for field in self.fields]

    def close(self): ...

    def jobs(self):
        return self

    def getQueryResults(self, **asked):  # noqa: N802 - the API's name
        self.asked.append(asked)
        return BigQueryRequest(self, asked)


class BigQueryRequest:
    def __init__(self, cursor, asked):
        self.cursor, self.asked = cursor, asked

    def execute(self, num_retries):
        page = int(self.asked["pageToken"] or 0)
        rows = self.cursor.pages[page]
        if rows is None:
            self.cursor.pages[page] = []
            return {"jobComplete": False}
        answer = {"jobComplete": True, "schema": {"fields": self.cursor.fields}}
        if rows:
            answer["rows"] = [{"f": [{"v": cell} for cell in row]} for row in rows]
        if page + 1 < len(self.cursor.pages):
            answer["pageToken"] = str(page + 1)
        return answer


class BigQueryConnection:
    def __init__(self, cursor):
        self.made = cursor

    def cursor(self):
        return self.made

    def close(self): ...


def query(cursor, parameters=None):
    connection = of_module("airflow.providers.google.cloud.hooks.bigquery", BigQueryConnection)(cursor)
    return SqlSource(Hook(lambda: connection), "SELECT 1 LIKE '%'", parameters)


def field(kind, mode="NULLABLE", fields=(), name="cell"):
    return {"name": name, "type": kind, "mode": mode, "fields": list(fields)}


ITEM = field(
    "RECORD",
    "REPEATED",
    [
        field("STRING", name="item_id"),
        field("NUMERIC", name="price"),
        field("INTEGER", "REPEATED", name="tags"),
        field("RECORD", name="made", fields=[field("STRING", name="country")]),
    ],
    "items",
)


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        (field("STRING"), "ada", "ada"),
        (field("INTEGER"), "4711", 4711),
        (field("INT64"), "4711", 4711),
        (field("FLOAT"), "1.5", 1.5),
        (field("NUMERIC"), "72.390", Decimal("72.390")),
        (field("BIGNUMERIC"), "1E+30", Decimal("1E+30")),
        (field("BOOLEAN"), "true", True),
        (field("BOOLEAN"), "false", False),
        (field("TIMESTAMP"), "1.795254600123456E9", dt.datetime(2026, 11, 21, 9, 50, 0, 123_456, tzinfo=dt.UTC)),
        (field("TIMESTAMP"), "-6.21355968E10", dt.datetime(1, 1, 1, tzinfo=dt.UTC)),
        (field("DATETIME"), "2026-11-21T09:50:00", "2026-11-21T09:50:00"),
        (field("DATE"), "2026-11-21", "2026-11-21"),
        (field("BYTES"), base64.b64encode(b"\xff\x00").decode(), b"\xff\x00"),
        (field("JSON"), '"jane@example.com"', "jane@example.com"),
        (field("JSON"), '{"a":[1,72.390]}', {"a": [1, Decimal("72.390")]}),
        (field("GEOGRAPHY"), "POINT(1 2)", "POINT(1 2)"),
        (field("STRING", "REPEATED"), [{"v": "a"}, {"v": "b"}], ["a", "b"]),
        (field("INTEGER", "REPEATED"), [{"v": "1"}, {"v": None}], [1, None]),
        (field("BOOLEAN", "REPEATED"), [], []),
        (field("STRUCT", fields=[field("STRING", name="city")]), {"f": [{"v": "Ulm"}]}, {"city": "Ulm"}),
        (
            ITEM,
            [{"v": {"f": [{"v": "a"}, {"v": "72.390"}, {"v": [{"v": "1"}]}, {"v": {"f": [{"v": "CH"}]}}]}}],
            [{"item_id": "a", "price": Decimal("72.390"), "tags": [1], "made": {"country": "CH"}}],
        ),
        (ITEM, [{"v": {"f": [{"v": None}, {"v": None}, {"v": []}, {"v": None}]}}], [
            {"item_id": None, "price": None, "tags": [], "made": None}
        ]),
        (field("RANGE"), "[2026-11-21, UNBOUNDED)", "[2026-11-21, UNBOUNDED)"),
        (field("STRUCT", fields=[field("STRING", name="city")]), None, None),
    ],
)  # fmt: skip
def test_a_cell_is_what_its_type_says(kind, cell, value):
    found = read(query(BigQueryCursor([kind], [[[cell]]])))[1]

    assert found == [(value,)]
    assert type(found[0][0]) is type(value)
    assert decoder(kind)(cell) == value


def test_a_cell_that_cannot_be_decoded_costs_no_other():
    rows = [["1"], ["a"], [{"f": []}], ["2"]]

    assert read(query(BigQueryCursor([field("INTEGER")], [rows])))[1] == [(1,), ("a",), ({"f": []},), (2,)]


def test_pages_are_read_one_after_the_other():
    cursor = BigQueryCursor([field("INTEGER")], [[["1"], ["2"]], [], [["3"]], None, [["4"]]])

    assert read(query(cursor)) == (("cell",), [(1,), (2,), (3,), (4,)])
    asked = {"projectId": "shop", "jobId": "job_1", "location": "EU", "maxResults": PAGE_ROWS}
    tokens = [None, "1", "2", "3", "3", "4"]
    assert cursor.asked == [asked | {"pageToken": token} for token in tokens]


def test_the_next_page_is_not_read_before_its_rows_are_wanted():
    cursor = BigQueryCursor([field("INTEGER")], [[[str(n)] for n in range(1_000)], [["1"]]])
    row_batches = query(cursor).row_batches()

    assert [len(next(row_batches).rows) for _ in range(3)] == [32, 500, 468]
    assert len(cursor.asked) == 1
    row_batches.close()


def test_a_query_without_rows_still_shows_its_columns():
    assert read(query(BigQueryCursor([ITEM], [[]]))) == (("items",), [])


def test_a_statement_without_a_result_is_told():
    assert broken(query(BigQueryCursor([], [[]])))[0] == "The statement returned no result set; expected a SELECT."


def test_a_literal_percent_beside_parameters_is_explained():
    class Failing(BigQueryCursor):
        def execute(self, sql, parameters=None):
            return sql % {"a": 1}

    said, _ = broken(query(Failing([], [[]]), {"a": 1}))

    assert said.endswith("In a query with parameters, write %% for a literal %.")
