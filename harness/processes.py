"""Starts, measures and ends processes together with all their children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from harness.loopback import free_port

REPOSITORY: Final = Path(__file__).resolve().parent.parent

WAIT_SECONDS: Final = 120.0
"""Seconds to wait for a condition, by default."""

END_SECONDS: Final = 15.0
"""Seconds that a process has to end by itself."""

START_ATTEMPTS: Final = 3
"""Attempts to start a server. Another process may take its free port first."""

IMPORTS: Final = {"PYTHONPATH": os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))}
"""With this variable, a process finds the package and the harness in any folder."""


class HarnessError(Exception):
    """A process did not start. The message says why."""


@dataclass(frozen=True)
class Service:
    """A running process, and everything it starts.

    :param log: the file of its output.
    :param asks: the signal that ends it.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    asks: signal.Signals = signal.SIGTERM

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its session."""
        return self.process.pid

    def end(self) -> None:
        """Send the signal, then kill the remaining processes of its session and its tree."""
        every = {*descendants(self.pid), *_session(self.pid)}
        try:
            self.process.send_signal(self.asks)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(END_SECONDS)
        finally:  # also after a second Ctrl-C
            self._kill(every)

    def kill(self) -> None:
        """Kill it and everything it started, as in a power failure."""
        self._kill(descendants(self.pid))

    def _kill(self, every: Iterable[int]) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for pid in {*every, *descendants(self.pid), *_session(self.pid)}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(END_SECONDS)


def start(
    name: str,
    command: Sequence[str | Path],
    log: Path,
    environment: Mapping[str, str] | None = None,
    *,
    cwd: Path = REPOSITORY,
    asks: signal.Signals = signal.SIGTERM,
    **options: Any,
) -> Service:
    """Start a program in a new session. Its output goes to a file.

    :param options: more options of ``subprocess.Popen``.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            cwd=cwd,
            start_new_session=True,  # Ctrl-C reaches only the caller, which ends this process
            **options,
        )
    return Service(name, process, log, asks)


@contextlib.contextmanager
def service(
    name: str, command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None, **options: Any
) -> Iterator[Service]:
    """Run a program as :func:`start` does; end it and everything it started afterwards."""
    running = start(name, command, log, environment, **options)
    try:
        yield running
    finally:
        running.end()


@contextlib.contextmanager
def python_server(
    name: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[tuple[Service, int]]:
    """Run a server in Python that takes the option ``--port-file``; yield its port as soon as it has written it.

    :param arguments: of Python, such as ``-m`` and a module.
    :raises HarnessError: it does not start.
    """
    port_file = folder / f"{name}.port"
    port_file.unlink(missing_ok=True)
    command = [sys.executable, *arguments, "--port-file", str(port_file)]
    with service(name, command, folder / f"{name}.log", environment) as running:
        wait_for(port_file.exists, f"{name} to listen", services=[running], every=0.02, seconds=30)
        yield running, int(port_file.read_text(encoding="ascii"))


def write_port(port_file: Path, port: int) -> None:
    """Write the port of this process to a file for its parent. The file is never incomplete."""
    unfinished = port_file.with_suffix(".new")
    unfinished.write_text(str(port), encoding="ascii")
    unfinished.rename(port_file)


@contextlib.contextmanager
def server_on_free_port(
    name: str,
    command: Callable[[int], Sequence[str | Path]],
    answers: Callable[[int], object],
    folder: Path,
    **options: Any,
) -> Iterator[tuple[Service, int]]:
    """Run a server whose port is an option; yield it as soon as it answers.

    :param command: port → command line.
    :param answers: port → whether the server answers there.
    :param options: of :func:`start`.
    :raises HarnessError: it does not start.
    """
    for attempt in range(1, START_ATTEMPTS + 1):
        port = free_port()
        with contextlib.ExitStack() as stack:
            running = stack.enter_context(service(name, command(port), folder / "log", cwd=folder, **options))
            try:
                wait_for(partial(answers, port), f"{name} to answer", services=[running], every=0.05)
            except HarnessError:
                if attempt == START_ATTEMPTS:
                    raise
                continue
            yield running, port
            return


def wait_for(
    condition: Callable[[], Any],
    what: str,
    *,
    services: Iterable[Service] = (),
    every: float = 0.1,
    seconds: float = WAIT_SECONDS,
) -> None:
    """Wait until a condition holds.

    :param services: processes that must not end before.
    :raises HarnessError: it takes too long, or one of the processes ends.
    """
    needed = list(services)
    end = time.monotonic() + seconds
    while not condition():
        for one in needed:
            if one.process.poll() is not None:
                raise HarnessError(f"waiting for {what}: {one.name} ended.\n{tail(one.log)}")
        if time.monotonic() > end:
            logs = "\n".join(f"--- {one.name}\n{tail(one.log)}" for one in needed)
            raise HarnessError(f"waited {seconds:.0f} s for {what}\n{logs}")
        time.sleep(every)


def descendants(pid: int) -> list[int]:
    """Return a process and its running descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for one, fields in _stats():
        children[int(fields[1])].append(one)
    found = [pid]
    for one in found:
        found += children[one]
    return found


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and its descendants, including ended ones."""
    tree = set(descendants(pid))
    # utime, stime, and the same of children that were waited for
    used = sum(sum(map(int, fields[11:15])) for one, fields in _stats() if one in tree)
    return used / os.sysconf("SC_CLK_TCK")


def tail(log: Path, lines: int = 15) -> str:
    """Return the end of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]) if log.exists() else ""


def say(line: str) -> None:
    """Print progress."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def _session(pid: int) -> Iterator[int]:
    """Yield the processes of a session. Their parents may have changed."""
    for one, fields in _stats():
        if int(fields[3]) == pid:
            yield one


def _stats() -> Iterator[tuple[int, list[str]]]:
    """Yield each process with the fields of its ``stat`` after the name, which may have any characters.

    Without ``/proc`` it yields nothing, and only the process group is ended.
    """
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            yield int(stat.parent.name), stat.read_text(errors="replace").rpartition(")")[2].split()
