"""Compare the records: the operator's results and its outcome table, those of the sandbox, and those of the builder.

:func:`judge` returns the differences. An empty list of faults means that the records agree for every row.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from demo import lake, old_shop, outcome_rows, planted
from demo.kinds import Fate, Feed, Kind
from harness.accounting import arrivals, imbalances

if TYPE_CHECKING:
    from demo.cases import Case
    from demo.outcome_rows import OutcomeRow
    from demo.warehouse import Warehouse
    from harness.dag_runs import TaskRun

TASKS: Final[Mapping[tuple[str, str], Feed]] = {
    ("pinterest_sync_checkouts", "send_checkouts"): Feed.CHECKOUTS,
    ("pinterest_sync_checkouts", "send_browsing"): Feed.BROWSING,
    ("pinterest_store_sales", "send_store_sales"): Feed.STORE_SALES,
    ("pinterest_events_from_task", "send_app_events"): Feed.APP_EVENTS,
    ("pinterest_events_from_task", "send_signups"): Feed.SIGNUPS,
    ("demo_old_shop", "send_old_shop"): Feed.OLD_SHOP,
    ("demo_data_lake", "send_lake_files"): Feed.LAKE,
}
"""DAG and task → the feed that it sends."""

AGAIN: Final = "pinterest_store_sales"
"""The DAG that runs a second time over the same window, and must not send anything then."""

ADDRESS: Final = re.compile(r"\w@example\.com", re.IGNORECASE)
"""The end of an invented person's e-mail address."""

Event = Mapping[str, Any]


class Feeding(NamedTuple):
    """The task of a feed, and its events in the local Pinterest.

    :param result: the operator's result of the run.
    :param rejects: the rejected rows, as written to the rejects file.
    :param received: the events that arrived, with every copy.
    """

    feed: Feed
    task: TaskRun
    result: Mapping[str, Any]
    rejects: Sequence[Mapping[str, Any]]
    received: Sequence[Event]


class DemoVerdict(NamedTuple):
    """The result of the comparison.

    :param feedings: one per feed, in the order of sending.
    :param kinds: each kind of planted row, and whether it had the expected outcome.
    :param outcomes: the rows of the outcome table.
    :param again: the tasks of the second run of :data:`AGAIN`.
    :param faults: the differences, as text; empty if there are none.
    """

    feedings: Sequence[Feeding]
    kinds: Sequence[tuple[Kind, bool]]
    outcomes: Sequence[OutcomeRow]
    again: Sequence[TaskRun]
    faults: Sequence[str]


def judge(
    warehouse: Warehouse,
    tasks: Sequence[TaskRun],
    received: Iterable[Event],
    outcomes: Sequence[OutcomeRow] | None = None,
    log: str = "",
) -> DemoVerdict:
    """Compare the results of the tasks with the planted rows, the received events and the outcome table.

    :param tasks: in the order of the runs.
    :param outcomes: the rows of the outcome table; ``None`` if the tasks wrote none, and none of them ran twice.
    :param log: Airflow's log, which must not have any e-mail address.
    """
    faults = [f"{task.dag_id}.{task.task_id} ended as {task.state}" for task in tasks if task.state != "success"]
    if leaks := len(ADDRESS.findall(log)):
        faults.append(f"Airflow's log holds {leaks} addresses in clear")
    arrived: dict[Feed, list[Event]] = {feed: [] for feed in Feed}
    for event in received:
        arrived[feed_of(event)].append(event)
    ran: dict[tuple[str, str], TaskRun] = {}
    again = [task for task in tasks if ran.setdefault((task.dag_id, task.task_id), task) is not task]
    feedings = []
    for place, feed in TASKS.items():
        if not warehouse.keys.get(feed):
            continue
        first = ran.get(place)
        if first is None or first.result is None:
            if first is None or first.state == "success":
                faults.append(f"{'.'.join(place)} left no result")
            continue
        feedings.append(Feeding(feed, first, first.result, rejects(first.result["rejects_path"]), arrived[feed]))
    for feeding in feedings:
        faults += [f"{feeding.feed}: {fault}" for fault in _faults(feeding, warehouse)]
    kinds = [
        (kind, _met(kind, feeding, warehouse))
        for feeding in feedings
        for kind in planted.KINDS
        if kind.feed is feeding.feed
    ]
    faults += [f"{kind.feed}: the planted rows '{kind.name}' did not meet their fate" for kind, met in kinds if not met]
    for feeding in feedings:
        faults += [fault for case in CASES.get(feeding.feed, ()) for fault in _case_faults(case, feeding)]
    if outcomes is not None:
        faults += _faults_of_again(again, feedings)
        faults += [f"the outcome table: {fault}" for fault in _faults_of_table(outcomes, feedings, again)]
    return DemoVerdict(feedings, kinds, outcomes or (), again, faults)


CASES: Final[Mapping[Feed, Sequence[Case]]] = {Feed.OLD_SHOP: old_shop.CASES, Feed.LAKE: lake.CASES}
"""The feeds whose planted rows are checked value by value."""


def feed_of(event: Event) -> Feed:
    """Return the feed of an event."""
    if event["action_source"] == "offline":
        return Feed.STORE_SALES
    if _order_id(event).startswith(old_shop.PREFIX):
        return Feed.OLD_SHOP
    if event["event_id"].startswith(lake.PREFIX):
        return Feed.LAKE
    if event["action_source"] != "web":
        return Feed.APP_EVENTS
    return {"checkout": Feed.CHECKOUTS, "signup": Feed.SIGNUPS}.get(event["event_name"], Feed.BROWSING)


def key_of(event: Event) -> str:
    """Return the key of an event in the records of the builder."""
    if feed_of(event) in {Feed.STORE_SALES, Feed.OLD_SHOP}:
        return _order_id(event)
    key: str = event["event_id"]
    return key


def _order_id(event: Event) -> str:
    found: str = event.get("custom_data", {}).get("order_id", "")
    return found


def rejects(path: str | None) -> list[dict[str, Any]]:
    """Read the rejected rows below a local path, in the order of their rows."""
    if not path:
        return []
    place = Path(path.removeprefix("file://"))
    files = sorted(place.rglob("*.ndjson")) if place.is_dir() else [place] if place.exists() else []
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return sorted(rows, key=lambda row: int(row["row"]))


def _faults(feeding: Feeding, warehouse: Warehouse) -> list[str]:
    """Return the differences of one feed."""
    feed, result = feeding.feed, feeding.result
    expected = {
        "rows_read": planted.rows_read(feed),
        "events_sent": planted.SENT[feed],
        "events_processed": planted.SENT[feed],
        "events_failed": 0,
        "events_held": 0,
        "rows_rejected": planted.of(feed, Fate.REJECTED),
        "rows_excluded": planted.of(feed, Fate.EXCLUDED),
        "duplicates_dropped": planted.of(feed, Fate.DROPPED),
        "rows_not_sent": 0,
        "already_sent": 0,
        "validated_only": 0,
        "reasons": planted.reasons(feed),
    }
    if feed is Feed.OLD_SHOP:  # the other feeds have random rows, some without a usable cell
        expected["warnings"] = old_shop.warnings()
    if feed is Feed.LAKE:
        expected["warnings"] = lake.warnings()
    faults = [
        f"the result says {name} = {result[name]}, planted were {value}"
        for name, value in expected.items()
        if result[name] != value
    ]
    faults += imbalances(result)
    found = arrivals(warehouse.keys[feed], Counter(map(key_of, feeding.received)))
    if found.missing:
        faults.append(f"{found.missing} events never arrived")
    if found.unknown:
        faults.append(f"{found.unknown} events arrived that should not have")
    if found.twice:
        faults.append(f"{found.twice} more copies arrived than events")
    listed = Counter(reason["code"] for row in feeding.rejects for reason in row["reasons"])
    if listed != Counter(planted.reasons(feed, Fate.REJECTED)):
        faults.append(f"the rejects file lists {dict(listed)}")
    if plain := sum(1 for event in feeding.received if ADDRESS.search(json.dumps(event, ensure_ascii=False))):
        faults.append(f"{plain} events carried an address in clear")
    return faults


def _met(kind: Kind, feeding: Feeding, warehouse: Warehouse) -> bool:
    """Return whether the planted rows of one kind have the expected outcome."""
    if kind.feed in CASES:
        case = next(case for case in CASES[kind.feed] if case.kind == kind)
        return not _case_faults(case, feeding)
    if kind.fate is Fate.REJECTED:
        return bool(feeding.result["reasons"].get(kind.reason) == planted.reasons(kind.feed)[kind.reason])
    if kind.fate is Fate.LEFT_OUT:
        return bool(feeding.result["warnings"].get(kind.becomes) == kind.rows)
    if kind.fate is Fate.DROPPED:
        return bool(feeding.result["duplicates_dropped"] == kind.rows)
    proofs = warehouse.proofs[kind]
    arrived = {key_of(event): event["user_data"] for event in feeding.received}
    return len(proofs) == kind.rows and all(
        arrived.get(key, {}).get(field) == [digest]
        for key, digests in proofs.items()
        for field, digest in digests.items()
    )


def _case_faults(case: Case, feeding: Feeding) -> list[str]:
    events = {key_of(event): event for event in feeding.received}
    name = {Feed.OLD_SHOP: "Order ID", Feed.LAKE: "event_id"}[feeding.feed]
    reasons = {
        row["keys"][name]: [reason["code"] for reason in row["reasons"]] for row in feeding.rejects if row.get("keys")
    }
    differences = old_shop.differences if feeding.feed is Feed.OLD_SHOP else lake.differences
    return differences(case, events, reasons)


def _faults_of_again(again: Sequence[TaskRun], feedings: Sequence[Feeding]) -> list[str]:
    """Return what the second run of a window did wrong: its events must all be already sent."""
    expected = [feeding for feeding in feedings if feeding.task.dag_id == AGAIN]
    if [task.task_id for task in again] != [feeding.task.task_id for feeding in expected]:
        return [f"{AGAIN} did not run a second time"] if expected else []
    faults = []
    for task, first in zip(again, expected, strict=True):
        result = task.result or {}
        wanted = {
            "rows_read": first.result["rows_read"],
            "events_sent": 0,
            "already_sent": first.result["events_processed"],
            "rows_rejected": first.result["rows_rejected"],
        }
        faults += [
            f"{first.feed}, second run: the result says {name} = {result.get(name)}, expected was {value}"
            for name, value in wanted.items()
            if result.get(name) != value
        ]
    return faults


def _faults_of_table(
    outcomes: Sequence[OutcomeRow], feedings: Sequence[Feeding], again: Sequence[TaskRun]
) -> list[str]:
    """Return what the outcome table says differently from the results, the rejects files and the received events."""
    duplicates: Counter[tuple[str, str]] = Counter()
    for task in (*(feeding.task for feeding in feedings), *again):
        duplicates[task.dag_id, task.task_id] += (task.result or {}).get("duplicates_dropped", 0)
    claims = [
        outcome_rows.TaskClaim(
            (feeding.task.dag_id, feeding.task.task_id),
            {(event["event_name"], event["event_id"]) for event in feeding.received},
            feeding.result["events_processed"],
            {(row["row"], ",".join(reason["code"] for reason in row["reasons"])) for row in feeding.rejects},
            duplicates[feeding.task.dag_id, feeding.task.task_id],
        )
        for feeding in feedings
    ]
    faults = outcome_rows.differences(outcomes, claims)
    if plain := sum(1 for outcome in outcomes if ADDRESS.search(json.dumps(outcome, ensure_ascii=False))):
        faults.append(f"{plain} rows have an address in clear")
    return faults
