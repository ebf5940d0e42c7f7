"""Browsing events that another job has exported to a data lake, as Parquet files with typed columns.

Each line of :data:`CASES` is one kind of row, with its cells in the files and the values that must arrive at Pinterest.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from demo import cases
from demo.cases import REACHES_PINTEREST, Case, Row
from demo.kinds import Fate, Feed, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SENT: Final = 2_000
"""Rows that reach Pinterest; those that are not planted are ordinary."""

PREFIX: Final = "lake-"
"""The prefix of its event ids."""

FILES: Final = 2
ROW_GROUP: Final = 400

NAMES: Final = ("page_visit", "view_category", "search", "add_to_cart")
AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NOT_UTF_8: Final = b"Sch\xfcssel"
"""A text that was written in another encoding."""

BOWL: Final = {"id": "SKU-0032", "item_name": "Linen Bowl", "item_price": Decimal("9.90"), "quantity": 2}
LAMP: Final = {"id": "SKU-0007", "item_name": "Lámpara", "item_price": Decimal("1234.50"), "quantity": 1}
ARRIVED_BOWL: Final = BOWL | {"item_price": "9.90"}
ARRIVED_LAMP: Final = LAMP | {"item_price": "1234.50"}


def _case(name: str, becomes: str, story: str, *rows: Row) -> Case:
    return Case(name, becomes, story, rows, Feed.LAKE)


CASES: Final = (
    _case(
        "decimal cell",
        Fate.SENT,
        "129.90 and 1000000.10 keep all their digits",
        Row({"value": Decimal("129.90")}, {"custom_data.value": "129.90"}),
        Row({"value": Decimal("1000000.10")}, {"custom_data.value": "1000000.10"}),
    ),
    _case(
        "list of structs",
        Fate.SENT,
        "two items, one item, an empty list",
        Row({"items": [BOWL, LAMP]}, {"custom_data.contents": [ARRIVED_BOWL, ARRIVED_LAMP]}),
        Row({"items": [LAMP]}, {"custom_data.contents": [ARRIVED_LAMP]}),
        Row({"items": []}, {"custom_data.contents": None}),
    ),
    _case(
        "text that is not UTF-8",
        "unusable_search_string",
        "Latin-1 from an old job",
        Row({"search_string": NOT_UTF_8}, {"custom_data.search_string": None}),
    ),
    _case("no event_time", "missing_field", "a timestamp that is null", Row({"occurred_at": None})),
    _case(
        "no match key",
        "no_match_key",
        "neither address nor browser",
        *(Row({"email": None, "user_agent": None}) for _ in range(2)),
    ),
    _case("future time", "future_event_time", "a clock a day ahead", Row({"occurred_at": dt.timedelta(days=1)})),
    _case(
        "no consent", "no_consent", "false, null; by consent_column", Row({"consent": False}), Row({"consent": None})
    ),
    _case(
        "duplicate id",
        Fate.DROPPED,
        "the job wrote its last rows twice",
        *(Row({"event_id": f"{PREFIX}{number:05}", "event_name": NAMES[number - 1]}) for number in (1, 2)),
    ),
)
"""Every kind of planted row in the files."""

KINDS: Final = tuple(case.kind for case in CASES)

ORDINARY: Final = SENT - sum(kind.rows for kind in KINDS if kind.fate in REACHES_PINTEREST)


def planted_rows() -> Iterator[tuple[str, Case, Row]]:
    """Yield the planted rows, each with its own event id and its case."""
    rows = ((case, row) for case in CASES for row in case.rows)
    for number, (case, row) in enumerate(rows, ORDINARY + 1):
        yield event_id(number), case, row


def event_id(number: int) -> str:
    """Return the id of an event in the files."""
    return f"{PREFIX}{number:05}"


def event_ids() -> set[str]:
    """Return the ids of the events that must reach Pinterest."""
    found = {event_id(number) for number in range(1, ORDINARY + 1)}
    return found | {key for key, case, _ in planted_rows() if case.kind.fate in REACHES_PINTEREST}


def warnings() -> dict[str, int]:
    """Return the expected ``warnings`` in the result of the run."""
    return {kind.warning: kind.rows for kind in KINDS if kind.warning}


def usual_address(key: str) -> str:
    """Return the address of an event without a planted address."""
    return f"{key}@example.com"


def write(folder: Path, start: dt.datetime, end: dt.datetime) -> None:
    """Write the events that were loaded between ``start`` and ``end`` as Parquet files into a folder named after it."""
    rows = _rows(start.astimezone(dt.UTC), end.astimezone(dt.UTC))
    place = folder / f"{start.astimezone(dt.UTC):%Y%m%dT%H%M%S}"
    place.mkdir(parents=True)
    size = -(-len(rows) // FILES)
    for number in range(FILES):
        _write_file(place / f"part-{number:05}.parquet", rows[number * size : (number + 1) * size])


def _rows(start: dt.datetime, end: dt.datetime) -> list[dict[str, Any]]:
    everything: list[tuple[str, Mapping[str, Any]]] = [(event_id(number), {}) for number in range(1, ORDINARY + 1)]
    everything += [(key, row.cells) for key, _, row in planted_rows()]
    step = (end - start) / len(everything)
    rows = []
    for place, (key, cells) in enumerate(everything):
        moment = start + place * step
        usual: dict[str, Any] = {
            "event_id": key,
            "event_name": NAMES[place % len(NAMES)],
            "occurred_at": moment,
            "consent": True,
            "email": usual_address(key),
            "ip_address": "198.51.100.32",
            "user_agent": AGENT,
            "page_url": f"https://de.shop.example.com/products/{place % 60}",
            "value": Decimal("19.80"),
            "currency": "EUR",
            "items": [BOWL],
            "search_string": "bowl",
            "session_note": "for the shop's own reports",
        }
        row = {**usual, **cells}
        if isinstance(row["occurred_at"], dt.timedelta):
            row["occurred_at"] = end + row["occurred_at"]
        rows.append(row)
    return rows


def _write_file(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write one file. Its texts may be bytes that are not UTF-8."""
    import pyarrow as pa
    from pyarrow import parquet

    item = pa.struct(
        {
            "id": pa.string(),
            "item_name": pa.string(),
            "item_price": pa.decimal128(8, 2),
            "quantity": pa.int32(),
        }
    )
    types = {
        "event_name": pa.dictionary(pa.int8(), pa.string()),
        "occurred_at": pa.timestamp("ns", tz="UTC"),
        "consent": pa.bool_(),
        "value": pa.decimal128(12, 2),
        "items": pa.list_(item),
    }
    columns = {}
    for name in rows[0]:
        cells = [row[name] for row in rows]
        columns[name] = (
            pa.array(cells, types[name]) if name in types else pa.array(cells, pa.binary()).view(pa.string())
        )
    parquet.write_table(pa.table(columns), path, row_group_size=ROW_GROUP)


def differences(case: Case, events: Mapping[str, Mapping[str, Any]], rejects: Mapping[str, Sequence[str]]) -> list[str]:
    """Return which rows of a case do not have the expected outcome; see :func:`demo.cases.differences`."""
    rows = []
    for key, its_case, row in planted_rows():
        if its_case is case:
            rows.append((key, {"user_data.em": [sha256(usual_address(key))], **row.arrives}))
    return cases.differences(case, rows, events, rejects)
