"""Other processes produce the same events as this process, in the same order, with the same counts."""

from __future__ import annotations

import datetime as dt
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pendulum
import pytest

from airflow_provider_pinterest.conversions import pickling, transform_pool
from airflow_provider_pinterest.conversions.coalescing import COLUMN_BATCH_ROWS, coalesce
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.outcomes import Duplicate, Event, Rejection, RowBatch
from airflow_provider_pinterest.conversions.reasons import InvalidCellError
from airflow_provider_pinterest.conversions.transform import Transform
from airflow_provider_pinterest.exceptions import ParameterError, PinterestError
from tests.conversions.hostile import OBJECTS, exit_now

NOW = 1_790_000_000.0
COLUMNS = ("event_id", "event_name", "event_time", "email", "value", "city", "order_key")
PARAMETERS: dict[str, Any] = {
    "defaults": {"action_source": "web", "custom_data.currency": "EUR"},
    "field_map": {"order_key": None},
    "key_columns": ["order_key"],
    "identifiers": {"external_id": {"case": "lower"}},
    "timezone": "Europe/Berlin",
}


class Mark(str):
    """A subclass of text, like that of markupsafe."""

    __slots__ = ()


def rows(count, seed=1):
    """Return good rows, bad rows and duplicates, with cells of many types."""
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


def row_batches(count, size, **options):
    found = list(rows(count, **options))
    for begin in range(0, count, size):
        yield RowBatch(COLUMNS, found[begin : begin + size])


def new_transform(processes, **parameters):
    mapping = ColumnMapping(**(PARAMETERS | parameters))
    return Transform(mapping, now=NOW, max_event_age=dt.timedelta(hours=2), processes=processes)


@pytest.fixture
def transform():
    made = []

    def create(processes, **parameters):
        made.append(new_transform(processes, **parameters))
        return made[-1]

    yield create
    for one in made:
        one.close()


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize(
    ("count", "size"),
    [(0, 1), (1, 1), (COLUMN_BATCH_ROWS + 1, 7), (4 * COLUMN_BATCH_ROWS + 3, 3 * COLUMN_BATCH_ROWS), (2_000, 1)],
)
def test_what_comes_back_is_what_one_process_makes(transform, processes, count, size):
    alone, together = transform(0), transform(processes)

    expected = list(alone.events(row_batches(count, size)))
    found = list(together.events(row_batches(count, size)))

    assert found == expected
    assert [outcome.row for outcome in found] == list(range(1, count + 1))
    assert together.warnings == alone.warnings
    assert together.coverage == alone.coverage


def test_the_rows_of_the_test_above_become_everything():
    """Otherwise the other tests would prove little."""
    alone = new_transform(0)
    kinds = Counter(type(outcome) for outcome in alone.events(row_batches(2_000, 500)))

    assert min(kinds[kind] for kind in (Event, Rejection, Duplicate)) > 20
    assert alone.warnings.keys() == {"unknown_event_name", "unusable_em"}


def test_cells_that_cannot_be_sent_elsewhere_are_read_here(transform):
    found = list(
        transform(2).events(
            RowBatch(
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


def test_what_was_read_before_the_source_fails_is_made(transform):
    def failing():
        yield from row_batches(700, 100)
        raise LookupError("gone")

    outcomes = transform(2).events(failing())

    assert [next(outcomes).row for _ in range(700)] == list(range(1, 701))
    with pytest.raises(LookupError, match="gone"):
        next(outcomes)


def test_rows_whose_columns_collide_are_rejected(transform):
    row_batch = RowBatch(("email", "email_address"), [["a@example.com", "b@example.com"]])
    [found] = transform(1, defaults={}).events([row_batch])
    assert "ambiguous_columns" in {reason.code for reason in found.reasons}


def test_a_process_that_is_killed_is_an_error_and_not_a_hang(transform):
    together = transform(2)
    worker = together._processes.workers[0].process
    source = row_batches(50 * COLUMN_BATCH_ROWS, COLUMN_BATCH_ROWS)

    outcomes = together.events(source)
    next(outcomes)
    os.kill(worker.pid, signal.SIGKILL)

    with pytest.raises(PinterestError, match=r"has ended \(signal 9\)"):
        list(outcomes)


def test_processes_end_with_the_transform(transform):
    together = transform(3)
    outcomes = together.events(row_batches(5_000, 500))
    next(outcomes)
    processes = [worker.process for worker in together._processes.workers]

    together.close()

    assert [process.returncode for process in processes] == [0, 0, 0]


def test_processes_end_when_the_task_is_killed(tmp_path):
    pid = os.fork()
    if not pid:
        together = new_transform(2)
        outcomes = together.events(row_batches(5_000, 500))
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


# Cells and processes that fail


def good_row_batches(count=2_000, **cells):
    """Return batches of good rows; every seventh row has other cells."""
    for begin in range(0, count, COLUMN_BATCH_ROWS):
        found = []
        for number in range(begin, min(begin + COLUMN_BATCH_ROWS, count)):
            row = dict(
                zip(COLUMNS, [f"e-{number}", "checkout", int(NOW) - 60, "ada@example.com"] + [None] * 3, strict=True)
            )
            found.append([*(row | (cells if number % 7 == 3 else {})).values()])
        yield RowBatch(COLUMNS, found)


@pytest.mark.parametrize("column", ["value", "email", "order_key", "event_id"])
@pytest.mark.parametrize(
    "name", ["unloadable", "exiting", "function", "type", "raising", "deep list", "scalar", "moment"]
)
def test_a_cell_that_another_process_cannot_read_neither_ends_nor_hangs_the_run(transform, name, column):
    cell = OBJECTS[name]()
    alone, together = transform(0), transform(1)

    found = list(together.events(good_row_batches(**{column: cell})))

    assert found == list(alone.events(good_row_batches(**{column: cell})))
    assert [outcome.row for outcome in found] == list(range(1, 2_001))
    worker = together._processes.workers[0]
    assert worker.process.poll() is None
    assert list(together.events(good_row_batches(10)))


def test_what_a_process_cannot_read_is_made_here(transform):
    """Functions are pickled by name; the other process does not import them."""
    worker = transform(1)._processes.workers[0]
    [column_batch] = coalesce(good_row_batches(10, value=exit_now), ColumnMapping(**PARAMETERS))

    assert worker.take(column_batch)
    assert worker.received() is None
    [good] = coalesce(good_row_batches(10), ColumnMapping(**PARAMETERS))
    assert worker.take(good)
    assert len(worker.received().outcomes()) == 10


@pytest.mark.parametrize(
    "cell",
    [
        dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        dt.date(2026, 1, 1),
        dt.time(9, 30, fold=1),
        dt.timedelta(1),
        Decimal("1.50"),
        UUID(int=5),
        bytearray(b"x"),
        [{"a": (1, None, True, 1.5, 2**70, "\ud800")}],
        10**5_000,
    ],
    ids=lambda cell: type(cell).__name__,
)
def test_ordinary_cells_are_the_same_in_another_process(cell):
    found = pickling.read(pickling.written(cell))

    assert found == cell
    assert type(found) is type(cell)
    assert getattr(found, "fold", None) == getattr(cell, "fold", None)


@pytest.mark.parametrize(
    "cell", [exit_now, Path, PinterestError("x"), Path("/")], ids=["function", "class", "error", "path"]
)
def test_other_cells_are_not_written_or_not_read(cell):
    with pytest.raises((KeyError, InvalidCellError)):
        pickling.read(pickling.written(cell))


def test_large_results_do_not_stop_both_sides(transform):
    wide = f'{{"np": "{"x" * 20_000}"}}'
    mapping = {"field_map": {"order_key": "custom_data"}, "key_columns": []}
    alone, together = transform(0, **mapping), transform(1, **mapping)

    source = [RowBatch(COLUMNS, [[*row[:-1], wide] for row_batch in good_row_batches() for row in row_batch.rows])]

    assert list(together.events(source)) == list(alone.events(source))


def test_a_process_that_cannot_be_started_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")

    with pytest.raises(PinterestError, match="could not be started"):
        new_transform(2)


def test_processes_that_were_started_end_when_another_cannot_be(monkeypatch):
    started: list[Any] = []
    popen = subprocess.Popen

    def once(*args, **kwargs):
        if started:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        started.append(popen(*args, **kwargs))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", once)

    with pytest.raises(PinterestError, match="Resource temporarily unavailable"):
        new_transform(2)
    assert started[0].returncode == 0


@pytest.mark.parametrize(
    "patch",
    ["threading.Thread.start = lambda _: 1 / 0", "import os; os._exit(3)", "sys.modules['orjson'] = None"],
    ids=["no thread", "dies at once", "no module"],
)
def test_a_process_that_fails_while_it_starts_is_an_error_and_not_a_hang(monkeypatch, transform, patch):
    monkeypatch.setattr(transform_pool, "_START", f"import sys, threading; {patch}; {transform_pool._START}")
    together = transform(1)

    with pytest.raises(PinterestError, match=r"has ended \(status [13]\)"):
        list(together.events(row_batches(2_000, 500)))


def test_parameters_that_cannot_be_passed_on_are_an_error():
    mapping = ColumnMapping(**PARAMETERS)
    object.__setattr__(mapping, "defaults", {"content_name": Path("/")})

    with pytest.raises(ParameterError, match="processes=0"):
        Transform(mapping, now=NOW, processes=1)


def test_parameters_may_be_of_subclasses():
    age = pendulum.duration(hours=2)
    Transform(ColumnMapping(defaults={"content_name": Mark("a")}), now=NOW, max_event_age=age, processes=1).close()
