"""The examples of canonical forms are what the code makes of them."""

import hashlib
import json
import time

import pytest

from airflow_provider_pinterest.conversions.fields import FIELDS
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.outcomes import Event, RowBatch
from airflow_provider_pinterest.conversions.transform import Transform
from tests.docs.pages import DOCS, codes, first_column, lines

PAGE = DOCS / "identifiers.md"
EXAMPLES = [line for line in lines(PAGE) if line.head[0].startswith("Cell")]
HASHED = [field.name for field in FIELDS if field.kind.startswith("hashed")]


def sent(field, cell, switches, country):
    """What goes out for a cell, and the warnings; the row's match key is another field."""
    transform = Transform(ColumnMapping(identifiers={field: switches}), now=time.time())
    row = {
        "event_name": "checkout",
        "action_source": "web",
        "event_id": "1",
        "event_time": int(time.time()),
        "client_ip_address": "192.0.2.1",
        "client_user_agent": "Mozilla/5.0",
        field: cell,
    }
    if country:
        row["country"] = country
    [event] = transform.events([RowBatch(tuple(row), [tuple(row.values())])])
    assert isinstance(event, Event)
    return json.loads(event.body)["user_data"].get(field), dict(transform.warnings)


@pytest.mark.parametrize("line", EXAMPLES, ids=lambda line: f"{line.heading}:{line.cells[0]}")
def test_an_example_is_what_the_code_makes_of_it(line):
    said = codes(line.head[0])
    switches = json.loads(said[0]) if "with" in line.head[0] else {}
    country = said[-1] if "in a row of" in line.head[0] else None
    cell = line.cells[0].strip("`")
    canonical, digest = (codes(cell) for cell in line.cells[1:])

    found, warnings = sent(line.heading, cell, switches, country)

    if canonical:
        assert [hashlib.sha256(canonical[0].encode()).hexdigest()] == digest == found
        assert not warnings
    else:
        assert found is None
        assert line.cells[1:] == ("*left out*", "")
        assert warnings == {f"unusable_{line.heading}": 1}


def test_every_hashed_identifier_has_examples():
    assert {line.heading for line in EXAMPLES} == set(HASHED)


def test_every_identifier_that_can_be_left_out_has_a_section():
    named = {field.name for field in FIELDS if field.place == "user_data" and field.warning}

    assert named == {*HASHED, "client_ip_address", "client_user_agent", "click_id", "partner_id"}


def test_every_switch_that_the_page_names_elsewhere_exists():
    assert set(first_column(PAGE, "Switches")) >= {"ph", "db", "zp", "external_id"}
