"""A task that lets other processes make its events."""

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_pinterest.conversions import transform_pool
from airflow_provider_pinterest.exceptions import ParameterError
from tests.running import deliver, ids, row, rows

COUNT = 2_300


def children():
    """Return the processes that this one has started and that still run."""
    mine = Path("/proc/self/task").resolve().parent.name
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == mine and fields[0] != "Z":
            found.add(entry.parent.name)
    return found


def test_the_same_arrives_and_the_account_is_the_same(pinterest, tmp_path):
    source = [*rows(COUNT), row(1), row(COUNT + 1, email=None), row(COUNT + 2, value="much")]
    options: dict[str, Any] = {"events": source, "rejects_path": str(tmp_path), "max_rejected": 2, "batch_size": 300}
    before = children()

    alone = deliver(**options)
    pinterest.clear()
    together = deliver(**options, processes=2)

    assert alone.error is together.error is None
    assert pinterest.copies() == ids(COUNT)
    own = {"seconds", "freshness", "calls"}
    assert {name: value for name, value in together.result.items() if name not in own} == {
        name: value for name, value in alone.result.items() if name not in own
    }
    assert (together["rows_rejected"], together["duplicates_dropped"]) == (2, 1)
    assert children() == before


def test_a_run_that_stops_leaves_no_process_behind(pinterest):
    pinterest.fault("status", status=403)
    before = children()

    ran = deliver(events=rows(COUNT), processes=2)

    assert ran.error is not None
    assert ran["rows_not_sent"] > 0
    assert children() == before


def test_a_connection_that_cannot_work_starts_no_process(pinterest, connect, monkeypatch):
    started = []
    monkeypatch.setattr(transform_pool.PoolWorker, "__init__", lambda *_: started.append(1))
    connect(pinterest, password=None)

    ran = deliver(events=rows(1), processes=2)

    assert "no access token" in ran.said
    assert started == []


def test_validate_only_works_with_them(pinterest):
    ran = deliver(events=rows(COUNT), processes=1, validate_only=True)

    assert ran["validated_only"] == COUNT
    assert pinterest.calls() == []


@pytest.mark.parametrize("count", [-1, 33, 1.0, True, "2", None])
def test_a_number_that_cannot_work_is_refused(pinterest, count):
    ran = deliver(events=rows(1), processes=count)

    assert isinstance(ran.error, ParameterError)
    assert "processes must be 0 to 32" in ran.said
