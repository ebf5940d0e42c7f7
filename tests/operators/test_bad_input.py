"""Cells that are no good: each a coded rejection, and never an event that Pinterest would refuse."""

import datetime as dt
import time
from decimal import Decimal

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_pinterest.conversions.reasons import REASONS
from airflow_provider_pinterest.exceptions import CredentialError
from tests.running import deliver, ids, row, rows

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


def rejected(pinterest, **cells):
    """Send a good row and one with these cells; return why the latter was rejected."""
    ran = deliver(events=[row(1), row(2, **cells)], max_rejected=1)

    assert ran.error is None, ran.error
    assert pinterest.copies() == ids(1)
    assert {call.status for call in pinterest.calls()} == {200}
    assert ran["rows_rejected"] == 1
    assert ran["reasons"].keys() <= REASONS.keys()
    return set(ran["reasons"])


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"contents": '[{"id": "a", "hue": 1}]'}, "unknown_field"),
        ({"custom_data": "{broken"}, "bad_json"),
        ({"custom_data": {"colour": "red"}}, "unknown_field"),
        ({"value": float("inf")}, "bad_type"),
        ({"value": Decimal("-Infinity")}, "bad_type"),
        ({"value": "12,50 €"}, "bad_type"),
        ({"value": True}, "bad_type"),
        ({"value": 10**40}, "bad_value"),
        ({"event_id": "\udfff"}, "bad_text"),
        ({"event_time": "yesterday"}, "bad_time"),
        ({"event_time": float("nan")}, "missing_field"),
        ({"event_time": float("inf")}, "bad_time"),
        ({"event_time": 10**30}, "bad_time"),
        ({"event_time": -1}, "bad_time"),
        ({"event_time": 0}, "bad_time"),
        ({"event_time": 20261121}, "bad_time"),
        ({"event_time": None}, "missing_field"),
        ({"event_time": NOW + dt.timedelta(hours=1)}, "future_event_time"),
        ({"event_time": int(time.time() * 1000) + 3_600_000}, "future_event_time"),
        ({"event_id": None}, "missing_field"),
        ({"event_id": "  "}, "missing_field"),
        ({"event_name": None}, "missing_field"),
        ({"action_source": "website"}, "bad_action_source"),
        ({"currency": "EURO"}, "bad_currency"),
        ({"opt_out": "perhaps"}, "bad_type"),
        ({"opt_out_type": "LDP"}, "ldp_without_region"),
        ({"email": None, "phone": "+14155550100", "external_id": "7"}, "no_match_key"),
        ({"email": "not an address"}, "no_match_key"),
        ({"content_name": "x" * 3_000_000}, "too_large"),
    ],
    ids=lambda argument: "+".join(argument) if isinstance(argument, dict) else argument,
)
def test_a_bad_cell_rejects_its_row_and_no_other(pinterest, cells, code):
    assert code in rejected(pinterest, **cells)


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"contents": "[{"}, "unusable_contents"),
        ({"contents": "5"}, "unusable_contents"),
        ({"contents": '[{"id": "a", "quantity": 1.5}]'}, "unusable_contents_quantity"),
        ({"device_info": "[]"}, "unusable_device_info"),
        ({"num_items": 10**19}, "unusable_num_items"),
        ({"num_items": 2**63}, "unusable_num_items"),
        ({"num_items": 1.5}, "unusable_num_items"),
        ({"content_name": "broken \ud800"}, "unusable_content_name"),
        ({"device_info": {"battery_level": 101}}, "unusable_device_info_battery_level"),
        ({"language": "fil-PH"}, "unusable_language"),
    ],
    ids=lambda argument: "+".join(argument) if isinstance(argument, dict) else argument,
)
def test_a_bad_cell_of_an_optional_field_is_left_out(pinterest, cells, code):
    ran = deliver(events=[row(1), row(2, **cells)])

    assert ran.error is None, ran.error
    assert len(pinterest.copies()) == 2
    assert {call.status for call in pinterest.calls()} == {200}
    assert ran["warnings"] == {code: 1}


@pytest.mark.parametrize(
    "written",
    {
        "aware": lambda moment: moment,
        "elsewhere": lambda moment: moment.astimezone(dt.timezone(dt.timedelta(hours=-8))),
        "naive": lambda moment: moment.replace(tzinfo=None),
        "ISO 8601": lambda moment: moment.isoformat(),
        "SQL": lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S"),
        "seconds": lambda moment: int(moment.timestamp()),
        "seconds with a fraction": lambda moment: moment.timestamp() + 0.5,
        "seconds as text": lambda moment: str(int(moment.timestamp())),
        "seconds as a decimal": lambda moment: Decimal(int(moment.timestamp())),
        "milliseconds": lambda moment: int(moment.timestamp()) * 1_000,
        "microseconds": lambda moment: int(moment.timestamp()) * 1_000_000,
    }.items(),
    ids=lambda written: written[0],
)
def test_a_moment_arrives_as_the_same_second_however_it_is_written(pinterest, written):
    moment = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(minutes=1)

    assert deliver(events=[row(event_time=written[1](moment))]).error is None
    assert pinterest.events()[0].event_time == int(moment.timestamp())


def test_an_event_of_three_megabytes_holds_nobody_else_up(pinterest):
    assert deliver(events=[*rows(3), row(4, content_name="x" * 3_000_000)], max_rejected=1).error is None
    assert pinterest.copies() == ids(3)
    assert all(call.bytes < 2_000_000 for call in pinterest.calls())


@pytest.mark.parametrize(
    "cells",
    [
        {"order_id": b"4711"},
        {"email": b"ada2@example.com"},
        {"event_time": str(int(time.time()) - 60).encode()},
        {"value": float("nan")},
        {"value": Decimal("NaN")},
        {"num_items": float("nan")},
    ],
)
def test_bytes_are_text_and_not_a_number_is_nothing(pinterest, cells):
    assert deliver(events=[row(1), row(2, **cells)], max_rejected=0).error is None
    assert pinterest.copies() == ids(2)


def test_a_huge_text_among_the_identifiers_is_left_out_and_counted(pinterest):
    ran = deliver(events=[row(external_id="x" * 1_000_000)])

    assert ran.error is None
    assert ran["warnings"] == {"unusable_external_id": 1}
    assert "external_id" not in pinterest.events()[0].event["user_data"]


@pytest.mark.parametrize(
    "cells",
    [
        {"phone": "call me", "gender": "unknown", "country": "XQ"},
        {"phone": float("nan"), "city": "\ud800", "date_of_birth": "31.02.1990"},
        {"ip_address": "999.1.1.1", "advertising_id": 5.5},
        {"first_name": True, "last_name": b"x", "zip": {"a": 1}},
    ],
)
def test_an_identifier_that_is_no_good_is_left_out_or_rejects_its_row_but_never_breaks_the_run(pinterest, cells):
    ran = deliver(events=[row(1), row(2, **cells)], max_rejected=1)

    assert ran.error is None
    assert {call.status for call in pinterest.calls()} == {200}
    assert ran["events_processed"] + ran["rows_rejected"] == 2
    assert ran["warnings"] or ran["reasons"]


def test_rows_that_are_all_bad_fail_the_task_without_a_call(pinterest):
    ran = deliver(events=rows(3, action_source="shop"))

    assert isinstance(ran.error, AirflowFailException)
    assert pinterest.calls() == []
    assert ran["rows_rejected"] == 3


def test_a_wrong_token_is_no_fault_of_the_rows(pinterest, connect):
    connect(pinterest, password="pina_wrong")

    ran = deliver(events=rows(3))

    assert isinstance(ran.error, CredentialError)
    assert ran["rows_rejected"] == ran["events_failed"] == 0
    assert ran["rows_not_sent"] == 3


def test_a_later_row_with_a_new_column_that_maps_to_nothing_is_rejected_alone(pinterest):
    ran = deliver(events=[row(1), row(2, colour="red")], max_rejected=1)

    assert ran.error is None
    assert ran["reasons"] == {"unknown_field": 1}
    assert pinterest.copies() == ids(1)


def test_a_later_row_with_two_columns_for_one_field_is_rejected_alone(pinterest):
    ran = deliver(events=[row(1), row(2, em="bob@example.com"), row(3)], max_rejected=1)

    assert ran.error is None
    assert ran["reasons"] == {"ambiguous_columns": 1}
    assert len(pinterest.copies()) == 2
