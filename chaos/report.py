"""The report of a storm: what it did, whether the guarantees held, and its line in the table."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from chaos.judge import Findings

HAPPENED: Final = (
    "attempts",
    "kills",
    "freezes",
    "asked to end",
    "clears",
    "changes",
    "refused",
    "damages",
    "database faults",
)
DATABASE_FAULTS: Final = ("connections terminated", "database crashes")
FOUND: Final = ("lost", "web_twice", "allowed", "offline_twice", "held", "rejects")


class PromiseBrokenError(Exception):
    """A guarantee was broken. The storm cannot continue."""


@dataclass
class StormReport:
    """The events of a storm and the results of its checks.

    :param log: a file to which each event of the storm is added.
    :param outcomes: whether there is an outcome table.
    """

    seed: int
    rows: int
    log: Path
    outcomes: str = "no"
    happened: Counter[str] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Count something that happened, and log it."""
        self.happened[what] += 1
        with self.log.open("a") as log:
            log.write(f"{time.strftime('%H:%M:%S')} storm: {what}\n")

    def lines(self) -> Iterator[str]:
        """Yield the line of the table, and the lines below it."""
        counts = {
            **self.happened,
            "changes": sum(count for what, count in self.happened.items() if what.startswith("change (")),
            "damages": sum(count for what, count in self.happened.items() if what.startswith("damage (")),
            "refused": self.happened["source changed"] + self.happened["not known what was sent"],
        }
        counts["database faults"] = sum(self.happened[what] for what in DATABASE_FAULTS)
        numbers = [self.rows, *(counts.get(name, 0) for name in HAPPENED)]
        numbers += [getattr(self.findings, name) for name in FOUND]
        cells = [str(self.seed), self.outcomes, *(f"{number:,}" for number in numbers), f"{self.seconds:.0f}"]
        yield f"| {' | '.join(cells)} |"
        yield "  " + ", ".join(f"{what} {count}" for what, count in sorted(self.happened.items()))
        yield from (f"  seed {self.seed}: {problem}" for problem in self.broken)
