"""BigQuery, through Airflow's BigQueryHook.

The hook's cursor returns arrays and structs in the form of the REST API, ``{"v": …}`` and ``{"f": […]}``, without the
names of their fields, and fails on arrays of numbers. So the cursor only runs the query, and this reader reads the
pages of the result and their schema from the API.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from airflow_provider_pinterest.sources.drivers.base import Converter, DriverReader, json_value, or_itself

PAGE_ROWS: Final = 5_000
"""Largest number of rows in a page."""

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class BigQuery(DriverReader):
    """BigQuery."""

    modules = ("airflow.providers.google.cloud.hooks.bigquery",)
    paramstyle = "pyformat"

    def __init__(self, hook: Any, connection: Any, sql: str) -> None:
        super().__init__(hook, connection, sql)
        self._page: list[Any] = []
        self._token: str | None = None
        self._last = False
        self._decoders: list[Converter] = []

    def fetch_cells(self, size: int) -> Sequence[Any]:
        """Return rows of the current page or of the next one."""
        while not self._page and not self._last:
            self._read_page()
        rows, self._page = self._page[:size], self._page[size:]
        return [
            [or_itself(decode, cell.get("v")) for decode, cell in zip(self._decoders, row["f"], strict=True)]
            for row in rows
        ]

    def _read_page(self) -> None:
        cursor = self.cursor
        request = cursor.service.jobs().getQueryResults(
            projectId=cursor.project_id,
            jobId=cursor.job_id,
            location=cursor.location,
            pageToken=self._token,
            maxResults=PAGE_ROWS,
        )
        answer = request.execute(num_retries=cursor.num_retries)
        if answer.get("jobComplete") is False:
            return
        self._page = answer.get("rows") or []
        self._token = answer.get("pageToken")
        self._last = not self._token
        self._decoders = [decoder(field) for field in answer["schema"]["fields"]]


def decoder(field: Mapping[str, Any]) -> Converter:
    """Return the function that converts cells of a field from the form of the REST API.

    https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/getQueryResults

    :param field: a field of the schema.
    """
    decode = _struct(field) if field["type"] in ("RECORD", "STRUCT") else _DECODERS.get(field["type"], _as_it_is)
    if field.get("mode") != "REPEATED":
        return lambda cell: None if cell is None else decode(cell)
    return lambda cell: [None if element["v"] is None else decode(element["v"]) for element in cell or ()]


def _struct(field: Mapping[str, Any]) -> Converter:
    members = [(member["name"], decoder(member)) for member in field["fields"]]
    return lambda cell: {name: decode(value["v"]) for (name, decode), value in zip(members, cell["f"], strict=True)}


def _as_it_is(cell: Any) -> Any:
    return cell


def _boolean(cell: Any) -> bool:
    return {"true": True, "false": False}[str(cell).lower()]


def _timestamp(cell: Any) -> dt.datetime:
    """Read seconds since 1970, such as ``1.7958042E9``."""
    return _EPOCH + dt.timedelta(microseconds=int(Decimal(cell) * 1_000_000))


_DECODERS: Final[dict[str, Converter]] = {
    "INTEGER": int,
    "INT64": int,
    "FLOAT": float,
    "FLOAT64": float,
    "NUMERIC": Decimal,
    "BIGNUMERIC": Decimal,
    "BOOLEAN": _boolean,
    "BOOL": _boolean,
    "TIMESTAMP": _timestamp,
    "BYTES": base64.b64decode,
    "JSON": json_value,
}
"""Type → how its text is converted. Dates, times and all other types stay text."""
