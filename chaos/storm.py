"""One seed: a warehouse that changes, a server on which everything goes wrong, a task that is killed again and again.

The storm does to the task what workers, schedulers and people do: it kills and freezes attempts, asks them to end,
clears the task, changes the source, and damages what is stored. Where the task refuses to go on, it does what the
message says.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests

from airflow_provider_pinterest.delivery.checkpoint import (
    Checkpoint,
    Finished,
    UnreadableStateError,
    read_state,
)
from chaos import weather
from chaos.judge import Findings, Received, judge, received, result, sent_again
from chaos.task import BATCH, MAX_IN_FLIGHT, Attempt, Exit, fork_attempt
from chaos.world import KINDS, Change, World

TOKEN: Final = "pina_sandbox"  # noqa: S105 - the local Pinterest's, known to everybody
ACCOUNT: Final = "549755885175"

PATIENCE: Final = 900.0
"""Seconds that a storm may take."""

KILL_PATIENCE: Final = 5.0
"""Seconds in which an attempt must end that is asked to."""

THAW_PATIENCE: Final = 30.0
"""Seconds in which an attempt must end that was frozen while another one took its place."""

POISON: Final = 5
FAILING: Final = 5

ENDED: Final = (Exit.DELIVERED, Exit.DELIVERED_AND_HELD)

_PR_SET_CHILD_SUBREAPER: Final = 36

DAMAGES: Final[Mapping[str, Callable[[dict[str, Any]], object]]] = {
    "another version": lambda state: {**state, "version": 99},
    "a lost field": lambda state: {name: value for name, value in state.items() if name != "delivered"},
    "a list": lambda state: [state],
    "text": lambda state: str(state)[:200],
}


@dataclass
class Verdict:
    """What a storm did, and whether the promise held."""

    seed: int
    rows: int = 0
    happened: Counter[str] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)


def ride(seed: int, rows: int, kills: int, folder: Path) -> Verdict:
    """Run one storm and judge it.

    :param kills: how often the task is killed.
    :param folder: where everything of it is kept.
    """
    _adopt_orphans()
    return Storm(seed, kills, folder, World(folder / "warehouse.db", rows, seed)).run()


def _adopt_orphans() -> None:
    """Become the parent of processes whose parent was killed, so that they can be counted."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class BrokenError(Exception):
    """The promise did not hold; the storm cannot continue."""


@dataclass
class _Frozen:
    """An attempt that stands still.

    :param thaw: monotonic seconds.
    """

    pid: int
    number: int
    thaw: float
    thawed: bool = False


class Storm:
    """One seed.

    :param kills: how often the task is killed.
    :param folder: where everything of it is kept.
    :param world: the warehouse.
    """

    def __init__(self, seed: int, kills: int, folder: Path, world: World) -> None:
        self.verdict = Verdict(seed, len(world.rows))
        self._chance = random.Random(seed)
        self._kills = kills
        self._folder = folder
        self._world = world
        truth = world.truth()
        doomed = self._chance.sample(sorted(truth.web | truth.offline), POISON + FAILING)
        self._poison, self._failing = doomed[:POISON], doomed[POISON:]
        self._spared = frozenset(doomed)
        self._fates = ["kill"] * kills + ["end"] * max(1, kills // 5) + ["freeze"] * max(1, kills // 4)
        self._chance.shuffle(self._fates)
        self._stretch = max(2, len(world.rows) // (len(self._fates) + 1))
        self._processes = int(seed % 4 == 0)
        self._retries = self._max_tries = 3
        self._cleared_at = 1
        self._number = 0
        self._deadline = 0.0
        self._url = self._store = ""
        self._frozen: list[_Frozen] = []
        self._alive_beside: frozenset[int] = frozenset()
        self._change: Change | None = None
        self._changed_at = 0.0
        self._backup: Any = None
        self._offline_before: Mapping[str, int] = {}
        self._tampered = False
        self._force = False
        self._allowed = 0
        self._doubted: set[str] = set()
        self._excused: set[str] = set()
        self._read: tuple[int, Any] = (0, None)

    def run(self) -> Verdict:
        """Start the server, ride the storm, judge."""
        verdict, started = self.verdict, time.monotonic()
        self._deadline = started + PATIENCE
        command = [sys.executable, "-m", "chaos.server", str(self._folder)]
        command += ["--partial-failure", self._chance.choice(weather.SHAPES)]
        command += ["--max-body-bytes", str(self._chance.choice(weather.BODY_LIMITS))]
        with (self._folder / "server.txt").open("wb") as said:
            server = subprocess.Popen(command, stdout=said, stderr=said)
            try:
                self._prepare(server)
                self._send()
                for step in self._steps():
                    self._happened(step)
                    self._afterwards(step)
                self._thaw_all()
                self._no_process_is_left(server.pid)
            except BrokenError as broken:
                verdict.broken.append(str(broken))
            finally:
                for frozen in self._frozen:
                    os.kill(frozen.pid, signal.SIGKILL)
                    os.waitpid(frozen.pid, 0)
                server.terminate()
                server.wait(10)
        verdict.seconds = time.monotonic() - started
        verdict.rows = len(self._world.rows)
        verdict.broken += verdict.findings.broken
        return verdict

    def _prepare(self, server: subprocess.Popen[bytes]) -> None:
        """Wait for the server, switch the faults on, and make the connections known."""
        ports = self._folder / "ports.json"
        while not ports.exists():
            time.sleep(0.01)
            if server.poll() is not None:
                raise RuntimeError((self._folder / "server.txt").read_text())
        self._url, self._store = (f"http://127.0.0.1:{port}" for port in json.loads(ports.read_text()))
        self._switch_faults_on(self._poison, self._failing)
        pinterest = {
            "conn_type": "pinterest",
            "host": f"{self._url}/v5",
            "password": TOKEN,
            "extra": {"ad_account_id": ACCOUNT, "calls_per_minute": 1_000_000},
        }
        os.environ["AIRFLOW_CONN_PINTEREST_DEFAULT"] = json.dumps(pinterest)
        os.environ["AIRFLOW_CONN_WAREHOUSE"] = json.dumps({"conn_type": "sqlite", "host": str(self._world.path)})

    def _switch_faults_on(self, poison: list[str], failing: list[str]) -> None:
        calls = len(self._world.rows) // BATCH
        for fault in weather.faults(self._chance, calls, poison=poison, failing=failing):
            requests.post(f"{self._url}/sandbox/faults", json=fault, timeout=10).raise_for_status()

    def _no_process_is_left(self, server: int) -> None:
        """Check that processes which make events end with the attempt that started them, however that ended.

        :raises BrokenError: one of them lives on.
        """
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
        end = time.monotonic() + KILL_PATIENCE
        while left := set(map(int, children.read_text().split())) - {server}:
            for pid in left:
                os.waitpid(pid, os.WNOHANG)
            if time.monotonic() > end:
                raise BrokenError(f"processes are left: {left}")
            time.sleep(0.02)

    def _happened(self, what: str) -> None:
        self.verdict.happened[what] += 1
        with (self._folder / "log.txt").open("a") as log:
            log.write(f"{time.strftime('%H:%M:%S')} storm: {what}\n")

    # What attempts meet before the run ends

    def _send(self) -> int:
        """Start attempt after attempt until one comes to the end of the run, judge it, and return its number."""
        while time.monotonic() < self._deadline:
            self._meddle()
            number = self._begin()
            fate = self._fates[-1] if self._fates else ""
            pid = fork_attempt(self._folder, self._attempt(fate))
            code = self._watch(pid, fate)
            if code is None:
                continue  # frozen
            self._note_doubt()
            if code in ENDED:
                self._backup, self._change = None, None
                self._judge(number)
                return number
            self._react(code)
        raise BrokenError(f"not done after {PATIENCE:.0f} seconds, see {self._folder}/log.txt")

    def _begin(self) -> int:
        """Make the next attempt the current one."""
        self._number += 1
        self._alive_beside = frozenset(frozen.number for frozen in self._frozen)
        self._happened("attempts")
        requests.put(f"{self._store}/current", data=str(self._number), timeout=10).raise_for_status()
        return self._number

    def _attempt(self, fate: str = "") -> Attempt:
        long = fate == "end" and self._chance.random() < 0.5
        return Attempt(
            self._number,
            max_tries=self._max_tries,
            retries=self._retries,
            processes=self._processes,
            send_everything_again=self._force,
            store=self._store,
            rows=len(self._world.rows),
            stalls=self._chance.randrange(3),
            long_stall=self._settled() + self._chance.randrange(self._stretch) if long else None,
            breaks=self._chance.random() < 0.05,
            seed=self._chance.randrange(2**31),
        )

    def _meddle(self) -> None:
        """Perhaps clear the task, change the source or damage what is stored."""
        state = self._state()
        if isinstance(state, Checkpoint) and state.forced:
            self._force = False  # it is remembered; a Clear with it would send everything once more
        if self._chance.random() < 0.15 and not self._force:
            self._clear()
        if not isinstance(state, Checkpoint) or self._force or self._backup is not None:
            return
        if self._change is not None and (
            state.written <= self._changed_at or state.rows < self._change.last + 1
        ):  # it was not read yet, as far as is known
            return
        what = self._chance.random()
        if what < 0.3:
            self._change_rows(state)
        elif what < 0.4:
            self._damage()

    def _change_rows(self, state: Checkpoint | Finished) -> None:
        rows = len(self._world.rows)
        near = state.rows + self._chance.randrange(-3_000, 9_000)
        index = near if 0 <= near < rows - 300 else self._chance.randrange(rows)
        change = self._world.change(self._chance.choice(KINDS), index, spared=self._spared)
        if change is None:
            return
        self._change, self._changed_at = change, time.time()
        self._tampered = True
        if not state.offline:
            self._allowed += received(self._folder).distinct  # all may be sent again
        pending = state.pending if isinstance(state, Checkpoint) else ()
        if change.first + 1 > max([state.rows, *(batch.last for batch in pending)]):
            self._excused |= change.flipped  # no checkpoint can know yet that they were sent
        self._happened(f"change ({change.kind})")

    def _damage(self) -> None:
        """Make what is stored unreadable."""
        self._backup = self._stored()
        kind = self._chance.choice(sorted(DAMAGES))
        self._put_state(DAMAGES[kind](self._backup))
        shutil.copytree(self._folder / "rejects", self._folder / "rejects.backup", dirs_exist_ok=True)
        self._allowed += received(self._folder).distinct
        self._offline_before = received(self._folder).offline
        self._tampered = True
        self._happened(f"damage ({kind})")

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
        self._happened("clears")

    def _react(self, code: int) -> None:
        """Do what a person does, or Airflow."""
        self._happened(Exit(code).name.lower().replace("_", " ") if code > 0 else signal.Signals(-code).name)
        match code:
            case Exit.SOURCE_CHANGED:
                if self._change is None:
                    raise BrokenError("the task refuses a change of the source that was not made, or was undone")
                self._world.undo(self._change)
                self._excused -= self._change.flipped
                self._change = None
                self._clear()
            case Exit.NOT_KNOWN_WHAT_WAS_SENT if self._backup is not None:
                if received(self._folder).offline != self._offline_before:
                    raise BrokenError("offline events were sent although it was not known what had been sent")
                self._put_state(self._backup)
                shutil.rmtree(self._folder / "rejects")
                (self._folder / "rejects.backup").rename(self._folder / "rejects")
                self._backup = None
                self._allowed += received(self._folder).distinct
                self._clear()
            case Exit.NOT_KNOWN_WHAT_WAS_SENT if self._change is not None:
                copies = received(self._folder)
                if copies.offline:
                    raise BrokenError("the task started over although offline events were sent")
                self._force = True
                self._excused |= copies.web.keys()
                self._allowed += copies.distinct
                self._clear()
            case Exit.NOT_RETRIED:
                self._clear()
            case Exit.STOPPED | signal.Signals.SIGKILL | signal.Signals.SIGTERM:
                pass
            case _ if code < 0:
                pass
            case _:
                raise BrokenError(f"an attempt ended with {Exit(code).name}, see {self._folder}/log.txt")

    # What happens to an attempt under way

    def _watch(self, pid: int, fate: str) -> int | None:
        """Wait for an attempt or let its fate meet it; return its exit code, or nothing if it is frozen."""
        early = self._chance.random() < 0.15
        target = 0 if early else self._settled() + self._chance.randrange(1, self._stretch)
        delay = self._chance.random() * (0.5 if early else 0.05)
        latest = time.monotonic() + (3 if fate == "end" else 10)
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            self._thaw()
            now = time.monotonic()
            late = now > self._deadline
            if late or (fate and (self._settled() >= target or now > latest)):
                time.sleep(delay)
                return self._meet(pid, "kill" if late else fate)
            time.sleep(0.002)

    def _meet(self, pid: int, fate: str) -> int | None:
        """Kill an attempt, ask it to end, or freeze it."""
        if fate in self._fates:
            self._fates.remove(fate)
        self._happened({"kill": "kills", "end": "asked to end", "freeze": "freezes"}[fate])
        if fate == "kill":
            self._allowed += 2 * MAX_IN_FLIGHT * BATCH
            os.kill(pid, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if fate == "freeze":
            os.kill(pid, signal.SIGSTOP)
            self._allowed += 4 * MAX_IN_FLIGHT * BATCH
            time.sleep(0.01)
            self._note_doubt()
            self._frozen.append(_Frozen(pid, self._number, time.monotonic() + self._chance.uniform(0.02, 4)))
            return None
        started = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        code = self._ended(pid, 6 * KILL_PATIENCE)
        took = time.monotonic() - started
        if code is None or took > KILL_PATIENCE:
            self.verdict.broken.append(f"attempt {self._number} took {took:.1f} seconds to end when it was asked to")
        if code is None:
            os.kill(pid, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return code

    def _ended(self, pid: int, seconds: float) -> int | None:
        """Wait for an attempt to end, up to `seconds`; return its exit code."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            self._thaw()
            time.sleep(0.005)
        return None

    def _thaw(self) -> None:
        """Let frozen attempts continue whose time has come, and see how they end."""
        for frozen in tuple(self._frozen):
            now = time.monotonic()
            if not frozen.thawed and now >= frozen.thaw:
                os.kill(frozen.pid, signal.SIGCONT)
                frozen.thawed = True
            if not frozen.thawed:
                continue
            done, status = os.waitpid(frozen.pid, os.WNOHANG)
            if done:
                self._frozen.remove(frozen)
                code = os.waitstatus_to_exitcode(status)
                # It may meet anything before it learns that it was replaced; what it sends is judged in the end.
                if code == Exit.FAILED_FOR_GOOD or code < 0:
                    self.verdict.broken.append(f"attempt {frozen.number} thawed and ended with {code}")
            elif now > frozen.thaw + THAW_PATIENCE:
                raise BrokenError(f"attempt {frozen.number} does not end although another one took its place")

    def _thaw_all(self) -> None:
        """Wait for the frozen attempts."""
        while self._frozen:
            self._thaw()
            time.sleep(0.01)

    # What happens after the end of the run

    def _steps(self) -> list[str]:
        """Return what happens after the end of the run."""
        steps = ["retry after the end", "clear", "clear, other retries", "clear, mended", "clear, appended"]
        steps += ["clear, changed", "clear, damaged"]
        return self._chance.sample(steps, min(3, self._kills))

    def _afterwards(self, step: str) -> None:
        """Start the task again after the end of its run, and compare."""
        self._thaw_all()
        before = received(self._folder)
        last = self._number
        self._tampered = False
        if step == "retry after the end":  # the worker died before Airflow knew
            self._retry_after_the_end(before, last)
            return
        self._clear(same_number=step == "clear, other retries")
        if step == "clear, mended":
            self._failing = []
            self._spared = frozenset(self._poison)
            requests.delete(f"{self._url}/sandbox/faults", timeout=10).raise_for_status()
            self._switch_faults_on(self._poison, self._failing)
        if step == "clear, appended":
            self._world.change("append", 0)
        if step == "clear, changed":
            state = self._state()
            assert isinstance(state, Finished)
            self._change_rows(state)
        if step == "clear, damaged":
            self._damage()
        if self._chance.random() < 0.5:
            self._fates.append(self._chance.choice(("kill", "end", "freeze")))
        self._send()
        again = sent_again(before, received(self._folder))
        if again and not self._tampered:
            raise BrokenError(f"{again} accepted events were accepted again after '{step}'")

    def _retry_after_the_end(self, before: Received, last: int) -> None:
        number = self._begin()
        code = self._ended(fork_attempt(self._folder, self._attempt()), 60)
        if code not in ENDED or result(self._folder, number) != result(self._folder, last):
            raise BrokenError(f"a retry after the end ended with {code}, or with another result")
        if sent_again(before, received(self._folder)) or before != received(self._folder):
            raise BrokenError("a retry after the end sent something")

    # The state

    def _stored(self) -> Any:
        """Return what is stored."""
        file = self._folder / "state.json"
        try:
            written = file.stat().st_mtime_ns
            if written != self._read[0]:
                self._read = written, json.loads(file.read_text())
        except FileNotFoundError:
            return None
        return self._read[1]

    def _put_state(self, value: object) -> None:
        requests.put(f"{self._store}/state", json=value, timeout=10).raise_for_status()

    def _state(self) -> Checkpoint | Finished | None:
        """Return what is stored; ``None``: nothing that can be read."""
        try:
            return read_state(self._stored())
        except UnreadableStateError:
            return None

    def _settled(self) -> int:
        """Return how many rows the last checkpoint has settled."""
        stored = self._stored()
        rows = stored.get("rows", 0) if isinstance(stored, dict) else 0
        return rows if isinstance(rows, int) else 0

    def _note_doubt(self) -> None:
        """Note which offline events an attempt has left in doubt."""
        state = self._state()
        if isinstance(state, Checkpoint):
            for batch in state.pending:
                self._doubted.update(self._world.ids(list(batch.unknown.rows()), "offline"))

    def _judge(self, number: int) -> None:
        """Judge the run that has just come to its end.

        :raises BrokenError: the promise did not hold.
        """
        allowed = self._allowed + self._number * MAX_IN_FLIGHT * BATCH
        self.verdict.findings = found = judge(
            self._folder,
            self._world.truth(),
            result(self._folder, number),
            allowed=allowed,
            doomed=[*self._poison, *self._failing],
            doubted=self._doubted,
            excused=self._excused,
            frozen=self._alive_beside,
        )
        if found.late_lines:
            self._happened(f"{found.late_lines} lines written twice by an attempt that thawed")
        if found.broken:
            found.broken, broken = [], found.broken
            raise BrokenError(f"attempt {number}: {'; '.join(broken)} (see {self._folder})")
