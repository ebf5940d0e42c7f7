"""TransformPool that are started, measured and ended as whole trees, whatever their children do."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PATIENCE: Final = 120.0
"""Seconds to wait for what must come."""

POLITE: Final = 15.0
"""Seconds that a process has to end by itself."""

_TICKS: Final = os.sysconf("SC_CLK_TCK")


class ScaleError(Exception):
    """The example could not be run; the message says why."""


@dataclass(frozen=True)
class Service:
    """A process that goes on until it is ended, with all it starts.

    :param log: where it writes.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its process id, which is also its session's."""
        return self.process.pid

    def end(self) -> None:
        """End it: politely, then at once; nothing of its session or its tree is left."""
        every = {*descendants(self.pid), *_session(self.pid)}
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(POLITE)
        self._kill(every)

    def kill(self) -> None:
        """Kill it and all it has started, as a machine that loses its power does."""
        self._kill(descendants(self.pid))

    def _kill(self, every: Iterable[int]) -> None:
        for pid in {*every, *descendants(self.pid), *_session(self.pid)}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(POLITE)


@contextlib.contextmanager
def service(
    name: str, command: Sequence[str], log: Path, environment: Mapping[str, str], cwd: Path
) -> Iterator[Service]:
    """Run a program, output to a file; end it and all it has started afterwards."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,  # Ctrl-C reaches us first, and we end it
        )
    running = Service(name, process, log)
    try:
        yield running
    finally:
        running.end()


def wait_for(
    condition: Callable[[], Any],
    what: str,
    *,
    services: Iterable[Service] = (),
    every: float = 0.1,
    seconds: float = PATIENCE,
) -> None:
    """Wait until something holds.

    :param services: processes that must be alive meanwhile.
    :raises ScaleError: it takes too long, or one of the processes ends.
    """
    needed = list(services)
    end = time.monotonic() + seconds
    while not condition():
        for one in needed:
            if one.process.poll() is not None:
                raise ScaleError(f"waiting for {what}: {one.name} ended.\n{tail(one.log)}")
        if time.monotonic() > end:
            logs = "\n".join(f"--- {one.name}\n{tail(one.log)}" for one in needed)
            raise ScaleError(f"waited {seconds:.0f} s for {what}\n{logs}")
        time.sleep(every)


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(pid: int) -> list[int]:
    """Return a process and all that it has started and that live."""
    children: dict[int, list[int]] = defaultdict(list)
    for one, fields in _stats():
        children[int(fields[1])].append(one)
    found = [pid]
    for one in found:
        found += children[one]
    return found


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and all it has started, of those that ended as well."""
    tree = set(descendants(pid))
    # utime, stime, and the same of children that were waited for
    return sum(sum(map(int, fields[11:15])) for one, fields in _stats() if one in tree) / _TICKS


def tail(log: Path, lines: int = 15) -> str:
    """Return the end of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]) if log.exists() else ""


def _session(pid: int) -> Iterator[int]:
    """Yield the processes of a session, whoever their parents are by now."""
    for one, fields in _stats():
        if int(fields[3]) == pid:
            yield one


def _stats() -> Iterator[tuple[int, list[str]]]:
    """Yield each process with the fields of its ``stat`` from the state on; its name may hold anything."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                yield int(entry.name), (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
