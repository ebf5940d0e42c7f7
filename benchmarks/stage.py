"""Where measures are taken: a private folder, a warehouse, a server that counts, a fresh process each time."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks import rows
from benchmarks.measures import Sample

REPOSITORY: Final = Path(__file__).resolve().parent.parent
START_SECONDS: Final = 30
UNLIMITED: Final = 1_000_000
"""Calls a minute: what is measured is the sender, not the limit it keeps."""


class BenchmarkError(Exception):
    """Something could not be measured; the message says why."""


@dataclass(frozen=True, slots=True)
class Call:
    """A measure and what it is called with.

    :param latency_ms: how long the server lets each request wait.
    :param environment: more of it, such as another warehouse.
    """

    measure: str
    arguments: Mapping[str, Any]
    latency_ms: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Stage:
    """What measures share.

    :param folder: goes away afterwards.
    :param port: of the counting server.
    :param now: events happened before it.
    """

    folder: Path
    port: int
    environment: dict[str, str]
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    _rows: int = 0
    _accounts: int = 0
    _samples: dict[str, Sample] = field(default_factory=dict)

    @property
    def warehouse(self) -> Path:
        """The SQLite file; see :meth:`stock`."""
        return self.folder / "warehouse.db"

    def stock(self, count: int) -> None:
        """Fill the warehouse with so many rows, unless it has them; fewer rows are the beginning of more."""
        if count > self._rows:
            say(f"writing {count:,} rows into an SQLite warehouse")
            self.warehouse.unlink(missing_ok=True)
            rows.write_sqlite(self.warehouse, count, now=self.now)
            self._rows = count

    def host(self, latency_ms: int = 0) -> str:
        """Return the base URL of the counting server, answering with so much latency."""
        return f"http://127.0.0.1:{self.port}{f'/{latency_ms}ms' if latency_ms else ''}/v5"

    def idle(self) -> Sample:
        """Return the measure of a process that has not read a row; taken once."""
        if "idle" not in self._samples:
            self._samples["idle"] = self._child("idle", {}, {})
        return self._samples["idle"]

    def operator_has(self, parameter: str) -> bool:
        """Find out whether the operator takes a parameter."""
        return f"has_{parameter}" in self.idle()

    def take(self, call: Call) -> Sample:
        """Take one measure, and compare what was sent with what the server has counted.

        :raises BenchmarkError: it fails, or the counts differ.
        """
        account = self._next_account()
        arguments = dict(call.arguments)
        if call.measure == "official_pipeline":
            arguments |= {
                "warehouse": str(self.warehouse),
                "host": self.host(call.latency_ms),
                "ad_account_id": account,
            }
        environment = {**call.environment, **self._pinterest(self.host(call.latency_ms), account)}
        sample = self._child(call.measure, arguments, environment)
        if "pipeline" in call.measure or call.measure == "ceiling":
            totals = self.totals(account)
            sample["most_at_once"] = totals["most_at_once"]
            if totals["events"] != sample["events"]:
                raise BenchmarkError(f"{call.measure} sent {sample['events']:,} events, {totals['events']:,} arrived")
        return sample

    def take_from(self, call: Call, host: str) -> Sample:
        """Take one measure against another server."""
        return self._child(call.measure, call.arguments, self._pinterest(host, self._next_account()))

    def alternate(self, calls: Mapping[str, Call], times: int) -> dict[str, list[Sample]]:
        """Take measures in turn, A B A B …, so that a busy moment of the machine meets all of them."""
        samples: dict[str, list[Sample]] = {label: [] for label in calls}
        for turn in range(times):
            for label, call in calls.items():
                sample = self.take(call)
                samples[label].append(sample)
                speed = sample["events"] / sample["seconds"] if sample.get("seconds") else 0
                say(f"{label} ({turn + 1} of {times}){f': {speed:,.0f} events/s' if speed else ''}")
        return samples

    def totals(self, account: str) -> dict[str, int]:
        """Return what the counting server has received for an ad account."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, whatever the shell says
        with direct.open(f"http://127.0.0.1:{self.port}/totals/{account}", timeout=30) as answer:
            found: dict[str, int] = json.load(answer)
        return found

    def _next_account(self) -> str:
        self._accounts += 1
        return str(549_755_000_000 + self._accounts)

    def _pinterest(self, host: str, account: str) -> dict[str, str]:
        extra = {"ad_account_id": account, "calls_per_minute": UNLIMITED}
        connection = {"conn_type": "pinterest", "host": host, "password": "pina_sandbox", "extra": extra}
        return {"AIRFLOW_CONN_PINTEREST_DEFAULT": json.dumps(connection)}

    def _child(self, measure: str, arguments: Mapping[str, Any], more: Mapping[str, str]) -> Sample:
        """Take a measure in a process of its own.

        :raises BenchmarkError: it fails; the message has the end of what it wrote.
        """
        answer, log = self.folder / "answer.json", self.folder / "measure.log"
        answer.unlink(missing_ok=True)
        command = ["-m", "benchmarks.measures", measure, json.dumps(arguments), str(answer)]
        with running(command, log, {**self.environment, **more}) as process:
            status = process.wait()
        if status != 0 or not answer.exists():
            raise BenchmarkError(f"{measure} ended with status {status}:\n{_tail(log)}")
        sample: Sample = json.loads(answer.read_text(encoding="ascii"))
        return sample


@contextlib.contextmanager
def set_up() -> Iterator[Stage]:
    """Set the stage, and take everything away afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="pinterest-benchmarks-")).resolve()
    try:
        environment = _environment(folder)
        port_file = folder / "server.port"
        command = ["-m", "benchmarks.server", str(port_file)]
        with listening(command, port_file, folder / "server.log", environment) as port:
            yield Stage(folder, port, environment)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def sandbox(stage: Stage) -> Iterator[str]:
    """Serve the package's local Pinterest, which validates every event; yield its base URL."""
    port_file = stage.folder / "sandbox.port"
    port_file.unlink(missing_ok=True)
    command = ["-m", "airflow_provider_pinterest.sandbox", "--port", "0", "--port-file", str(port_file)]
    with listening(command, port_file, stage.folder / "sandbox.log", stage.environment) as port:
        yield f"http://127.0.0.1:{port}/v5"


@contextlib.contextmanager
def listening(command: Sequence[str], port_file: Path, log: Path, environment: dict[str, str]) -> Iterator[int]:
    """Run a server that writes its port into a file; end it afterwards.

    :raises BenchmarkError: it does not start.
    """
    with running(command, log, environment) as process:
        deadline = time.monotonic() + START_SECONDS
        while not port_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchmarkError(f"{command[1]} does not start:\n{_tail(log)}")
            time.sleep(0.02)
        yield int(port_file.read_text(encoding="ascii"))


@contextlib.contextmanager
def running(command: Sequence[str], log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run this Python, output to a file; end it afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=REPOSITORY,
            start_new_session=True,  # Ctrl-C reaches us first, and we end it
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of an Airflow that knows this stage and nothing of the user's."""
    theirs = ("AIRFLOW_", "REQUESTS_", "CURL_")
    ours = {name: value for name, value in os.environ.items() if not name.upper().startswith(theirs)}
    paths = filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH")))
    return ours | {
        "PYTHONPATH": os.pathsep.join(paths),
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_WAREHOUSE": json.dumps({"conn_type": "sqlite", "host": str(folder / "warehouse.db")}),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }  # fmt: skip


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"  {line}", file=sys.stderr, flush=True)
