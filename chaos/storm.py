"""One seed: a warehouse that changes, a server with faults, a task that is killed again and again.

The storm does to the task what workers, schedulers and people do: it kills and freezes attempts, asks them to end,
clears the task, changes the source, and damages what is stored. Where the task refuses to continue, the storm does
what the message says.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import requests

from airflow_provider_pinterest.delivery.checkpoint import Checkpoint, Finished
from chaos import faults
from chaos.attempt import BATCH, MAX_IN_FLIGHT, AttemptPlan, Exit, fork_attempt
from chaos.fragile import KILL, LOSE
from chaos.frozen import FrozenAttempts
from chaos.interruptions import END_SECONDS, Interruptions
from chaos.judge import ServerRecord, Tolerance, judge, received, result, sent_again
from chaos.report import PromiseBrokenError, StormReport
from chaos.state import StoredState
from chaos.storm_database import StormDatabase
from chaos.table_judge import TableState, after_a_run, at_any_time
from chaos.tampering import Tampering
from chaos.warehouse import ChangingWarehouse
from harness import pinterest
from harness.airflow import sqlite_connection
from harness.postgres import PostgresServer, running_postgres
from harness.processes import IMPORTS, python_server

STEPS_OF_A_BATCH: Final = 8
"""About so many statements and commits for the outcome table are made for each batch."""

STORM_SECONDS: Final = 900.0
"""The maximum duration of a storm."""

POISON: Final = 5
FAILING: Final = 5

ENDED: Final = (Exit.DELIVERED, Exit.DELIVERED_AND_HELD)

_PR_SET_CHILD_SUBREAPER: Final = 36


def run_storm(seed: int, rows: int, kills: int, folder: Path, *, outcomes: bool = False) -> StormReport:
    """Run one storm and check its outcome.

    :param kills: how often the task is killed.
    :param folder: where everything is kept.
    :param outcomes: whether the task has an outcome table in PostgreSQL, and skips events that are processed there.
    """
    # Become the parent of processes whose parent was killed, to count them.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    warehouse = ChangingWarehouse(folder / "warehouse.db", rows, seed)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running_postgres()) if outcomes else None
        return Storm(seed, kills, folder, warehouse, server).run()


class Storm:
    """One seed.

    :param kills: how often the task is killed.
    :param folder: where everything is kept.
    :param table_server: the server of the outcome table, if there is one.
    """

    def __init__(
        self,
        seed: int,
        kills: int,
        folder: Path,
        warehouse: ChangingWarehouse,
        table_server: PostgresServer | None = None,
    ) -> None:
        self.report = StormReport(
            seed, len(warehouse.rows), folder / "log.txt", outcomes="no" if table_server is None else "yes"
        )
        self._chance = random.Random(seed)
        self._kills = kills
        self._folder = folder
        self._warehouse = warehouse
        expected = warehouse.expected()
        unaccepted = self._chance.sample(sorted(expected.web | expected.offline), POISON + FAILING)
        self._poison, self._failing = unaccepted[:POISON], unaccepted[POISON:]
        self._deadline = time.monotonic() + STORM_SECONDS
        self._tolerance = Tolerance()
        self._tampering = Tampering(
            folder,
            warehouse,
            self._chance,
            self.report,
            self._tolerance,
            frozenset(unaccepted),
            ledger=table_server is not None,
        )
        at_statements = kills // 2 if table_server is not None else 0
        left = (
            ["kill"] * (kills - at_statements)
            + ["table kill"] * at_statements
            + ["end"] * max(1, kills // 5)
            + ["freeze"] * max(1, kills // 4)
        )
        self._chance.shuffle(left)
        self._frozen = FrozenAttempts(self.report)
        self._frozen_beside: frozenset[int] = frozenset()
        rows_apart = max(2, len(warehouse.rows) // (len(left) + 1))
        self._table_server = table_server
        self._database = (
            None
            if table_server is None
            else StormDatabase(table_server, self._chance, self.report, max(2, kills // 2), rows_apart)
        )
        self._first_rows = warehouse.rows
        self._interruptions = Interruptions(
            self._chance, self.report, self._tolerance, self._frozen, self._deadline, left, rows_apart, self._database
        )
        self._processes = int(seed % 4 == 0)
        self._retries = self._max_tries = 3
        self._cleared_at = 1
        self._number = 0
        self._state = StoredState(folder / "state.json", "")
        self._force = False

    def run(self) -> StormReport:
        """Start the server, run the storm, check the outcome."""
        report, started = self.report, time.monotonic()
        command = ["-m", "chaos.server", str(self._folder)]
        command += ["--partial-failure", self._chance.choice(faults.FAILURE_SHAPES)]
        command += ["--max-body-bytes", str(self._chance.choice(faults.BODY_LIMITS))]
        with python_server("server", command, self._folder, os.environ | IMPORTS) as (server, port):
            try:
                self._prepare(port)
                self._send()
                for step in self._steps():
                    report.note(step)
                    self._afterwards(step)
                self._frozen.wait_for_all()
                self._check_table()
                self._no_process_is_left(server.pid)
            except PromiseBrokenError as broken:
                report.broken.append(str(broken))
            finally:
                self._frozen.kill()
        report.seconds = time.monotonic() - started
        report.rows = len(self._warehouse.rows)
        report.broken += report.findings.broken
        return report

    def _prepare(self, port: int) -> None:
        """Switch the faults on, and define the connections."""
        self._url = f"http://127.0.0.1:{port}"
        state_port = (self._folder / "state.port").read_text()
        self._state = StoredState(self._folder / "state.json", f"http://127.0.0.1:{state_port}")
        self._switch_faults_on(self._poison, self._failing)
        connection = pinterest.connection(f"{self._url}/v5", calls_per_minute=pinterest.UNLIMITED)
        os.environ["AIRFLOW_CONN_PINTEREST_DEFAULT"] = connection
        os.environ["AIRFLOW_CONN_WAREHOUSE"] = sqlite_connection(self._warehouse.path)
        if self._table_server is not None:
            os.environ["AIRFLOW_CONN_OUTCOMES"] = self._table_server.connection_json

    def _switch_faults_on(self, poison: list[str], failing: list[str]) -> None:
        calls = len(self._warehouse.rows) // BATCH
        for fault in faults.faults(self._chance, calls, poison=poison, failing=failing):
            requests.post(f"{self._url}/sandbox/faults", json=fault, timeout=10).raise_for_status()

    def _no_process_is_left(self, server: int) -> None:
        """Check that the processes of the transform pool end with their attempt, even if it was killed.

        :raises PromiseBrokenError: one of them still runs.
        """
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
        end = time.monotonic() + END_SECONDS
        servers = {server, *(() if self._table_server is None else (self._table_server.pid,))}
        while left := set(map(int, children.read_text().split())) - servers:
            for pid in left:
                os.waitpid(pid, os.WNOHANG)
            if time.monotonic() > end:
                raise PromiseBrokenError(f"processes are left: {left}")
            time.sleep(0.02)

    # Events before the end of the run

    def _send(self) -> int:
        """Start attempt after attempt until one ends the run, check the outcome, and return its number."""
        while time.monotonic() < self._deadline:
            self._disturb()
            number = self._begin()
            pid = fork_attempt(self._folder, self._attempt(self._interruptions.next))
            code = self._interruptions.watch(pid, number, self._state)
            self._note_unknown()
            if code is None:
                continue  # frozen
            if code in ENDED:
                self._tampering.forget()
                self._judge(number)
                return number
            self._react(code)
        raise PromiseBrokenError(f"not done after {STORM_SECONDS:.0f} seconds, see {self._folder}/log.txt")

    def _begin(self) -> int:
        """Make the next attempt the current one."""
        self._number += 1
        self._frozen_beside = self._frozen.numbers
        self.report.note("attempts")
        self._state.make_current(self._number)
        return self._number

    def _attempt(self, interruption: str = "") -> AttemptPlan:
        long = interruption == "end" and self._chance.random() < 0.5
        return AttemptPlan(
            self._number,
            max_tries=self._max_tries,
            retries=self._retries,
            processes=self._processes,
            send_everything_again=self._force,
            store=self._state.url,
            rows=len(self._warehouse.rows),
            stalls=self._chance.randrange(3),
            long_stall=self._state.rows() + self._chance.randrange(self._interruptions.rows_apart) if long else None,
            breaks=self._chance.random() < 0.05,
            seed=self._chance.randrange(2**31),
            outcomes=self._database is not None,
            broken_steps=self._broken_steps(interruption),
        )

    def _broken_steps(self, interruption: str) -> dict[int, str]:
        """Return which statements for the outcome table are interrupted, and how."""
        if self._database is None:
            return {}
        most = max(12, STEPS_OF_A_BATCH * self._interruptions.rows_apart // BATCH)
        steps = {}
        if self._chance.random() < 0.5:
            steps[self._chance.randrange(1, 2 * most)] = self._chance.choice(LOSE)
        if interruption == "table kill":
            steps[self._chance.randrange(1, most)] = self._chance.choice(KILL)
        return steps

    def _disturb(self) -> None:
        """At random, clear the task, change the source or damage the stored state."""
        state = self._state.state()
        if isinstance(state, Checkpoint) and state.forced:
            self._force = False  # it is stored; a Clear with it would send everything again
        if self._chance.random() < 0.15 and not self._force:
            self._clear()
        if isinstance(state, Checkpoint) and not self._force and self._tampering.backup is None:
            self._tampering.tamper(state, self._state)

    def _clear(self, *, same_number: bool = False) -> None:
        """Clear the task, as Airflow does.

        :param same_number: change `retries` so that the number of tries stays the same.
        """
        if same_number and self._retries + self._cleared_at > self._number:
            self._retries -= self._number - self._cleared_at
        elif self._chance.random() < 0.3:
            self._retries = self._chance.randrange(8)
        self._max_tries = self._number + self._retries
        self._cleared_at = self._number
        self.report.note("clears")

    def _react(self, code: int) -> None:
        """React to the end of an attempt, as Airflow or a person does."""
        self.report.note(Exit(code).name.lower().replace("_", " ") if code > 0 else signal.Signals(-code).name)
        match code:
            case Exit.SOURCE_CHANGED:
                if self._tampering.change is None:
                    raise PromiseBrokenError("the task refuses a change of the source that was not made, or was undone")
                self._tampering.undo_change()
                self._clear()
            case Exit.NOT_KNOWN_WHAT_WAS_SENT if self._tampering.backup is not None:
                # With a ledger, a frozen attempt may still send the events that it has claimed.
                claims = self._database is not None and self._frozen_beside
                if not self._tampering.repair(self._state) and not claims:
                    raise PromiseBrokenError("offline events were sent although it was not known what had been sent")
                self._clear()
            case Exit.NOT_KNOWN_WHAT_WAS_SENT if self._tampering.change is not None:
                copies = received(self._folder)
                if copies.offline:
                    raise PromiseBrokenError("the task started over although offline events were sent")
                self._force = True
                self._tolerance.formerly_web |= copies.web.keys()
                self._tolerance.copies += copies.distinct
                self._clear()
            case Exit.NOT_RETRIED:
                self._clear()
            case Exit.STOPPED | signal.Signals.SIGKILL | signal.Signals.SIGTERM:
                pass
            case _ if code < 0:
                pass
            case _:
                raise PromiseBrokenError(f"an attempt ended with {Exit(code).name}, see {self._folder}/log.txt")

    # After the end of the run

    def _steps(self) -> list[str]:
        """Return the steps after the end of the run."""
        steps = ["retry after the end", "clear", "clear, other retries", "clear, corrected", "clear, appended"]
        steps += ["clear, changed", "clear, damaged"]
        return self._chance.sample(steps, min(3, self._kills))

    def _afterwards(self, step: str) -> None:
        """Start the task again after the end of its run, and compare."""
        self._frozen.wait_for_all()
        before = received(self._folder)
        last = self._number
        self._tampering.happened = False
        if step == "retry after the end":  # the worker died before Airflow knew
            self._retry_after_the_end(before, last)
            return
        self._clear(same_number=step == "clear, other retries")
        if step == "clear, corrected":
            self._failing = []
            self._tampering.unchanged = frozenset(self._poison)
            requests.delete(f"{self._url}/sandbox/faults", timeout=10).raise_for_status()
            self._switch_faults_on(self._poison, self._failing)
        if step == "clear, appended":
            self._warehouse.change("append", 0)
        if step == "clear, changed":
            state = self._state.state()
            assert isinstance(state, Finished)
            self._tampering.change_rows(state)
        if step == "clear, damaged":
            self._tampering.damage(self._state)
        if self._chance.random() < 0.5:
            self._interruptions.left.append(self._chance.choice(("kill", "end", "freeze")))
        self._send()
        again = sent_again(before, received(self._folder))
        if again and (self._database is not None or not self._tampering.happened):
            raise PromiseBrokenError(f"{again} accepted events were accepted again after '{step}'")

    def _retry_after_the_end(self, before: ServerRecord, last: int) -> None:
        number = self._begin()
        code = self._frozen.wait_for(fork_attempt(self._folder, self._attempt()), 60)
        if code not in ENDED or result(self._folder, number) != result(self._folder, last):
            raise PromiseBrokenError(f"a retry after the end ended with {code}, or with another result")
        if sent_again(before, received(self._folder)) or before != received(self._folder):
            raise PromiseBrokenError("a retry after the end sent something")

    # Checks

    def _note_unknown(self) -> None:
        """Record the offline events whose outcome an attempt left unknown."""
        state = self._state.state()
        if isinstance(state, Checkpoint):
            for batch in state.pending:
                self._tolerance.unknown.update(self._warehouse.ids(list(batch.unknown.rows()), "offline"))
        if self._database is not None:
            self._tolerance.unknown |= self._database.claimed()

    def _judge(self, number: int) -> None:
        """Check the run that has just ended.

        :raises PromiseBrokenError: the promise did not hold.
        """
        if self._database is not None and self._frozen_beside:
            self._tolerance.unknown |= self._database.ever_claimed()
        copies = self._tolerance.copies + self._number * MAX_IN_FLIGHT * BATCH
        self.report.findings = found = judge(
            self._folder,
            self._warehouse.expected(),
            result(self._folder, number),
            replace(self._tolerance, copies=copies),
            unaccepted=[*self._poison, *self._failing],
            frozen=self._frozen_beside,
        )
        if found.late_lines:
            self.report.note(f"{found.late_lines} lines written twice by an attempt that thawed")
        self._check_table(number)
        if found.broken:
            found.broken, broken = [], found.broken
            raise PromiseBrokenError(f"attempt {number}: {'; '.join(broken)} (see {self._folder})")

    def _check_table(self, number: int | None = None) -> None:
        """Compare the outcome table with the server, and with an attempt that has ended the run."""
        if self._database is None:
            return
        table = TableState(self._database.rows(), self._database.not_final())  # before the server is asked
        found, wrong = self.report.findings, list(at_any_time(table, received(self._folder)))
        if number is not None:
            wrong += after_a_run(
                table,
                self._warehouse.rows,
                result(self._folder, number),
                refused=found.refused_ids,
                held=found.held_ids,
                frozen=self.report.happened["freezes"] > 0,
                unchanged=self._warehouse.rows == self._first_rows and not self._tampering.happened,
            )
        found.broken += wrong
