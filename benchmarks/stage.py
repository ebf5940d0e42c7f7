"""The environment of measures: a private folder, a warehouse, a server that counts, a new process for each measure."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import rows
from benchmarks.measures import Sample
from harness import airflow, pinterest
from harness.loopback import get_json
from harness.processes import HarnessError, python_server, say, service, tail


@dataclass(frozen=True, slots=True)
class MeasureCall:
    """A measure and its arguments.

    :param latency_ms: the server's delay for each request.
    :param environment: additional variables, such as another warehouse.
    """

    measure: str
    arguments: Mapping[str, Any]
    latency_ms: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class BenchmarkStage:
    """The common environment of measures.

    :param folder: a temporary folder.
    :param port: of the counting server.
    :param now: the events happened before this time.
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
        """Fill the warehouse with ``count`` rows, unless it has as many already."""
        if count > self._rows:
            say(f"writing {count:,} rows into an SQLite warehouse")
            self.warehouse.unlink(missing_ok=True)
            rows.write_sqlite(self.warehouse, count, now=self.now)
            self._rows = count

    def host(self, latency_ms: int = 0) -> str:
        """Return the base URL of the counting server with a latency."""
        return f"http://127.0.0.1:{self.port}{f'/{latency_ms}ms' if latency_ms else ''}/v5"

    def idle(self) -> Sample:
        """Return the measure of a process without rows. It is taken once."""
        if "idle" not in self._samples:
            self._samples["idle"] = self._child("idle", {}, {})
        return self._samples["idle"]

    def operator_has(self, parameter: str) -> bool:
        """Return whether the operator has a parameter."""
        return f"has_{parameter}" in self.idle()

    def take(self, call: MeasureCall) -> Sample:
        """Take one measure, and compare the number of sent events with the server's count.

        :raises HarnessError: it fails, or the counts differ.
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
                raise HarnessError(f"{call.measure} sent {sample['events']:,} events, {totals['events']:,} arrived")
        return sample

    def take_from(self, call: MeasureCall, host: str) -> Sample:
        """Take one measure against another server."""
        return self._child(call.measure, call.arguments, self._pinterest(host, self._next_account()))

    def alternate(self, calls: Mapping[str, MeasureCall], times: int) -> dict[str, list[Sample]]:
        """Take measures in turn, A B A B …, so that a busy moment of the machine affects all of them."""
        samples: dict[str, list[Sample]] = {label: [] for label in calls}
        for turn in range(times):
            for label, call in calls.items():
                sample = self.take(call)
                samples[label].append(sample)
                speed = sample["events"] / sample["seconds"] if sample.get("seconds") else 0
                say(f"{label} ({turn + 1} of {times}){f': {speed:,.0f} events/s' if speed else ''}")
        return samples

    def totals(self, account: str) -> dict[str, int]:
        """Return the counting server's totals of an ad account."""
        found: dict[str, int] = get_json(self.port, f"/totals/{account}")
        return found

    def _next_account(self) -> str:
        self._accounts += 1
        return str(549_755_000_000 + self._accounts)

    def _pinterest(self, host: str, account: str) -> dict[str, str]:
        connection = pinterest.connection(host, account=account, calls_per_minute=pinterest.UNLIMITED)
        return {"AIRFLOW_CONN_PINTEREST_DEFAULT": connection}

    def _child(self, measure: str, arguments: Mapping[str, Any], more: Mapping[str, str]) -> Sample:
        """Take a measure in a separate process.

        :raises HarnessError: it fails; the message has the end of its output.
        """
        answer, log = self.folder / "answer.json", self.folder / "measure.log"
        answer.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "benchmarks.measures", measure, json.dumps(arguments), str(answer)]
        with service(measure, command, log, {**self.environment, **more}) as running:
            status = running.process.wait()
        if status != 0 or not answer.exists():
            raise HarnessError(f"{measure} ended with status {status}:\n{tail(log)}")
        sample: Sample = json.loads(answer.read_text(encoding="ascii"))
        return sample


@contextlib.contextmanager
def set_up() -> Iterator[BenchmarkStage]:
    """Create the environment, and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="pinterest-benchmarks-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        connections = {"warehouse": airflow.sqlite_connection(folder / "warehouse.db")}
        environment = airflow.environment(folder / "airflow", connections)
        with python_server("counting", ("-m", "harness.counting_server"), folder, environment) as (_, port):
            yield BenchmarkStage(folder, port, environment)
