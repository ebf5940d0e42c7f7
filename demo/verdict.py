"""Compare three independent records: the operator's results, those of the sandbox, and those of the warehouse builder.

:func:`judge` returns the differences. An empty list of faults means that the records agree for every row.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from demo import old_shop, planted
from demo.kinds import Fate, Feed, Kind
from harness.accounting import arrivals, imbalances

if TYPE_CHECKING:
    from demo.warehouse import Warehouse
    from harness.dag_runs import TaskRun

TASKS: Final[Mapping[tuple[str, str], Feed]] = {
    ("pinterest_sync_checkouts", "send_checkouts"): Feed.CHECKOUTS,
    ("pinterest_sync_checkouts", "send_browsing"): Feed.BROWSING,
    ("pinterest_store_sales", "send_store_sales"): Feed.STORE_SALES,
    ("pinterest_events_from_task", "send_app_events"): Feed.APP_EVENTS,
    ("pinterest_events_from_task", "send_signups"): Feed.SIGNUPS,
    ("demo_old_shop", "send_old_shop"): Feed.OLD_SHOP,
}
"""DAG and task → the feed that it sends."""

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
    :param faults: the differences, as text; empty if there are none.
    """

    feedings: Sequence[Feeding]
    kinds: Sequence[tuple[Kind, bool]]
    faults: Sequence[str]


def judge(warehouse: Warehouse, tasks: Sequence[TaskRun], received: Iterable[Event], log: str = "") -> DemoVerdict:
    """Compare the results of the tasks with the planted rows and the received events.

    :param log: Airflow's log, which must not have any e-mail address.
    """
    faults = [f"{task.dag_id}.{task.task_id} ended as {task.state}" for task in tasks if task.state != "success"]
    if leaks := len(ADDRESS.findall(log)):
        faults.append(f"Airflow's log holds {leaks} addresses in clear")
    arrived: dict[Feed, list[Event]] = {feed: [] for feed in Feed}
    for event in received:
        arrived[feed_of(event)].append(event)
    ran = {(task.dag_id, task.task_id): task for task in tasks}
    feedings = []
    for place, feed in TASKS.items():
        if not warehouse.keys.get(feed):
            continue
        task = ran.get(place)
        if task is None or task.result is None:
            if task is None or task.state == "success":
                faults.append(f"{'.'.join(place)} left no result")
            continue
        feedings.append(Feeding(feed, task, task.result, rejects(task.result["rejects_path"]), arrived[feed]))
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
        if feeding.feed is Feed.OLD_SHOP:
            faults += [fault for case in old_shop.CASES for fault in _old_shop_faults(case, feeding)]
    return DemoVerdict(feedings, kinds, faults)


def feed_of(event: Event) -> Feed:
    """Return the feed of an event."""
    if event["action_source"] == "offline":
        return Feed.STORE_SALES
    if _order_id(event).startswith(old_shop.PREFIX):
        return Feed.OLD_SHOP
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
    if kind.feed is Feed.OLD_SHOP:
        case = next(case for case in old_shop.CASES if case.kind == kind)
        return not _old_shop_faults(case, feeding)
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


def _old_shop_faults(case: old_shop.Case, feeding: Feeding) -> list[str]:
    events = {key_of(event): event for event in feeding.received}
    reasons = {
        row["keys"]["Order ID"]: [reason["code"] for reason in row["reasons"]]
        for row in feeding.rejects
        if row.get("keys")
    }
    return old_shop.differences(case, events, reasons)
