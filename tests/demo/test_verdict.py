"""The demo does not pass by itself: whatever is lost, doubled, miscounted or in clear is found."""

from __future__ import annotations

import copy
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from demo import lake, old_shop, planted, verdict, warehouse
from demo.kinds import Fate, Feed, sha256
from demo.outcome_rows import OutcomeRow
from demo.warehouse import Warehouse
from harness.dag_runs import TaskRun

NOW = dt.datetime(2026, 11, 21, 12, 7, tzinfo=dt.UTC)


class Books:
    """Four books that agree, to be spoilt by a test."""

    def __init__(self, shop: Warehouse, folder: Path) -> None:
        self.warehouse = shop
        self.tasks = [
            TaskRun(dag_id, task_id, -1, "success", result(feed, folder))
            for (dag_id, task_id), feed in verdict.TASKS.items()
        ]
        self.received = [
            event(feed, key, self.proofs(key))
            for feed in verdict.TASKS.values()
            if feed not in verdict.CASES
            for key in sorted(self.warehouse.keys[feed])
        ]
        self.received += [old_order(key) for key in sorted(old_shop.order_ids())]
        self.received += [lake_event(key) for key in sorted(lake.event_ids())]
        self.outcomes = outcomes(self.tasks, self.received)
        first = next(task for task in self.tasks if task.dag_id == verdict.AGAIN)
        assert first.result is not None
        sent = {"events_sent": 0, "events_processed": 0, "already_sent": first.result["events_processed"]}
        self.tasks.append(first._replace(result=first.result | sent))
        self.outcomes += [
            row._replace(run=row.run.replace("/first/", "/second/"))
            for row in self.outcomes
            if row.place[0] == verdict.AGAIN and row.status == "duplicate"
        ]

    def proofs(self, key: str) -> dict[str, list[str]]:
        return {
            field: [digest]
            for proofs in self.warehouse.proofs.values()
            for field, digest in proofs.get(key, {}).items()
        }

    def faults(self, log: str = "") -> list[str]:
        return list(verdict.judge(self.warehouse, self.tasks, self.received, self.outcomes, log).faults)


def old_order(key: str) -> dict[str, Any]:
    """Return the event that must arrive for an order of the old shop."""
    found: dict[str, Any] = {
        "event_name": "checkout",
        "action_source": "web",
        "event_id": key.lower(),
        "custom_data": {"order_id": key},
        "user_data": {"em": [sha256(old_shop.usual_address(key))]},
    }
    for planted_key, _, row in old_shop.planted_rows():
        if planted_key == key:
            for path, value in row.arrives.items():
                put(found, path, value)
    return found


def lake_event(key: str) -> dict[str, Any]:
    """Return the event that must arrive for a row of the Parquet files."""
    found = event(Feed.LAKE, key, {"em": [sha256(lake.usual_address(key))]})
    for path, value in ARRIVES.get(key, {}).items():
        put(found, path, value)
    return found


ARRIVES = {key: row.arrives for key, _, row in lake.planted_rows()}


def outcomes(tasks: list[TaskRun], received: list[dict[str, Any]]) -> list[OutcomeRow]:
    """Return the outcome table of the first runs."""
    places = {feed: place for place, feed in verdict.TASKS.items()}
    found = [
        OutcomeRow(run_of(*places[verdict.feed_of(event)]), 0, "processed", None, *name_and_id(event), None)
        for event in received
    ]
    for task in tasks:
        assert task.result is not None
        run = run_of(task.dag_id, task.task_id)
        for line in verdict.rejects(task.result["rejects_path"]):
            code = line["reasons"][0]["code"]
            found.append(OutcomeRow(run, line["row"], "rejected", code, None, None, None))
        duplicate = OutcomeRow(run, 0, "duplicate", None, "checkout", "again", None)
        found += [duplicate] * task.result["duplicates_dropped"]
    return found


def run_of(dag_id: str, task_id: str) -> str:
    return f"{dag_id}/first/{task_id}"


def name_and_id(event: dict[str, Any]) -> tuple[str, str]:
    return event["event_name"], event["event_id"]


def put(event: dict[str, Any], path: str, value: Any) -> None:
    *places, name = path.split(".")
    for place in places:
        event = event.setdefault(place, {})
    if value is None:
        event.pop(name, None)
    else:
        event[name] = value


def rejected(feed: Feed) -> list[tuple[dict[str, str], str]]:
    """Return the keys and the code of each row in the rejects file."""
    if feed is Feed.OLD_SHOP:
        rows = [(key, case.kind) for key, case, _ in old_shop.planted_rows()]
        return [({"Order ID": key}, kind.reason) for key, kind in rows if kind.fate is Fate.REJECTED]
    if feed is Feed.LAKE:
        found = [(key, case.kind) for key, case, _ in lake.planted_rows()]
        return [({"event_id": key}, kind.reason) for key, kind in found if kind.fate is Fate.REJECTED]
    return [({}, code) for code, rows in planted.reasons(feed, Fate.REJECTED).items() for _ in range(rows)]


def result(feed: Feed, folder: Path) -> dict[str, Any]:
    place = folder / feed.name
    place.mkdir()
    lines = [
        json.dumps({"row": row, "keys": keys, "reasons": [{"code": code}]})
        for row, (keys, code) in enumerate(rejected(feed), 1)
    ]
    (place / "part-000001.ndjson").write_text("\n".join(lines), encoding="utf-8")
    zeros = ("events_failed", "events_held", "rows_not_sent", "already_sent", "validated_only")
    return {
        "rows_read": planted.rows_read(feed),
        "events_sent": planted.SENT[feed],
        "events_processed": planted.SENT[feed],
        "rows_rejected": planted.of(feed, Fate.REJECTED),
        "rows_excluded": planted.of(feed, Fate.EXCLUDED),
        "duplicates_dropped": planted.of(feed, Fate.DROPPED),
        "reasons": planted.reasons(feed),
        "warnings": old_shop.warnings()
        if feed is Feed.OLD_SHOP
        else {kind.becomes: kind.rows for kind in planted.KINDS if kind.feed is feed and kind.fate is Fate.LEFT_OUT},
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
        Feed.LAKE: ("search", "web"),
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
    folder = tmp_path_factory.mktemp("shop")
    built = warehouse.add_old_shop(warehouse.build(folder / "warehouse.db", now=NOW))
    return warehouse.add_lake(built, folder / "lake")


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
    assert any("1 more copies arrived than events" in fault for fault in books.faults())


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
    "name", ["rows_read", "events_processed", "rows_rejected", "rows_excluded", "duplicates_dropped", "rows_not_sent"]
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
    books.tasks.pop(0)
    assert any("left no result" in fault for fault in books.faults())


@pytest.fixture(scope="module")
def orders() -> dict[str, dict[str, Any]]:
    """Every event of the old shop that must arrive, by its order number."""
    return {key: old_order(key) for key in old_shop.order_ids()}


@pytest.fixture(scope="module")
def refused() -> dict[str, list[str]]:
    """What the rejects file of the old shop must say, by order number."""
    return {keys["Order ID"]: [code] for keys, code in rejected(Feed.OLD_SHOP)}


@pytest.mark.parametrize("case", old_shop.CASES, ids=lambda case: case.name)
def test_any_old_order_that_became_something_else_is_found(case, orders, refused):
    assert old_shop.differences(case, orders, refused) == []
    for key in [key for key, its_case, _ in old_shop.planted_rows() if its_case is case]:
        changed = {other: event for other, event in orders.items() if other != key}
        if key not in orders:
            changed[key] = {}

        [fault] = old_shop.differences(case, changed, refused)

        assert fault.startswith(key)


@pytest.mark.parametrize("case", old_shop.CASES, ids=lambda case: case.name)
def test_any_value_of_an_old_order_that_is_not_the_one_meant_is_found(case, orders, refused):
    for key, its_case, row in old_shop.planted_rows():
        for path in row.arrives if its_case is case else ():
            changed = copy.deepcopy(orders[key])
            put(changed, path, ["0" * 64])

            assert old_shop.differences(case, orders | {key: changed}, refused) == [
                f"{key}: {path} has another value than expected"
            ]


def test_an_old_order_rejected_for_another_reason_is_found(books):
    place = next(task for task in books.tasks if task.task_id == "send_old_shop").result["rejects_path"]
    file = next(Path(place).iterdir())
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    codes = [line["reasons"] for line in lines]
    for line, reasons in zip(lines, codes[1:] + codes[:1], strict=True):
        line["reasons"] = reasons
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")

    assert any("other reasons among the rejects" in fault for fault in books.faults())


def test_a_warning_of_the_old_shop_that_was_not_planted_is_found(books):
    next(task for task in books.tasks if task.task_id == "send_old_shop").result["warnings"]["unusable_ge"] = 1

    assert any("the result says warnings" in fault for fault in books.faults())


def test_an_address_in_clear_anywhere_in_an_event_is_found(books):
    books.received[0]["custom_data"]["search_string"] = "somebody@example.com"

    assert any("address in clear" in fault for fault in books.faults())


@pytest.mark.parametrize("case", lake.CASES, ids=lambda case: case.name)
def test_any_row_of_the_files_that_became_something_else_is_found(case):
    keys = {key for key, _, _ in lake.planted_rows()}
    events = {key: lake_event(key) for key in lake.event_ids() & keys}
    refused = {row["event_id"]: [code] for row, code in rejected(Feed.LAKE)}
    assert lake.differences(case, events, refused) == []
    for key, row in [(key, row) for key, its_case, row in lake.planted_rows() if its_case is case]:
        changed = {other: event for other, event in events.items() if other != key}
        if key not in events:
            changed[key] = {}

        [fault] = lake.differences(case, changed, refused)

        assert fault.startswith(key)
        for path in row.arrives:
            wrong = copy.deepcopy(events[key])
            put(wrong, path, "another value")

            assert lake.differences(case, events | {key: wrong}, refused) == [
                f"{key}: {path} has another value than expected"
            ]


def row_with(books: Books, status: str) -> int:
    return next(place for place, row in enumerate(books.outcomes) if row.status == status)


def test_an_event_that_the_outcome_table_lacks_is_found(books):
    del books.outcomes[row_with(books, "processed")]

    assert any("1 events that Pinterest received are not in it as processed" in fault for fault in books.faults())


def test_an_event_with_another_id_in_the_outcome_table_is_found(books):
    place = row_with(books, "processed")
    books.outcomes[place] = books.outcomes[place]._replace(event_id="another")

    assert any("1 events are in it as processed that Pinterest did not" in fault for fault in books.faults())


def test_an_event_that_is_processed_twice_in_the_outcome_table_is_found(books):
    books.outcomes.append(books.outcomes[row_with(books, "processed")])

    assert any("1201 rows are processed, the results say 1200" in fault for fault in books.faults())


@pytest.mark.parametrize("status", ["held", "failed", "sending"])
def test_an_event_with_another_status_in_the_outcome_table_is_found(books, status):
    place = row_with(books, "processed")
    books.outcomes[place] = books.outcomes[place]._replace(status=status)

    assert any(f"it has rows with the status {status}" in fault for fault in books.faults())


@pytest.mark.parametrize("change", [{"reasons": "too_large"}, {"source_row": 9_999}])
def test_a_rejected_row_that_is_another_in_the_outcome_table_is_found(books, change):
    place = row_with(books, "rejected")
    books.outcomes[place] = books.outcomes[place]._replace(**change)

    assert any("are not those of the rejects file" in fault for fault in books.faults())


def test_a_duplicate_that_the_outcome_table_lacks_is_found(books):
    del books.outcomes[row_with(books, "duplicate")]

    assert any("rows are duplicate, the results say" in fault for fault in books.faults())


def test_an_outcome_table_without_rows_is_found(books):
    books.outcomes.clear()

    assert sum(fault.startswith("the outcome table: ") for fault in books.faults()) >= len(verdict.TASKS)


def test_rows_of_a_task_that_was_not_run_are_found(books):
    row = books.outcomes[0]
    books.outcomes.append(row._replace(run="other/first/send"))

    assert any("other.send: 1 rows of a task that was not run" in fault for fault in books.faults())


def test_an_address_in_clear_in_the_outcome_table_is_found(books):
    row = books.outcomes[0]
    books.outcomes[0] = row._replace(key_columns='{"email":"somebody@example.com"}')

    assert any("the outcome table: 1 rows have an address in clear" in fault for fault in books.faults())


def test_a_second_run_that_sends_again_is_found(books):
    books.tasks[-1].result.update(events_sent=1, already_sent=books.tasks[-1].result["already_sent"] - 1)

    assert any("second run: the result says events_sent = 1" in fault for fault in books.faults())


def test_a_second_run_that_is_missing_is_found(books):
    books.tasks.pop()

    assert any("did not run a second time" in fault for fault in books.faults())
