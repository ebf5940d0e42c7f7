"""Rows that the user's rules keep from being sent: counted, and neither sent nor rejected."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from airflow_provider_pinterest.exceptions import MappingError
from tests.operators.attempts import Life
from tests.running import deliver, ids, row, rows

# Airflow 2.11's own ObjectStoragePath causes it.
TODAY = dt.datetime.now(dt.UTC).date()
BOT = "Mozilla/5.0 (compatible; Pinterestbot/1.0)"


def excluded(pinterest, code, kept, found, **rules: Any):
    """Check which rows are sent, and that the others are counted under a code."""
    ran = deliver(events=found, max_rejected=0, **rules)

    assert ran.error is None, ran.error
    assert set(pinterest.copies()) == {f"order-{number}" for number in kept}
    assert ran["rows_excluded"] == len(found) - len(kept)
    assert ran["rows_rejected"] == 0
    assert ran["reasons"].get(code, 0) == len(found) - len(kept)
    assert sum(call.events for call in pinterest.calls()) == len(kept)
    return ran


@pytest.mark.parametrize("processes", [0, 1])
def test_who_does_not_consent_is_not_sent(pinterest, processes):
    cells = [True, False, None, "yes", "no", 1, 0, "t", "f", "", "unknown"]
    found = [row(number, marketing_ok=cell) | {"marketing_ok": cell} for number, cell in enumerate(cells)]

    ran = excluded(pinterest, "no_consent", [0, 3, 5, 7], found, consent_column="marketing_ok", processes=processes)

    assert "excluded" in ran.log
    assert ran["coverage"]["user_data.em"] == 1.0


def test_the_column_may_be_written_otherwise(pinterest):
    found = [row(number, **{"Marketing OK": number % 2}) for number in range(4)]

    excluded(pinterest, "no_consent", [1, 3], found, consent_column="marketing_ok")


def test_a_row_without_the_key_does_not_consent(pinterest):
    excluded(pinterest, "no_consent", [1], [row(1, agreed=True), row(2)], consent_column="agreed")


@pytest.mark.parametrize("source", ["sql", "events"])
def test_a_missing_column_is_an_error(pinterest, warehouse, source):
    warehouse.fill("orders", rows(2))
    where: Any = {"sql": "SELECT * FROM orders", "sql_conn_id": "warehouse"} if source == "sql" else {"events": rows(2)}

    ran = deliver(consent_column="agreed", **where)

    assert isinstance(ran.error, MappingError)
    assert "consent_column names 'agreed', which the source does not have" in ran.said
    assert pinterest.calls() == []


def test_a_row_that_is_excluded_is_not_rejected_as_well(pinterest, tmp_path):
    found = [row(1, agreed=True), row(2, agreed=False, email=None, event_time="yesterday")]

    excluded(pinterest, "no_consent", [1], found, consent_column="agreed", rejects_path=str(tmp_path))

    assert not list(tmp_path.rglob("*.ndjson"))


@pytest.mark.parametrize("processes", [0, 1])
def test_who_is_too_young_is_not_sent_where_the_birth_date_is_known(pinterest, processes):
    young, old = TODAY.replace(year=TODAY.year - 15, day=1), TODAY.replace(year=TODAY.year - 17, day=1)
    cells = [young, old, young.isoformat(), old.isoformat(), f"{young:%Y%m%d}", None, "no date", "0" * 64,
             dt.datetime(young.year, young.month, 1, tzinfo=dt.UTC), [young.isoformat()]]  # fmt: skip
    found = [row(number) | {"date_of_birth": cell} for number, cell in enumerate(cells)]

    excluded(pinterest, "under_minimum_age", [1, 3, 5, 6, 7], found, minimum_age=16, processes=processes)


def test_the_switch_for_dates_counts_here_too(pinterest):
    year = TODAY.year - 15
    found = [row(1, date_of_birth=f"01/02/{year}"), row(2, date_of_birth=f"01/02/{year - 5}")]

    excluded(
        pinterest,
        "under_minimum_age",
        [2],
        found,
        minimum_age=14 + (TODAY.replace(month=2, day=2) <= TODAY) + 1,
        identifiers={"date_of_birth": {"order": "DMY"}},
    )


def test_excluded_categories_are_not_sent(pinterest):
    found = [
        row(1, content_category="Toys"),
        row(2, content_category="Home > Alcohol"),
        row(3, contents=json.dumps([{"id": "a", "item_category": "Toys"}, {"id": "b", "item_category": "ALCOHOL"}])),
        row(4, contents=[{"id": "a", "category": "Toys"}]),
        row(5),
        row(6, custom_data={"content_category": "alcohol"}),
    ]

    excluded(pinterest, "excluded_category", [1, 4, 5], found, excluded_categories=["alcohol", "Tobacco"])


def test_crawlers_are_sent_unless_they_are_excluded(pinterest):
    found = [row(1, user_agent=BOT), row(2, user_agent="Mozilla/5.0 (X11)"), row(3)]

    excluded(pinterest, "bot", [2, 3], found, exclude_bots=True)
    pinterest.clear()
    excluded(pinterest, "bot", [1, 2, 3], found)


def test_internal_traffic_is_not_sent(pinterest):
    cells = ["203.0.113.5", "203.0.113.6:8080", "[2001:db8::1]:443", "203.0.113.7, 198.51.100.1", "198.51.100.1", None]
    found = [row(number) | {"ip_address": cell} for number, cell in enumerate(cells)]

    excluded(pinterest, "internal_traffic", [4, 5], found, exclude_networks=["203.0.113.0/24", "2001:db8::/32"])


def test_the_first_rule_counts(pinterest):
    found = [row(1, agreed=False, user_agent=BOT), row(2, agreed=True, user_agent=BOT), row(3, agreed=True)]

    ran = deliver(events=found, consent_column="agreed", exclude_bots=True)

    assert ran["reasons"] == {"no_consent": 1, "bot": 1}
    assert pinterest.copies() == {"order-3": 1}


def test_exclusions_do_not_count_as_rejections(pinterest):
    ran = deliver(
        events=[row(number, agreed=number < 2) for number in range(10)], consent_column="agreed", max_rejected=0
    )

    assert ran.error is None
    assert ran["rows_excluded"] == 8


@pytest.mark.parametrize("source", ["web", "offline"])
def test_a_retry_continues_over_excluded_rows(pinterest, source):
    found = [row(number, agreed=number % 3 != 0, action_source=source) for number in range(1, 31)]
    life = Life(events=found, consent_column="agreed", batch_size=4, max_in_flight=1, max_wait=dt.timedelta(0))
    pinterest.fault("status", status=503, after=3, times=1)

    assert life.attempt().error is not None
    ran = life.attempt()

    assert ran.error is None
    assert pinterest.copies() == {f"order-{number}": 1 for number in range(1, 31) if number % 3}
    assert (ran["rows_read"], ran["rows_excluded"]) == (30, 10)


def test_a_run_of_clear_notices_that_somebody_withdrew_consent(pinterest):
    life = Life(events=rows(3, agreed=True), consent_column="agreed")
    assert life.attempt().error is None

    ran = life.clear(events=[row(1, agreed=True), row(2, agreed=False), row(3, agreed=True)])

    assert ran["rows_excluded"] == 1
    assert pinterest.copies()["order-2"] == 1


@pytest.mark.parametrize("given", [{"Purchase": "checkout"}, {"purchase": "Checkout"}])
def test_event_names_are_mapped(pinterest, given):
    ran = deliver(events=[row(1, event_name="PURCHASE"), row(2, event_name="AddToCart")], event_names=given)

    assert ran.error is None
    assert {event.event_name for event in pinterest.events()} == {"checkout", "add_to_cart"}


def test_names_that_pinterest_does_not_list_are_named_with_their_counts(pinterest):
    events = [*(row(number, event_name="Purchase") for number in range(3)), row(9, event_name="quiz_done")]

    ran = deliver(events=events)

    assert ran["unlisted_event_names"] == {"Purchase": 3, "quiz_done": 1}
    assert "'Purchase' 3 (did you mean 'checkout'?), 'quiz_done' 1" in ran.log
    assert "event_names" in ran.log


def test_a_run_without_any_click_id_or_external_id_is_told_so(pinterest):
    said = "No event carries click_id or external_id"

    assert said in deliver(events=rows(2)).log
    assert said not in deliver(events=[*rows(2), row(3, click_id="dj0yJnU9")]).log
    assert said not in deliver(events=[*rows(2), row(3, external_id="C1")]).log
    assert said not in deliver(events=[]).log
    assert pinterest.copies() == ids(2) | {"order-3": 2} | dict.fromkeys(ids(2), 3)


@pytest.mark.parametrize(
    ("given", "sent"), [({}, 1), ({"placeholders": []}, 3), ({"placeholders": ["none at all"]}, 2)], ids=str
)
def test_words_that_mean_nothing_can_be_chosen(pinterest, given, sent):
    ids = ["order-1", "undefined", "None at all"]
    found = [row(number, event_id=value) for number, value in enumerate(ids) if sent > 1 or value != "None at all"]

    ran = deliver(events=found, max_rejected=1.0, **given)

    assert ran.error is None
    assert ran["events_processed"] == sent
