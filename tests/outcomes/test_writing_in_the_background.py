"""Outcomes are written while the run goes on, and are in the table before a checkpoint covers them."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import pytest

from airflow_provider_pinterest.delivery.outcome_log import EventOutcome, Status
from airflow_provider_pinterest.exceptions import OutcomesError
from airflow_provider_pinterest.outcomes import retries
from airflow_provider_pinterest.sync import OutcomeTable
from tests.outcomes.reading import query


class Gate:
    """Connections that wait, or fail, at each commit."""

    def __init__(self, path):
        self.path = path
        self.open = threading.Event()
        self.waits = threading.Event()
        self.broken = False

    def connect(self):
        gate = self

        class Connection(sqlite3.Connection):
            def commit(self):
                gate.waits.set()
                assert gate.open.wait(30)
                if gate.broken:
                    raise sqlite3.OperationalError("disk I/O error")
                super().commit()

        return sqlite3.connect(self.path, factory=Connection)


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path / "outcomes.db")


@pytest.fixture
def opened(gate):
    gate.open.set()
    with closing(OutcomeTable(gate.connect, "monday").open(test=False)) as found:
        gate.waits.clear()
        yield found
        gate.open.set()


def processed(number):
    return EventOutcome("1", number, Status.PROCESSED, "checkout", f"order-{number}", 1_760_000_000, {})


def stored(gate):
    return [row for (row,) in query(gate.connect, "SELECT source_row FROM pinterest_outcomes ORDER BY source_row")]


def test_the_run_goes_on_while_outcomes_are_written(gate, opened):
    gate.open.clear()
    opened.add(processed(1))
    opened.start_write()
    assert gate.waits.wait(30)
    opened.add(processed(2))

    assert opened.waiting
    gate.open.set()
    opened.flush()
    assert not opened.waiting
    assert stored(gate) == [1, 2]


def test_many_outcomes_that_are_being_written_do_not_count_as_waiting_for_a_write(gate, opened):
    gate.open.clear()
    for number in range(5_000):
        opened.add(processed(number))
    assert opened.full
    opened.start_write()
    assert not opened.full
    gate.open.set()


def test_the_failure_of_a_write_is_raised_later_and_its_outcomes_wait_again(gate, opened, monkeypatch):
    monkeypatch.setattr(retries, "WAITS", ())
    gate.broken = True
    opened.add(processed(1))
    opened.start_write()
    opened.add(processed(2))
    with pytest.raises(OutcomesError, match="disk I/O error"):
        opened.start_write()
    assert opened.waiting

    gate.broken = False
    opened.flush()
    assert stored(gate) == [1, 2]


def test_a_flush_raises_the_failure_of_an_earlier_write(gate, opened, monkeypatch):
    monkeypatch.setattr(retries, "WAITS", ())
    gate.broken = True
    opened.add(processed(1))
    opened.start_write()
    with pytest.raises(OutcomesError, match="disk I/O error"):
        opened.flush()
    gate.broken = False
    opened.flush()
    assert stored(gate) == [1]
