"""Events made by other processes are those that this process would make, in the same order, with the same counts."""

from __future__ import annotations

import datetime as dt
import os
import random
import signal
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_pinterest.conversions.builder import EventBuilder
from airflow_provider_pinterest.conversions.events import Chunk, Duplicate, Event, Rejection
from airflow_provider_pinterest.conversions.gathering import PIECE
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.exceptions import MappingError, PinterestError

NOW = 1_790_000_000.0
COLUMNS = ("event_id", "event_name", "event_time", "email", "value", "city", "order_key")
PARAMETERS: dict[str, Any] = {
    "defaults": {"action_source": "web", "custom_data.currency": "EUR"},
    "field_map": {"order_key": None},
    "key_columns": ["order_key"],
    "identifiers": {"external_id": {"case": "lower"}},
    "timezone": "Europe/Berlin",
}


def rows(count, seed=1):
    """Good rows, some that are none, some twice, with cells of many types."""
    chance = random.Random(seed)  # noqa: S311
    for number in range(count):
        moment = dt.datetime.fromtimestamp(NOW - chance.randrange(7_500), dt.UTC)
        yield [
            f"e-{number if chance.random() < 0.8 else number // 2}",
            chance.choice(["checkout", "lead", "my own"]),
            chance.choice([moment, moment.isoformat(), int(moment.timestamp())] * 5 + [moment.date(), "no time"]),
            chance.choice([f"p{number}@example.com"] * 8 + [None, "no address"]),
            chance.choice([Decimal("12.50"), 3, 4.25, "7.00", None] * 4 + ["much"]),
            chance.choice(["Köln", "Paris", None]),
            number,
        ]


def chunks(count, size, **options):
    found = list(rows(count, **options))
    for begin in range(0, count, size):
        yield Chunk(COLUMNS, found[begin : begin + size])


def builder(processes, **parameters):
    mapping = ColumnMapping(**(PARAMETERS | parameters))
    return EventBuilder(mapping, now=NOW, max_event_age=dt.timedelta(hours=2), processes=processes)


@pytest.fixture
def build():
    made = []

    def make(processes, **parameters):
        made.append(builder(processes, **parameters))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize(("count", "size"), [(0, 1), (1, 1), (PIECE + 1, 7), (4 * PIECE + 3, 3 * PIECE), (2_000, 1)])
def test_what_comes_back_is_what_one_process_makes(build, processes, count, size):
    alone, together = build(0), build(processes)

    expected = list(alone.events(chunks(count, size)))
    found = list(together.events(chunks(count, size)))

    assert found == expected
    assert [outcome.row for outcome in found] == list(range(1, count + 1))
    assert together.warnings == alone.warnings
    assert together.coverage == alone.coverage


def test_the_rows_of_the_test_above_become_everything():
    """Else it would prove little."""
    alone = builder(0)
    kinds = Counter(type(outcome) for outcome in alone.events(chunks(2_000, 500)))

    assert min(kinds[kind] for kind in (Event, Rejection, Duplicate)) > 20
    assert alone.warnings.keys() == {"unknown_event_name", "unusable_em"}


def test_cells_that_cannot_be_sent_elsewhere_are_read_here(build):
    found = list(
        build(2).events(
            Chunk(
                COLUMNS,
                [
                    [memoryview(b"x") if number == 700 else cell for cell in row]
                    for number, row in enumerate(rows(1_500))
                ],
            )
            for _ in range(1)
        )
    )

    assert [outcome.row for outcome in found] == list(range(1, 1_501))
    assert isinstance(found[700], Rejection)
    assert sum(isinstance(one, Event) for one in found) > 300


def test_what_was_read_before_the_source_fails_is_made(build):
    def failing():
        yield from chunks(700, 100)
        raise LookupError("gone")

    outcomes = build(2).events(failing())

    assert [next(outcomes).row for _ in range(700)] == list(range(1, 701))
    with pytest.raises(LookupError, match="gone"):
        next(outcomes)


def test_columns_that_collide_are_an_error_here(build):
    with pytest.raises(MappingError, match="both map to"):
        list(build(1, defaults={}).events([Chunk(("email", "email_address"), [["a@example.com", "b@example.com"]])]))


def test_a_process_that_is_killed_is_an_error_and_not_a_hang(build):
    together = build(2)
    worker = together._processes.workers[0].process
    source = chunks(50 * PIECE, PIECE)

    outcomes = together.events(source)
    next(outcomes)
    os.kill(worker.pid, signal.SIGKILL)

    with pytest.raises(PinterestError, match=r"has ended \(signal 9\)"):
        list(outcomes)


def test_processes_end_with_the_builder(build):
    together = build(3)
    outcomes = together.events(chunks(5_000, 500))
    next(outcomes)
    processes = [worker.process for worker in together._processes.workers]

    together.close()

    assert [process.returncode for process in processes] == [0, 0, 0]


def test_processes_end_when_the_task_is_killed(tmp_path):
    pid = os.fork()
    if not pid:
        together = builder(2)
        outcomes = together.events(chunks(5_000, 500))
        next(outcomes)
        workers = [str(worker.process.pid) for worker in together._processes.workers]
        (tmp_path / "new").write_text(" ".join(workers))
        (tmp_path / "new").rename(tmp_path / "pids")
        signal.pause()
    while not (tmp_path / "pids").exists():
        time.sleep(0.01)
    workers = (tmp_path / "pids").read_text().split()

    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    end = time.monotonic() + 10
    while any(_runs(worker) for worker in workers):
        assert time.monotonic() < end, "they outlive the task"
        time.sleep(0.01)


def _runs(pid):
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
