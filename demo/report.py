"""The output of the demo: one screen of plain text. It is coloured only on a terminal."""

from __future__ import annotations

import os
import sys
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from demo.kinds import Fate, Feed, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from demo.outcome_rows import OutcomeRow
    from demo.verdict import DemoVerdict, Feeding

WIDTH: Final = 100
"""Columns of a line."""

REJECTS_SHOWN: Final = 3
FAULTS_SHOWN: Final = 10
EXAMPLES_OF: Final = "send_checkouts"
"""The task whose rows of the outcome table are shown."""
QUALITY_SHOWN: Final = ("em", "hashed_maids", "ph", "click_id", "client_ip_address", "external_id")

_STYLES: Final = {"bold": "1", "dim": "2", "good": "32", "bad": "1;31"}


def styled(text: str, style: str) -> str:
    """Colour ``text`` if standard output is a terminal and ``NO_COLOR`` is not set."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{_STYLES[style]}m{text}\033[0m"


def heading(text: str, style: str = "bold") -> None:
    """Begin a section."""
    print(f"\n{styled(text, style)}")


def show(verdict: DemoVerdict, calls: Mapping[str, int], kept: Path | None) -> None:
    """Print the sent events, the outcomes of the planted rows, some rejects, and the verdict.

    :param calls: HTTP status → number of calls to the local Pinterest.
    :param kept: the folder that is kept, if any.
    """
    if verdict.feedings:
        _sent(verdict.feedings)
        _quality(verdict.feedings)
        _planted(verdict)
        _rejects(verdict.feedings)
        _outcomes(verdict)
    _verdict(verdict, calls)
    if kept:
        print(styled(f"\n  warehouse.db, outcomes.db, rejects/ and airflow.log are in {kept}", "dim"))


def _sent(feedings: Sequence[Feeding]) -> None:
    heading("What Airflow sent, and what the local Pinterest counted")
    columns = "  {:<26} {:<16} {:>6} {:>8} {:>8} {:>5} {:>6} {:>4} {:>7}".format
    print(
        styled(
            columns("DAG", "task", "rows", "rejected", "excluded", "twice", "sent", "late", "counted"),
            "dim",
        )
    )
    for feeding in feedings:
        result = feeding.result
        # An event that arrives more than an hour late is counted as offline; store sales are always offline.
        late = "-" if feeding.feed is Feed.STORE_SALES else f"{result['freshness']['over_1h']:,}"
        numbers = [result[name] for name in _SUMMED]
        line = columns(
            feeding.task.dag_id,
            feeding.task.task_id,
            *(f"{n:,}" for n in numbers),
            late,
            f"{len(feeding.received):,}",
        )
        print(line + _same(len(feeding.received), result["events_processed"]))
    sums = [sum(feeding.result[name] for feeding in feedings) for name in _SUMMED]
    counted = sum(len(feeding.received) for feeding in feedings)
    line = columns("together", "", *(f"{n:,}" for n in sums), "", f"{counted:,}")
    print(styled(line, "bold") + _same(counted, sums[_SUMMED.index("events_processed")]))


_SUMMED: Final = ("rows_read", "rows_rejected", "rows_excluded", "duplicates_dropped", "events_processed")


def _same(counted: int, sent: int) -> str:
    return styled(" ok", "good") if counted == sent else styled(" NO", "bad")


def _quality(feedings: Sequence[Feeding]) -> None:
    heading("What Pinterest can match people by: the share of events that carry it")
    for feeding in feedings:
        coverage = {name.rpartition(".")[2]: share for name, share in feeding.result["coverage"].items()
                    if name.startswith("user_data.")}  # fmt: skip
        shares = "   ".join(f"{name} {coverage[name]:.0%}" for name in QUALITY_SHOWN if coverage.get(name))
        print(f"  {feeding.task.task_id:<17} {shares}")


def _planted(verdict: DemoVerdict) -> None:
    heading("The troublesome rows planted in the warehouse, and what became of them")
    for fate, title in _FATES.items():
        lines: dict[tuple[str, str], list[tuple[Kind, bool]]] = {}
        for kind, met in verdict.kinds:
            if kind.fate is fate:
                lines.setdefault((kind.name, kind.code), []).append((kind, met))
        total = sum(kind.rows for found in lines.values() for kind, _ in found)
        print(f"  {total:>7}  {title}")
        for (name, code), found in lines.items():
            count = sum(kind.rows for kind, _ in found)
            mark = styled("ok ", "good") if all(met for _, met in found) else styled("NO ", "bad")
            story = found[0][0].story
            print(f"  {mark} {count:>3}  {name:<30}{styled(story, 'dim')}{code:>{WIDTH - 41 - len(story)}}".rstrip())


_FATES: Final = {
    Fate.SENT: "sent as they were meant: exactly the expected hash or value arrived",
    Fate.LEFT_OUT: "sent without the cell, which is counted under a warning",
    Fate.WARNED: "sent, and counted under a warning",
    Fate.REJECTED: "rejected, with the reason in the rejects file",
    Fate.EXCLUDED: "excluded by the DAG's own rules, and counted",
    Fate.DROPPED: "dropped as duplicates of a row before them",
}


def _rejects(feedings: Sequence[Feeding]) -> None:
    heading("From the rejects files: which row, and what to correct")
    shown: dict[str, tuple[str, str]] = {}
    for feeding in feedings:
        for row in feeding.rejects:
            reason = row["reasons"][0]
            keys: Mapping[str, Any] = row["keys"] or {"event_id": row["event_id"]}
            who = " ".join(f"{name}={value}" for name, value in keys.items())
            what = f"{reason['code']}: {reason['field']} {reason['message']}"
            shown.setdefault(reason["code"], (f"{feeding.feed} row {row['row']}, {who}", what))
    for who, what in list(shown.values())[:REJECTS_SHOWN]:
        print(f"  {who}")
        print(textwrap.fill(what, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 8))


def _outcomes(verdict: DemoVerdict) -> None:
    heading("The outcome table pinterest_outcomes: one row for each event, for queries of your own")
    columns = "  {:<10} {:>7}  {}".format
    print(styled(columns("status", "rows", "reasons"), "dim"))
    found: dict[str, Counter[str]] = {}
    for outcome in verdict.outcomes:
        found.setdefault(outcome.status, Counter())[outcome.reasons or ""] += 1
    for status, reasons in sorted(found.items(), key=lambda item: -item[1].total()):
        listed = ", ".join(f"{reason}{_NOT_BROKEN}{count}" for reason, count in reasons.most_common() if reason)
        line = columns(status, f"{reasons.total():,}", listed).rstrip()
        print(textwrap.fill(line, WIDTH, subsequent_indent=" " * 21).replace(_NOT_BROKEN, " "))
    columns = "  {:<10} {:<11} {:<18} {:<18} {}".format
    print(styled("  three of its rows, with some of their columns", "dim"))
    print(styled(columns("status", "event_name", "event_id", "reasons", "key_columns"), "dim"))
    for row in _examples(verdict.outcomes):
        cells = (row.status, row.event_name, row.event_id, row.reasons, row.key_columns)
        print(columns(*(cell or "" for cell in cells)).rstrip())
    for task in verdict.again:
        rows, already, sent = (
            (task.result or {}).get(name, 0) for name in ("rows_read", "already_sent", "events_sent")
        )
        print(f"  {task.dag_id} ran twice over one day, with skip_already_sent=True. The second run:")
        print(f"  {rows:,} rows read, {already:,} already sent, {sent:,} sent")


_NOT_BROKEN: Final = "\N{NO-BREAK SPACE}"


def _examples(outcomes: Sequence[OutcomeRow]) -> list[OutcomeRow]:
    """Return one row of each status, of a task whose ids can be read."""
    found: dict[str, OutcomeRow] = {}
    for outcome in outcomes:
        if outcome.event_id and outcome.place[1] == EXAMPLES_OF:
            found.setdefault(outcome.status, outcome)
    return list(found.values())


def _verdict(verdict: DemoVerdict, calls: Mapping[str, int]) -> None:
    if verdict.faults:
        heading("It does not add up", "bad")
        for fault in verdict.faults[:FAULTS_SHOWN]:
            print(f"  - {fault}")
        if more := len(verdict.faults[FAULTS_SHOWN:]):
            print(f"  - and {more} more")
        return
    sent = sum(feeding.result["events_processed"] for feeding in verdict.feedings)
    answers = ", ".join(f"{count} x {status}" for status, count in calls.items())
    heading("It adds up", "good")
    planted = sum(kind.rows for kind, _ in verdict.kinds)
    print(f"  {sent:,} events sent, the same {sent:,} counted by the local Pinterest ({answers}):")
    print(f"  none missing, none twice, and the same {sent:,} are processed in the outcome table.")
    print("  There is no e-mail address in clear in any of them or in Airflow's log.")
    print(f"  Each of the {planted} planted rows became what it should. All other rows were sent.")


def failed(reason: str) -> None:
    """Print why the demo failed."""
    print(f"\n{styled('The demo failed', 'bad')}: {reason}", file=sys.stderr)
