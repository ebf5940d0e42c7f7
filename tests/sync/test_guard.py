"""An orchestrator's guard ends the run before a request."""

from __future__ import annotations

from airflow_provider_pinterest.exceptions import StoppedError
from airflow_provider_pinterest.sync import AttemptInfo, Stopped
from tests.running import rows
from tests.sync.plain import run


def test_a_guard_ends_the_run_before_the_next_request(sandbox):
    asked = []

    def guard():
        asked.append(len(sandbox.calls()))
        if len(asked) == 3:
            raise Stopped

    ran = run(rows(50), sandbox, call={"attempt": AttemptInfo(guard=guard)}, batch_size=10, max_in_flight=1)

    assert isinstance(ran.error, StoppedError)
    assert asked == [0, 1, 2]
    assert len(sandbox.calls()) == 2
    assert ran["events_processed"] == 20
