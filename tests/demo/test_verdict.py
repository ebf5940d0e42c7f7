"""The demo does not pass by itself: whatever is lost, doubled, miscounted or in clear is found."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from demo import planted, verdict, warehouse
from demo.planted import Fate, Feed
from demo.run_dags import TaskRun
from demo.warehouse import Warehouse

NOW = dt.datetime(2026, 11, 21, 12, 7, tzinfo=dt.UTC)


class Books:
    """Three books that agree, to be spoilt by a test."""

    def __init__(self, shop: Warehouse, folder: Path) -> None:
        self.warehouse = shop
        self.tasks = [
            TaskRun(dag_id, task_id, -1, "success", result(feed, folder))
            for (dag_id, task_id), feed in verdict.TASKS.items()
        ]
        self.received = [
            event(feed, key, self.proofs(key))
            for feed in verdict.TASKS.values()
            for key in sorted(self.warehouse.keys[feed])
        ]

    def proofs(self, key: str) -> dict[str, list[str]]:
        return {
            field: [digest]
            for proofs in self.warehouse.proofs.values()
            for field, digest in proofs.get(key, {}).items()
        }

    def faults(self, log: str = "") -> list[str]:
        return list(verdict.judge(self.warehouse, self.tasks, self.received, log).faults)


def result(feed: Feed, folder: Path) -> dict[str, Any]:
    place = folder / feed.name
    place.mkdir()
    reasons = [code for code, rows in planted.reasons(feed).items() for _ in range(rows)]
    lines = [json.dumps({"row": row, "reasons": [{"code": code}]}) for row, code in enumerate(reasons, 1)]
    (place / "part-000001.ndjson").write_text("\n".join(lines), encoding="utf-8")
    zeros = ("events_failed", "events_held", "rows_not_sent", "already_sent", "validated_only")
    return {
        "rows_read": planted.rows_read(feed),
        "events_sent": planted.SENT[feed],
        "events_processed": planted.SENT[feed],
        "rows_rejected": planted.of(feed, Fate.REJECTED),
        "duplicates_dropped": planted.of(feed, Fate.DROPPED),
        "reasons": planted.reasons(feed),
        "warnings": {
            kind.becomes: kind.rows for kind in planted.KINDS if kind.feed is feed and kind.fate is Fate.LEFT_OUT
        },
        "rejects_path": str(place),
        **dict.fromkeys(zeros, 0),
    }


def event(feed: Feed, key: str, user_data: dict[str, list[str]]) -> dict[str, Any]:
    name, source = {
        Feed.CHECKOUTS: ("checkout", "web"),
        Feed.BROWSING: ("page_visit", "web"),
        Feed.STORE_SALES: ("checkout", "offline"),
        Feed.APP_EVENTS: ("app_open", "app_ios"),
        Feed.SIGNUPS: ("signup", "web"),
    }[feed]
    return {
        "event_name": name,
        "action_source": source,
        "event_id": key,
        "custom_data": {"order_id": key},
        "user_data": user_data,
    }


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return warehouse.build(tmp_path_factory.mktemp("shop") / "warehouse.db", now=NOW)


@pytest.fixture
def books(shop: Warehouse, tmp_path: Path) -> Books:
    return Books(shop, tmp_path)


def test_books_that_agree_have_no_fault(books):
    assert books.faults() == []


def test_a_lost_event_is_found(books):
    books.received.pop(0)
    assert any("1 events never arrived" in fault for fault in books.faults())


def test_a_doubled_event_is_found(books):
    books.received.append(books.received[0])
    assert any("1 events arrived more than once" in fault for fault in books.faults())


def test_an_event_of_a_planted_row_that_got_through_is_found(books):
    books.received.append(event(Feed.CHECKOUTS, "checkout-of-nobody", {}))
    assert any("1 events arrived that should not have" in fault for fault in books.faults())


def test_an_address_in_clear_is_found(books):
    books.received[0]["user_data"] = {"em": ["somebody@example.com"]}
    assert any("address in clear" in fault for fault in books.faults())


def test_an_address_in_airflow_s_log_is_found(books):
    log = "Done. Returned value was: [{'email': 'somebody@example.com'}]"
    assert any("log holds 1 addresses" in fault for fault in books.faults(log))


def test_an_identifier_hashed_twice_is_found(books):
    key = next(key for kind in books.warehouse.proofs for key in books.warehouse.proofs[kind])
    spoilt = next(event for event in books.received if verdict.key_of(event) == key)
    spoilt["user_data"] = {"ph": ["0" * 64]}
    assert any("did not meet their fate" in fault for fault in books.faults())


@pytest.mark.parametrize(
    "name", ["rows_read", "events_processed", "rows_rejected", "duplicates_dropped", "rows_not_sent"]
)
def test_a_wrong_count_is_found(books, name):
    books.tasks[0].result[name] += 1
    assert any(f"the result says {name}" in fault for fault in books.faults())


def test_a_missing_line_in_the_rejects_file_is_found(books):
    file = next(Path(books.tasks[0].result["rejects_path"]).iterdir())
    file.write_text("\n".join(file.read_text(encoding="utf-8").splitlines()[1:]), encoding="utf-8")
    assert any("the rejects file lists" in fault for fault in books.faults())


def test_a_failed_task_is_found(books):
    books.tasks[0] = books.tasks[0]._replace(state="failed")
    assert any("ended as failed" in fault for fault in books.faults())


def test_a_task_without_a_result_is_found(books):
    books.tasks.pop()
    assert any("left no result" in fault for fault in books.faults())
