"""What a storm changes behind the back of the task: the rows of the source and the stored state."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_pinterest.delivery.checkpoint import Checkpoint, Finished
from chaos.judge import Tolerance, received
from chaos.report import StormReport
from chaos.state import DAMAGES, StoredState
from chaos.warehouse import CHANGES, ChangingWarehouse, RowChange


@dataclass
class Tampering:
    """Changes the source and damages the state, one at a time, and takes it back when the task refuses to continue.

    :param tolerance: what the changes allow is added to it.
    :param unchanged: ids of events whose rows must not change.
    :param ledger: whether the task knows which events were sent, whatever happens to the rows and the state.
    """

    folder: Path
    warehouse: ChangingWarehouse
    chance: random.Random
    report: StormReport
    tolerance: Tolerance
    unchanged: frozenset[str]
    ledger: bool = False
    happened: bool = False
    change: RowChange | None = None
    changed_at: float = 0.0
    backup: Any = None
    offline_before: Mapping[str, int] = field(default_factory=dict)

    def tamper(self, state: Checkpoint, stored: StoredState) -> None:
        """At random, change the source or damage the stored state, unless the last change may not have been read."""
        if self.change is not None and (state.written <= self.changed_at or state.rows < self.change.last + 1):
            return
        what = self.chance.random()
        if what < 0.3:
            self.change_rows(state)
        elif what < 0.4:
            self.damage(stored)

    def change_rows(self, state: Checkpoint | Finished) -> None:
        """Change some rows of the source, most often near the last one that the state accounts for."""
        rows = len(self.warehouse.rows)
        near = state.rows + self.chance.randrange(-3_000, 9_000)
        index = near if 0 <= near < rows - 300 else self.chance.randrange(rows)
        change = self.warehouse.change(self.chance.choice(CHANGES), index, unchanged=self.unchanged)
        if change is None:
            return
        self.change, self.changed_at = change, time.time()
        self.happened = True
        if not state.offline:
            self._all_may_be_sent_again()
        pending = state.pending if isinstance(state, Checkpoint) else ()
        if change.first + 1 > max([state.rows, *(batch.last for batch in pending)]):
            self.tolerance.formerly_web |= change.flipped  # no checkpoint can know yet that they were sent
        self.report.note(f"change ({change.kind})")

    def undo_change(self) -> None:
        """Put the rows back as they were."""
        assert self.change is not None
        self.warehouse.undo(self.change)
        self.tolerance.formerly_web -= self.change.flipped
        self.change = None

    def damage(self, stored: StoredState) -> None:
        """Make the stored state unreadable."""
        self.backup = stored.stored()
        kind = self.chance.choice(sorted(DAMAGES))
        stored.replace(DAMAGES[kind](self.backup))
        shutil.copytree(self.folder / "rejects", self.folder / "rejects.backup", dirs_exist_ok=True)
        self._all_may_be_sent_again()
        self.offline_before = received(self.folder).offline
        self.happened = True
        self.report.note(f"damage ({kind})")

    def repair(self, stored: StoredState) -> bool:
        """Restore the state and the rejects. Return whether no offline event was sent meanwhile."""
        copies = received(self.folder)
        stored.replace(self.backup)
        shutil.rmtree(self.folder / "rejects")
        (self.folder / "rejects.backup").rename(self.folder / "rejects")
        self.backup = None
        self._all_may_be_sent_again()
        return copies.offline == self.offline_before

    def _all_may_be_sent_again(self) -> None:
        if not self.ledger:
            self.tolerance.copies += received(self.folder).distinct

    def forget(self) -> None:
        """Forget what was changed, because a run has ended."""
        self.backup, self.change = None, None
