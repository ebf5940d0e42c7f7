"""An attempt that stood still while another one took its place: it must leave everything as it is."""

from __future__ import annotations

from typing import Any

import pytest

from harness.task import MemoryStateStore
from tests.operators.attempts import Life, small
from tests.running import row, rows


class StaleAttemptError(Exception):
    """Another attempt is the current one."""


class StaleStore(MemoryStateStore):
    """Airflow's state store for an attempt that is replaced after it has read: writing fails, reading finds nothing."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__()
        self.values = values
        self.reads = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.reads += 1
        return super().get(key, default) if self.reads == 1 else default

    def set(self, key: str, value: Any, **_: Any) -> None:
        raise StaleAttemptError


def parts(folder):
    return {part.name: part.read_text() for part in folder.rglob("*") if part.is_file()}


@pytest.mark.parametrize("stored", ["a checkpoint", "the end of a run", "nothing"])
def test_an_attempt_that_wakes_up_late_touches_no_rejects(pinterest, tmp_path, stored):
    source = [*rows(4), row(99, action_source="nowhere"), *(row(number) for number in range(5, 11))]
    life = Life(**small(source, max_rejected=5, rejects_path=str(tmp_path)))
    pinterest.fault("fail_event", event_id="order-2")
    pinterest.fault("status", status=503, after=3)
    life.attempt()
    old = dict(life.store.values)
    pinterest.clear_faults()
    pinterest.fault("fail_event", event_id="order-8")
    life.attempt()
    if stored == "the end of a run":
        old = dict(life.store.values)
        life.clear()
    written, calls = parts(tmp_path), len(pinterest.calls())
    assert "order-8" in str(written)

    life.store = StaleStore({} if stored == "nothing" else old)
    assert isinstance(life.clear().error, StaleAttemptError)
    assert parts(tmp_path) == written
    assert len(pinterest.calls()) == calls
